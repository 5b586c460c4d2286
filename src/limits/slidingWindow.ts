/**
 * Counting in a sliding window: time is cut into slots, a 60th of the window each, and what lies in the last 61 slots
 * counts. Any stretch of the window's length is covered by 61 slots, so no such stretch ever holds more than the limit;
 * fixed windows, as rate-limiter-flexible has them, let twice the limit through around their edge.
 */
import { LRUCache } from 'lru-cache';

const SLOTS = 60;

export interface Window {
  readonly name: string;
  /** Seconds. */
  readonly length: number;
  readonly limit: number;
}

/** How a window stands. */
export interface WindowState extends Window {
  readonly remaining: number;
  /** When the oldest request that counts leaves the window. */
  readonly resetAt: Date;
}

export interface Decision {
  readonly allowed: boolean;
  readonly windows: readonly WindowState[];
  /** Seconds until the same may be tried again; 0 when it was allowed. */
  readonly retryAfter: number;
}

/** slot number -> points */
export type Slots = ReadonlyMap<number, number>;

/** Takes `points` from every window of an identity, or from none; 0 only look, negative ones are given back. */
export interface WindowCounter {
  take(identity: string, windows: readonly Window[], points: number): Promise<Decision>;
}

/** Milliseconds. */
export function slotLength(length: number): number {
  return (length * 1000) / SLOTS;
}

/** The oldest slot that still counts. */
export function oldestSlot(length: number, now: number): number {
  return Math.floor(now / slotLength(length)) - SLOTS;
}

/** @param slots what was counted before this request, without what no longer counts */
export function decide(windows: readonly Window[], counted: readonly Slots[], points: number, now: number): Decision {
  const used = windows.map((_, index) => sum(counted[index]));
  const allowed = windows.every(({ limit }, index) => (used[index] ?? 0) + points <= limit);
  const taken = allowed ? points : 0;
  const states = windows.map((window, index) => {
    const slots = counted[index] ?? new Map();
    const oldest = Math.min(...slots.keys(), Math.floor(now / slotLength(window.length)));
    return {
      ...window,
      remaining: Math.max(0, window.limit - (used[index] ?? 0) - taken),
      resetAt: new Date(leaves(oldest, window.length)),
    };
  });
  const waits = allowed
    ? []
    : windows.map((window, index) => freeAt(window, counted[index] ?? new Map(), points, now) - now);
  return { allowed, windows: states, retryAfter: allowed ? 0 : Math.max(1, Math.ceil(Math.max(...waits) / 1000)) };
}

/** When enough old requests have left the window for `points` more. */
function freeAt(window: Window, slots: Slots, points: number, now: number): number {
  let over = sum(slots) + points - window.limit;
  if (over <= 0) return now;
  for (const [slot, count] of [...slots].sort(([a], [b]) => a - b)) {
    over -= count;
    if (over <= 0) return leaves(slot, window.length);
  }
  return now + window.length * 1000;
}

const leaves = (slot: number, length: number) => (slot + SLOTS + 1) * slotLength(length);
const sum = (slots: Slots | undefined) => [...(slots?.values() ?? [])].reduce((total, count) => total + count, 0);

/** The windows of one process among several that cannot count together. */
export function sharesOf(windows: readonly Window[], processes: number): Window[] {
  return windows.map((window) => ({ ...window, limit: Math.ceil(window.limit / Math.max(1, processes)) }));
}

/** In this process. Bounded: the identities that were not seen for longest are forgotten. */
export class MemoryWindows implements WindowCounter {
  readonly #slots: LRUCache<string, Map<number, number>>;

  constructor(max = 200_000) {
    this.#slots = new LRUCache({ max });
  }

  async take(identity: string, windows: readonly Window[], points: number, now = Date.now()): Promise<Decision> {
    const counted = windows.map(({ name, length }) => this.#counting(`${identity} ${name}`, length, now));
    const decision = decide(windows, counted, points, now);
    if (decision.allowed && points !== 0) {
      for (const [index, { name, length }] of windows.entries()) {
        const slots = counted[index] ?? new Map<number, number>();
        const current = Math.floor(now / slotLength(length));
        slots.set(current, (slots.get(current) ?? 0) + points);
        this.#slots.set(`${identity} ${name}`, slots, { ttl: length * 2000 });
      }
    }
    return decision;
  }

  #counting(key: string, length: number, now: number): Map<number, number> {
    const slots = this.#slots.get(key) ?? new Map<number, number>();
    const oldest = oldestSlot(length, now);
    for (const slot of slots.keys()) if (slot < oldest) slots.delete(slot);
    return slots;
  }
}
