/** `taskgate keys list | show`, and what all commands show of a key. */
import { Command } from 'commander';
import type { ApiKey } from '#prisma/client.js';
import type { Actor } from '../../audit/entry.js';
import type { TenantDatabase } from '../../db/tenant.js';
import { notFound } from '../../errors.js';
import { KEYS, keyStatus } from '../../keys/apiKey.js';
import { listOf } from '../../keys/authority.js';
import { DEFAULT_WORKSPACE } from '../../keys/bootstrap.js';
import type { Pins } from '../../keys/operationLock.js';
import { lineageOf } from '../../keys/storedKeys.js';
import { dayOf, KeyUsage, since, unusedGrants } from '../../keys/usage.js';
import { printable } from '../printable.js';
import type { ProcessVariables } from '../processVariables.js';
import { environmentOption, print, type WorkspaceSession, withWorkspace } from '../session.js';
import { pinsOf } from './rows.js';

export function listCommand(variables: ProcessVariables): Command {
  return new Command('list')
    .description('list keys, newest first; a key itself is never shown again')
    .option('--environment <environment>', 'live or test', environmentOption, 'LIVE')
    .option('--workspace <slug>', 'whose keys', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (options) =>
      withWorkspace(variables, options.workspace, false, async ({ database, actor }) => {
        const rows = await database
          .forTenant(actor(options.environment))
          .apiKey.findMany({ where: KEYS, orderBy: [{ createdAt: 'desc' }, { id: 'desc' }] });
        if (options.json) return print(rows.map(present));
        for (const row of rows) {
          process.stdout.write(
            `${row.id}  ${keyStatus(row, new Date()).padEnd(8)} ${row.prefix}  ${printable(row.name)}  ${row.scopes}\n`,
          );
        }
        if (rows.length === 0) process.stdout.write('No keys.\n');
      }),
    );
}

export function showCommand(variables: ProcessVariables): Command {
  return new Command('show')
    .description('show a key with its usage; the key itself is never shown again')
    .argument('<id>', 'the id of the key, key_...')
    .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (id: string, options) =>
      withKey(variables, options.workspace, id, async ({ row, database, actor }) => {
        const db = database.forTenant(actor);
        const lastUse = await db.apiKeyLastUse.findUnique({ where: { keyId: id } });
        const usage = new KeyUsage(db, id, { gte: since(90) });
        const unusedScopes = unusedGrants(row.scopes, new Set((await usage.by('scope')).map(({ name }) => name)));
        const today = await new KeyUsage(db, id, { gte: dayOf(new Date()) }).total();
        const shown = {
          ...present(row),
          lastUsedAt: lastUse?.at ?? null,
          lastUsedIp: lastUse?.ip ?? null,
          requestsToday: today,
          requestsLast90Days: await usage.total(),
          unusedScopes,
        };
        const versions = row.isLocked ? await versionsOf(db, lineageOf(row)) : [];
        if (options.json) return print({ ...shown, ...(row.isLocked && { operationSets: versions }) });
        for (const [name, value] of Object.entries(shown)) {
          const text = Array.isArray(value) ? value.join(' ') : value instanceof Date ? value.toISOString() : value;
          process.stdout.write(`${name.padEnd(19)} ${printable(String(text ?? '-')) || '(none)'}\n`);
        }
        for (const { version, endsAt, lastUsedAt, operations } of versions) {
          const until = endsAt ? `, until ${endsAt.toISOString()}` : '';
          const used = lastUsedAt ? `last used ${lastUsedAt.toISOString()}` : 'not used';
          process.stdout.write(`operations, ${used}, version ${version}${until}:\n`);
          for (const { name, pins } of operations) {
            process.stdout.write(`  ${printable(name + pinsOf(pins as Pins))}\n`);
          }
        }
      }),
    );
}

/** What a locked key runs, the latest version first; those before run until they end. */
async function versionsOf(db: TenantDatabase, lineageId: string) {
  const sets = await db.keyOperationSet.findMany({
    where: { lineageId, OR: [{ endsAt: null }, { endsAt: { gt: new Date() } }] },
    include: { operations: { select: { name: true, pins: true, lastUsedAt: true }, orderBy: { name: 'asc' } } },
    orderBy: { version: 'desc' },
  });
  return sets.map(({ version, createdAt, endsAt, operations }) => ({
    ...{ version, createdAt, endsAt, operations: operations.map(({ name, pins }) => ({ name, pins: pins ?? {} })) },
    lastUsedAt: latest(operations.map(({ lastUsedAt }) => lastUsedAt)),
  }));
}

const latest = (dates: readonly (Date | null)[]): Date | null =>
  dates.reduce((last, date) => (date && (!last || date > last) ? date : last), null);

/** Finds the key in either environment and acts there. */
export async function withKey(
  variables: ProcessVariables,
  slug: string,
  id: string,
  run: (session: Omit<WorkspaceSession, 'actor'> & { row: ApiKey; actor: Actor }) => Promise<void>,
): Promise<void> {
  await withWorkspace(variables, slug, false, async (session) => {
    const row = await session.database.system.apiKey.findUnique({ where: { id } });
    if (!row || row.workspaceId !== session.workspace.id) throw notFound('API key', id);
    await run({ ...session, row, actor: session.actor(row.environment) });
  });
}

/** A key as the command prints it. */
export function present(row: ApiKey) {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    prefix: row.prefix,
    environment: row.environment.toLowerCase(),
    scopes: listOf(row.scopes),
    projects: row.projectIds === null ? null : listOf(row.projectIds),
    actsAs: row.actsAsId,
    locked: row.isLocked,
    status: keyStatus(row, new Date()).toLowerCase(),
    allowedIps: row.allowedIps === null ? null : listOf(row.allowedIps),
    ratePerMinute: row.ratePerMinute,
    ratePerHour: row.ratePerHour,
    expiresAt: row.expiresAt,
    autoRenew: row.autoRenew,
    graceEndsAt: row.graceEndsAt,
    successorId: row.successorId,
    revokedAt: row.revokedAt,
    createdAt: row.createdAt,
  };
}
