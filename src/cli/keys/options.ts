/** What the options of several commands are read as. */
import { InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { numberOption } from '../session.js';

/** An empty one is a variable that was not set, most likely, and would take everything away. */
export function listOption(value: string): string[] {
  const all = value.split(/[\s,]+/).filter(Boolean);
  if (all.length === 0) throw new InvalidArgumentError('It must name something.');
  return all;
}

const ISO_DATE = z.union([z.iso.datetime({ offset: true }), z.iso.date()]);

export function dateOption(value: string): Date {
  const date = ISO_DATE.safeParse(value);
  if (!date.success) throw new InvalidArgumentError('It must be a date such as 2027-01-31T00:00:00Z.');
  return new Date(date.data);
}

/** Commander takes null of a parser for an empty text. */
const NONE: unique symbol = Symbol('none');
export const noneAsNull = <T>(value: T | typeof NONE | undefined) => (value === NONE ? null : value);

export function expiryOption(value: string): Date | typeof NONE {
  return value === 'never' ? NONE : dateOption(value);
}

/** A limit of the key's own; `plan`: none. */
export const limitOption = (value: string): number | typeof NONE => (value === 'plan' ? NONE : numberOption(value));

/** `any`: no bound. */
export function anyOrListOption(value: string): string[] | typeof NONE {
  return value === 'any' ? NONE : listOption(value);
}
