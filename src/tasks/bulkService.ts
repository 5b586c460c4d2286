/** Changes of many tasks: all of them in one unit of work, or each in one of its own. */
import { z } from 'zod';
import { type Actor, changesBetween } from '../audit/entry.js';
import { groupBy } from '../collections.js';
import { databaseError } from '../db/databaseError.js';
import { nextVersionOf, type Unit, type UnitOfWork } from '../db/unitOfWork.js';
import { ApiError, badInput, notFound } from '../errors.js';
import { check, given } from '../input.js';
import type { TaskEvents } from '../messaging/taskEvents.js';
import { MOST_LABELS } from './labelService.js';
import { notify } from './notificationService.js';
import { chooseState, type TaskState, type WantedState } from './states.js';
import { aboutTask, movedMeanwhile } from './subTasks.js';
import { estimateRule, lockWithSubTasks, type NewTask, type TaskService } from './taskService.js';
import { keepTasks } from './trash/keeping.js';

/** Tasks of one change. */
export const MOST_TASKS = 1000;

/** Which tasks: those of the ids, or those that satisfy a condition and are as many as the caller expects. */
export interface Selected {
  readonly ids?: readonly string[] | null | undefined;
  /** As Prisma takes it. */
  readonly where?: object | undefined;
  readonly expectedCount?: number | null | undefined;
  /** Whether nothing is changed where one of them cannot be. */
  readonly atomic: boolean;
}

export interface ManyChanged {
  readonly taskIds: readonly string[];
  readonly errors: readonly ItemError[];
}

/** Why one of many was not changed. */
export interface ItemError {
  /** Its place in the input. */
  readonly index: number;
  /** Of the task; null: it was to be made. */
  readonly id: string | null;
  readonly code: string;
  readonly message: string;
}

const rules = z.object({ estimate: estimateRule });

interface Fields {
  readonly estimate?: number | null | undefined;
  readonly priority?: number | null | undefined;
  readonly startDate?: Date | null | undefined;
  readonly dueDate?: Date | null | undefined;
  readonly assigneeId?: string | null | undefined;
}

export interface ManyChange extends Fields {
  /** A state of the project of all of them; the status is its category then. */
  readonly stateId?: string | null | undefined;
  /** Or what the state is called, in the project of each. */
  readonly stateSlug?: string | null | undefined;
  readonly status?: number | null | undefined;
  readonly addLabelIds?: readonly string[] | null | undefined;
  readonly removeLabelIds?: readonly string[] | null | undefined;
}

interface ImportOptions {
  /** All of them or none. */
  readonly isAtomic: boolean;
  readonly isTrial: boolean;
}

export class BulkService {
  constructor(
    private readonly units: UnitOfWork,
    private readonly tasks: TaskService,
    private readonly events: TaskEvents,
  ) {}

  /** @throws what the first task fails with, where it is all or none */
  async create(actor: Actor, inputs: readonly NewTask[], atomic: boolean): Promise<ManyChanged> {
    mustBeFew('tasks', inputs.length);
    if (!atomic)
      return each(
        inputs,
        () => null,
        async (input) => (await this.tasks.create(actor, input)).id,
      );
    return { taskIds: await this.tasks.createMany(actor, inputs), errors: [] };
  }

  /**
   * Makes tasks of a file.
   * @param rows as they were read
   * @param isTrial says what would become of them, and makes none
   */
  async import(actor: Actor, rows: readonly NewTask[], { isAtomic, isTrial }: ImportOptions): Promise<ManyChanged> {
    if (rows.length === 0) return { taskIds: [], errors: [] };
    if (!isTrial && !isAtomic) return this.create(actor, rows, false);
    const { ids, errors } = await this.tasks.createAll(actor, rows, isTrial);
    const told = [...errors].map(([index, { code, message }]) => ({ index, id: null, code, message }));
    return { taskIds: !isTrial && errors.size > 0 ? [] : ids, errors: told };
  }

