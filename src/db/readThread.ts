/** One of the threads that read a SQLite file (readThreads.ts). */
import { parentPort, workerData } from 'node:worker_threads';
import { DriverAdapterError } from '@prisma/driver-adapter-utils';
import type { ReadAnswer, ReadRequest } from './readThreads.js';
import { connectReader, driverOf } from './sqliteReader.js';
import { RowStatements } from './sqliteStatements.js';

/** Calls of our code between two looks at the clock. */
const CALLS = 256;

let deadline = Number.POSITIVE_INFINITY;
let calls = 0;
const checkTime = () => {
  calls += 1;
  if (calls % CALLS === 0 && performance.now() > deadline) throw new Error(LATE);
};
const LATE = 'the statement takes longer than it may';

const { file } = workerData as { file: string };
const connected = connectReader(file, checkTime).then((connection) => ({
  connection,
  statements: new RowStatements(driverOf(connection)),
}));

parentPort?.on('message', async (request: ReadRequest) => parentPort?.postMessage(await answerTo(request)));

/** Nobody asks for them. */
const NO_COLUMNS = { columnNames: [], columnTypes: [] };

async function answerTo({ query, isRows, timeout }: ReadRequest): Promise<ReadAnswer> {
  try {
    const { connection, statements } = await connected;
    deadline = performance.now() + timeout;
    if (isRows) {
      try {
        return { result: { ...NO_COLUMNS, rows: statements.all(query.sql, query.args) } };
      } catch (error) {
        if (String(error).includes(LATE)) throw error;
        // The adapter says what is wrong in Prisma's words.
      }
    }
    return { result: await connection.queryRaw(query) };
  } catch (error) {
    if (String(error).includes(LATE)) return { cause: { kind: 'SocketTimeout' } };
    return error instanceof DriverAdapterError ? { cause: error.cause } : { error };
  }
}
