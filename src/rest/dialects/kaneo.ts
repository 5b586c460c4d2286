/** Kaneo: camelCase under /api, with paths of its own. */

import { z } from 'zod';
import { notFound } from '../../errors.js';
import { text } from '../../input.js';
import { type CorePage, PAGE, pageQuery } from '../pages.js';
import { resource } from '../resource.js';
import { type Route, type RouteRequest, route } from '../route.js';
import {
  atLeastOne,
  boolean,
  type Change,
  date,
  dateOrNull,
  id,
  type Moment,
  shownDate,
  shownId,
  title,
  toDateTime,
} from '../shapes.js';
import { changed, KANEO_PRIORITY as PRIORITY, KANEO_STATUS as STATUS } from './words.js';

const COLUMN_NAMES = {
  planned: 'Planned',
  'to-do': 'To Do',
  'in-progress': 'In Progress',
  'in-review': 'In Review',
  done: 'Done',
  archived: 'Archived',
} as const;
const ORDER_FIELDS = {
  createdAt: 'CREATED_AT',
  priority: 'PRIORITY',
  dueDate: 'DUE_DATE',
  position: 'POSITION',
  title: 'TITLE',
  number: 'NUMBER',
} as const;
type OrderField = keyof typeof ORDER_FIELDS;

const KTask = z
  .object({
    id: shownId,
    projectId: shownId.nullable(),
    position: z.number(),
    number: z.int(),
    userId: shownId.nullable(),
    title: z.string(),
    description: z.string().nullable(),
    status: z.enum(STATUS.words),
    priority: z.enum(PRIORITY.words),
    startDate: shownDate.nullable(),
    dueDate: shownDate.nullable(),
    createdAt: shownDate,
  })
  .meta({ id: 'KaneoTask' });
const projectShape = {
  id: shownId,
  workspaceId: shownId,
  slug: z.string(),
  icon: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  createdAt: shownDate,
  isPublic: z.boolean(),
  archivedAt: shownDate.nullable(),
};
const KProject = z.object(projectShape).meta({ id: 'KaneoProject' });
const Board = z
  .object({
    ...projectShape,
    columns: z.array(z.object({ id: z.enum(STATUS.words), name: z.string(), tasks: z.array(KTask) })),
  })
  .meta({ id: 'KaneoBoard' });

interface CoreTask {
  readonly id: string;
  readonly projectId: string | null;
  readonly position: number;
  readonly number: number;
  readonly assigneeId: string | null;
  readonly title: string;
  readonly description: string | null;
  readonly status: string;
  readonly priority: string;
  readonly startDate: Moment | null;
  readonly dueDate: Moment | null;
  readonly createdAt: Moment;
  readonly updatedAt: Moment;
}
interface CoreProject {
  readonly id: string;
  readonly slug: string | null;
  readonly icon: string | null;
  readonly name: string;
  readonly description: string | null;
  readonly createdAt: Moment;
  readonly updatedAt: Moment;
  readonly archivedAt: Moment | null;
}

/** A list is whole up to so many rows; a client that knows no pages gets all that there usually are. */
const ALL = 10_000;

const TASK =
  'id projectId position number assigneeId title description status priority startDate dueDate createdAt updatedAt';
const PROJECT = 'id slug icon name description createdAt updatedAt archivedAt';

// Field by field: a list may have 10,000, and copying what is left of an object takes 20 times as long.
const showTask = (task: CoreTask) => ({
  id: task.id,
  projectId: task.projectId,
  position: task.position,
  number: task.number,
  userId: task.assigneeId,
  title: task.title,
  description: task.description,
  status: STATUS.show(task.status),
  priority: PRIORITY.show(task.priority),
  startDate: task.startDate,
  dueDate: task.dueDate,
  createdAt: task.createdAt,
});
const showProject = (
  { slug, icon, updatedAt: _, ...project }: CoreProject,
  { workspaceId }: { workspaceId: string },
) => ({
  ...project,
  workspaceId,
  slug: slug ?? '',
  icon: icon ?? '',
  isPublic: false,
});

/**
 * The key says which workspace is meant, so the parameter is not needed; a client goes on sending the one of its old
 * server. One that could be of this server, and is not the key's, is not found.
 */
