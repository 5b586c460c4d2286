/**
 * Transactions that add rows by statements of their own, on the driver: what is added most often does not wait for a client
 * that makes statements of queries. What is added is written at the end: on PostgreSQL by one statement, which needs no
 * transaction around it where nothing else was asked before, for each statement there is a way to the server and back.
 */
import type { ArgType, SqlDriverAdapter, SqlQuery, Transaction } from '@prisma/driver-adapter-utils';
import { ApiError } from '../errors.js';
import type { Provider } from './provider.js';
import { MODEL_FIELDS, Statement, scalarOf } from './statement.js';

/** Statements within a transaction, said as PostgreSQL has them, with each parameter once and in order. */
export interface RawStatements {
  query<Row>(sql: string, values: readonly unknown[]): Promise<Row[]>;
  /** @returns how many rows were changed */
  execute(sql: string, values: readonly unknown[]): Promise<number>;
}

/** What PostgreSQL has, as the provider has it: its parameters, and no casts to text. */
export function said(provider: Provider, sql: string): string {
  if (provider === 'postgresql') return sql;
  return sql.replace(/\$\d+|::text/g, (part) => (part === '::text' ? '' : '?'));
}

/** Values of raw statements, each a parameter with the type of its column, for PostgreSQL guesses none. */
export class RawValues {
  readonly all: unknown[] = [];

  constructor(private readonly provider: Provider) {}

  /** @returns how the statement says it */
  add(model: string, column: string, value: unknown): string {
    const field = MODEL_FIELDS.get(model)?.get(column);
    if (!field || field.kind === 'object') throw new Error(`${model} has no column ${column}`);
    const isPostgresql = this.provider === 'postgresql';
    this.all.push(isPostgresql ? textOf(value) : storedOf(value));
    const place = `$${this.all.length}`;
    if (!isPostgresql) return place;
    if (field.kind === 'enum') return `CAST(${place}::text AS "${field.type}")`;
    const type = POSTGRESQL_TYPES[field.type];
    return type ? `CAST(${place}::text AS ${type})` : place;
  }
}

/**
 * A statement that adds rows. They are one parameter, JSON: the client takes longer for a parameter of each value than the
 * database for the rows.
 * @param rows what one of them leaves out and another has is null
 */
export function insertionOf(provider: Provider, model: string, rows: readonly Row[]): { sql: string; value: string } {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const names = columns.map((column) => `"${column}"`).join(', ');
  const fields = columns.map((column) => {
    const field = MODEL_FIELDS.get(model)?.get(column);
    if (!field || field.kind === 'object') throw new Error(`${model} has no column ${column}`);
    return field;
  });
  if (provider === 'sqlite') {
    const value = JSON.stringify(rows.map((row) => columns.map((column) => storedOf(row[column]))));
    const places = columns.map((_, index) => `"value" ->> ${index}`).join(', ');
    return { sql: `INSERT INTO "${model}" (${names}) SELECT ${places} FROM json_each($1)`, value };
  }
  const value = JSON.stringify(rows.map((row) => Object.fromEntries(columns.map((name) => [name, jsonOf(row[name])]))));
  const types = fields.map(({ name, type, kind }) => `"${name}" ${kind === 'enum' ? 'text' : RECORD_TYPES[type]}`);
  const places = fields.map(({ name, type, kind }) => (kind === 'enum' ? `CAST("${name}" AS "${type}")` : `"${name}"`));
  const record = `json_to_recordset(CAST($1::text AS json)) AS "row"(${types.join(', ')})`;
  return { sql: `INSERT INTO "${model}" (${names}) SELECT ${places.join(', ')} FROM ${record}`, value };
}

/** A row that a database wrote as JSON: a time is a number of milliseconds there, or text without its zone, which is UTC. */
export function rowOf(model: string, columns: readonly string[], values: readonly unknown[]): Row {
  const fields = MODEL_FIELDS.get(model);
  const row: Record<string, unknown> = {};
  for (const [index, column] of columns.entries()) {
    const value = values[index] ?? null;
    const isDate = value !== null && fields?.get(column)?.type === 'DateTime';
    row[column] = isDate ? new Date(typeof value === 'number' ? value : `${value}Z`) : value;
  }
  return row;
}

