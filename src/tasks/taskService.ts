/** Making, changing and deleting tasks; each change is one unit of work. */
import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { type Actor, changesBetween } from '../audit/entry.js';
import { groupBy } from '../collections.js';
import { forNobody } from '../db/reader.js';
import { withoutBinding } from '../db/tenant.js';
import { tagKey } from '../db/text.js';
import { type AddingUnit, nextVersion, nextVersionOf, type Unit, type UnitOfWork } from '../db/unitOfWork.js';
import type { TaskPlace } from '../db/unitStatements.js';
import { ApiError, badInput, notFound } from '../errors.js';
import { newId } from '../ids.js';
import { check, expectVersion, given, isSameSecond, required, text, withoutNulls } from '../input.js';
import type { TaskEvent, TaskEvents } from '../messaging/taskEvents.js';
import { isStorableDate } from '../storable.js';
import { mustBeFewEnough, setEach } from './changeEach.js';
import { labelIds, MOST_LABELS } from './labelService.js';
import { notificationRow, notify } from './notificationService.js';
import { type Placement, placeFor } from './placement.js';
import { MOST_POSITION } from './positions.js';
import { chooseState, isAt, type State, stateFrom, type TaskState } from './states.js';
import {
  aboutTask,
  hasSubTaskOrTask,
  lockParent,
  MOST_SUB_TASKS,
  movedMeanwhile,
  placeOf,
  projectBelow,
} from './subTasks.js';
import { keepRows, keepTasks, moveKept, unseen } from './trash/keeping.js';

const BATCH = 100;
/** To do. */
const DEFAULT_STATUS = 2;

/** In what a team counts. */
const MOST_ESTIMATE = 1_000_000;
const ESTIMATE = `must be from 0 to ${MOST_ESTIMATE}`;
export const estimateRule = z.number(ESTIMATE).min(0, ESTIMATE).max(MOST_ESTIMATE, ESTIMATE).nullish();

const moment = z.date().refine(isStorableDate, 'must lie in the years 1 to 9999');
const rules = z.object({
  title: required(text(1, 255)),
  description: text(0, 10_000).nullish(),
  tags: required(z.array(text(1, 50)).max(MOST_LABELS, `must have at most ${MOST_LABELS} entries`)).optional(),
  status: required(z.number()).optional(),
  stateId: z.string().nullish(),
  stateSlug: z.string().nullish(),
  priority: required(z.number()).optional(),
  position: required(
    z
      .number('must be a number')
      .min(-MOST_POSITION, `must be from -${MOST_POSITION} to ${MOST_POSITION}`)
      .max(MOST_POSITION, `must be from -${MOST_POSITION} to ${MOST_POSITION}`),
  ).optional(),
  estimate: estimateRule,
  startDate: moment.nullish(),
  dueDate: moment.nullish(),
  projectId: z.string().nullish(),
  parentId: z.string().nullish(),
  assigneeId: z.string().nullish(),
});
const changeable = rules.partial();

interface TaskFields {
  readonly description?: string | null | undefined;
  readonly tags?: readonly string[] | null | undefined;
  readonly status?: number | null | undefined;
  /** A state of the project; the status is its category then. */
  readonly stateId?: string | null | undefined;
  /** Or what it is called. */
  readonly stateSlug?: string | null | undefined;
  readonly priority?: number | null | undefined;
  readonly position?: number | null | undefined;
  /** How much work it is, in what its team counts. */
  readonly estimate?: number | null | undefined;
  readonly startDate?: Date | null | undefined;
  readonly dueDate?: Date | null | undefined;
  readonly projectId?: string | null | undefined;
  /** The task that it is a sub-task of. */
  readonly parentId?: string | null | undefined;
  readonly assigneeId?: string | null | undefined;
}

export interface NewTask extends TaskFields {
  readonly title: string;
}

