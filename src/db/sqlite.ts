/**
 * Prisma's SQLite adapter has one connection: while a transaction is open, every other query of the process runs inside
 * it, is rolled back with it, and is acknowledged before it is durable; and when BEGIN fails, it never gives its lock
 * back. This factory puts two connections behind the same interface: reads go to one (WAL lets them proceed beside a
 * writer), writes and transactions to the other, one after another.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import {
  DriverAdapterError,
  type SqlDriverAdapter,
  type SqlDriverAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
  type SqlQuery,
  type Transaction,
} from '@prisma/driver-adapter-utils';
import type Database from 'better-sqlite3';
import { likeContains } from './text.js';

/**
 * How long a write waits for one of another process, in milliseconds. SQLite itself waits with the whole thread, so it
 * is let do that for moments only, and asked again.
 */
const BUSY_LIMIT = 5000;
const BUSY_BLOCKING = 20;
const BUSY_PAUSE = 5;

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
      await writer.executeScript(PRAGMAS);
      const reader = await library.connect();
      await reader.executeScript(PRAGMAS);
      for (const connection of [reader, writer]) replaceLike(connection);
      return splitReadsFromWrites(reader, writer);
    },
  };
}

/** The adapter keeps the driver's connection to itself; functions can be defined there only. */
function replaceLike(connection: SqlDriverAdapter): void {
  const { client } = connection as unknown as { client: Database.Database };
  client.function('like', { deterministic: true }, likeContains());
}

function splitReadsFromWrites(reader: SqlDriverAdapter, writer: SqlDriverAdapter): SqlDriverAdapter {
  let lastWrite: Promise<void> = Promise.resolve();

  /** Waits for the writes before this one; the answer lets the next one go, and may be called twice. */
  async function turn(): Promise<() => void> {
    const before = lastWrite;
    let done = () => {};
    lastWrite = new Promise((resolve) => {
      done = resolve;
    });
    await before;
    return done;
  }

  async function startTransaction(): Promise<Transaction> {
    const done = await turn();
    try {
      // Immediate: a deferred transaction that reads first fails when another process writes meanwhile.
      await whenFree(() => writer.executeRaw(statement('BEGIN IMMEDIATE')));
    } catch (error) {
      done();
      throw error;
    }
    return {
      provider: writer.provider,
      adapterName: writer.adapterName,
      options: { usePhantomQuery: false },
      queryRaw: (query) => writer.queryRaw(query),
      async executeRaw(query) {
        if (query.sql !== 'COMMIT') return writer.executeRaw(query);
        try {
          return await writer.executeRaw(query);
        } catch (error) {
          await writer.executeRaw(statement('ROLLBACK')).catch(() => {});
          throw error;
        }
      },
      commit: async () => done(),
      rollback: async () => done(),
      createSavepoint: async (name) => void (await writer.executeRaw(statement(`SAVEPOINT ${name}`))),
      rollbackToSavepoint: async (name) => void (await writer.executeRaw(statement(`ROLLBACK TO ${name}`))),
      releaseSavepoint: async (name) => void (await writer.executeRaw(statement(`RELEASE ${name}`))),
    };
  }

  /** One statement outside a transaction: SQLite commits it by itself. */
  async function writeAlone<T>(run: () => Promise<T>): Promise<T> {
    const done = await turn();
    try {
      return await whenFree(run);
    } finally {
      done();
    }
  }

  return {
    provider: writer.provider,
    adapterName: writer.adapterName,
    queryRaw: (query) => (isRead(query.sql) ? reader.queryRaw(query) : writeAlone(() => writer.queryRaw(query))),
    executeRaw: (query) => writeAlone(() => writer.executeRaw(query)),
    executeScript: (script) => writeAlone(() => writer.executeScript(script)),
    startTransaction,
    async dispose() {
      await lastWrite;
      await reader.dispose();
      await writer.dispose();
    },
  };
}

/** Runs what takes the write lock, again while another process holds it; nothing of it has happened then. */
async function whenFree<T>(run: () => Promise<T>): Promise<T> {
  const limit = performance.now() + BUSY_LIMIT;
  for (;;) {
    try {
      return await run();
    } catch (error) {
      const busy = error instanceof DriverAdapterError && error.cause.kind === 'SocketTimeout';
      if (!busy || performance.now() > limit) throw error;
      await setTimeout(BUSY_PAUSE);
    }
  }
}

function isRead(sql: string): boolean {
  return /^\s*(select|pragma|explain)\b/i.test(sql);
}

function statement(sql: string): SqlQuery {
  return { sql, args: [], argTypes: [] };
}
