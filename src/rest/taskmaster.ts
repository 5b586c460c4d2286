/** Taskmaster and TaskFlow: snake_case under /api, bare arrays. */
import { z } from 'zod';
import { text } from '../graphql/input.js';
import { type CursorPage, cursorHeaders } from './pages.js';
import { type Route, route } from './route.js';
import { atLeastOne, cursorPage, id, shownDate, shownId, title } from './shapes.js';
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
  readonly createdAt: Date;
  readonly updatedAt: Date;
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

const TASK = 'id title description status projectId createdAt updatedAt createdById';
const PROJECT = 'id name description createdAt updatedAt createdById';
const RELATIONSHIP = 'id type taskId targetTaskId createdAt updatedAt createdById';
const PAGE = 'totalCount pageInfo { hasNextPage endCursor }';

const stamps = ({ createdAt, updatedAt, createdById }: Stamps) => ({
  created_at: createdAt,
  updated_at: updatedAt,
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

const tasks = [
  route({
    method: 'get',
    path: '/api/tasks',
    summary: 'List tasks, newest first',
    tag: 'Tasks',
    query: z.object({ project_id: z.string().optional(), status: z.enum(STATUS.words).optional(), ...cursorPage }),
    operation: `query ListTasks($first: Int, $after: String, $filter: TaskFilter) {
      tasks(first: $first, after: $after, filter: $filter) { nodes { ${TASK} } ${PAGE} }
    }`,
    variables: ({ query: { limit, cursor, project_id, status } }) => {
      const filter = {
        ...(project_id !== undefined && { projectId: { eq: project_id } }),
        ...(status !== undefined && { status: { in: STATUS.values(status) } }),
      };
      return { first: limit, after: cursor, ...(Object.keys(filter).length > 0 && { filter }) };
    },
    status: 200,
    answer: ({ tasks: { nodes } }: { tasks: CursorPage & { nodes: CoreTask[] } }) => nodes.map(showTask),
    answers: z.array(Task),
    headers: ({ tasks }, { url }) => cursorHeaders(tasks, url),
    fields: taskFields,
  }),
  route({
    method: 'post',
    path: '/api/tasks',
    summary: 'Create a task',
    tag: 'Tasks',
    body: z.object(taskBody).meta({ id: 'NewTask' }),
    operation: `mutation CreateTask($input: CreateTaskInput!) { createTask(input: $input) { task { ${TASK} } } }`,
    variables: ({ body: { title, description, project_id, status } }) => ({
      input: { title, description, projectId: project_id, ...(status && { status: STATUS.value(status) }) },
    }),
    status: 201,
    answer: ({ createTask: { task } }: { createTask: { task: CoreTask } }) => showTask(task),
    answers: Task,
    fields: taskFields,
  }),
  route({
    method: 'get',
    path: '/api/tasks/{id}',
    summary: 'Get a task',
    tag: 'Tasks',
    operation: `query GetTask($id: ID!) { task(id: $id) { ${TASK} } }`,
    status: 200,
    answer: ({ task }: { task: CoreTask }) => showTask(task),
    answers: Task,
  }),
  ...(['put', 'patch'] as const).map((method) =>
    route({
      method,
      path: '/api/tasks/{id}',
      summary: 'Change what is given of a task',
      tag: 'Tasks',
      body: TaskChange,
      operation: `mutation UpdateTask($input: UpdateTaskInput!) { updateTask(input: $input) { task { ${TASK} } } }`,
      variables: ({ params, body: { title, description, project_id, status } }) => ({
        input: {
          ...params,
          title,
          description,
          projectId: project_id,
          ...changed('status', STATUS, status),
        },
      }),
      status: 200,
      answer: ({ updateTask: { task } }: { updateTask: { task: CoreTask } }) => showTask(task),
      answers: Task,
      fields: taskFields,
    }),
  ),
  route({
    method: 'delete',
    path: '/api/tasks/{id}',
    summary: 'Delete a task',
    tag: 'Tasks',
    operation: 'mutation DeleteTask($id: ID!) { deleteTask(input: { id: $id }) { deletedTaskId } }',
    status: 204,
  }),
];

const relationships = [
  route({
    method: 'get',
    path: '/api/tasks/{id}/relationships',
    summary: 'List the relationships from a task to others',
    tag: 'Relationships',
    operation: `query ListRelationships($id: ID!) { task(id: $id) { relationships { ${RELATIONSHIP} } } }`,
    status: 200,
    answer: ({ task }: { task: { relationships: CoreRelationship[] } }) => task.relationships.map(showRelationship),
    answers: z.array(Relationship),
  }),
  route({
    method: 'post',
    path: '/api/tasks/{id}/relationships',
    summary: 'Relate a task to another',
    tag: 'Relationships',
    body: z.object({ type: z.enum(RELATIONSHIP_TYPE.words), target_task_id: id }),
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
    fields: { targetTaskId: 'target_task_id' },
  }),
  route({
    method: 'delete',
    path: '/api/tasks/{id}/relationships/{relationship_id}',
    summary: 'Delete a relationship',
    tag: 'Relationships',
    operation: `mutation DeleteRelationship($id: ID!, $relationship_id: ID!) {
      deleteTaskRelationship(input: { id: $relationship_id, taskId: $id }) { deletedTaskRelationshipId }
    }`,
    status: 204,
  }),
];

const projects = [
  route({
    method: 'get',
    path: '/api/projects',
    summary: 'List projects, newest first',
    tag: 'Projects',
    query: z.object(cursorPage),
    operation: `query ListProjects($first: Int, $after: String) {
      projects(first: $first, after: $after) { nodes { ${PROJECT} } ${PAGE} }
    }`,
    variables: ({ query: { limit, cursor } }) => ({ first: limit, after: cursor }),
    status: 200,
    answer: ({ projects: { nodes } }: { projects: CursorPage & { nodes: CoreProject[] } }) => nodes.map(showProject),
    answers: z.array(Project),
    headers: ({ projects }, { url }) => cursorHeaders(projects, url),
    fields: { after: 'cursor' },
  }),
  route({
    method: 'post',
    path: '/api/projects',
    summary: 'Create a project',
    tag: 'Projects',
    body: z.object(projectBody).meta({ id: 'NewProject' }),
    operation: `mutation CreateProject($input: CreateProjectInput!) {
      createProject(input: $input) { project { ${PROJECT} } }
    }`,
    variables: ({ body: { name, description } }) => ({ input: { name, description } }),
    status: 201,
    answer: ({ createProject: { project } }: { createProject: { project: CoreProject } }) => showProject(project),
    answers: Project,
  }),
  route({
    method: 'get',
    path: '/api/projects/{id}',
    summary: 'Get a project',
    tag: 'Projects',
    operation: `query GetProject($id: ID!) { project(id: $id) { ${PROJECT} } }`,
    status: 200,
    answer: ({ project }: { project: CoreProject }) => showProject(project),
    answers: Project,
  }),
  ...(['put', 'patch'] as const).map((method) =>
    route({
      method,
      path: '/api/projects/{id}',
      summary: 'Change what is given of a project',
      tag: 'Projects',
      body: ProjectChange,
      operation: `mutation UpdateProject($input: UpdateProjectInput!) {
        updateProject(input: $input) { project { ${PROJECT} } }
      }`,
      variables: ({ params, body: { name, description } }) => ({ input: { ...params, name, description } }),
      status: 200,
      answer: ({ updateProject: { project } }: { updateProject: { project: CoreProject } }) => showProject(project),
      answers: Project,
    }),
  ),
  route({
    method: 'delete',
    path: '/api/projects/{id}',
    summary: 'Delete a project; its tasks stay',
    tag: 'Projects',
    operation: 'mutation DeleteProject($id: ID!) { deleteProject(input: { id: $id }) { deletedProjectId } }',
    status: 204,
  }),
];

export const taskmaster: readonly Route[] = [...tasks, ...relationships, ...projects];
