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
  /** Something was done, or found, that takes this scope. */
  usedScope?(scope: string): void;
}

const readers = new AsyncValue<Reader | undefined>();

export function readingFor<T>(reader: Reader, run: () => T): T {
  return readers.run(reader, run);
}

/** For what a request sets off and does not wait for: it goes on when the request has ended. */
export function forNobody<T>(run: () => T): T {
  return readers.run(undefined, run);
}

/** Tells which scopes were taken by what no field declares: by what the input names, or what was given to others. */
export function noteScopes(scopes: Iterable<string>, reader = currentReader()): void {
  if (reader?.usedScope) for (const scope of scopes) reader.usedScope(scope);
}

export function currentReader(): Reader | undefined {
  return readers.get();
}
