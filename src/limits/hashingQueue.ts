/**
 * Passwords that are hashed: each takes a processor for a tenth of a second, and 16 MB, so that few are at once, some wait, and no
 * address has more than its share of them.
 */
import { rateLimited, serviceBusy } from '../errors.js';

/** At once. */
const RUNNING = 4;
const WAITING = 40;
/** Of both, by one address. */
const OF_ADDRESS = 6;

export class HashingQueue {
  #running = 0;
  readonly #waiting: (() => void)[] = [];
  /** Address -> how many of its passwords are hashed, or wait for it. */
  readonly #asking = new Map<string, number>();

  /** @throws RATE_LIMITED where one address asks for many at once, SERVICE_UNAVAILABLE where many ask */
  async run<T>(address: string, hash: () => Promise<T>): Promise<T> {
    const own = (this.#asking.get(address) ?? 0) + 1;
    if (own > OF_ADDRESS) throw rateLimited('Too many passwords at once. Try again in a second.', 1);
    if (this.#waiting.length >= WAITING) throw serviceBusy();
    this.#asking.set(address, own);
    try {
      await this.#turn();
      try {
        return await hash();
      } finally {
        this.#next();
      }
    } finally {
      const left = (this.#asking.get(address) ?? 1) - 1;
      if (left === 0) this.#asking.delete(address);
      else this.#asking.set(address, left);
    }
  }

  async #turn(): Promise<void> {
    if (this.#running < RUNNING) {
      this.#running += 1;
      return;
    }
    // Whoever ends hands its place on.
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #next(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running -= 1;
  }
}
