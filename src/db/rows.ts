/**
 * Rows by Prisma's arguments, read as arrays by one statement: what plans run (src/graphql/plans). The arguments are bound to
 * the tenant by the tenant client's own rule, and said in SQL as Prisma says them.
 */
import type { ArgType, SqlQuery, SqlResultSet } from '@prisma/driver-adapter-utils';
import { LRUCache } from 'lru-cache';
import { noteProjects, projectColumn, tasksOf, toldProjects } from './projectReach.js';
import type { Provider } from './provider.js';
import type { Reader } from './reader.js';
import { BatchedRowVersions, type RowVersion } from './rowVersions.js';
import { find, headOf, NEWEST, NUMBERS, page, type RowQuery, type RowSelection } from './selection.js';
import { PARENT, Statement, typeOf, type Where } from './statement.js';
import { conjunctsOf } from './taggedTasks.js';
import { boundWhere, nameOfReach, type Reach, type Tenant } from './tenant.js';

/** The newest tasks of those that satisfy a condition. */
export type NewestTasks = Required<Pick<RowQuery, 'where' | 'orderBy' | 'take'>>;

/** One statement, and the arguments of each time that it runs. */
interface EachQuery extends Omit<SqlQuery, 'args'> {
  readonly each: readonly (readonly unknown[])[];
}

/** @throws to end the reading */
type SeenRows = (rows: readonly unknown[][]) => void;

/** A connection to the database, which may know a way to read rows without all that Prisma's client asks of them. */
export interface RowConnection {
  /** @param reader where it is not the one that is known wherever a statement runs */
  queryRaw(query: SqlQuery, reader?: Reader): Promise<SqlResultSet>;
  /** The same; dates are milliseconds since 1970, and booleans 0 and 1. */
  queryRows?(query: SqlQuery, reader?: Reader): Promise<unknown[][]>;
  /** The same for each of some arguments, all of one state of the database. @param seen is told the rows of each */
  queryEach?(query: EachQuery, reader?: Reader, seen?: SeenRows): Promise<unknown[][][]>;
  /** Changes with every change of what the tenant has of tasks, projects and users. */
  rowVersion?(tenant: Tenant): RowVersion;
}

/** In an argument of a statement: the id that it is run with. */
const ID = Symbol('the id of the row');

export class Rows {
  readonly #heads = new WeakMap<RowSelection, LRUCache<string, Head>>();
  readonly #versions: BatchedRowVersions | undefined;

  constructor(
    private readonly provider: Provider,
    private readonly connection: () => RowConnection,
    private readonly onQuery: (sql: string) => void = () => {},
  ) {
    if (provider === 'postgresql')
      this.#versions = new BatchedRowVersions((query, reader) => this.connection().queryRaw(query, reader));
  }

