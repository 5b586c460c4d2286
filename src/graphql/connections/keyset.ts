/**
 * Pages by keyset: the cursor carries the values that the order compares, so that a page is one range of an index,
 * however deep, and stays right when its last row is gone. Rows without a value come last in both directions.
 */

import { badInput } from '../../errors.js';
import { DEFAULT_PAGE, MAX_OFFSET, MAX_PAGE } from '../../operations/pageLimits.js';
import { isStorable, isStorableDate } from '../../storable.js';

export interface Column {
  readonly name: string;
  readonly kind: 'date' | 'int' | 'number' | 'string';
  readonly nullable?: boolean;
}

export interface OrderBy {
  readonly column: Column;
  readonly direction: 'asc' | 'desc';
}

export interface PageArgs {
  readonly first?: number | null | undefined;
  readonly last?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly before?: string | null | undefined;
  readonly offset?: number | null | undefined;
}

type Where = Record<string, unknown>;
type Value = Date | number | string | null;

/** What to ask the database for. `reversed`: the rows come last first. */
export interface PagePlan {
  readonly where: Where[];
  readonly orderBy: Where[];
  /** One more than the page holds, to know whether there is more. */
  readonly take: number;
  /** Rows to pass over first. */
  readonly skip: number;
  readonly size: number;
  readonly reversed: boolean;
  readonly order: readonly OrderBy[];
}

export const OFFSET_DESCRIPTION = 'Rows to pass over first, for pages by number. Costs a point for every thousand.';

const ID: Column = { name: 'id', kind: 'string' };

/**
 * @param order what the caller wants; `id` is added, so that no two rows are equal
 * @throws BAD_USER_INPUT for a page size out of range, for both directions at once, and for a cursor that is none of
 *   this order
 */
export function planPage(args: PageArgs, order: readonly OrderBy[]): PagePlan {
  if (args.first != null && args.last != null) throw badInput({ last: ['must not be given together with first'] });
  const reversed = args.last != null;
  const size = args.first ?? args.last ?? DEFAULT_PAGE;
  if (size < 0 || size > MAX_PAGE) {
    throw badInput({ [reversed ? 'last' : 'first']: [`must be from 0 to ${MAX_PAGE}; it is ${size}`] });
  }
  const skip = args.offset ?? 0;
  if (skip < 0 || skip > MAX_OFFSET) throw badInput({ offset: [`must be from 0 to ${MAX_OFFSET}; it is ${skip}`] });
  if (skip > 0 && (reversed || args.after != null || args.before != null)) {
    throw badInput({ offset: ['must not be given together with last, after or before'] });
  }
  const full = withId(order);
  const where: Where[] = [];
  if (args.after != null) where.push(...beyond(full, decodeCursor(args.after, full, 'after'), false));
  if (args.before != null) where.push(...beyond(full, decodeCursor(args.before, full, 'before'), true));
  return {
    where,
    orderBy: full.map(({ column, direction }) => orderClause(column, reversed ? flip(direction) : direction, reversed)),
    take: size + 1,
    skip,
    size,
    reversed,
    order: full,
  };
}

/** The columns that a cursor needs of its row, as a Prisma select. */
export function cursorColumns(plan: PagePlan): Record<string, true> {
  return Object.fromEntries(plan.order.map(({ column }) => [column.name, true]));
}

/** The rows of the page, without the one that only tells that there are more. */
export function cutPage<Row>(plan: PagePlan, args: PageArgs, rows: readonly Row[]) {
  const more = rows.length > plan.size;
  const page = rows.slice(0, plan.size);
  if (plan.reversed) page.reverse();
  return {
    page,
    hasNextPage: plan.reversed ? args.before != null : more,
    hasPreviousPage: plan.reversed ? more : args.after != null || plan.skip > 0,
  };
}

