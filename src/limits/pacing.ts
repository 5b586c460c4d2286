/**
 * What is done of a request before it is known what it asks for - JSON, parsing, validation - passes no admission, and much of
 * it is refused in the end. So it is timed, key by key: while other keys are there, a key whose requests take long to read
 * has them read one after another, with pauses between them, so that all of them together leave most of the process' time to
 * the others. A key whose requests are read in a moment waits for nothing.
 */
import { setTimeout } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { atMost } from '../atMost.js';

/** Milliseconds in which a request is read, usually; what takes no longer is not timed. */
const MOMENT = 1;
/** The time from one request to the next, as a multiple of what reading one takes. */
const SPACING = 3;
/** How much the last request says of the next one. */
const WEIGHT = 0.3;
/** Milliseconds after which another key is taken to be gone. */
const ALONE = 1000;
/** Milliseconds that a request waits at most. */
const PATIENCE = 5000;
/** Keys whose requests take long, at once. */
const MAX_KEYS = 10_000;

interface Pace {
  /** What reading a request takes, in milliseconds. */
  usual: number;
  /** When the next one may be read. */
  next: number;
}

export class Pacing {
  readonly #slow = new LRUCache<string, Pace>(atMost(MAX_KEYS));
  /** Who came last, and when somebody else did. */
  #last = '';
  #otherAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly clock: () => number = () => performance.now()) {}

  /**
   * Until the next request of a key may be read.
   * @returns undefined: at once; else whether it is its turn then, which it is not where too many wait
   */
  turn(key: string): Promise<boolean> | undefined {
    const now = this.clock();
    if (key !== this.#last) {
      this.#last = key;
      this.#otherAt = now;
    }
    const pace = this.#slow.get(key);
    if (!pace || now - this.#otherAt > ALONE) return undefined;
    const at = Math.max(now, pace.next);
    if (at - now > PATIENCE) return Promise.resolve(false);
    pace.next = at + pace.usual * SPACING;
    return at === now ? undefined : setTimeout(at - now, true);
  }

  /** A request of a key has ended, for the reading of which so many milliseconds were taken. */
  took(key: string, milliseconds: number): void {
    const pace = this.#slow.get(key);
    if (pace) {
      pace.usual += (milliseconds - pace.usual) * WEIGHT;
      if (pace.usual < MOMENT / 2) this.#slow.delete(key);
    } else if (milliseconds > MOMENT) {
      this.#slow.set(key, { usual: milliseconds, next: this.clock() + milliseconds * SPACING });
    }
  }
}
