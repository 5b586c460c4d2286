/**
 * Where a query of tasks or of labels begins. Tasks with a label, the newest first, begin at the labels of tasks: there they are a
 * range of an index, however many other tasks there are. Otherwise the newest tasks are asked one by one whether they have it. The
 * labels of a task begin there too: otherwise all labels are asked whether the task has them.
 */
import type { Table, Where } from './statement.js';

/** The label on the task. */
export const TAG: Table = { alias: 'tagged', model: 'TaskTag' };

/** What finds few tasks by an index of their own, whatever their labels. */
const SELECTIVE = new Set(['id', 'number', 'projectId', 'assigneeId', 'stateId', 'parentId', 'createdById']);

interface Tagged {
  /** Of the label on the task. */
  readonly where: Where;
  /** What the tasks, or the labels, must satisfy besides. */
  readonly others: Where;
}

interface TaggedTasks extends Tagged {
  /** The order, said of the label on the task. */
  readonly orderBy: readonly Where[];
}

/**
 * @param all that the tasks must satisfy
 * @param where the same, bound to the tenant
 * @param orderBy undefined: they are counted
 * @returns undefined for a query that does not begin there
 */
export function labelOf(
  all: readonly Conjunct[],
  { workspaceId, environment }: Where,
  orderBy?: readonly Where[],
): TaggedTasks | undefined {
  const label = tagOf(all, oneLabel);
  const ordered = orderBy ? taggedOrder(orderBy) : [];
  if (!label || !ordered || all.some(isSelective)) return undefined;
  // The range of the index begins where the page does.
  const dates = all.filter(([name]) => name === 'createdAt').map(([, taskCreatedAt]) => ({ taskCreatedAt }));
  return {
    where: { workspaceId, environment, ...label.where, AND: dates },
    others: label.others,
    orderBy: ordered,
  };
}

/**
 * @param all that the labels must satisfy, the tenant among it: of the label on the task nothing else is asked, for databases would take
 *   an index of the tenant's labels on tasks for better
 * @returns undefined for a query that does not begin there
 */
export const labelsOfTask = (all: readonly Conjunct[]): Tagged | undefined => tagOf(all, oneTask);

/** @param one what is asked of the one label on the task that must be there */
function tagOf(all: readonly Conjunct[], one: (some: Where) => Where | undefined): Tagged | undefined {
  for (const [index, [relation, test]] of all.entries()) {
    const where = relation === 'tags' ? one(onlySome(test)) : undefined;
    if (!where) continue;
    const others = all.filter((_, other) => other !== index).map(([name, condition]) => ({ [name]: condition }));
    return { where, others: { AND: others } };
  }
  return undefined;
}

/** Up to so many tasks are looked up one by one; of more, their numbers are compared in the order of the list. */
export const LOOKED_UP = 1000;

/** How many tasks are meant by their numbers; 0: they are not meant by these. @param all that they must satisfy */
export function numbersOf(all: readonly Conjunct[]): number {
  const [, test] = all.find(([name, of]) => name === 'number' && isEquality(of)) ?? [];
  if (test === undefined) return 0;
  return Math.max(1, (test as { in?: readonly unknown[] }).in?.length ?? 1);
}

/** Whether few tasks are meant, which an index of their own finds. */
export const meansFew = (where: Where): boolean => conjunctsOf(where).some(isSelective);

const isSelective = ([name, test]: Conjunct) => SELECTIVE.has(name) && isEquality(test);

/** By when tasks were made, and by their ids. */
function taggedOrder(orderBy: readonly Where[]): Where[] | undefined {
  const [first, second] = orderBy;
  if (orderBy.length !== 2 || !first || !second) return undefined;
  const direction = first['createdAt'];
  if (typeof direction !== 'string' || second['id'] !== direction) return undefined;
  return [{ taskCreatedAt: direction }, { taskId: direction }];
}

/** The name of a column or relation, and what is asked of it. */
export type Conjunct = readonly [name: string, condition: unknown];

/** The conditions that all must hold, each by itself. */
export function conjunctsOf(where: Where, found: Conjunct[] = []): Conjunct[] {
  for (const name in where) {
    const condition = where[name];
    if (name !== 'AND') {
      if (condition !== undefined) found.push([name, condition]);
    } else if (Array.isArray(condition)) {
      for (const part of condition) conjunctsOf(part as Where, found);
    } else if (condition) conjunctsOf(condition as Where, found);
  }
  return found;
}

export function isEquality(test: unknown): boolean {
  if (typeof test !== 'object' || test === null || test instanceof Date) return test !== null;
  return 'in' in test;
}

/** The condition of `{ some: { … } }`, where that is all that is asked, and of one column. */
function onlySome(test: unknown): Where {
  const { some, ...others } = (test ?? {}) as { some?: Where };
  return some && Object.keys(others).length === 0 && Object.keys(some).length === 1 ? some : {};
}

const isId = (value: unknown) => typeof value === 'string' || typeof value === 'symbol';

/** `{ taskId: '…' }` */
const oneTask = ({ taskId }: Where): Where | undefined => (isId(taskId) ? { taskId } : undefined);

/** `{ key: { in: ['bug'] } }`, or by the id of the label. */
function oneLabel(some: Where): Where | undefined {
  const { key, labelId } = some as { key?: { in?: readonly unknown[] }; labelId?: unknown };
  if (isId(labelId)) return { labelId };
  const [only, ...more] = key?.in ?? [];
  return typeof only === 'string' && more.length === 0 ? { key: only } : undefined;
}
