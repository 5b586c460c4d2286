/** Requests a minute and an hour, counted per key: the plan's numbers, or the key's own. A refused request does not count. */
import type { Principal } from '../auth/principal.js';
import type { Plans } from './plans.js';
import type { Decision, Window, WindowCounter, WindowState } from './slidingWindow.js';

export class KeyLimits {
  constructor(
    private readonly counter: WindowCounter,
    private readonly plans: Plans,
  ) {}

  /** Takes this many requests from every window of the key, or from none. */
  consume(principal: Principal, requests: number): Promise<Decision> {
    return this.counter.take(`key:${principal.keyId}`, this.#windows(principal), requests);
  }

  /** How the key stands; takes nothing. */
  peek(principal: Principal): Promise<Decision> {
    return this.consume(principal, 0);
  }

  /** The key's own numbers stand before the plan's. */
  #windows({ plan, bounds }: Principal): Window[] {
    const { perMinute, perHour } = this.plans.of(plan);
    const hour = bounds.ratePerHour ?? perHour;
    return [
      { name: 'minute', length: 60, limit: bounds.ratePerMinute ?? perMinute },
      ...(hour === undefined ? [] : [{ name: 'hour', length: 3600, limit: hour }]),
    ];
  }
}

/** The headers of every answer to a known key: the de facto ones for the widest window, the IETF's for all. */
export function limitHeaders(windows: readonly WindowState[]): [string, string][] {
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
