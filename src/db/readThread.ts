/** One of the threads that read a SQLite file (readThreads.ts). */
import { parentPort, workerData } from 'node:worker_threads';
import { DriverAdapterError } from '@prisma/driver-adapter-utils';
import type { ReadAnswer, ReadRequest } from './readThreads.js';
import { connectReader } from './sqliteReader.js';

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
const connection = connectReader(file, checkTime);

parentPort?.on('message', async ({ query, timeout }: ReadRequest) => {
  deadline = performance.now() + timeout;
  parentPort?.postMessage(await answerTo(query));
});

async function answerTo(query: ReadRequest['query']): Promise<ReadAnswer> {
  try {
    return { result: await (await connection).queryRaw(query) };
  } catch (error) {
    if (String(error).includes(LATE)) return { cause: { kind: 'SocketTimeout' } };
    return error instanceof DriverAdapterError ? { cause: error.cause } : { error };
  }
}
