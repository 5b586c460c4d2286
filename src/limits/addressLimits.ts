/** What an address may do without a key: guess keys, and report leaked ones. Valid keys from it are not asked. */
import { networkOf } from '../keys/network.js';
import type { Window, WindowCounter } from './slidingWindow.js';

/** Reports of leaked keys an hour. */
const MAX_REPORTS = 60;
/** Accounts made an hour. */
const MAX_SIGN_UPS = 60;
/** Challenges for passkeys a minute, each of which is stored for a while. */
const MAX_CHALLENGES = 30;
/** Wrong passwords of one account in a quarter of an hour, from one address: others may sign in to it all the same. */
const MAX_SIGN_INS = 10;

export class AddressLimits {
  readonly #failures: Window;
  readonly #signUps: Window = { name: 'sign-ups', length: 3600, limit: MAX_SIGN_UPS };
  readonly #signIns: Window = { name: 'sign-ins', length: 900, limit: MAX_SIGN_INS };
  readonly #challenges: Window = { name: 'challenges', length: 60, limit: MAX_CHALLENGES };
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

  /** Counts a challenge for a passkey. @returns as `failed` */
  challenged(ip: string | null): Promise<number> {
    return this.#count(ip, this.#challenges);
  }

  /** Counts an account. @returns as `failed` */
  signedUp(ip: string | null): Promise<number> {
    return this.#count(ip, this.#signUps);
  }

  /**
   * Wrong passwords: one is counted for the address, and for the account as that address tries it.
   * @param points 1 counts one; 0 only looks, before the password is
   * @returns seconds to wait when there were too many already, else 0
   */
  async wrongPassword(ip: string | null, email: string, points: 0 | 1): Promise<number> {
    const [all, account] = await Promise.all([
      this.counter.take(`passwords:${addressOf(ip)}`, [{ ...this.#failures, name: 'passwords' }], points),
      this.counter.take(`password:${addressOf(ip)} ${email}`, [this.#signIns], points),
    ]);
    const waits = [all, account].map(({ retryAfter, decisive }) =>
      retryAfter > 0 || decisive.remaining > 0 || points > 0 ? retryAfter : Math.ceil(decisive.resetAfter / 1000),
    );
    return Math.max(...waits);
  }

  async #count(ip: string | null, window: Window): Promise<number> {
    return (await this.counter.take(`address:${addressOf(ip)}`, [window], 1)).retryAfter;
  }
}

/** The key under which an address is counted: for IPv6 its /64, which one host has whole. */
export function addressOf(ip: string | null): string {
  return (ip !== null && networkOf(ip, 32, 64)) || 'unknown';
}
