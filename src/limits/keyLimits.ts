/**
 * Requests a minute and an hour, counted per key and its successors: the plan's numbers, or the key's own. A refused
 * request does not count.
 */
import type { Principal } from '../auth/principal.js';
import type { RateLimitResult, Window, WindowCounter, WindowState } from './slidingWindow.js';

const FREE_LOOKS: Window = { name: 'look', length: 60, limit: 60 };

export class KeyLimits {
  constructor(private readonly counter: WindowCounter) {}

  /** Takes this many requests from every window of the key, or from none. */
  consume(principal: Principal, requests: number): Promise<RateLimitResult> | RateLimitResult {
    return this.counter.take(`key:${principal.lineageId}`, windowsOf(principal), requests);
  }

  /** Whether the key may ask once more for its limits without being charged. */
  async look({ lineageId }: Principal): Promise<boolean> {
    return (await this.counter.take(`look:${lineageId}`, [FREE_LOOKS], 1)).allowed;
  }

  /** How the key stands; takes nothing. */
  peek(principal: Principal): Promise<RateLimitResult> | RateLimitResult {
    return this.consume(principal, 0);
  }
}

/** The window that holds fewest requests. */
export function narrowestWindow(principal: Principal): Window {
  return windowsOf(principal).reduce((least, window) => (window.limit < least.limit ? window : least));
}

/** Made once for each principal, which many requests share. */
const known = new WeakMap<Principal, readonly Window[]>();

function windowsOf(principal: Principal): readonly Window[] {
  let windows = known.get(principal);
  if (!windows) {
    const { perMinute, perHour } = principal.authority.limits;
    windows = [
      { name: 'minute', length: 60, limit: perMinute },
      ...(perHour === null ? [] : [{ name: 'hour', length: 3600, limit: perHour }]),
    ];
    known.set(principal, windows);
  }
  return windows;
}

/**
 * The headers of every answer to a known key: the de facto ones for the decisive window, the IETF's for all.
 * @param now milliseconds since 1970
 */
export function limitHeaders({ windows, decisive }: RateLimitResult, now: number): [string, string][] {
  const seconds = ({ resetAfter }: WindowState) => Math.ceil(resetAfter / 1000);
  return [
    ['X-RateLimit-Limit', String(decisive.limit)],
    ['X-RateLimit-Remaining', String(decisive.remaining)],
    ['X-RateLimit-Reset', String(Math.ceil((now + decisive.resetAfter) / 1000))],
    ['RateLimit-Policy', windows.map(({ name, limit, length }) => `"${name}";q=${limit};w=${length}`).join(', ')],
    ['RateLimit', windows.map((state) => `"${state.name}";r=${state.remaining};t=${seconds(state)}`).join(', ')],
  ];
}
