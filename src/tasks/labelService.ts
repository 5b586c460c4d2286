/** Labels of the workspace, whose names are the tags of tasks; each change is one unit of work. */
import { z } from 'zod';
import { type Actor, changesBetween } from '../audit/entry.js';
import { refuseBound } from '../db/projectReach.js';
import { LABEL_COLOR, tagKey } from '../db/text.js';
import { nextVersion, type Unit, type UnitOfWork } from '../db/unitOfWork.js';
import type { LabelName } from '../db/unitStatements.js';
import { ApiError, badInput, notFound } from '../errors.js';
import { check, expectVersion, given, required, text, withoutNulls } from '../input.js';
import type { TaskEvents } from '../messaging/taskEvents.js';
import { changeEach, MOST_AFFECTED, mustBeFewEnough } from './changeEach.js';
import { aboutTask } from './subTasks.js';
import { keep, keepRows } from './trash/keeping.js';

/** Labels of a workspace. */
const MOST = 10_000;
/** Labels on a task. */
export const MOST_LABELS = 50;

/** #rrggbb or #rgb; the former in small letters comes of it. */
export const COLOR = z
  .string()
  .regex(/^#([0-9a-f]{3}|[0-9a-f]{6})$/i, 'must be a color as #rrggbb')
  .transform(longColor);

const rules = z.object({
  name: required(text(1, 50)),
  color: required(COLOR).optional(),
  description: text(0, 255).nullish(),
});
const changeable = rules.partial();

interface NewLabel {
  readonly name: string;
  /** #rrggbb or #rgb */
  readonly color?: string | null | undefined;
  readonly description?: string | null | undefined;
}

interface LabelCreation extends NewLabel {
  /** A task that it is put on. */
  readonly taskId?: string | null | undefined;
  /** Where there is a label of this name, it is answered as it is. */
  readonly orExisting?: boolean | null | undefined;
}

export interface LabelChange extends Partial<NewLabel> {
  readonly id: string;
  readonly expectedUpdatedAt?: Date | null | undefined;
}

export interface DeletedLabel {
  readonly id: string;
  readonly name: string;
  readonly color: string;
  readonly createdAt: Date;
  readonly changedTasks: number;
}

export class LabelService {
  constructor(
    private readonly units: UnitOfWork,
    private readonly events: TaskEvents,
  ) {}

  /** @throws BAD_USER_INPUT; CONFLICT for a name that is taken, in whichever case */
  async create(actor: Actor, { taskId, orExisting, ...input }: LabelCreation): Promise<{ id: string }> {
    const { name, color = LABEL_COLOR, description } = check(rules, withoutNulls(given(input), ['color']));
    return this.units.run(actor, async (unit) => {
      const key = tagKey(name);
      // In the order in which all changes lock.
      if (taskId != null) await unit.lock('Task', taskId);
      const { ids, made } = await unit.labels([{ name, key }], color);
      const id = ids.get(key);
      if (!id || (made.length === 0 && !orExisting)) throw taken(name);
      if (made.length > 0) {
        await checkRoom(unit);
        const data = { name, color, description: description || null };
        await unit.tx.label.updateMany({ where: { id }, data: { description: data.description } });
        unit.audit({ ...about(id, 'create'), changes: changesBetween({}, data) });
      }
      if (taskId != null) await this.#put(unit, { id, key, name }, taskId, true);
      // One that is beyond the reach of the key is taken, and no more is said of it.
      if (!(await unit.tx.label.findUnique({ where: { id }, select: { id: true } }))) throw taken(name);
      return { id };
    });
  }

  /** Changes what is given; a new name becomes the tag of all tasks that have the label. */
  async update(actor: Actor, { id, expectedUpdatedAt, ...input }: LabelChange): Promise<{ id: string }> {
    refuseBound(actor.bound, 'changes no labels: they are of all projects');
    const data = given(check(changeable, given(input)));
    if (data.description === '') data.description = null;
    return this.units.run(
      actor,
      async (unit) => {
        // Of one name there is one label, whoever renames at once.
        await unit.lockWorkspace();
        const before = await find(unit, id, expectedUpdatedAt);
        const changes = changesBetween(before, data);
        if (Object.keys(changes).length === 0) return { id };
        const key = data.name === undefined ? before.key : tagKey(data.name);
        if (key !== before.key) {
          const { workspaceId, environment } = actor;
          const where = { workspaceId_environment_key: { workspaceId, environment, key } };
          if (await unit.tx.label.findUnique({ where, select: { id: true } })) throw taken(data.name ?? '');
        }
        await unit.tx.label.update({
          where: { id },
          data: { ...data, key, updatedAt: nextVersion(before, unit.now) },
          select: { id: true },
        });
        unit.audit({ ...about(id, 'update'), changes });
        const { name } = data;
        if (name !== undefined && name !== before.name) {
          await this.#eachTask(unit, before, { from: before.name, to: name }, (ids) =>
            unit.tx.taskTag.updateMany({ where: { labelId: id, taskId: { in: ids } }, data: { name, key } }),
          );
        }
        return { id };
      },
      { long: true },
    );
  }

  /**
   * Puts a label in the trash, or makes it part of another, which its tasks have then.
   * @param into the id of the other; null: the tasks lose it
   * @returns it as it was, and how many tasks had it
   */
  async delete(
    actor: Actor,
    { id, into = null, expectedUpdatedAt }: { id: string; into?: string | null; expectedUpdatedAt?: Date | null },
  ): Promise<DeletedLabel> {
    refuseBound(actor.bound, 'deletes no labels: they are of all projects');
    if (into === id) throw badInput({ intoId: ['must be another label'] });
    return this.units.run(
      actor,
      async (unit) => {
        await unit.lockWorkspace();
        const { tx } = unit;
        const before = await find(unit, id, expectedUpdatedAt);
        const other = into === null ? null : await tx.label.findUnique({ where: { id: into } });
        if (into !== null && !other) throw notFound('label', into);
        const { workspaceId, environment } = actor;
        const { name: title } = before;
        if (!other) await keep(unit, [{ id, kind: 'LABEL', title, projectId: null, content: before }]);
        const count = await this.#eachTask(
          unit,
          before,
          { from: before.name, to: other?.name ?? null },
          async (ids) => {
            const where = { labelId: id, taskId: { in: ids } };
            if (other) {
              const having = await tx.taskTag.findMany({ where: { labelId: other.id, taskId: { in: ids } } });
              const known = new Set(having.map(({ taskId }) => taskId));
              const missing = ids.filter((taskId) => !known.has(taskId));
              const { key, name } = other;
              await tx.taskTag.createMany({
                data: missing.map((taskId) => ({ workspaceId, environment, taskId, labelId: other.id, key, name })),
              });
            } else await keepRows(unit, 'TaskTag', await tagged(tx, where));
            await tx.taskTag.deleteMany({ where });
          },
        );
        await tx.label.delete({ where: { id }, select: { id: true } });
        const into_ = other ? { mergedInto: { to: other.id } } : {};
        unit.audit({ ...about(id, 'delete'), changes: { name: { from: before.name }, ...into_ } });
        const { name, color, createdAt } = before;
        return { id, name, color, createdAt, changedTasks: count };
      },
      { long: true },
    );
  }

  /** Puts a label on a task; once more changes nothing. @returns whether it was not on it */
  async add(actor: Actor, { id, taskId }: { id: string; taskId: string }): Promise<boolean> {
    return this.#change(actor, { id, taskId }, true);
  }

  /** Takes a label from a task; once more changes nothing. @returns whether it was on it */
  async remove(actor: Actor, { id, taskId }: { id: string; taskId: string }): Promise<boolean> {
    return this.#change(actor, { id, taskId }, false);
  }

  async #change(actor: Actor, { id, taskId }: { id: string; taskId: string }, isOn: boolean): Promise<boolean> {
    return this.units.run(actor, async (unit) => {
      // A change of the label locks it, and then the tasks that have it.
      await unit.lockWorkspaceForReading();
      await unit.lock('Task', taskId);
      await unit.lock('Label', id);
      const label = await unit.tx.label.findUnique({ where: { id } });
      if (!label) throw notFound('label', id);
      return this.#put(unit, label, taskId, isOn);
    });
  }

  /** With the task and the label locked. */
  async #put(unit: Unit, label: LabelName & { id: string }, taskId: string, isOn: boolean): Promise<boolean> {
    const { tx, now, actor } = unit;
    const { id, key, name } = label;
    const task = await tx.task.findUnique({ where: { id: taskId }, include: { tags: { orderBy: { name: 'asc' } } } });
    if (!task) throw notFound('task', taskId);
    const others = task.tags.filter(({ labelId }) => labelId !== id);
    if (others.length < task.tags.length === isOn) return false;
    const { workspaceId, environment } = actor;
    if (!isOn) {
      await tx.taskTag.deleteMany({ where: { taskId, labelId: id } });
    } else if (others.length >= MOST_LABELS) {
      throw new ApiError('CONFLICT', `A task has at most ${MOST_LABELS} labels.`);
    } else {
      await tx.taskTag.createMany({ data: [{ workspaceId, environment, taskId, labelId: id, key, name }] });
    }
    const where = { id: taskId };
    await tx.task.update({ where, data: { updatedAt: nextVersion(task, now) }, select: { id: true } });
    const from = task.tags.map((tag) => tag.name);
    const to = [...others.map((tag) => tag.name), ...(isOn ? [name] : [])].sort();
    const { projectId } = task;
    unit.audit({ ...aboutTask(taskId, 'update', projectId), changes: { tags: { from, to } } });
    unit.afterCommit(() => this.events.publish(actor, { action: 'UPDATED', taskId, projectId }));
    return true;
  }

  /**
   * Changes the tags of all tasks that have a label: each is changed visibly.
   * @returns how many
   * @throws CONFLICT when there are more than one change may have
   */
  async #eachTask(
    unit: Unit,
    label: { readonly id: string; readonly name: string },
    tag: { readonly from: string; readonly to: string | null },
    change: (ids: string[]) => Promise<unknown>,
  ): Promise<number> {
    mustBeFewEnough(await unit.tx.taskTag.count({ where: { labelId: label.id } }));
    const all = await unit.lockTasksWith(label.id, MOST_AFFECTED);
    await changeEach(unit, this.events, all, { tag }, async (ids, updatedAt) => {
      await change(ids);
      await unit.tx.task.updateMany({ where: { id: { in: ids } }, data: { updatedAt } });
    });
    return all.length;
  }
}