  /** @throws what the first task fails with, where it is all or none; CONFLICT for another number than expected */
  async update(actor: Actor, selected: Selected, change: ManyChange): Promise<ManyChanged> {
    const { addLabelIds, removeLabelIds, stateId, stateSlug, status, ...fields } = change;
    const [added, removed] = [addLabelIds ?? [], removeLabelIds ?? []];
    if (added.length + removed.length > MOST_LABELS) {
      throw badInput({ addLabelIds: [`must be at most ${MOST_LABELS} with removeLabelIds`] });
    }
    const set = given(fields);
    for (const [name, value] of Object.entries({ status, priority: set.priority })) {
      if (value === null) throw badInput({ [name]: ['must not be null'] });
    }
    check(rules, set);
    const asked = { stateId, stateSlug, status: status ?? undefined };
    const state = Object.values(asked).some((value) => value != null) ? asked : undefined;
    if (!state && Object.keys(set).length + added.length + removed.length === 0) {
      throw badInput({ input: ['must change something'] });
    }
    if (selected.atomic) {
      return this.units.run(
        actor,
        async (unit) => {
          const ids = await idsOf(unit, selected);
          await this.#change(unit, ids, set, state, added, removed);
          return { taskIds: ids, errors: [] };
        },
        { long: true },
      );
    }
    const ids = await this.units.run(actor, (unit) => idsOf(unit, selected));
    return each(
      ids,
      (id) => id,
      async (id) => {
        await this.units.run(actor, (unit) => this.#change(unit, [id], set, state, added, removed));
        return id;
      },
    );
  }

  async #change(
    unit: Unit,
    ids: string[],
    set: Fields,
    wanted: WantedState | undefined,
    added: readonly string[],
    removed: readonly string[],
  ): Promise<void> {
    // While tasks are put in states, their projects keep these.
    const projects = wanted ? await unit.projectsOf(ids) : undefined;
    if (set.assigneeId != null) {
      await unit.lockUserForReading(set.assigneeId);
      if (!(await unit.has('User', set.assigneeId))) throw notFound('user', set.assigneeId);
    }
    const before = await lockedTasks(unit, ids);
    for (const task of before) {
      const { startDate, dueDate } = { ...task, ...set };
      if ((set.startDate || set.dueDate) && startDate && dueDate && startDate > dueDate) {
        throw badInput({ dueDate: [`must not lie before startDate, of the task ${task.id}`] });
      }
    }
    const updatedAt = nextVersionOf(before, unit.now);
    const chosen = new Map<string, Partial<TaskState>>();
    for (const task of wanted ? before : []) {
      const states = task.projectId === null ? [] : projects?.get(task.projectId);
      if (!states) throw movedMeanwhile();
      const state = chooseState(states, wanted ?? {}, task);
      // A column that stays is not written, and neither are its indexes.
      chosen.set(task.id, {
        ...(state.status !== task.status && { status: state.status }),
        ...(state.stateId !== task.stateId && { stateId: state.stateId }),
      });
    }
    const alike = groupBy(ids, (id) => JSON.stringify(chosen.get(id)));
    for (const some of alike.values()) {
      await unit.setColumns('Task', some, { ...set, ...chosen.get(some[0] ?? ''), updatedAt });
    }
    const tags = await this.#label(unit, ids, added, removed);
    const { assigneeId } = set;
    if (assigneeId != null) {
      const told = before.filter((task) => task.assigneeId !== assigneeId);
      await notify(unit, ...told.map(({ id }) => ({ userId: assigneeId, kind: 'ASSIGNED' as const, taskId: id })));
    }
    for (const task of before) {
      const tagged = tags.get(task.id);
      const changes = { ...changesBetween(task, { ...set, ...chosen.get(task.id) }), ...(tagged && { tags: tagged }) };
      this.#note(unit, task, 'update', changes);
    }
  }

  /** Deletes tasks; sub-tasks stay, unless they are among them. */
  async delete(actor: Actor, selected: Selected): Promise<ManyChanged> {
    if (!selected.atomic) {
      const ids = await this.units.run(actor, (unit) => idsOf(unit, selected));
      return each(
        ids,
        (id) => id,
        async (id) => {
          await this.tasks.delete(actor, id, async () => id);
          return id;
        },
      );
    }
    return this.units.run(
      actor,
      async (unit) => {
        const ids = await idsOf(unit, selected);
        const { tx } = unit;
        await lockWithSubTasks(unit, ids);
        const before = await lockedTasks(unit, ids);
        await keepTasks(unit, ids);
        await this.tasks.leaveSubTasks(unit, ids);
        await tx.task.deleteMany({ where: { id: { in: ids } } });
        for (const task of before) {
          this.#note(unit, task, 'delete', { title: { from: task.title }, number: { from: task.number } });
        }
        return { taskIds: ids, errors: [] };
      },
      { long: true },
    );
  }