export interface TaskChange extends TaskFields {
  readonly id: string;
  readonly title?: string | null | undefined;
  /** Where the task has one of these, it keeps it, whatever else is given. */
  readonly keepStatus?: readonly number[] | null | undefined;
  /** Where the task is in a state of one of these slugs, or in none and has the status that one stands for, it stays there. */
  readonly keepStateSlugs?: readonly string[] | null | undefined;
  readonly keepPriority?: readonly number[] | null | undefined;
  /** A date that is the task's but for the fraction of its second leaves it as it is. */
  readonly keepFractions?: boolean | null | undefined;
  readonly expectedUpdatedAt?: Date | null | undefined;
}

export interface TaskMove {
  readonly id: string;
  /** Left out: the project that it is in. */
  readonly projectId?: string | null | undefined;
  readonly status?: number | null | undefined;
  readonly stateId?: string | null | undefined;
  readonly stateSlug?: string | null | undefined;
  /** The task that it is put directly before, or after; neither: at the end. */
  readonly beforeId?: string | null | undefined;
  readonly afterId?: string | null | undefined;
  readonly expectedUpdatedAt?: Date | null | undefined;
}

interface DetachedTask {
  readonly id: string;
  readonly stateId: string | null;
}

/** Told how many other tasks a change is about to change; what it throws undoes the change. */
export type ChargeTasks = (tasks: number) => Promise<void>;

/** @returns what begins an attempt: each is charged for what those before it were not, for a unit may be done again */
function chargedOnce(charge: ChargeTasks): () => ChargeTasks {
  let paid = 0;
  return () => {
    let due = 0;
    return async (tasks) => {
      due += tasks;
      if (due <= paid) return;
      const more = due - paid;
      paid = due;
      await charge(more);
    };
  };
}

/** A task that was changed, and where it was before. */
export interface ChangedTask {
  readonly id: string;
  readonly previousProjectId: string | null;
  readonly previousParentId: string | null;
}

export class TaskService {
  constructor(
    private readonly units: UnitOfWork,
    private readonly events: TaskEvents,
  ) {}

