/** The Task Management API: camelCase under /v1, lists in `data` with `pagination`. */

import { z } from 'zod';
import { text } from '../../input.js';
import { type CorePage, PAGE, type PageQuery, pageQuery, pagination } from '../pages.js';
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
  seconds,
  shownDate,
  shownId,
  title,
  toDateTime,
  words,
} from '../shapes.js';
import { changed, V1_PRIORITY as PRIORITY, V1_ROLE as ROLE, V1_STATUS as STATUS } from './words.js';

const VTask = z
  .object({
    id: shownId,
    title: z.string(),
    description: z.string().nullable(),
    status: z.enum(STATUS.words),
    priority: z.enum(PRIORITY.words),
    createdBy: shownId.nullable(),
    assigneeId: shownId.nullable(),
    projectId: shownId.nullable(),
    dueDate: shownDate.nullable(),
    tags: z.array(z.string()),
    createdAt: shownDate,
    updatedAt: shownDate,
  })
  .meta({ id: 'V1Task' });
const VUser = z
  .object({
    id: shownId,
    name: z.string(),
    email: z.string(),
    role: z.enum(ROLE.words),
    createdAt: shownDate,
    updatedAt: shownDate,
  })
  .meta({ id: 'V1User' });
const VProject = z
  .object({
    id: shownId,
    name: z.string(),
    description: z.string().nullable(),
    createdBy: shownId.nullable(),
    createdAt: shownDate,
    updatedAt: shownDate,
  })
  .meta({ id: 'V1Project' });
const Pagination = z
  .object({ total: z.int(), limit: z.int(), offset: z.int(), hasMore: z.boolean() })
  .meta({ id: 'V1Pagination' });
const listOf = <T extends z.ZodType>(row: T) => z.object({ data: z.array(row), pagination: Pagination });

interface CoreTask {
  readonly id: string;
  readonly title: string;
  readonly description: string | null;
  readonly status: string;
  readonly priority: string;
  readonly createdById: string | null;
  readonly assigneeId: string | null;
  readonly projectId: string | null;
  readonly dueDate: Moment | null;
  readonly tags: readonly string[];
  readonly createdAt: Moment;
  readonly updatedAt: Moment;
}
interface CoreUser {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: string;
  readonly createdAt: Moment;
  readonly updatedAt: Moment;
}
interface CoreProject {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly createdById: string | null;
  readonly createdAt: Moment;
  readonly updatedAt: Moment;
}
const TASK = 'id title description status priority createdById assigneeId projectId dueDate tags createdAt updatedAt';
const USER = 'id name email role createdAt updatedAt';
const PROJECT = 'id name description createdById createdAt updatedAt';

/** Moments without their fractions of seconds, as the documents show them. */
const stamps = ({ createdAt, updatedAt }: { createdAt: Moment; updatedAt: Moment }) => ({
  createdAt: seconds(createdAt),
  updatedAt: seconds(updatedAt),
});
const showTask = ({ createdById, status, priority, ...task }: CoreTask) => ({
  ...task,
  ...stamps(task),
  dueDate: seconds(task.dueDate),
  status: STATUS.show(status),
  priority: PRIORITY.show(priority),
  createdBy: createdById,
});
const showUser = ({ role, ...user }: CoreUser) => ({ ...user, ...stamps(user), role: ROLE.show(role) });
const showProject = ({ createdById, ...project }: CoreProject) => ({
  ...project,
  ...stamps(project),
  createdBy: createdById,
});

const page = pageQuery(100, 10);
const ARGUMENTS = 'first: $first, after: $after, offset: $offset';
const VARIABLES = '$first: Int, $after: String, $offset: Int';

/** Fields with commas between them; `-` descending, `+` or nothing ascending. */
function sort<const F extends Readonly<Record<string, string>>>(fields: F) {
  const known = Object.keys(fields);
  return z
    .string()
    .default('-createdAt')
    .transform((value) =>
      // A plus sign in a query string means a space.
      value
        .split(',')
        .map((part) => part.trim())
        .map((part) => ({ field: part.replace(/^[-+]/, ''), descending: part.startsWith('-') })),
    )
    .refine(
      (order) => order.every(({ field }) => known.includes(field)),
      `must name fields of ${known.join(', ')}, each with - before it for descending`,
    )
    .transform((order) =>
      order.map(({ field, descending }) => ({ field: fields[field], direction: descending ? 'DESC' : 'ASC' })),
    )
    .meta({ override: { type: 'string', default: '-createdAt', examples: [`-${known.at(-1)},${known[0]}`] } });
}

