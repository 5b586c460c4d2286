/**
 * Counting in a sliding window: time is cut into slots, a 60th of the window each, and what came in a slot counts until the
 * last of it has left the window. So no stretch of the window's length ever holds more than the limit; fixed windows let
 * twice the limit through around their edge.
 */
import { LRUCache } from 'lru-cache';
import { atMost } from '../atMost.js';

const SLOTS = 60;
const KEPT = SLOTS + 1;

export interface Window {
  readonly name: string;
  /** Seconds. */
  readonly length: number;
  readonly limit: number;
}

/** How a window stands. */
export interface WindowState extends Window {
  readonly remaining: number;
  /** Milliseconds until the oldest request that counts leaves the window; at most its length. */
  readonly resetAfter: number;
}

export interface RateLimitResult {
  readonly allowed: boolean;
  readonly windows: readonly WindowState[];
  /** Seconds until the same may be tried again; 0 when it was allowed. */
  readonly retryAfter: number;
  /** The window to tell of: the one that refused for longest, else the widest. */
  readonly decisive: WindowState;
}

/** Takes `points` from every window of an identity, or from none; 0 only look, negative ones are given back. */
export interface WindowCounter {
  take(identity: string, windows: readonly Window[], points: number): Promise<RateLimitResult> | RateLimitResult;
}

/** The counter, which reports each refusal. @param report called with the name of the window that refused */
export function reportingRefusals(counter: WindowCounter, report: (window: string) => void): WindowCounter {
  return {
    take(...args) {
      const reported = (result: RateLimitResult) => {
        if (!result.allowed) report(result.decisive.name);
        return result;
      };
      const taken = counter.take(...args);
      return taken instanceof Promise ? taken.then(reported) : reported(taken);
    },
  };
}

/** Oldest first: slot number, what was counted in it, and when the last of that came (milliseconds); slot, count... */
export type SlotEntries = readonly number[];

/** Milliseconds. */
export const slotLength = (length: number): number => (length * 1000) / SLOTS;

/** What counts in one window. What came in a slot counts until the last of it has left the window. */
export class SlotCounts {
  readonly #counts = new Uint32Array(KEPT);
  readonly #last = new Float64Array(KEPT);
  #newest = -1;
  /** No slot before it has anything: it only goes on, for what is counted is counted in the newest. */
  #oldest = 0;
  #sum = 0;

  /** @param length of the window, in seconds */
  constructor(private readonly length: number) {}

  static from(length: number, entries: SlotEntries): SlotCounts {
    const counts = new SlotCounts(length);
    for (let i = 0; i < entries.length; i += 3) {
      const [slot = 0, count = 0, last = 0] = [entries[i], entries[i + 1], entries[i + 2]];
      counts.#advanceTo(slot);
      if (count > 0) counts.add(count, last);
    }
    return counts;
  }

  get sum(): number {
    return this.#sum;
  }

