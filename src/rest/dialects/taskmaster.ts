/** Taskmaster and TaskFlow: snake_case under /api, bare arrays. */

import { z } from 'zod';
import { notFound } from '../../errors.js';
import { text } from '../../input.js';
import { MAX_PAGE } from '../../operations/pageLimits.js';
import { type CorePage, PAGE, pageQuery } from '../pages.js';
import { resource } from '../resource.js';
import { type Route, route } from '../route.js';
import { atLeastOne, boolean, id, type Moment, seconds, shownDate, shownId, title } from '../shapes.js';
import { changed, RELATIONSHIP_TYPE, TASKMASTER_STATUS as STATUS } from './words.js';

const Task = z
  .object({
    id: shownId,
    title: z.string(),
    description: z.string().nullable(),
    status: z.enum(STATUS.words),
    project_id: shownId.nullable(),
    created_at: shownDate,
    updated_at: shownDate,
    created_by: shownId.nullable(),
  })
  .meta({ id: 'Task' });
const Project = z
  .object({
    id: shownId,
    name: z.string(),
    description: z.string().nullable(),
    created_by: shownId.nullable(),
    created_at: shownDate,
    updated_at: shownDate,
  })
  .meta({ id: 'Project' });
const Relationship = z
  .object({
    id: shownId,
    task_id: shownId,
    relates_to_task_id: shownId,
    relationship_type: z.enum(RELATIONSHIP_TYPE.words),
    created_by: shownId.nullable(),
    created_at: shownDate,
    updated_at: shownDate,
  })
  .meta({ id: 'Relationship' });

interface Stamps {
  readonly id: string;
  readonly createdAt: Moment;
  readonly updatedAt: Moment;
  readonly createdById: string | null;
}
interface CoreTask extends Stamps {
  readonly title: string;
  readonly description: string | null;
  readonly status: string;
  readonly projectId: string | null;
}
interface CoreProject extends Stamps {
  readonly name: string;
  readonly description: string | null;
}
interface CoreRelationship extends Stamps {
  readonly type: string;
  readonly taskId: string;
  readonly targetTaskId: string;
}

interface CoreRelationships {
  readonly relationships: readonly CoreRelationship[];
  readonly relationshipCount: number;
}

const TASK = 'id title description status projectId createdAt updatedAt createdById';
const PROJECT = 'id name description createdAt updatedAt createdById';
const RELATIONSHIP = 'id type taskId targetTaskId createdAt updatedAt createdById';

const stamps = ({ createdAt, updatedAt, createdById }: Stamps) => ({
  created_at: seconds(createdAt),
  updated_at: seconds(updatedAt),
  created_by: createdById,
});
const showTask = (task: CoreTask) => ({
  id: task.id,
  title: task.title,
  description: task.description,
  status: STATUS.show(task.status),
  project_id: task.projectId,
  ...stamps(task),
});
const showProject = (project: CoreProject) => ({
  id: project.id,
  name: project.name,
  description: project.description,
  ...stamps(project),
});
const showRelationship = (relationship: CoreRelationship) => ({
  id: relationship.id,
  task_id: relationship.taskId,
  relates_to_task_id: relationship.targetTaskId,
  relationship_type: RELATIONSHIP_TYPE.show(relationship.type),
  ...stamps(relationship),
});

const taskBody = {
  title,
  description: text(0, 500).nullish(),
  project_id: id.nullish(),
  status: z.enum(STATUS.words).optional(),
};
const TaskChange = atLeastOne(taskBody);
const projectBody = { name: text(1, 255), description: text(0, 500).nullish() };
const ProjectChange = atLeastOne(projectBody);

const taskFields = { projectId: 'project_id', after: 'cursor' };