  /** @throws BAD_USER_INPUT by field; NOT_FOUND for a project or user that is not there; CONFLICT for an archived project */
  async create(actor: Actor, input: NewTask): Promise<{ id: string }> {
    const data = checkNew(input);
    const reserved = await this.units.reserveTaskNumber(actor);
    return this.units.add(actor, async (unit) => ({ id: await this.#add(unit, data, reserved) }));
  }

  /** All of them, or none. @returns their ids */
  async createMany(actor: Actor, inputs: readonly NewTask[]): Promise<string[]> {
    const all = inputs.map((input, index) => {
      try {
        return checkNew(input);
      } catch (error) {
        throw ofItem(index, error);
      }
    });
    return this.units.add(actor, async (unit) => {
      const ids: string[] = [];
      const known = nothingKnown();
      await lockForParents(unit, inputs);
      for (const [index, data] of all.entries()) {
        try {
          ids.push(await this.#add(unit, data, undefined, known));
        } catch (error) {
          throw ofItem(index, error);
        }
      }
      return ids;
    });
  }

  /**
   * All of them, or none; in contrast to `createMany`, all that fail are told.
   * @param isTrial nothing is made, whatever becomes of it
   */
  async createAll(
    actor: Actor,
    inputs: readonly NewTask[],
    isTrial: boolean,
  ): Promise<{ readonly ids: readonly string[]; readonly errors: ReadonlyMap<number, ApiError> }> {
    const errors = new Map<number, ApiError>();
    let ids: string[] = [];
    const undone = new Error('undone');
    try {
      await this.units.add(actor, async (unit) => {
        ids = [];
        errors.clear();
        const known = nothingKnown();
        await lockForParents(unit, inputs);
        for (const [index, input] of inputs.entries()) {
          try {
            ids.push(await this.#add(unit, checkNew(input), undefined, known));
          } catch (error) {
            if (!(error instanceof ApiError)) throw error;
            errors.set(index, error);
          }
        }
        if (isTrial || errors.size > 0) throw undone;
      });
    } catch (error) {
      if (error !== undone) throw error;
    }
    return { ids, errors };
  }

  async #add(
    unit: AddingUnit,
    { tags, stateId, stateSlug, status = DEFAULT_STATUS, ...data }: Checked,
    reserved: number | undefined,
    known = nothingKnown(),
  ): Promise<string> {
    const { now, actor } = unit;
    const { parentId } = data;
    if (parentId != null) data.projectId = await projectBelow(unit, parentId, data.projectId, undefined, known.places);
    const { projectId = null, assigneeId = null } = data;
    if (projectId !== null) mustBeOpen(await unit.lockProjectForReading(projectId), projectId);
    if (parentId != null) {
      if (assigneeId !== null) await unit.lockUserForReading(assigneeId);
      await lockParent(unit, parentId, projectId);
    }
    const states = await statesOf(unit, projectId, known.states);
    const state = chooseState(states, { stateId, stateSlug, status });
    const number = reserved ?? (await unit.nextTaskNumber());
    const id = newId();
    await unit.insert('Task', {
      ...{ id, ...given(data), number },
      // Rows that are written together have the same columns.
      ...state,
      priority: data.priority ?? 0,
      ...{ createdById: actor.userId, createdByKeyId: actor.keyId, createdAt: now, updatedAt: now },
      title: data.title,
      description: data.description || null,
      position: data.position ?? number,
    });
    if (tags) {
      const labels = await labelsOf(unit, id, projectId, tags);
      // Their triggers do not see the task, which is written by the same statement.
      await unit.insert('TaskTag', ...labels.map((label) => ({ ...label, taskCreatedAt: now })));
    }
    if (assigneeId !== null && assigneeId !== actor.userId) {
      await unit.insert('Notification', notificationRow(unit, { userId: assigneeId, kind: 'ASSIGNED', taskId: id }));
    }
    unit.audit({ ...aboutTask(id, 'create', projectId), changes: changesBetween({}, { title: data.title }) });
    this.#publish(unit, { action: 'CREATED', taskId: id, projectId });
    return id;
  }

  /** Changes what is given; null clears a field that may be empty. */
  async update(actor: Actor, input: TaskChange, charge: ChargeTasks): Promise<ChangedTask> {
    const attempt = chargedOnce(charge);
    return this.units.run(actor, (unit) => this.#change(unit, input, attempt()));
  }

  /**
   * Puts a task in a place of the order of a project, or of the tasks without one. Moves within one order go on one after
   * another, so that each finds the place that the one before left.
   * @throws BAD_USER_INPUT for a task to stand next to that is elsewhere
   */
  async move(actor: Actor, input: TaskMove, charge: ChargeTasks): Promise<ChangedTask> {
    const { id, projectId: target, status, stateId, stateSlug, beforeId, afterId, expectedUpdatedAt } = input;
    if (beforeId != null && afterId != null) throw badInput({ afterId: ['must not be given together with beforeId'] });
    const anchorId = beforeId ?? afterId ?? null;
    if (anchorId === id) throw badInput({ [beforeId == null ? 'afterId' : 'beforeId']: ['must be another task'] });
    const attempt = chargedOnce(charge);
    return this.units.run(actor, async (unit) => {
      const pay = attempt();
      const known = await unit.tx.task.findUnique({ where: { id }, select: { projectId: true } });
      if (!known) throw notFound('task', id);
      const projectId = target === undefined ? known.projectId : target;
      // In the order in which all changes lock.
      if (projectId === null || projectId !== known.projectId) await unit.lockWorkspace();
      if (projectId !== null) await unit.lock('Project', projectId);
      const { position, shifted } = await placeFor(unit, { id, projectId, anchorId, isBefore: beforeId != null });
      if (shifted.length > 0) await pay(shifted.length);
      await this.#shift(unit, projectId, shifted);
      const change = {
        ...{ id, position, expectedUpdatedAt },
        // Where it was moved meanwhile, that is told.
        ...(target !== undefined && { projectId: target }),
        ...(status != null && { status }),
        ...{ stateId, stateSlug },
      };
      return this.#change(unit, change, pay);
    });
  }

  /** Tasks make room for another. */
  async #shift(unit: Unit, projectId: string | null, places: Placement['shifted']): Promise<void> {
    if (places.length === 0) return;
    const ids = places.map(({ id }) => id);
    await unit.lockTasks(ids);
    const select = { id: true, position: true, updatedAt: true } as const;
    const known = await unit.tx.task.findMany({ where: { projectId, id: { in: ids } }, select });
    const wanted = new Map(places.map(({ id, position }) => [id, position]));
    for (const before of known) {
      const { id } = before;
      const position = wanted.get(id) ?? before.position;
      await unit.setColumns('Task', [id], { position, updatedAt: nextVersion(before, unit.now) });
      unit.audit({
        ...aboutTask(id, 'update', projectId),
        changes: { position: { from: before.position, to: position } },
      });
      this.#publish(unit, { action: 'UPDATED', taskId: id, projectId });
    }
  }

  /** @throws CONFLICT for an order that the task has left meanwhile */
  async #change(unit: Unit, input: TaskChange, charge: ChargeTasks): Promise<ChangedTask> {
    const { id, keepStatus, keepStateSlugs, keepPriority, keepFractions, expectedUpdatedAt, ...fields } = input;
    const { tags, stateId, stateSlug, ...data } = given(check(changeable, fields));
    if (data.description === '') data.description = null;
    const { tx, now, actor } = unit;
    // In the order in which all changes lock.
    const asksState = data.status !== undefined || stateId != null || stateSlug != null;
    const isPlaced = data.projectId !== undefined || data.parentId != null || asksState;
    const known = isPlaced
      ? await tx.task.findUnique({ where: { id }, select: { projectId: true, parentId: true } })
      : null;
    const isMoved = known && data.projectId !== undefined && data.projectId !== known.projectId;
    const isTied = isMoved && (await hasSubTaskOrTask(unit, { id, parentId: known.parentId }));
    const place = isTied || data.parentId != null ? await placeOf(unit, id) : undefined;
    if (data.parentId != null && place) {
      data.projectId = await projectBelow(unit, data.parentId, data.projectId, { id, ...place });
    } else if (isMoved) {
      data.parentId = null;
    }
    // While a task is put in a state, the project keeps it.
    const target = data.projectId === undefined && asksState ? known?.projectId : data.projectId;
    const project = target == null ? undefined : await unit.lockProjectForReading(target);
    if (data.assigneeId != null) await unit.lockUserForReading(data.assigneeId);
    if (data.parentId != null) await lockParent(unit, data.parentId, data.projectId ?? null);
    await unit.lock('Task', id);
    const before = await tx.task.findUnique({ where: { id }, include: { tags: { orderBy: { name: 'asc' } } } });
    if (!before) throw notFound('task', id);
    expectVersion(before, expectedUpdatedAt);
    if (asksState && data.projectId === undefined && before.projectId !== known?.projectId) throw movedMeanwhile();
    if (keepPriority?.includes(before.priority)) delete data.priority;
    for (const name of ['startDate', 'dueDate'] as const) {
      if (keepFractions && isSameSecond(data[name], before[name])) delete data[name];
    }
    inOrder({ ...before, ...data });
    const moves = data.projectId !== undefined && data.projectId !== before.projectId;
    if (moves && !place && (await hasSubTaskOrTask(unit, before))) throw movedMeanwhile();
    if (data.projectId != null && moves) mustBeOpen(project, data.projectId);
    const below = moves && place ? place.below.length : 0;
    if (below > 0 && below <= MOST_SUB_TASKS) await charge(below);
    const slug = keepStateSlugs || moves ? await slugOfState(unit, before.stateId) : undefined;
    const isKept = keepStatus?.includes(before.status) || (keepStateSlugs && isAt(keepStateSlugs, slug, before.status));
    const keepsStatus = !asksState || isKept;
    if (keepsStatus) delete data.status;
    const state: Partial<TaskState> = keepsStatus
      ? moves
        ? stateFrom(await statesOf(unit, data.projectId ?? null), slug, before.status)
        : {}
      : chooseState(
          await statesOf(unit, target ?? null),
          { stateId, stateSlug, status: data.status },
          moves ? undefined : before,
        );
    Object.assign(data, state);
    const old = { ...before, tags: before.tags.map(({ name }) => name) };
    const changes = changesBetween(old, { ...data, ...(tags && !isSameSet(tags, old.tags) && { tags }) });
    const { projectId: previousProjectId, parentId: previousParentId } = before;
    // Who has seen it sees the same.
    if (Object.keys(changes).length === 0) return { id, previousProjectId, previousParentId };
    const after = await tx.task.update({
      where: { id },
      data: { ...data, updatedAt: nextVersion(before, now) },
      select: { id: true, projectId: true },
    });
    if (tags) {
      await tx.taskTag.deleteMany({ where: { taskId: id } });
      const { workspaceId, environment } = actor;
      const rows = await labelsOf(unit, id, after.projectId, tags);
      await tx.taskTag.createMany({ data: rows.map((row) => ({ ...row, workspaceId, environment })) });
    }
    const { assigneeId } = data;
    if (assigneeId != null && assigneeId !== before.assigneeId && assigneeId !== actor.userId) {
      await notify(unit, { userId: assigneeId, kind: 'ASSIGNED', taskId: id });
    }
    if (moves) await moveKept(unit, [id], after.projectId);
    if (moves && place) await this.#moveSubTasks(unit, place.below, after.projectId);
    // Of a task that moved, what it was before is no matter of the project that it came to.
    const projectId = after.projectId === before.projectId ? after.projectId : null;
    unit.audit({ ...aboutTask(id, 'update', projectId), changes });
    this.#publish(unit, {
      ...{ action: 'UPDATED', taskId: id, projectId: after.projectId },
      ...(after.projectId !== before.projectId && { previousProjectId: before.projectId }),
    });
    return { id, previousProjectId, previousParentId };
  }

  /** Sub-tasks go where their task goes. */
  async #moveSubTasks(unit: Unit, ids: readonly string[], projectId: string | null): Promise<void> {
    if (ids.length > MOST_SUB_TASKS) {
      throw new ApiError('CONFLICT', `The task has ${ids.length} sub-tasks, at most ${MOST_SUB_TASKS} move with it.`);
    }
    if (ids.length > 0) await unit.lockTasks(ids);
    const where = { id: { in: [...ids] } };
    const select = { id: true, projectId: true, updatedAt: true, stateId: true, status: true } as const;
    const subTasks = await unit.tx.task.findMany({ where, select });
    const updatedAt = nextVersionOf(subTasks, unit.now);
    const states = await statesOf(unit, projectId);
    const slugs = new Map<string | null, string | undefined>();
    for (const { stateId } of subTasks) {
      if (!slugs.has(stateId)) slugs.set(stateId, await slugOfState(unit, stateId));
    }
    await moveKept(unit, ids, projectId);
    const byState = groupBy(subTasks, ({ stateId, status }) => stateFrom(states, slugs.get(stateId), status).stateId);
    for (const [stateId, tasks] of byState) {
      const ids = tasks.map(({ id }) => id);
      await unit.tx.task.updateMany({ where: { id: { in: ids } }, data: { projectId, stateId, updatedAt } });
    }
    for (const subTask of subTasks) {
      // What it was before is no matter of the project that it came to.
      unit.audit({
        ...aboutTask(subTask.id, 'update', null),
        changes: { projectId: { from: subTask.projectId, to: projectId } },
      });
      this.#publish(unit, { action: 'UPDATED', taskId: subTask.id, projectId, previousProjectId: subTask.projectId });
    }
  }