function list<Row, Name extends string>(name: Name, show: (row: Row) => unknown) {
  return {
    answer: (data: Record<Name, CorePage<Row>>, { query }: RouteRequest<PageQuery>) => ({
      data: data[name].nodes.map(show),
      pagination: pagination(data[name], query),
    }),
    list: { page: (data: Record<Name, CorePage<Row>>) => data[name], usual: 'offset' as const },
    fields: { after: 'cursor' },
  };
}

/** What documented clients read of a deletion: they parse JSON from every answer. */
const Deleted = z.object({ id: shownId, deleted: z.literal(true) }).meta({ id: 'V1Deleted' });
const deleted = {
  status: 200 as const,
  answer: (_data: unknown, { params }: RouteRequest) => ({ id: params['id'], deleted: true }),
  answers: Deleted,
};

const taskBody = {
  title,
  description: text(0, 10_000).nullish(),
  status: z.enum(STATUS.words).optional(),
  priority: z.enum(PRIORITY.words).optional(),
  assigneeId: id.nullish(),
  projectId: id.nullish(),
  dueDate: date.nullish(),
  tags: z.array(text(1, 50)).max(50, 'must have at most 50 entries').optional(),
};
function taskInput({ status, priority, dueDate, ...rest }: Change<typeof taskBody>) {
  const { title, description, assigneeId, projectId, tags } = rest;
  return {
    ...{ title, description, assigneeId, projectId, tags },
    dueDate: dateOrNull(dueDate),
    ...(status && { status: STATUS.value(status) }),
    ...(priority && { priority: PRIORITY.value(priority) }),
  };
}

const task = resource({
  ...{ dialect: 'V1', type: 'Task', tag: 'V1 tasks', path: '/v1/tasks/{id}' },
  ...{ selection: TASK, show: showTask, answers: VTask },
  hasIdentifier: true,
});
const tasks = [
  route({
    method: 'get',
    path: '/v1/tasks',
    summary: 'List tasks',
    tag: 'V1 tasks',
    query: z.object({
      ...page,
      sort: sort({
        createdAt: 'CREATED_AT',
        updatedAt: 'UPDATED_AT',
        dueDate: 'DUE_DATE',
        title: 'TITLE',
        status: 'STATUS',
        priority: 'PRIORITY',
      }),
      status: words(STATUS.words),
      priority: words(PRIORITY.words),
      assigneeId: z.string().optional(),
      createdBy: z.string().optional(),
      projectId: z.string().optional(),
      tags: z.string().optional().meta({ description: 'Tasks with any of these tags, with commas between them.' }),
      'dueDate[gt]': date.optional(),
      'dueDate[gte]': date.optional(),
      'dueDate[lt]': date.optional(),
      'dueDate[lte]': date.optional(),
      'dueDate[exists]': boolean.optional(),
      search: z.string().optional(),
    }),
    operation: `query ListV1Tasks(${VARIABLES}, $filter: TaskFilter, $search: String, $orderBy: [TaskOrder!]) {
      tasks(${ARGUMENTS}, filter: $filter, search: $search, orderBy: $orderBy) { nodes { ${TASK} } ${PAGE} }
    }`,
    variables: ({ query }) => {
      const { sort, status, priority, assigneeId, createdBy, projectId, tags, search } = query;
      const dueDate = Object.fromEntries(
        (['gt', 'gte', 'lt', 'lte'] as const).flatMap((comparator) => {
          const value = query[`dueDate[${comparator}]`];
          return value === undefined ? [] : [[comparator, toDateTime(value)]];
        }),
      );
      const exists = query['dueDate[exists]'];
      const filter = {
        ...(status && { status: { in: status.flatMap(STATUS.values) } }),
        ...(priority && { priority: { in: priority.flatMap(PRIORITY.values) } }),
        ...(assigneeId !== undefined && { assigneeId: { eq: assigneeId } }),
        ...(createdBy !== undefined && { createdById: { eq: createdBy } }),
        ...(projectId !== undefined && { projectId: { eq: projectId } }),
        // A tag may have a comma itself.
        ...(tags !== undefined && { tags: { in: [...new Set([tags, ...tags.split(',')].map((tag) => tag.trim()))] } }),
        ...(Object.keys(dueDate).length > 0 && { dueDate }),
        ...(exists !== undefined && { and: [{ dueDate: exists ? { neq: null } : { eq: null } }] }),
      };
      return { orderBy: sort, search, ...(Object.keys(filter).length > 0 && { filter }) };
    },
    status: 200,
    answers: listOf(VTask),
    ...list('tasks', showTask),
  }),
  task.create({
    path: '/v1/tasks',
    summary: 'Create a task',
    body: z.object(taskBody).meta({ id: 'NewV1Task' }),
    variables: ({ body }) => ({ input: taskInput(body) }),
    status: 201,
  }),
  task.get('Get a task, by its id or its identifier'),
  task.change({
    summary: 'Change what is given of a task',
    body: atLeastOne(taskBody),
    variables: ({ params, body }) => ({
      input: {
        ...taskInput(body),
        ...params,
        keepFractions: true,
        ...changed('status', STATUS, body.status),
        ...changed('priority', PRIORITY, body.priority),
      },
    }),
  }),
  task.remove('Delete a task', deleted),
];

