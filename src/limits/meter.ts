/**
 * What a request is charged: each operation one request before it is parsed, whatever becomes of it, and what it costs
 * beyond that before it runs. One meter for each HTTP request.
 */
import type { Principal } from '../auth/principal.js';
import { ApiError, rateLimited, serviceBusy } from '../errors.js';
import type { KeyMonitor } from '../keys/keyMonitor.js';
import { type KeyLimits, narrowestWindow } from './keyLimits.js';
import { POINTS_PER_REQUEST } from './operationLimits.js';
import type { Pacing } from './pacing.js';
import type { RateLimitResult, WindowState } from './slidingWindow.js';

export class Meter {
  #last: RateLimitResult | undefined;
  #refusing: WindowState | undefined;
  #spent = 0;
  /** Charged with the next ones: they make no whole request yet. */
  #points = 0;
  /** Operations. */
  #begun = 0;
  /** What the body was charged for its size. */
  #forBody = 0;
  /** Whether the first operation is paid for that was not begun yet. */
  #prepaid: 'charged' | 'free' | undefined;
  #hadTurn = false;
  /** Milliseconds that reading the request took. */
  #read = 0;
  /** Why the first operation was not paid for before it was begun. */
  #refusal: unknown;
  /** What came of charging the first operation. */
  #prepaying: Promise<void> | undefined;

  constructor(
    private readonly principal: Principal,
    private readonly keyLimits: KeyLimits,
    private readonly keyMonitor: KeyMonitor,
    private readonly pacing: Pacing,
  ) {}

