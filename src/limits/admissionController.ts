/**
 * Admission control: how much work is taken on at once. A process does one thing at a time, so more work in hand makes all
 * of it late: operations begin one in each turn of the event loop, and those that wait stand in a queue whose length is
 * known. Between two of them the server hears who else has come, and can shed at once what could not be done in time.
 *
 * Many requests at one moment are no overload: they wait, and are done. But when more keep coming while the queue is
 * longer than it may be, then they come faster than they go: the oldest are let go, and until it calms down the queue is
 * kept at half that length.
 *
 * Large operations hold the process longest. A key has one of them under way, or, while it is alone, as many as all keys together:
 * a few; while others are there, the process has as long a pause from them as it worked on them, so that the small ones come in between. They wait
 * in a queue of their own: one key that sends many does not cause other keys' operations to be shed. Nor does one that sends many small
 * ones which the database answers late: a key has a quarter of all under way, and what it sends beyond that waits apart from the others.
 */
import { performance as utilization } from 'node:perf_hooks';

export interface AdmissionLimits {
  /** Operations under way at once, on a database that answers later; the next ones stay in the queue. */
  readonly running: number;
  /** Operations that may wait, for longer than a moment. */
  readonly queue: number;
}

/** What is to be done. */
export interface Work {
  /** On whose behalf: of a key and its successors. */
  readonly key: string;
  /** Points (src/operations/cost.ts). */
  readonly cost: number;
}

/** Tells that the work has ended. */
export type Release = () => void;

/** Points from which on an operation is large, and how many of them are under way for all keys. */
export const LARGE = 300;
const MOST_LARGE = 2;
/** How long the queue may be too long while more keep coming, in milliseconds. */
const BURST = 400;
/**
 * How many may come after that, as a multiple of the queue, so that the last of a burst does not end the others: where the
 * machine is slow, a burst of the queue and these takes longer than that moment.
 */
const LATE = 2;
/** Operations that wait, at one moment. */
const MAX_QUEUE = 2000;
/** Turns between two operations, while each brings a new connection or request: node takes up one connection a turn. */
const MAX_ACCEPT_TURNS = 6;
/** Milliseconds after which the next operation begins in any case, and for which one begins where a turn takes long. */
const LONG_TURN = 5;
/** Operations that begin in one turn, however long the last one took. */
const MOST_A_TURN = 16;
/** How long after the last refusal the load is taken to last, in milliseconds. */
const CALM = 1000;

/** Of the operations under way, the part that one key may have. */
const SHARE_OF_KEY = 0.25;
/** Operations of one key that wait for others of the same, and for how long, in milliseconds. */
const MAX_HELD = 1000;
const HELD_FOR = 15_000;

/** Large operations that wait, of all keys, as a multiple of what one key may have waiting. */
const LARGE_KEYS = 4;

/** What of a key is under way, of small operations, and what waits for that. */
interface OfKey {
  running: number;
  readonly held: Waiting[];
}

interface Waiting {
  /** When it was held back because of others of its key. */
  readonly heldAt?: number;
  readonly work: Work | undefined;
  /** When it came, by count. */
  readonly order: number;
  /** Told whether it may begin. */
  settle(release: Release | undefined): void;
}

