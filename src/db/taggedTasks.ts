/**
 * Where a query of tasks begins. Tasks with a label, the newest first, begin at the labels of tasks: there they are a range of an
 * index, however many other tasks there are. Otherwise the newest tasks are asked one by one whether they have it.
 */
import type { Table, Where } from './statement.js';

/** The label on the task. */
export const TAG: Table = { alias: 'tagged', model: 'TaskTag' };

/** What finds few tasks by an index of their own, whatever their labels. */
const SELECTIVE = new Set(['id', 'number', 'projectId', 'assigneeId', 'stateId', 'parentId', 'createdById']);

interface TaggedTasks {
  /** Of the label on the task. */
  readonly where: Where;
  /** What the tasks must satisfy besides. */
  readonly others: Where;
  /** The order, said of the label on the task. */
  readonly orderBy: readonly Where[];
}

/**
 * @param where bound to the tenant
 * @param orderBy undefined: they are counted
 * @returns undefined for a query that does not begin there
 */
export function labelOf(model: string, where: Where, orderBy?: readonly Where[]): TaggedTasks | undefined {
  if (model !== 'Task') return undefined;
  const ordered = orderBy ? taggedOrder(orderBy) : [];
  if (!ordered) return undefined;
  if (isSelective(where)) return undefined;
  const all = conjuncts(where);
  const index = all.findIndex(([name, test]) => name === 'tags' && oneLabel(test) !== undefined);
  const [, test] = all[index] ?? [];
  const label = oneLabel(test);
  if (!label) return undefined;
  const others = all.filter((_, other) => other !== index).map(([name, condition]) => ({ [name]: condition }));
  const { workspaceId, environment } = where;
  // The range of the index begins where the page does.
  const dates = all.filter(([name]) => name === 'createdAt').map(([, taskCreatedAt]) => ({ taskCreatedAt }));
  return {
    where: { workspaceId, environment, ...label, AND: dates },
    others: { AND: others },
    orderBy: ordered,
  };
}

/** Up to so many tasks are looked up one by one; of more, their numbers are compared in the order of the list. */
export const LOOKED_UP = 1000;

/** How many tasks are meant by their numbers; 0: they are not meant by these. @param where bound to the tenant */
export function numbersOf(model: string, where: Where): number {
  const [, test] =
    model === 'Task' ? (conjuncts(where).find(([name, of]) => name === 'number' && isEquality(of)) ?? []) : [];
  if (test === undefined) return 0;
  return Math.max(1, (test as { in?: readonly unknown[] }).in?.length ?? 1);
}

/** Whether few tasks are meant, which an index of their own finds. */
export const isSelective = (where: Where): boolean =>
  conjuncts(where).some(([name, test]) => SELECTIVE.has(name) && isEquality(test));

/** By when tasks were made, and by their ids. */
function taggedOrder(orderBy: readonly Where[]): Where[] | undefined {
  const [first, second] = orderBy;
  if (orderBy.length !== 2 || !first || !second) return undefined;
  const direction = first['createdAt'];
  if (typeof direction !== 'string' || second['id'] !== direction) return undefined;
  return [{ taskCreatedAt: direction }, { taskId: direction }];
}

/** The conditions that all must hold, each by itself. */
function conjuncts(where: Where): [name: string, condition: unknown][] {
  return Object.entries(where).flatMap(([name, condition]): [string, unknown][] => {
    if (condition === undefined) return [];
    if (name === 'AND') return [condition as Where | Where[]].flat().flatMap(conjuncts);
    return [[name, condition]];
  });
}

function isEquality(test: unknown): boolean {
  if (typeof test !== 'object' || test === null || test instanceof Date) return test !== null;
  return 'in' in test;
}

/** `{ some: { key: { in: ['bug'] } } }`, or by the id of the label. */
function oneLabel(test: unknown): Where | undefined {
  const { some, ...others } = (test ?? {}) as { some?: Where };
  if (!some || Object.keys(others).length > 0 || Object.keys(some).length !== 1) return undefined;
  const { key, labelId } = some as { key?: { in?: readonly unknown[] }; labelId?: unknown };
  if (typeof labelId === 'string' || typeof labelId === 'symbol') return { labelId };
  const [only, ...more] = key?.in ?? [];
  return typeof only === 'string' && more.length === 0 ? { key: only } : undefined;
}
