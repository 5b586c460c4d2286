/** Notices that the database is out of reach or cannot be written, and that it is back, by the statements that run on it. */
import { isConnectionLost, isUnwritable, reasonOf } from './databaseError.js';

/** Milliseconds in which what goes on is not told again. */
const QUIET = 60_000;

type Outage = 'out of reach' | 'not writable';

interface Listener {
  began(outage: Outage, reason: string): void;
  ended(outage: Outage): void;
}

export class Outages {
  #outage: Outage | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly listener: Listener,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** @param error why the statement failed; undefined where it did not */
  statement(kind: 'read' | 'write' | 'transaction', error: unknown): void {
    if (error === undefined) {
      // Reading goes on where writing does not.
      if (this.#outage && (this.#outage === 'out of reach' || kind === 'write')) this.#ended(this.#outage);
      return;
    }
    const outage = isUnwritable(error) ? 'not writable' : isConnectionLost(error) ? 'out of reach' : undefined;
    if (!outage) return;
    const now = this.clock();
    const isNew = this.#outage !== outage;
    this.#outage = outage;
    if (!isNew && now - this.#toldAt < QUIET) return;
    this.#toldAt = now;
    this.listener.began(outage, reasonOf(error));
  }

  #ended(outage: Outage): void {
    this.#outage = undefined;
    this.listener.ended(outage);
  }
}
