/** What an address may do without a key: guess keys, and report leaked ones. Valid keys from it are not asked. */
import { networkOf } from '../keys/network.js';
import type { Window, WindowCounter } from './slidingWindow.js';

/** Reports of leaked keys an hour. */
const MAX_REPORTS = 60;

export class AddressLimits {
  readonly #failures: Window;
  readonly #reports: Window = { name: 'reports', length: 3600, limit: MAX_REPORTS };

  /** @param failures authentications that may fail, a minute */
  constructor(
    private readonly counter: WindowCounter,
    failures: number,
  ) {
    this.#failures = { name: 'failures', length: 60, limit: failures };
  }

  /** Counts a failed authentication. @returns seconds to wait when there were too many already, else 0 */
  failed(ip: string | null): Promise<number> {
    return this.#count(ip, this.#failures);
  }

  /** Counts a report of leaked keys. @returns seconds to wait when there were too many already, else 0 */
  reported(ip: string | null): Promise<number> {
    return this.#count(ip, this.#reports);
  }

  async #count(ip: string | null, window: Window): Promise<number> {
    return (await this.counter.take(`address:${addressOf(ip)}`, [window], 1)).retryAfter;
  }
}

/** The key under which an address is counted: for IPv6 its /64, which one host has whole. */
export function addressOf(ip: string | null): string {
  return (ip !== null && networkOf(ip, 32, 64)) || 'unknown';
}
