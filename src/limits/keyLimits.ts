/**
 * Requests a minute and an hour, counted per key: the plan's numbers, or the key's own. Counting is
 * rate-limiter-flexible's; a refused request counts in no window.
 */
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import type { Principal } from '../auth/principal.js';
import { planOf } from './plans.js';

interface WindowState {
  readonly name: 'minute' | 'hour';
  /** Seconds. */
  readonly length: number;
  readonly limit: number;
  readonly remaining: number;
  readonly resetAt: Date;
}

export interface LimitState {
  readonly allowed: boolean;
  /** Shortest first. */
  readonly windows: readonly WindowState[];
  /** Seconds until a refused request may be tried again. */
  readonly retryAfter: number;
}

interface Window {
  readonly name: WindowState['name'];
  readonly length: number;
  readonly limit: number;
}

/** The windows of a key: its own numbers stand before the plan's. */
function windowsOf({ plan, bounds }: Pick<Principal, 'plan' | 'bounds'>): Window[] {
  const { perMinute, perHour } = planOf(plan);
  const minute = bounds.ratePerMinute ?? perMinute;
  const hour = bounds.ratePerHour ?? perHour;
  return [
    { name: 'minute' as const, length: 60, limit: minute },
    ...(hour === undefined ? [] : [{ name: 'hour' as const, length: 3600, limit: hour }]),
  ];
}

export class KeyLimits {
  readonly #limiters = new Map<string, RateLimiterMemory>();

  /** Takes one request from every window of the key, or from none. */
  async consume(principal: Principal): Promise<LimitState> {
    const windows = windowsOf(principal);
    const states: WindowState[] = [];
    for (const [index, window] of windows.entries()) {
      try {
        states.push(stateOf(window, await this.#limiter(window).consume(principal.keyId)));
      } catch (refusal) {
        if (refusal instanceof Error) throw refusal;
        // Gives back what the refused request took here and in the shorter windows.
        for (const taken of windows.slice(0, index + 1)) await this.#limiter(taken).reward(principal.keyId);
        const state = await this.peek(principal);
        const retryAfter = Math.max(1, Math.ceil((refusal as RateLimiterRes).msBeforeNext / 1000));
        return { ...state, allowed: false, retryAfter };
      }
    }
    return { allowed: true, windows: states, retryAfter: 0 };
  }

  /** How the key stands; takes nothing. */
  async peek(principal: Principal): Promise<LimitState> {
    const windows = await Promise.all(
      windowsOf(principal).map(async (window) => stateOf(window, await this.#limiter(window).get(principal.keyId))),
    );
    return { allowed: windows.every(({ remaining }) => remaining > 0), windows, retryAfter: 0 };
  }

  #limiter({ name, length, limit }: Window): RateLimiterMemory {
    const id = `${name}:${limit}`;
    let limiter = this.#limiters.get(id);
    if (!limiter) {
      limiter = new RateLimiterMemory({ keyPrefix: name, points: limit, duration: length });
      this.#limiters.set(id, limiter);
    }
    return limiter;
  }
}

function stateOf({ name, length, limit }: Window, result: RateLimiterRes | null): WindowState {
  const wait = result && result.msBeforeNext > 0 ? result.msBeforeNext : length * 1000;
  const remaining = result ? Math.max(0, limit - result.consumedPoints) : limit;
  return { name, length, limit, remaining, resetAt: new Date(Date.now() + wait) };
}

/** The headers of every answer to a known key: the de facto ones for the widest window, the IETF's for all. */
export function limitHeaders({ windows }: LimitState): [string, string][] {
  const widest = windows.at(-1);
  if (!widest) return [];
  const seconds = (state: WindowState) => Math.max(0, Math.ceil((state.resetAt.getTime() - Date.now()) / 1000));
  return [
    ['X-RateLimit-Limit', String(widest.limit)],
    ['X-RateLimit-Remaining', String(widest.remaining)],
    ['X-RateLimit-Reset', String(Math.ceil(widest.resetAt.getTime() / 1000))],
    ['RateLimit-Policy', windows.map(({ name, limit, length }) => `"${name}";q=${limit};w=${length}`).join(', ')],
    ['RateLimit', windows.map((state) => `"${state.name}";r=${state.remaining};t=${seconds(state)}`).join(', ')],
  ];
}