const task = resource({
  ...{ dialect: '', type: 'Task', tag: 'Tasks', path: '/api/tasks/{id}' },
  ...{ selection: TASK, show: showTask, answers: Task, fields: taskFields },
  hasIdentifier: true,
});
const tasks = [
  route({
    method: 'get',
    path: '/api/tasks',
    summary: 'List tasks, newest first',
    tag: 'Tasks',
    query: z.object({
      project_id: z.string().optional(),
      status: z.enum(STATUS.words).optional(),
      ...pageQuery(MAX_PAGE),
    }),
    operation: `query ListTasks($first: Int, $after: String, $offset: Int, $filter: TaskFilter) {
      tasks(first: $first, after: $after, offset: $offset, filter: $filter) { nodes { ${TASK} } ${PAGE} }
    }`,
    variables: ({ query: { project_id, status } }) => {
      const filter = {
        ...(project_id !== undefined && { projectId: { eq: project_id } }),
        ...(status !== undefined && { status: { in: STATUS.values(status) } }),
      };
      return Object.keys(filter).length > 0 ? { filter } : {};
    },
    status: 200,
    answer: ({ tasks: { nodes } }: { tasks: CorePage<CoreTask> }) => nodes.map(showTask),
    answers: z.array(Task),
    list: { page: ({ tasks }) => tasks },
    fields: taskFields,
  }),
  task.create({
    path: '/api/tasks',
    summary: 'Create a task',
    body: z.object(taskBody).meta({ id: 'NewTask' }),
    variables: ({ body: { title, description, project_id, status } }) => ({
      input: { title, description, projectId: project_id, ...(status && { status: STATUS.value(status) }) },
    }),
    status: 201,
  }),
  task.get('Get a task, by its id or its identifier'),
  ...(['put', 'patch'] as const).map((method) =>
    task.change({
      method,
      summary: 'Change what is given of a task',
      body: TaskChange,
      variables: ({ params, body: { title, description, project_id, status } }) => ({
        input: {
          ...params,
          title,
          description,
          projectId: project_id,
          ...changed('status', STATUS, status),
        },
      }),
    }),
  ),
  task.remove('Delete a task'),
];

/** Relationships of one answer. */
const MOST_RELATIONSHIPS = 100;
const relationshipType = z.enum(RELATIONSHIP_TYPE.words);
const relationshipFields = { targetTaskId: 'target_task_id' };

/** A relationship by its id, if it is one, and from this task. */
function relationshipOf(node: Partial<CoreRelationship> | null, params: Readonly<Record<string, string>>) {
  if (node?.taskId !== undefined && node.taskId === params['id']) return showRelationship(node as CoreRelationship);
  throw notFound('task relationship', params['relationship_id'] ?? '');
}

