/** What a change costs by the rows that it finds, which are counted and paid for before it begins. */
import { POINTS_PER_REQUEST } from '../../limits/operationLimits.js';
import { CHANGED_ROW } from '../../operations/cost.js';
import type { Context } from '../context.js';

/** Each task that a change of something else changes costs as one of many does (src/operations/cost.ts). */
export const chargeTasks = (context: Context, tasks: number): Promise<void> => charge(context, tasks * CHANGED_ROW);

/** Rows that are moved as they are: a point each. */
export const chargeRows = (context: Context, rows: number): Promise<void> => charge(context, rows);

async function charge({ meter }: Context, points: number): Promise<void> {
  await meter.chargeOrRefuse(Math.floor(points / POINTS_PER_REQUEST));
}

/** What goes to the trash with tasks, and the sub-tasks that stay. @param task as Prisma takes it */
export async function chargeDeletion(context: Context, task: object): Promise<void> {
  const { db } = context;
  const where = { task };
  const counts = await Promise.all([
    ...[db.comment.count({ where }), db.timeEntry.count({ where }), db.notification.count({ where })],
    ...[db.taskRelationship.count({ where }), db.taskTag.count({ where })],
  ]);
  const subTasks = await db.task.count({ where: { parent: task } });
  await charge(
    context,
    counts.reduce((sum, count) => sum + count, subTasks * CHANGED_ROW),
  );
}