function ownWorkspace(given: string | undefined, { workspaceId }: RouteRequest): void {
  if (given !== undefined && given !== workspaceId && z.uuid().safeParse(given).success) {
    throw notFound('workspace', given);
  }
}

const userId = id.nullish();
const description = text(0, 500).nullish();
const status = z.enum(STATUS.words);
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
    ...(status && { status: STATUS.value(status) }),
    ...(priority && { priority: PRIORITY.value(priority) }),
  };
}
const fields = { assigneeId: 'userId' };

const task = resource({
  ...{ dialect: 'Kaneo', type: 'Task', tag: 'Kaneo tasks', path: '/api/task/{id}' },
  ...{ selection: TASK, show: showTask, answers: KTask, fields },
});

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
        ...taskInput(body),
        ...params,
        ...changed('status', STATUS, body.status),
        ...changed('priority', PRIORITY, body.priority),
      },
    }),
  });
}

const tasks = [
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
          ...(status && { status: { in: STATUS.values(status) } }),
          ...(priority && { priority: { in: PRIORITY.values(priority) } }),
          ...(assigneeId && { assigneeId: { eq: assigneeId } }),
          ...((dueBefore || dueAfter) && {
            dueDate: {
              ...(dueBefore && { lt: toDateTime(dueBefore) }),
              ...(dueAfter && { gt: toDateTime(dueAfter) }),
            },
          }),
        },
      };
    },
    status: 200,
    answer: ({ project: { tasks, ...project } }: { project: CoreProject & { tasks: CorePage<CoreTask> } }, request) => {
      const shown = tasks.nodes.map(showTask);
      const columns = STATUS.words.map((word) => ({
        id: word,
        name: COLUMN_NAMES[word],
        tasks: shown.filter((task) => task.status === word),
      }));
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
  task.get('Get a task'),
  changeRoute('/api/task/{id}', 'Change what is given of a task', atLeastOne(change)),
  changeRoute('/api/task/status/{id}', 'Move a task to another column', z.object({ status })),
  changeRoute('/api/task/priority/{id}', 'Change the priority of a task', z.object({ priority })),
  changeRoute(
    '/api/task/assignee/{id}',
    'Assign a task, or take the assignee away',
    z.object({ userId: id.nullable() }),
  ),
  changeRoute(
    '/api/task/due-date/{id}',
    'Change or clear the due date of a task',
    z.object({ dueDate: date.nullable() }),
  ),
  changeRoute('/api/task/title/{id}', 'Change the title of a task', z.object({ title })),
  changeRoute(
    '/api/task/description/{id}',
    'Change the description of a task',
    z.object({ description: text(0, 500).nullable() }),
  ),
  task.removeShown('Delete a task; answers it as it was'),
];

const shortName = text(0, 100).nullish();
const projectBody = { name: title, description, icon: shortName, slug: shortName };

/** Kaneo has no way to say "none" but the empty text. */
function projectInput({ name, description, icon, slug }: Change<typeof projectBody>) {
  return { name, description, icon: icon === '' ? null : icon, slug: slug === '' ? null : slug };
}

