/**
 * The columns of a type: which are shown, and by which its lists are filtered, ordered and searched. Types and nullability
 * are those of the datamodel; what it does not say stands in the table, once for each column.
 */
import type { InputRef } from '@pothos/core';
import type { GraphQLResolveInfo } from 'graphql';
import { MODELS } from '../../db/datamodel.js';
import { projectCondition } from '../../db/projectReach.js';
import type { NewestTasks } from '../../db/rows.js';
import { meansFew } from '../../db/taggedTasks.js';
import { type KeptCount, type List, type Narrowed, resolveConnection } from '../connections/connection.js';
import {
  type Asker,
  compileFilter,
  type Filter,
  type FilterField,
  searchWhere,
  searchWords,
} from '../connections/filter.js';
import { type Column, type OrderBy, type PageArgs, planPage } from '../connections/keyset.js';
import { orderOf } from '../connections/order.js';
import type { Context } from '../context.js';
import { ROW_ABOVE, type Source } from '../plans/source.js';
import { requireScope } from '../requireScope.js';
import { builder } from './builder.js';
import { DateTimeFilter, FloatFilter, IdFilter, IntFilter, OrderDirection, StringFilter } from './filters.js';

interface FilterOptions extends Pick<FilterField, 'folded' | 'having' | 'holds' | 'scope' | 'tags'> {
  /** What it is compared by, where the column's type does not say it. */
  readonly type?: unknown;
  readonly description?: string;
  /** Rows of another table, which are compared by what that is. */
  readonly related?: { readonly table: string; readonly having: (where: object) => object; readonly column?: string };
}

interface ColumnOptions {
  readonly description?: string;
  /** The enum as which its values are shown. */
  readonly type?: unknown;
  readonly filter?: true | FilterOptions;
  readonly order?: true;
  /** It is no column that is shown as it is stored: another field shows it, or none. */
  readonly hidden?: true;
}

interface RowTableOptions {
  /** What its filter and its order are named after, where that is not the model. */
  readonly name?: string;
  /** Columns that a search looks for words in. */
  readonly search?: readonly string[];
  /** What a word finds besides. */
  readonly searchWord?: (word: string) => object | undefined;
  /**
   * The rows in which an index has all of the words; undefined: it does not tell.
   * @param newest the page that is read, where it is the newest rows: these alone may be answered
   */
  readonly indexed?: (
    words: readonly string[],
    context: Context,
    newest?: NewestTasks,
  ) => Promise<Narrowed | undefined>;
  readonly columns: Readonly<Record<string, ColumnOptions>>;
}

interface Ordering {
  readonly field: string;
  readonly direction: 'asc' | 'desc';
}

/** The arguments by which a list says which rows it wants. */
export interface ListArgs extends PageArgs {
  readonly filter?: Filter | null | undefined;
  readonly search?: string | null | undefined;
  readonly orderBy?: readonly Ordering[] | null | undefined;
}

/** What is selected of the rows besides, Pothos knows. */
type Page = Omit<Awaited<ReturnType<typeof resolveConnection>>, 'edges'> & {
  edges: { cursor: string; node: { id: string } }[];
};

/** Points of a filter that looks, for each row, at rows of another table. */
const RELATED = 10;

const FILTERS: Readonly<Record<string, unknown>> = {
  ID: IdFilter,
  String: StringFilter,
  Int: IntFilter,
  Float: FloatFilter,
  DateTime: DateTimeFilter,
};
const ORDER_KINDS: Readonly<Record<string, Column['kind']>> = { DateTime: 'date', Int: 'int', Float: 'number' };

/** By which fields the rows of each table are compared. */
const tables = new Map<string, Readonly<Record<string, FilterField>>>();

function fieldsOf(table: string): Readonly<Record<string, FilterField>> {
  const fields = tables.get(table);
  if (!fields) throw new Error(`no table ${table}`);
  return fields;
}

function askerOf(context: Context): Asker {
  const { principal, services, reach, use } = context;
  const { scopes, userId } = principal;
  return {
    provider: services.database.provider,
    scopes,
    userId,
    now: services.clock(),
    seenTies: reach.bound ? { ...projectCondition('TaskRelationship', reach.bound) } : {},
    onDependence: () => {
      use.isRememberable = false;
    },
    onScope: (scope, field) => {
      // What a key without the scope would be told must not be remembered from one that has it.
      use.isRememberable = false;
      requireScope(context, scope, `A filter by ${field}`);
    },
  };
}

