/**
 * A change of data, whole or not at all: one transaction with the locks that it needs, its rows, its audit entries, the
 * mark of the request's Idempotency-Key and the change counter of the keys. After the commit, and only then, caches drop
 * what they hold, and other processes and subscribers are notified; whatever fails there cannot undo the change, so it is
 * logged and not thrown.
 *
 * Lock order: workspace, then projects, users, tasks and relationships, then the change counter, last before the commit.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate } from 'node:timers/promises';
import type { PrismaClient } from '#prisma/client.js';
import { type Actor, type AuditEntry, auditRow } from '../audit/entry.js';
import type { Database } from './database.js';
import { forNobody } from './reader.js';
import { takeNumberWithin } from './taskNumbers.js';
import { type Reach, type TenantTransaction, withoutBinding } from './tenant.js';

export const KEY_CHANGES = 'api_keys';

/** Milliseconds that a change may take which touches many rows; within what a request may. */
const LONG = 25_000;
/** Rows of the audit log that are written by one statement, after which others have their turn. */
const AUDIT_BATCH = 100;

/** The plan of a workspace, with the operator's numbers where the plan leaves them to the operator. */
interface WorkspaceRow {
  readonly id: string;
  readonly plan: string;
  readonly ratePerMinute: number | null;
  readonly ratePerHour: number | null;
}

type Lockable = 'Project' | 'User' | 'Task' | 'TaskRelationship';

/** What a change works with while it is under way. */
export interface Unit {
  /** Bound to the actor's workspace and environment. */
  readonly tx: TenantTransaction;
  readonly actor: Actor;
  /** When the change began; all that it writes bears this time. */
  readonly now: Date;
  audit(entry: AuditEntry): void;
  /** Runs after the commit. What it throws is logged. */
  afterCommit(effect: () => void): void;
  /** A key is changed: every process drops what it remembers of keys. */
  keysChanged(): void;
  /** Changes that hold this lock go on one after another, in each workspace. */
  lockWorkspace(): Promise<WorkspaceRow>;
  /** No other transaction changes the row until this change is committed; a row that is not there is not locked. */
  lock(model: Lockable, id: string): Promise<void>;
  /** The project as it is, and stays until this change is committed; others may read it so too. */
  lockProjectForReading(id: string): Promise<{ archivedAt: Date | null } | undefined>;
  /** The user stays until this change is committed. */
  lockUserForReading(id: string): Promise<void>;
  /** Ids of tasks whose column has this value, as they stay until this change is committed; at most so many. */
  lockTasksOf(column: 'projectId' | 'assigneeId', value: string, most: number): Promise<string[]>;
  /** Takes a user who is about to go away from all that they made, in one statement, as new versions. @returns how many */
  forgetCreator(model: 'Task' | 'Project' | 'TaskRelationship', userId: string): Promise<number>;
  /** Whether a task leads to another by relationships of one kind. */
  leadsTo(from: string, to: string, type: string): Promise<boolean>;
  /** The keys that work and that a key or its predecessors made, and those that they made, in either environment. */
  descendantKeys(key: { readonly id: string; readonly lineageId: string | null }, most: number): Promise<string[]>;
  nextTaskNumber(): Promise<number>;
}

interface RunOptions {
  /** `workspace`: the rows of both environments, for changes of keys. */
  readonly reach?: Reach['kind'];
  /** It may touch many rows, and takes longer than others may. */
  readonly long?: boolean;
}

/** The Idempotency-Key of a request: every change of the request marks it as carried out. */
export interface ClaimMark {
  mark(tx: Pick<PrismaClient, 'idempotencyRecord'>): Promise<unknown>;
  /** Called once a change is committed. */
  committed(): void;
}

const claims = new AsyncLocalStorage<ClaimMark>();

/** Every change that `run` makes marks the claim. */
export function withClaim<T>(claim: ClaimMark, run: () => Promise<T>): Promise<T> {
  return claims.run(claim, run);
}

export class UnitOfWork {
  readonly #keyListeners = new Set<() => void>();

  constructor(
    private readonly database: Database,
    private readonly onError: (error: unknown) => void,
    private readonly clock: () => Date = () => new Date(),
  ) {}

