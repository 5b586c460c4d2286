/**
 * What a unit of work asks of the database beyond Prisma's queries: locks, and statements over many rows, by SQL of each
 * database. All are bound to the tenant here.
 */

import type { Actor } from '../audit/entry.js';
import { newId } from '../ids.js';
import { insertionOf, type RawStatements, RawValues, rowOf } from './insertions.js';
import { noteProjects } from './projectReach.js';
import type { Provider } from './provider.js';
import type { Tenant } from './tenant.js';

/** The plan of a workspace, with the operator's numbers where the plan leaves them to the operator. */
interface WorkspaceRow {
  readonly id: string;
  readonly plan: string;
  readonly ratePerMinute: number | null;
  readonly ratePerHour: number | null;
}

type Lockable =
  | 'Project'
  | 'User'
  | 'Task'
  | 'TaskRelationship'
  | 'Comment'
  | 'Label'
  | 'TimeEntry'
  | 'Notification'
  | 'TrashItem';

/** Rows that say who made them. */
type Made = 'Task' | 'Project' | 'TaskRelationship' | 'Comment' | 'Label';

/** Columns of tasks that refer to something. */
type TaskReference = 'projectId' | 'assigneeId' | 'stateId';

interface StateRow {
  readonly id: string;
  readonly slug: string;
  readonly category: number;
}

/** Rows of tasks that others change, and the columns that say of which. */
const OF_TASKS = [
  ['TaskRelationship', 'taskId'],
  ['TaskRelationship', 'targetTaskId'],
  ['Comment', 'taskId'],
  ['TimeEntry', 'taskId'],
  ['Notification', 'taskId'],
] as const;

/** What is compared of a task, and told of. */
const TASK_COLUMNS = [
  ...['id', 'projectId', 'updatedAt', 'title', 'number', 'status', 'stateId', 'priority', 'startDate', 'dueDate'],
  ...['estimate', 'assigneeId'],
] as const;

interface TaskRow {
  readonly id: string;
  readonly projectId: string | null;
  readonly updatedAt: Date;
  readonly title: string;
  readonly number: number;
  readonly status: number;
  readonly stateId: string | null;
  readonly priority: number;
  readonly startDate: Date | null;
  readonly dueDate: Date | null;
  readonly estimate: number | null;
  readonly assigneeId: string | null;
}

/** A label as it is named; `key`: by what names are compared. */
export interface LabelName {
  readonly name: string;
  readonly key: string;
}

/** Where a task stands among sub-tasks. */
export interface TaskPlace {
  readonly projectId: string | null;
  /** Ids of the task that it is a sub-task of, and of those above that one. */
  readonly above: readonly string[];
  /** Ids of its sub-tasks, and theirs. */
  readonly below: readonly string[];
  /** Levels of sub-tasks below it. */
  readonly depth: number;
}

export interface UnitStatements {
  /** Adds rows, whole; what they refer to, and the tenant, are the caller's to check. */
  insertRows(model: string, rows: readonly Readonly<Record<string, unknown>>[]): Promise<void>;
  /** Sets columns of rows of the tenant; what they refer to is the caller's to check. */
  setColumns(model: string, ids: readonly string[], columns: Readonly<Record<string, unknown>>): Promise<void>;
  /** Changes that hold this lock go on one after another, in each workspace. */
  lockWorkspace(): Promise<WorkspaceRow>;
  /** Beside others that do so; not beside what has the workspace for itself. */
  lockWorkspaceForReading(): Promise<void>;
  /** No other transaction changes the row until this change is committed; a row that is not there is not locked. */
  lock(model: Lockable, id: string): Promise<void>;
  /** The project as it is, and stays until this change is committed; others may read it so too. */
  lockProjectForReading(id: string): Promise<{ archivedAt: unknown } | undefined>;
  /** Whether there is such a row within the tenant. */
  has(model: string, id: string): Promise<boolean>;
  /** One change after another of what is of a user, beside those that only refer to the user. */
  lockTimerOf(userId: string): Promise<void>;
  /** The user stays until this change is committed. */
  lockUserForReading(id: string): Promise<void>;
  /** Ids of tasks whose column has this value, as they stay until this change is committed; at most so many. */
  lockTasksOf(column: TaskReference, value: string, most: number): Promise<string[]>;
  /** The states of a project in their order; they stay while the project is locked, for reading too. */
  statesOf(projectId: string): Promise<StateRow[]>;
  /** The same of the tasks that a label is on. */
  lockTasksWith(labelId: string, most: number): Promise<string[]>;
  /** The ids of labels by their keys, with those that were not there made, and then told of. */
  labels(names: readonly LabelName[], color: string): Promise<{ ids: Map<string, string>; made: LabelName[] }>;
  countLabels(): Promise<number>;
  /** The project of a task; undefined: there is no such task. */
  projectOf(taskId: string): Promise<string | null | undefined>;
  /** Where a task stands among sub-tasks; undefined: there is none. Stays so while the workspace is locked. */
  placeOf(taskId: string): Promise<TaskPlace | undefined>;
  /** Those of these tasks that are within reach, in the order of their ids, as they stay until this change is committed. */
  lockedTasks(ids: readonly string[]): Promise<TaskRow[]>;
  /** The projects of these tasks with their states, which stay until this change is committed. */
  projectsOf(ids: readonly string[]): Promise<Map<string, StateRow[]>>;
  /** What belongs to tasks that are locked: comments, times and ties. */
  lockRowsOf(taskIds: readonly string[]): Promise<void>;
  /** Tasks in the order of their ids, as all changes lock them. */
  lockTasks(ids: readonly string[]): Promise<void>;
  /** Tasks that a user is assigned to, or made, in the order of their ids, as all changes lock them. */
  lockTasksOfUser(userId: string): Promise<void>;
  /** Takes a user who is about to go away from all that they made, in one statement, as new versions. @returns how many */
  forgetCreator(model: Made, userId: string): Promise<number>;
  /** Whether a task leads to another by relationships of one kind. */
  leadsTo(from: string, to: string, type: string): Promise<boolean>;
  /** The keys that work and that a key or its predecessors made, and those that they made, in either environment. */
  descendantKeys(key: { readonly id: string; readonly lineageId: string | null }, most: number): Promise<string[]>;
}

