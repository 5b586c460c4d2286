/** A connection to a SQLite file as this program uses it. */
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import type { SqlDriverAdapter, SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import type Database from 'better-sqlite3';
import { keepStatements } from './sqliteStatements.js';
import { likeContains } from './text.js';

/** How long to wait for another process while connecting, in milliseconds: SQLite does that with the whole thread. */
const BUSY_BLOCKING = 20;

export const PRAGMAS = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA foreign_keys = ON;
  PRAGMA cache_size = -65536;
  PRAGMA temp_store = MEMORY;`;

export function libraryAdapter(file: string): SqlMigrationAwareDriverAdapterFactory {
  return new PrismaBetterSqlite3({ url: file, timeout: BUSY_BLOCKING }, { timestampFormat: 'unixepoch-ms' });
}

/** The driver's connection, which the adapter keeps to itself. */
export function driverOf(connection: SqlDriverAdapter): Database.Database {
  return (connection as unknown as { client: Database.Database }).client;
}

/** @param onCall called each time SQLite calls our code; what it throws ends the statement */
export function prepareDriver(driver: Database.Database, onCall?: () => void): void {
  driver.function('like', { deterministic: true }, likeContains(onCall));
  keepStatements(driver);
}

export async function connectReader(file: string, onCall?: () => void): Promise<SqlDriverAdapter> {
  const reader = await libraryAdapter(file).connect();
  await reader.executeScript(PRAGMAS);
  prepareDriver(driverOf(reader), onCall);
  return reader;
}
