/**
 * Reads of a SQLite file that may take long, in threads of their own, so that the thread that answers everybody goes on.
 * Each read has a time limit; a thread that does not keep to it is given up for a new one.
 */
import { createRequire } from 'node:module';
import { setTimeout as startTimer } from 'node:timers';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { DriverAdapterError, type SqlQuery, type SqlResultSet } from '@prisma/driver-adapter-utils';
import { currentReader, type Reader } from './reader.js';

/** Built: a thread starts from a file that Node itself can read. */
const FILE = createRequire(import.meta.url).resolve('#read-thread');
/** How long a thread may go on after the limit, in milliseconds: it looks at the clock where it calls our code. */
const GRACE = 250;
/** How long a new thread may take to start, besides, in milliseconds. */
const STARTING = 5000;
/** How long to wait for reads that are under way, when it is closed, in milliseconds. */
const CLOSING = 1000;
/** Threads of a process. */
const THREADS = 2;
/** For new objects, in MB: rows that are sent on at once. */
const YOUNG_GENERATION = 6;

export interface ReadRequest {
  readonly query: SqlQuery;
  /** Whether rows alone are asked for, as they are stored: the adapter takes as long to make its own of them as to read them. */
  readonly isRows: boolean;
  /** Milliseconds. */
  readonly timeout: number;
}

export type ReadAnswer =
  | { readonly result: SqlResultSet }
  /** What the database or the adapter said. */
  | { readonly cause: DriverAdapterError['cause'] }
  | { readonly error: unknown };

interface Read extends Pick<ReadRequest, 'query' | 'isRows'> {
  readonly reader: Reader | undefined;
  resolve(result: SqlResultSet): void;
  reject(error: unknown): void;
}

interface Thread {
  readonly worker: Worker;
  read?: Read | undefined;
  timer?: NodeJS.Timeout | undefined;
}

export class ReadThreads {
  readonly #threads = new Set<Thread>();
  readonly #waiting: Read[] = [];
  readonly #underWay = new Set<Promise<void>>();
  #closed = false;

  /** @param timeout how long a read may take, in milliseconds */
  constructor(
    private readonly file: string,
    private readonly timeout: number,
  ) {}

  /** @throws DriverAdapterError as the adapter does; SocketTimeout when it takes too long */
  async query(query: SqlQuery): Promise<SqlResultSet> {
    return this.#read(query, false);
  }

  /** As they are stored. @throws as query does */
  async rows(query: SqlQuery, reader?: Reader): Promise<unknown[][]> {
    return (await this.#read(query, true, reader)).rows;
  }

  async #read(query: SqlQuery, isRows: boolean, reader = currentReader()): Promise<SqlResultSet> {
    if (this.#closed) throw new DriverAdapterError({ kind: 'ConnectionClosed' });
    const answer = new Promise<SqlResultSet>((resolve, reject) => {
      this.#waiting.push({ query, isRows, reader, resolve, reject });
      this.#next();
    });
    const settled = answer.then(
      () => {},
      () => {},
    );
    this.#underWay.add(settled);
    try {
      return await answer;
    } finally {
      this.#underWay.delete(settled);
    }
  }

  /** What is under way has a moment to end. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.race([Promise.all(this.#underWay), setTimeout(CLOSING, undefined, { ref: false })]);
    for (const read of this.#waiting.splice(0)) read.reject(new DriverAdapterError({ kind: 'ConnectionClosed' }));
    await Promise.all([...this.#threads].map(({ worker }) => worker.terminate()));
  }

  /** A thread takes memory of its own, so each is started when there is something for it to read. */
  #start(): Thread {
    const thread: Thread = {
      worker: new Worker(FILE, {
        workerData: { file: this.file },
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION },
      }),
    };
    this.#threads.add(thread);
    thread.worker.unref();
    thread.worker.on('message', (answer: ReadAnswer) => this.#answered(thread, answer));
    thread.worker.on('error', (error) => {
      // It ends: nothing else is given to it.
      this.#threads.delete(thread);
      this.#answered(thread, { error });
    });
    thread.worker.on('exit', () => this.#giveUp(thread));
    return thread;
  }

  #next(): void {
    for (;;) {
      const free = [...this.#threads].find((thread) => !thread.read);
      if (!free && this.#threads.size === THREADS) return;
      const index = this.#waiting.findIndex(({ reader }) => this.#mayRun(reader));
      const [read] = index < 0 ? [] : this.#waiting.splice(index, 1);
      if (!read) return;
      if (read.reader?.isGone()) {
        read.reject(new DriverAdapterError({ kind: 'SocketTimeout' }));
        continue;
      }
      const thread = free ?? this.#start();
      thread.read = read;
      // Keeps the process alive until it is answered.
      thread.worker.ref();
      thread.timer = startTimer(() => this.#giveUp(thread), this.timeout + GRACE + (free ? 0 : STARTING));
      const request: ReadRequest = { query: read.query, isRows: read.isRows, timeout: this.timeout };
      thread.worker.postMessage(request);
    }
  }

  /** While others wait, or may come, one reader leaves a thread to them. */
  #mayRun(reader: Reader | undefined): boolean {
    if (reader === undefined) return true;
    const running = [...this.#threads].filter(({ read }) => read?.reader?.id === reader.id).length;
    return running < THREADS - 1;
  }

  #answered(thread: Thread, answer: ReadAnswer): void {
    const { read } = thread;
    clearTimeout(thread.timer);
    thread.read = undefined;
    thread.worker.unref();
    if ('result' in answer) read?.resolve(answer.result);
    else read?.reject('cause' in answer ? new DriverAdapterError(answer.cause) : answer.error);
    this.#next();
  }

  /** SQLite itself does not stop in the middle; the thread ends when it is done. */
  #giveUp(thread: Thread): void {
    if (!this.#threads.delete(thread)) return;
    void thread.worker.terminate();
    this.#answered(thread, { cause: { kind: this.#closed ? 'ConnectionClosed' : 'SocketTimeout' } });
  }
}
