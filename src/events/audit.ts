/** The audit log: who did what to which row, from where, and what changed. Never a secret. */
import type { Environment } from '#prisma/client.js';
import type { TenantTransaction } from '../db/tenant.js';

/** Who acts. Comes from the context alone, never from input. `keyId` is null for the command line. */
export interface Actor {
  readonly workspaceId: string;
  readonly environment: Environment;
  readonly keyId: string | null;
  readonly userId: string | null;
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly requestId: string | null;
}

export type Changes = Record<string, { from?: unknown; to?: unknown }>;

export interface AuditEntry {
  /** resource.verb, e.g. `task.create` */
  readonly action: string;
  readonly targetType?: string;
  readonly targetId?: string;
  readonly changes?: Changes;
}

/** Writes one event; in the transaction of the change that it tells of, so that neither is there without the other. */
export async function recordAudit(db: TenantTransaction, actor: Actor, entry: AuditEntry): Promise<void> {
  await db.auditEvent.create({
    data: {
      // The tenant database overwrites both; they are required by the type.
      workspaceId: actor.workspaceId,
      environment: actor.environment,
      action: entry.action,
      actorKeyId: actor.keyId,
      actorUserId: actor.userId,
      targetType: entry.targetType ?? null,
      targetId: entry.targetId ?? null,
      ip: actor.ip,
      userAgent: actor.userAgent?.slice(0, 255) ?? null,
      requestId: actor.requestId,
      ...(entry.changes && { changes: JSON.parse(JSON.stringify(entry.changes)) }),
    },
    select: { id: true },
  });
}

/** The fields of `after` whose value differs from `before`'s. */
export function changesBetween(before: object, after: object): Changes {
  const changes: Changes = {};
  for (const [field, to] of Object.entries(after)) {
    const from = (before as Record<string, unknown>)[field];
    if (to !== undefined && JSON.stringify(from) !== JSON.stringify(to)) changes[field] = { from, to };
  }
  return changes;
}
