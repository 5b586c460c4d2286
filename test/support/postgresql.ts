/** The PostgreSQL server that tests may make databases on: TEST_POSTGRES_URL, or the local default. */
import pg from 'pg';

export async function postgresql(): Promise<string | undefined> {
  const url = process.env['TEST_POSTGRES_URL'] ?? 'postgresql://postgres@127.0.0.1:5432/postgres';
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  try {
    await client.connect();
    await client.end();
    return url;
  } catch (error) {
    process.stderr.write(
      `\n*** NOT TESTED: PostgreSQL does not answer (${String(error)}); set TEST_POSTGRES_URL. ***\n\n`,
    );
    return undefined;
  }
}