/**
 * The ids of labels by their keys; those that are not there are made.
 * @param projectId of the task that they are for
 */
export async function labelIds(
  unit: Pick<Unit, 'labels' | 'audit' | 'countLabels'>,
  names: readonly LabelName[],
  projectId: string | null,
): Promise<Map<string, string>> {
  if (names.length === 0) return new Map();
  const { ids, made } = await unit.labels(names, LABEL_COLOR);
  if (made.length > 0) await checkRoom(unit);
  for (const { name, key } of made) {
    unit.audit({ ...about(ids.get(key) ?? '', 'create'), projectId, changes: changesBetween({}, { name }) });
  }
  return ids;
}

/** @throws CONFLICT where there are more than there may be, with those that were made */
export async function checkRoom(unit: Pick<Unit, 'countLabels'>): Promise<void> {
  if ((await unit.countLabels()) > MOST) {
    throw new ApiError('CONFLICT', `A workspace has at most ${MOST} labels, which are made of tags too.`);
  }
}

const about = (id: string, verb: string) => ({ action: `label.${verb}`, targetType: 'Label', targetId: id });
const taken = (name: string) =>
  new ApiError('CONFLICT', `There is a label of this name: ${name}`, { fields: { name: ['is taken'] } });

async function find(unit: Unit, id: string, expectedUpdatedAt: Date | null | undefined) {
  // Tasks before labels, as whoever marks a task locks.
  await unit.lockTasksWith(id, MOST_AFFECTED);
  await unit.lock('Label', id);
  const label = await unit.tx.label.findUnique({ where: { id } });
  if (!label) throw notFound('label', id);
  expectVersion(label, expectedUpdatedAt);
  return label;
}

/** The tags of a label that goes to the trash, as they are kept with it. */
async function tagged({ taskTag }: Unit['tx'], where: { labelId: string; taskId: { in: string[] } }) {
  return (await taskTag.findMany({ where })).map((content) => ({ itemId: where.labelId, content }));
}

/** #abc -> #aabbcc */
function longColor(color: string): string {
  const digits = color.slice(1).toLowerCase();
  return `#${digits.length === 3 ? [...digits].map((digit) => digit + digit).join('') : digits}`;
}
