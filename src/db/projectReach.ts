/**
 * What a key that is bound to projects reaches: the rows of those projects, and of the workspace what belongs to no project
 * (users). Of keys it sees itself and those that it made. The tenant client (tenant.ts) and plans ask here for each model; a
 * model that is not in the table is not read for such a key.
 */
import type { ProjectBound } from '../audit/entry.js';
import { ApiError, badInput } from '../errors.js';
import { currentReader } from './reader.js';

type Args = Readonly<Record<string, unknown>>;
type Condition = (bound: ProjectBound) => Args;

const within = ({ projects }: ProjectBound) => ({ in: projects });
const ofTask: Condition = (bound) => ({ projectId: within(bound) });
const ownKeys: Condition = ({ keyId }) => ({ OR: [{ id: keyId }, { createdByKeyId: keyId }] });
const ofOwnKeys: Condition = (bound) => ({ key: ownKeys(bound) });
/** Of the workspace as a whole. */
const all: Condition = () => ({});

const CONDITIONS: Readonly<Record<string, Condition>> = {
  Project: (bound) => ({ id: within(bound) }),
  Task: ofTask,
  State: ofTask,
  TrashItem: ofTask,
  TrashRow: (bound) => ({ item: ofTask(bound) }),
  TaskTag: (bound) => ({ task: ofTask(bound) }),
  Comment: (bound) => ({ task: ofTask(bound) }),
  // Those of its projects, and what it made itself and has put nowhere yet.
  Label: (bound) => ({ OR: [{ tags: { some: { task: ofTask(bound) } } }, { createdByKeyId: bound.keyId }] }),
  TimeEntry: (bound) => ({ task: ofTask(bound) }),
  // That a task is blocked is told where one is seen that blocks it; how often it was told then counts those that are not seen.
  Notification: (bound) => ({
    AND: [
      { task: ofTask(bound) },
      {
        OR: [{ kind: { not: 'BLOCKED' } }, { task: { incoming: { some: { type: 'BLOCKS', task: ofTask(bound) } } } }],
      },
    ],
  }),
  // A tie to a task of another project says that there is one.
  TaskRelationship: (bound) => ({ task: ofTask(bound), targetTask: ofTask(bound) }),
  AuditEvent: ofTask,
  User: all,
  // People are of the workspace, and see all of it: such a key invites nobody.
  Invitation: ({ keyId }) => ({ createdByKeyId: keyId }),
  // What users let in reaches more than some projects.
  OauthApp: ({ keyId }) => ({ createdByKeyId: keyId }),
  ApiKey: ownKeys,
  ApiKeyLastUse: ofOwnKeys,
  ApiKeyUsage: ofOwnKeys,
  ApiKeyNetwork: ofOwnKeys,
  Alert: ofOwnKeys,
  ScopeGrant: ofOwnKeys,
  KeyTightening: ofOwnKeys,
  // Found by way of a key that is seen.
  KeyOperationSet: all,
  KeyOperation: all,
};

/** Rows that a row within reach refers to, and that are within reach for that. */
const IMPLIED = new Set([
  'Task.project',
  'Task.state',
  'State.project',
  // Sub-tasks are in the project of their task.
  'Task.parent',
  'TaskTag.task',
  // A label on a task that is seen.
  'TaskTag.label',
  'Comment.task',
  'Comment.parent',
  'TimeEntry.task',
  'Notification.task',
  'TaskRelationship.task',
  'TaskRelationship.targetTask',
  'KeyOperation.set',
  'ApiKey.lastUse',
  'ApiKey.app',
  ...['ApiKeyLastUse', 'ApiKeyUsage', 'ApiKeyNetwork', 'Alert', 'ScopeGrant', 'KeyTightening'].map(
    (model) => `${model}.key`,
  ),
]);

/**
 * Which rows of a model are within reach, as a Prisma `where`.
 * @throws Error for a model that such a key does not read
 */
