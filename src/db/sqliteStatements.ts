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