const RECORD_TYPES: Readonly<Record<string, string>> = {
  ...{ String: 'text', Int: 'integer', Float: 'double precision', Boolean: 'boolean' },
  ...{ DateTime: 'timestamp(3)', Json: 'jsonb' },
};

const jsonOf = (value: unknown) => (value instanceof Date ? textOf(value) : (value ?? null));

const POSTGRESQL_TYPES: Readonly<Record<string, string>> = { DateTime: 'timestamp(3)', Json: 'jsonb' };

function textOf(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString().slice(0, -1);
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : (value ?? null);
}

function storedOf(value: unknown): unknown {
  if (value instanceof Date) return value.getTime();
  if (typeof value === 'boolean') return Number(value);
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : (value ?? null);
}

/** What becomes of a row that is there already. */
export interface Merge {
  /** The columns by which it is the same. */
  readonly by: readonly string[];
  /** Columns that take the new row's value. */
  readonly replacing?: readonly string[];
  /** A column to which the new row's value is added. */
  readonly adding?: string;
}

interface Insertion {
  readonly model: string;
  readonly merge: Merge | undefined;
  /** What one of them leaves out and another has is null. */
  readonly rows: Row[];
}
type Row = Readonly<Record<string, unknown>>;
type Connection = Pick<SqlDriverAdapter, 'startTransaction' | 'executeRaw'>;

/** Commits what `run` did, or nothing of it. */
export async function inTransaction<T>(
  connection: Connection,
  provider: Provider,
  onQuery: (sql: string) => void,
  run: (transaction: InsertingTransaction) => Promise<T>,
): Promise<T> {
  const transaction = new InsertingTransaction(connection, provider, onQuery);
  try {
    const result = await run(transaction);
    await transaction.commit();
    return result;
  } catch (error) {
    // What went wrong first is told.
    await transaction.rollback();
    throw error;
  }
}

export class InsertingTransaction implements RawStatements {
  readonly #asked = performance.now();
  #begun: Transaction | undefined;
  readonly #insertions: Insertion[] = [];

  constructor(
    private readonly connection: Connection,
    private readonly provider: Provider,
    private readonly onQuery: (sql: string) => void,
  ) {}

  async query<R>(sql: string, values: readonly unknown[]): Promise<R[]> {
    const transaction = await this.#inTime();
    const query = rawQuery(said(this.provider, sql), values);
    this.onQuery(query.sql);
    const { columnNames, rows } = await transaction.queryRaw(query);
    return rows.map((row) => Object.fromEntries(columnNames.map((name, index) => [name, row[index]]))) as R[];
  }

  async execute(sql: string, values: readonly unknown[]): Promise<number> {
    const transaction = await this.#inTime();
    const query = rawQuery(said(this.provider, sql), values);
    this.onQuery(query.sql);
    return transaction.executeRaw(query);
  }

  /**
   * Added at the end, in this order.
   * @param merge by default a row that is there already is an error; no two of the rows may be the same
   */
  insert(model: string, rows: readonly Row[], merge?: Merge): void {
    if (rows.length === 0) return;
    const known = merge ? undefined : this.#insertions.find((other) => other.model === model && !other.merge);
    if (known) known.rows.push(...rows);
    else this.#insertions.push({ model, rows: [...rows], merge });
  }

  async commit(): Promise<void> {
    if (this.provider === 'postgresql') {
      await this.#insertTogether();
    } else {
      for (const insertion of this.#insertions.flatMap(portions)) {
        await this.#run(await this.#inTime(), this.#statement([insertion]));
      }
    }
    // What waited for a disk may be done when nobody waits for it any more.
    if (this.#begun) await this.#inTime();
    await this.#end('COMMIT');
  }

  async rollback(): Promise<void> {
    await this.#end('ROLLBACK').catch(() => this.#begun?.rollback().catch(() => {}));
  }

  async #insertTogether(): Promise<void> {
    if (this.#insertions.length === 0) return;
    if (this.#insertions.every(({ rows }) => rows.length <= FEW)) {
      await this.#run(this.#begun ? await this.#inTime() : this.connection, this.#statement(this.#insertions));
      return;
    }
    for (const insertion of this.#insertions.flatMap(portions)) {
      await this.#run(await this.#inTime(), this.#statement([insertion]));
    }
  }

  #statement(insertions: readonly Insertion[]): SqlQuery {
    const statement = new Statement(this.provider);
    const parts = insertions.map(({ model, rows, merge }) => {
      const given = rows.flatMap((row) => Object.keys(row).filter((column) => row[column] !== undefined));
      const columns = [...new Set(given)];
      const values = rows.map(
        (row) => `(${columns.map((column) => written(statement, model, column, row)).join(',')})`,
      );
      const names = columns.map((column) => statement.quote(column)).join(',');
      return `INSERT INTO ${statement.quote(model)} (${names}) VALUES ${values.join(',')}${merging(statement, model, merge)}`;
    });
    const last = parts.pop() ?? '';
    const before = parts.map((part, index) => `i${index} AS (${part})`).join(', ');
    const sql = before === '' ? last : `WITH ${before} ${last}`;
    return { sql, args: statement.args, argTypes: statement.argTypes };
  }

