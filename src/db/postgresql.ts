import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlDriverAdapterFactory, SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import pg from 'pg';

/** How long to wait for a connection before giving up, in milliseconds. The driver's own default is for ever. */
const CONNECTION_TIMEOUT = 5000;
/** Longer statements are cancelled by the server, in milliseconds. */
const STATEMENT_TIMEOUT = 30_000;
const POOL_SIZE = 10;

export function postgresqlAdapter(databaseUrl: string): SqlDriverAdapterFactory {
  return new PrismaPg({
    connectionString: databaseUrl,
    connectionTimeoutMillis: CONNECTION_TIMEOUT,
    statement_timeout: STATEMENT_TIMEOUT,
    max: POOL_SIZE,
  });
}

/** The adapter for the migration engine. A statement of a migration may take as long as it takes. */
export function postgresqlMigrationAdapter(databaseUrl: string): SqlMigrationAwareDriverAdapterFactory {
  return migrationAdapter(
    () => new pg.Pool({ connectionString: databaseUrl, connectionTimeoutMillis: CONNECTION_TIMEOUT }),
  );
}

/**
 * The adapter for comparing schemas: it reads the system catalogue, whose "char" columns Prisma's adapter refuses.
 * @param scratchUrl a database to throw away; the history is replayed in it
 */
export function postgresqlCatalogueAdapter(scratchUrl: string): SqlMigrationAwareDriverAdapterFactory {
  return migrationAdapter(
    () => new CataloguePool({ connectionString: scratchUrl, connectionTimeoutMillis: CONNECTION_TIMEOUT }),
  );
}

function migrationAdapter(newPool: () => pg.Pool): SqlMigrationAwareDriverAdapterFactory {
  const connect = async () => {
    const pool = newPool();
    const connection = await new PrismaPg(pool, { disposeExternalPool: true }).connect();
    // The library cuts a script at every semicolon, those within functions and comments too.
    connection.executeScript = async (script) => {
      await pool.query(script);
    };
    return connection;
  };
  return { provider: 'postgres', adapterName: '@prisma/adapter-pg', connect, connectToShadowDb: connect };
}

const CHAR = 18;
const TEXT = 25;

class CataloguePool extends pg.Pool {
  // The signature is the driver's, with its many overloads.
  override query = (async (...args: Parameters<pg.Pool['query']>) => {
    const result = (await super.query(...args)) as unknown as pg.QueryResult;
    for (const field of result.fields ?? []) if (field.dataTypeID === CHAR) field.dataTypeID = TEXT;
    return result;
  }) as unknown as pg.Pool['query'];
}
