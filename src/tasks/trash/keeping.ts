/**
 * What is deleted goes to the trash: the row and those that go with it are kept as JSON, and are in no table any more that
 * anything else reads. Rows that the key does not see go with them too.
 */

import { forNobody } from '../../db/reader.js';
import { withoutBinding } from '../../db/tenant.js';
import type { Unit } from '../../db/unitOfWork.js';
import { ApiError } from '../../errors.js';
import { newId } from '../../ids.js';
import { MOST_AFFECTED } from '../changeEach.js';

export type TrashKind = 'TASK' | 'PROJECT' | 'LABEL' | 'COMMENT';

/** How long it is kept, in milliseconds. */
const KEPT = 30 * 86_400_000;

/**
 * What is kept of rows: those of these models, and ties. SubTask: { taskId, parentId }. Placement: { taskId, projectId, stateId }.
 * An answer is a comment too, and comes back after those that are answered. In the order in which they come back.
 */
export const ROW_KINDS = [
  ...['State', 'Placement', 'TaskTag', 'TaskRelationship', 'Comment', 'Answer', 'TimeEntry', 'Notification', 'SubTask'],
] as const;
export type RowKind = (typeof ROW_KINDS)[number];

export type Columns = Readonly<Record<string, unknown>>;

/** Rows that are read and written at a time: their texts may be long. */
export const PORTION = 200;

interface Deleted {
  readonly id: string;
  readonly kind: TrashKind;
  readonly title: string;
  readonly projectId: string | null;
  readonly taskId?: string;
  readonly content: Columns;
}

/** @param deleted rows that are about to go */
export async function keep(unit: Unit, deleted: readonly Deleted[]): Promise<void> {
  const { workspaceId, environment, userId, keyId } = unit.actor;
  const rows = deleted.map(({ taskId = null, ...item }) => ({
    ...{ ...item, taskId, workspaceId, environment },
    ...{ deletedById: userId, deletedByKeyId: keyId },
    ...{ deletedAt: unit.now, expiresAt: new Date(unit.now.getTime() + KEPT) },
  }));
  await unit.insertRows('TrashItem', rows);
}

/** @param rows what goes with an item, by the item's id */
export async function keepRows(
  unit: Unit,
  kind: RowKind,
  rows: readonly { readonly itemId: string; readonly content: Columns }[],
): Promise<void> {
  const { workspaceId, environment } = unit.actor;
  await unit.insertRows(
    'TrashRow',
    rows.map(({ itemId, content }) => ({ id: newId(), workspaceId, environment, itemId, kind, content })),
  );
}

/**
 * @param all ids of tasks that are locked, and go with what is theirs
 * @throws CONFLICT for more than one change may have
 */
export async function keepTasks(unit: Unit, all: readonly string[]): Promise<void> {
  let kept = 0;
  const count = (rows: number) => {
    kept += rows;
    if (kept > MOST_AFFECTED) {
      throw new ApiError(
        'CONFLICT',
        `There are more than ${MOST_AFFECTED} comments, times and ties. Delete some first.`,
      );
    }
  };
  for (let at = 0; at < all.length; at += PORTION) {
    const ids = all.slice(at, at + PORTION);
    // Nobody changes them between now and when they go.
    await forNobody(() => unit.lockRowsOf(ids));
    const tasks = await unseen(() => unit.tx.task.findMany({ where: { ...tenantOf(unit), id: { in: ids } } }));
    await keep(
      unit,
      tasks.map((task) => ({ id: task.id, kind: 'TASK', title: task.title, projectId: task.projectId, content: task })),
    );
    const tags = await unseen(() => unit.tx.taskTag.findMany({ where: { ...tenantOf(unit), taskId: { in: ids } } }));
    await keepRows(unit, 'TaskTag', ofTasks(tags));
    const own = { taskId: { in: ids } };
    const ties = { OR: [own, { targetTaskId: { in: ids }, taskId: { notIn: ids } }] };
    await keepEach(unit, unit.tx.taskRelationship, ties, count, (rows) => {
      const known = new Set(ids);
      const itemOf = (row: Columns) =>
        (known.has(row['taskId'] as string) ? row['taskId'] : row['targetTaskId']) as string;
      return keepRows(
        unit,
        'TaskRelationship',
        rows.map((content) => ({ itemId: itemOf(content), content })),
      );
    });
    for (const [kind, parentId] of [
      ['Comment', null],
      ['Answer', { not: null }],
    ] as const) {
      await keepEach(unit, unit.tx.comment, { ...own, parentId }, count, (rows) => keepRows(unit, kind, ofTasks(rows)));
    }
    await keepEach(unit, unit.tx.timeEntry, own, count, (rows) => keepRows(unit, 'TimeEntry', ofTasks(rows)));
    await keepEach(unit, unit.tx.notification, own, count, (rows) => keepRows(unit, 'Notification', ofTasks(rows)));
  }
}

const ofTasks = (rows: readonly Columns[]) => rows.map((content) => ({ itemId: content['taskId'] as string, content }));

/** In place of Prisma's `where` of each model, which differ in their names alone. */
interface Delegate {
  findMany(args: object): Promise<(Columns & { readonly id: string })[]>;
}

async function keepEach(
  unit: Unit,
  delegate: unknown,
  where: object,
  count: (rows: number) => void,
  store: (rows: Columns[]) => Promise<void>,
): Promise<void> {
  for (let after = ''; ; ) {
    const condition = { AND: [where, { ...tenantOf(unit), id: { gt: after } }] };
    const args = { where: condition, orderBy: { id: 'asc' }, take: PORTION };
    const rows = await unseen(() => (delegate as Delegate).findMany(args));
    count(rows.length);
    await store(rows);
    const last = rows.at(-1);
    if (!last || rows.length < PORTION) return;
    after = last.id;
  }
}

/** Comments of tasks that are in the trash are of the project that their task is in. @param ids of the tasks */
export async function moveKept(unit: Unit, ids: readonly string[], projectId: string | null): Promise<void> {
  const where = { ...tenantOf(unit), taskId: { in: [...ids] } };
  await withoutBinding(() => unit.tx.trashItem.updateMany({ where, data: { projectId } }));
}

/** Reads what is neither answered, nor within reach of the key alone. */
export function unseen<T>(read: () => PromiseLike<T>): Promise<T> {
  return forNobody(() => withoutBinding(read));
}

export function tenantOf({ actor: { workspaceId, environment } }: Pick<Unit, 'actor'>) {
  return { workspaceId, environment };
}
