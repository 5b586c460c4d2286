/** Who a request comes from: an authenticated key, as the cache holds it. */
import type { ApiKey, Environment } from '#prisma/client.js';
import { type Bounds, boundsOf, earliest } from '../keys/apiKey.js';
import type { ScopeSet } from '../scopes/scope.js';

export interface Principal {
  readonly keyId: string;
  readonly workspaceId: string;
  readonly environment: Environment;
  readonly scopes: ScopeSet;
  /** The user whom the key acts for. */
  readonly userId: string | null;
  readonly plan: string;
  /** What the key may hand on to another. */
  readonly bounds: Bounds;
  readonly apiKey: Omit<ApiKey, 'hash'>;
}

/** @param until when the credential ends, where that is before its key does; nothing that it gives lasts longer */
export function principalOf({ hash: _hash, ...apiKey }: ApiKey, plan: string, until?: Date): Principal {
  const own = boundsOf({ ...apiKey, hash: '' });
  const bounds = { ...own, expiresAt: earliest(own.expiresAt, until) };
  return {
    keyId: apiKey.id,
    workspaceId: apiKey.workspaceId,
    environment: apiKey.environment,
    scopes: bounds.scopes,
    userId: apiKey.createdById,
    plan,
    bounds,
    apiKey,
  };
}