const userBody = {
  name: text(1, 100),
  email: z.email('must be an email address').max(254, 'must have at most 254 characters'),
  role: z.enum(ROLE.words).optional(),
};

const user = resource({
  ...{ dialect: 'V1', type: 'User', tag: 'V1 users', path: '/v1/users/{id}' },
  ...{ selection: USER, show: showUser, answers: VUser },
});
const users = [
  route({
    method: 'get',
    path: '/v1/users',
    summary: 'List users',
    tag: 'V1 users',
    query: z.object({
      ...page,
      sort: sort({ createdAt: 'CREATED_AT', name: 'NAME', email: 'EMAIL' }),
      search: z.string().optional(),
    }),
    operation: `query ListV1Users(${VARIABLES}, $search: String, $orderBy: [UserOrder!]) {
      users(${ARGUMENTS}, search: $search, orderBy: $orderBy) { nodes { ${USER} } ${PAGE} }
    }`,
    variables: ({ query: { sort, search } }) => ({ orderBy: sort, search }),
    status: 200,
    answers: listOf(VUser),
    ...list('users', showUser),
  }),
  user.create({
    path: '/v1/users',
    summary: 'Add a user',
    body: z.object(userBody).meta({ id: 'NewV1User' }),
    variables: ({ body: { name, email, role } }) => ({
      input: { name, email, ...(role && { role: ROLE.value(role) }) },
    }),
    status: 201,
  }),
  user.get('Get a user'),
  user.change({
    summary: 'Change what is given of a user',
    body: atLeastOne(userBody),
    variables: ({ params, body: { name, email, role } }) => ({
      input: { ...params, name, email, ...changed('role', ROLE, role) },
    }),
  }),
  user.remove('Remove a user; their tasks stay, unassigned', deleted),
];

const projectBody = { name: title, description: text(0, 10_000).nullish() };

const project = resource({
  ...{ dialect: 'V1', type: 'Project', tag: 'V1 projects', path: '/v1/projects/{id}' },
  ...{ selection: PROJECT, show: showProject, answers: VProject },
});
const projects = [
  route({
    method: 'get',
    path: '/v1/projects',
    summary: 'List projects',
    tag: 'V1 projects',
    query: z.object({
      ...page,
      sort: sort({ createdAt: 'CREATED_AT', updatedAt: 'UPDATED_AT', name: 'NAME' }),
      search: z.string().optional(),
      includeArchived: boolean.optional(),
    }),
    operation: `query ListV1Projects(
      ${VARIABLES}, $search: String, $orderBy: [ProjectOrder!], $includeArchived: Boolean
    ) {
      projects(${ARGUMENTS}, search: $search, orderBy: $orderBy, includeArchived: $includeArchived) {
        nodes { ${PROJECT} } ${PAGE}
      }
    }`,
    variables: ({ query: { sort, search, includeArchived } }) => ({
      orderBy: sort,
      search,
      includeArchived: includeArchived === true,
    }),
    status: 200,
    answers: listOf(VProject),
    ...list('projects', showProject),
  }),
  project.create({
    path: '/v1/projects',
    summary: 'Create a project',
    body: z.object(projectBody).meta({ id: 'NewV1Project' }),
    variables: ({ body: { name, description } }) => ({ input: { name, description } }),
    status: 201,
  }),
  project.get('Get a project'),
  project.change({
    summary: 'Change what is given of a project',
    body: atLeastOne(projectBody),
    variables: ({ params, body: { name, description } }) => ({ input: { ...params, name, description } }),
  }),
  project.remove('Delete a project; its tasks stay', deleted),
];

export const v1: readonly Route[] = [...tasks, ...users, ...projects];
