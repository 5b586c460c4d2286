/** What plans read: the columns of one statement, its page of rows, and what is in other tables than theirs. */
import type { GraphQLObjectType } from 'graphql';
import { LRUCache } from 'lru-cache';
import { readingFor } from '../../db/reader.js';
import type { Join, RowSelection } from '../../db/selection.js';
import type { Table } from '../../db/statement.js';
import type { Variables } from '../../operations/variables.js';
import type { List } from '../connections/connection.js';
import { cursorColumns, cutPage, encodeCursor, planPage } from '../connections/keyset.js';
import type { Context } from '../context.js';
import { trackedSeconds } from '../trackedTime.js';

export type Row = readonly unknown[];

/** What has no plan. */
export class NoPlan extends Error {}

/**
 * Every change of their rows is counted (see the migrations); lists of them depend neither on the time nor on who asks within
 * a tenant, unless they say so (`use.isRememberable`). What reads any other model, on whichever level, is not remembered.
 */
export const COUNTED: ReadonlySet<string> = new Set(['Task', 'Project', 'State', 'User']);

/** Tables joined in one statement; PostgreSQL takes long to plan more. */
const MAX_JOINS = 8;
/** Orders of one list for which its columns are kept: clients choose them. */
const MAX_ORDERS = 20;

/** Rows of one place in the answer, with what is in other tables than theirs. */
export interface LoadedRows {
  /** By the id of the task. */
  readonly tags: ReadonlyMap<unknown, readonly string[]>;
  /** What each list within the rows shows, by the id of the row. */
  readonly lists: readonly ReadonlyMap<unknown, string>[];
  /** By the id of the task. */
  readonly seconds: ReadonlyMap<unknown, number>;
}

/** Reads what is in other tables than the rows themselves. */
type Load = (rows: readonly Row[]) => Promise<LoadedRows>;

/** What one statement reads: columns of a table and of those that are joined to it. */
export class Selection implements RowSelection {
  readonly columns: { readonly table: Table; readonly column: string }[] = [];
  readonly joins: Join[] = [];
  readonly lists: InnerList[] = [];
  readonly table: Table;
  /** With the columns of a cursor, by their names. */
  readonly #ordered = new LRUCache<string, OrderedSelection>({ max: MAX_ORDERS });
  /** Where the ids of tasks are whose tags are shown. */
  readonly tagsOf = new Set<number>();
  /** The same for the time that they took. */
  readonly secondsOf = new Set<number>();

  constructor(readonly model: string) {
    this.table = { alias: model, model };
  }

  /** Where the column is in each row. */
  place(table: Table, column: string): number {
    const known = this.columns.findIndex((one) => one.table === table && one.column === column);
    return known < 0 ? this.columns.push({ table, column }) - 1 : known;
  }

  /** Once all of it is known. */
  with(names: readonly string[]): OrderedSelection {
    const key = names.join();
    let ordered = this.#ordered.get(key);
    if (!ordered) {
      const columns = [...this.columns];
      const places = names.map((column) => [column, columns.push({ table: this.table, column }) - 1] as const);
      ordered = { selection: { model: this.model, columns, joins: this.joins }, places };
      this.#ordered.set(key, ordered);
    }
    return ordered;
  }

  join(from: Table, column: string, model: string): Table {
    const known = this.joins.find((join) => join.from === from && join.column === column);
    if (known) return known;
    if (this.joins.length === MAX_JOINS) throw new NoPlan();
    const join = { alias: `j${this.joins.length}`, model, from, column };
    this.joins.push(join);
    return join;
  }
}

/** A selection with more columns of its table, and where they are. */
interface OrderedSelection {
  readonly selection: RowSelection;
  readonly places: readonly (readonly [column: string, place: number])[];
}

/** A list within the rows of another. */
export interface InnerList {
  /** Where the id of the row is that it belongs to. */
  readonly place: number;
  bind(variables: Variables, context: Context): (ids: readonly unknown[]) => Promise<ReadonlyMap<unknown, string>>;
}

