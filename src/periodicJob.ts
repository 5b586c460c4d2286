/** Work that is done again and again, one time after another. */
export abstract class PeriodicJob {
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  /** Whether what is under way is to end soon. */
  protected isStopping = false;

  /**
   * @param every milliseconds from one start to the next; one that takes longer is not started again meanwhile
   * @param onError told of what fails, which the next time may not
   */
  constructor(
    private readonly every: number,
    private readonly onError: (error: unknown) => void,
  ) {}

  abstract run(): Promise<void>;

  start(): void {
    const run = () => {
      this.#running ??= this.run()
        .catch(this.onError)
        .finally(() => {
          this.#running = undefined;
        });
    };
    run();
    this.#timer = setInterval(run, this.every).unref();
  }

  /** Until what is under way has ended: it needs the database. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.isStopping = true;
    await this.#running;
  }
}