/** Rows that one statement adds. */
const PORTION = 1000;
/** What ends a search for sub-tasks, whatever the rows say. */
const MOST_LEVELS = 20;
const MOST_SUB_TASKS = 20_000;

/**
 * That a column is one of a list, which is one parameter, JSON, and that the row is of the workspace. Rows are looked up by
 * the column, however many others the workspace has: no index may begin with what is said of that here.
 */
const listed = (provider: Provider, column: string, list: string, workspaceId: string): string =>
  `"${column}" ${oneOf(provider, `SELECT ${elements(provider, list)}`)} AND "workspaceId" || '' = ${workspaceId}`;
const elements = (provider: Provider, list: string): string =>
  provider === 'sqlite' ? `"value" FROM json_each(${list})` : `json_array_elements_text(CAST(${list}::text AS json))`;
/** PostgreSQL looks each element of an array up, where it would compare all rows with what is selected. */
const oneOf = (provider: Provider, selected: string): string =>
  provider === 'sqlite' ? `IN (${selected})` : `= ANY (ARRAY(${selected}))`;

/** SQLite has one writer at a time, from the beginning of the transaction on, and needs no locks. */
export function unitStatements(
  raw: RawStatements,
  actor: Tenant & Pick<Actor, 'userId' | 'keyId' | 'bound'>,
  now: Date,
  provider: Provider,
): UnitStatements {
  const { workspaceId, environment, bound } = actor;
  const isPostgresql = provider === 'postgresql';
  const select = <Row>(sql: string, ...values: unknown[]) => raw.query<Row>(sql, values);
  const lock = (model: Lockable, id: string, strength: string) =>
    select(
      `SELECT 1 FROM "${model}" WHERE "id" = $1 AND "workspaceId" = $2 AND "environment"::text = $3 ${strength}`,
      id,
      workspaceId,
      environment,
    );
  const projectOf = async (taskId: string): Promise<string | null | undefined> => {
    const [task] = await select<{ projectId: string | null }>(
      `SELECT "projectId" FROM "Task" WHERE "id" = $1 AND "workspaceId" = $2 AND "environment"::text = $3`,
      ...[taskId, workspaceId, environment],
    );
    return task?.projectId;
  };
  return {
    async insertRows(model, rows) {
      for (let at = 0; at < rows.length; at += PORTION) {
        const { sql, value } = insertionOf(provider, model, rows.slice(at, at + PORTION));
        await raw.execute(sql, [value]);
      }
    },
    async setColumns(model, ids, columns) {
      const values = new RawValues(provider);
      const set = Object.entries(columns).map(([column, value]) => `"${column}" = ${values.add(model, column, value)}`);
      const list = values.add(model, 'id', JSON.stringify(ids));
      const rows = listed(provider, 'id', list, values.add(model, 'workspaceId', workspaceId));
      const where = `${rows} AND "environment" = ${values.add(model, 'environment', environment)}`;
      await raw.execute(`UPDATE "${model}" SET ${set.join(', ')} WHERE ${where}`, values.all);
    },
    async lockWorkspace(): Promise<WorkspaceRow> {
      const [row] = await select<WorkspaceRow>(
        `SELECT "id", "plan", "ratePerMinute", "ratePerHour" FROM "Workspace" WHERE "id" = $1${isPostgresql ? ' FOR UPDATE' : ''}`,
        workspaceId,
      );
      if (!row) throw new Error(`no workspace ${workspaceId}`);
      return row;
    },
    async lockWorkspaceForReading(): Promise<void> {
      if (isPostgresql) await select(`SELECT 1 FROM "Workspace" WHERE "id" = $1 FOR SHARE`, workspaceId);
    },
    async lock(model: Lockable, id: string): Promise<void> {
      if (isPostgresql) await lock(model, id, 'FOR UPDATE');
    },
    async lockProjectForReading(id: string): Promise<{ archivedAt: unknown } | undefined> {
      if (bound && !bound.projects.includes(id)) return undefined;
      const [row] = await select<{ archivedAt: unknown }>(
        `SELECT "archivedAt" FROM "Project"
         WHERE "id" = $1 AND "workspaceId" = $2 AND "environment"::text = $3${isPostgresql ? ' FOR SHARE' : ''}`,
        id,
        workspaceId,
        environment,
      );
      return row;
    },
    async has(model: string, id: string): Promise<boolean> {
      if (bound && model === 'Project' && !bound.projects.includes(id)) return false;
      const rows = await select(
        `SELECT 1 FROM "${model}" WHERE "id" = $1 AND "workspaceId" = $2 AND "environment"::text = $3`,
        id,
        workspaceId,
        environment,
      );
      return rows.length > 0;
    },
    async lockTimerOf(userId: string): Promise<void> {
      if (isPostgresql) await lock('User', userId, 'FOR NO KEY UPDATE');
    },
    async lockUserForReading(id: string): Promise<void> {
      if (isPostgresql) await lock('User', id, 'FOR KEY SHARE');
    },
    async statesOf(projectId: string): Promise<StateRow[]> {
      const rows = await select<StateRow>(
        `SELECT "id", "slug", "category" FROM "State"
         WHERE "projectId" = $1 AND "workspaceId" = $2 AND "environment"::text = $3 ORDER BY "order", "id"`,
        ...[projectId, workspaceId, environment],
      );
      return rows.map(({ id, slug, category }) => ({ id, slug, category: Number(category) }));
    },
    async lockTasksOf(column: TaskReference, value: string, most: number): Promise<string[]> {
      const rows = await select<{ id: string }>(
        `SELECT "id" FROM "Task" WHERE "${column}" = $1 AND "workspaceId" = $2 AND "environment"::text = $3
         ORDER BY "id" LIMIT ${most}${isPostgresql ? ' FOR UPDATE' : ''}`,
        value,
        workspaceId,
        environment,
      );
      return rows.map(({ id }) => id);
    },
    async lockTasksWith(labelId: string, most: number): Promise<string[]> {
      const rows = await select<{ id: string }>(
        `SELECT "id" FROM "Task" WHERE "id" IN (SELECT "taskId" FROM "TaskTag" WHERE "labelId" = $1)
         AND "workspaceId" = $2 AND "environment"::text = $3
         ORDER BY "id" LIMIT ${most}${isPostgresql ? ' FOR UPDATE' : ''}`,
        labelId,
        workspaceId,
        environment,
      );
      return rows.map(({ id }) => id);
    },
    async labels(names: readonly LabelName[], color: string) {
      // In one order, so that two who make the same labels do not wait for each other.
      const wanted = [...names].sort((one, other) => (one.key < other.key ? -1 : 1));
      const ids = new Map<string, string>();
      const find = async (keys: readonly string[]) => {
        if (keys.length === 0) return;
        const list = keys.map((_, index) => `$${index + 3}`).join(', ');
        // Nobody renames or deletes them until this change is committed.
        const rows = await select<{ id: string; key: string }>(
          `SELECT "id", "key" FROM "Label" WHERE "workspaceId" = $1 AND "environment"::text = $2 AND "key" IN (${list})
           ORDER BY "key"${isPostgresql ? ' FOR KEY SHARE' : ''}`,
          ...[workspaceId, environment, ...keys],
        );
        for (const { id, key } of rows) ids.set(key, id);
      };
      await find(wanted.map(({ key }) => key));
      const missing = wanted.filter(({ key }) => !ids.has(key));
      const made: LabelName[] = [];
      for (const { name, key } of missing) {
        const id = newId();
        const row = {
          ...{ id, workspaceId, environment, name, key, color },
          ...{ createdById: actor.userId, createdByKeyId: actor.keyId, createdAt: now, updatedAt: now },
        };
        const values = new RawValues(provider);
        const marks = Object.entries(row).map(([column, value]) => values.add('Label', column, value));
        const columns = Object.keys(row).map((column) => `"${column}"`);
        const count = await raw.execute(
          `INSERT INTO "Label" (${columns.join(', ')}) VALUES (${marks.join(', ')})
           ON CONFLICT ("workspaceId", "environment", "key") DO NOTHING`,
          values.all,
        );
        if (count === 0) continue;
        ids.set(key, id);
        made.push({ name, key });
      }
      // Somebody else was faster.
      await find(missing.map(({ key }) => key).filter((key) => !ids.has(key)));
      return { ids, made };
    },
    async countLabels(): Promise<number> {
      const [row] = await select<{ count: number | bigint }>(
        `SELECT COUNT(*) AS "count" FROM "Label" WHERE "workspaceId" = $1 AND "environment"::text = $2`,
        workspaceId,
        environment,
      );
      return Number(row?.count ?? 0);
    },
    projectOf,
    async placeOf(taskId: string): Promise<TaskPlace | undefined> {
      const within = `"workspaceId" = $2 AND "environment"::text = $3`;
      const tenant = [taskId, workspaceId, environment];
      const projectId = await projectOf(taskId);
      if (projectId === undefined || (bound && !bound.projects.includes(projectId ?? ''))) return undefined;
      const above = await select<{ id: string }>(
        `WITH RECURSIVE "above" ("id", "depth") AS (
           SELECT "parentId", 1 FROM "Task" WHERE "id" = $1 AND ${within}
           UNION ALL
           SELECT "Task"."parentId", "depth" + 1 FROM "above" JOIN "Task" ON "Task"."id" = "above"."id" WHERE "depth" < ${MOST_LEVELS}
         ) SELECT "id" FROM "above" WHERE "id" IS NOT NULL`,
        ...tenant,
      );
      const below = await select<{ id: string; depth: number | bigint }>(
        `WITH RECURSIVE "below" ("id", "depth") AS (
           SELECT "id", 1 FROM "Task" WHERE "parentId" = $1 AND ${within}
           UNION ALL
           SELECT "Task"."id", "depth" + 1 FROM "below" JOIN "Task" ON "Task"."parentId" = "below"."id" WHERE "depth" < ${MOST_LEVELS}
         ) SELECT "id", "depth" FROM "below" LIMIT ${MOST_SUB_TASKS}`,
        ...tenant,
      );
      return {
        projectId,
        above: above.map(({ id }) => id),
        below: below.map(({ id }) => id),
        depth: Math.max(0, ...below.map(({ depth }) => Number(depth))),
      };
    },
    async lockedTasks(ids: readonly string[]): Promise<TaskRow[]> {
      // As one text: the client takes longer for a value of its own than the database for the row.
      const columns = TASK_COLUMNS.map((column) => `"${column}"`).join(', ');
      const asText = isPostgresql
        ? `COALESCE(json_agg(json_build_array(${columns})), '[]')::text`
        : `json_group_array(json_array(${columns}))`;
      const [found] = await select<{ rows: string }>(
        `SELECT ${asText} AS "rows" FROM (SELECT * FROM "Task" WHERE ${listed(provider, 'id', '$1', '$2')}
         AND "environment"::text = $3 ORDER BY "id"${isPostgresql ? ' FOR UPDATE' : ''}) AS "Task"`,
        ...[JSON.stringify(ids), workspaceId, environment],
      );
      const rows = JSON.parse(found?.rows ?? '[]') as unknown[][];
      const tasks = rows.map((row) => rowOf('Task', TASK_COLUMNS, row) as unknown as TaskRow);
      if (!bound) return tasks;
      const within = tasks.filter(({ projectId }) => bound.projects.includes(projectId ?? ''));
      noteProjects(within.map(({ projectId }) => projectId));
      return within;
    },
    async projectsOf(ids: readonly string[]): Promise<Map<string, StateRow[]>> {
      const ofTasks = `SELECT DISTINCT "projectId" FROM "Task" WHERE ${listed(provider, 'id', '$1', '$2')}`;
      const projects = await select<{ id: string }>(
        `SELECT "id" FROM "Project" WHERE "id" ${oneOf(provider, ofTasks)} AND "workspaceId" || '' = $3
         AND "environment"::text = $4 ORDER BY "id"${isPostgresql ? ' FOR SHARE' : ''}`,
        ...[JSON.stringify(ids), workspaceId, workspaceId, environment],
      );
      const found = new Map(projects.map(({ id }): [string, StateRow[]] => [id, []]));
      const states = await select<StateRow & { projectId: string }>(
        `SELECT "id", "slug", "category", "projectId" FROM "State"
         WHERE ${listed(provider, 'projectId', '$1', '$2')} AND "environment"::text = $3 ORDER BY "order", "id"`,
        ...[JSON.stringify([...found.keys()]), workspaceId, environment],
      );
      for (const { projectId, id, slug, category } of states) {
        found.get(projectId)?.push({ id, slug, category: Number(category) });
      }
      return found;
    },
    async lockRowsOf(taskIds: readonly string[]): Promise<void> {
      if (!isPostgresql) return;
      for (const [model, column] of OF_TASKS) {
        await select(
          `SELECT 1 FROM "${model}" WHERE ${listed(provider, column, '$1', '$2')} AND "environment"::text = $3
           ORDER BY "id" FOR UPDATE`,
          ...[JSON.stringify(taskIds), workspaceId, environment],
        );
      }
    },
    async lockTasks(ids: readonly string[]): Promise<void> {
      if (!isPostgresql) return;
      await select(
        `SELECT 1 FROM "Task" WHERE ${listed(provider, 'id', '$1', '$2')} AND "environment"::text = $3
         ORDER BY "id" FOR UPDATE`,
        ...[JSON.stringify(ids), workspaceId, environment],
      );
    },
    async lockTasksOfUser(userId: string): Promise<void> {
      if (!isPostgresql) return;
      await select(
        `SELECT 1 FROM "Task" WHERE ("assigneeId" = $1 OR "createdById" = $2) AND "workspaceId" = $3 AND "environment"::text = $4
         ORDER BY "id" FOR UPDATE`,
        userId,
        userId,
        workspaceId,
        environment,
      );
    },
    async forgetCreator(model: Made, userId: string): Promise<number> {
      const next = isPostgresql
        ? `GREATEST($1::timestamp, "updatedAt" + interval '1 millisecond')`
        : 'MAX($1, "updatedAt" + 1)';
      const sql = `UPDATE "${model}" SET "createdById" = NULL, "updatedAt" = ${next}
        WHERE "createdById" = $2 AND "workspaceId" = $3 AND "environment"::text = $4`;
      const at = isPostgresql ? now.toISOString().slice(0, -1) : now.getTime();
      return raw.execute(sql, [at, userId, workspaceId, environment]);
    },
    async leadsTo(from: string, to: string, type: string): Promise<boolean> {
      const rows = await select(
        `WITH RECURSIVE "reached" ("id") AS (
           SELECT $1::text
           UNION
           SELECT "next"."targetTaskId" FROM "reached" JOIN "TaskRelationship" AS "next" ON "next"."taskId" = "reached"."id"
           WHERE "next"."workspaceId" = $2 AND "next"."environment"::text = $3 AND "next"."type"::text = $4
         ) SELECT 1 FROM "reached" WHERE "id" = $5 LIMIT 1`,
        from,
        workspaceId,
        environment,
        type,
        to,
      );
      return rows.length > 0;
    },
    async descendantKeys({ id, lineageId }: { id: string; lineageId: string | null }, most: number): Promise<string[]> {
      // Ids count up with time, so that no successor's keys are among them, but for those that it made itself.
      const lineage = lineageId ?? id;
      const rows = await select<{ id: string }>(
        `WITH RECURSIVE "made" ("id") AS (
           SELECT "id" FROM "ApiKey" WHERE "workspaceId" = $1 AND "id" <= $2 AND ("id" = $3 OR "lineageId" = $4)
           UNION
           SELECT "key"."id" FROM "made" JOIN "ApiKey" AS "key" ON "key"."createdByKeyId" = "made"."id"
           WHERE "key"."workspaceId" = $5
         )
         SELECT "key"."id" FROM "made" JOIN "ApiKey" AS "key" ON "key"."id" = "made"."id"
         WHERE "key"."revokedAt" IS NULL
           AND NOT ("key"."id" <= $6 AND ("key"."id" = $7 OR COALESCE("key"."lineageId", '') = $8)) LIMIT ${most}`,
        ...[workspaceId, id, lineage, lineage, workspaceId],
        ...[id, lineage, lineage],
      );
      return rows.map((row) => row.id);
    },
  };
}
