/**
 * Filters: comparators per field (`eq neq in nin gt gte lt lte contains startsWith`) with `and`, `or`, `not`, and filters of
 * related rows, compiled to a Prisma `where`. Negation is carried down to the comparators, so that a row without a value is not
 * lost between `x` and `not x` as it is in SQL.
 */
import type { Provider } from '../../db/provider.js';
import { containsText, startsWithText, tagKey } from '../../db/text.js';
import { badInput } from '../../errors.js';
import type { Scope, ScopeSet } from '../../scopes/scope.js';
import { after, type Duration } from './duration.js';

type Where = Record<string, unknown>;
type Comparators = Readonly<Record<string, unknown>>;
export interface Filter {
  readonly and?: readonly Filter[] | null | undefined;
  readonly or?: readonly Filter[] | null | undefined;
  readonly not?: Filter | null | undefined;
}

export interface FilterField {
  readonly column: string;
  readonly nullable?: boolean;
  /** The tags of a task, in a table of their own, through this relation. */
  readonly tags?: boolean;
  /** Compared without case; the column is in small letters. */
  readonly folded?: boolean;
  /** A field that is no column: the rows that have one of the values. */
  readonly having?: (values: readonly string[]) => Where;
  /** A statement that holds for these rows, or for all others. */
  readonly holds?: (asker: Asker) => Where;
  /** Rows that belong to the row, by a filter of theirs. */
  readonly related?: Related;
  /** What it takes to compare by it, for what is found tells what it was compared with. */
  readonly scope?: Scope;
}

interface Related {
  /** What they are compared by. */
  readonly fields: () => Readonly<Record<string, FilterField>>;
  /** The rows that have one of those. */
  readonly having: (where: Where) => Where;
  /** What refers to the one row that there is; undefined: there are several, and `some` and `none` say which. */
  readonly column?: string;
}

/** Who asks, and when: what a filter may depend on besides the rows. */
export interface Asker {
  readonly provider: Provider;
  readonly scopes: ScopeSet;
  /** The user whom the key acts for. */
  readonly userId: string | null;
  readonly now: Date;
  /** Which ties between tasks are seen. */
  readonly seenTies: Where;
  /** Told that what is found depends on who asks, or on when. */
  readonly onDependence: () => void;
  /** Told of a scope that is used; where it is missing, it throws. */
  readonly onScope: (scope: Scope, field: string) => void;
}

/** Holds for every row. A condition that says nothing is left out by Prisma, which in a disjunction means the contrary. */
const ALWAYS: Where = { id: { notIn: [] } };
const NEVER: Where = { id: { in: [] } };

/** More comparisons than this in one filter are refused. */
const MAX_COMPARISONS = 50;

export function compileFilter(
  fields: Readonly<Record<string, FilterField>>,
  filter: Filter | null | undefined,
  asker: Asker,
): Where {
  let comparisons = 0;
  const compared = () => {
    comparisons += 1;
    if (comparisons > MAX_COMPARISONS) throw badInput({ filter: [`must have at most ${MAX_COMPARISONS} comparisons`] });
  };
  const compileRelated = (
    name: string,
    { fields: inner, having, column }: Related,
    value: object,
    negated: boolean,
  ): Where => {
    if (column !== undefined) {
      // Carried down, as it is within a filter: a row that is related to none is not lost.
      const isAny = Object.values(value).every((given) => given == null);
      const tests = negated && isAny ? [] : [having(compile(inner(), value, negated))];
      return negated ? { OR: [{ [column]: null }, ...tests] } : { AND: tests };
    }
    const { some, none } = value as { some?: Filter | null; none?: Filter | null };
    if (some == null && none == null) throw badInput({ filter: [`${name} must have some or none`] });
    const tests = Object.entries({ some, none }).flatMap(([which, filter]) => {
      if (!filter) return [];
      const where = having(compile(inner(), filter, false));
      return (which === 'some') === negated ? { NOT: where } : where;
    });
    return negated ? { OR: tests } : { AND: tests };
  };
  const compile = (by: Readonly<Record<string, FilterField>>, node: Filter, negated: boolean): Where => {
    const parts: Where[] = [];
    for (const [name, value] of Object.entries(node)) {
      if (value == null) continue;
      if (name === 'and' || name === 'or') {
        const items = value as readonly Filter[];
        // An empty disjunction is false, which SQL cannot express, and is a mistake of the client.
        if (name === 'or' && items.length === 0) throw badInput({ filter: ['or must not be empty'] });
        const inner = items.map((item) => compile(by, item, negated));
        // De Morgan: not (a and b) is (not a) or (not b).
        if (inner.length === 0) continue;
        parts.push((name === 'and') !== negated ? { AND: inner } : { OR: inner });
      } else if (name === 'not') {
        parts.push(compile(by, value as Filter, !negated));
      } else {
        const field = by[name];
        if (!field) continue;
        // Not all changes of what is related are counted as those of the rows are.
        if (field.holds || field.related) asker.onDependence();
        if (field.holds) {
          compared();
          const where = field.holds(asker);
          parts.push((value === true) === negated ? { NOT: where } : where);
          continue;
        }
        if (field.related) {
          compared();
          parts.push(compileRelated(name, field.related, value, negated));
          continue;
        }
        const tests = Object.entries(value as Comparators).map(([comparator, operand]) => {
          compared();
          return compare(field, name, comparator, operand, negated, asker);
        });
        if (tests.length > 0) parts.push(negated ? { OR: tests } : { AND: tests });
      }
    }
    if (negated && parts.length === 0) throw badInput({ filter: ['not must not be empty'] });
    if (parts.length === 0 && node !== filter) return ALWAYS;
    return negated ? { OR: parts } : { AND: parts };
  };
  if (filter == null) return {};
  // What may not be asked is refused before anything that is wrong with it.
  askScopes(fields, filter, asker);
  return compile(fields, filter, false);
}

