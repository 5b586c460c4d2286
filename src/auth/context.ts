/** What every resolver works with. One per request, never shared. */
import type { Database } from '../db/database.js';
import type { Idempotency } from '../db/idempotency.js';
import type { TenantDatabase } from '../db/tenant.js';
import type { TrustedDocuments } from '../db/trustedDocuments.js';
import type { Actor } from '../events/audit.js';
import type { TaskEvents } from '../events/taskEvents.js';
import type { Keys } from '../keys/keys.js';
import type { KeyWatch } from '../keys/watch.js';
import type { AuthFailures } from '../limits/authFailures.js';
import type { ExecutionGate } from '../limits/executionGate.js';
import type { FieldLimits } from '../limits/fieldLimits.js';
import type { KeyLimits } from '../limits/keyLimits.js';
import type { Decision } from '../limits/slidingWindow.js';
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
  readonly keyLimits: KeyLimits;
  readonly fieldLimits: FieldLimits;
  readonly executionGate: ExecutionGate;
  readonly keyWatch: KeyWatch;
  readonly authFailures: AuthFailures;
  readonly taskEvents: TaskEvents;
  readonly idempotency: Idempotency;
  readonly trustedDocuments: TrustedDocuments;
}

/** The key's authentication, for what outlives the request's first moment. */
export interface Session {
  /** Asks again, whether the key may still be used from where it was used. */
  mayContinue(): Promise<boolean>;
  /** Calls once when the key may not be used any more; answers how to stop waiting for it. */
  onEnd(listener: () => void): () => void;
}

/** What a request turned out to run, filled in on the way and counted when it has been answered. */
interface RequestUse {
  readonly operations: string[];
  readonly scopes: Set<string>;
  /** How the key's limits stood after it was charged; undefined while it was not. */
  limits: Decision | undefined;
  /** Operations of this request that were let through the gate. */
  running: number;
  /** By the cost of each operation, or one for the whole of it, as REST clients expect. */
  counts: 'cost' | 'request';
  /** Set when the request has been answered, or nobody waits for the answer any more. */
  ended: boolean;
}

export interface Context {
  readonly principal: Principal;
  readonly actor: Actor;
  /** Bound to the key's workspace and environment. */
  readonly db: TenantDatabase;
  readonly request: RequestInfo;
  readonly session: Session;
  readonly use: RequestUse;
  readonly services: Services;
}

export function createContext(
  principal: Principal,
  request: RequestInfo,
  session: Session,
  services: Services,
): Context {
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
    session,
    use: { operations: [], scopes: new Set(), limits: undefined, counts: 'cost', running: 0, ended: false },
    services,
  };
}
