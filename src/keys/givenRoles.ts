/**
 * Giving somebody a role. Whoever signs in with it, and keys that act as them, may do what the role allows, for all projects and
 * from everywhere, until somebody ends it: so must whoever gives it.
 */
import type { Environment } from '#prisma/client.js';
import { noteScopes } from '../db/reader.js';
import { ApiError } from '../errors.js';
import { ROLE_GRANTS, type RoleName } from '../scopes/roles.js';
import { type ScopeSet, scopeSet } from '../scopes/scope.js';
import { type Authority, type Excess, excessOf } from './authority.js';
import type { RateLimits } from './plans.js';
import type { Bound } from './rules.js';

interface GivenRole {
  readonly role: RoleName;
  /** What they have already; left out: nothing. */
  readonly before?: RoleName;
  readonly environment: Environment;
}

export const reachesRole = (bound: Authority, role: RoleName, plan: RateLimits): boolean =>
  excessOfRole(bound, { role, environment: 'LIVE' }, plan) === undefined;

/** @throws FORBIDDEN beyond the caller's own reach */
export function mayGiveRole(bound: Bound, given: GivenRole, plan: RateLimits): void {
  if (bound === 'operator') return;
  const excess = excessOfRole(bound, given, plan);
  if (!excess) {
    noteScopes(scopesOf(given));
    return;
  }
  const missing = excess.of === 'scopes' ? excess.missing : [];
  const what = missing.length > 0 ? missing.join(', ') : excess.of;
  throw new ApiError(
    'FORBIDDEN',
    `${given.role} reaches beyond the caller: ${what}. Nobody gives more than they hold.`,
    {
      ...(missing.length > 0 && { missingScopes: missing }),
    },
  );
}

/** @returns undefined where they get nothing that they do not have, or nothing beyond the caller */
function excessOfRole(bound: Authority, given: GivenRole, plan: RateLimits): Excess | undefined {
  const scopes = scopesOf(given);
  if (scopes.size === 0) return undefined;
  const authority: Authority = {
    ...{
      environment: given.environment,
      scopes,
      granted: scopes,
      projects: null,
      actsAs: bound.actsAs,
      operations: null,
    },
    ...{ expiresAt: null, renewalTerm: null, allowedIps: null, limits: plan },
    ownLimits: { perMinute: null, perHour: null },
  };
  return excessOf(authority, bound);
}

/** That they do not have already. */
function scopesOf({ role, before }: GivenRole): ScopeSet {
  const had: ScopeSet = scopeSet(before === undefined ? [] : ROLE_GRANTS[before]);
  return new Set([...scopeSet(ROLE_GRANTS[role])].filter((scope) => !had.has(scope)));
}
