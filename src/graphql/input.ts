/** Rules of input fields that GraphQL's types cannot say. */
import { z } from 'zod';
import { badInput } from '../errors.js';

/** Trimmed text of a length; null is taken where the field may be cleared. */
export const text = (least: number, most: number) =>
  z
    .string()
    .trim()
    .min(least, least === 1 ? 'must not be empty' : `must have at least ${least} characters`)
    .max(most, `must have at most ${most} characters`);

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