  /** @returns what became of the tags, by the task */
  async #label(unit: Unit, ids: string[], addLabelIds: readonly string[], removeLabelIds: readonly string[]) {
    const [added, removed] = [[...new Set(addLabelIds)], [...new Set(removeLabelIds)]];
    const changes = new Map<string, { from: string[]; to: string[] }>();
    if (added.length + removed.length === 0) return changes;
    const { tx, actor } = unit;
    for (const id of [...added, ...removed].sort()) await unit.lock('Label', id);
    const labels = await tx.label.findMany({ where: { id: { in: [...added, ...removed] } } });
    const known = new Map(labels.map((label) => [label.id, label]));
    const unknown = [...added, ...removed].find((id) => !known.has(id));
    if (unknown !== undefined) throw notFound('label', unknown);
    const tags = await tx.taskTag.findMany({ where: { taskId: { in: ids } }, orderBy: { name: 'asc' } });
    const tagsOf = groupBy(tags, ({ taskId }) => taskId);
    const { workspaceId, environment } = actor;
    const rows: { taskId: string; labelId: string; name: string; key: string }[] = [];
    for (const taskId of ids) {
      const own = tagsOf.get(taskId) ?? [];
      const kept = own.filter(({ labelId }) => !removed.includes(labelId));
      const more = added.filter((id) => !removed.includes(id) && !kept.some(({ labelId }) => labelId === id));
      if (kept.length + more.length > MOST_LABELS) {
        throw new ApiError('CONFLICT', `A task has at most ${MOST_LABELS} labels: ${taskId}`);
      }
      for (const labelId of more) {
        const { name = '', key = '' } = known.get(labelId) ?? {};
        rows.push({ taskId, labelId, name, key });
      }
      if (more.length > 0 || kept.length < own.length) {
        const to = [...kept.map(({ name }) => name), ...more.map((id) => known.get(id)?.name ?? '')].sort();
        changes.set(taskId, { from: own.map(({ name }) => name), to });
      }
    }
    if (removed.length > 0) {
      await tx.taskTag.deleteMany({ where: { taskId: { in: ids }, labelId: { in: removed } } });
    }
    if (rows.length > 0)
      await tx.taskTag.createMany({ data: rows.map((row) => ({ ...row, workspaceId, environment })) });
    return changes;
  }

  #note(
    unit: Unit,
    { id, projectId }: { id: string; projectId: string | null },
    verb: 'update' | 'delete',
    changes: ReturnType<typeof changesBetween>,
  ): void {
    unit.audit({ ...aboutTask(id, verb, projectId), changes });
    const action = verb === 'update' ? 'UPDATED' : 'DELETED';
    unit.afterCommit(() => this.events.publish(unit.actor, { action, taskId: id, projectId }));
  }
}

/**
 * Each of them by itself; what one fails with is told of it alone. Where the database fails after some of them were changed, it is told
 * which were, and the others are not tried.
 */
async function each<T>(
  items: readonly T[],
  idOf: (item: T) => string | null,
  change: (item: T) => Promise<string>,
): Promise<ManyChanged> {
  const [taskIds, errors]: [string[], ItemError[]] = [[], []];
  for (const [index, item] of items.entries()) {
    try {
      taskIds.push(await change(item));
    } catch (error) {
      if (error instanceof ApiError) {
        errors.push({ index, id: idOf(item), code: error.code, message: error.message });
        continue;
      }
      const fault = databaseError(error);
      if (!fault || taskIds.length === 0) throw error;
      const { code, message } = fault;
      const rest = items.slice(index).map((left, at) => ({ index: index + at, id: idOf(left), code, message }));
      return { taskIds, errors: [...errors, ...rest] };
    }
  }
  return { taskIds, errors };
}

/** @throws CONFLICT for another number than expected */
async function idsOf({ tx }: Unit, { ids, where, expectedCount }: Selected): Promise<string[]> {
  if (ids) {
    mustBeFew('ids', ids.length);
    return [...new Set(ids)];
  }
  if (!where || expectedCount == null) {
    throw badInput({ ids: ['are required, or a filter with expectedCount'] });
  }
  mustBeFew('expectedCount', expectedCount);
  const found = await tx.task.findMany({ where, select: { id: true }, orderBy: { id: 'asc' }, take: MOST_TASKS + 1 });
  if (found.length !== expectedCount) {
    const count = found.length > MOST_TASKS ? `more than ${MOST_TASKS}` : String(found.length);
    throw new ApiError('CONFLICT', `The filter finds ${count} tasks, not ${expectedCount}. Nothing was changed.`);
  }
  return found.map(({ id }) => id);
}

/** @throws NOT_FOUND for the first that is not there */
async function lockedTasks(unit: Unit, ids: string[]) {
  const tasks = await unit.lockedTasks(ids);
  const known = new Set(tasks.map(({ id }) => id));
  const missing = ids.find((id) => !known.has(id));
  if (missing !== undefined) throw notFound('task', missing);
  return tasks;
}

function mustBeFew(field: string, count: number): void {
  if (count < 1 || count > MOST_TASKS) throw badInput({ [field]: [`must be from 1 to ${MOST_TASKS}; it is ${count}`] });
}