  /** Told of every change of keys once it is committed, in the order of their subscription: caches before the bus. */
  onKeysChanged(listener: () => void): void {
    this.#keyListeners.add(listener);
  }

  async run<T>(actor: Actor, work: (unit: Unit) => Promise<T>, options: RunOptions = {}): Promise<T> {
    const db = this.database.forTenant({
      workspaceId: actor.workspaceId,
      environment: actor.environment,
      kind: options.reach ?? 'tenant',
    });
    const claim = claims.getStore();
    const effects: (() => void)[] = [];
    let keysChanged = false;
    let isCommitted = false;
    try {
      const result = await db.$transaction(
        async (tx) => {
          const entries: AuditEntry[] = [];
          const now = this.clock();
          const unit: Unit = {
            ...locksOf(tx, actor, now, this.database.provider === 'postgresql'),
            tx,
            actor,
            now,
            audit: (entry) => void entries.push(entry),
            afterCommit: (effect) => void effects.push(effect),
            keysChanged: () => {
              keysChanged = true;
            },
            nextTaskNumber: () => takeNumberWithin(tx, actor),
          };
          const made = await work(unit);
          const rows = entries.map((entry) => auditRow(actor, entry, unit.now));
          for (let at = 0; at < rows.length; at += AUDIT_BATCH) {
            await tx.auditEvent.createMany({ data: rows.slice(at, at + AUDIT_BATCH) });
            if (at + AUDIT_BATCH < rows.length) await setImmediate();
          }
          if (claim) await withoutBinding(() => claim.mark(tx));
          if (keysChanged) await withoutBinding(() => countKeyChange(tx));
          return made;
        },
        options.long ? { timeout: LONG } : {},
      );
      isCommitted = true;
      claim?.committed();
      return result;
    } finally {
      // Where the commit failed it may have happened all the same, so caches are emptied either way.
      if (keysChanged) for (const listener of this.#keyListeners) this.#effect(listener);
      if (isCommitted) for (const effect of effects) this.#effect(effect);
    }
  }

  /** The next number of a task, where that is taken before the transaction; nothing where it is taken within. */
  async reserveTaskNumber(actor: Actor): Promise<number | undefined> {
    return this.database.takeTaskNumber?.(actor);
  }

  #effect(effect: () => void): void {
    try {
      forNobody(effect);
    } catch (error) {
      this.onError(error);
    }
  }
}

/** Other processes see the new value and drop what they remember of keys. */
export async function countKeyChange(tx: Pick<PrismaClient, 'changeCounter'>): Promise<void> {
  await tx.changeCounter.upsert({
    where: { name: KEY_CHANGES },
    create: { name: KEY_CHANGES, value: 1 },
    update: { value: { increment: 1 } },
  });
}

