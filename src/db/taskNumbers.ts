/**
 * The numbers of tasks: 1, 2, 3 in each workspace and environment, never the same twice.
 *
 * SQLite has one writer at a time, so the number is taken in the transaction that makes the task. On PostgreSQL that
 * would make all creations of a workspace wait for each other until they are committed; there the number is taken
 * before, by a statement of its own, and stays unused where the creation fails.
 */
import type { PrismaClient } from '#prisma/client.js';
import type { Provider } from './provider.js';
import type { Tenant, TenantTransaction } from './tenant.js';

/** @returns the next number, taken at once; nothing where that is done within the transaction */
export type TakeNumber = (tenant: Tenant) => Promise<number>;

export function takesNumberBefore(provider: Provider, system: PrismaClient): TakeNumber | undefined {
  if (provider === 'sqlite') return undefined;
  return async ({ workspaceId, environment }) => {
    // No waiting for the disk: the log is in order, so where the task is durable, its number is too.
    const [row] = await system.$queryRaw<{ lastNumber: number }[]>`
      WITH quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))
      INSERT INTO "TaskCounter" AS counter ("workspaceId", "environment", "lastNumber")
      SELECT ${workspaceId}, ${environment}::"Environment", 1 FROM quick
      ON CONFLICT ("workspaceId", "environment") DO UPDATE SET "lastNumber" = counter."lastNumber" + 1
      RETURNING "lastNumber"`;
    if (!row) throw new Error('no number was given');
    return row.lastNumber;
  };
}

/** The next number, for a task that the same transaction makes. */
export async function takeNumberWithin(tx: TenantTransaction, { workspaceId, environment }: Tenant): Promise<number> {
  const key = { workspaceId, environment };
  const { lastNumber } = await tx.taskCounter.upsert({
    where: { workspaceId_environment: key },
    create: { ...key, lastNumber: 1 },
    update: { lastNumber: { increment: 1 } },
  });
  return lastNumber;
}
