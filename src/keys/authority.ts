/**
 * What a key may do and hand on, and the one comparison of two such. Whoever makes, changes, rotates, revokes, renews or
 * tokenizes a key asks here, for the key as it was and as it becomes.
 */
import type { ApiKey, Environment } from '#prisma/client.js';
import { ROLE_GRANTS, type RoleName } from '../scopes/roles.js';
import { narrowed, type Scope, type ScopeSet, scopeSet } from '../scopes/scope.js';
import { blockWithin } from './network.js';
import { isWithinLock, type OperationLock, scopesOfLock } from './operationLock.js';
import { effectiveLimits, type RateLimits } from './plans.js';

export interface Authority {
  readonly environment: Environment;
  readonly scopes: ScopeSet;
  /** The same without regard to the role of the user as whom it acts, which may change. */
  readonly granted: ScopeSet;
  /** Ids of the projects that it sees and changes; null: all, and what has no project. */
  readonly projects: ReadonlySet<string> | null;
  /** The user as whom it acts; null: nobody. */
  readonly actsAs: string | null;
  /** The operations that it runs; null: any. */
  readonly operations: OperationLock | null;
  /** When it ends unless it is prolonged; null: never. */
  readonly expiresAt: Date | null;
  /** Seconds that it prolongs itself by, again and again; null: it does not. */
  readonly renewalTerm: number | null;
  /** CIDR blocks; null: any address. */
  readonly allowedIps: readonly string[] | null;
  /** As they hold: the key's own numbers under the ceiling of the plan. */
  readonly limits: RateLimits;
  /** The key's own numbers, which go on to hold when the plan changes; null: it has none. */
  readonly ownLimits: { readonly perMinute: number | null; readonly perHour: number | null };
}

/** A credential that is its key for a while, with fewer scopes perhaps: an access token. */
export interface Narrowing {
  readonly scopes: readonly string[];
  readonly until: Date;
}

/** What the authority of a key depends on beside its row. */
export interface KeyBonds {
  /** Of the user as whom it acts; null: nobody, or one who is not there any more. */
  readonly role: RoleName | null;
  /** Null: it is not locked. */
  readonly lock: OperationLock | null;
}

/** A key as it is stored, with what its row refers to. */
export type StoredKey = ApiKey & KeyBonds;

type KeyRow = KeyBonds &
  Pick<
    ApiKey,
    | 'environment'
    | 'scopes'
    | 'projectIds'
    | 'actsAsId'
    | 'expiresAt'
    | 'graceEndsAt'
    | 'rotatedAt'
    | 'autoRenew'
    | 'termSeconds'
    | 'allowedIps'
    | 'ratePerMinute'
    | 'ratePerHour'
  >;

/** What bounds a key, beside its end. */
const BOUND_COLUMNS = [
  ...(['scopes', 'projectIds', 'actsAsId', 'isLocked', 'allowedIps', 'ratePerMinute', 'ratePerHour'] as const),
  ...(['expiresAt', 'autoRenew', 'termSeconds'] as const),
];
export type KeyBounds = Pick<ApiKey, (typeof BOUND_COLUMNS)[number]>;

export function boundsOf(key: KeyBounds): KeyBounds {
  return Object.fromEntries(BOUND_COLUMNS.map((name) => [name, key[name]])) as unknown as KeyBounds;
}

/** @param token the access token in whose name the key is used; what the key loses, the token loses */
export function authorityOf(key: KeyRow, plan: RateLimits, token?: Narrowing): Authority {
  const grants = token ? narrowed(token.scopes, listOf(key.scopes)) : listOf(key.scopes);
  const ownLimits = { perMinute: key.ratePerMinute, perHour: key.ratePerHour };
  const renews = key.autoRenew && key.rotatedAt === null && token === undefined;
  return {
    environment: key.environment,
    scopes: scopesOf(key, grants),
    granted: scopeSet(grants),
    projects: key.projectIds === null ? null : new Set(listOf(key.projectIds)),
    actsAs: key.actsAsId,
    operations: key.lock,
    expiresAt: earliest(key.expiresAt, key.graceEndsAt, token?.until),
    renewalTerm: renews ? key.termSeconds : null,
    allowedIps: key.allowedIps === null ? null : listOf(key.allowedIps),
    limits: effectiveLimits(ownLimits, plan),
    ownLimits,
  };
}

