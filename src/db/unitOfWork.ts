/**
 * A change of data, whole or not at all: one transaction with the locks that it needs, its rows, its audit entries, the
 * mark of the request's Idempotency-Key and the change counter of the keys. After the commit, and only then, caches drop
 * what they hold, and other processes and subscribers are notified; whatever fails there cannot undo the change, so it is
 * logged and not thrown.
 *
 * Lock order: workspace, then projects, users, tasks and relationships, then the change counter, last before the commit.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { PrismaClient } from '#prisma/client.js';
import { type Actor, type AuditEntry, auditRow } from '../audit/entry.js';
import { AsyncValue } from './asyncValue.js';
import type { Database } from './database.js';
import { isConflict } from './databaseError.js';
import { type RawStatements, said } from './insertions.js';
import { mustStayWithin, noteProjects } from './projectReach.js';
import type { Provider } from './provider.js';
import { forNobody } from './reader.js';
import { takeNumberWithin } from './taskNumbers.js';
import { notFoundRow, type Reach, referredTo, type TenantTransaction, withoutBinding } from './tenant.js';
import { type UnitStatements, unitStatements } from './unitStatements.js';

export const KEY_CHANGES = 'api_keys';

/** Milliseconds that a change may take which touches many rows; within what a request may. */
const LONG = 25_000;
/** Rows of the audit log that are written by one statement, after which others have their turn. */
const AUDIT_BATCH = 1000;

/** What a change works with while it is under way. */
export interface Unit extends UnitStatements {
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
}

/** What a change works with that adds rows. */
export interface AddingUnit extends UnitStatements {
  readonly actor: Actor;
  /** When the change began; all that it writes bears this time. */
  readonly now: Date;
  /**
   * Adds rows to the actor's workspace and environment, at the end of the change.
   * @throws NOT_FOUND for a row that they refer to and that is not there
   */
  insert(model: string, ...rows: readonly Readonly<Record<string, unknown>>[]): Promise<void>;
  audit(entry: AuditEntry): void;
  /** Runs after the commit. What it throws is logged. */
  afterCommit(effect: () => void): void;
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
  mark(raw: RawStatements): Promise<unknown>;
  /** Called once a change is committed. */
  committed(): void;
}

const claims = new AsyncValue<ClaimMark>();

/** Every change that `run` makes marks the claim. */
export function withClaim<T>(claim: ClaimMark, run: () => Promise<T>): Promise<T> {
  return claims.run(claim, run);
}