  /**
   * @returns a function that reads the rows, each an array of its columns; a date is a Date. It may be kept: it depends on
   *   the reach and the query alone
   * @throws NotTranslated
   */
  prepare(reach: Reach, query: RowQuery): (reader: Reader) => Promise<unknown[][]> {
    const { sql, statement, read } = this.#select(reach, query);
    const { bound } = reach;
    return async (reader) => {
      const rows = read(await this.#query(sql, statement, reader), reader);
      if (bound && query.selection.model === 'Label' && rows.length > 0) noteProjects(bound.projects, reader);
      return rows;
    };
  }

  /** The same for the row of an id, if there is one within reach: its statement is made once for each reach. */
  prepareRow(reach: Reach, selection: RowSelection): (id: string, reader: Reader) => Promise<unknown[][]> {
    const head = this.#head(reach, selection);
    head.ofRow ??= this.#select(reach, { selection, where: { id: ID } });
    const { sql, statement, read } = head.ofRow;
    return async (id, reader) => read(await this.#query(sql, statement.with(ID, id), reader), reader);
  }

  /**
   * The rows that belong to each of some rows.
   * @param parent stands for the id of the other row in the condition
   * @returns a function that reads them, by the id of the other row
   * @throws NotTranslated
   */
  prepareEach(
    reach: Reach,
    query: RowQuery,
    parent: symbol,
  ): (ids: readonly string[], reader: Reader) => Promise<Map<string, unknown[][]>> {
    const { sql, statement, read, types } = this.#select(reach, query, parent);
    const find = types.some((type) => NOT_IN_JSON.has(type))
      ? this.#each(sql, statement, parent)
      : this.#each(sql, statement, parent, types);
    return async (ids, reader) => {
      const found = await find(ids, reader);
      for (const of of found.values()) read(of, reader);
      return found;
    };
  }

  /**
   * How many rows belong to each of some rows.
   * @param parent stands for the id of the other row in the condition
   * @returns a function that counts them, by the id of the other row
   * @throws NotTranslated
   */
  prepareCountEach(
    reach: Reach,
    model: string,
    where: Where,
    parent: symbol,
  ): (ids: readonly string[], reader: Reader) => Promise<Map<string, number>> {
    const statement = new Statement(this.provider, parent);
    const found = find(statement, model, ` FROM ${statement.quote(model)}`, boundWhere(reach, model, where));
    const count = this.#each(`SELECT COUNT(*)${found}`, statement, parent);
    return async (ids, reader) => {
      const counted = await count(ids, reader);
      return new Map([...counted].map(([id, rows]) => [id, Number(rows[0]?.[0])]));
    };
  }

  /**
   * What a statement answers for each of some rows, by its id.
   * @param types of its columns, where its rows may come as one JSON text
   */
  #each(
    sql: string,
    statement: Statement,
    parent: symbol,
    types?: readonly string[],
  ): (ids: readonly string[], reader: Reader) => Promise<Map<string, unknown[][]>> {
    const connection = this.connection();
    if (connection.queryEach) {
      // No statement for many rows is quicker than one for each here, where none waits for a network.
      const { argTypes } = statement;
      return async (ids, reader) => {
        this.onQuery(sql);
        const each = ids.map((id) => statement.with(parent, id).args);
        const found = await connection.queryEach?.({ sql, argTypes, each }, reader);
        return new Map(ids.map((id, index) => [id, found?.[index] ?? []]));
      };
    }
    if (types) return this.#eachAsText(sql, statement, types);
    const alias = statement.quote(PARENT);
    return async (ids, reader) => {
      const { args, argTypes } = statement;
      const each = `SELECT ${alias}."id", "child".* FROM unnest($${args.length + 1}::text[]) AS ${alias}("id") CROSS JOIN LATERAL (${sql}) AS "child"`;
      const listed: ArgType = { scalarType: 'string', arity: 'list' };
      const rows = await this.#query(each, { args: [...args, ids], argTypes: [...argTypes, listed] }, reader);
      const found = new Map<string, unknown[][]>();
      for (const [id, ...row] of rows) {
        const of = found.get(id as string);
        if (of) of.push(row);
        else found.set(id as string, [row]);
      }
      return found;
    };
  }

  /** Each value by itself takes the driver longer than all in one text. */
  #eachAsText(
    sql: string,
    statement: Statement,
    types: readonly string[],
  ): (ids: readonly string[], reader: Reader) => Promise<Map<string, unknown[][]>> {
    const alias = statement.quote(PARENT);
    const names = types.map((_, index) => `"c${index}"`).join(', ');
    const { args, argTypes } = statement;
    const rowsOfOne = `SELECT json_agg(json_build_array(${names}))::text FROM (${sql}) AS "child"(${names})`;
    const each = `SELECT ${alias}."id", (${rowsOfOne}) FROM unnest($${args.length + 1}::text[]) AS ${alias}("id")`;
    const listed: ArgType = { scalarType: 'string', arity: 'list' };
    const dates = types.flatMap((type, index) => (type === 'DateTime' ? [index] : []));
    return async (ids, reader) => {
      const found = await this.#query(each, { args: [...args, ids], argTypes: [...argTypes, listed] }, reader);
      return new Map(
        found.map(([id, text]) => {
          const rows = text === null ? [] : (JSON.parse(text as string) as unknown[][]);
          // They are kept in UTC, which JSON does not say.
          for (const row of rows) for (const at of dates) if (row[at] !== null) row[at] += 'Z';
          return [id as string, rows];
        }),
      );
    };
  }

