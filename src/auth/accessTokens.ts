/** Access tokens (RFC 6749): a key's reach, or less of it, for an hour. */
import type { Actor } from '../audit/entry.js';
import type { Unit, UnitOfWork } from '../db/unitOfWork.js';
import { ApiError } from '../errors.js';
import { authorityOf, earliest, isSubset, listOf } from '../keys/authority.js';
import { generateSecret, hashKey } from '../keys/format.js';
import { GRANTABLE, narrowed, scopeSet } from '../scopes/scope.js';
import type { Principal } from './principal.js';

/** Seconds. */
const LIFETIME = 3600;

export interface IssuedToken {
  /** Shown this once. */
  readonly token: string;
  /** Seconds, from the moment of the answer. */
  readonly expiresIn: number;
  readonly scopes: readonly string[];
}

/**
 * One for the key itself: the client-credentials flow (RFC 6749 4.4).
 * @param wanted scopes; undefined: all of the key's
 * @throws ApiError FORBIDDEN when the key does not hold them
 */
export async function issueToken(
  units: UnitOfWork,
  actor: Actor,
  principal: Principal,
  wanted: readonly string[] | undefined,
): Promise<IssuedToken> {
  return units.run(actor, (unit) => writeToken(unit, principal, wanted));
}

/** The same within a change that is under way. */
export async function writeToken(
  { tx, audit, now }: Unit,
  { apiKey, authority, keyId, workspaceId, environment, plan }: Principal,
  wanted: readonly string[] | undefined,
): Promise<IssuedToken> {
  const scopes = [...new Set(wanted ?? narrowed(listOf(apiKey.scopes), [...authority.scopes]))];
  const end = new Date(now.getTime() + LIFETIME * 1000);
  const until = earliest(end, authority.expiresAt) ?? end;
  const asked = { ...authorityOf(apiKey, plan, { scopes, until }), scopes: scopeSet(scopes) };
  if (scopes.some((scope) => !GRANTABLE.includes(scope)) || !isSubset(asked, authority)) {
    throw new ApiError('FORBIDDEN', 'The key does not hold the scopes that were asked for.');
  }
  const token = generateSecret('at', environment);
  await tx.accessToken.create({
    data: { hash: hashKey(token), keyId, workspaceId, environment, scopes: scopes.join(' '), expiresAt: until },
    select: { keyId: true },
  });
  audit({
    action: 'api_key.token',
    targetType: 'ApiKey',
    targetId: keyId,
    environment,
    changes: { scopes: { to: scopes }, expiresAt: { to: until } },
  });
  return { token, expiresIn: Math.max(0, Math.floor((until.getTime() - now.getTime()) / 1000)), scopes };
}