const project = resource({
  ...{ dialect: 'Kaneo', type: 'Project', tag: 'Kaneo projects', path: '/api/project/{id}' },
  ...{ selection: PROJECT, show: showProject, answers: KProject },
});
const projects = [
  route({
    method: 'get',
    path: '/api/project',
    summary: 'List the projects of the workspace, newest first',
    tag: 'Kaneo projects',
    query: z.object({
      workspaceId: z.string().optional(),
      includeArchived: boolean.optional(),
      ...pageQuery(ALL),
    }),
    operation: `query ListKaneoProjects($first: Int, $after: String, $offset: Int, $includeArchived: Boolean) {
      projects(first: $first, after: $after, offset: $offset, includeArchived: $includeArchived) {
        nodes { ${PROJECT} } ${PAGE}
      }
    }`,
    variables: (request) => {
      ownWorkspace(request.query.workspaceId, request);
      return { includeArchived: request.query.includeArchived === true };
    },
    status: 200,
    answer: ({ projects: { nodes } }: { projects: CorePage<CoreProject> }, request) =>
      nodes.map((project) => showProject(project, request)),
    answers: z.array(KProject),
    list: { page: ({ projects }) => projects },
    fields: { after: 'cursor' },
  }),
  project.create({
    path: '/api/project',
    summary: 'Create a project',
    body: z.object({ ...projectBody, workspaceId: z.string().optional() }).meta({ id: 'NewKaneoProject' }),
    variables: (request) => {
      ownWorkspace(request.body.workspaceId, request);
      return { input: projectInput(request.body) };
    },
  }),
  project.get('Get a project'),
  project.change({
    method: 'put',
    summary: 'Change what is given of a project',
    body: atLeastOne(projectBody),
    variables: ({ params, body }) => ({ input: { ...projectInput(body), ...params } }),
  }),
  ...(['archive', 'unarchive'] as const).map((verb) =>
    route({
      method: 'put',
      path: `/api/project/{id}/${verb}`,
      of: '/api/project/{id}',
      summary: verb === 'archive' ? 'Archive a project; its tasks stay as they are' : 'Bring a project back',
      tag: 'Kaneo projects',
      operation: `mutation ArchiveKaneoProject($id: ID!, $expectedUpdatedAt: DateTime) {
        archiveProject(
          input: { id: $id, archived: ${verb === 'archive'}, expectedUpdatedAt: $expectedUpdatedAt }
        ) { project { ${PROJECT} } }
      }`,
      status: 200,
      answer: ({ archiveProject: { project } }: { archiveProject: { project: CoreProject } }, request) =>
        showProject(project, request),
      answers: KProject,
    }),
  ),
  project.removeShown('Delete a project; its tasks stay. Answers it as it was'),
];

const KComment = z
  .object({
    ...{ id: shownId, taskId: shownId, userId: z.string(), content: z.string() },
    ...{ createdAt: shownDate, updatedAt: shownDate },
  })
  .meta({ id: 'KaneoComment' });

interface CoreComment {
  readonly id: string;
  readonly taskId: string;
  readonly body: string;
  readonly createdById: string | null;
  readonly createdByKeyId: string | null;
  readonly createdAt: Moment;
  readonly updatedAt: Moment;
}
const COMMENT = 'id taskId body createdById createdByKeyId createdAt updatedAt';

/** Whoever wrote it: a user, or where a key has none, the key. */
const showComment = ({ body, createdById, createdByKeyId, ...rest }: CoreComment) => ({
  ...rest,
  userId: createdById ?? createdByKeyId ?? '',
  content: body,
});
const content = text(1, 10_000);

const comment = resource({
  ...{ dialect: 'Kaneo', type: 'Comment', tag: 'Kaneo comments', path: '/api/comment/{id}' },
  ...{ selection: COMMENT, show: showComment, answers: KComment, fields: { body: 'content' } },
});
const comments = [
  route({
    method: 'get',
    // OpenAPI takes paths that differ in a name only for the same one.
    path: '/api/comment/{id}',
    summary: 'List the comments of the task of this id, oldest first',
    tag: 'Kaneo comments',
    query: z.object(pageQuery(ALL)),
    operation: `query ListKaneoComments($id: ID!, $first: Int, $after: String, $offset: Int) {
      task(id: $id) {
        comments(
          first: $first, after: $after, offset: $offset
          filter: { deletedAt: { eq: null } }, orderBy: [{ field: CREATED_AT }]
        ) { nodes { ${COMMENT} } ${PAGE} }
      }
    }`,
    status: 200,
    answer: ({ task }: { task: { comments: CorePage<CoreComment> } }) => task.comments.nodes.map(showComment),
    answers: z.array(KComment),
    list: { page: ({ task }) => task.comments },
    fields: { after: 'cursor' },
  }),
  comment.create({
    path: '/api/comment/{id}',
    summary: 'Comment on the task of this id',
    status: 200,
    body: z.object({ content }).meta({ id: 'NewKaneoComment' }),
    variables: ({ params, body }) => ({ input: { taskId: params['id'], body: body.content } }),
  }),
  comment.change({
    method: 'put',
    of: null,
    summary: "Change the text of a comment of one's own",
    body: z.object({ content }),
    variables: ({ params, body }) => ({ input: { ...params, body: body.content } }),
  }),
  comment.removeShown('Delete a comment; answers it without its text', { of: null }),
];

export const kaneo: readonly Route[] = [...tasks, ...projects, ...comments];
