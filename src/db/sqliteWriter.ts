/**
 * All writes of this process to a SQLite file, one after another. Those that have gathered while others were written are
 * committed together: each is a savepoint that succeeds or fails by itself, and is acknowledged when the commit of all
 * has reached the disk. So the disk is waited for once and not by each of them; and where several processes write to the
 * file, each has it for several writes on end, and leaves it to the others before the next ones.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import {
  DriverAdapterError,
  type SqlDriverAdapter,
  type SqlQuery,
  type Transaction,
} from '@prisma/driver-adapter-utils';

/** How long to wait for the writes of another process, and between two attempts, in milliseconds. */
const BUSY_LIMIT = 5000;
const BUSY_PAUSE = 1;
/** How long other writes may join those that are under way, in milliseconds. */
const JOINING = 20;

/** Why a transaction is not kept that its own caller takes back. */
const TAKEN_BACK = Symbol('taken back');

interface Write {
  /** Writes; what it wrote is undone if it rejects. */
  run(): Promise<void>;
  /** Called once: without an error when it is on the disk, else with the reason why nothing of it is. */
  settle(error?: unknown): void;
}

export class SqliteWriter {
  readonly #waiting: Write[] = [];
  #writing: Promise<void> | undefined;

  /**
   * @param connection for this writer alone, which fails at once where another process is writing (busy_timeout 0)
   * @param isOpen whether a transaction is open on it: SQLite itself ends one for which the disk is full, for example
   */
  constructor(
    private readonly connection: SqlDriverAdapter,
    private readonly isOpen: () => boolean,
  ) {}

  /** What one statement, or several that belong together, answer. */
  execute<T>(run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      let result: T;
      this.#enqueue({
        run: async () => {
          result = await run();
        },
        settle: (error) => (error === undefined ? resolve(result) : reject(error)),
      });
    });
  }

  startTransaction(): Promise<Transaction> {
    return new Promise((started, notStarted) => {
      let settle: Write['settle'] = notStarted;
      const run = () =>
        new Promise<void>((keep, undo) => {
          let settled: Promise<number> | undefined;
          /** Until the commit of all, or until it is undone; whatever is asked first. */
          const ended = (end: () => void) => {
            settled ??= new Promise<number>((resolve, reject) => {
              settle = (error) => (error === undefined || error === TAKEN_BACK ? resolve(0) : reject(error));
              end();
            });
            return settled;
          };
          started(
            this.#transaction(
              () => ended(keep),
              () => ended(() => undo(TAKEN_BACK)),
            ),
          );
        });
      this.#enqueue({ run, settle: (error) => settle(error) });
    });
  }

  /** Until nothing is left to write. */
  async idle(): Promise<void> {
    await this.#writing;
  }

  #transaction(keep: () => Promise<number>, undo: () => Promise<number>): Transaction {
    const { connection } = this;
    const execute = (sql: string) => connection.executeRaw(statement(sql)).then(() => {});
    return {
      provider: connection.provider,
      adapterName: connection.adapterName,
      // The library then asks for the statements COMMIT and ROLLBACK itself, before it calls the methods.
      options: { usePhantomQuery: false },
      queryRaw: async (query) => {
        this.#mustBeOpen();
        return connection.queryRaw(query);
      },
      executeRaw: async (query) => {
        if (query.sql === 'COMMIT') return keep();
        if (query.sql === 'ROLLBACK') return undo();
        this.#mustBeOpen();
        return connection.executeRaw(query);
      },
      commit: async () => void (await keep()),
      rollback: async () => void (await undo().catch(() => {})),
      createSavepoint: (name) => execute(`SAVEPOINT ${name}`),
      rollbackToSavepoint: (name) => execute(`ROLLBACK TO ${name}`),
      releaseSavepoint: (name) => execute(`RELEASE ${name}`),
    };
  }

  /** Outside of a transaction, each statement would be committed by itself. */
  #mustBeOpen(): void {
    if (!this.isOpen()) throw lost();
  }

  #enqueue(write: Write): void {
    this.#waiting.push(write);
    this.#writing ??= this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      // Those whose requests are being read join; those who were acknowledged go on before the file is locked again.
      await setImmediate();
      await this.#writeTogether();
    }
    this.#writing = undefined;
  }

  async #writeTogether(): Promise<void> {
    try {
      await this.#begin();
    } catch (error) {
      for (const write of this.#waiting.splice(0)) write.settle(error);
      return;
    }
    const until = performance.now() + JOINING;
    const kept: Write[] = [];
    do {
      const write = this.#waiting.shift();
      if (write && (await this.#writeOne(write))) kept.push(write);
    } while (this.#waiting.length > 0 && this.isOpen() && performance.now() < until);
    const error = await this.#commit();
    for (const write of kept) write.settle(error);
  }

  /** Immediate: a transaction that reads first and then writes fails when another process writes meanwhile. */
  async #begin(): Promise<void> {
    const limit = performance.now() + BUSY_LIMIT;
    for (;;) {
      try {
        await this.#execute('BEGIN IMMEDIATE');
        return;
      } catch (error) {
        const busy = error instanceof DriverAdapterError && error.cause.kind === 'SocketTimeout';
        if (!busy || performance.now() > limit) throw error;
        await setTimeout(BUSY_PAUSE);
      }
    }
  }

  /** @returns whether it is there to be committed */
  async #writeOne(write: Write): Promise<boolean> {
    try {
      await this.#execute('SAVEPOINT one');
      await write.run();
      this.#mustBeOpen();
      await this.#execute('RELEASE one');
      return true;
    } catch (error) {
      await this.#undoOne();
      write.settle(error);
      return false;
    }
  }

  /** Where it cannot be undone by itself, all of them are. */
  async #undoOne(): Promise<void> {
    if (!this.isOpen()) return;
    try {
      await this.#execute('ROLLBACK TO one');
      await this.#execute('RELEASE one');
    } catch {
      await this.#execute('ROLLBACK').catch(() => {});
    }
  }

  /** @returns why nothing was committed */
  async #commit(): Promise<unknown> {
    if (!this.isOpen()) return lost();
    try {
      await this.#execute('COMMIT');
      return undefined;
    } catch (error) {
      if (this.isOpen()) await this.#execute('ROLLBACK').catch(() => {});
      return error;
    }
  }

  async #execute(sql: string): Promise<void> {
    await this.connection.executeRaw(statement(sql));
  }
}

function statement(sql: string): SqlQuery {
  return { sql, args: [], argTypes: [] };
}

function lost(): DriverAdapterError {
  return new DriverAdapterError({ kind: 'ConnectionClosed' });
}
