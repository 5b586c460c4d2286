/**
 * Prisma's SQLite adapter has one connection: while a transaction is open, every other query of the process runs inside
 * it, is rolled back with it, and is acknowledged before it is durable; and when BEGIN fails, it never gives its lock
 * back. This factory puts several connections behind the same interface: reads go to one (WAL lets them proceed beside a
 * writer), those that may take long to threads, and writes and transactions to another, one after another.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type {
  SqlDriverAdapter,
  SqlDriverAdapterFactory,
  SqlMigrationAwareDriverAdapterFactory,
  SqlQuery,
} from '@prisma/driver-adapter-utils';
import Driver from 'better-sqlite3';
import { BoundedReads } from './boundedReads.js';
import { ReadThreads } from './readThreads.js';
import type { RowConnection } from './rows.js';
import { RowVersions } from './rowVersions.js';
import { connectReader, driverOf, libraryAdapter, PRAGMAS, prepareDriver } from './sqliteReader.js';
import { RowStatements } from './sqliteStatements.js';
import { SqliteWriter } from './sqliteWriter.js';

/** As SQLite is built with by the driver; where nothing is said, the client takes 999 for the most. */
const MAX_BIND_VALUES = 32_766;

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

interface SqliteOptions {
  /** Whether reads that may take long go to threads of their own; otherwise everything is read here. */
  readonly threads?: boolean;
  /** How long such a read may take, in milliseconds. */
  readonly statementTimeout?: number;
}

export function sqliteAdapter(
  databaseUrl: string,
  { threads: hasThreads = false, statementTimeout = 30_000 }: SqliteOptions = {},
): SqlDriverAdapterFactory {
  const file = sqliteFile(databaseUrl);
  mkdirSync(path.dirname(file), { recursive: true });
  const library = libraryAdapter(file);
  return {
    provider: library.provider,
    adapterName: library.adapterName,
    async connect() {
      const writer = await library.connect();
      await writer.executeScript(`${PRAGMAS} PRAGMA busy_timeout = 0;`);
      prepareDriver(driverOf(writer));
      const reader = await connectReader(file);
      const threads = hasThreads ? new ReadThreads(file, statementTimeout) : undefined;
      return splitReadsFromWrites(reader, writer, threads);
    },
  };
}

function splitReadsFromWrites(
  reader: SqlDriverAdapter,
  writer: SqlDriverAdapter,
  threads: ReadThreads | undefined,
): SqlDriverAdapter & RowConnection {
  const driver = driverOf(writer);
  const writes = new SqliteWriter(writer, () => driver.inTransaction);
  const bounded = new BoundedReads(driverOf(reader));
  const rows = new RowStatements(driverOf(reader));
  let versions: RowVersions | undefined;
  const threadFor = ({ sql, args }: SqlQuery) => (bounded.has(sql, args) ? undefined : threads);
  const read = (query: SqlQuery) => threadFor(query)?.query(query) ?? reader.queryRaw(query);
  return {
    provider: writer.provider,
    adapterName: writer.adapterName,
    getConnectionInfo: () => ({ maxBindValues: MAX_BIND_VALUES, supportsRelationJoins: false }),
    async queryRows(query, asking) {
      const thread = threadFor(query);
      if (thread) return thread.rows(query, asking);
      try {
        return rows.all(query.sql, query.args);
      } catch {
        // The adapter says what is wrong in Prisma's words.
        return (await reader.queryRaw(query)).rows;
      }
    },
    async queryEach({ sql, argTypes, each }, asking, seen = () => {}) {
      const thread = threadFor({ sql, args: [...(each[0] ?? [])], argTypes });
      if (!thread) {
        try {
          return rows.together(() =>
            each.map((args) => {
              const found = rows.all(sql, args);
              seen(found);
              return found;
            }),
          );
        } catch (error) {
          if (!(error instanceof Driver.SqliteError)) throw error;
        }
      }
      // One after another, on the thread, or for the adapter to say what is wrong in Prisma's words.
      const all: unknown[][][] = [];
      for (const args of each) {
        const query = { sql, argTypes, args: [...args] };
        const found = thread ? await thread.rows(query, asking) : (await reader.queryRaw(query)).rows;
        seen(found);
        all.push(found);
      }
      return all;
    },
    rowVersion(tenant) {
      // Made when it is asked for: the table is not there before the migrations.
      versions ??= new RowVersions(driverOf(reader));
      return versions.of(tenant);
    },
    queryRaw: (query) => (isRead(query.sql) ? read(query) : writes.execute(() => writer.queryRaw(query))),
    executeRaw: (query) => writes.execute(() => writer.executeRaw(query)),
    executeScript: (script) => writes.execute(() => writer.executeScript(script)),
    startTransaction: () => writes.startTransaction(),
    async dispose() {
      await writes.idle();
      await threads?.close();
      await reader.dispose();
      await writer.dispose();
    },
  };
}

function isRead(sql: string): boolean {
  return /^\s*(select|pragma|explain)\b/i.test(sql);
}
