/**
 * Rows by Prisma's arguments, read as arrays by one statement: what plans run (src/graphql/plans). The arguments are bound to
 * the tenant by the tenant client's own rule, and said in SQL as Prisma says them.
 */
import type { ArgType, SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import { getDatamodel } from './generated/pothos.js';
import type { Provider } from './provider.js';
import { boundWhere, type Reach } from './tenant.js';

type Where = Readonly<Record<string, unknown>>;

export interface RowQuery {
  /** As the datamodel has it. */
  readonly model: string;
  readonly columns: readonly string[];
  /** As Prisma takes it. */
  readonly where: Where;
  readonly orderBy?: readonly Where[];
  readonly take?: number;
  readonly skip?: number;
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
  constructor(
    private readonly provider: Provider,
    private readonly connection: () => Pick<SqlDriverAdapter, 'queryRaw'>,
    private readonly onQuery: (sql: string) => void = () => {},
  ) {}

  /**
   * @returns a function that reads the rows, each an array of its columns; a date is a Date
   * @throws NotTranslated
   */
  prepare(reach: Reach, { model, columns, where, orderBy = [], take, skip = 0 }: RowQuery): () => Promise<unknown[][]> {
    const statement = new Statement(this.provider);
    const selected = columns.map((column) => statement.column(model, column)).join(', ');
    const condition = statement.condition(model, boundWhere(reach, model, where));
    const order = orderBy.map((item) => statement.order(model, item)).join(', ');
    let sql = `SELECT ${selected} FROM ${statement.quote(model)} WHERE ${condition}`;
    if (order !== '') sql += ` ORDER BY ${order}`;
    if (take !== undefined) sql += ` LIMIT ${statement.value(take, 'int')} OFFSET ${statement.value(skip, 'int')}`;
    const dates = columns.flatMap((column, index) => (typeOf(model, column) === 'DateTime' ? [index] : []));
    return async () => {
      const rows = await this.#query(sql, statement);
      for (const row of rows) {
        for (const index of dates) if (row[index] !== null) row[index] = new Date(row[index] as string);
      }
      return rows;
    };
  }

  /**
   * @returns a function that counts the rows
   * @throws NotTranslated
   */
  prepareCount(reach: Reach, model: string, where: Where): () => Promise<number> {
    const statement = new Statement(this.provider);
    const condition = statement.condition(model, boundWhere(reach, model, where));
    const sql = `SELECT COUNT(*) FROM ${statement.quote(model)} WHERE ${condition}`;
    return async () => Number((await this.#query(sql, statement))[0]?.[0]);
  }

  async #query(sql: string, { args, argTypes }: Statement): Promise<unknown[][]> {
    this.onQuery(sql);
    const { rows } = await this.connection().queryRaw({ sql, args, argTypes });
    return rows;
  }
}

const COMPARATORS: Readonly<Record<string, string>> = { gt: '>', gte: '>=', lt: '<', lte: '<=' };
const TRUE = '1=1';
const FALSE = '1=0';

/** One statement while it is made: its text refers to what it holds. */
class Statement {
  readonly args: unknown[] = [];
  readonly argTypes: ArgType[] = [];

  constructor(private readonly provider: Provider) {}

  quote(name: string): string {
    return this.provider === 'postgresql' ? `"${name}"` : `\`${name}\``;
  }

  column(model: string, column: string): string {
    typeOf(model, column);
    return `${this.quote(model)}.${this.quote(column)}`;
  }

  value(value: unknown, scalarType: ArgType['scalarType'], cast?: string): string {
    this.args.push(value instanceof Date ? value.toISOString() : value);
    this.argTypes.push({ scalarType, arity: 'scalar' });
    if (this.provider === 'sqlite') return '?';
    return cast === undefined ? `$${this.args.length}` : `CAST($${this.args.length}::text AS "${cast}")`;
  }

  condition(model: string, where: Where): string {
    const parts = Object.entries(where).flatMap(([name, value]) => {
      if (value === undefined) return [];
      if (name === 'AND') return [this.#all(model, value, ' AND ', TRUE)];
      if (name === 'OR') return [this.#all(model, value, ' OR ', FALSE)];
      if (name === 'NOT') return [`(NOT ${this.#all(model, value, ' AND ', TRUE)})`];
      return [this.#field(model, name, value)];
    });
    return joined(parts, ' AND ', TRUE);
  }

  order(model: string, item: Where): string {
    const [[column, how]] = Object.entries(item) as [[string, unknown]];
    if (typeof how === 'string') return `${this.column(model, column)} ${how === 'desc' ? 'DESC' : 'ASC'}`;
    const { sort, nulls } = how as { sort: string; nulls: string };
    return `${this.column(model, column)} ${sort === 'desc' ? 'DESC' : 'ASC'} NULLS ${nulls === 'first' ? 'FIRST' : 'LAST'}`;
  }

  #all(model: string, value: unknown, joiner: string, empty: string): string {
    const items = (Array.isArray(value) ? value : [value]) as Where[];
    const parts = items.map((item) => this.condition(model, item));
    return joined(parts, joiner, empty);
  }

  #field(model: string, name: string, value: unknown): string {
    const field = MODEL_FIELDS.get(model)?.get(name);
    if (!field) throw new NotTranslated(`${model}.${name}`);
    if (field.kind === 'object') return this.#relation(model, name, value);
    const column = this.column(model, name);
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
  #relation(model: string, name: string, value: unknown): string {
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
    const inner = `SELECT 1 FROM ${this.quote(other)} WHERE ${this.column(other, column)} = ${this.column(model, 'id')} AND ${this.condition(other, condition)}`;
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