/** The page as the Relay cursor connections specification has it. */
export function pageOf<Row extends object>(plan: PagePlan, args: PageArgs, rows: readonly Row[]) {
  const { page, hasNextPage, hasPreviousPage } = cutPage(plan, args, rows);
  const edges = page.map((node) => ({ cursor: encodeCursor(node, plan.order), node }));
  const [startCursor, endCursor] = [edges[0]?.cursor ?? null, edges.at(-1)?.cursor ?? null];
  return { edges, pageInfo: { hasNextPage, hasPreviousPage, startCursor, endCursor } };
}

function withId(order: readonly OrderBy[]): OrderBy[] {
  const cut = order.findIndex(({ column }) => column.name === 'id');
  const given = cut < 0 ? order : order.slice(0, cut + 1);
  return cut < 0 ? [...given, { column: ID, direction: given[0]?.direction ?? 'desc' }] : [...given];
}

function orderClause(column: Column, direction: 'asc' | 'desc', reversed: boolean): Where {
  if (!column.nullable) return { [column.name]: direction };
  return { [column.name]: { sort: direction, nulls: reversed ? 'first' : 'last' } };
}

const flip = (direction: 'asc' | 'desc') => (direction === 'asc' ? 'desc' : 'asc');

/**
 * The rows after (or before) these values: for each column, equal in all columns before it and beyond in this one.
 * The first column's own bound stands beside, so that the database can start in the index there.
 */
function beyond(order: readonly OrderBy[], values: readonly Value[], backwards: boolean): Where[] {
  const alternatives = order.flatMap(({ column, direction }, index) => {
    const equal = order.slice(0, index).map((above, i) => ({ [above.column.name]: values[i] }));
    const step = pastValue(column, values[index] ?? null, backwards ? flip(direction) : direction, backwards);
    return step === undefined ? [] : [{ AND: [...equal, step] }];
  });
  const where: Where[] = [{ OR: alternatives }];
  const [leading] = order;
  if (leading && !leading.column.nullable) {
    const ascending = (leading.direction === 'asc') !== backwards;
    where.push({ [leading.column.name]: { [ascending ? 'gte' : 'lte']: values[0] } });
  }
  return where;
}

/** Undefined where nothing can lie beyond. */
function pastValue(column: Column, value: Value, direction: 'asc' | 'desc', backwards: boolean): Where | undefined {
  const { name } = column;
  if (value === null) return backwards ? { [name]: { not: null } } : undefined;
  const further = { [name]: { [direction === 'asc' ? 'gt' : 'lt']: value } };
  return column.nullable && !backwards ? { OR: [further, { [name]: null }] } : further;
}

/** Marks the order that a cursor belongs to. */
function signature(order: readonly OrderBy[]): string {
  return order.map(({ column, direction }) => `${column.name}:${direction}`).join(',');
}

/** @param row with the columns of the order */
export function encodeCursor(row: object, order: readonly OrderBy[]): string {
  const values = order.map(({ column }) => {
    const value = (row as Record<string, unknown>)[column.name];
    return value instanceof Date ? value.getTime() : value;
  });
  return Buffer.from(JSON.stringify([signature(order), ...values])).toString('base64url');
}

function decodeCursor(cursor: string, order: readonly OrderBy[], argument: string): Value[] {
  const malformed = badInput({ [argument]: ['is not a cursor of this connection in this order'] });
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw malformed;
  }
  if (!Array.isArray(parts) || parts.length !== order.length + 1 || parts[0] !== signature(order)) throw malformed;
  return order.map(({ column }, index) => {
    const value: unknown = parts[index + 1];
    if (value === null && column.nullable) return null;
    if (column.kind === 'date' && typeof value === 'number' && isStorableDate(new Date(value))) return new Date(value);
    if (column.kind === 'number' && Number.isFinite(value)) return value as number;
    if (column.kind === 'int' && typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 31)
      return value;
    if (column.kind === 'string' && typeof value === 'string' && isStorable(value)) return value;
    throw malformed;
  });
}
