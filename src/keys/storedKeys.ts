/** Keys as they are stored, with what their rows refer to: the role of the user as whom one acts, and its operations. */
import { LRUCache } from 'lru-cache';
import type { ApiKey, PrismaClient } from '#prisma/client.js';
import { withoutBinding } from '../db/tenant.js';
import { ROLE_GRANTS, type RoleName } from '../scopes/roles.js';
import type { KeyBonds } from './authority.js';
import { listOf } from './authority.js';
import { type LockedOperation, lockOf, type Pins } from './operationLock.js';

/** A client, or a transaction that sees both environments. */
type Reader = Pick<PrismaClient, 'user' | 'keyOperationSet' | 'keyOperation'>;
type KeyRow = Pick<
  ApiKey,
  'id' | 'lineageId' | 'actsAsId' | 'isLocked' | 'isSession' | 'rotatedAt' | 'scopes' | 'createdById'
>;
type SetOperation = Omit<LockedOperation, 'endsAt'>;

/** Sets never change but for their ends, so that their operations are read once. Operations, all added up. */
const MAX_OPERATIONS = 50_000;
const operationsOfSets = new LRUCache<string, readonly SetOperation[]>({
  maxSize: MAX_OPERATIONS,
  sizeCalculation: (operations) => operations.length + 1,
});
/** Ids in one condition. */
const BATCH = 1000;

/** The rows with their bonds, in the same order. */
export async function withBonds<Row extends KeyRow>(
  reader: Reader,
  rows: readonly Row[],
  now: Date,
): Promise<(Row & KeyBonds)[]> {
  const usersOf = (some: readonly Row[]) => [...new Set(some.flatMap((row) => userOf(row) ?? []))];
  const [sessions, keys] = [rows.filter(({ isSession }) => isSession), rows.filter(({ isSession }) => !isSession)];
  const roles = await rolesOfUsers(reader, usersOf(keys));
  const members = sessions.length === 0 ? roles : await rolesOfUsers(reader, usersOf(sessions), 'members');
  const locks = await locksOf(reader, rows, now);
  return rows.map((row) => ({
    ...row,
    ...(row.isSession && asMember(row, members)),
    role: (row.isSession ? members : roles).get(userOf(row) ?? '') ?? null,
    lock: row.isLocked ? lockOf(operationsFor(row, locks.get(lineageOf(row)) ?? [])) : null,
  }));
}

/** Whose role bounds it. */
const userOf = ({ isSession, createdById, actsAsId }: KeyRow) => (isSession ? createdById : actsAsId);

/** A key that was rotated goes on with what it ran then: what its successor is locked to since was decided of that alone. */
function operationsFor({ rotatedAt }: KeyRow, sets: readonly RunningSet[]): LockedOperation[] {
  return sets
    .filter(({ createdAt }) => rotatedAt === null || createdAt <= rotatedAt)
    .flatMap(({ operations }) => operations);
}

interface RunningSet {
  readonly createdAt: Date;
  readonly operations: readonly LockedOperation[];
}

export const lineageOf = ({ id, lineageId }: Pick<ApiKey, 'id' | 'lineageId'>): string => lineageId ?? id;

/**
 * A session may do what the role allows. One that manages the workspace makes keys that act as nobody, or as anybody; what others
 * make acts as themselves.
 */
function asMember({ createdById }: KeyRow, roles: ReadonlyMap<string, RoleName>) {
  const role = roles.get(createdById ?? '');
  const grants: readonly string[] = role ? ROLE_GRANTS[role] : [];
  return { scopes: grants.join(' '), actsAsId: grants.includes('admin:*') ? null : createdById };
}

/**
 * What each of these users may do; those who are not there are left out. Who somebody is in the sandbox has the role that they have in
 * live, and none once they are no member any more.
 * @param who `members`: those alone as whom somebody signs in
 */
export async function rolesOfUsers(
  reader: Pick<PrismaClient, 'user'>,
  ids: readonly string[],
  who: 'all' | 'members' = 'all',
): Promise<Map<string, RoleName>> {
  const roles = new Map<string, RoleName>();
  for (let at = 0; at < ids.length; at += BATCH) {
    const users = await reader.user.findMany({
      where: { id: { in: ids.slice(at, at + BATCH) } },
      select: { id: true, role: true, workspaceId: true, environment: true, personId: true },
    });
    const twins = users.filter(({ environment, personId }) => environment === 'TEST' && personId !== null);
    const members =
      twins.length === 0
        ? []
        : await withoutBinding(() =>
            reader.user.findMany({
              where: {
                workspaceId: { in: [...new Set(twins.map(({ workspaceId }) => workspaceId))] },
                ...{ environment: 'LIVE', personId: { in: twins.flatMap(({ personId }) => personId ?? []) } },
              },
              select: { workspaceId: true, personId: true, role: true },
            }),
          );
    for (const user of users) {
      const member = members.find(
        ({ workspaceId, personId }) => workspaceId === user.workspaceId && personId === user.personId,
      );
      const role = twins.includes(user) ? member?.role : user.role;
      if (role && (who === 'all' || user.personId !== null)) roles.set(user.id, role);
    }
  }
  return roles;
}

/** By lineage, the sets that run, the latest first. */
async function locksOf(reader: Reader, rows: readonly KeyRow[], now: Date): Promise<Map<string, RunningSet[]>> {
  const lineages = [...new Set(rows.flatMap((row) => (row.isLocked ? lineageOf(row) : [])))];
  const locks = new Map<string, RunningSet[]>();
  for (let at = 0; at < lineages.length; at += BATCH) {
    const sets = await reader.keyOperationSet.findMany({
      where: {
        lineageId: { in: lineages.slice(at, at + BATCH) },
        OR: [{ endsAt: null }, { endsAt: { gt: now } }],
      },
      orderBy: { version: 'desc' },
    });
    for (const { id, lineageId, createdAt, endsAt } of sets) {
      const operations = (await operationsOf(reader, id)).map((operation) => ({ ...operation, endsAt }));
      locks.set(lineageId, [...(locks.get(lineageId) ?? []), { createdAt, operations }]);
    }
  }
  return locks;
}

async function operationsOf(reader: Reader, setId: string): Promise<readonly SetOperation[]> {
  const known = operationsOfSets.get(setId);
  if (known) return known;
  const rows = await reader.keyOperation.findMany({
    where: { setId },
    select: { hash: true, name: true, scopes: true, pins: true },
    orderBy: [{ name: 'asc' }, { hash: 'asc' }],
  });
  const operations = rows.map(({ hash, name, scopes, pins }) => ({
    ...{ hash, name, setId },
    scopes: listOf(scopes),
    pins: (pins ?? {}) as Pins,
  }));
  // Of a set that is being made, nothing may be remembered that is not all of it.
  if (operations.length > 0) operationsOfSets.set(setId, operations);
  return operations;
}
