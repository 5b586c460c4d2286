/** Kaneo's tasks, and a project's board of them. */
import { z } from 'zod';
import { groupBy } from '../../../collections.js';
import { badInput } from '../../../errors.js';
import { text } from '../../../input.js';
import { type CorePage, PAGE, pageQuery } from '../../pages.js';
import { resource } from '../../resource.js';
import { route } from '../../route.js';
import { atLeastOne, type Change, date, dateOrNull, id, title, toDateTime } from '../../shapes.js';
import { changed, KANEO_PRIORITY as PRIORITY, KANEO_STATUS as STATUS } from '../words.js';
import {
  ALL,
  COLUMN_NAMES,
  type CoreProject,
  type CoreTask,
  KTask,
  ownWorkspace,
  PROJECT,
  projectShape,
  showProject,
  showTask,
  TASK,
} from './shapes.js';
import {
  type CoreState,
  changedState,
  isColumn,
  shownStatus,
  stateInput,
  statusFilter,
  statusWord,
  wordOf,
} from './statuses.js';

const ORDER_FIELDS = {
  createdAt: 'CREATED_AT',
  priority: 'PRIORITY',
  dueDate: 'DUE_DATE',
  position: 'POSITION',
  title: 'TITLE',
  number: 'NUMBER',
} as const;
type OrderField = keyof typeof ORDER_FIELDS;

const Board = z
  .object({
    ...projectShape,
    columns: z.array(z.object({ id: shownStatus, name: z.string(), tasks: z.array(KTask) })),
  })
  .meta({ id: 'KaneoBoard' });

interface CoreBoard extends CoreProject {
  readonly tasks: CorePage<CoreTask>;
  readonly states: { readonly nodes: readonly (CoreState & { readonly name: string })[] };
}

/** Tasks that are in no column have one of their own. */
function columnsOf(states: CoreBoard['states']['nodes'], tasks: readonly ReturnType<typeof showTask>[]) {
  const names = new Map<string, string>();
  // Those that are no columns in Kaneo are there all the same.
  const words = states.length > 0 ? states.map(wordOf) : STATUS.words;
  for (const word of ['planned', ...words, 'archived', ...tasks.map(({ status }) => status)]) {
    if (names.has(word)) continue;
    names.set(
      word,
      states.find((state) => isColumn(state) && wordOf(state) === word)?.name ?? COLUMN_NAMES.get(word) ?? word,
    );
  }
  const byStatus = groupBy(tasks, ({ status }) => status);
  return [...names].map(([id, name]) => ({ id, name, tasks: byStatus.get(id) ?? [] }));
}

const userId = id.nullish();
/** The core's own limit: its documented clients know none. */
const longText = text(0, 10_000);
const description = longText.nullish();
const status = statusWord;
const priority = z.enum(PRIORITY.words);
const change = {
  title,
  description,
  status,
  priority,
  startDate: date.nullish(),
  dueDate: date.nullish(),
  userId,
  projectId: id.nullish(),
  position: z.number(),
};

/** The core's words for a change; an empty userId takes the assignee away. */
function taskInput(body: Change<typeof change>) {
  const { status, priority, userId, startDate, dueDate, ...rest } = body;
  return {
    ...rest,
    startDate: dateOrNull(startDate),
    dueDate: dateOrNull(dueDate),
    assigneeId: userId === '' ? null : userId,
    ...stateInput(status),
    ...(priority && { priority: PRIORITY.value(priority) }),
  };
}
const fields = { assigneeId: 'userId', stateSlug: 'status' };

const task = resource({
  ...{ dialect: 'Kaneo', type: 'Task', tag: 'Kaneo tasks', path: '/api/task/{id}' },
  ...{ selection: TASK, show: showTask, answers: KTask, fields },
  hasIdentifier: true,
});

interface Moved {
  readonly updateTask: { readonly task: CoreTask; readonly previousProjectId: string | null };
}

/** What Kaneo requires of a whole task. */
const WHOLE = ['title', 'description', 'status', 'priority', 'projectId', 'position'] as const;

/** Of a whole task, what is left out is taken away; its clients clear a date so. Of a part it stays. */
function whole(body: Change<typeof change>): Change<typeof change> {
  const isWhole = WHOLE.every((name) => body[name] !== undefined);
  return isWhole ? { startDate: null, dueDate: null, userId: null, ...body } : body;
}

/** One field of a task, under a path of its own. */
function changeRoute<Body extends Change<typeof change>>(path: string, summary: string, body: z.ZodType<Body>) {
  return task.change({
    method: 'put',
    path,
    of: '/api/task/{id}',
    summary,
    body,
    variables: ({ params, body }) => ({
      input: {
        ...taskInput(whole(body)),
        ...params,
        ...changedState(body.status),
        ...changed('priority', PRIORITY, body.priority),
      },
    }),
  });
}

