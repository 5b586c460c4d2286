/** The table of tools. Lists leave out descriptions, so that what comes back is bounded by the rows asked for. */
import { assertEnumType } from 'graphql';
import { z } from 'zod';
import { schema } from '../graphql/schema/schema.js';
import { type Tool, tool } from './tool.js';

const valuesOf = (type: string) =>
  z.enum(
    assertEnumType(schema.getType(type))
      .getValues()
      .map(({ name }) => name),
  );
const status = valuesOf('TaskStatus');
const priority = valuesOf('TaskPriority');

const MAX_ROWS = 50;
/** Keys of a review; each comes with its reasons. */
const MAX_REVIEWED = 20;

const TASK_ROW = 'id number title status priority projectId assigneeId dueDate tags updatedAt';
const TASK = `${TASK_ROW} description startDate createdAt createdById`;
const PROJECT_ROW = 'id name slug archivedAt updatedAt';
const PROJECT = `${PROJECT_ROW} description icon createdAt createdById`;

const id = z.string().min(1).max(100);
const moment = z.string().describe('RFC 3339, such as 2026-12-24T17:00:00Z');
const page = {
  limit: z.int().min(1).max(MAX_ROWS).default(20).describe('Rows to return'),
  cursor: z.string().max(1000).optional().describe('nextCursor of the page before'),
};
/** Null takes a value away. */
const orNone = <T extends z.ZodType>(type: T) => type.nullable();

