/** A workspace keeps a key that can manage it. */
import { withoutBinding } from '../db/tenant.js';
import { ApiError } from '../errors.js';
import { authorityOf, type StoredKey } from './authority.js';
import type { KeyUnit } from './keyUnit.js';
import type { RateLimits } from './plans.js';
import { withBonds } from './storedKeys.js';

/** Whether a key manages its workspace. */
export function isAdministrator(key: StoredKey, plan: RateLimits): boolean {
  const { scopes, operations } = authorityOf(key, plan);
  return scopes.has('admin:*') && operations === null;
}

/**
 * @param callingKeyId the key that may end itself
 * @param ending keys that end, or do not manage the workspace any more
 * @throws CONFLICT when no key that lasts as long as those that end could manage the workspace any more
 */
export async function keepAnAdministrator(
  { unit, policy }: KeyUnit,
  ending: readonly StoredKey[],
  callingKeyId: string | null,
): Promise<void> {
  const { tx, now, actor } = unit;
  const isAdmin = (key: StoredKey) => isAdministrator(key, policy.plan);
  const affected = ending.filter((key) => isAdmin(key) && key.id !== callingKeyId);
  if (affected.length === 0) return;
  // In both environments, whatever the change reaches: the sandbox is managed by the administrators of live as well.
  const rows = await withoutBinding(() =>
    tx.apiKey.findMany({
      where: {
        workspaceId: actor.workspaceId,
        scopes: { contains: 'admin:*' },
        ...{ revokedAt: null, rotatedAt: null, OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] },
      },
    }),
  );
  const admins = await withoutBinding(() => withBonds(tx, rows, now));
  const gone = new Set(ending.map(({ id }) => id));
  const left = admins.filter((key) => isAdmin(key) && !gone.has(key.id));
  const end = (key: StoredKey) => {
    const { expiresAt, renewalTerm } = authorityOf(key, policy.plan);
    return expiresAt === null || renewalTerm !== null ? Number.POSITIVE_INFINITY : expiresAt.getTime();
  };
  const isKept = affected.every((key) =>
    left.some((other) => end(other) >= end(key) && (other.environment === 'LIVE' || key.environment === 'TEST')),
  );
  if (isKept) return;
  throw new ApiError(
    'CONFLICT',
    'This is the last key with admin:* that lasts, and the workspace could not be managed without it. It ends by itself, or by the command on the server (taskgate keys revoke).',
  );
}
