/**
 * Where there is no Redis, the workers of one command count in its primary process: they ask it by messages, those of one
 * turn of the event loop together.
 */
import cluster, { type Worker } from 'node:cluster';
import { LRUCache } from 'lru-cache';
import { answeredWithin } from './patience.js';
import type { Carried, RemoteCounts, RemoteWindows } from './sharedWindows.js';
import { MemoryWindows, type Window } from './slidingWindow.js';

/** Milliseconds to wait for an answer. The primary process has nothing else to do. */
const PATIENCE = 1000;
/** Processes and identities whose last load is remembered. */
const MAX_LOADS = 100_000;

interface Question {
  readonly id: number;
  readonly args: Parameters<RemoteWindows['take']>;
}
interface Answer {
  readonly id: number;
  readonly value: RemoteCounts;
}

/** In a worker. */
export class PrimaryProcessWindows implements RemoteWindows {
  readonly #pending = new Map<number, (value: RemoteCounts) => void>();
  #waiting: Question[] = [];
  #last = 0;

  constructor() {
    process.on('message', (message) => {
      if (!has(message, 'answers')) return;
      for (const { id, value } of message.answers as Answer[]) {
        this.#pending.get(id)?.(value);
        this.#pending.delete(id);
      }
    });
  }

  /** @throws when it does not answer */
  async take(...args: Parameters<RemoteWindows['take']>): Promise<RemoteCounts> {
    this.#last += 1;
    const id = this.#last;
    const asked = new Promise<RemoteCounts>((resolve) => {
      this.#pending.set(id, resolve);
      if (this.#waiting.length === 0) setImmediate(() => this.#send());
      this.#waiting.push({ id, args });
    });
    try {
      return await answeredWithin(PATIENCE, 'The primary process does not answer.', asked);
    } finally {
      this.#pending.delete(id);
    }
  }

  #send(): void {
    const questions = this.#waiting;
    this.#waiting = [];
    // Where it is gone, nobody answers; the callback keeps a failure from being thrown.
    if (process.connected) process.send?.({ questions }, undefined, {}, () => {});
  }
}

/** In the primary process. */
export function answerWorkers(): void {
  const counters = new Map<string, MemoryWindows>();
  const loads = new LRUCache<string, number>({ max: MAX_LOADS });
  cluster.on('message', (worker: Worker, message: unknown) => {
    if (!has(message, 'questions')) return;
    const answers = (message.questions as Question[]).map(
      ({ id, args }): Answer => ({ id, value: take(counters, loads, ...args) }),
    );
    if (worker.isConnected()) worker.send({ answers }, () => {});
  });
}

/** Each kind of identity (`key:`, `address:`) has room of its own, so that a flood of one makes no other forgotten. */
function take(
  counters: Map<string, MemoryWindows>,
  loads: LRUCache<string, number>,
  identity: string,
  windows: readonly Window[],
  points: number,
  carried?: Carried,
): RemoteCounts {
  const kind = identity.slice(0, identity.indexOf(':'));
  const counter = counters.get(kind) ?? new MemoryWindows();
  counters.set(kind, counter);
  const now = Date.now();
  const carrier = `${carried?.by} ${identity}`;
  if (carried && (loads.get(carrier) ?? 0) < carried.number) {
    loads.set(carrier, carried.number);
    counter.add(identity, windows, carried.sums, now);
  }
  const counted = counter.counted(identity, windows, now);
  const entries = counted.map((counts) => counts.entries());
  const isAllowed = points <= 0 || windows.every(({ limit }, index) => (counted[index]?.sum ?? 0) + points <= limit);
  if (isAllowed)
    counter.add(
      identity,
      windows,
      windows.map(() => points),
      now,
    );
  return { now, counted: entries };
}

function has<Name extends string>(message: unknown, name: Name): message is Record<Name, unknown> {
  return typeof message === 'object' && message !== null && name in message;
}