const relationships = [
  route({
    method: 'get',
    path: '/api/tasks/{id}/relationships',
    summary: 'List the relationships from a task to others, oldest first',
    tag: 'Relationships',
    query: z.object({
      ...pageQuery(MOST_RELATIONSHIPS),
      cursor: z
        .string()
        .regex(/^\d{1,9}\../, 'must be a cursor from an answer of this list')
        .optional(),
    }),
    operation: `query ListRelationships($id: ID!, $first: Int, $after: ID, $offset: Int) {
      task(id: $id) {
        relationshipCount
        relationships(first: $first, after: $after, offset: $offset) { ${RELATIONSHIP} }
      }
    }`,
    status: 200,
    answer: ({ task }: { task: CoreRelationships }, { query }) =>
      task.relationships.slice(0, query.limit).map(showRelationship),
    answers: z.array(Relationship),
    list: {
      // One more is asked for than is shown, to know whether there is more.
      beyond: 1,
      page: ({ task: { relationships, relationshipCount: totalCount } }, { limit }) => {
        const nodes = relationships.slice(0, limit);
        const pageInfo = { hasNextPage: relationships.length > limit, endCursor: nodes.at(-1)?.id ?? null };
        return { nodes, totalCount, pageInfo };
      },
    },
    fields: { after: 'cursor' },
  }),
  route({
    method: 'post',
    path: '/api/tasks/{id}/relationships',
    summary: 'Relate a task to another',
    tag: 'Relationships',
    body: z.object({ type: relationshipType, target_task_id: id }),
    operation: `mutation CreateRelationship($input: CreateTaskRelationshipInput!) {
      createTaskRelationship(input: $input) { taskRelationship { ${RELATIONSHIP} } }
    }`,
    variables: ({ params, body: { type, target_task_id } }) => ({
      input: { taskId: params['id'], targetTaskId: target_task_id, type: RELATIONSHIP_TYPE.value(type) },
    }),
    status: 201,
    answer: (data: { createTaskRelationship: { taskRelationship: CoreRelationship } }) =>
      showRelationship(data.createTaskRelationship.taskRelationship),
    answers: Relationship,
    fields: relationshipFields,
  }),
  route({
    method: 'get',
    path: '/api/tasks/{id}/relationships/{relationship_id}',
    summary: 'Get a relationship',
    tag: 'Relationships',
    operation: `query GetRelationship($relationship_id: ID!) {
      node(id: $relationship_id) { ... on TaskRelationship { ${RELATIONSHIP} } }
    }`,
    variables: ({ params }) => ({ relationship_id: params['relationship_id'] }),
    status: 200,
    answer: ({ node }: { node: CoreRelationship }, { params }) => relationshipOf(node, params),
    answers: Relationship,
    version: ({ node }) => node.updatedAt,
  }),
  ...(['put', 'patch'] as const).map((method) =>
    route({
      method,
      path: '/api/tasks/{id}/relationships/{relationship_id}',
      summary: 'Change what is given of a relationship',
      tag: 'Relationships',
      body: atLeastOne({ type: relationshipType, target_task_id: id }),
      operation: `mutation UpdateRelationship($input: UpdateTaskRelationshipInput!) {
        updateTaskRelationship(input: $input) { taskRelationship { ${RELATIONSHIP} } }
      }`,
      variables: ({ params, body: { type, target_task_id } }) => ({
        input: {
          id: params['relationship_id'],
          taskId: params['id'],
          targetTaskId: target_task_id,
          ...(type && { type: RELATIONSHIP_TYPE.value(type) }),
        },
      }),
      status: 200,
      answer: (data: { updateTaskRelationship: { taskRelationship: CoreRelationship } }) =>
        showRelationship(data.updateTaskRelationship.taskRelationship),
      answers: Relationship,
      fields: relationshipFields,
    }),
  ),
  route({
    method: 'delete',
    path: '/api/tasks/{id}/relationships/{relationship_id}',
    summary: 'Delete a relationship',
    tag: 'Relationships',
    operation: `mutation DeleteRelationship($id: ID!, $relationship_id: ID!, $expectedUpdatedAt: DateTime) {
      deleteTaskRelationship(
        input: { id: $relationship_id, taskId: $id, expectedUpdatedAt: $expectedUpdatedAt }
      ) { deletedTaskRelationshipId }
    }`,
    status: 204,
  }),
];

const project = resource({
  ...{ dialect: '', type: 'Project', tag: 'Projects', path: '/api/projects/{id}' },
  ...{ selection: PROJECT, show: showProject, answers: Project },
});
const projects = [
  route({
    method: 'get',
    path: '/api/projects',
    summary: 'List projects, newest first',
    tag: 'Projects',
    query: z.object({ include_archived: boolean.optional(), ...pageQuery(MAX_PAGE) }),
    operation: `query ListProjects($first: Int, $after: String, $offset: Int, $includeArchived: Boolean) {
      projects(first: $first, after: $after, offset: $offset, includeArchived: $includeArchived) {
        nodes { ${PROJECT} } ${PAGE}
      }
    }`,
    variables: ({ query: { include_archived } }) => ({ includeArchived: include_archived === true }),
    status: 200,
    answer: ({ projects: { nodes } }: { projects: CorePage<CoreProject> }) => nodes.map(showProject),
    answers: z.array(Project),
    list: { page: ({ projects }) => projects },
    fields: { after: 'cursor' },
  }),
  project.create({
    path: '/api/projects',
    summary: 'Create a project',
    body: z.object(projectBody).meta({ id: 'NewProject' }),
    variables: ({ body: { name, description } }) => ({ input: { name, description } }),
    status: 201,
  }),
  project.get('Get a project'),
  ...(['put', 'patch'] as const).map((method) =>
    project.change({
      method,
      summary: 'Change what is given of a project',
      body: ProjectChange,
      variables: ({ params, body: { name, description } }) => ({ input: { ...params, name, description } }),
    }),
  ),
  project.remove('Delete a project; its tasks stay'),
];

export const taskmaster: readonly Route[] = [...tasks, ...relationships, ...projects];