  /**
   * Puts a task in the trash with its relationships and tags; its sub-tasks stay.
   * @param load reads what is to be shown of it, because it cannot be loaded afterwards
   */
  async delete<T>(
    actor: Actor,
    id: string,
    load: (tx: Unit['tx']) => Promise<T>,
    expectedUpdatedAt?: Date | null,
  ): Promise<T> {
    const remove = async (unit: Unit) => {
      const { tx } = unit;
      await lockWithSubTasks(unit, [id]);
      const before = await tx.task.findUnique({ where: { id } });
      if (!before) throw notFound('task', id);
      expectVersion(before, expectedUpdatedAt);
      const shown = await load(tx);
      await keepTasks(unit, [id]);
      await this.leaveSubTasks(unit, [id]);
      await tx.task.delete({ where: { id }, select: { id: true } });
      const changes = { title: { from: before.title }, number: { from: before.number } };
      unit.audit({ ...aboutTask(id, 'delete', before.projectId), changes });
      this.#publish(unit, { action: 'DELETED', taskId: id, projectId: before.projectId });
      return shown;
    };
    // What goes with it may be much: comments, times, ties to a thousand sub-tasks.
    return this.units.run(actor, remove, { long: true });
  }

  /**
   * Takes tasks that are about to go away from their sub-tasks that stay, which come back to them if they come back.
   * @throws CONFLICT when there are more than one change may have
   */
  async leaveSubTasks(unit: Unit, ids: readonly string[]): Promise<void> {
    const left = (await subTasksOf(unit, ids)).filter(({ id }) => !ids.includes(id));
    mustBeFewEnough(left.length, ' Move some first.');
    for (const [parentId, tasks] of groupBy(left, (task) => task.parentId)) {
      if (parentId === null) continue;
      const rows = tasks.map(({ id }) => ({ itemId: parentId, content: { taskId: id, parentId } }));
      await keepRows(unit, 'SubTask', rows);
      const changes = { parentId: { from: parentId, to: null } };
      const below = tasks.map(({ id }) => id);
      await setEach(unit, this.events, below, changes, { parentId: null });
    }
  }

