/**
 * How much work is taken on at once. A process does one thing at a time, so more work in hand makes all of it late:
 * operations begin one in each turn of the event loop, and those that wait stand in a line whose length is known.
 * Between two of them the server hears who else has come, and can refuse at once what could not be done in time.
 *
 * Many requests at one moment are no overload: they wait, and are done. But when more keep coming while the line is
 * longer than it may be, then they come faster than they go: the oldest are let go, and until it calms down the line
 * is kept at half that length.
 */
export interface GateLimits {
  /** Operations under way at once, on a database that answers later; the next ones stay in the line. */
  readonly running: number;
  /** Operations that may wait, for longer than a moment. */
  readonly line: number;
}

/** How long the line may be too long while more keep coming, in milliseconds. */
const BURST = 400;
/** How many may come after that, so that the last of a burst does not end the others. */
const LATE = 50;
/** Operations that wait, at one moment. */
const MAX_LINE = 2000;
/** Turns between two operations, while each brings somebody new: node takes up one connection a turn. */
const HEARING = 6;
/** How long after the last refusal the load is taken to last, in milliseconds. */
const CALM = 1000;

export class ExecutionGate {
  readonly #limits: GateLimits;
  /** Each is told whether it may begin. */
  #line: ((mayBegin: boolean) => void)[] = [];
  #running = 0;
  /** Whether an operation has begun in this turn, and the next one has to wait. */
  #taken = false;
  #heard = false;
  #turns = 0;
  /** Since when the line has been too long, and how many came too late after that. */
  #tooLongSince: number | undefined;
  #late = 0;
  #refusedAt = Number.NEGATIVE_INFINITY;
  #refused = 0;

  constructor(limits: GateLimits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#line.length;
  }

  /** Since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** Somebody new is there: a connection or a request. */
  hear(): void {
    this.#heard = true;
  }

  /** Answers whether whatever comes now would be refused; known before anything is spent on it. */
  isFull(now = performance.now()): boolean {
    const { length } = this.#line;
    if (length < this.#limits.line / 2) return false;
    if (length < MAX_LINE && now - this.#refusedAt >= CALM) return false;
    this.#refusedAt = now;
    this.#refused += 1;
    return true;
  }

  /** Resolves when it is the caller's turn, or to false when there is no room. Whoever got in must leave. */
  async enter(): Promise<boolean> {
    const now = performance.now();
    if (this.isFull(now) || this.#lasts(now)) return false;
    if (this.#taken || this.#running >= this.#limits.running) {
      return new Promise<boolean>((resolve) => this.#line.push(resolve));
    }
    this.#begin();
    return true;
  }

  /** Whether one more, now, shows that the line is too long for more than a moment; shortens it then. */
  #lasts(now: number): boolean {
    const { length } = this.#line;
    if (length < this.#limits.line) return false;
    this.#tooLongSince ??= now;
    if (now - this.#tooLongSince < BURST) return false;
    this.#late += 1;
    if (this.#late <= LATE) return false;
    this.#refusedAt = now;
    // Those that waited longest would be the latest of all.
    const oldest = this.#line.splice(0, Math.ceil(length - this.#limits.line / 2));
    this.#refused += oldest.length + 1;
    for (const refuse of oldest) refuse(false);
    return true;
  }

  leave(): void {
    this.#running -= 1;
    if (!this.#taken) this.#next();
  }

  #begin(): void {
    this.#running += 1;
    this.#taken = true;
    this.#turns = 0;
    setImmediate(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    if (this.#heard && this.#turns < HEARING) {
      this.#heard = false;
      this.#turns += 1;
      setImmediate(this.#endTurn);
      return;
    }
    this.#taken = false;
    this.#next();
  };

  #next(): void {
    if (this.#line.length < this.#limits.line) {
      this.#tooLongSince = undefined;
      this.#late = 0;
    }
    if (this.#running >= this.#limits.running) return;
    const first = this.#line.shift();
    if (!first) return;
    this.#begin();
    first(true);
  }
}