  /** What left the window counts no longer. Where the clock was set back, what was counted keeps its age. */
  advance(now: number): void {
    const slot = Math.floor(now / slotLength(this.length));
    if (slot < this.#newest - 1) this.#setBack(slot);
    this.#advanceTo(slot);
    const oldest = (this.#newest + 1) % KEPT;
    if ((this.#counts[oldest] ?? 0) > 0 && this.#leaves(oldest) <= now) this.#clear(oldest);
  }

  /** Now; what is given back is taken from the newest slots that have any. */
  add(points: number, now: number): void {
    if (points >= 0) {
      const index = this.#newest % KEPT;
      this.#counts[index] = (this.#counts[index] ?? 0) + points;
      this.#last[index] = Math.max(now, this.#last[index] ?? 0);
      this.#sum += points;
      return;
    }
    let left = -points;
    for (let slot = this.#newest; left > 0 && slot > this.#newest - KEPT && slot >= 0; slot -= 1) {
      const taken = Math.min(left, this.#counts[slot % KEPT] ?? 0);
      this.#counts[slot % KEPT] = (this.#counts[slot % KEPT] ?? 0) - taken;
      this.#sum -= taken;
      left -= taken;
    }
  }

  /** When all but so many points, added up from the newest, have left; undefined: there are not more than that. */
  downTo(points: number): number | undefined {
    let over = this.#sum - points;
    if (over <= 0) return undefined;
    for (let slot = this.#firstSlot(); slot <= this.#newest; slot += 1) {
      over -= this.#counts[slot % KEPT] ?? 0;
      if (over <= 0) return this.#leaves(slot % KEPT);
    }
    return undefined;
  }

  entries(): SlotEntries {
    const entries: number[] = [];
    for (let slot = Math.max(0, this.#newest - SLOTS); slot <= this.#newest; slot += 1) {
      const count = this.#counts[slot % KEPT] ?? 0;
      if (count > 0) entries.push(slot, count, this.#last[slot % KEPT] ?? 0);
    }
    return entries;
  }

  /** The oldest slot in which anything was counted, or one before it. */
  #firstSlot(): number {
    this.#oldest = Math.max(0, this.#oldest, this.#newest - SLOTS);
    while (this.#oldest < this.#newest && this.#counts[this.#oldest % KEPT] === 0) this.#oldest += 1;
    return this.#oldest;
  }

  #advanceTo(slot: number): void {
    if (slot <= this.#newest) return;
    const passed = Math.min(slot - this.#newest, KEPT);
    for (let i = 0; i < passed; i += 1) this.#clear((slot - i) % KEPT);
    this.#newest = slot;
  }

  /** @param newest what the newest slot is now */
  #setBack(newest: number): void {
    const by = newest - this.#newest;
    const entries = this.entries();
    this.#counts.fill(0);
    this.#last.fill(0);
    this.#sum = 0;
    this.#oldest = 0;
    this.#newest = newest;
    for (let i = 0; i < entries.length; i += 3) {
      const [slot = 0, count = 0, last = 0] = [entries[i], entries[i + 1], entries[i + 2]];
      if (slot + by < 0) continue;
      const index = (slot + by) % KEPT;
      this.#counts[index] = count;
      this.#last[index] = last + by * slotLength(this.length);
      this.#sum += count;
    }
  }

  #clear(index: number): void {
    this.#sum -= this.#counts[index] ?? 0;
    this.#counts[index] = 0;
    this.#last[index] = 0;
  }

  #leaves(index: number): number {
    return (this.#last[index] ?? 0) + this.length * 1000;
  }
}

/** @param counted what was counted before this request, up to now */
export function decide(
  windows: readonly Window[],
  counted: readonly SlotCounts[],
  points: number,
  now: number,
): RateLimitResult {
  const waits = windows.map((window, index) => waitOf(window, counted[index], points, now));
  const allowed = points <= 0 || waits.every((wait) => wait === 0);
  const states = windows.map((window, index) => stateOf(window, counted[index], allowed ? points : 0, now));
  const longest = Math.max(...waits);
  const decisive = allowed ? states.at(-1) : states[waits.indexOf(longest)];
  if (!decisive) throw new Error('a limit has at least one window');
  return { allowed, windows: states, retryAfter: allowed ? 0 : Math.max(1, Math.ceil(longest / 1000)), decisive };
}

function stateOf(window: Window, counts: SlotCounts | undefined, taken: number, now: number): WindowState {
  const used = counts?.sum ?? 0;
  const length = window.length * 1000;
  return {
    name: window.name,
    length: window.length,
    limit: window.limit,
    remaining: Math.min(window.limit, Math.max(0, window.limit - used - taken)),
    resetAfter: Math.max(0, Math.min(length, (counts?.downTo(used - 1) ?? now + length) - now)),
  };
}

/** Milliseconds until enough old requests have left the window for `points` more; 0: there is room now. */
function waitOf({ limit, length }: Window, counts: SlotCounts | undefined, points: number, now: number): number {
  if ((counts?.sum ?? 0) + points <= limit) return 0;
  const at = counts?.downTo(limit - points);
  // More than the limit at once never fits.
  return at === undefined || points > limit ? length * 1000 : Math.max(1, Math.min(length * 1000, at - now));
}

/** In this process. Bounded: the identities that were not seen for longest are forgotten. */
export class MemoryWindows implements WindowCounter {
  readonly #counts: LRUCache<string, SlotCounts>;

  constructor(max = 100_000) {
    this.#counts = new LRUCache({ ...atMost(max), updateAgeOnGet: true });
  }

  take(identity: string, windows: readonly Window[], points: number, now: number = Date.now()): RateLimitResult {
    const counted = this.counted(identity, windows, now);
    const result = decide(windows, counted, points, now);
    if (result.allowed)
      for (const [index, window] of windows.entries()) this.#add(identity, window, counted[index], points, now);
    return result;
  }

  /** What counts now, by window. */
  counted(identity: string, windows: readonly Window[], now: number): SlotCounts[] {
    return windows.map(({ name, length }) => {
      const counts = this.#counts.get(nameOf(identity, name)) ?? new SlotCounts(length);
      counts.advance(now);
      return counts;
    });
  }

  /** Adds to each window its number, whatever the limits are. */
  add(identity: string, windows: readonly Window[], points: readonly number[], now: number): void {
    const counted = this.counted(identity, windows, now);
    for (const [index, window] of windows.entries())
      this.#add(identity, window, counted[index], points[index] ?? 0, now);
  }

  #add(identity: string, { name, length }: Window, counts: SlotCounts | undefined, points: number, now: number): void {
    if (!counts || points === 0) return;
    counts.add(points, now);
    const key = nameOf(identity, name);
    if (!this.#counts.has(key)) this.#counts.set(key, counts, { ttl: length * 2000 });
  }
}

const nameOf = (identity: string, window: string) => `${identity} ${window}`;
