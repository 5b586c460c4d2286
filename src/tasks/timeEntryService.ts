/** Time worked on tasks; each change is one unit of work. */
import { z } from 'zod';
import { type Actor, changesBetween } from '../audit/entry.js';
import { withoutBinding } from '../db/tenant.js';
import { nextVersion, type Unit, type UnitOfWork } from '../db/unitOfWork.js';
import { ApiError, badInput, notFound } from '../errors.js';
import { check, expectVersion, given, required, text } from '../input.js';
import type { ScopeSet } from '../scopes/scope.js';

/** Entries of one task. */
const MOST = 10_000;

const rules = z.object({
  startedAt: required(z.date()).optional(),
  endedAt: z.date().nullish(),
  note: text(0, 1000).nullish(),
});

interface Times {
  readonly startedAt?: Date | null | undefined;
  /** Null: it is running. */
  readonly endedAt?: Date | null | undefined;
  readonly note?: string | null | undefined;
}

interface NewTimeEntry extends Times {
  readonly taskId: string;
}

interface TimeEntryChange extends Times {
  readonly id: string;
  readonly expectedUpdatedAt?: Date | null | undefined;
}

export class TimeEntryService {
  constructor(private readonly units: UnitOfWork) {}

  /**
   * @param input without a start, it starts now; without an end, it is running, and another that runs for the same user is
   * ended
   */
  async create(actor: Actor, { taskId, ...input }: NewTimeEntry): Promise<{ id: string }> {
    const { startedAt, endedAt = null, note } = check(rules, input);
    return this.units.run(actor, async (unit) => {
      const { tx, now } = unit;
      const times = { startedAt: startedAt ?? now, endedAt };
      inOrder(times);
      if (endedAt === null) await endRunning(unit, times.startedAt);
      if ((await tx.timeEntry.count({ where: { taskId } })) >= MOST) {
        throw new ApiError('CONFLICT', `A task has at most ${MOST} time entries.`);
      }
      const { workspaceId, environment, userId, keyId } = actor;
      const row = await tx.timeEntry.create({
        data: {
          ...{ workspaceId, environment, userId, createdByKeyId: keyId, taskId, ...times, note: note || null },
          ...{ createdAt: now, updatedAt: now },
        },
        select: { id: true },
      });
      unit.audit({
        ...about(row.id, 'create', await projectOf(unit, taskId)),
        changes: changesBetween({}, { taskId, ...times }),
      });
      return row;
    });
  }

  /** Changes what is given of an entry of one's own. @throws FORBIDDEN for another's */
  async update(actor: Actor, { id, expectedUpdatedAt, ...input }: TimeEntryChange): Promise<{ id: string }> {
    const data = given(check(rules, given(input)));
    if (data.note === '') data.note = null;
    return this.units.run(actor, async (unit) => {
      const before = await find(unit, id, expectedUpdatedAt);
      if (!isOwn(before, actor)) throw new ApiError('FORBIDDEN', 'Only whose time it is changes it.');
      inOrder({ ...before, ...data });
      if (data.endedAt === null && before.endedAt !== null) {
        await endRunning(unit, data.startedAt ?? before.startedAt);
      }
      const changes = changesBetween(before, data);
      if (Object.keys(changes).length === 0) return before;
      await unit.tx.timeEntry.update({
        where: { id },
        data: { ...data, updatedAt: nextVersion(before, unit.now) },
        select: { id: true },
      });
      unit.audit({ ...about(id, 'update', await projectOf(unit, before.taskId)), changes });
      return before;
    });
  }

  /** @param held the scopes of the caller: another's takes tasks:delete */
  async delete(
    actor: Actor,
    held: ScopeSet,
    { id, expectedUpdatedAt }: Pick<TimeEntryChange, 'id' | 'expectedUpdatedAt'>,
  ): Promise<void> {
    await this.units.run(actor, async (unit) => {
      const before = await find(unit, id, expectedUpdatedAt);
      if (!isOwn(before, actor) && !held.has('tasks:delete')) {
        throw new ApiError('FORBIDDEN', "Another's time entry takes the scope tasks:delete.", {
          ...{ requiredScopes: ['tasks:delete'], missingScopes: ['tasks:delete'] },
        });
      }
      await unit.tx.timeEntry.delete({ where: { id }, select: { id: true } });
      const { taskId, startedAt, endedAt } = before;
      const changes = { taskId: { from: taskId }, startedAt: { from: startedAt }, endedAt: { from: endedAt } };
      unit.audit({ ...about(id, 'delete', await projectOf(unit, taskId)), changes });
    });
  }
}

const about = (id: string, verb: string, projectId: string | null) => ({
  ...{ action: `time_entry.${verb}`, targetType: 'TimeEntry', targetId: id, projectId },
});

/** Of the same user, or, where a key has none, of the same key. */
function isOwn(
  { userId, createdByKeyId }: { readonly userId: string | null; readonly createdByKeyId: string | null },
  actor: Actor,
): boolean {
  if (userId !== null || actor.userId !== null) return userId === actor.userId;
  return actor.keyId !== null && createdByKeyId === actor.keyId;
}

function inOrder({ startedAt, endedAt }: { startedAt: Date; endedAt?: Date | null | undefined }): void {
  if (endedAt && endedAt < startedAt) throw badInput({ endedAt: ['must not lie before startedAt'] });
}

/**
 * Ends what runs for the actor's user, or for a key that has none, in whichever project: one entry runs, at most.
 * @param at when the next one starts
 */
async function endRunning(unit: Unit, at: Date): Promise<void> {
  const { userId, keyId, workspaceId, environment } = unit.actor;
  // Of two that start at once, the second ends the first.
  if (userId === null) await unit.lockWorkspace();
  else await unit.lock('User', userId);
  const of = userId === null ? { userId: null, createdByKeyId: keyId } : { userId };
  const { tx } = unit;
  await withoutBinding(async () => {
    const where = { ...of, workspaceId, environment, endedAt: null };
    for (const running of await tx.timeEntry.findMany({ where, include: { task: { select: { projectId: true } } } })) {
      const { id, startedAt, task } = running;
      const endedAt = at > startedAt ? at : startedAt;
      const data = { endedAt, updatedAt: nextVersion(running, unit.now) };
      await tx.timeEntry.update({ where: { id }, data, select: { id: true } });
      unit.audit({ ...about(id, 'update', task.projectId), changes: changesBetween(running, { endedAt }) });
    }
  });
}

async function find(unit: Unit, id: string, expectedUpdatedAt: Date | null | undefined) {
  await unit.lock('TimeEntry', id);
  const entry = await unit.tx.timeEntry.findUnique({ where: { id } });
  if (!entry) throw notFound('time entry', id);
  expectVersion(entry, expectedUpdatedAt);
  return entry;
}

async function projectOf({ tx }: Unit, taskId: string): Promise<string | null> {
  const task = await tx.task.findUnique({ where: { id: taskId }, select: { projectId: true } });
  return task?.projectId ?? null;
}
