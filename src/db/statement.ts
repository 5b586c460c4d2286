/** SQL for a condition, an order or a value, said as Prisma says its arguments; each statement is made anew. */
import type { ArgType, SqlQuery } from '@prisma/driver-adapter-utils';
import { MODELS } from './datamodel.js';
import type { Provider } from './provider.js';

export type Where = Readonly<Record<string, unknown>>;

/** A table of a query: the model's own, or one that is joined to it. */
export interface Table {
  readonly alias: string;
  /** As the datamodel has it. */
  readonly model: string;
}

/** What cannot be said here: Prisma is asked. */
export class NotTranslated extends Error {
  override readonly name = 'NotTranslated';
}

export const MODEL_FIELDS = new Map(
  Object.entries(MODELS).map(([model, { fields }]) => [model, new Map(fields.map((field) => [field.name, field]))]),
);

export const PARENT = 'parent';

/**
 * In a condition on tasks, on PostgreSQL: they were made on one of these days, each with its workspace as the index of texts has it
 * (`dayOf`).
 */
export const MADE_ON = 'MADE_ON';

/** Days since 2000 in UTC. */
export const dayOf = (workspaceId: string, day: number): string => `${workspaceId} ${day}`;
const COMPARATORS: Readonly<Record<string, string>> = { gt: '>', gte: '>=', lt: '<', lte: '<=' };
/** Values that are parameters each. */
const FEW_VALUES = 50;
/** Of a page: one more than is shown. */
const USUAL_ROWS = new Set([1, 5, 10, 15, 20, 25, 30, 50, 100].map((size) => size + 1));
const TRUE = '1=1';
const FALSE = '1=0';

/** One statement while it is made: its text refers to what it holds. */
export class Statement {
  readonly args: unknown[];
  readonly argTypes: ArgType[];
  #relations = 0;

  /**
   * @param parent stands for the id of a row of another query
   * @param head what comes before
   */
  constructor(
    private readonly provider: Provider,
    private readonly parent?: symbol,
    head?: Pick<SqlQuery, 'args' | 'argTypes'>,
  ) {
    this.args = head ? [...head.args] : [];
    this.argTypes = head ? [...head.argTypes] : [];
  }

  /** The same with a value in place of what stands for it. */
  with(symbol: symbol, value: string): Pick<SqlQuery, 'args' | 'argTypes'> {
    return { args: this.args.map((arg) => (arg === symbol ? value : arg)), argTypes: this.argTypes };
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
      if (name === MADE_ON) return [this.#madeOn(table, value as readonly string[])];
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

  /** After a table: by which of its indexes it is read. PostgreSQL chooses by what it knows of the rows. */
  by(index: string): string {
    return this.provider === 'sqlite' ? ` INDEXED BY ${this.quote(index)}` : '';
  }

  /**
   * After another table and CROSS JOIN: the rows of a table that are found for each row of that one, and never the other way round.
   * @param index SQLite's, by which they are found; what PostgreSQL knows of the rows may say that a workspace has none
   */
  foundBy(model: string, index: string, condition: string): string {
    const table = this.quote(model);
    if (this.provider === 'sqlite') return table + this.by(index);
    return `LATERAL (SELECT * FROM ${table} WHERE ${condition} OFFSET 0) AS ${table}`;
  }

  /**
   * Whether what the rows of a page refer to is looked up for these alone, said so. PostgreSQL may take those that have a word for far
   * fewer than they are, and read the whole other table for all of them; SQLite looks each up in any case. Pages of each of some rows are
   * small.
   */
  get joinsLate(): boolean {
    return this.provider === 'postgresql' && this.parent === undefined;
  }

  /**
   * The rows are said in the text. SQLite takes twice as long where it does not know how many it looks for, and PostgreSQL, which takes a
   * tenth of all for it then, plans the statement each time; but it keeps few statements, so that unusual sizes are parameters there.
   */
  page(take: number, skip: number): string {
    const isSaid = this.provider === 'sqlite' || USUAL_ROWS.has(take);
    return ` LIMIT ${isSaid ? Math.trunc(take) : this.value(take, 'int')}${skip > 0 ? ` OFFSET ${this.value(skip, 'int')}` : ''}`;
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
          return `${column} ${operator === 'in' ? 'IN' : 'NOT IN'} (${this.#values(values, scalar, bound)})`;
        }
        case 'contains':
        case 'startsWith': {
          const like = mode === 'insensitive' && this.provider === 'postgresql' ? 'ILIKE' : 'LIKE';
          return `${column} ${like} ${bound(`${operator === 'contains' ? '%' : ''}${operand}%`)}`;
        }
      }
      throw new NotTranslated(`${model}.${name} ${operator}`);
    });
    return joined(parts, ' AND ', TRUE);
  }

  /** By the words of the index (see the migrations), or it is not used. */
  #madeOn(table: Table, days: readonly string[]): string {
    this.args.push(days);
    this.argTypes.push({ scalarType: 'string', arity: 'list' });
    const day = `(${this.column(table, 'createdAt')}::date - DATE '2000-01-01')::text`;
    return `(${this.column(table, 'workspaceId')} || ' ' || ${day}) = ANY($${this.args.length}::text[])`;
  }

  /** Rows of a table may be compared with others of the same table. */
  #related(model: string): Table {
    this.#relations += 1;
    return { alias: `r${this.#relations}`, model };
  }

  /** Many are one parameter on SQLite, so that their number does not make another statement. */
  #values(values: readonly unknown[], scalar: ArgType['scalarType'], bound: (value: unknown) => string): string {
    const isText = scalar === 'int' || scalar === 'string';
    if (this.provider !== 'sqlite' || !isText || values.length <= FEW_VALUES || values.includes(this.parent)) {
      return values.map(bound).join(',');
    }
    return `SELECT "value" FROM json_each(${this.value(JSON.stringify(values), 'string')})`;
  }

  /** Rows of a list that belong to this one: some, or none; or the one row that it refers to. */
  #relation(table: Table, name: string, value: unknown): string {
    const { model } = table;
    const field = MODEL_FIELDS.get(model)?.get(name);
    const [referring] = field?.relationFromFields ?? [];
    if (field && referring !== undefined) {
      const inside = this.#related(field.type);
      const found = `${this.column(inside, 'id')} = ${this.column(table, referring)}`;
      const condition = this.condition(inside, value as Where);
      return `EXISTS (SELECT 1 FROM ${this.quote(field.type)} AS ${this.quote(inside.alias)} WHERE ${found} AND ${condition})`;
    }
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
    const inside = this.#related(other);
    const inner = `SELECT 1 FROM ${this.quote(other)} AS ${this.quote(inside.alias)} WHERE ${this.column(inside, column)} = ${this.column(table, 'id')} AND ${this.condition(inside, condition)}`;
    return `${some ? '' : 'NOT '}EXISTS (${inner})`;
  }
}

/** @param empty what all of none is; nothing else is left out, for the values in it are counted */
function joined(parts: readonly string[], joiner: string, empty: string): string {
  const known = parts.filter((part) => part !== empty);
  const [first = empty] = known;
  return known.length > 1 ? `(${known.join(joiner)})` : first;
}

export function typeOf(model: string, column: string): string {
  const field = MODEL_FIELDS.get(model)?.get(column);
  if (!field || field.kind === 'object') throw new NotTranslated(`${model}.${column}`);
  return field.type;
}

export function scalarOf(type: string): ArgType['scalarType'] {
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
