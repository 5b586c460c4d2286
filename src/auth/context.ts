/** What every resolver works with. One per request, never shared. */
import type { Database } from '../db/database.js';
import type { TenantDatabase } from '../db/tenant.js';
import type { Actor } from '../events/audit.js';
import type { Keys } from '../keys/keys.js';
import type { Principal } from './principal.js';

export interface RequestInfo {
  readonly id: string;
  readonly ip: string | null;
  readonly userAgent: string | null;
}

/** Built once, at start-up. */
export interface Services {
  readonly database: Database;
  readonly keys: Keys;
}

export interface Context {
  readonly principal: Principal;
  readonly actor: Actor;
  /** Bound to the key's workspace and environment. */
  readonly db: TenantDatabase;
  readonly request: RequestInfo;
  readonly services: Services;
}

export function createContext(principal: Principal, request: RequestInfo, services: Services): Context {
  const { workspaceId, environment, keyId, userId } = principal;
  return {
    principal,
    actor: {
      workspaceId,
      environment,
      keyId,
      userId,
      ip: request.ip,
      userAgent: request.userAgent,
      requestId: request.id,
    },
    db: services.database.forTenant(principal),
    request,
    services,
  };
}