  /**
   * Takes a project or an assignee that is about to go away from its tasks: each is changed visibly.
   * @param keep is told of them as they were
   * @returns how many
   * @throws CONFLICT when there are more than one change may have
   */
  async detach(
    unit: Unit,
    column: 'projectId' | 'assigneeId',
    from: string,
    keep: (tasks: readonly DetachedTask[]) => Promise<void> = async () => {},
  ): Promise<number> {
    const { tx } = unit;
    const count = await tx.task.count({ where: { [column]: from } });
    mustBeFewEnough(count, ' Move some first.');
    let changed = 0;
    for (let ids = await unit.lockTasksOf(column, from, BATCH); ids.length > 0; ) {
      const where = { id: { in: ids } };
      const select = { id: true, projectId: true, stateId: true, updatedAt: true } as const;
      const tasks = await tx.task.findMany({ where, select });
      await keep(tasks);
      const latest = nextVersionOf(tasks, unit.now);
      const { workspaceId, environment } = unit.actor;
      // A key that is bound to the project takes its tasks out of its own reach here.
      await withoutBinding(() =>
        tx.task.updateMany({
          where: { ...where, workspaceId, environment },
          data: { [column]: null, updatedAt: latest, ...(column === 'projectId' && { stateId: null }) },
        }),
      );
      if (column === 'projectId') await moveKept(unit, ids, null);
      changed += ids.length;
      // On SQLite nothing else waits for anything here.
      await setImmediate();
      ids = await unit.lockTasksOf(column, from, BATCH);
      for (const { id, projectId } of tasks) {
        const stays = column === 'projectId' ? null : projectId;
        unit.audit({ ...aboutTask(id, 'update', stays), changes: { [column]: { from, to: null } } });
        const left = column === 'projectId' ? { projectId: null, previousProjectId: projectId } : { projectId };
        this.#publish(unit, { action: 'UPDATED', taskId: id, ...left });
      }
    }
    return changed;
  }

