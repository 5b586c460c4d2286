/**
 * Prisma's SQLite adapter compiles each statement each time. This keeps them compiled, behind the part of the driver's
 * interface that the adapter uses: prepare, bind, then run, or columns and raw().all().
 */
import type Database from 'better-sqlite3';
import { LRUCache } from 'lru-cache';

const MAX_STATEMENTS = 500;

interface BoundStatement {
  readonly reader: boolean;
  run(): Database.RunResult;
  columns(): Database.ColumnDefinition[];
  raw(): { all(): unknown[] };
}

export function keepStatements(driver: Database.Database): void {
  const compiled = new LRUCache<string, (args: unknown[]) => BoundStatement>({ max: MAX_STATEMENTS });
  const prepare = driver.prepare.bind(driver) as (sql: string) => Database.Statement<unknown[]>;
  const kept = (sql: string) => {
    let bind = compiled.get(sql);
    if (!bind) {
      bind = bindable(prepare(sql));
      compiled.set(sql, bind);
    }
    return { bind };
  };
  driver.prepare = kept as unknown as typeof driver.prepare;
}

/** The driver binds for good, so arguments are given with each run instead. */
function bindable(statement: Database.Statement<unknown[]>): (args: unknown[]) => BoundStatement {
  const { reader } = statement;
  if (reader) statement.raw();
  const columns = reader ? statement.columns() : [];
  return (args) => ({
    reader,
    run: () => statement.run(args),
    columns: () => columns,
    raw: () => ({ all: () => statement.all(args) }),
  });
}

/** Statements that read rows as arrays, each compiled once; beside those that Prisma's adapter runs. */
export class RowStatements {
  readonly #compiled = new LRUCache<string, Database.Statement<unknown[], unknown[]>>({ max: MAX_STATEMENTS });

  readonly #begin: Database.Statement<unknown[]>;
  readonly #end: Database.Statement<unknown[]>;

  /** @param driver of a connection that does not write */
  constructor(private readonly driver: Database.Database) {
    this.#begin = prepareAnew(driver, 'BEGIN');
    this.#end = prepareAnew(driver, 'ROLLBACK');
  }

  /** Several reads of one state of the database, which is locked once for them. */
  together<T>(read: () => T): T {
    this.#begin.run();
    try {
      return read();
    } finally {
      // SQLite itself may have ended it. One that went on would read what was, for ever.
      if (this.driver.inTransaction) this.#end.run();
    }
  }

  /** @throws what the driver throws */
  all(sql: string, args: readonly unknown[]): unknown[][] {
    let statement = this.#compiled.get(sql);
    if (!statement) {
      statement = prepareAnew(this.driver, sql).raw().safeIntegers(false) as Database.Statement<unknown[], unknown[]>;
      this.#compiled.set(sql, statement);
    }
    return statement.all(args as unknown[]);
  }
}

/** A statement of the driver's own, which is not kept. */
export function prepareAnew(driver: Database.Database, sql: string): Database.Statement<unknown[]> {
  return (Object.getPrototypeOf(driver) as Database.Database).prepare.call(driver, sql) as Database.Statement<
    unknown[]
  >;
}