  /** Whether a version costs a statement. */
  get hasDistantVersions(): boolean {
    return this.#versions !== undefined;
  }

  /**
   * What changes with every change of the tasks, projects and users within reach.
   * @returns undefined where the database does not tell
   */
  version(reach: Reach): RowVersion | undefined | Promise<RowVersion | undefined> {
    if (this.#versions) return this.#versions.of(reach);
    try {
      return this.connection().rowVersion?.(reach);
    } catch {
      // What is wrong with the database is said where it is read.
      return undefined;
    }
  }

  /**
   * @param kept of all that is within reach, where the database keeps it: the sum of this column
   * @returns a function that counts the rows
   * @throws NotTranslated
   */
  prepareCount(
    reach: Reach,
    model: string,
    where: Where,
    kept?: { readonly model: string; readonly column: string },
  ): (reader: Reader) => Promise<number> {
    const statement = new Statement(this.provider);
    if (kept) {
      const table = { alias: kept.model, model: kept.model };
      const condition = statement.condition(table, boundWhere(reach, kept.model, {}));
      const sum = `SELECT SUM(${statement.column(table, kept.column)}) FROM ${statement.quote(kept.model)} WHERE ${condition}`;
      return async (reader) => Number((await this.#query(sum, statement, reader))[0]?.[0] ?? 0);
    }
    const found = find(statement, model, ` FROM ${statement.quote(model)}`, boundWhere(reach, model, where));
    const sql = `SELECT COUNT(*)${found}`;
    const told = reach.bound ? toldProjects(model, conjunctsOf(where), reach.bound) : [];
    return async (reader) => {
      const count = Number((await this.#query(sql, statement, reader))[0]?.[0]);
      if (count > 0) noteProjects(told, reader);
      return count;
    };
  }

  /**
   * Of a page of the newest tasks, on SQLite.
   * @param entries answers numbers, the greatest first: the tasks of a page are some of these, or have lower ones
   * @returns a function that reads the numbers of the page; undefined where it is not full of these, or where one of a lower
   *   number was made as late
   * @throws NotTranslated
   */
  prepareNewest(
    reach: Reach,
    { where, orderBy, take }: NewestTasks,
    entries: SqlQuery,
  ): (reader: Reader) => Promise<number[] | undefined> {
    const statement = new Statement(this.provider, undefined, entries);
    const task = { alias: 'Task', model: 'Task' };
    const [number, createdAt] = ['number', 'createdAt'].map((column) => statement.column(task, column));
    const among = `${number} IN (SELECT "number" FROM "found")`;
    const fits = statement.condition(task, boundWhere(reach, 'Task', where));
    const order = orderBy.map((item) => statement.order(task, item)).join(', ');
    const { workspaceId, environment } = reach;
    const ofTenant = statement.condition(task, { workspaceId, environment });
    const from = ` FROM ${statement.quote('Task')}`;
    const sql = `SELECT * FROM (WITH "found" AS MATERIALIZED (${entries.sql}),
      "page" AS MATERIALIZED (SELECT ${number} AS "number", ${createdAt} AS "createdAt"${from}${statement.by(NUMBERS)}
        WHERE ${among} AND ${fits} ORDER BY ${order}${statement.page(take, 0)})
      SELECT (SELECT json_group_array("number") FROM "page"), EXISTS (SELECT 1${from}${statement.by(NEWEST)}
        WHERE ${ofTenant} AND ${createdAt} >= (SELECT min("createdAt") FROM "page") AND ${number} < (SELECT min("number") FROM "found")))`;
    return async (reader) => {
      const [[numbers, hasOther] = []] = await this.#query(sql, statement, reader);
      const page = JSON.parse(numbers as string) as number[];
      return page.length < take || hasOther ? undefined : page;
    };
  }

  #select(reach: Reach, { selection, where, orderBy = [], take, skip = 0 }: RowQuery, parent?: symbol): Select {
    const { model } = selection;
    const head = this.#head(reach, selection);
    const statement = new Statement(this.provider, parent, head);
    const within = boundWhere(reach, model, where);
    const sql =
      take === undefined
        ? find(statement, model, head.sql, within, orderBy)
        : page(statement, model, head.sql, within, { orderBy, take, skip });
    return { sql, statement, read: head.read, types: head.types };
  }

  /** What comes before the condition, made once for each tenant. */
  #head(reach: Reach, selection: RowSelection): Head {
    let heads = this.#heads.get(selection);
    if (!heads) {
      heads = new LRUCache({ max: MAX_HEADS });
      this.#heads.set(selection, heads);
    }
    const name = nameOfReach(reach);
    let head = heads.get(name);
    if (!head) {
      const statement = new Statement(this.provider);
      const selected = reach.bound ? withProjects(selection) : selection;
      const noted = selected.columns.length - selection.columns.length;
      const read = writtenRows(selection);
      const sql = headOf(statement, reach, selected);
      const types = selected.columns.map(({ table, column }) => typeOf(table.model, column));
      head = {
        sql,
        types,
        args: statement.args,
        argTypes: statement.argTypes,
        read: noted > 0 ? notingProjects(read, noted) : read,
      };
      heads.set(name, head);
    }
    return head;
  }

  async #query(
    sql: string,
    { args, argTypes }: Pick<SqlQuery, 'args' | 'argTypes'>,
    reader: Reader,
  ): Promise<unknown[][]> {
    this.onQuery(sql);
    const connection = this.connection();
    const query = { sql, args, argTypes };
    return connection.queryRows ? connection.queryRows(query, reader) : (await connection.queryRaw(query, reader)).rows;
  }
}

/** Tenants for which what comes before the condition of a statement is kept. */
const MAX_HEADS = 20;

interface Head extends Pick<SqlQuery, 'sql' | 'args' | 'argTypes'> {
  /** Of the columns. */
  readonly types: readonly string[];
  /** Makes of what is stored what is answered, in place. */
  readonly read: (rows: unknown[][], reader: Reader) => unknown[][];
  /** Of the row of an ID, where it was asked for. */
  ofRow?: Select;
}

interface Select extends Pick<Head, 'sql' | 'read' | 'types'> {
  readonly statement: Statement;
}

function writtenRows({ columns }: RowSelection): (rows: unknown[][]) => unknown[][] {
  const typed = columns.flatMap(({ table, column }, index) => {
    const read = READ[typeOf(table.model, column)];
    return read ? [{ index, read }] : [];
  });
  return (rows) => {
    for (const row of rows) {
      for (const { index, read } of typed) if (row[index] !== null) row[index] = read(row[index]);
    }
    return rows;
  };
}

/** The selection with the projects of each row at the end, where it has some. */
function withProjects({ model, columns, joins }: RowSelection): RowSelection {
  const own = { alias: model, model };
  const column = projectColumn(model);
  if (column) return { model, columns: [...columns, { table: own, column }], joins };
  const tasks = tasksOf(model).map((relation) => ({
    ...{ alias: `noted_${relation}`, model: 'Task' },
    ...{ from: own, column: `${relation}Id` },
  }));
  const noted = tasks.map((table) => ({ table, column: 'projectId' }));
  return { model, columns: [...columns, ...noted], joins: [...joins, ...tasks] };
}

/** @param noted how many columns at the end of each row have its projects */
const notingProjects =
  (read: Head['read'], noted: number): Head['read'] =>
  (rows, reader) => {
    noteProjects(
      rows.flatMap((row) => row.slice(-noted)),
      reader,
    );
    return read(rows, reader);
  };

/** Types whose values JSON has in another form than the driver. */
const NOT_IN_JSON = new Set(['Json', 'BigInt', 'Decimal', 'Bytes']);

/** What is not stored as it is answered, by the type of its column. */
const READ: Readonly<Record<string, (value: unknown) => unknown>> = {
  DateTime: (value) => new Date(value as string | number),
  Boolean: (value) => Boolean(value),
};