/** How often a change is tried that meets others, and within how many milliseconds again. */
const ATTEMPTS = 4;
const APART = 50;

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

  /**
   * Commits what `work` did, or nothing of it.
   * @param work is done again where its transaction met another, so that what it keeps outside of the unit begins anew
   */
  async run<T>(actor: Actor, work: (unit: Unit) => Promise<T>, options: RunOptions = {}): Promise<T> {
    return this.#again(() => this.#run(actor, work, options));
  }

  /** PostgreSQL ends one of two transactions that wait for each other, a second after they met. */
  async #again<T>(attempt: () => Promise<T>): Promise<T> {
    for (let attempts = 1; ; attempts += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (this.database.provider !== 'postgresql' || attempts === ATTEMPTS || !isConflict(error)) throw error;
        await setTimeout(Math.random() * APART);
      }
    }
  }

  async #run<T>(actor: Actor, work: (unit: Unit) => Promise<T>, options: RunOptions): Promise<T> {
    const db = this.database.forTenant({
      workspaceId: actor.workspaceId,
      environment: actor.environment,
      kind: options.reach ?? 'tenant',
      // Which keys a key may change, its authority says.
      bound: options.reach === 'workspace' ? undefined : actor.bound,
    });
    const claim = claims.get();
    const effects: (() => void)[] = [];
    let keysChanged = false;
    let isCommitted = false;
    try {
      const result = await db.$transaction(
        async (tx) => {
          const entries: AuditEntry[] = [];
          const now = this.clock();
          const raw = rawStatements(tx, this.database.provider);
          const unit: Unit = {
            ...unitStatements(raw, actor, now, this.database.provider),
            tx,
            actor,
            now,
            audit: noting(actor, entries),
            afterCommit: (effect) => void effects.push(effect),
            keysChanged: () => {
              keysChanged = true;
            },
          };
          const made = await work(unit);
          const rows = entries.map((entry) => auditRow(actor, entry, unit.now));
          for (let at = 0; at < rows.length; at += AUDIT_BATCH) {
            await unit.insertRows('AuditEvent', rows.slice(at, at + AUDIT_BATCH));
            if (at + AUDIT_BATCH < rows.length) await setImmediate();
          }
          if (claim) await claim.mark(raw);
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

  /** The same for a change that only adds rows, without the client's way of making statements. */
  async add<T>(actor: Actor, work: (unit: AddingUnit) => Promise<T>): Promise<T> {
    return this.#again(() => this.#add(actor, work));
  }

  async #add<T>(actor: Actor, work: (unit: AddingUnit) => Promise<T>): Promise<T> {
    const { provider } = this.database;
    const claim = claims.get();
    const effects: (() => void)[] = [];
    const result = await this.database.inTransaction(async (transaction) => {
      const now = this.clock();
      const entries: AuditEntry[] = [];
      const statements = unitStatements(transaction, actor, now, provider);
      const { workspaceId, environment } = actor;
      const made = await work({
        ...statements,
        actor,
        now,
        async insert(model, ...rows) {
          for (const row of rows) if (actor.bound) mustStayWithin(actor.bound, model, row, true);
          for (const { model: other, id } of rows.flatMap((row) => referredTo(model, row))) {
            if (!(await statements.has(other, id))) throw notFoundRow(other, id);
          }
          transaction.insert(
            model,
            rows.map((row) => ({ ...row, workspaceId, environment })),
          );
        },
        audit: noting(actor, entries),
        afterCommit: (effect) => void effects.push(effect),
        nextTaskNumber: () => takeNumberWithin(transaction, actor),
      });
      transaction.insert(
        'AuditEvent',
        entries.map((entry) => auditRow(actor, entry, now)),
      );
      await claim?.mark(transaction);
      return made;
    });
    claim?.committed();
    for (const effect of effects) this.#effect(effect);
    return result;
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

function rawStatements(tx: TenantTransaction, provider: Provider): RawStatements {
  const raw = tx as unknown as Pick<PrismaClient, '$queryRawUnsafe' | '$executeRawUnsafe'>;
  return {
    query: <Row>(sql: string, values: readonly unknown[]) =>
      withoutBinding(() => raw.$queryRawUnsafe<Row[]>(said(provider, sql), ...values)),
    execute: (sql, values) => withoutBinding(() => raw.$executeRawUnsafe(said(provider, sql), ...values)),
  };
}

/** Other processes see the new value and drop what they remember of keys. */
export async function countKeyChange(tx: Pick<PrismaClient, 'changeCounter'>): Promise<void> {
  await tx.changeCounter.upsert({
    where: { name: KEY_CHANGES },
    create: { name: KEY_CHANGES, value: 1 },
    update: { value: { increment: 1 } },
  });
}

/** The same for rows that are written together: later than any of them was. */
export const nextVersionOf = (rows: readonly { readonly updatedAt: Date }[], now: Date): Date =>
  rows.reduce((time, row) => nextVersion(row, time), now);

/** Later than it was, whatever the clock says, so that no two versions of a row have the same time. */
export function nextVersion(before: { readonly updatedAt: Date }, now: Date): Date {
  return new Date(Math.max(now.getTime(), before.updatedAt.getTime() + 1));
}

/** What is changed is of a project, whatever is answered of it. */
function noting({ bound }: Actor, entries: AuditEntry[]): (entry: AuditEntry) => void {
  return (entry) => {
    if (bound) noteProjects([entry.projectId]);
    entries.push(entry);
  };
}
