/**
 * The numbers of tasks: 1, 2, 3 in each workspace and environment, never the same twice.
 *
 * SQLite has one writer at a time, so the number is taken in the transaction that makes the task. On PostgreSQL that
 * would make all creations of a workspace wait for each other until they are committed; there the number is taken
 * before, by a statement of its own, and stays unused where the creation fails.
 */
import type { ArgType, SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import type { RawStatements } from './insertions.js';
import type { Provider } from './provider.js';
import type { Tenant } from './tenant.js';

/** @returns the next number, taken at once; nothing where that is done within the transaction */
export type TakeNumber = (tenant: Tenant) => Promise<number>;

export function takesNumberBefore(
  provider: Provider,
  connection: () => Pick<SqlDriverAdapter, 'queryRaw'>,
): TakeNumber | undefined {
  if (provider === 'sqlite') return undefined;
  // No waiting for the disk: the log is in order, so where the task is durable, its number is too.
  const sql = `
    WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
    INSERT INTO "TaskCounter" AS counter ("workspaceId", "environment", "lastNumber")
    SELECT $1, $2::"Environment", 1 FROM quick
    ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "lastNumber" = counter."lastNumber" + 1
    RETURNING "lastNumber"`;
  const text: ArgType = { scalarType: 'string', arity: 'scalar' };
  return async ({ workspaceId, environment }) => {
    const { rows } = await connection().queryRaw({ sql, args: [workspaceId, environment], argTypes: [text, text] });
    const number = rows[0]?.[0];
    if (typeof number !== 'number') throw new Error('no number was given');
    return number;
  };
}

/** The next number, for a task that the same transaction makes; on SQLite. */
export async function takeNumberWithin(raw: RawStatements, { workspaceId, environment }: Tenant): Promise<number> {
  const [row] = await raw.query<{ lastNumber: number }>(
    `INSERT INTO "TaskCounter" AS counter ("workspaceId", "environment", "lastNumber") VALUES ($1, $2, 1)
     ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "lastNumber" = counter."lastNumber" + 1
     RETURNING "lastNumber"`,
    [workspaceId, environment],
  );
  if (!row) throw new Error('no number was given');
  return row.lastNumber;
}