export class AdmissionController {
  readonly #limits: AdmissionLimits;
  #queue: Waiting[] = [];
  #largeQueue: Waiting[] = [];
  readonly #keys = new Map<string, OfKey>();
  #held = 0;
  #arrivals = 0;
  #running = 0;
  /** The keys of the large operations under way. */
  readonly #large: string[] = [];
  /** When the next large operation may begin, and when a small one began last. */
  #largeNotBefore = Number.NEGATIVE_INFINITY;
  #smallAt = Number.NEGATIVE_INFINITY;
  /** Whether an operation has begun in this turn, and the next one has to wait. */
  #taken = false;
  #hasArrival = false;
  #turns = 0;
  #turnBegan = 0;
  /** Since when the queue has been too long, and how many came too late after that. */
  #tooLongSince: number | undefined;
  #late = 0;
  #refusedAt = Number.NEGATIVE_INFINITY;
  #refused = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#queue.length + this.#largeQueue.length + this.#held;
  }

  /** Since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** A connection or a request has arrived. */
  noteArrival(): void {
    this.#hasArrival = true;
  }

  /** Answers whether whatever comes now would be refused; known before anything is spent on it. */
  shouldShed(now = performance.now()): boolean {
    const { length } = this.#queue;
    if (length < this.#limits.queue / 2) return false;
    if (length < MAX_QUEUE && now - this.#refusedAt >= CALM) return false;
    this.#refusedAt = now;
    this.#refused += 1;
    return true;
  }

  /** Resolves when it is the caller's turn, or to nothing when there is no room. */
  async acquire(work?: Work): Promise<Release | undefined> {
    const now = performance.now();
    if (this.shouldShed(now)) return undefined;
    const isLarge = work !== undefined && work.cost >= LARGE;
    if (isLarge ? !this.#hasRoomFor(work.key) : this.#lasts(now)) return undefined;
    if (!this.#taken && this.#running < this.#limits.running && this.#mayBegin(work)) return this.#begin(work);
    this.#arrivals += 1;
    const order = this.#arrivals;
    const queue = isLarge ? this.#largeQueue : this.#queue;
    return new Promise((settle) => queue.push({ work, order, settle }));
  }

  /** Whether one more large operation of the key may wait. */
  #hasRoomFor(key: string): boolean {
    const ofKey = this.#largeQueue.filter(({ work }) => work?.key === key).length;
    if (ofKey < this.#limits.queue && this.#largeQueue.length < LARGE_KEYS * this.#limits.queue) return true;
    this.#refused += 1;
    return false;
  }

  /** Whether one more, now, shows that the queue is too long for more than a moment; shortens it then. */
  #lasts(now: number): boolean {
    const { length } = this.#queue;
    if (length < this.#limits.queue) return false;
    this.#tooLongSince ??= now;
    if (now - this.#tooLongSince < BURST) return false;
    this.#late += 1;
    if (this.#late <= LATE * this.#limits.queue) return false;
    this.#refusedAt = now;
    // Those that waited longest would be the latest of all.
    const oldest = this.#queue.splice(0, Math.ceil(length - this.#limits.queue / 2));
    this.#refused += oldest.length + 1;
    for (const { settle } of oldest) settle(undefined);
    return true;
  }

  #mayBegin(work: Work | undefined): boolean {
    if (!work) return true;
    if (work.cost < LARGE) return (this.#keys.get(work.key)?.running ?? 0) < this.#mostOfKey;
    if (this.#large.length >= MOST_LARGE) return false;
    const now = performance.now();
    if (this.#large.includes(work.key) && !this.#isAlone(work.key, now)) return false;
    return now >= this.#largeNotBefore;
  }

  get #mostOfKey(): number {
    return Math.max(1, Math.floor(SHARE_OF_KEY * this.#limits.running));
  }

  #keyOf(key: string): OfKey {
    let ofKey = this.#keys.get(key);
    if (!ofKey) {
      ofKey = { running: 0, held: [] };
      this.#keys.set(key, ofKey);
    }
    return ofKey;
  }

  /** Takes the first of the queue out of the way of others, until one of its key has ended. */
  #hold(waiting: Waiting, key: string): void {
    const { held } = this.#keyOf(key);
    if (held.length >= MAX_HELD) {
      this.#refused += 1;
      waiting.settle(undefined);
      return;
    }
    held.push({ heldAt: performance.now(), ...waiting });
    this.#held += 1;
  }

  /** One of the key has ended, so that the next of those that were held back is in the queue again. */
  #ended(key: string): void {
    const ofKey = this.#keyOf(key);
    ofKey.running -= 1;
    const now = performance.now();
    for (let next = ofKey.held.shift(); next; next = ofKey.held.shift()) {
      this.#held -= 1;
      if (now - (next.heldAt ?? now) <= HELD_FOR) {
        this.#queue.push(next);
        break;
      }
      this.#refused += 1;
      next.settle(undefined);
    }
    if (ofKey.running === 0 && ofKey.held.length === 0) this.#keys.delete(key);
  }

  /** Whether nobody else is there for whom the process would be kept from waiting for the database. */
  #isAlone(key: string, now: number): boolean {
    if (now - this.#smallAt <= CALM || this.#queue.length > 0) return false;
    return [...this.#largeQueue.map(({ work }) => work?.key), ...this.#large].every((other) => other === key);
  }

  #begin(work: Work | undefined): Release {
    this.#running += 1;
    if (!this.#taken) {
      this.#taken = true;
      this.#turns = 0;
      this.#turnBegan = performance.now();
      setImmediate(this.#endTurn);
    }
    const isLarge = work !== undefined && work.cost >= LARGE;
    if (isLarge) this.#large.push(work.key);
    else this.#smallAt = performance.now();
    if (work && !isLarge) this.#keyOf(work.key).running += 1;
    const before = isLarge ? utilization.eventLoopUtilization() : undefined;
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      this.#running -= 1;
      if (isLarge) this.#large.splice(this.#large.indexOf(work.key), 1);
      else if (work) this.#ended(work.key);
      if (before) this.#pause(utilization.eventLoopUtilization(before).active);
      if (!this.#taken) this.#next();
    };
  }

  /** @param worked milliseconds, what came in between included */
  #pause(worked: number): void {
    const now = performance.now();
    if (now - this.#smallAt > CALM) return;
    this.#largeNotBefore = now + worked;
    // Timers go off a moment too early.
    setTimeout(() => this.#taken || this.#next(), Math.ceil(worked) + 1);
  }

  readonly #endTurn = (): void => {
    const took = performance.now() - this.#turnBegan;
    if (this.#hasArrival && this.#turns < MAX_ACCEPT_TURNS && took < LONG_TURN) {
      this.#hasArrival = false;
      this.#turns += 1;
      setImmediate(this.#endTurn);
      return;
    }
    this.#taken = false;
    // Where turns are long for what others do, the small operations would wait for one turn each.
    const room = Math.min(MOST_A_TURN, 1 + Math.floor(took / LONG_TURN));
    for (let begun = 0; begun < room && this.#next(); begun += 1);
  };

  /** @returns whether one has begun */
  #next(): boolean {
    if (this.#queue.length < this.#limits.queue) {
      this.#tooLongSince = undefined;
      this.#late = 0;
    }
    if (this.#running >= this.#limits.running) return false;
    for (let head = this.#queue[0]; head?.work && !this.#mayBegin(head.work); head = this.#queue[0]) {
      this.#queue.shift();
      this.#hold(head, head.work.key);
    }
    const index = this.#largeQueue.findIndex(({ work }) => this.#mayBegin(work));
    const [small, large] = [this.#queue[0], this.#largeQueue[index]];
    const first = small && large ? (small.order < large.order ? small : large) : (small ?? large);
    if (!first) return false;
    if (first === small) this.#queue.shift();
    else this.#largeQueue.splice(index, 1);
    first.settle(this.#begin(first.work));
    return true;
  }
}
