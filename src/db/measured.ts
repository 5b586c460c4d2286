/**
 * Measures what runs on a database: the time of each statement, and the bytes that are read for one answer. What nobody
 * waits for any more is not read; a transaction that has begun goes on.
 */
import {
  DriverAdapterError,
  type SqlDriverAdapterFactory,
  type SqlQueryable,
  type SqlResultSet,
} from '@prisma/driver-adapter-utils';
import { currentReader } from './reader.js';

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
      measure(connection, (sql) => (/^\s*select\b/i.test(sql) ? 'read' : 'write'), onStatement);
      const query = connection.queryRaw.bind(connection);
      connection.queryRaw = async (sql) => {
        if (currentReader()?.isGone()) throw new DriverAdapterError({ kind: 'SocketTimeout' });
        return query(sql);
      };
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

function measure(target: SqlQueryable, kindOf: (sql: string) => StatementKind, onStatement: OnStatement): void {
  for (const name of ['queryRaw', 'executeRaw'] as const) {
    const run = target[name].bind(target) as (query: { sql: string }) => Promise<SqlResultSet | number>;
    const timed = async (query: { sql: string }) => {
      const started = performance.now();
      const ended = (error?: unknown) => onStatement(kindOf(query.sql), (performance.now() - started) / 1000, error);
      const result = await run(query).catch((error: unknown) => {
        ended(error);
        throw error;
      });
      ended();
      if (typeof result === 'object') currentReader()?.take(bytesOf(result.rows));
      return result;
    };
    Object.assign(target, { [name]: timed });
  }
}

/** About as many as the values take in an answer. */
function bytesOf(rows: readonly (readonly unknown[])[]): number {
  let bytes = 0;
  for (const row of rows)
    for (const value of row) bytes += typeof value === 'string' ? Buffer.byteLength(value) + 2 : 8;
  return bytes;
}
