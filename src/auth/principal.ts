/** Who a request comes from: an authenticated key, as the cache holds it. */
import type { ApiKey, Environment } from '#prisma/client.js';
import type { Caller } from '../keys/apiKeyService.js';
import { type Authority, authorityOf, type Narrowing } from '../keys/authority.js';
import type { Plan } from '../keys/plans.js';
import type { ScopeSet } from '../scopes/scope.js';

export interface Principal {
  readonly keyId: string;
  /** What its requests are counted by: the first key of its line of rotations. */
  readonly lineageId: string;
  readonly workspaceId: string;
  readonly environment: Environment;
  readonly scopes: ScopeSet;
  /** The user whom the key acts for. */
  readonly userId: string | null;
  readonly plan: Plan;
  readonly authority: Authority;
  /** The access token that was shown in place of the key. */
  readonly token: Narrowing | undefined;
  readonly apiKey: Omit<ApiKey, 'hash'>;
}

export function principalOf({ hash: _hash, ...apiKey }: ApiKey, plan: Plan, token?: Narrowing): Principal {
  const authority = authorityOf(apiKey, plan, token);
  return {
    keyId: apiKey.id,
    lineageId: apiKey.lineageId ?? apiKey.id,
    workspaceId: apiKey.workspaceId,
    environment: apiKey.environment,
    scopes: authority.scopes,
    userId: apiKey.createdById,
    plan,
    authority,
    token,
    apiKey,
  };
}

/** The principal as one who changes keys. */
export function callerOf({ keyId, token }: Principal): Caller {
  return { keyId, token };
}
