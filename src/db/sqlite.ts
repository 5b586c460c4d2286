/**
 * Prisma's SQLite adapter has one connection: while a transaction is open, every other query of the process runs inside
 * it, is rolled back with it, and is acknowledged before it is durable; and when BEGIN fails, it never gives its lock
 * back. This factory puts two connections behind the same interface: reads go to one (WAL lets them proceed beside a
 * writer), writes and transactions to the other, one after another.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import type {
  SqlDriverAdapter,
  SqlDriverAdapterFactory,
  SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import type Database from 'better-sqlite3';
import { keepStatements } from './sqliteStatements.js';
import { SqliteWriter } from './sqliteWriter.js';
import { likeContains } from './text.js';

/** How long to wait for another process while connecting, in milliseconds: SQLite does that with the whole thread. */
const BUSY_BLOCKING = 20;

/** As SQLite is built with by the driver; where nothing is said, the client takes 999 for the most. */
const MAX_BIND_VALUES = 32_766;

const PRAGMAS = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA foreign_keys = ON;
  PRAGMA cache_size = -65536;
  PRAGMA temp_store = MEMORY;`;

/** The file behind a `file:` URL. */
export function sqliteFile(databaseUrl: string): string {
  return path.resolve(databaseUrl.replace(/^file:/, ''));
}

/** The adapter as the library has it, for the migration engine, which wants to be alone on one connection. */
export function sqliteMigrationAdapter(databaseUrl: string): SqlMigrationAwareDriverAdapterFactory {
  const file = sqliteFile(databaseUrl);
  mkdirSync(path.dirname(file), { recursive: true });
  const library = libraryAdapter(file);
  return {
    provider: library.provider,
    adapterName: library.adapterName,
    connect: () => library.connect(),
    // Replaying the history, the engine sends whole files through a call that takes one statement.
    async connectToShadowDb() {
      const shadow = await library.connectToShadowDb();
      const executeRaw = shadow.executeRaw.bind(shadow);
      shadow.executeRaw = (query) =>
        query.args.length > 0 ? executeRaw(query) : shadow.executeScript(query.sql).then(() => 0);
      return shadow;
    },
  };
}

function libraryAdapter(file: string): SqlMigrationAwareDriverAdapterFactory {
  return new PrismaBetterSqlite3({ url: file, timeout: BUSY_BLOCKING }, { timestampFormat: 'unixepoch-ms' });
}

export function sqliteAdapter(databaseUrl: string): SqlDriverAdapterFactory {
  const file = sqliteFile(databaseUrl);
  mkdirSync(path.dirname(file), { recursive: true });
  const library = libraryAdapter(file);
  return {
    provider: library.provider,
    adapterName: library.adapterName,
    async connect() {
      const writer = await library.connect();
      await writer.executeScript(`${PRAGMAS} PRAGMA busy_timeout = 0;`);
      const reader = await library.connect();
      await reader.executeScript(PRAGMAS);
      for (const driver of [reader, writer].map(driverOf)) {
        driver.function('like', { deterministic: true }, likeContains());
        keepStatements(driver);
      }
      return splitReadsFromWrites(reader, writer);
    },
  };
}

/** The driver's connection, which the adapter keeps to itself. */
function driverOf(connection: SqlDriverAdapter): Database.Database {
  return (connection as unknown as { client: Database.Database }).client;
}

function splitReadsFromWrites(reader: SqlDriverAdapter, writer: SqlDriverAdapter): SqlDriverAdapter {
  const driver = driverOf(writer);
  const writes = new SqliteWriter(writer, () => driver.inTransaction);
  return {
    provider: writer.provider,
    adapterName: writer.adapterName,
    getConnectionInfo: () => ({ maxBindValues: MAX_BIND_VALUES, supportsRelationJoins: false }),
    queryRaw: (query) => (isRead(query.sql) ? reader.queryRaw(query) : writes.execute(() => writer.queryRaw(query))),
    executeRaw: (query) => writes.execute(() => writer.executeRaw(query)),
    executeScript: (script) => writes.execute(() => writer.executeScript(script)),
    startTransaction: () => writes.startTransaction(),
    async dispose() {
      await writes.idle();
      await reader.dispose();
      await writer.dispose();
    },
  };
}

function isRead(sql: string): boolean {
  return /^\s*(select|pragma|explain)\b/i.test(sql);
}