interface Page {
  readonly nodes: readonly unknown[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

const PAGE_INFO = 'pageInfo { hasNextPage endCursor }';
const rows = (name: string, { nodes, pageInfo }: Page) => ({
  [name]: nodes,
  nextCursor: pageInfo.hasNextPage ? pageInfo.endCursor : null,
});

const taskValues = {
  description: orNone(z.string()).optional().describe('Up to 10,000 characters'),
  status: status.optional(),
  priority: priority.optional(),
  projectId: orNone(id).optional(),
  assigneeId: orNone(id).optional().describe('A user'),
  dueDate: orNone(moment).optional(),
  startDate: orNone(moment).optional(),
  tags: z.array(z.string()).max(50).optional().describe('All of its tags'),
};
const projectValues = {
  description: orNone(z.string()).optional().describe('Up to 10,000 characters'),
  slug: orNone(z.string()).optional().describe('A short name for addresses'),
};
const title = z.string().describe('1 to 255 characters');

const input = <T extends object>(given: T) => ({ input: given });

const LIST_TASKS = `($filter: TaskFilter, $search: String, $limit: Int!, $cursor: String) {
  tasks(filter: $filter, search: $search, first: $limit, after: $cursor) { nodes { ${TASK_ROW} } ${PAGE_INFO} }
}`;

export const tools: readonly Tool[] = [
  tool({
    name: 'whoami',
    title: 'Show this key',
    description: 'The API key that calls: its scopes, workspace and environment, and the scopes that it asked for.',
    arguments: z.strictObject({}),
    operation: `query McpWhoami {
      viewer {
        environment scopes workspace { id name } grants { id scopes status endsAt reason }
      }
    }`,
    result: ({ viewer }: { viewer: Record<string, unknown> }) => viewer,
  }),
  tool({
    name: 'list_tasks',
    title: 'List tasks',
    description: 'Tasks, newest first, without their descriptions.',
    arguments: z.strictObject({
      projectId: id.optional(),
      assigneeId: id.optional().describe('A user'),
      status: z.array(status).min(1).optional().describe('One of these'),
      priority: z.array(priority).min(1).optional().describe('One of these'),
      tag: z.string().optional(),
      dueBefore: moment.optional(),
      ...page,
    }),
    operation: `query McpListTasks${LIST_TASKS}`,
    variables: ({ projectId, assigneeId, status, priority, tag, dueBefore, limit, cursor }) => ({
      filter: {
        ...(projectId !== undefined && { projectId: { eq: projectId } }),
        ...(assigneeId !== undefined && { assigneeId: { eq: assigneeId } }),
        ...(status && { status: { in: status } }),
        ...(priority && { priority: { in: priority } }),
        ...(tag !== undefined && { tags: { contains: tag } }),
        ...(dueBefore !== undefined && { dueDate: { lt: dueBefore } }),
      },
      ...{ limit, cursor },
    }),
    result: ({ tasks }: { tasks: Page }) => rows('tasks', tasks),
  }),
  tool({
    name: 'search_tasks',
    title: 'Search tasks',
    description: 'Tasks whose title or description has all of the words, newest first, without their descriptions.',
    arguments: z.strictObject({ text: z.string().min(1).max(200), projectId: id.optional(), ...page }),
    operation: `query McpSearchTasks${LIST_TASKS}`,
    variables: ({ text, projectId, limit, cursor }) => ({
      ...(projectId !== undefined && { filter: { projectId: { eq: projectId } } }),
      ...{ search: text, limit, cursor },
    }),
    result: ({ tasks }: { tasks: Page }) => rows('tasks', tasks),
  }),
  tool({
    name: 'get_task',
    title: 'Get a task',
    description: 'One task with its description.',
    arguments: z.strictObject({ id }),
    operation: `query McpGetTask($id: ID!) { task(id: $id) { ${TASK} } }`,
    result: ({ task }: { task: unknown }) => ({ task }),
  }),
  tool({
    name: 'list_comments',
    title: 'List the comments of a task',
    description: 'What was said of a task, oldest first; answers have a parentId.',
    arguments: z.strictObject({ taskId: id, ...page }),
    operation: `query McpListComments($taskId: ID!, $limit: Int!, $cursor: String) {
      task(id: $taskId) {
        comments(
          first: $limit, after: $cursor, filter: { deletedAt: { eq: null } }, orderBy: [{ field: CREATED_AT }]
        ) { nodes { id parentId body createdById createdByKeyId createdAt editedAt } ${PAGE_INFO} }
      }
    }`,
    result: ({ task: { comments } }: { task: { comments: Page } }) => rows('comments', comments),
  }),
  tool({
    name: 'create_comment',
    title: 'Comment on a task',
    description: 'Writes a comment, or an answer to one.',
    arguments: z.strictObject({
      taskId: id,
      body: z.string().describe('Markdown, 1 to 10,000 characters'),
      parentId: id.optional().describe('The comment of the task that it answers'),
    }),
    operation: `mutation McpCreateComment($input: CreateCommentInput!) {
      createComment(input: $input) { comment { id taskId parentId body createdAt } }
    }`,
    variables: input,
    adds: true,
    result: ({ createComment }: { createComment: Record<string, unknown> }) => createComment,
  }),
  tool({
    name: 'create_task',
    title: 'Create a task',
    description: 'Creates a task and returns it.',
    arguments: z.strictObject({ title, ...taskValues }),
    operation: `mutation McpCreateTask($input: CreateTaskInput!) { createTask(input: $input) { task { ${TASK} } } }`,
    variables: input,
    adds: true,
    result: ({ createTask: { task } }: { createTask: { task: unknown } }) => ({ task }),
  }),
  tool({
    name: 'update_task',
    title: 'Change a task',
    description:
      'Sets the values that are given, leaves the others as they are, and returns the task. Null takes a value away.',
    arguments: z.strictObject({ id, title: title.optional(), ...taskValues }),
    operation: `mutation McpUpdateTask($input: UpdateTaskInput!) { updateTask(input: $input) { task { ${TASK} } } }`,
    variables: input,
    result: ({ updateTask: { task } }: { updateTask: { task: unknown } }) => ({ task }),
  }),
  tool({
    name: 'delete_task',
    title: 'Delete a task',
    description: 'Deletes a task: it lies in the trash for 30 days, from which a person can restore it.',
    arguments: z.strictObject({ id }),
    operation: `mutation McpDeleteTask($input: DeleteTaskInput!) { deleteTask(input: $input) { deletedTaskId } }`,
    variables: input,
    result: ({ deleteTask }: { deleteTask: Record<string, unknown> }) => deleteTask,
  }),
  tool({
    name: 'list_projects',
    title: 'List projects',
    description: 'Projects that are not archived, without their descriptions.',
    arguments: z.strictObject({ text: z.string().min(1).max(200).optional().describe('Words of the name'), ...page }),
    operation: `query McpListProjects($search: String, $limit: Int!, $cursor: String) {
      projects(search: $search, first: $limit, after: $cursor) { nodes { ${PROJECT_ROW} } ${PAGE_INFO} }
    }`,
    variables: ({ text, limit, cursor }) => ({ search: text, limit, cursor }),
    result: ({ projects }: { projects: Page }) => rows('projects', projects),
  }),
  tool({
    name: 'get_project',
    title: 'Get a project',
    description: 'One project with its description.',
    arguments: z.strictObject({ id }),
    operation: `query McpGetProject($id: ID!) { project(id: $id) { ${PROJECT} } }`,
    result: ({ project }: { project: unknown }) => ({ project }),
  }),
  tool({
    name: 'create_project',
    title: 'Create a project',
    description: 'Creates a project and returns it.',
    arguments: z.strictObject({ name: title, ...projectValues }),
    operation: `mutation McpCreateProject($input: CreateProjectInput!) {
      createProject(input: $input) { project { ${PROJECT} } }
    }`,
    variables: input,
    adds: true,
    result: ({ createProject: { project } }: { createProject: { project: unknown } }) => ({ project }),
  }),
  tool({
    name: 'update_project',
    title: 'Change a project',
    description:
      'Sets the values that are given, leaves the others as they are, and returns the project. Null takes a value away.',
    arguments: z.strictObject({ id, name: title.optional(), ...projectValues }),
    operation: `mutation McpUpdateProject($input: UpdateProjectInput!) {
      updateProject(input: $input) { project { ${PROJECT} } }
    }`,
    variables: input,
    result: ({ updateProject: { project } }: { updateProject: { project: unknown } }) => ({ project }),
  }),
  tool({
    name: 'list_users',
    title: 'List users',
    description: 'Users of the workspace, to whom tasks may be assigned.',
    arguments: z.strictObject({
      text: z.string().min(1).max(200).optional().describe('Words of the name or the email'),
      ...page,
    }),
    operation: `query McpListUsers($search: String, $limit: Int!, $cursor: String) {
      users(search: $search, first: $limit, after: $cursor) { nodes { id name email role } ${PAGE_INFO} }
    }`,
    variables: ({ text, limit, cursor }) => ({ search: text, limit, cursor }),
    result: ({ users }: { users: Page }) => rows('users', users),
  }),
  tool({
    name: 'review_keys',
    title: 'Review API keys',
    description: 'API keys by risk, the riskiest first, with the reasons and with what each could do without.',
    arguments: z.strictObject({
      days: z.int().min(1).max(90).default(90).describe('Whose use is looked at'),
      limit: z.int().min(1).max(MAX_REVIEWED).default(10).describe('Rows to return'),
    }),
    operation: `query McpReviewKeys($days: Int!, $limit: Int!) {
      keyReview(days: $days, first: $limit) {
        risk score lastUsedAt requests reasons { code message } proposal { scopes projects allowedIps }
        apiKey { id name scopes }
      }
    }`,
    result: ({ keyReview }: { keyReview: unknown }) => ({ keys: keyReview }),
  }),
  tool({
    name: 'request_scopes',
    title: 'Ask for scopes',
    description:
      'Asks an administrator of keys for scopes that this key lacks, for a while. whoami shows whether they were granted.',
    arguments: z.strictObject({
      scopes: z.array(z.string()).min(1).max(50).describe('Such as tasks:write'),
      reason: z.string().describe('For who decides; 1 to 500 characters'),
      minutes: z.int().min(1).max(1440),
    }),
    operation: `mutation McpRequestScopes($input: RequestScopesInput!) {
      requestScopes(input: $input) { scopeGrant { id status } }
    }`,
    variables: input,
    adds: true,
    result: ({ requestScopes }: { requestScopes: Record<string, unknown> }) => requestScopes,
  }),
];

export const toolsByName: ReadonlyMap<string, Tool> = new Map(tools.map((row) => [row.name, row]));
