/** On whose behalf the database is read: known wherever a statement runs that Prisma's client makes, through which it cannot be handed. */
import { AsyncValue } from './asyncValue.js';

export interface Reader {
  /** Of the key. */
  readonly id: string;
  /** Whether the client has left. */
  isGone(): boolean;
  /**
   * Counts what was read.
   * @throws when that is more than one answer may hold
   */
  take(bytes: number): void;
  /** A row of this project was read, for a key that is bound to projects. */
  sawProject?(id: string): void;
}

const readers = new AsyncValue<Reader | undefined>();

export function readingFor<T>(reader: Reader, run: () => T): T {
  return readers.run(reader, run);
}

/** For what a request sets off and does not wait for: it goes on when the request has ended. */
export function forNobody<T>(run: () => T): T {
  return readers.run(undefined, run);
}

export function currentReader(): Reader | undefined {
  return readers.get();
}
