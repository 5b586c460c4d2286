/** The states of projects, which are the columns of their boards; each change is one unit of work. */

import { z } from 'zod';
import { type Actor, changesBetween } from '../audit/entry.js';
import { nextVersion, type Unit, type UnitOfWork } from '../db/unitOfWork.js';
import { ApiError, badInput, notFound } from '../errors.js';
import { newId } from '../ids.js';
import { check, expectVersion, given, required, text, withoutNulls } from '../input.js';
import type { TaskEvents } from '../messaging/taskEvents.js';
import { MOST_AFFECTED, mustBeFewEnough, setEach } from './changeEach.js';
import { COLOR } from './labelService.js';
import { categoryOf, DEFAULT_STATES, MOST_SLUG, slugOf } from './states.js';

/** States of a project. */
const MOST = 50;

const rules = z.object({
  name: required(text(1, 100)),
  color: COLOR.nullish(),
  icon: text(0, 100).nullish(),
  category: required(z.number()).optional(),
});
const changeable = rules.partial();
const slugRules = z.object({ slug: text(1, MOST_SLUG) });

interface StateFields {
  readonly color?: string | null | undefined;
  readonly icon?: string | null | undefined;
  readonly category?: number | null | undefined;
}

interface NewState extends StateFields {
  readonly projectId: string;
  readonly name: string;
  /** By default it is made of the name. */
  readonly slug?: string | null | undefined;
}

interface StateChange extends StateFields {
  readonly id: string;
  /** Where it has one of these, it keeps it, whatever else is given. */
  readonly keepCategory?: readonly number[] | null | undefined;
  readonly name?: string | null | undefined;
  readonly expectedUpdatedAt?: Date | null | undefined;
}

interface StateDeletion {
  readonly id: string;
  /** The state that its tasks go to. */
  readonly intoId?: string | null | undefined;
  readonly expectedUpdatedAt?: Date | null | undefined;
}

export class StateService {
  constructor(
    private readonly units: UnitOfWork,
    private readonly events: TaskEvents,
  ) {}

  /** At the end. @throws CONFLICT for a slug that is taken */
  async create(actor: Actor, { projectId, slug: asked, ...input }: NewState): Promise<{ id: string }> {
    const { category: wanted, ...data } = check(rules, withoutNulls(input, ['category']));
    if (data.icon === '') data.icon = null;
    const slug = slugOf(asked == null ? data.name : check(slugRules, { slug: asked }).slug);
    if (slug === '') throw badInput({ [asked == null ? 'name' : 'slug']: ['must have a letter or a digit'] });
    return this.units.run(actor, async (unit) => {
      await lockProject(unit, projectId);
      const states = await unit.statesOf(projectId);
      if (states.length >= MOST) throw new ApiError('CONFLICT', `A project has at most ${MOST} states.`);
      if (states.some((state) => state.slug === slug)) throw taken(slug, asked == null ? 'name' : 'slug');
      const category = wanted ?? categoryOf(slug, states);
      const last = await unit.tx.state.findFirst({ where: { projectId }, orderBy: { order: 'desc' } });
      const row = newRow(unit, projectId, { ...data, slug, category, order: (last?.order ?? -1) + 1 });
      await unit.insertRows('State', [row]);
      const { id } = row;
      unit.audit({ ...about(id, 'create', projectId), changes: changesBetween({}, { ...data, slug, category }) });
      return { id };
    });
  }

  /** Changes what is given; another category is another status of all its tasks. */
  async update(actor: Actor, { id, keepCategory, expectedUpdatedAt, ...input }: StateChange): Promise<{ id: string }> {
    const data = given(check(changeable, given(input)));
    if (data.icon === '') data.icon = null;
    return this.units.run(
      actor,
      async (unit) => {
        const before = await find(unit, id, expectedUpdatedAt);
        if (keepCategory?.includes(before.category)) delete data.category;
        const changes = changesBetween(before, data);
        if (Object.keys(changes).length === 0) return { id };
        const updatedAt = nextVersion(before, unit.now);
        await unit.tx.state.update({ where: { id }, data: { ...data, updatedAt }, select: { id: true } });
        unit.audit({ ...about(id, 'update', before.projectId), changes });
        const { category } = data;
        if (category !== undefined && category !== before.category) {
          const ids = await tasksIn(unit, id);
          await this.#put(unit, ids, { status: before.category }, { status: category });
        }
        return { id };
      },
      { long: true },
    );
  }