export const tasks = [
  route({
    method: 'get',
    path: '/api/task',
    summary: 'List the tasks of the workspace, newest first',
    tag: 'Kaneo tasks',
    query: z.object({ workspaceId: z.string().optional(), ...pageQuery(ALL) }),
    operation: `query ListKaneoTasks($first: Int, $after: String, $offset: Int) {
      tasks(first: $first, after: $after, offset: $offset) { nodes { ${TASK} } ${PAGE} }
    }`,
    variables: (request) => {
      ownWorkspace(request.query.workspaceId, request);
      return {};
    },
    status: 200,
    answer: ({ tasks: { nodes } }: { tasks: CorePage<CoreTask> }) => nodes.map(showTask),
    answers: z.array(KTask),
    list: { page: ({ tasks }) => tasks },
    fields: { after: 'cursor' },
  }),
  route({
    method: 'get',
    path: '/api/task/tasks/{projectId}',
    summary: 'A project with its tasks by column',
    tag: 'Kaneo tasks',
    query: z.object({
      status: status.optional(),
      priority: priority.optional(),
      assigneeId: z.string().optional(),
      ...pageQuery(ALL),
      sortBy: z.enum(Object.keys(ORDER_FIELDS) as [OrderField, ...OrderField[]]).default('position'),
      sortOrder: z.enum(['asc', 'desc']).default('asc'),
      dueBefore: date.optional(),
      dueAfter: date.optional(),
    }),
    operation: `query GetBoard(
      $projectId: ID!, $first: Int, $after: String, $offset: Int, $filter: TaskFilter, $orderBy: [TaskOrder!]
    ) {
      project(id: $projectId) {
        ${PROJECT}
        states(first: 50) { nodes { slug name } }
        tasks(first: $first, after: $after, offset: $offset, filter: $filter, orderBy: $orderBy) {
          nodes { ${TASK} } ${PAGE}
        }
      }
    }`,
    variables: ({ params, query }) => {
      const { status, priority, assigneeId, sortBy, sortOrder, dueBefore, dueAfter } = query;
      return {
        ...params,
        orderBy: [{ field: ORDER_FIELDS[sortBy], direction: sortOrder.toUpperCase() }],
        filter: {
          ...(status && statusFilter(status)),
          ...(priority && { priority: { in: PRIORITY.values(priority) } }),
          ...(assigneeId && { assigneeId: { eq: assigneeId } }),
          ...((dueBefore || dueAfter) && {
            dueDate: {
              ...(dueBefore && { lte: toDateTime(dueBefore) }),
              ...(dueAfter && { gte: toDateTime(dueAfter) }),
            },
          }),
        },
      };
    },
    status: 200,
    answer: ({ project: { tasks, states, ...project } }: { project: CoreBoard }, request) => {
      const { status } = request.query;
      const columns = columnsOf(states.nodes, tasks.nodes.map(showTask));
      if (status !== undefined && !columns.some(({ id }) => id === status)) {
        throw badInput({ status: [`must be one of ${columns.map(({ id }) => id).join(', ')}`] });
      }
      return { ...showProject(project, request), columns };
    },
    answers: Board,
    list: { page: ({ project }) => project.tasks },
    fields: { after: 'cursor' },
  }),
  task.create({
    // OpenAPI takes paths that differ in a name only for the same one.
    path: '/api/task/{id}',
    summary: 'Create a task in the project of this id',
    body: z
      .object({ ...change, status: status.optional(), priority: priority.optional(), position: z.number().optional() })
      .omit({ projectId: true })
      .meta({ id: 'NewKaneoTask' }),
    variables: ({ params, body }) => ({ input: { ...taskInput(body), projectId: params['id'] } }),
  }),
  task.get('Get a task, by its id or its identifier'),
  changeRoute(
    '/api/task/{id}',
    'Change what is given of a task; of a whole one, dates and the assignee that are left out are cleared',
    atLeastOne(change),
  ),
  changeRoute('/api/task/status/{id}', 'Move a task to another column', z.object({ status })),
  changeRoute('/api/task/priority/{id}', 'Change the priority of a task', z.object({ priority })),
  changeRoute(
    '/api/task/assignee/{id}',
    'Assign a task, or take the assignee away',
    z.object({ userId: id.nullable() }),
  ),
  task.change({
    method: 'put',
    path: '/api/task/due-date/{id}',
    of: '/api/task/{id}',
    summary: 'Change the due date of a task; without one, clear it',
    bodyOptional: true,
    body: z.object({ dueDate: date.nullish() }),
    variables: ({ params, body }) => ({ input: { ...params, dueDate: dateOrNull(body.dueDate ?? null) } }),
  }),
  route({
    method: 'put',
    path: '/api/task/move/{id}',
    tag: 'Kaneo tasks',
    status: 200,
    of: '/api/task/{id}',
    summary: 'Move a task to another project, and to a column there',
    body: z.object({ destinationProjectId: id, destinationStatus: status.optional() }).meta({ id: 'KaneoMove' }),
    operation: `mutation MoveKaneoTask($input: UpdateTaskInput!) {
      updateTask(input: $input) { previousProjectId task { ${TASK} } }
    }`,
    variables: ({ params, body }) => ({
      input: {
        ...params,
        projectId: body.destinationProjectId,
        ...changedState(body.destinationStatus),
      },
    }),
    answer: ({ updateTask: { task, previousProjectId } }: Moved, { body }) => ({
      task: showTask(task),
      sourceProjectId: previousProjectId ?? '',
      destinationProjectId: body.destinationProjectId,
    }),
    answers: z
      .object({ task: KTask, sourceProjectId: z.string(), destinationProjectId: z.string() })
      .meta({ id: 'KaneoMoved' }),
    fields: { projectId: 'destinationProjectId', stateSlug: 'destinationStatus' },
  }),
  changeRoute('/api/task/title/{id}', 'Change the title of a task', z.object({ title })),
  changeRoute(
    '/api/task/description/{id}',
    'Change the description of a task',
    z.object({ description: longText.nullable() }),
  ),
  task.removeShown('Delete a task; answers it as it was'),
];
