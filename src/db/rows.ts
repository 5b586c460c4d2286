/**
 * Rows by Prisma's arguments, read as arrays by one statement: what plans run (src/graphql/plans). The arguments are bound to
 * the tenant by the tenant client's own rule, and said in SQL as Prisma says them.
 */
import type { ArgType, SqlDriverAdapter, SqlQuery } from '@prisma/driver-adapter-utils';
import { LRUCache } from 'lru-cache';
import { getDatamodel } from './generated/pothos.js';
import type { Provider } from './provider.js';
import { boundWhere, type Reach, type Tenant } from './tenant.js';

type Where = Readonly<Record<string, unknown>>;

/** A table of a query: the model's own, or one that is joined to it. */
export interface Table {
  readonly alias: string;
  /** As the datamodel has it. */
  readonly model: string;
}

/** The row that a column of another table refers to, where it is within reach; all of its columns are null otherwise. */
export interface Join extends Table {
  readonly from: Table;
  readonly column: string;
}

/** What is read of each row. The same object stands for the same always: what is made of it is kept with it. */
export interface RowSelection {
  readonly model: string;
  readonly columns: readonly { readonly table: Table; readonly column: string }[];
  readonly joins: readonly Join[];
}

export interface RowQuery {
  readonly selection: RowSelection;
  /** As Prisma takes it. */
  readonly where: Where;
  readonly orderBy?: readonly Where[];
  readonly take?: number;
  readonly skip?: number;
}

/** A connection to the database, which may know a way to read rows without all that Prisma's client asks of them. */
export interface RowConnection extends Pick<SqlDriverAdapter, 'queryRaw'> {
  /** Dates are milliseconds since 1970, and booleans 0 and 1. */
  queryRows?(query: SqlQuery): Promise<unknown[][]>;
  /** Changes with every change of what the reach has of tasks, projects and users. */
  rowVersion?(tenant: Tenant): number;
}

/** What cannot be said here: Prisma is asked. */
export class NotTranslated extends Error {
  override readonly name = 'NotTranslated';
}

const MODELS = getDatamodel().datamodel.models;
const MODEL_FIELDS = new Map(
  Object.entries(MODELS).map(([model, { fields }]) => [model, new Map(fields.map((field) => [field.name, field]))]),
);

export class Rows {
  readonly #heads = new WeakMap<RowSelection, LRUCache<string, Head>>();

  constructor(
    private readonly provider: Provider,
    private readonly connection: () => RowConnection,
    private readonly onQuery: (sql: string) => void = () => {},
  ) {}

