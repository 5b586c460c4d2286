/** Whether a database may be served: what it holds, by its record of migrations. Asks in a moment and locks nothing. */
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import type { PrismaClient } from '#prisma/client.js';
import { ApiError } from '../errors.js';
import type { Provider } from './provider.js';

export type DatabaseState =
  | { readonly kind: 'empty' | 'behind' | 'current' }
  /** Of another program. */
  | { readonly kind: 'foreign' }
  /** With a migration that this program does not know. */
  | { readonly kind: 'newer'; readonly migration: string }
  /** With a migration that was begun and not ended, by a process that is at it or has died. */
  | { readonly kind: 'unfinished'; readonly migration: string };

const TABLES: Readonly<Record<Provider, string>> = {
  sqlite: `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`,
  postgresql: `SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()`,
};

/** Rows of ChangeCounter that say that a database may not be served, whatever its migrations are. */
export const MARKS = { copying: 'copy', replaced: 'replaced' } as const;

/** @throws ApiError CONFLICT for the target of a copy that did not end, and for what a restore has set aside */
export async function refuseUnfit(system: Pick<PrismaClient, 'changeCounter'>): Promise<void> {
  const marks = await system.changeCounter.findMany({ where: { name: { in: Object.values(MARKS) } } });
  const has = (mark: string) => marks.some(({ name }) => name === mark);
  if (has(MARKS.copying)) {
    throw conflict('A copy into this database did not end. Run taskgate copy again, which goes on where it stopped.');
  }
  if (has(MARKS.replaced)) {
    throw conflict('A restore has set this database aside. To go back to it, restore it: taskgate restore FILE.');
  }
}

/** @param known the names of all migrations that there are, in order */
export async function databaseState(
  provider: Provider,
  adapter: SqlMigrationAwareDriverAdapterFactory,
  known: readonly string[],
): Promise<DatabaseState> {
  const connection = await adapter.connect();
  const select = async (sql: string) => (await connection.queryRaw({ sql, args: [], argTypes: [] })).rows;
  try {
    const tables = (await select(TABLES[provider])).map(([name]) => String(name));
    if (tables.length === 0) return { kind: 'empty' };
    if (!tables.includes('_prisma_migrations')) return { kind: 'foreign' };
    const rows = await select(
      'SELECT migration_name, finished_at IS NOT NULL AS done FROM _prisma_migrations WHERE rolled_back_at IS NULL',
    );
    const applied = new Set(rows.flatMap(([name, done]) => (isTrue(done) ? [String(name)] : [])));
    const [begun] = rows.flatMap(([name]) => (applied.has(String(name)) ? [] : [String(name)]));
    const [first = ''] = known;
    if (begun !== undefined && (applied.size === 0 || applied.has(first)))
      return { kind: 'unfinished', migration: begun };
    if (rows.length === 0) return { kind: tables.length === 1 ? 'empty' : 'foreign' };
    if (!applied.has(first)) return { kind: 'foreign' };
    const unknown = [...applied].find((name) => !known.includes(name));
    if (unknown !== undefined) return { kind: 'newer', migration: unknown };
    return { kind: known.every((name) => applied.has(name)) ? 'current' : 'behind' };
  } finally {
    await connection.dispose();
  }
}

const isTrue = (value: unknown) => value === true || Number(value) === 1;

/** Why a database may be neither served nor migrated; undefined: it may. */
export function obstacleOf(state: DatabaseState): ApiError | undefined {
  switch (state.kind) {
    case 'foreign':
      return conflict('The database is of another program. Set DATABASE_URL to one of Taskgate, or to an empty one.');
    case 'newer':
      return conflict(
        `The database is of a newer version of Taskgate (its migration ${state.migration} is not known here). Start that version, or restore a backup of this one.`,
      );
    case 'unfinished':
      return conflict(
        `The migration ${state.migration} of the database was begun and did not end. A start, or taskgate migrate, goes on with one that this version knows; otherwise restore a backup from before it.`,
      );
    default:
      return undefined;
  }
}

const conflict = (message: string) => new ApiError('CONFLICT', message);