/** SQLite has one writer at a time, from the beginning of the transaction on, and needs no locks. */
function locksOf(tx: TenantTransaction, { workspaceId, environment }: Actor, now: Date, isPostgresql: boolean) {
  const raw = tx as unknown as Pick<PrismaClient, '$queryRawUnsafe' | '$executeRawUnsafe'>;
  const select = <Row>(sql: string, ...values: unknown[]) =>
    withoutBinding(() =>
      raw.$queryRawUnsafe<Row[]>(
        isPostgresql ? sql : sql.replace(/\$\d|::text/g, (part) => (part === '::text' ? '' : '?')),
        ...values,
      ),
    );
  const lock = (model: Lockable, id: string, strength: string) =>
    select(
      `SELECT 1 FROM "${model}" WHERE "id" = $1 AND "workspaceId" = $2 AND "environment"::text = $3 ${strength}`,
      id,
      workspaceId,
      environment,
    );
  return {
    async lockWorkspace(): Promise<WorkspaceRow> {
      const [row] = await select<WorkspaceRow>(
        `SELECT "id", "plan", "ratePerMinute", "ratePerHour" FROM "Workspace" WHERE "id" = $1${isPostgresql ? ' FOR UPDATE' : ''}`,
        workspaceId,
      );
      if (!row) throw new Error(`no workspace ${workspaceId}`);
      return row;
    },
    async lock(model: Lockable, id: string): Promise<void> {
      if (isPostgresql) await lock(model, id, 'FOR UPDATE');
    },
    async lockProjectForReading(id: string): Promise<{ archivedAt: Date | null } | undefined> {
      if (isPostgresql) await lock('Project', id, 'FOR SHARE');
      return (await tx.project.findUnique({ where: { id }, select: { archivedAt: true } })) ?? undefined;
    },
    async lockUserForReading(id: string): Promise<void> {
      if (isPostgresql) await lock('User', id, 'FOR KEY SHARE');
    },
    async lockTasksOf(column: 'projectId' | 'assigneeId', value: string, most: number): Promise<string[]> {
      const rows = await select<{ id: string }>(
        `SELECT "id" FROM "Task" WHERE "${column}" = $1 AND "workspaceId" = $2 AND "environment"::text = $3
         ORDER BY "id" LIMIT ${most}${isPostgresql ? ' FOR UPDATE' : ''}`,
        value,
        workspaceId,
        environment,
      );
      return rows.map(({ id }) => id);
    },
    async forgetCreator(model: 'Task' | 'Project' | 'TaskRelationship', userId: string): Promise<number> {
      const next = isPostgresql
        ? `GREATEST($1::timestamp, "updatedAt" + interval '1 millisecond')`
        : 'MAX(?, "updatedAt" + 1)';
      const [first, ...rest] = isPostgresql ? ['$2', '$3', '$4'] : ['?', '?', '?'];
      const sql = `UPDATE "${model}" SET "createdById" = NULL, "updatedAt" = ${next}
        WHERE "createdById" = ${first} AND "workspaceId" = ${rest[0]} AND "environment"${isPostgresql ? '::text' : ''} = ${rest[1]}`;
      const at = isPostgresql ? now.toISOString().slice(0, -1) : now.getTime();
      return withoutBinding(() => raw.$executeRawUnsafe(sql, at, userId, workspaceId, environment));
    },
    async leadsTo(from: string, to: string, type: string): Promise<boolean> {
      const rows = await select(
        `WITH RECURSIVE "reached" ("id") AS (
           SELECT $1::text
           UNION
           SELECT "next"."targetTaskId" FROM "reached" JOIN "TaskRelationship" AS "next" ON "next"."taskId" = "reached"."id"
           WHERE "next"."workspaceId" = $2 AND "next"."environment"::text = $3 AND "next"."type"::text = $4
         ) SELECT 1 FROM "reached" WHERE "id" = $5 LIMIT 1`,
        from,
        workspaceId,
        environment,
        type,
        to,
      );
      return rows.length > 0;
    },
    async descendantKeys({ id, lineageId }: { id: string; lineageId: string | null }, most: number): Promise<string[]> {
      // Ids count up with time, so that no successor's keys are among them, but for those that it made itself.
      const lineage = lineageId ?? id;
      const rows = await select<{ id: string }>(
        `WITH RECURSIVE "made" ("id") AS (
           SELECT "id" FROM "ApiKey" WHERE "workspaceId" = $1 AND "id" <= $2 AND ("id" = $3 OR "lineageId" = $4)
           UNION
           SELECT "key"."id" FROM "made" JOIN "ApiKey" AS "key" ON "key"."createdByKeyId" = "made"."id"
           WHERE "key"."workspaceId" = $5
         )
         SELECT "key"."id" FROM "made" JOIN "ApiKey" AS "key" ON "key"."id" = "made"."id"
         WHERE "key"."revokedAt" IS NULL
           AND NOT ("key"."id" <= $6 AND ("key"."id" = $7 OR COALESCE("key"."lineageId", '') = $8)) LIMIT ${most}`,
        ...[workspaceId, id, lineage, lineage, workspaceId],
        ...[id, lineage, lineage],
      );
      return rows.map((row) => row.id);
    },
  };
}

/** Later than it was, whatever the clock says, so that no two versions of a row have the same time. */
export function nextVersion(before: { readonly updatedAt: Date }, now: Date): Date {
  return new Date(Math.max(now.getTime(), before.updatedAt.getTime() + 1));
}