  #publish({ actor, afterCommit }: Pick<Unit, 'actor' | 'afterCommit'>, event: TaskEvent): void {
    afterCommit(() => this.events.publish(actor, event));
  }
}

type Checked = z.output<typeof rules>;

/** What a batch knows already. What it adds below a task is not read back, so it is counted in the places. */
interface Known {
  readonly places: Map<string, TaskPlace>;
  /** By the project. */
  readonly states: Map<string, readonly State[]>;
}
const nothingKnown = (): Known => ({ places: new Map(), states: new Map() });

/** With the project locked. @param known by the project, of what is read once */
async function statesOf(
  unit: Pick<Unit, 'statesOf'>,
  projectId: string | null,
  known = new Map<string, readonly State[]>(),
): Promise<readonly State[]> {
  if (projectId === null) return [];
  const states = known.get(projectId) ?? (await unit.statesOf(projectId));
  known.set(projectId, states);
  return states;
}

async function slugOfState({ tx }: Unit, id: string | null): Promise<string | undefined> {
  if (id === null) return undefined;
  return (await tx.state.findUnique({ where: { id }, select: { slug: true } }))?.slug;
}

function checkNew(input: NewTask): Checked {
  const data = check(rules, withoutNulls(input, ['status', 'priority', 'tags', 'position']));
  inOrder(data);
  return data;
}

