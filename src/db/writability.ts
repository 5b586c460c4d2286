/** Whether the database can be written, as far as is known without writing for that alone. */
import type { PrismaClient } from '#prisma/client.js';
import { isUnwritable } from './databaseError.js';

/** Milliseconds for which an answer is kept: the probe takes no key, so it must be cheap. */
const HOLDS = 1000;
/** The row that is written to find out. */
const NAME = 'write_check';

export class Writability {
  #failed = false;
  #asked: Promise<boolean> | undefined;

  constructor(private readonly system: () => Pick<PrismaClient, 'changeCounter'>) {}

  /** Told of every write that failed. */
  readonly failed = (error: unknown): void => {
    if (isUnwritable(error)) this.#failed = true;
  };

  /** Once a write has failed for want of a disk, this one must succeed. */
  canWrite(): Promise<boolean> {
    if (!this.#failed) return Promise.resolve(true);
    this.#asked ??= this.#tryWrite();
    return this.#asked;
  }

  async #tryWrite(): Promise<boolean> {
    setTimeout(() => {
      this.#asked = undefined;
    }, HOLDS).unref();
    try {
      const row = { where: { name: NAME }, create: { name: NAME, value: 1 }, update: { value: { increment: 1 } } };
      await this.system().changeCounter.upsert(row);
      this.#failed = false;
      return true;
    } catch {
      return false;
    }
  }
}
