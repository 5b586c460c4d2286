/** Time worked on tasks; each change is one unit of work. */
import { z } from 'zod';
import { type Actor, changesBetween } from '../audit/entry.js';
import { withoutBinding } from '../db/tenant.js';
import { nextVersion, type Unit, type UnitOfWork } from '../db/unitOfWork.js';
import { ApiError, badInput, notFound } from '../errors.js';
import { check, expectVersion, given, required, text } from '../input.js';
import type { ScopeSet } from '../scopes/scope.js';
import { isOwn, mustMayDelete } from './ownership.js';
import { projectOfTask } from './subTasks.js';

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
      if (endedAt === null) {
        await lockTimer(unit);
        // The new entry refers to it, and tasks are locked before times.
        await unit.lock('Task', taskId);
        await endRunning(unit, times.startedAt);
      }
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
        ...about(row.id, 'create', await projectOfTask(unit, taskId)),
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
      if (data.endedAt === null) await lockTimer(unit);
      const before = await find(unit, id, expectedUpdatedAt);
      if (!isOwn(ownerOf(before), actor)) throw new ApiError('FORBIDDEN', 'Only whose time it is changes it.');
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
      unit.audit({ ...about(id, 'update', await projectOfTask(unit, before.taskId)), changes });
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
      mustMayDelete(ownerOf(before), actor, held, 'time entry');
      await unit.tx.timeEntry.delete({ where: { id }, select: { id: true } });
      const { taskId, startedAt, endedAt } = before;
      const changes = { taskId: { from: taskId }, startedAt: { from: startedAt }, endedAt: { from: endedAt } };
      unit.audit({ ...about(id, 'delete', await projectOfTask(unit, taskId)), changes });
    });
  }
}

const ownerOf = (row: { readonly userId: string | null; readonly createdByKeyId: string | null }) => ({
  userId: row.userId,
  keyId: row.createdByKeyId,
});

const about = (id: string, verb: string, projectId: string | null) => ({
  ...{ action: `time_entry.${verb}`, targetType: 'TimeEntry', targetId: id, projectId },
});

/** Of one entry, in milliseconds: ten years, and no more than a count of seconds can say. */
const LONGEST = 3650 * 86_400_000;

function inOrder({ startedAt, endedAt }: { startedAt: Date; endedAt?: Date | null | undefined }): void {
  if (!endedAt) return;
  if (endedAt < startedAt) throw badInput({ endedAt: ['must not lie before the start'] });
  if (endedAt.getTime() - startedAt.getTime() > LONGEST) {
    throw badInput({ endedAt: ['must not lie more than ten years after the start'] });
  }
}

/** Of two that start at once for the same user, or for a key that has none, the second ends the first. */
async function lockTimer(unit: Unit): Promise<void> {
  const { userId } = unit.actor;
  if (userId === null) await unit.lockWorkspace();
  else await unit.lockTimerOf(userId);
}

/**
 * Ends what runs for the actor's user, or for a key that has none, in whichever project: one entry runs, at most. With the
 * timer locked.
 * @param next when the next one starts: what runs has ended then, or by now where that is no time of its own, so that
 * nothing that was worked is lost
 */
async function endRunning(unit: Unit, next: Date): Promise<void> {
  const { tx, now, actor } = unit;
  const { userId, keyId, workspaceId, environment, bound } = actor;
  const of = userId === null ? { userId: null, createdByKeyId: keyId } : { userId };
  await withoutBinding(async () => {
    const where = { ...of, workspaceId, environment, endedAt: null };
    for (const { id } of await tx.timeEntry.findMany({ where, select: { id: true } })) {
      await unit.lock('TimeEntry', id);
      const include = { task: { select: { projectId: true } } };
      const running = await tx.timeEntry.findFirst({ where: { ...where, id }, include });
      if (!running) continue;
      const { startedAt, task } = running;
      const isWithin = !bound || bound.projects.includes(task.projectId ?? '');
      const asked = isWithin && next > startedAt && next <= now ? next : now;
      const latest = Math.min(asked.getTime(), startedAt.getTime() + LONGEST);
      const endedAt = new Date(Math.max(latest, startedAt.getTime()));
      const data = { endedAt, updatedAt: nextVersion(running, now) };
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
