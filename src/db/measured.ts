/**
 * Measures what runs on a database: the time of each statement, and the bytes that are read for one answer. What nobody
 * waits for any more is not read; a transaction that has begun goes on.
 */
import {
  DriverAdapterError,
  type SqlDriverAdapterFactory,
  type SqlQuery,
  type SqlQueryable,
  type SqlResultSet,
} from '@prisma/driver-adapter-utils';
import { currentReader, type Reader } from './reader.js';
import type { RowConnection } from './rows.js';

type StatementKind = 'read' | 'write' | 'transaction';

/**
 * @param seconds from when it was asked to its answer, waiting included
 * @param error why there was no answer
 */
export type OnStatement = (kind: StatementKind, seconds: number, error?: unknown) => void;

export function measured(factory: SqlDriverAdapterFactory, onStatement: OnStatement): SqlDriverAdapterFactory {
  return {
    provider: factory.provider,
    adapterName: factory.adapterName,
    async connect() {
      const connection = await factory.connect();
      measure(connection, (sql) => (/^\s*select\b/i.test(sql) ? 'read' : 'write'), onStatement, true);
      const startTransaction = connection.startTransaction.bind(connection);
      connection.startTransaction = async (isolation) => {
        const transaction = await startTransaction(isolation);
        measure(transaction, () => 'transaction', onStatement);
        return transaction;
      };
      return connection;
    },
  };
}

/** @param isLeft whether what nobody waits for is left */
function measure(
  target: SqlQueryable,
  kindOf: (sql: string) => StatementKind,
  onStatement: OnStatement,
  isLeft = false,
): void {
  /** @throws for what nobody waits for */
  const mustBeAwaited = (reader: Reader | undefined) => {
    if (isLeft && reader?.isGone()) throw new DriverAdapterError({ kind: 'SocketTimeout' });
  };
  const timed = async <Result>(kind: StatementKind, run: () => Promise<Result>): Promise<Result> => {
    const started = performance.now();
    const ended = (error?: unknown) => onStatement(kind, (performance.now() - started) / 1000, error);
    let result: Result;
    try {
      result = await run();
    } catch (error) {
      ended(error);
      throw error;
    }
    ended();
    return result;
  };
  wrapAll(target, ['queryRaw', 'queryRows', 'executeRaw'], async (run, query, name, reader = currentReader()) => {
    if (name !== 'executeRaw') mustBeAwaited(reader);
    const result = await timed(kindOf(query.sql), () => run(query, reader));
    if (typeof result === 'object') reader?.take(bytesOf('rows' in result ? result.rows : result));
    return result;
  });
  const rows = target as Pick<RowConnection, 'queryEach'>;
  const queryEach = rows.queryEach?.bind(target);
  if (!queryEach) return;
  // What is read is counted after each of them, so that no more is read than one answer may hold.
  rows.queryEach = async (query, reader) => {
    mustBeAwaited(reader);
    return timed('read', () => queryEach(query, reader, (found) => reader?.take(bytesOf(found))));
  };
}

type Result = SqlResultSet | unknown[][] | number;
type Name = 'queryRaw' | 'queryRows' | 'executeRaw';
type Run = (query: SqlQuery, reader?: Reader) => Promise<Result>;

/** Puts `around` around each of these methods that the target has. */
function wrapAll(
  target: object,
  names: readonly Name[],
  around: (run: Run, query: SqlQuery, name: Name, reader?: Reader) => Promise<Result>,
): void {
  for (const name of names) {
    const run = (target as Partial<Record<string, Run>>)[name]?.bind(target);
    if (run) Object.assign(target, { [name]: (query: SqlQuery, reader?: Reader) => around(run, query, name, reader) });
  }
}

/** About as many as the values take in an answer. */
function bytesOf(rows: readonly (readonly unknown[])[]): number {
  let bytes = 0;
  for (const row of rows)
    for (const value of row) bytes += typeof value === 'string' ? Buffer.byteLength(value) + 2 : 8;
  return bytes;
}
