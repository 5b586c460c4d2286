/** Databases of the tests' own on the PostgreSQL that serves them all (postgresqlServer.ts says which). */
import { randomUUID } from 'node:crypto';
import pg from 'pg';

/** Where a server is expected, or where one was started. */
export const serverUrl = () => process.env['TEST_POSTGRES_URL'] ?? 'postgresql://postgres@127.0.0.1:5432/postgres';

/** @returns the address of the server; nothing where none answers */
export async function postgresql(): Promise<string | undefined> {
  const client = new pg.Client({ connectionString: serverUrl(), connectionTimeoutMillis: 2000 });
  try {
    await client.connect();
    await client.end();
    return serverUrl();
  } catch {
    return undefined;
  }
}

const databaseUrl = (server: string, name: string) => Object.assign(new URL(server), { pathname: `/${name}` }).href;

async function execute(server: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** An empty database, or a copy of the template; answers its address and how to drop it. */
export async function createDatabase(server: string, template = 'template1') {
  const name = `taskgate_test_${randomUUID().replaceAll('-', '')}`;
  await execute(server, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  return {
    name,
    url: databaseUrl(server, name),
    drop: () => execute(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}
