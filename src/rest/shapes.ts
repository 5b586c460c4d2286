/** Schemas that several dialects share. */
import { z } from 'zod';
import { text } from '../input.js';
import { isStorableDate } from '../storable.js';

export const title = text(1, 255);

/** An identifier in a body; whether there is such a row, the core says. */
export const id = z.string().max(100, 'must have at most 100 characters');

/** As the core takes it: RFC 3339, or a day, which begins at midnight UTC. */
export const date = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()], 'must be a date such as 2026-01-31T12:00:00Z')
  .refine((value) => isStorableDate(new Date(value)), 'must lie in the years 1 to 9999, UTC')
  .meta({ override: plainly });

/** The pattern of a date is long, and the format says the same. */
function plainly({ jsonSchema }: { jsonSchema: Record<string, unknown> }): void {
  for (const name of ['anyOf', 'pattern']) delete jsonSchema[name];
  Object.assign(jsonSchema, { type: 'string', format: 'date-time' });
}

export const toDateTime = (value: string): string => (value.length === 10 ? `${value}T00:00:00Z` : value);

/** The same where a date may be absent, or null to clear it. */
export function dateOrNull(value: string | null | undefined): string | null | undefined {
  return typeof value === 'string' ? toDateTime(value) : value;
}

/** A number in a query string. */
export function integer(least: number, most: number, usual: number) {
  return optionalInteger(least, most)
    .transform((value) => value ?? usual)
    .meta({ override: { type: 'integer', minimum: least, maximum: most, default: usual } });
}

export function optionalInteger(least: number, most: number) {
  const isOne = (value: string) => /^\d{1,9}$/.test(value) && Number(value) >= least && Number(value) <= most;
  return z
    .string()
    .optional()
    .refine((value) => value === undefined || isOne(value), `must be a whole number from ${least} to ${most}`)
    .transform((value) => (value === undefined ? undefined : Number(value)))
    .meta({ override: { type: 'integer', minimum: least, maximum: most } });
}

/** Words in a query string, with commas between them. */
export function words<const W extends readonly [string, ...string[]]>(known: W) {
  return z
    .string()
    .transform((value) => value.split(','))
    .pipe(z.array(z.enum(known)))
    .optional()
    .meta({ override: { type: 'array', items: { type: 'string', enum: [...known] } }, param: COMMA_SEPARATED });
}

const COMMA_SEPARATED = { style: 'form', explode: false } as const;

export const boolean = z
  .enum(['true', 'false'])
  .transform((value) => value === 'true')
  .meta({
    override: ({ jsonSchema }) => {
      jsonSchema.type = 'boolean';
      // Those are texts, as which it stands in an address.
      delete jsonSchema.enum;
    },
  });

/** What is shown of a row. */
export const shownId = z.string();
export const shownDate = z.iso.datetime().meta({ override: plainly });

/** A time in a result: of a resolver, or of JSON. */
export type Moment = Date | string;

/** As Date writes itself. */
const WRITTEN = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** As most of the documented systems show a moment: whole seconds. */
export function seconds(moment: Moment): string;
export function seconds(moment: Moment | null): string | null;
export function seconds(moment: Moment | null): string | null {
  if (moment === null) return null;
  // As results have it. To read a date and write it again takes longer than all else that is made of a row.
  const text = typeof moment === 'string' && WRITTEN.test(moment) ? moment : new Date(moment).toISOString();
  return `${text.slice(0, -5)}Z`;
}

/** At least one of its fields is given. */
export function atLeastOne<T extends z.ZodRawShape>(shape: T) {
  const names = Object.keys(shape);
  return z
    .object(shape)
    .partial()
    .refine(
      (body) => names.some((name) => (body as Record<string, unknown>)[name] !== undefined),
      `must have at least one of ${names.join(', ')}`,
    );
}

/** What a body of these fields may hold, each of them left out or not. */
export type Change<T extends z.ZodRawShape> = {
  [Field in keyof z.output<z.ZodObject<T>>]?: z.output<z.ZodObject<T>>[Field] | undefined;
};
