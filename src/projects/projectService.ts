/** Making, changing, archiving and deleting projects; each change is one unit of work. */
import { z } from 'zod';
import { type Actor, changesBetween } from '../audit/entry.js';
import { nextVersion, type Unit, type UnitOfWork } from '../db/unitOfWork.js';
import { ApiError, notFound } from '../errors.js';
import { check, expectVersion, given, required, text, withoutNulls } from '../input.js';
import { keyOf, PROJECT_KEY, projectKeys } from '../tasks/identifier.js';
import { defaultStates } from '../tasks/stateService.js';
import type { TaskService } from '../tasks/taskService.js';
import { keep, keepRows } from '../tasks/trash/keeping.js';

const rules = z.object({
  name: required(text(1, 255)),
  description: text(0, 10_000).nullish(),
  slug: text(1, 100).nullish(),
  key: required(
    z
      .string()
      .trim()
      .toUpperCase()
      .regex(PROJECT_KEY, 'must be a letter, and up to 9 letters and digits more, of A to Z and 0 to 9'),
  ).optional(),
  icon: text(1, 100).nullish(),
});
const changeable = rules.partial();

interface ProjectFields {
  readonly description?: string | null | undefined;
  readonly slug?: string | null | undefined;
  /** What its tasks are called by; made of the name where it is left out. */
  readonly key?: string | null | undefined;
  readonly icon?: string | null | undefined;
}

export interface NewProject extends ProjectFields {
  readonly name: string;
}

interface ProjectChange extends ProjectFields {
  readonly id: string;
  readonly name?: string | null | undefined;
  readonly expectedUpdatedAt?: Date | null | undefined;
}

export class ProjectService {
  constructor(
    private readonly units: UnitOfWork,
    private readonly tasks: Pick<TaskService, 'detach'>,
  ) {}

  /** @throws BAD_USER_INPUT by field; CONFLICT for a slug that is taken */
  async create(actor: Actor, input: NewProject): Promise<{ id: string }> {
    const data = check(rules, withoutNulls(input, ['key']));
    return this.units.run(actor, async (unit) => {
      // Keys are made one after another, so that of two no one finds its own taken.
      await unit.lockWorkspace();
      const { workspaceId, environment, userId, keyId } = actor;
      await freeSlug(unit, data.slug);
      if (data.key !== undefined) await freeKey(unit, data.key);
      const key = data.key ?? keyOf(data.name, await projectKeys(unit));
      const project = await unit.tx.project.create({
        data: {
          ...{ workspaceId, environment, createdById: userId, createdByKeyId: keyId },
          ...{ createdAt: unit.now, updatedAt: unit.now },
          name: data.name,
          description: data.description || null,
          slug: data.slug ?? null,
          key,
          icon: data.icon ?? null,
        },
        select: { id: true },
      });
      await unit.insertRows('State', defaultStates(unit, project.id));
      unit.audit({ ...about(project.id, 'create'), changes: changesBetween({}, data) });
      return project;
    });
  }

  /** Changes what is given; null clears a field that may be empty. */
  async update(actor: Actor, { id, expectedUpdatedAt, ...input }: ProjectChange): Promise<{ id: string }> {
    const data = given(check(changeable, input));
    if (data.description === '') data.description = null;
    return this.units.run(actor, async (unit) => {
      const before = await find(unit, id, expectedUpdatedAt);
      if (data.slug !== before.slug) await freeSlug(unit, data.slug);
      if (data.key !== undefined && data.key !== before.key) await freeKey(unit, data.key);
      return change(unit, before, 'update', data);
    });
  }

  /** Archives a project, or brings it back. Once more changes nothing, the date included. */
  async archive(actor: Actor, id: string, archived: boolean, expectedUpdatedAt?: Date | null): Promise<{ id: string }> {
    return this.units.run(actor, async (unit) => {
      const before = await find(unit, id, expectedUpdatedAt);
      if ((before.archivedAt !== null) === archived) return before;
      return change(unit, before, 'archive', { archivedAt: archived ? unit.now : null });
    });
  }

  /**
   * Puts a project in the trash. Its tasks stay, without a project, and come back to it if it comes back.
   * @param load reads what is to be shown of it, because it cannot be loaded afterwards
   */
  async delete<T>(
    actor: Actor,
    id: string,
    load: (tx: Unit['tx']) => Promise<T>,
    expectedUpdatedAt?: Date | null,
  ): Promise<T> {
    return this.units.run(
      actor,
      async (unit) => {
        const before = await find(unit, id, expectedUpdatedAt);
        const shown = await load(unit.tx);
        await keep(unit, [{ id, kind: 'PROJECT', title: before.name, projectId: id, content: before }]);
        const states = await unit.tx.state.findMany({ where: { projectId: id } });
        await keepRows(
          unit,
          'State',
          states.map((content) => ({ itemId: id, content })),
        );
        const tasks = await this.tasks.detach(unit, 'projectId', id, (left) =>
          keepRows(
            unit,
            'Placement',
            left.map((task) => ({ itemId: id, content: { taskId: task.id, projectId: id, stateId: task.stateId } })),
          ),
        );
        await unit.tx.project.delete({ where: { id } });
        unit.audit({ ...about(id, 'delete'), changes: { name: { from: before.name }, tasks: { from: tasks, to: 0 } } });
        return shown;
      },
      { long: true },
    );
  }
}

const about = (id: string, verb: string) => ({
  ...{ action: `project.${verb}`, targetType: 'Project', targetId: id, projectId: id },
});

async function find(unit: Unit, id: string, expectedUpdatedAt: Date | null | undefined) {
  await unit.lock('Project', id);
  const project = await unit.tx.project.findUnique({ where: { id } });
  if (!project) throw notFound('project', id);
  expectVersion(project, expectedUpdatedAt);
  return project;
}

async function change(unit: Unit, before: { id: string; updatedAt: Date }, verb: string, data: object) {
  const { id } = before;
  const changes = changesBetween(before, data);
  // Who has seen it sees the same.
  if (Object.keys(changes).length === 0) return { id };
  await unit.tx.project.update({
    where: { id },
    data: { ...data, updatedAt: nextVersion(before, unit.now) },
    select: { id: true },
  });
  unit.audit({ ...about(id, verb), changes });
  return { id };
}

/** @throws CONFLICT */
async function freeKey(unit: Unit, key: string): Promise<void> {
  if (!(await projectKeys(unit)).has(key)) return;
  throw new ApiError('CONFLICT', 'There is a project with this key already.', { fields: { key: ['is taken'] } });
}

/** @throws CONFLICT that says what is taken; the unique index says the same of two at once, in fewer words */
async function freeSlug({ tx }: Unit, slug: string | null | undefined): Promise<void> {
  if (slug == null) return;
  const taken = await tx.project.findFirst({ where: { slug }, select: { id: true } });
  if (!taken) return;
  throw new ApiError('CONFLICT', 'There is a project with this slug already.', { fields: { slug: ['is taken'] } });
}
