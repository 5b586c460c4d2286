/**
 * Counting that several processes share through something which may be out of reach. Meanwhile each process counts on its
 * own, in its share of what was left at the last answer, and adds what it counted once there is an answer again. After a failure
 * one request at a time tries, and the others do not wait for it.
 */
import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { atMost } from '../atMost.js';
import {
  decide,
  MemoryWindows,
  type RateLimitResult,
  SlotCounts,
  type SlotEntries,
  type Window,
  type WindowCounter,
} from './slidingWindow.js';

/** What was counted before this request, by window, at a moment of the clock that all share. */
export interface RemoteCounts {
  /** Milliseconds since 1970, of the shared clock. */
  readonly now: number;
  readonly counted: readonly SlotEntries[];
}

/** What a process counted alone, which it brings until it knows that it arrived. */
export interface Carried {
  /** The process, and which of its loads it is: one that arrived, and whose answer was lost, counts once. */
  readonly by: string;
  readonly number: number;
  /** By window. */
  readonly sums: readonly number[];
}

export interface RemoteWindows {
  /**
   * Takes `points` from every window, or from none.
   * @param carried added before that, whatever the limits are
   * @throws when it is out of reach
   */
  take(identity: string, windows: readonly Window[], points: number, carried?: Carried): Promise<RemoteCounts>;
}

/** Milliseconds in which what did not answer is not asked again. */
const PAUSE = 1000;
/** Identities that are remembered. */
const MAX_KNOWN = 50_000;

export class SharedWindows implements WindowCounter {
  /** What was counted for all, as of the last answer. */
  readonly #known = new LRUCache<string, readonly SlotCounts[]>(atMost(MAX_KNOWN));
  readonly #alone = new MemoryWindows(MAX_KNOWN);
  /** Identities of which a request is under way that brings what was counted alone. */
  readonly #carrying = new Set<string>();
  /** What was brought, and may have arrived. */
  readonly #loads = new LRUCache<string, Carried>(atMost(MAX_KNOWN));
  readonly #id = randomUUID();
  #lastLoad = 0;
  /** Milliseconds that the shared clock is ahead of this process' own. */
  #ahead = 0;
  #answeredAt = Number.NEGATIVE_INFINITY;
  #away = false;
  #notBefore = 0;
  #trying = false;

  /**
   * @param processes how many processes share the limits, as far as is known
   * @param tell called when the shared counts go out of reach and when they are back
   */
  constructor(
    private readonly remote: RemoteWindows,
    private readonly processes: () => number,
    private readonly tell: (away: boolean, error?: unknown) => void = () => {},
    private readonly clock: () => number = Date.now,
  ) {}

  async take(identity: string, windows: readonly Window[], points: number): Promise<RateLimitResult> {
    if (this.#away && (this.#trying || this.clock() < this.#notBefore)) {
      return this.#takeAlone(identity, windows, points);
    }
    const isTrial = this.#away;
    this.#trying ||= isTrial;
    // The first request after a loss must not pass because other processes have not reported yet.
    // Nor count twice where it arrives and its answer does not: it is brought with what was counted alone.
    const alone = isTrial && points > 0 ? this.#takeAlone(identity, windows, points) : undefined;
    const charged = alone ? 0 : points;
    // What was counted alone goes on counting here until it is known to count there; one request at a time brings it.
    const isCarrying = !this.#carrying.has(identity);
    const carried = isCarrying ? this.#loadOf(identity, windows) : undefined;
    if (isCarrying) this.#carrying.add(identity);
    try {
      const { now, counted } = await this.remote.take(identity, windows, charged, carried);
      this.#answered(now);
      const counts = windows.map(({ length }, index) => SlotCounts.from(length, counted[index] ?? []));
      for (const one of counts) one.advance(now);
      const result = decide(windows, counts, charged, now);
      if (result.allowed) for (const one of counts) one.add(charged, now);
      this.#known.set(identity, counts);
      if (carried) {
        this.#loads.delete(identity);
        const taken = carried.sums.map((sum) => -sum);
        this.#alone.add(identity, windows, taken, this.#now());
      }
      return alone ?? result;
    } catch (error) {
      this.#lost(error);
      return alone ?? this.#takeAlone(identity, windows, points);
    } finally {
      if (isTrial) this.#trying = false;
      if (isCarrying) this.#carrying.delete(identity);
    }
  }

  /** What was brought before and may have arrived, else what is to be brought now; undefined: nothing. */
  #loadOf(identity: string, windows: readonly Window[]): Carried | undefined {
    const sums = this.#alone.counted(identity, windows, this.#now()).map(({ sum }) => sum);
    const before = this.#loads.get(identity);
    // What has left the windows meanwhile is not brought. A key that has other windows by now brings what it has in those.
    if (before?.sums.length === windows.length) {
      return { ...before, sums: before.sums.map((sum, index) => Math.min(sum, sums[index] ?? 0)) };
    }
    if (sums.every((sum) => sum === 0)) return undefined;
    this.#lastLoad += 1;
    const load = { by: this.#id, number: this.#lastLoad, sums };
    this.#loads.set(identity, load);
    return load;
  }

  #now(): number {
    return this.clock() + this.#ahead;
  }

  #answered(now: number): void {
    this.#ahead = now - this.clock();
    this.#answeredAt = this.clock();
    if (!this.#away) return;
    this.#away = false;
    this.tell(false);
  }

  #lost(error: unknown): void {
    this.#notBefore = this.clock() + PAUSE;
    if (this.#away) return;
    this.#away = true;
    this.tell(true, error);
  }

  #takeAlone(identity: string, windows: readonly Window[], points: number): RateLimitResult {
    const now = this.#now();
    const known = this.#known.get(identity);
    const processes = Math.max(1, this.processes());
    const shares = windows.map((window, index) => {
      const counts = known?.[index];
      counts?.advance(now);
      const share = (window.limit - (counts?.sum ?? 0)) / processes;
      // Others may have counted what this process never saw, unless that is over by now.
      const isUnseen = !known && processes > 1 && this.clock() - this.#answeredAt < window.length * 1000;
      return { ...window, limit: Math.max(0, Math.ceil(isUnseen ? share / (processes - 1) : share)) };
    });
    return this.#alone.take(identity, shares, points, now);
  }
}