/** What is shown of a connection. */
export interface ConnectionShape {
  readonly rowType: GraphQLObjectType;
  readonly selection: Selection;
  readonly parts: readonly (readonly [string, (connection: Connection) => string])[];
  readonly hasCursors: boolean;
  readonly hasCount: boolean;
}

/** A page of rows. */
export interface Page {
  readonly page: readonly Row[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly cursorOf: (row: Row) => string;
}

/** What a connection shows parts of. */
export interface Connection extends Page {
  readonly rows: LoadedRows;
  readonly count: number;
}

/**
 * The statement of a page, and how the page is cut out of the rows that it finds.
 * @throws NoPlan; ApiError for the page's arguments
 */
export function pageQuery({ rowType, selection, hasCursors }: ConnectionShape, asked: List) {
  if (asked.model !== rowType.name) throw new NoPlan();
  const plan = planPage(asked.args, asked.order);
  const ordered = hasCursors ? selection.with(Object.keys(cursorColumns(plan))) : { selection, places: [] };
  const where = { AND: [asked.where, ...plan.where] };
  const { orderBy, take, skip } = plan;
  const cursorOf = (row: Row) =>
    encodeCursor(Object.fromEntries(ordered.places.map(([column, place]) => [column, row[place]])), plan.order);
  return {
    query: { selection: ordered.selection, where, orderBy, take, skip },
    /** The page, of what was found. */
    cut: (found: readonly Row[]): Page => ({ ...cutPage(plan, asked.args, found), cursorOf }),
  };
}

/** Reads tags and inner lists of rows, for all of them together. */
export function loader(selection: Selection, variables: Variables, context: Context): Load {
  const { tagsOf, secondsOf, lists } = selection;
  if (tagsOf.size === 0 && secondsOf.size === 0 && lists.length === 0) return async () => NOTHING_LOADED;
  const bound = lists.map(({ place, bind }) => ({ place, load: bind(variables, context) }));
  return async (rows) => {
    if (rows.length === 0) return NOTHING_LOADED;
    const idsAt = (place: number) => [...new Set(rows.map((row) => row[place]))].filter((id) => id !== null);
    const [tags, seconds, ...shown] = await Promise.all([
      tagsOf.size === 0 ? NOTHING_LOADED.tags : loadTags(context, [...tagsOf].flatMap(idsAt)),
      secondsOf.size === 0 ? NOTHING_LOADED.seconds : loadSeconds(context, [...secondsOf].flatMap(idsAt)),
      ...bound.map(({ place, load }) => load(idsAt(place))),
    ]);
    return { tags, seconds, lists: shown };
  };
}

const NOTHING_LOADED: LoadedRows = { tags: new Map(), seconds: new Map(), lists: [] };

async function loadSeconds(context: Context, ids: readonly unknown[]): Promise<LoadedRows['seconds']> {
  const all = ids as readonly string[];
  const load = () => Promise.all(all.map((id) => trackedSeconds(context).load(id)));
  const seconds = await readingFor(context.reader, load);
  return new Map(all.map((id, index) => [id, seconds[index] ?? 0]));
}

const TAG_TABLE: Table = { alias: 'TaskTag', model: 'TaskTag' };
const TAGS: RowSelection = {
  model: TAG_TABLE.model,
  columns: ['taskId', 'name'].map((column) => ({ table: TAG_TABLE, column })),
  joins: [],
};

async function loadTags(context: Context, ids: readonly unknown[]): Promise<LoadedRows['tags']> {
  const where = { taskId: { in: ids } };
  const { reach, reader, services } = context;
  const find = services.database.rows.prepare(reach, { selection: TAGS, where, orderBy: [{ name: 'asc' }] });
  const tags = new Map<unknown, string[]>();
  for (const [taskId, name] of await find(reader)) {
    const names = tags.get(taskId);
    if (names) names.push(name as string);
    else tags.set(taskId, [name as string]);
  }
  return tags;
}