function askScopes(fields: Readonly<Record<string, FilterField>>, filter: Filter, asker: Asker): void {
  for (const [name, value] of Object.entries(filter)) {
    if (value == null) continue;
    const field = fields[name];
    if (field?.scope) asker.onScope(field.scope, name);
    const related = field?.related;
    if (name === 'and' || name === 'or' || name === 'not') {
      for (const inner of [value].flat()) askScopes(fields, inner as Filter, asker);
    } else if (related?.column !== undefined) askScopes(related.fields(), value, asker);
    else if (related) for (const inner of Object.values(value)) if (inner) askScopes(related.fields(), inner, asker);
  }
}

/** Whether a filter says anything of a field, anywhere. */
export function mentions(filter: Filter | null | undefined, field: string): boolean {
  if (filter == null) return false;
  const { and, or, not, ...fields } = filter as Filter & Record<string, unknown>;
  if (isGiven(fields[field])) return true;
  return [...(and ?? []), ...(or ?? []), not].some((inner) => mentions(inner, field));
}

const isGiven = (comparators: unknown) =>
  Object.values((comparators as object | null | undefined) ?? {}).some((value) => value !== undefined);

/** @throws BAD_USER_INPUT for too many */
export function searchWords(search: string | null | undefined): string[] {
  const words = search?.split(/\s+/).filter(Boolean) ?? [];
  if (words.length > MAX_COMPARISONS) throw badInput({ search: [`must have at most ${MAX_COMPARISONS} words`] });
  return words;
}

/** Every word of a search, each in one of the columns. @param also what a word finds besides */
export function searchWhere(
  words: readonly string[],
  columns: readonly string[],
  provider: Provider,
  also: (word: string) => object | undefined = () => undefined,
): Where[] {
  return words.map((word) => {
    const found = columns.map((column) => containsText(provider, column, word));
    return { OR: [...found, ...[also(word)].flatMap((where) => where ?? [])] };
  });
}

const OPPOSITE: Readonly<Record<string, string>> = {
  eq: 'neq',
  neq: 'eq',
  in: 'nin',
  nin: 'in',
  gt: 'lte',
  gte: 'lt',
  lt: 'gte',
  lte: 'gt',
};

function compare(
  field: FilterField,
  name: string,
  comparator: string,
  operand: unknown,
  negated: boolean,
  asker: Asker,
): Where {
  const { column, nullable = false } = field;
  const nullAllowed = comparator === 'eq' || comparator === 'neq';
  if (operand === null && !(nullAllowed && nullable)) {
    throw badInput({ filter: [`${name}.${comparator} must not be null`] });
  }
  if (field.tags) return compareTags(column, comparator, operand, negated);
  if (field.having) return compareSet(field.having, comparator, operand, negated);
  if (field.folded) return compare({ column, nullable }, name, comparator, lowerCased(operand), negated, asker);
  if (comparator === 'before' || comparator === 'after') {
    asker.onDependence();
    const moment = after(asker.now, operand as Duration);
    return compare(field, name, comparator === 'before' ? 'lt' : 'gt', moment, negated, asker);
  }
  const missing = { [column]: null };
  if (comparator === 'contains' || comparator === 'startsWith') {
    const matching = comparator === 'contains' ? containsText : startsWithText;
    const test = matching(asker.provider, column, String(operand));
    if (!negated) return test;
    return nullable ? { OR: [{ NOT: test }, missing] } : { NOT: test };
  }
  const effective = negated ? (OPPOSITE[comparator] ?? comparator) : comparator;
  switch (effective) {
    case 'eq':
      return { [column]: operand };
    case 'neq': {
      const test = { [column]: { not: operand } };
      return nullable && operand !== null ? { OR: [test, missing] } : test;
    }
    case 'in':
      return { [column]: { in: operand } };
    case 'nin': {
      const test = { [column]: { notIn: operand } };
      return nullable ? { OR: [test, missing] } : test;
    }
    default: {
      const test = { [column]: { [effective]: operand } };
      return nullable && negated ? { OR: [test, missing] } : test;
    }
  }
}

function compareTags(relation: string, comparator: string, operand: unknown, negated: boolean): Where {
  const anyOf = [operand].flat().map((name) => tagKey(String(name)));
  const wanted = (comparator !== 'nin') !== negated;
  return { [relation]: { [wanted ? 'some' : 'none']: { key: { in: anyOf } } } };
}

function compareSet(
  having: (values: readonly string[]) => Where,
  comparator: string,
  operand: unknown,
  negated: boolean,
): Where {
  const values = [operand].flat().map(String);
  // Prisma leaves out a disjunction of nothing that stands within another condition, which would then always hold.
  const where = values.length > 0 ? having(values) : NEVER;
  const wanted = (comparator !== 'neq' && comparator !== 'nin') !== negated;
  return wanted ? where : { NOT: where };
}

function lowerCased(operand: unknown): unknown {
  if (Array.isArray(operand)) return operand.map(lowerCased);
  return typeof operand === 'string' ? operand.toLowerCase() : operand;
}
