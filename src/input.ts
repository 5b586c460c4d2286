/** Rules of input that types cannot express, and the error for one that is broken. */
import { z } from 'zod';
import { ApiError, badInput } from './errors.js';
import { hasBadText } from './storable.js';

/** Trimmed text of a length; null is taken where the field may be cleared. */
export const text = (least: number, most: number) =>
  z
    .string()
    .trim()
    .min(least, least === 1 ? 'must not be empty' : `must have at least ${least} characters`)
    .max(most, `must have at most ${most} characters`);

/** An address, as it is compared: without case and what is around it. */
export const emailAddress = z
  .string('is required')
  .trim()
  .toLowerCase()
  .max(254, 'must have at most 254 characters')
  .pipe(z.email('must be an email address'));

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

type Problems = Readonly<Record<string, readonly string[]>>;

/**
 * What a client sent in words of its own: the parameters of an address, a body, the arguments of a tool.
 * @param whole what it is called where it is wrong as a whole
 * @throws ApiError with all that is wrong with it, by field
 */
export function readValues(
  schema: z.ZodType,
  value: object,
  whole: string,
  refuse: (problems: Problems) => ApiError = badInput,
): unknown {
  const result = schema.safeParse(value, { error: describe });
  const problems: Record<string, string[]> = {};
  const add = (field: string, problem: string) => {
    problems[field] = [...(problems[field] ?? []), problem];
  };
  for (const issue of result.error?.issues ?? []) {
    const [field = whole, ...deeper] = issue.path.map(String);
    add(
      field,
      [...deeper.map((part) => (/^\d+$/.test(part) ? `entry ${Number(part) + 1}` : part)), issue.message].join(' '),
    );
  }
  // Fields that the schema does not know are not looked at, whatever is in them.
  for (const [field, content] of Object.entries(result.data ?? {})) {
    if (hasBadText(content)) add(field, 'must be well-formed Unicode, without the character U+0000');
  }
  if (Object.keys(problems).length > 0) throw refuse(problems);
  return result.data;
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
};

/** In the words of the callers; a rule's own message stands before this. */
function describe(issue: z.core.$ZodRawIssue): string | undefined {
  const missing = issue.input === undefined;
  if (issue.code === 'invalid_type')
    return missing ? 'is required' : `must be ${KINDS[issue.expected] ?? issue.expected}`;
  if (issue.code === 'invalid_value') return missing ? 'is required' : `must be one of ${issue.values.join(', ')}`;
  return undefined;
}