export function rowTable(model: string, { name = model, columns, search = [], searchWord, indexed }: RowTableOptions) {
  const entries = Object.entries(columns);
  const stored = (column: string) => {
    const field = MODELS[model]?.fields.find((candidate) => candidate.name === column);
    if (!field) throw new Error(`${model} has no column ${column}`);
    const isId = field.type === 'String' && /^id$|Id$/.test(column);
    return { type: isId ? 'ID' : field.type, nullable: !field.isRequired };
  };
  const filters = entries.flatMap(([column, { filter }]): [string, FilterOptions][] =>
    filter ? [[column, filter === true ? {} : filter]] : [],
  );
  const filterFields = Object.fromEntries(
    filters.map(([column, { folded, having, holds, related, scope, tags }]): [string, FilterField] => {
      const ofOthers = {
        ...(having && { having }),
        ...(holds && { holds }),
        ...(scope && { scope }),
        ...(tags && { tags }),
        ...(related && { related: { ...related, fields: () => fieldsOf(related.table) } as FilterField['related'] }),
      };
      if (having || holds || related || tags) return [column, { column, ...ofOthers } as FilterField];
      return [column, { column, nullable: stored(column).nullable, ...(folded && { folded }) }];
    }),
  );
  tables.set(name, filterFields);
  const orders = Object.fromEntries(
    entries.flatMap(([column, { order }]): [string, Column][] => {
      if (!order) return [];
      const { type, nullable } = stored(column);
      return [[column, { name: column, kind: ORDER_KINDS[type] ?? 'string', ...(nullable && { nullable }) }]];
    }),
  );

  return {
    /** For the type's `fields`: each column that is shown. @param t the builder of fields */
    fields(t: object): Record<string, never> {
      const { expose } = t as { expose(column: string, options: object): never };
      return Object.fromEntries(
        entries.flatMap(([column, { type, description, hidden }]) => {
          if (hidden) return [];
          const { type: scalar, nullable } = stored(column);
          const source: Source = { kind: 'column', column };
          const options = {
            type: type ?? scalar,
            nullable,
            extensions: { source },
            ...(description && { description }),
          };
          return [[column, expose.call(t, column, options)]];
        }),
      );
    },
    filterInput(): InputRef<Filter> {
      const input = builder.inputRef<Filter>(`${name}Filter`);
      return input.implement({
        fields: (t) => ({
          ...Object.fromEntries(
            filters.map(([column, { type, description, scope, related, holds }]) => [
              column,
              t.field({
                type: (type ?? FILTERS[stored(column).type]) as never,
                ...(description && { description }),
                extensions: { ...(scope && { scope }), ...((related || holds) && { cost: RELATED }) },
              }),
            ]),
          ),
          and: t.field({ type: [input] }),
          or: t.field({ type: [input] }),
          not: t.field({ type: input }),
        }),
      } as Parameters<typeof input.implement>[0]);
    },
    orderInput(): InputRef<Ordering> {
      const values = Object.keys(orders).map((column) => [screaming(column), { value: column }]);
      const fieldEnum = builder.enumType(`${name}OrderField`, { values: Object.fromEntries(values) });
      return builder.inputType(`${name}Order`, {
        fields: (t) => ({
          field: t.field({ type: fieldEnum, required: true }),
          direction: t.field({ type: OrderDirection, required: true, defaultValue: 'asc' }),
        }),
      }) as unknown as InputRef<Ordering>;
    },
    /**
     * The rows that a list asks for.
     * @param where what they must satisfy besides
     * @param count of all of them, where the database keeps it
     */
    list(args: ListArgs, context: Context, where: object = {}, count?: KeptCount): List {
      const asker = askerOf(context);
      const { provider } = asker;
      const filtered = compileFilter(filterFields, args.filter, asker);
      const words = searchWords(args.search);
      const asked = [filtered, ...searchWhere(words, search, provider, searchWord)];
      const all = { AND: [where, ...asked] };
      // What has an index of its own is found by that.
      const isNarrowed = indexed && words.length > 0 && !meansFew(all);
      const order = orderOf(orders, args.orderBy);
      const narrow = isNarrowed
        ? (isForPage = false) => indexed(words, context, isForPage ? newestPage(all, args, order) : undefined)
        : undefined;
      const { recentTexts } = context.services.database;
      const { reach } = context;
      const soon = isNarrowed
        ? <Row>(read: (within?: object) => Promise<Row[]>) => {
            const page = newestPage(all, args, order);
            return page ? recentTexts.newest(reach, words, page, read) : read();
          }
        : undefined;
      return { model, args, order, where: all, count, narrow, soon };
    },
    /** A field that answers a list: its resolver, and what a plan reads in its place. */
    listField<Args extends ListArgs>(list: (args: Args, context: Context) => List) {
      const source: Source = { kind: 'list', list: list as unknown as (args: object, context: Context) => List };
      return {
        extensions: { source },
        resolve: (_root: unknown, args: Args, context: Context, info: GraphQLResolveInfo): Promise<Page> =>
          resolveConnection({ ...list(args, context), context, info }) as never,
      };
    },
  };
}

/** A field of a row that answers a list of those that belong to it. @param list by the id of the row */
export function innerListField<Args extends ListArgs>(list: (args: Args, context: Context, id: string) => List) {
  const source: Source = {
    kind: 'innerList',
    list: (args, context) => list(args as Args, context, ROW_ABOVE as unknown as string),
  };
  return {
    extensions: { source },
    resolve: ({ id }: { id: string }, args: Args, context: Context, info: GraphQLResolveInfo): Promise<Page> =>
      resolveConnection({ ...list(args, context, id), context, info }) as never,
  };
}

function newestPage(where: NewestTasks['where'], args: PageArgs, order: readonly OrderBy[]): NewestTasks | undefined {
  const { where: beyond, orderBy, take, skip, reversed } = planPage(args, order);
  const [first, second] = orderBy;
  const isNewestFirst = first?.['createdAt'] === 'desc' && second?.['id'] === 'desc';
  return isNewestFirst && !reversed && skip === 0 && beyond.length === 0 ? { where, orderBy, take } : undefined;
}

/** createdAt -> CREATED_AT */
const screaming = (column: string) => column.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
