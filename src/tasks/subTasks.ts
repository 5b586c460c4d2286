/** Where tasks stand: in which project, among which sub-tasks, and where one may be put. */
import type { Unit } from '../db/unitOfWork.js';
import type { TaskPlace } from '../db/unitStatements.js';
import { ApiError, badInput, notFound } from '../errors.js';

/** Levels of sub-tasks below a task. */
const MOST_DEEP = 5;
/** Sub-tasks of a task, on all levels: they move with it. */
export const MOST_SUB_TASKS = 1000;

/** With the workspace locked, so that what is found stays so. */
export async function placeOf(unit: Pick<Unit, 'lockWorkspace' | 'placeOf'>, id: string): Promise<TaskPlace> {
  await unit.lockWorkspace();
  const place = await unit.placeOf(id);
  if (!place) throw notFound('task', id);
  return place;
}

/**
 * The project that a sub-task is in, which is that of its task.
 * @param asked for the sub-task
 * @param subTask where it is there already
 * @throws NOT_FOUND; BAD_USER_INPUT for another project, a circle, or too many levels
 */
export async function projectBelow(
  unit: Pick<Unit, 'lockWorkspace' | 'placeOf'>,
  parentId: string,
  asked: string | null | undefined,
  subTask?: TaskPlace & { readonly id: string },
  places = new Map<string, TaskPlace>(),
): Promise<string | null> {
  const find = async (id: string) => {
    const place = places.get(id) ?? (await placeOf(unit, id));
    places.set(id, place);
    return place;
  };
  const { projectId, above } = await find(parentId);
  if (asked !== undefined && asked !== projectId) {
    throw badInput({ projectId: ['must be that of the task that it is a sub-task of'] });
  }
  if (subTask && [parentId, ...above].includes(subTask.id)) {
    throw badInput({ parentId: ['must not be the task itself, or a sub-task of it'] });
  }
  if (above.length + 1 + (subTask?.depth ?? 0) > MOST_DEEP) {
    throw badInput({ parentId: [`goes deeper than ${MOST_DEEP} levels of sub-tasks`] });
  }
  // All of them move with the task at the top.
  for (const id of [parentId, ...above]) {
    const place = await find(id);
    const count = subTask ? new Set([...place.below, subTask.id, ...subTask.below]).size : place.below.length + 1;
    if (count > MOST_SUB_TASKS) {
      throw new ApiError('CONFLICT', `A task has at most ${MOST_SUB_TASKS} sub-tasks, on all levels.`);
    }
    if (!subTask) places.set(id, { ...place, below: [...place.below, `new ${place.below.length}`] });
  }
  return projectId;
}

/** What an audit entry says of a task. */
export const aboutTask = (id: string, verb: string, projectId: string | null) => ({
  ...{ action: `task.${verb}`, targetType: 'Task', targetId: id, projectId },
});

/** For the audit entries of what belongs to a task. */
export async function projectOfTask({ tx }: Pick<Unit, 'tx'>, taskId: string): Promise<string | null> {
  const task = await tx.task.findUnique({ where: { id: taskId }, select: { projectId: true } });
  return task?.projectId ?? null;
}

/** Whether a task is moved with others: a task above it, or sub-tasks. */
export async function hasSubTaskOrTask(
  { tx }: Pick<Unit, 'tx'>,
  { id, parentId }: { readonly id: string; readonly parentId: string | null },
): Promise<boolean> {
  if (parentId !== null) return true;
  return (await tx.task.findFirst({ where: { parentId: id }, select: { id: true } })) !== null;
}

/**
 * The task that another is put below stays in its project until this change is committed: one that has no sub-tasks yet
 * is moved without the lock of the workspace. After projects and users, as all changes lock.
 * @throws CONFLICT where it was moved meanwhile
 */
export async function lockParent(
  unit: Pick<Unit, 'lock' | 'projectOf'>,
  parentId: string,
  projectId: string | null,
): Promise<void> {
  await unit.lock('Task', parentId);
  if ((await unit.projectOf(parentId)) !== projectId) throw movedMeanwhile();
}

export const movedMeanwhile = () => new ApiError('CONFLICT', 'The task was moved meanwhile. Try again.');