  /**
   * @returns a function that reads the rows, each an array of its columns; a date is a Date
   * @throws NotTranslated
   */
  prepare(reach: Reach, query: RowQuery): () => Promise<unknown[][]> {
    const { sql, statement, read } = this.#select(reach, query);
    return async () => read(await this.#query(sql, statement));
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
  ): (ids: readonly string[]) => Promise<Map<string, unknown[][]>> {
    const { sql, statement, read } = this.#select(reach, query, parent);
    if (this.provider === 'sqlite') {
      // No statement for many rows is quicker than one for each here, where none waits for a network.
      return async (ids) => {
        const found = new Map<string, unknown[][]>();
        for (const id of ids) found.set(id, read(await this.#query(sql, statement.with(id))));
        return found;
      };
    }
    const alias = statement.quote(PARENT);
    return async (ids) => {
      const { args, argTypes } = statement;
      const each = `SELECT ${alias}."id", "child".* FROM unnest($${args.length + 1}::text[]) AS ${alias}("id") CROSS JOIN LATERAL (${sql}) AS "child"`;
      const listed: ArgType = { scalarType: 'string', arity: 'list' };
      const rows = await this.#query(each, { args: [...args, ids], argTypes: [...argTypes, listed] });
      const found = new Map<string, unknown[][]>();
      for (const [id, ...row] of rows) {
        const of = found.get(id as string);
        if (of) of.push(row);
        else found.set(id as string, [row]);
      }
      for (const of of found.values()) read(of);
      return found;
    };
  }

  /**
   * A number that changes with every change of the tasks, projects and users within reach.
   * @returns undefined where the database does not tell
   */
  version(reach: Reach): number | undefined {
    try {
      return this.connection().rowVersion?.(reach);
    } catch {
      // What is wrong with the database is said where it is read.
      return undefined;
    }
  }

  /**
   * @returns a function that counts the rows
   * @throws NotTranslated
   */
  prepareCount(reach: Reach, model: string, where: Where): () => Promise<number> {
    const statement = new Statement(this.provider);
    const condition = statement.condition({ alias: model, model }, boundWhere(reach, model, where));
    const sql = `SELECT COUNT(*) FROM ${statement.quote(model)} WHERE ${condition}`;
    return async () => Number((await this.#query(sql, statement))[0]?.[0]);
  }

  #select(reach: Reach, { selection, where, orderBy = [], take, skip = 0 }: RowQuery, parent?: symbol) {
    const { model } = selection;
    const base = { alias: model, model };
    const head = this.#head(reach, selection);
    const statement = new Statement(this.provider, parent, head);
    let sql = `${head.sql} WHERE ${statement.condition(base, boundWhere(reach, model, where))}`;
    const order = orderBy.map((item) => statement.order(base, item)).join(', ');
    if (order !== '') sql += ` ORDER BY ${order}`;
    if (take !== undefined) sql += statement.page(take, skip);
    return { sql, statement, read: head.read };
  }

  /** What comes before the condition, made once for each tenant. */
  #head(reach: Reach, selection: RowSelection): Head {
    let heads = this.#heads.get(selection);
    if (!heads) {
      heads = new LRUCache({ max: MAX_HEADS });
      this.#heads.set(selection, heads);
    }
    const name = `${reach.kind} ${reach.workspaceId} ${reach.environment}`;
    let head = heads.get(name);
    if (!head) {
      const statement = new Statement(this.provider);
      const sql = headOf(statement, reach, selection);
      head = { sql, args: statement.args, argTypes: statement.argTypes, read: reader(selection) };
      heads.set(name, head);
    }
    return head;
  }

  async #query(sql: string, { args, argTypes }: Pick<SqlQuery, 'args' | 'argTypes'>): Promise<unknown[][]> {
    this.onQuery(sql);
    const connection = this.connection();
    const query = { sql, args, argTypes };
    return connection.queryRows ? connection.queryRows(query) : (await connection.queryRaw(query)).rows;
  }
}

const PARENT = 'parent';
/** Tenants for which what comes before the condition of a statement is kept. */
const MAX_HEADS = 20;

interface Head extends Pick<SqlQuery, 'sql' | 'args' | 'argTypes'> {
  /** Makes of what is stored what is answered, in place. */
  readonly read: (rows: unknown[][]) => unknown[][];
}

function headOf(statement: Statement, reach: Reach, { model, columns, joins }: RowSelection): string {
  const selected = columns.map(({ table, column }) => statement.column(table, column)).join(', ');
  let sql = `SELECT ${selected} FROM ${statement.quote(model)}`;
  for (const join of joins) {
    const found = `${statement.column(join, 'id')} = ${statement.column(join.from, join.column)}`;
    const within = statement.condition(join, boundWhere(reach, join.model, {}));
    sql += ` LEFT JOIN ${statement.quote(join.model)} AS ${statement.quote(join.alias)} ON ${found} AND ${within}`;
  }
  return sql;
}

function reader({ columns }: RowSelection): (rows: unknown[][]) => unknown[][] {
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

/** What is not stored as it is answered, by the type of its column. */
const READ: Readonly<Record<string, (value: unknown) => unknown>> = {
  DateTime: (value) => new Date(value as string | number),
  Boolean: (value) => Boolean(value),
};

const COMPARATORS: Readonly<Record<string, string>> = { gt: '>', gte: '>=', lt: '<', lte: '<=' };
const TRUE = '1=1';
const FALSE = '1=0';

/** One statement while it is made: its text refers to what it holds. */
class Statement {
  readonly args: unknown[];
  readonly argTypes: ArgType[];

  /**
   * @param parent stands for the id of a row of another query
   * @param head what comes before
   */
  constructor(
    private readonly provider: Provider,
    private readonly parent?: symbol,
    head?: Head,
  ) {
    this.args = head ? [...head.args] : [];
    this.argTypes = head ? [...head.argTypes] : [];
  }

  /** The same for a row of the other query. */
  with(id: string): Pick<SqlQuery, 'args' | 'argTypes'> {
    return { args: this.args.map((arg) => (arg === this.parent ? id : arg)), argTypes: this.argTypes };
  }

  quote(name: string): string {
    return this.provider === 'postgresql' ? `"${name}"` : `\`${name}\``;
  }

  column({ alias, model }: Table, column: string): string {
    typeOf(model, column);
    return `${this.quote(alias)}.${this.quote(column)}`;
  }

  value(value: unknown, scalarType: ArgType['scalarType'], cast?: string): string {
    if (this.provider === 'postgresql' && this.parent && value === this.parent) return `${this.quote(PARENT)}."id"`;
    this.args.push(this.#stored(value));
    this.argTypes.push({ scalarType, arity: 'scalar' });
    if (this.provider === 'sqlite') return '?';
    return cast === undefined ? `$${this.args.length}` : `CAST($${this.args.length}::text AS "${cast}")`;
  }

  #stored(value: unknown): unknown {
    if (this.provider === 'sqlite' && typeof value === 'boolean') return Number(value);
    if (!(value instanceof Date)) return value;
    return this.provider === 'sqlite' ? value.getTime() : value.toISOString();
  }

  condition(table: Table, where: Where): string {
    const parts = Object.entries(where).flatMap(([name, value]) => {
      if (value === undefined) return [];
      if (name === 'AND') return [this.#all(table, value, ' AND ', TRUE)];
      if (name === 'OR') return [this.#all(table, value, ' OR ', FALSE)];
      if (name === 'NOT') return [`(NOT ${this.#all(table, value, ' AND ', TRUE)})`];
      return [this.#field(table, name, value)];
    });
    return joined(parts, ' AND ', TRUE);
  }

  order(table: Table, item: Where): string {
    const [[column, how]] = Object.entries(item) as [[string, unknown]];
    if (typeof how === 'string') return `${this.column(table, column)} ${how === 'desc' ? 'DESC' : 'ASC'}`;
    const { sort, nulls } = how as { sort: string; nulls: string };
    return `${this.column(table, column)} ${sort === 'desc' ? 'DESC' : 'ASC'} NULLS ${nulls === 'first' ? 'FIRST' : 'LAST'}`;
  }

  /** On SQLite the rows are said in the text: it takes twice as long where it does not know how many it looks for. */
  page(take: number, skip: number): string {
    if (this.provider === 'sqlite')
      return ` LIMIT ${Math.trunc(take)}${skip > 0 ? ` OFFSET ${this.value(skip, 'int')}` : ''}`;
    return ` LIMIT ${this.value(take, 'int')} OFFSET ${this.value(skip, 'int')}`;
  }

  #all(table: Table, value: unknown, joiner: string, empty: string): string {
    const items = (Array.isArray(value) ? value : [value]) as Where[];
    const parts = items.map((item) => this.condition(table, item));
    return joined(parts, joiner, empty);
  }

  #field(table: Table, name: string, value: unknown): string {
    const { model } = table;
    const field = MODEL_FIELDS.get(model)?.get(name);
    if (!field) throw new NotTranslated(`${model}.${name}`);
    if (field.kind === 'object') return this.#relation(table, name, value);
    const column = this.column(table, name);
    const scalar = scalarOf(field.type);
    const cast = field.kind === 'enum' ? field.type : undefined;
    const bound = (one: unknown) => this.value(one, scalar, cast);
    if (value === null) return `${column} IS NULL`;
    if (typeof value !== 'object' || value instanceof Date) return `${column} = ${bound(value)}`;
    const { mode, ...tests } = value as Where;
    const parts = Object.entries(tests).map(([operator, operand]) => {
      const comparator = COMPARATORS[operator];
      if (comparator !== undefined && operand !== null) return `${column} ${comparator} ${bound(operand)}`;
      switch (operator) {
        case 'not':
          if (operand !== null && typeof operand === 'object' && !(operand instanceof Date)) break;
          return operand === null ? `${column} IS NOT NULL` : `${column} <> ${bound(operand)}`;
        case 'in':
        case 'notIn': {
          const values = operand as readonly unknown[];
          if (values.length === 0) return operator === 'in' ? FALSE : TRUE;
          return `${column} ${operator === 'in' ? 'IN' : 'NOT IN'} (${values.map(bound).join(',')})`;
        }
        case 'contains': {
          const like = mode === 'insensitive' && this.provider === 'postgresql' ? 'ILIKE' : 'LIKE';
          return `${column} ${like} ${bound(`%${operand}%`)}`;
        }
      }
      throw new NotTranslated(`${model}.${name} ${operator}`);
    });
    return joined(parts, ' AND ', TRUE);
  }

  /** Rows of a list that belong to this one: some, or none. */
  #relation(table: Table, name: string, value: unknown): string {
    const { model } = table;
    const field = MODEL_FIELDS.get(model)?.get(name);
    const { some, none, ...others } = value as { some?: Where; none?: Where };
    const other = field?.type ?? '';
    const back = [...(MODEL_FIELDS.get(other)?.values() ?? [])].find(
      (candidate) => candidate.type === model && candidate.relationName === field?.relationName,
    );
    const [column] = back?.relationFromFields ?? [];
    const condition = some ?? none;
    if (!condition || Object.keys(others).length > 0 || column === undefined || (some && none)) {
      throw new NotTranslated(`${model}.${name}`);
    }
    const inside = { alias: other, model: other };
    const inner = `SELECT 1 FROM ${this.quote(other)} WHERE ${this.column(inside, column)} = ${this.column(table, 'id')} AND ${this.condition(inside, condition)}`;
    return `${some ? '' : 'NOT '}EXISTS (${inner})`;
  }
}

/** @param empty what all of none is; nothing else is left out, for the values in it are counted */
function joined(parts: readonly string[], joiner: string, empty: string): string {
  const known = parts.filter((part) => part !== empty);
  const [first = empty] = known;
  return known.length > 1 ? `(${known.join(joiner)})` : first;
}

function typeOf(model: string, column: string): string {
  const field = MODEL_FIELDS.get(model)?.get(column);
  if (!field || field.kind === 'object') throw new NotTranslated(`${model}.${column}`);
  return field.type;
}

function scalarOf(type: string): ArgType['scalarType'] {
  switch (type) {
    case 'Int':
      return 'int';
    case 'Float':
      return 'float';
    case 'DateTime':
      return 'datetime';
    case 'Boolean':
      return 'boolean';
    default:
      return 'string';
  }
}
