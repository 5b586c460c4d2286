/** What a change costs by the rows that it finds, which are counted and paid for before they are changed. */
import { CHANGED_ROW } from '../../operations/cost.js';
import { MOST_TASKS } from '../../tasks/bulkService.js';
import type { Context } from '../context.js';

/** Each task that a change of something else changes costs as one of many does (src/operations/cost.ts). */
export const chargeTasks = (context: Context, tasks: number): Promise<void> => charge(context, tasks * CHANGED_ROW);

/** Rows that are moved as they are: a point each. */
export const chargeRows = (context: Context, rows: number): Promise<void> => charge(context, rows);

const charge = ({ meter }: Pick<Context, 'meter'>, points: number): Promise<void> => meter.chargePoints(points);

/**
 * What changes with a user who is removed: the tasks that they are assigned to, and whatever they made, which forgets them. However much
 * that is, they can be removed.
 */
export async function chargeUser({ db, meter }: Context, id: string): Promise<void> {
  let points = CHANGED_ROW * (await db.task.count({ where: { assigneeId: id } }));
  const where = { createdById: id };
  for (const made of [db.task, db.project, db.taskRelationship, db.comment, db.label]) {
    points += await (made as typeof db.task).count({ where });
  }
  await meter.chargePoints(points, true);
}

/** What goes to the trash with tasks, and the sub-tasks that stay. @param where as Prisma takes it; of more tasks than one change may have none goes */
export async function chargeDeletion({ db, meter }: Context, where: object): Promise<void> {
  const select = { comments: true, timeEntries: true, notifications: true, outgoing: true, tags: true, children: true };
  const tasks = await db.task.findMany({ where, take: MOST_TASKS, select: { _count: { select } } });
  let points = 0;
  for (const {
    _count: { children, ...rows },
  } of tasks) {
    points += children * CHANGED_ROW;
    for (const count of Object.values(rows)) points += count;
  }
  await charge({ meter }, points);
}
