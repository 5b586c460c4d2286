import { PrismaPg } from '@prisma/adapter-pg';
import {
  ColumnTypeEnum,
  type SqlDriverAdapter,
  type SqlDriverAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import { LRUCache } from 'lru-cache';
import pg from 'pg';

/** How long to wait for a connection before giving up, in milliseconds. The driver's own default is for ever. */
const CONNECTION_TIMEOUT = 5000;
/** A number of our own among the advisory locks of a database. */
const MIGRATION_LOCK = 7_461_736_804;
/** How often a statement is seen before it gets a name, and how many do. */
const OFTEN = 3;
const MAX_NAMES = 200;
/** What looks for words. */
const COMPARES_TEXT = / I?LIKE /;
/**
 * How long PostgreSQL keeps a transaction, and its locks, of which nothing more is heard, in milliseconds: a process or a network may
 * vanish without closing its connections. Longer than any transaction of ours takes.
 */
const SILENCE_LIMIT = 30_000;
/** How much longer than the server's own limit to wait for its answer, in milliseconds: a host may vanish silently. */
const ANSWER_GRACE = 5000;

export interface PoolOptions {
  readonly poolSize?: number;
  /** Milliseconds; the server cancels what takes longer. */
  readonly statementTimeout?: number;
}

export function postgresqlAdapter(
  databaseUrl: string,
  { poolSize = 10, statementTimeout = 30_000 }: PoolOptions = {},
): SqlDriverAdapterFactory {
  const options = {
    connectionString: databaseUrl,
    connectionTimeoutMillis: CONNECTION_TIMEOUT,
    query_timeout: statementTimeout + ANSWER_GRACE,
    keepAlive: true,
    max: poolSize,
  };
  // PgBouncer runs each transaction on any connection and refuses settings of a session. Prisma's users know the name.
  if (new URL(databaseUrl).searchParams.get('pgbouncer') === 'true') return new PrismaPg(options);
  return new PrismaPg(
    { ...options, statement_timeout: statementTimeout, idle_in_transaction_session_timeout: SILENCE_LIMIT },
    { statementNameGenerator: statementNames() },
  );
}

/** Statements that come again and again get a name, under which each connection keeps its plan; nothing for the others. */
export function statementNames(): (query: { readonly sql: string }) => string {
  const seen = new LRUCache<string, number>({ max: 1000 });
  const names = new Map<string, string>();
  return ({ sql }) => {
    const name = names.get(sql);
    if (name !== undefined) return name;
    // A plan that is kept is the same for common words and rare ones.
    if (COMPARES_TEXT.test(sql)) return '';
    const times = (seen.get(sql) ?? 0) + 1;
    seen.set(sql, times);
    // Connections keep what has a name for good.
    if (times >= OFTEN && names.size < MAX_NAMES) names.set(sql, `taskgate_${names.size}`);
    return '';
  };
}

/** Runs while holding a lock that all processes on this database share; the others wait for it. */
export async function withAdvisoryLock<T>(databaseUrl: string, run: () => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: CONNECTION_TIMEOUT });
  // The lock goes with the connection; what runs meanwhile reports its own failure.
  client.on('error', () => {});
  await client.connect();
  try {
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    return await run();
  } finally {
    await client.end();
  }
}

/** The adapter for the migration engine. A statement of a migration may take as long as it takes. */
export function postgresqlMigrationAdapter(databaseUrl: string): SqlMigrationAwareDriverAdapterFactory {
  return migrationAdapter(() => new pg.Pool({ ...forAWhile, connectionString: databaseUrl }));
}

/**
 * The adapter for comparing schemas: it reads the system catalogue, whose "char" columns Prisma's adapter refuses.
 * @param scratchUrl a database to throw away; the history is replayed in it
 */
export function postgresqlCatalogueAdapter(scratchUrl: string): SqlMigrationAwareDriverAdapterFactory {
  return migrationAdapter(() => new CataloguePool({ ...forAWhile, connectionString: scratchUrl }), tellCharacters);
}

/** The engine leaves connections open, which keep no process alive. */
const forAWhile = { connectionTimeoutMillis: CONNECTION_TIMEOUT, allowExitOnIdle: true };

function migrationAdapter(
  newPool: () => pg.Pool,
  prepare: (connection: SqlDriverAdapter) => void = () => {},
): SqlMigrationAwareDriverAdapterFactory {
  const connect = async () => {
    const pool = newPool();
    const connection = await new PrismaPg(pool, { disposeExternalPool: true }).connect();
    // The library cuts a script at every semicolon, those within functions and comments too.
    connection.executeScript = async (script) => {
      await pool.query(script);
    };
    prepare(connection);
    return connection;
  };
  return { provider: 'postgres', adapterName: '@prisma/adapter-pg', connect, connectToShadowDb: connect };
}

const CHAR = 18;
const TEXT = 25;

/** The engine takes this column as a character only; before PostgreSQL 18 it had no rows here. */
function tellCharacters(connection: SqlDriverAdapter): void {
  const queryRaw = connection.queryRaw.bind(connection);
  connection.queryRaw = async (query) => {
    const result = await queryRaw(query);
    const columnTypes = result.columnTypes.map((type, column) =>
      result.columnNames[column] === 'constraint_type' ? ColumnTypeEnum.Character : type,
    );
    return { ...result, columnTypes };
  };
}

class CataloguePool extends pg.Pool {
  // The signature is the driver's, with its many overloads.
  override query = (async (...args: Parameters<pg.Pool['query']>) => {
    const result = (await super.query(...args)) as unknown as pg.QueryResult;
    for (const field of result.fields ?? []) if (field.dataTypeID === CHAR) field.dataTypeID = TEXT;
    return result;
  }) as unknown as pg.Pool['query'];
}
