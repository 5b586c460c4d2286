/** Changing many tasks alike, each of them visibly: a new version, an audit entry and an event of its own. */
import { setImmediate } from 'node:timers/promises';
import type { Changes } from '../audit/entry.js';
import { withoutBinding } from '../db/tenant.js';
import { nextVersionOf, type Unit } from '../db/unitOfWork.js';
import { ApiError } from '../errors.js';
import type { TaskEvents } from '../messaging/taskEvents.js';
import { aboutTask } from './subTasks.js';

/** Tasks that a change of a label or a state, or the deletion of a project or a user, changes at most. */
export const MOST_AFFECTED = 20_000;
const BATCH = 100;

/** @throws CONFLICT when there are more than one change may have */
export function mustBeFewEnough(count: number, mend = ''): void {
  if (count <= MOST_AFFECTED) return;
  throw new ApiError('CONFLICT', `${count} tasks would be changed, at most ${MOST_AFFECTED} may.${mend}`);
}

/** Sets the same columns of all of them. @param ids of tasks that are locked @param changes what an entry says of each */
export const setEach = (
  unit: Unit,
  events: TaskEvents,
  ids: readonly string[],
  changes: Changes,
  columns: Readonly<Record<string, unknown>>,
): Promise<void> =>
  changeEach(unit, events, ids, changes, (part, updatedAt) => unit.setColumns('Task', part, { ...columns, updatedAt }));

/**
 * @param ids of tasks that are locked
 * @param changes what an entry says of each
 * @param apply changes some of them, to the version of this time
 */
export async function changeEach(
  unit: Unit,
  events: TaskEvents,
  ids: readonly string[],
  changes: Changes,
  apply: (ids: string[], updatedAt: Date) => Promise<unknown>,
): Promise<void> {
  for (let at = 0; at < ids.length; at += BATCH) {
    const part = ids.slice(at, at + BATCH);
    const { workspaceId, environment } = unit.actor;
    const where = { id: { in: part }, workspaceId, environment };
    // A key that is bound to a project may bring tasks back into it.
    const tasks = await withoutBinding(() =>
      unit.tx.task.findMany({ where, select: { id: true, projectId: true, updatedAt: true } }),
    );
    await apply(part, nextVersionOf(tasks, unit.now));
    for (const { id: taskId, projectId } of tasks) {
      const moved = changes['projectId'];
      const place = moved ? { projectId: moved.to as string, previousProjectId: projectId } : { projectId };
      // Of a task that moved, what it was before is no matter of the project that it came to.
      unit.audit({ ...aboutTask(taskId, 'update', moved ? null : projectId), changes });
      unit.afterCommit(() => events.publish(unit.actor, { action: 'UPDATED', taskId, ...place }));
    }
    // On SQLite nothing else waits for anything here.
    await setImmediate();
  }
}