  async #run(target: Pick<SqlDriverAdapter, 'executeRaw'>, query: SqlQuery): Promise<void> {
    this.onQuery(query.sql);
    await target.executeRaw(query);
  }

  /**
   * The transaction, while somebody waits for what becomes of it.
   * @throws SERVICE_UNAVAILABLE
   */
  async #inTime(): Promise<Transaction> {
    const transaction = await this.#begin();
    const elapsed = performance.now() - this.#asked;
    if (elapsed < SLOW) return transaction;
    if (elapsed >= LONGEST) {
      throw new ApiError('SERVICE_UNAVAILABLE', 'The change took too long, and was not made. Try again in a moment.', {
        retryAfter: 1,
      });
    }
    // A lock that the next statement waits for.
    if (this.provider === 'postgresql') {
      const left = Math.ceil(LONGEST - elapsed);
      await transaction.executeRaw(rawQuery(`SET LOCAL statement_timeout = ${left}`, []));
    }
    return transaction;
  }

  async #begin(): Promise<Transaction> {
    this.#begun ??= await this.connection.startTransaction();
    return this.#begun;
  }

  /** The adapter leaves the statement to its caller, and then has the connection back. */
  async #end(statement: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    if (!this.#begun) return;
    if (!this.#begun.options.usePhantomQuery) await this.#begun.executeRaw(rawQuery(statement, []));
    await (statement === 'COMMIT' ? this.#begun.commit() : this.#begun.rollback());
  }
}

/** Milliseconds after which a transaction is looked at, and after which it is not committed: before its request is given up. */
const SLOW = 1000;
const LONGEST = 25_000;

/** Rows of each table that are written by one statement, whose parameters both databases count; and those of a long one. */
const FEW = 200;
const PORTION = 500;

function portions({ rows, ...insertion }: Insertion): Insertion[] {
  const parts: Insertion[] = [];
  for (let at = 0; at < rows.length; at += PORTION) parts.push({ ...insertion, rows: rows.slice(at, at + PORTION) });
  return parts;
}

function merging(statement: Statement, model: string, merge: Merge | undefined): string {
  if (!merge) return '';
  const { by, replacing = [], adding } = merge;
  const quote = (column: string) => statement.quote(column);
  const changes = [
    ...replacing.map((column) => `${quote(column)} = excluded.${quote(column)}`),
    ...(adding ? [`${quote(adding)} = ${quote(model)}.${quote(adding)} + excluded.${quote(adding)}`] : []),
  ];
  return ` ON CONFLICT (${by.map(quote).join(',')}) DO UPDATE SET ${changes.join(', ')}`;
}

function written(statement: Statement, model: string, column: string, row: Row): string {
  const field = MODEL_FIELDS.get(model)?.get(column);
  if (!field || field.kind === 'object') throw new Error(`${model} has no column ${column}`);
  const value = row[column] ?? null;
  const stored = field.type === 'Json' && value !== null ? JSON.stringify(value) : value;
  return statement.value(stored, scalarOf(field.type));
}

function rawQuery(sql: string, values: readonly unknown[]): SqlQuery {
  const argTypes = values.map(
    (value): ArgType => ({ scalarType: typeof value === 'number' ? 'int' : 'string', arity: 'scalar' }),
  );
  return { sql, args: [...values], argTypes };
}