/** The scopes of a key that has some more for a while. */
export function scopesWith(key: KeyRow, more: readonly string[]): ScopeSet {
  return scopesOf(key, [...listOf(key.scopes), ...more]);
}

/** What of the grants is left under the user's role, the operations and the projects that bound the key. */
function scopesOf({ actsAsId, role, lock, projectIds }: KeyRow, grants: readonly string[]): ScopeSet {
  let left = grants;
  if (actsAsId !== null) left = narrowed(left, role === null ? [] : ROLE_GRANTS[role]);
  if (lock !== null) left = narrowed(left, scopesOfLock(lock));
  const held = scopeSet(left);
  // What only an administrator may do concerns all projects.
  return projectIds === null ? held : scopeSet([...held].filter((scope) => scope !== 'admin:*'));
}

/** In which respect one authority reaches beyond another. */
export type Excess =
  | { readonly of: 'environment' }
  | { readonly of: 'scopes'; readonly missing: readonly Scope[] }
  | { readonly of: 'projects' | 'user' | 'operations' }
  | { readonly of: 'expiry' }
  | { readonly of: 'renewal' }
  | { readonly of: 'addresses' }
  | { readonly of: 'perMinute' | 'perHour'; readonly most: number };

/** Whether everything that `inner` allows, `outer` allows too, for as long. */
export function isSubset(inner: Authority, outer: Authority): boolean {
  return excessOf(inner, outer) === undefined;
}

/** The first respect in which `inner` reaches beyond `outer`; undefined: in none. */
export function excessOf(inner: Authority, outer: Authority): Excess | undefined {
  const missing = [...inner.scopes].filter((scope) => !outer.scopes.has(scope));
  const promised = [...inner.granted].filter((scope) => !outer.granted.has(scope));
  const { perMinute, perHour } = outer.limits;
  if (!reachesEnvironment(outer, inner.environment)) return { of: 'environment' };
  if (missing.length > 0) return { of: 'scopes', missing };
  // What a role keeps from it now, another role may not.
  if (promised.length > 0) return { of: 'scopes', missing: promised };
  if (outer.projects !== null && !isSubsetOf(inner.projects, outer.projects)) return { of: 'projects' };
  if (inner.actsAs !== outer.actsAs && (outer.actsAs !== null || !outer.scopes.has('admin:*'))) return { of: 'user' };
  if (outer.operations !== null && (!inner.operations || !isWithinLock(inner.operations, outer.operations))) {
    return { of: 'operations' };
  }
  if (outer.expiresAt !== null) {
    if (inner.expiresAt === null || inner.expiresAt > outer.expiresAt) return { of: 'expiry' };
    if (inner.renewalTerm !== null && (outer.renewalTerm === null || inner.renewalTerm > outer.renewalTerm)) {
      return { of: 'renewal' };
    }
  }
  const { allowedIps } = outer;
  if (
    allowedIps !== null &&
    !inner.allowedIps?.every((block) => allowedIps.some((wider) => blockWithin(block, wider)))
  ) {
    return { of: 'addresses' };
  }
  if (exceeds(inner.limits.perMinute, perMinute)) return { of: 'perMinute', most: perMinute };
  if (exceeds(inner.limits.perHour, perHour)) return { of: 'perHour', most: perHour ?? 0 };
  for (const of of ['perMinute', 'perHour'] as const) {
    const most = outer.ownLimits[of];
    if (exceeds(inner.ownLimits[of], most)) return { of, most: most ?? 0 };
  }
  return undefined;
}

const isSubsetOf = (inner: ReadonlySet<string> | null, outer: ReadonlySet<string>) =>
  inner !== null && [...inner].every((id) => outer.has(id));

const exceeds = (inner: number | null, outer: number | null) => outer !== null && (inner === null || inner > outer);

/** An administrator of live also manages the sandbox. */
export function reachesEnvironment(
  { environment, scopes }: Pick<Authority, 'environment' | 'scopes'>,
  other: Environment,
): boolean {
  return environment === other || (environment === 'LIVE' && scopes.has('admin:*'));
}

/** Scopes and CIDR blocks are stored space-separated. */
export function listOf(stored: string | null): string[] {
  return stored === null || stored === '' ? [] : stored.split(' ');
}

/** Of the moments that there are. */
export function earliest(...moments: readonly (Date | null | undefined)[]): Date | null {
  const times = moments.flatMap((moment) => (moment ? [moment.getTime()] : []));
  return times.length > 0 ? new Date(Math.min(...times)) : null;
}