/** Those that the key does not see, too. */
async function subTasksOf(unit: Unit, ids: readonly string[]): Promise<{ id: string; parentId: string | null }[]> {
  const { workspaceId, environment } = unit.actor;
  const where = { parentId: { in: [...ids] }, workspaceId, environment };
  return unseen(() => unit.tx.task.findMany({ where, select: { id: true, parentId: true } }));
}

/** Tasks that are about to go, with their sub-tasks, in the order in which all changes lock. */
export async function lockWithSubTasks(unit: Unit, ids: readonly string[]): Promise<void> {
  const subTasks = await subTasksOf(unit, ids);
  await forNobody(() => unit.lockTasks([...ids, ...subTasks.map(({ id }) => id)]));
}

/** In the order in which all changes lock: the first of them locks its project, and the next one of a task would lock the workspace. */
async function lockForParents(unit: AddingUnit, inputs: readonly NewTask[]): Promise<void> {
  if (inputs.some(({ parentId }) => parentId != null)) await unit.lockWorkspace();
}

/** Says of which item of many an error is. */
function ofItem(index: number, error: unknown): unknown {
  if (!(error instanceof ApiError)) return error;
  return new ApiError(error.code, `tasks.${index}: ${error.message}`, error.details);
}

function inOrder(dates: { startDate?: Date | null | undefined; dueDate?: Date | null | undefined }): void {
  if (dates.startDate && dates.dueDate && dates.startDate > dates.dueDate) {
    throw badInput({ dueDate: ['must not lie before startDate'] });
  }
}

const isSameSet = (some: readonly string[], others: readonly string[]) =>
  JSON.stringify([...new Set(some)].sort()) === JSON.stringify([...others].sort());

/** @throws NOT_FOUND; CONFLICT when it takes no tasks any more */
function mustBeOpen(project: { readonly archivedAt: unknown } | undefined, id: string): void {
  if (!project) throw notFound('project', id);
  if (project.archivedAt !== null) {
    throw new ApiError('CONFLICT', 'The project is archived and takes no new tasks.', {
      fields: { projectId: ['is archived'] },
    });
  }
}

/** The rows of tags, whose labels are made where there are none. Of tags that differ in case only, the first one is meant. */
async function labelsOf(
  unit: Pick<Unit, 'labels' | 'countLabels' | 'audit'>,
  taskId: string,
  projectId: string | null,
  tags: readonly string[],
): Promise<{ taskId: string; labelId: string; key: string; name: string }[]> {
  const names = new Map<string, string>();
  for (const name of tags) if (!names.has(tagKey(name))) names.set(tagKey(name), name);
  const wanted = [...names].map(([key, name]) => ({ key, name }));
  const labels = await labelIds(unit, wanted, projectId);
  return wanted.map(({ key, name }) => ({ taskId, labelId: labels.get(key) ?? '', key, name }));
}
