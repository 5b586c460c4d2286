/** Guessing keys: failed authentications a minute, by address. Valid keys from the same address are not asked. */
import type { WindowCounter } from './slidingWindow.js';

export class AuthFailures {
  constructor(
    private readonly counter: WindowCounter,
    private readonly limit: number,
  ) {}

  /** Counts one failure; answers the seconds to wait when there were too many already, else 0. */
  async count(ip: string | null): Promise<number> {
    const window = { name: 'failures', length: 60, limit: this.limit };
    return (await this.counter.take(`address:${ip ?? 'unknown'}`, [window], 1)).retryAfter;
  }
}
