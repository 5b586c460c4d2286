/** Notices that the database is out of reach or cannot be written, and that it is back, by the statements that run on it. */
import { isConnectionLost, isUnwritable, reasonOf } from './databaseError.js';

/** Milliseconds in which the same is not told again. */
const QUIET = 60_000;
/** Milliseconds without a failure after which it is over: others may come from statements that were under way, or from a replica. */
const SETTLED = 5000;

type Outage = 'out of reach' | 'not writable';

interface Listener {
  began(outage: Outage, reason: string): void;
  ended(outage: Outage): void;
}

interface Known {
  failedAt: number;
  toldAt: number;
  /** Whether it was told that it began, and not yet that it ended. */
  isOpen: boolean;
}

export class Outages {
  readonly #known = new Map<Outage, Known>();

  constructor(
    private readonly listener: Listener,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** @param error why the statement failed; undefined where it did not */
  statement(kind: 'read' | 'write' | 'transaction', error: unknown): void {
    if (error === undefined) {
      if (this.#known.size > 0) this.#succeeded(kind);
      return;
    }
    const outage = isUnwritable(error) ? 'not writable' : isConnectionLost(error) ? 'out of reach' : undefined;
    if (!outage) return;
    const now = this.clock();
    const { toldAt = Number.NEGATIVE_INFINITY, isOpen = false } = this.#known.get(outage) ?? {};
    const isTold = now - toldAt >= QUIET;
    this.#known.set(outage, { failedAt: now, toldAt: isTold ? now : toldAt, isOpen: isOpen || isTold });
    if (isTold) this.listener.began(outage, reasonOf(error));
  }

  #succeeded(kind: 'read' | 'write' | 'transaction'): void {
    const now = this.clock();
    for (const [outage, known] of this.#known) {
      // Reading goes on where writing does not.
      if (!known.isOpen || now - known.failedAt < SETTLED || (outage === 'not writable' && kind === 'read')) continue;
      known.isOpen = false;
      this.listener.ended(outage);
    }
  }
}
