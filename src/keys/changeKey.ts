/** Changes a key within a change of keys that is under way, by whichever service. */
import type { ApiKey } from '#prisma/client.js';
import { changesBetween } from '../audit/entry.js';
import { notFoundRow } from '../db/tenant.js';
import { nextVersion, type Unit } from '../db/unitOfWork.js';
import { ApiError } from '../errors.js';
import { isScopeSubset, scopeSet } from '../scopes/scope.js';
import { isAdministrator, keepAnAdministrator } from './administrators.js';
import { isOfApp } from './apiKey.js';
import { authorityOf, boundsOf, isSubset, type KeyBounds, listOf, type StoredKey } from './authority.js';
import { aboutKey, type KeyUnit, noteGiven } from './keyUnit.js';
import type { Plan } from './plans.js';
import { decideChange, type KeyChange, type KeyGrant, type ResolvedRequest } from './rules.js';
import { endGrants } from './scopeGrants.js';
import { rolesOfUsers } from './storedKeys.js';

/** What is remembered of a key that was ended, or, with bounds, narrowed to those. */
export interface KeyLoss {
  readonly hash: string;
  readonly at: Date;
  readonly bounds?: KeyBounds;
  /** The set of operations that it was locked to last. */
  readonly setId?: string;
}

/** Keeps what keys lost beside the database, so that a restored backup gives nothing back. */
export type Remember = (losses: readonly KeyLoss[]) => void;

/**
 * Changes what is given of a key.
 * @param verb of the audit entry
 * @throws BAD_USER_INPUT; FORBIDDEN when the key, as it is or as it becomes, lies beyond the caller
 */
export async function changeKey(
  context: KeyUnit,
  before: StoredKey,
  { actsAsId, ...change }: KeyChange,
  remember: Remember,
  verb = 'update',
): Promise<ApiKey> {
  const { unit, bound, policy } = context;
  const { id } = before;
  const actsAs = actsAsId === undefined ? undefined : await userOf(unit, actsAsId);
  const { environment: _environment, ...data } = decideChange(before, { ...change, actsAs }, bound, policy);
  noteGiven(context, { id, scopes: data.scopes });
  const after = { ...before, ...data, role: actsAs === undefined ? before.role : (actsAs?.role ?? null) };
  const lock = change.lock === undefined ? before.lock : change.lock;
  if (
    bound !== 'operator' &&
    isAdministrator(before, policy.plan) &&
    !isAdministrator({ ...after, lock }, policy.plan)
  ) {
    await keepAnAdministrator(context, [before], context.key?.id === id ? id : null);
  }
  await mustBeThere(unit, {
    environment: before.environment,
    projectIds: change.projects === undefined ? null : data.projectIds,
    actsAsId: actsAsId === undefined ? null : data.actsAsId,
  });
  if (isOfApp(before)) await keepWithinConsent(unit, before, after, policy.plan, verb === 'loosen');
  const changes = changesBetween(before, data);
  // Who has seen it sees the same.
  if (Object.keys(changes).length === 0 && change.lock === undefined) return before;
  const changed = Object.fromEntries(Object.entries(data).filter(([field]) => field in changes));
  const apiKey = await unit.tx.apiKey.update({
    where: { id },
    data: { ...changed, updatedAt: nextVersion(before, unit.now) },
  });
  unit.audit({ ...aboutKey(before, verb), changes });
  if (Object.keys(boundsOf(apiKey)).some((field) => field in changes)) {
    unit.afterCommit(() => remember([{ hash: before.hash, at: unit.now, bounds: boundsOf(apiKey) }]));
    // They were approved for the key as it was.
    await endGrants(unit, before);
  }
  return apiKey;
}

/**
 * What a user lets an application do, nobody but the user widens: other bounds are the administrator's own.
 * @param isUndo whether it is given what it had, as far as the application may have it still
 * @throws FORBIDDEN
 */
async function keepWithinConsent(
  { tx }: Unit,
  before: StoredKey,
  after: StoredKey,
  plan: Plan,
  isUndo: boolean,
): Promise<void> {
  const app = before.appId === null ? null : await tx.oauthApp.findUnique({ where: { id: before.appId } });
  const most = scopeSet(listOf(app?.scopes ?? ''));
  if (!isScopeSubset(scopeSet(listOf(after.scopes)), most)) {
    throw new ApiError('FORBIDDEN', 'The application may not have all of these scopes any more.');
  }
  const ends = { expiresAt: null, autoRenew: false, allowedIps: null, ratePerMinute: null, ratePerHour: null };
  const consent = (key: StoredKey) => authorityOf({ ...key, ...ends, lock: null }, plan);
  if (isUndo || isSubset(consent(after), consent(before))) return;
  throw new ApiError('FORBIDDEN', 'Its user lets the application do this much, and no more.');
}

/** One who is not there has no role, and is refused once the key is known to lie within the caller. */
export async function userOf({ tx }: Unit, id: string | null): Promise<ResolvedRequest['actsAs']> {
  if (id === null) return null;
  return { id, role: (await rolesOfUsers(tx, [id])).get(id) ?? null };
}

/** @throws NOT_FOUND for projects and users that are not in the environment of the key */
export async function mustBeThere(
  { tx }: Unit,
  { environment, projectIds, actsAsId }: Pick<KeyGrant, 'environment' | 'projectIds' | 'actsAsId'>,
): Promise<void> {
  const ids = listOf(projectIds);
  const where = { id: { in: ids }, environment };
  const found = ids.length === 0 ? [] : await tx.project.findMany({ where, select: { id: true } });
  const missing = ids.find((id) => !found.some((project) => project.id === id));
  if (missing !== undefined) throw notFoundRow('Project', missing);
  if (actsAsId === null) return;
  const user = await tx.user.findFirst({ where: { id: actsAsId, environment }, select: { id: true } });
  if (!user) throw notFoundRow('User', actsAsId);
}
