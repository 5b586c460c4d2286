/**
 * Where there is no Redis, the workers of one command count in its first process: they ask it by messages, those of one
 * turn of the event loop together.
 */
import cluster, { type Worker } from 'node:cluster';
import { MemoryTexts, type SharedTexts } from './fieldStore.js';
import {
  type Decision,
  MemoryWindows,
  sharesOf,
  type Window,
  type WindowCounter,
  type WindowState,
} from './slidingWindow.js';

/** Milliseconds to wait for an answer. The first process has nothing else to do. */
const PATIENCE = 1000;

interface Question {
  readonly id: number;
  readonly of: string;
  readonly args: readonly unknown[];
}
interface Answer {
  readonly id: number;
  readonly value: unknown;
}

/** In a worker. */
export class FirstProcess {
  readonly #pending = new Map<number, { resolve(value: unknown): void; timer: NodeJS.Timeout }>();
  #waiting: Question[] = [];
  #last = 0;

  constructor() {
    process.on('message', (message) => {
      if (!has(message, 'answers')) return;
      for (const { id, value } of message.answers as Answer[]) {
        const pending = this.#pending.get(id);
        clearTimeout(pending?.timer);
        this.#pending.delete(id);
        pending?.resolve(value);
      }
    });
  }

  /** @throws when it does not answer */
  ask(of: string, ...args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#last += 1;
      const id = this.#last;
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Error('The first process does not answer.'));
      }, PATIENCE);
      this.#pending.set(id, { resolve, timer });
      if (this.#waiting.length === 0) setImmediate(() => this.#send());
      this.#waiting.push({ id, of, args });
    });
  }

  #send(): void {
    const questions = this.#waiting;
    this.#waiting = [];
    // Where it is gone, nobody answers; the callback keeps a failure from being thrown.
    if (process.connected) process.send?.({ questions }, undefined, {}, () => {});
  }
}

/** In the first process. */
export function answerWorkers(): void {
  const windows = new MemoryWindows();
  const texts = new MemoryTexts();
  const answerers: Readonly<Record<string, (...args: never[]) => unknown>> = {
    take: (identity: string, asked: Window[], points: number) => windows.take(identity, asked, points),
    get: (name: string) => texts.get(name),
    replace: (name: string, before: string, after: string, ttl: number) => texts.replace(name, before, after, ttl),
  };
  cluster.on('message', async (worker: Worker, message: unknown) => {
    if (!has(message, 'questions')) return;
    const answers = await Promise.all(
      (message.questions as Question[]).map(async ({ id, of, args }): Promise<Answer> => {
        return { id, value: await answerers[of]?.(...(args as never[])) };
      }),
    );
    if (worker.isConnected()) worker.send({ answers }, () => {});
  });
}

/** The windows of all workers. */
export class FirstProcessWindows implements WindowCounter {
  readonly #alone = new MemoryWindows();

  constructor(
    private readonly first: FirstProcess,
    private readonly workers: number,
  ) {}

  async take(identity: string, windows: readonly Window[], points: number): Promise<Decision> {
    try {
      const decision = (await this.first.ask('take', identity, windows, points)) as Decision;
      return { ...decision, windows: decision.windows.map(revive) };
    } catch {
      return this.#alone.take(identity, sharesOf(windows, this.workers), points);
    }
  }
}

/** A message has dates as text. */
const revive = (state: WindowState): WindowState => ({ ...state, resetAt: new Date(state.resetAt) });

/** What field limits remember, for all workers. */
export function firstProcessTexts(first: FirstProcess): SharedTexts {
  return {
    get: async (name) => (await first.ask('get', name)) as string,
    replace: async (name, before, after, ttl) => (await first.ask('replace', name, before, after, ttl)) as boolean,
  };
}

function has<Name extends string>(message: unknown, name: Name): message is Record<Name, unknown> {
  return typeof message === 'object' && message !== null && name in message;
}
