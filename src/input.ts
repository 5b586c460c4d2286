/** Rules of input that types cannot express, and the error for one that is broken. */
import { z } from 'zod';
import { ApiError, badInput } from './errors.js';

/** Trimmed text of a length; null is taken where the field may be cleared. */
export const text = (least: number, most: number) =>
  z
    .string()
    .trim()
    .min(least, least === 1 ? 'must not be empty' : `must have at least ${least} characters`)
    .max(most, `must have at most ${most} characters`);

/** Requests that a plan, an operator or a key may be given in a window. */
export const MAX_RATE = 1_000_000_000;
export const rate = z.number().int().min(1, 'must be at least 1').max(MAX_RATE, `must be at most ${MAX_RATE}`);

export const required = <T extends z.ZodType>(type: T) =>
  z.custom((value) => value !== null, 'must not be null').pipe(type as unknown as z.ZodType<z.output<T>>);

/** @throws BAD_USER_INPUT with every broken rule, by field; answers the input with texts trimmed */
export function check<T extends z.ZodType>(rules: T, input: unknown): z.output<T> {
  const result = rules.safeParse(input);
  if (result.success) return result.data;
  const fields: Record<string, string[]> = {};
  for (const issue of result.error.issues) {
    const field = String(issue.path[0] ?? 'input');
    fields[field] = [...(fields[field] ?? []), issue.message];
  }
  throw badInput(fields);
}

/** The fields that were given, so that an update leaves the others alone. */
export function given<T extends object>(input: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as never;
}

/** Whether two moments differ in no more than the fraction of their second. */
export function isSameSecond(a: Date | null | undefined, b: Date | null): boolean {
  return a != null && b !== null && Math.floor(a.getTime() / 1000) === Math.floor(b.getTime() / 1000);
}

/** On creation null means the default, as if the field had been left out. */
export function withoutNulls<T extends object>(input: T, names: readonly (keyof T)[]): T {
  return Object.fromEntries(
    Object.entries(input).filter(([name, value]) => value !== null || !names.includes(name as keyof T)),
  ) as T;
}

/**
 * @param expected when the caller read the row last; undefined or null: the caller does not mind
 * @throws CONFLICT for a row that was changed since
 */
export function expectVersion(row: { readonly updatedAt: Date }, expected: Date | null | undefined): void {
  if (expected == null || row.updatedAt.getTime() === expected.getTime()) return;
  throw new ApiError('CONFLICT', 'It was changed since you read it. Read it again.', {
    expectedUpdatedAt: expected.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  });
}
