/**
 * How many operations run at once. One more is refused at once rather than queued without end: it would only make all
 * of them late.
 */
export class ExecutionGate {
  #running = 0;

  constructor(private readonly most: number) {}

  /** Answers whether there was room; whoever got in must leave. */
  enter(): boolean {
    if (this.#running >= this.most) return false;
    this.#running += 1;
    return true;
  }

  leave(): void {
    this.#running -= 1;
  }
}
