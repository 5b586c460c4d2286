/**
 * Keys that a backup would bring back: those that were revoked, rotated or narrowed after it was taken, as the database that
 * it replaces and the journal beside it know. They are ended and narrowed again in the copy, before it is served.
 */
import { existsSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import type { ApiKey, PrismaClient } from '#prisma/client.js';
import { changesBetween, plainAuditRow, serverActor } from '../audit/entry.js';
import type { RoleName } from '../scopes/roles.js';
import { keyStatus } from './apiKey.js';
import { authorityOf, boundsOf, isSubset, type KeyBounds } from './authority.js';
import { readLosses } from './lossJournal.js';
import type { Plans } from './plans.js';
import { lineageOf, withBonds } from './storedKeys.js';

export interface Revival {
  readonly key: ApiKey;
  /** revoked: when it was ended; narrowed: what it holds since. */
  readonly since:
    | { readonly revokedAt: Date }
    | {
        readonly bounds: KeyBounds;
        /** It was locked to a set of operations that the backup does not have: it runs none until it is locked again. */
        readonly runsNothing: boolean;
        /** The role of the user as whom it acts, as it is since. */
        readonly role: RoleName | undefined;
      };
}

export interface Replaced {
  readonly file: string;
  /** Nobody else can read it while it is being replaced. */
  readonly database: Sqlite.Database | undefined;
}

/**
 * @param system the copy of the backup
 * @param replaced the database that it takes the place of: the file, damaged perhaps or not there any more, and the one that is open
 */
export async function findRevivals(
  system: PrismaClient,
  replaced: Replaced,
  plans: Plans,
  now: Date,
): Promise<Revival[]> {
  const losses = readLosses(replaced.file);
  const { keys: present, roles } = readPresent(replaced);
  const found: Revival[] = [];
  for (let after = ''; ; ) {
    const keys = await system.apiKey.findMany({ where: { id: { gt: after } }, orderBy: { id: 'asc' }, take: 500 });
    for (const key of keys) {
      if (key.revokedAt !== null || keyStatus(key, now) === 'EXPIRED') continue;
      const current = present.get(key.hash);
      // A rotation that the backup knows was carried out before it.
      const rotatedAt = key.rotatedAt === null ? current?.rotatedAt : null;
      const noted = losses.get(key.hash);
      const isEnd = noted !== undefined && !noted.bounds && (key.rotatedAt === null || noted.at > key.rotatedAt);
      const revokedAt = current?.revokedAt ?? rotatedAt ?? (isEnd ? noted.at : undefined);
      // A note that is older than the backup says what that knows.
      const isLater = noted !== undefined && noted.at > key.updatedAt;
      const narrowedTo = current ?? (isLater ? noted.bounds : undefined);
      if (revokedAt) found.push({ key, since: { revokedAt } });
      else if (narrowedTo) {
        const plan = plans.of(await system.workspace.findUniqueOrThrow({ where: { id: key.workspaceId } }));
        const [as, narrowed] = await withBonds(system, [key, { ...key, ...narrowedTo }], now);
        const role = narrowedTo.actsAsId === null ? undefined : roles.get(narrowedTo.actsAsId);
        const to = narrowed && { ...narrowed, ...(role && { role }) };
        const setId = current ? current.setId : noted?.setId;
        const runsNothing = narrowedTo.isLocked && setId !== undefined && !(await hasSet(system, setId));
        if (!runsNothing && as && to && isSubset(authorityOf(as, plan), authorityOf(to, plan))) continue;
        found.push({ key, since: { bounds: boundsOf(narrowedTo), runsNothing, role } });
      }
    }
    after = keys.at(-1)?.id ?? '';
    if (after === '') return found;
  }
}

/** What was granted for a while, or asked for, may have been taken back since the backup: it is asked for again. */
async function endGrants(tx: Pick<PrismaClient, 'scopeGrant'>, now: Date): Promise<void> {
  await tx.scopeGrant.updateMany({ where: { endsAt: { gt: now } }, data: { endsAt: now } });
  await tx.scopeGrant.updateMany({ where: { decidedAt: null }, data: { decidedAt: now } });
}

const hasSet = async (system: PrismaClient, id: string) =>
  (await system.keyOperationSet.findUnique({ where: { id }, select: { id: true } })) !== null;

/** Ends and narrows them again, and writes the restore into the audit log of each workspace, in one transaction. */
export async function recordRestore(
  system: PrismaClient,
  revivals: readonly Revival[],
  again: boolean,
  backup: string,
  now: Date,
): Promise<void> {
  await system.$transaction(async (tx) => {
    const entries = [];
    if (again) await endGrants(tx, now);
    for (const { key, since } of again ? revivals : []) {
      const { id, workspaceId, environment } = key;
      const actor = serverActor({ workspaceId, environment }, 'taskgate restore');
      const about = { targetType: 'ApiKey', targetId: id };
      if ('revokedAt' in since) {
        const reason = 'ended before the restore';
        await tx.apiKey.update({ where: { id }, data: { revokedAt: since.revokedAt, revokedReason: reason } });
        entries.push(
          plainAuditRow(actor, { ...about, action: 'api_key.revoke', changes: { reason: { to: reason } } }, now),
        );
      } else {
        await tx.apiKey.update({ where: { id }, data: since.bounds });
        const { actsAsId } = since.bounds;
        if (since.role && actsAsId) await tx.user.updateMany({ where: { id: actsAsId }, data: { role: since.role } });
        if (since.runsNothing) {
          const runs = { OR: [{ endsAt: null }, { endsAt: { gt: now } }] };
          await tx.keyOperationSet.updateMany({ where: { lineageId: lineageOf(key), ...runs }, data: { endsAt: now } });
        }
        const changes = changesBetween(key, since.bounds);
        entries.push(plainAuditRow(actor, { ...about, action: 'api_key.update', changes }, now));
      }
    }
    for (const { id } of await tx.workspace.findMany({ select: { id: true } })) {
      const of = revivals.filter(({ key }) => key.workspaceId === id).map(({ key }) => key.id);
      const changes = { backup: { to: backup }, [again ? 'endedAgain' : 'revived']: { to: of } };
      const actor = serverActor({ workspaceId: id, environment: 'LIVE' }, 'taskgate restore');
      const entry = { action: 'database.restore', targetType: 'Workspace', targetId: id, changes };
      entries.push(plainAuditRow(actor, entry, now));
    }
    await tx.auditEvent.createMany({ data: entries });
  });
}

type User = { readonly id: string; readonly role: RoleName };

interface Present extends KeyBounds, Pick<ApiKey, 'revokedAt' | 'rotatedAt' | 'graceEndsAt'> {
  /** The latest set of operations of its lineage. */
  readonly setId: string | undefined;
}

/**
 * As the database has it that is replaced; nothing where that cannot be read.
 * @returns keys by their hash, and the roles of users by their id
 */
function readPresent({ file, database: open }: Replaced): { keys: Map<string, Present>; roles: Map<string, RoleName> } {
  const found = new Map<string, Present>();
  const roles = new Map<string, RoleName>();
  if (!open && !existsSync(file)) return { keys: found, roles };
  let database = open;
  try {
    database ??= new Sqlite(file, { readonly: true });
    const sets = latestSets(database);
    for (const { id, role } of database.prepare('SELECT "id", "role" FROM "User"').iterate() as Iterable<User>) {
      roles.set(id, role);
    }
    for (const row of database.prepare('SELECT * FROM "ApiKey"').iterate() as Iterable<Record<string, unknown>>) {
      const date = (name: string) => (row[name] == null ? null : new Date(Number(row[name])));
      const text = (name: string) => (row[name] == null ? null : String(row[name]));
      const number = (name: string) => (row[name] == null ? null : Number(row[name]));
      found.set(String(row['hash']), {
        scopes: String(row['scopes']),
        projectIds: text('projectIds'),
        actsAsId: text('actsAsId'),
        isLocked: Number(row['isLocked']) === 1,
        setId: sets.get(String(row['lineageId'] ?? row['id'])),
        allowedIps: text('allowedIps'),
        ratePerMinute: number('ratePerMinute'),
        ratePerHour: number('ratePerHour'),
        expiresAt: date('expiresAt'),
        autoRenew: Number(row['autoRenew']) === 1,
        termSeconds: number('termSeconds'),
        revokedAt: date('revokedAt'),
        rotatedAt: date('rotatedAt'),
        graceEndsAt: date('graceEndsAt'),
      });
    }
  } catch {
    // Damaged: what of it was read counts, and the journal.
  } finally {
    if (database !== open) database?.close();
  }
  return { keys: found, roles };
}

/** By lineage; none in a database of a version that had none. */
function latestSets(database: Sqlite.Database): Map<string, string> {
  const table = database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'KeyOperationSet'").get();
  if (!table) return new Map();
  const rows = database.prepare('SELECT "lineageId", "id" FROM "KeyOperationSet" ORDER BY "version"').all();
  return new Map((rows as { lineageId: string; id: string }[]).map(({ lineageId, id }) => [lineageId, id]));
}