export function projectCondition(model: string, bound: ProjectBound): Args {
  const condition = CONDITIONS[model];
  if (!condition) throw new Error(`${model} is not read by a key that is bound to projects`);
  return condition(bound);
}

/** @param field of the model, which refers to one row @throws Error where that may be out of reach */
export function mustBeImplied(model: string, field: string, other: string): void {
  if (IMPLIED.has(`${model}.${field}`) || CONDITIONS[other] === all) return;
  throw new Error(`${model}.${field} is not read by a key that is bound to projects`);
}

/** The column that says which project a row is of; undefined: none does. */
export function projectColumn(model: string): 'projectId' | 'id' | undefined {
  return model === 'Project' ? 'id' : OF_PROJECT.has(model) ? 'projectId' : undefined;
}

const OF_PROJECT = new Set(['Task', 'State', 'TrashItem', 'AuditEvent']);
/** The tasks of a row, of whose projects it is. */
const TASKS_OF: Readonly<Record<string, readonly string[]>> = {
  ...{ TaskTag: ['task'], Comment: ['task'], TimeEntry: ['task'], Notification: ['task'] },
  TaskRelationship: ['task', 'targetTask'],
};

/** By which relations a row has the tasks of whose projects it is; the column of each has `Id` at its end. */
export const tasksOf = (model: string): readonly string[] => TASKS_OF[model] ?? [];

/**
 * The projects that an answer tells of which is no row with its project: a count of rows, a sum of them, a label.
 * @param all that the rows must satisfy, each by itself
 */
export function toldProjects(
  model: string,
  all: readonly (readonly [name: string, test: unknown])[],
  { projects }: ProjectBound,
): readonly string[] {
  const column = projectColumn(model);
  if (column === undefined && !TASKS_OF[model] && model !== 'Label') return [];
  // Of tasks that were read.
  if (all.some(([name]) => name === 'taskId')) return [];
  const meant = all.flatMap(([name, test]) => (name === column ? [valuesOf(test)] : []));
  return projects.filter((id) => meant.every((values) => values === undefined || values.includes(id)));
}

/** @returns undefined for another comparison */
function valuesOf(test: unknown): readonly unknown[] | undefined {
  if (typeof test === 'string') return [test];
  const { in: some, equals } = (test ?? {}) as { in?: readonly unknown[]; equals?: unknown };
  return some ?? (equals === undefined ? undefined : [equals]);
}

/** Tells of which projects rows were read. */
export function noteProjects(ids: Iterable<unknown>, reader = currentReader()): void {
  if (reader?.sawProject) for (const id of ids) if (typeof id === 'string') reader.sawProject(id);
}

/** Whether a key sees another one. */
export function seesKey({ keyId }: ProjectBound, key: { readonly id: string; readonly createdByKeyId: string | null }) {
  return key.id === keyId || key.createdByKeyId === keyId;
}

/**
 * @param isNew it is made; else only what is given of it is changed
 * @throws FORBIDDEN for a project that is made; BAD_USER_INPUT for a task that would be in none of the projects. One that
 * is in another project is refused as one that is not there.
 */
export function mustStayWithin({ projects }: ProjectBound, model: string, row: Args, isNew: boolean): void {
  if (model === 'Project' && isNew) {
    throw new ApiError('FORBIDDEN', 'This key is bound to projects, and makes no others.', {
      reason: 'The key is bound to projects.',
    });
  }
  if (model !== 'Task' || !(isNew || row['projectId'] !== undefined)) return;
  const projectId = row['projectId'];
  if (typeof projectId === 'string' && projects.includes(projectId)) return;
  throw badInput({ projectId: ['must be a project of the key, which is bound to projects'] });
}

/** @throws FORBIDDEN for what concerns rows of all projects */
export function refuseBound(bound: ProjectBound | undefined, what: string): void {
  if (!bound) return;
  const reason = `This key is bound to projects, and ${what}.`;
  throw new ApiError('FORBIDDEN', reason, { reason });
}