  /** Takes requests from every window of the key, or from none; negative ones are given back. */
  charge(requests: number): Promise<RateLimitResult> | RateLimitResult {
    // Nothing changes, and how it stands was told a moment ago.
    if (requests === 0 && this.#last?.allowed) return this.#last;
    const taken = this.keyLimits.consume(this.principal, requests);
    return taken instanceof Promise
      ? taken.then((result) => this.#charged(requests, result))
      : this.#charged(requests, taken);
  }

  #charged(requests: number, result: RateLimitResult): RateLimitResult {
    this.#last = result;
    if (result.allowed) this.#spent += requests;
    const widest = result.windows.at(-1);
    if (widest && requests > 0) this.keyMonitor.limits(this.principal, widest, result.allowed);
    return result;
  }

  /**
   * What counts, with what was charged already, as more requests than any window of the key ever holds: waiting does not help.
   * @param requests that would be charged
   */
  excess(requests: number): ApiError | undefined {
    // Of several operations each may be sent by itself.
    const all = requests + (this.#begun > 1 ? 0 : this.#spent);
    if (requests <= 0 || all <= 1) return undefined;
    const { limit, length } = narrowestWindow(this.principal);
    if (all <= limit) return undefined;
    const message = `This counts as ${all} requests, and the key may make ${limit} in ${length} seconds.`;
    return new ApiError('COST_LIMIT_EXCEEDED', message, { what: 'requests', limit, actual: all });
  }

  /** @throws RATE_LIMITED with `retryAfter` in seconds, COST_LIMIT_EXCEEDED */
  async chargeOrRefuse(requests: number): Promise<void> {
    const excess = this.excess(requests);
    if (excess) throw excess;
    const { allowed, retryAfter } = await this.charge(requests);
    if (!allowed) throw limitReached(retryAfter);
  }

  /**
   * Charges work that shows itself while the request runs, before it is done.
   * @param points of which what makes no whole request is added to what shows itself next
   * @param isCapped for what cannot be done in parts: no more is charged than a window of the key holds
   * @throws RATE_LIMITED, COST_LIMIT_EXCEEDED
   */
  async chargePoints(points: number, isCapped = false): Promise<void> {
    this.#points += points;
    const requests = Math.floor(this.#points / POINTS_PER_REQUEST);
    this.#points -= requests * POINTS_PER_REQUEST;
    const most = isCapped ? Math.max(0, narrowestWindow(this.principal).limit - this.#spent) : requests;
    await this.chargeOrRefuse(Math.min(requests, most));
  }

  /**
   * Charges the first operation of a request that has not been read; once, however often it is asked.
   * @param bytes of its body
   * @throws RATE_LIMITED, COST_LIMIT_EXCEEDED
   */
  prepay(bytes: number): Promise<void> {
    this.#prepaying ??= this.#chargeWithBody(bytes).then(
      () => {
        this.#prepaid = 'charged';
      },
      (error: unknown) => {
        this.#refusal = error;
        throw error;
      },
    );
    return this.#prepaying;
  }

  /** For a request that asks for the limits alone, of a key that has reached them. @returns whether one more is free */
  async prepayLook(): Promise<boolean> {
    if (!(await this.keyLimits.look(this.principal))) return false;
    this.#prepaid = 'free';
    return true;
  }

  /**
   * Charges an operation before it is parsed.
   * @param isLook it asks for the limits alone, which is free 60 times a minute
   * @param bytes of the body
   * @throws RATE_LIMITED
   */
  async begin(isLook = false, bytes = 0): Promise<void> {
    this.#begun += 1;
    const [prepaid, refusal] = [this.#prepaid, this.#refusal];
    this.#prepaid = undefined;
    this.#refusal = undefined;
    if (prepaid === 'free') return;
    if (isLook && (await this.keyLimits.look(this.principal))) {
      if (prepaid) await this.charge(-1);
    } else if (refusal !== undefined) {
      // Once is enough to be told and counted.
      throw refusal;
    } else if (!prepaid) await this.#chargeWithBody(bytes);
  }

  /**
   * Charges a body whose size was not announced.
   * @throws RATE_LIMITED, COST_LIMIT_EXCEEDED
   */
  async chargeBody(bytes: number): Promise<void> {
    const further = furtherFor(bytes);
    if (further === 0) return;
    await this.chargeOrRefuse(further);
    this.#forBody += further;
  }

  /** Gives back what was charged for an operation that there was no room for, and for the body that brought it. */
  async giveBack(requests: number): Promise<void> {
    const all = requests + this.#forBody;
    this.#forBody = 0;
    await this.charge(-all);
  }

  async #chargeWithBody(bytes: number): Promise<void> {
    const further = furtherFor(bytes);
    const excess = this.excess(1 + further);
    await this.chargeOrRefuse(excess ? 1 : 1 + further);
    if (excess) throw excess;
    this.#forBody = further;
  }

  /**
   * Until the request may be read, for which it has been charged.
   * @returns undefined: at once
   * @throws SERVICE_UNAVAILABLE where too many requests of the key wait; it is charged nothing then
   */
  turn(): Promise<void> | undefined {
    if (this.#hadTurn) return undefined;
    this.#hadTurn = true;
    const turn = this.pacing.turn(this.principal.lineageId);
    return turn?.then(async (isTurn) => {
      if (isTurn) return;
      await this.giveBack(this.#spent - this.#forBody);
      throw serviceBusy();
    });
  }

  /** Reads a part of the request, on the key's time. */
  reading<T>(read: () => T): T {
    const began = performance.now();
    try {
      return read();
    } finally {
      this.#read += performance.now() - began;
    }
  }

  /** A large body has arrived. Taking it from its connection is part of reading it, which cannot be timed. */
  received(bytes: number): void {
    this.#read += bytes * RECEIVING;
  }

  /** The request has been answered, or left. */
  end(): void {
    this.pacing.took(this.principal.lineageId, this.#read);
    this.#read = 0;
  }

  /** Requests that were charged, without those that were given back. */
  get spent(): number {
    return this.#spent;
  }

  /** A limit of one field has refused. */
  refusedBy(window: WindowState): void {
    this.#refusing = window;
  }

  /** How the key stood when what was refused was refused: by a field's window, where it was that. */
  async refused(): Promise<RateLimitResult> {
    const state = await this.state();
    return this.#refusing ? { ...state, decisive: this.#refusing } : state;
  }

  /** How the key stood when it was charged last, or stands now. */
  state(): Promise<RateLimitResult> | RateLimitResult {
    return this.#last ?? this.keyLimits.peek(this.principal);
  }
}

/** Bytes of a body from which on it takes its time to be read, and costs a request more for each as many. */
export const LARGE_BODY = 100_000;

/** Milliseconds that a byte of a large body takes beyond what is timed: it is received, copied, and cleared away. */
const RECEIVING = 15e-6;

const furtherFor = (bytes: number) => Math.floor(bytes / LARGE_BODY);

/** @param retryAfter in seconds */
export function limitReached(retryAfter: number): ApiError {
  return rateLimited(`Rate limit exceeded. Try again in ${retryAfter} seconds.`, retryAfter);
}
