/** The audit log: who did what to which row, from where, and what changed. Never a secret. */
import type { Environment } from '#prisma/client.js';
import { newId } from '../ids.js';

/** What a key is bound to that sees and changes some projects alone. */
export interface ProjectBound {
  /** Ids. */
  readonly projects: readonly string[];
  readonly keyId: string;
}

/** Who acts. Comes from the context alone, never from input. `keyId` is null for the command line. */
export interface Actor {
  readonly workspaceId: string;
  readonly environment: Environment;
  readonly keyId: string | null;
  readonly userId: string | null;
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly requestId: string | null;
  /** Where it is bound to projects. */
  readonly bound?: ProjectBound | undefined;
}

/** An actor of the server itself, named in place of a user agent. */
export function serverActor(tenant: Pick<Actor, 'workspaceId' | 'environment'>, name: string): Actor {
  const { workspaceId, environment } = tenant;
  return { workspaceId, environment, keyId: null, userId: null, ip: null, userAgent: name, requestId: null };
}

export type Changes = Record<string, { from?: unknown; to?: unknown }>;

export interface AuditEntry {
  /** resource.verb, e.g. `task.create` */
  readonly action: string;
  readonly targetType?: string;
  readonly targetId?: string;
  readonly changes?: Changes;
  /** The one project that it concerns: keys that are bound to projects see nothing else. */
  readonly projectId?: string | null;
  /** Where the target is, if not where the actor is: an administrator of live changes keys of the sandbox. */
  readonly environment?: Environment;
}

const USER_AGENT_LENGTH = 255;

/** What is kept of a user agent. */
export function shortUserAgent(userAgent: string | null): string | null {
  return userAgent?.slice(0, USER_AGENT_LENGTH) ?? null;
}

/** The same with changes as JSON has them: Prisma's client writes no others. */
export function plainAuditRow(actor: Actor, entry: AuditEntry, at: Date) {
  const { changes, ...row } = auditRow(actor, entry, at);
  return { ...row, ...(changes && { changes: JSON.parse(JSON.stringify(changes)) }) };
}

/** The row of an entry. Ids count up within a process, so that entries of one change stay in their order. */
export function auditRow(actor: Actor, entry: AuditEntry, at: Date) {
  return {
    id: newId(),
    workspaceId: actor.workspaceId,
    environment: entry.environment ?? actor.environment,
    action: entry.action,
    actorKeyId: actor.keyId,
    actorUserId: actor.userId,
    targetType: entry.targetType ?? null,
    targetId: entry.targetId ?? null,
    projectId: entry.projectId ?? null,
    ip: actor.ip,
    userAgent: shortUserAgent(actor.userAgent),
    requestId: actor.requestId,
    createdAt: at,
    ...(entry.changes && { changes: entry.changes }),
  };
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