  /**
   * Puts states of a project in this order. Those that are not named keep their places.
   * @throws NOT_FOUND for one of another project; BAD_USER_INPUT for one that is named twice
   */
  async reorder(actor: Actor, projectId: string, ids: readonly string[]): Promise<{ id: string }> {
    if (ids.length < 1 || ids.length > MOST) throw badInput({ stateIds: [`must have from 1 to ${MOST} entries`] });
    if (new Set(ids).size < ids.length) throw badInput({ stateIds: ['must name each state once'] });
    return this.units.run(actor, async (unit) => {
      await lockProject(unit, projectId);
      const before = await unit.tx.state.findMany({ where: { projectId }, orderBy: [{ order: 'asc' }, { id: 'asc' }] });
      const known = new Map(before.map((state) => [state.id, state]));
      const foreign = ids.find((id) => !known.has(id));
      if (foreign !== undefined) throw notFound('state', foreign);
      const named = new Set(ids);
      const wanted = ids.values();
      const after = before.map(({ id }) => (named.has(id) ? (wanted.next().value as string) : id));
      for (const [order, id] of after.entries()) {
        const state = known.get(id);
        if (!state || state.order === order) continue;
        const updatedAt = nextVersion(state, unit.now);
        await unit.tx.state.update({ where: { id }, data: { order, updatedAt }, select: { id: true } });
        unit.audit({ ...about(id, 'update', projectId), changes: { order: { from: state.order, to: order } } });
      }
      return { id: projectId };
    });
  }

  /**
   * @returns the state as it was, and how many tasks were in it
   * @throws NOT_FOUND for a state of another project; CONFLICT where it has tasks, and no state to which they go
   */
  async delete(actor: Actor, { id, intoId = null, expectedUpdatedAt }: StateDeletion) {
    if (intoId === id) throw badInput({ intoId: ['must be another state'] });
    return this.units.run(
      actor,
      async (unit) => {
        const before = await find(unit, id, expectedUpdatedAt);
        const { projectId, category } = before;
        const other = (await unit.statesOf(projectId)).find((state) => state.id === intoId);
        if (intoId !== null && !other) throw notFound('state', intoId);
        const ids = await tasksIn(unit, id);
        if (ids.length > 0 && !other) {
          throw new ApiError('CONFLICT', `There are tasks in it (${ids.length}), which have to go to another state.`, {
            fields: { intoId: ['is required'] },
          });
        }
        if (other) {
          const from = { stateId: id, ...(other.category !== category && { status: category }) };
          const to = { stateId: other.id, ...(other.category !== category && { status: other.category }) };
          await this.#put(unit, ids, from, to);
        }
        await unit.tx.state.delete({ where: { id }, select: { id: true } });
        const changes = { name: { from: before.name }, slug: { from: before.slug } };
        unit.audit({ ...about(id, 'delete', projectId), changes });
        return { ...before, movedTasks: ids.length };
      },
      { long: true },
    );
  }

  /** Sets the same columns of tasks. */
  async #put(unit: Unit, ids: readonly string[], from: TaskColumns, to: TaskColumns): Promise<void> {
    await setEach(unit, this.events, ids, changesBetween(from, to), to);
  }
}

type TaskColumns = Readonly<Record<string, unknown>>;

/** The states that a new project begins with. */
export function defaultStates(unit: Pick<Unit, 'actor' | 'now'>, projectId: string) {
  return DEFAULT_STATES.map((state, order) => newRow(unit, projectId, { ...state, order }));
}

function newRow({ actor, now }: Pick<Unit, 'actor' | 'now'>, projectId: string, data: object) {
  const { workspaceId, environment } = actor;
  return {
    ...{ id: newId(), workspaceId, environment, projectId, color: null, icon: null, createdAt: now, updatedAt: now },
    ...given(data),
  };
}

const about = (id: string, verb: string, projectId: string) => ({
  ...{ action: `state.${verb}`, targetType: 'State', targetId: id, projectId },
});
const taken = (slug: string, field: string) =>
  new ApiError('CONFLICT', `There is a state of this name in the project: ${slug}`, {
    fields: { [field]: ['is taken'] },
  });

/** While its states are changed, no task is put in one. @throws NOT_FOUND */
async function lockProject(unit: Unit, projectId: string): Promise<void> {
  await unit.lock('Project', projectId);
  if (!(await unit.tx.project.findUnique({ where: { id: projectId }, select: { id: true } }))) {
    throw notFound('project', projectId);
  }
}

async function find(unit: Unit, id: string, expectedUpdatedAt: Date | null | undefined) {
  const known = await unit.tx.state.findUnique({ where: { id }, select: { projectId: true } });
  if (known) await unit.lock('Project', known.projectId);
  const state = await unit.tx.state.findUnique({ where: { id } });
  if (!state) throw notFound('state', id);
  expectVersion(state, expectedUpdatedAt);
  return state;
}

/** @throws CONFLICT when there are more than one change may have */
async function tasksIn(unit: Unit, stateId: string): Promise<string[]> {
  mustBeFewEnough(await unit.tx.task.count({ where: { stateId } }));
  return unit.lockTasksOf('stateId', stateId, MOST_AFFECTED);
}
