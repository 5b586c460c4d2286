/**
 * Operations that a key is locked to: which of them a request is, and with which values of pinned variables. An operation is
 * known by its normal form (src/operations/normalForm.ts), so that it may be written in any way.
 */
import { isDeepStrictEqual } from 'node:util';
import { distance } from 'fastest-levenshtein';

/** A variable, or a part of it such as `input.projectId`, and the value that it must have. */
export type Pins = Readonly<Record<string, unknown>>;

export interface LockedOperation {
  /** SHA-256 of its normal form, in hexadecimal. */
  readonly hash: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly pins: Pins;
  readonly setId: string;
  /** When it runs no more; null: not for now. */
  readonly endsAt: Date | null;
}

/** By hash; the versions that run, the latest first. */
export type OperationLock = ReadonlyMap<string, readonly LockedOperation[]>;

export function lockOf(operations: Iterable<LockedOperation>): OperationLock {
  const lock = new Map<string, LockedOperation[]>();
  for (const operation of operations) {
    const versions = lock.get(operation.hash);
    if (versions) versions.push(operation);
    else lock.set(operation.hash, [operation]);
  }
  return lock;
}

export function scopesOfLock(lock: OperationLock): string[] {
  return [...new Set([...lock.values()].flat().flatMap(({ scopes }) => scopes))];
}

/** Whether all that `inner` runs, `outer` runs too, for as long, and with no more values of its variables. */
export function isWithinLock(inner: OperationLock, outer: OperationLock): boolean {
  const isWithin = (operation: LockedOperation) =>
    (outer.get(operation.hash) ?? []).some(
      ({ pins, endsAt }) =>
        (endsAt === null || (operation.endsAt !== null && operation.endsAt <= endsAt)) &&
        Object.entries(pins).every(
          ([name, value]) => Object.hasOwn(operation.pins, name) && isDeepStrictEqual(operation.pins[name], value),
        ),
    );
  return [...inner.values()].flat().every(isWithin);
}

type Variables = Readonly<Record<string, unknown>>;

export type LockDecision =
  | { readonly kind: 'permitted'; readonly operation: LockedOperation; readonly variables: Variables }
  /** @property nearest the name of one that is permitted */
  | { readonly kind: 'not_permitted'; readonly nearest: string | undefined }
  | { readonly kind: 'pinned'; readonly variable: string };

/**
 * Whether an operation runs, and with which variables: a pinned one that is not given has its value.
 * @param name of the operation, for the nearest one that is permitted
 */
export function decideLock(
  lock: OperationLock,
  hash: string,
  name: string,
  variables: Variables,
  now: Date,
): LockDecision {
  const versions = (lock.get(hash) ?? []).filter(({ endsAt }) => endsAt === null || endsAt > now);
  if (versions.length === 0) return { kind: 'not_permitted', nearest: nearestName(lock, name) };
  let broken = '';
  for (const operation of versions) {
    const pinned = withPins(variables, operation.pins);
    if (typeof pinned !== 'string') return { kind: 'permitted', operation, variables: pinned };
    broken ||= pinned;
  }
  return { kind: 'pinned', variable: broken };
}

/** @returns the variables with the values of pinned ones, or the name of one that is given another value */
function withPins(variables: Variables, pins: Pins): Variables | string {
  let all = variables;
  for (const [path, value] of Object.entries(pins)) {
    const given = valueAt(all, path.split('.'));
    if (given === undefined) all = withValue(all, path.split('.'), value);
    else if (!isDeepStrictEqual(given, value)) return path;
  }
  return all;
}

function valueAt(variables: Variables, path: readonly string[]): unknown {
  let value: unknown = variables;
  for (const name of path) {
    if (value === undefined) return undefined;
    // What is no object has no such part, and is not what was pinned.
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return null;
    value = Object.hasOwn(value, name) ? (value as Variables)[name] : undefined;
  }
  return value;
}

function withValue(variables: Variables, [name = '', ...rest]: readonly string[], value: unknown): Variables {
  const inner = rest.length === 0 ? value : withValue((variables[name] ?? {}) as Variables, rest, value);
  return { ...variables, [name]: inner };
}

/** Names that are compared: what a slip or another version would be called. */
const MOST_COMPARED = 1000;
const LONGEST_NAME = 100;

function nearestName(lock: OperationLock, name: string): string | undefined {
  const seen = name.slice(0, LONGEST_NAME);
  let nearest: { readonly name: string; readonly letters: number } | undefined;
  let compared = 0;
  for (const [operation] of lock.values()) {
    compared += 1;
    if (!operation || compared > MOST_COMPARED) break;
    const letters = distance(seen, operation.name.slice(0, LONGEST_NAME));
    if (!nearest || letters < nearest.letters) nearest = { name: operation.name, letters };
  }
  return nearest?.name;
}
