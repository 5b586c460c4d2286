/** Who a request comes from: an authenticated key, as the cache holds it. */
import type { Environment } from '#prisma/client.js';
import type { ProjectBound } from '../audit/entry.js';
import { ApiError } from '../errors.js';
import {
  type Authority,
  authorityOf,
  earliest,
  type Narrowing,
  type StoredKey,
  scopesWith,
} from '../keys/authority.js';
import type { Caller } from '../keys/keyUnit.js';
import type { Plan } from '../keys/plans.js';
import type { ScopeSet } from '../scopes/scope.js';

export interface Principal {
  readonly keyId: string;
  /** What its requests are counted by: the first key of its line of rotations. */
  readonly lineageId: string;
  readonly workspaceId: string;
  readonly environment: Environment;
  /** What its authority has, and what it was granted for a while, which it hands on to no other key. */
  readonly scopes: ScopeSet;
  /** Where it is bound to projects. */
  readonly bound: ProjectBound | undefined;
  /** The user whom the key acts for. */
  readonly userId: string | null;
  readonly plan: Plan;
  readonly authority: Authority;
  /** The access token that was shown in place of the key. */
  readonly token: Narrowing | undefined;
  readonly apiKey: Omit<StoredKey, 'hash'>;
  /** When it is another by itself: a grant or a set of operations ends. Null: never. */
  readonly changesAt: Date | null;
}

/** Scopes that a key has for a while. */
export interface TimedGrant {
  readonly scopes: readonly string[];
  readonly endsAt: Date;
}

export function principalOf(
  { hash: _hash, ...apiKey }: StoredKey,
  plan: Plan,
  token?: Narrowing,
  grants: readonly TimedGrant[] = [],
): Principal {
  const authority = authorityOf(apiKey, plan, token);
  const { projects, operations } = authority;
  const more = grants.flatMap(({ scopes }) => scopes);
  const ends = [...(operations?.values() ?? [])].flat().map(({ endsAt }) => endsAt);
  return {
    keyId: apiKey.id,
    lineageId: apiKey.lineageId ?? apiKey.id,
    workspaceId: apiKey.workspaceId,
    environment: apiKey.environment,
    // A token is what it was when it was given out.
    scopes: more.length > 0 && !token ? scopesWith(apiKey, more) : authority.scopes,
    bound: projects === null ? undefined : { keyId: apiKey.id, projects: [...projects] },
    userId: apiKey.actsAsId ?? apiKey.createdById,
    plan,
    authority,
    token,
    apiKey,
    changesAt: earliest(...ends, ...grants.map(({ endsAt }) => endsAt)),
  };
}

/**
 * For what is no operation and takes everything: a key that is locked to operations does nothing else.
 * @throws FORBIDDEN
 */
export function mustAdminister({ scopes, authority }: Principal): void {
  if (scopes.has('admin:*') && authority.operations === null) return;
  const needed = ['admin:*'];
  throw new ApiError('FORBIDDEN', 'This needs admin:*, and a key that is locked to no operations.', {
    requiredScopes: needed,
    missingScopes: needed,
  });
}

/** The principal as one who changes keys. */
export function callerOf({ keyId, token }: Principal): Caller {
  return { keyId, token };
}
