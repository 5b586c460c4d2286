/** Kaneo's search, over tasks, projects and comments. */
import { z } from 'zod';
import { badParameters } from '../../../errors.js';
import { MAX_PAGE } from '../../../operations/pageLimits.js';
import { cut, cutHeaders, cutQuery, cutStart } from '../../pages.js';
import { type RouteRequest, route } from '../../route.js';
import { type Moment, shownDate, shownId } from '../../shapes.js';
import { KANEO_PRIORITY as PRIORITY } from '../words.js';
import {
  type CoreProject,
  type CoreTask,
  KProject,
  KTask,
  ownWorkspace,
  PROJECT,
  showProject,
  showTask,
  TASK,
} from './shapes.js';
import { showStatus } from './statuses.js';

const TYPES = ['all', 'tasks', 'projects', 'workspaces', 'comments', 'activities'] as const;

const KFound = z
  .object({
    ...{ id: shownId, type: z.enum(['task', 'project', 'comment', 'workspace']), title: z.string() },
    ...{ description: z.string().nullish(), content: z.string().optional(), projectId: shownId.nullish() },
    ...{ taskId: shownId.optional(), taskNumber: z.int().optional(), workspaceId: shownId },
    ...{ status: z.string().optional(), priority: z.string().optional(), createdAt: shownDate },
  })
  .meta({ id: 'KaneoFound' });

interface CoreWorkspace {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly createdAt: Moment;
}
interface Found {
  readonly tasks?: { readonly nodes: readonly CoreTask[]; readonly totalCount: number };
  readonly projects?: { readonly nodes: readonly CoreProject[]; readonly totalCount: number };
  readonly comments?: {
    readonly nodes: readonly { id: string; body: string; createdAt: Moment; task: CoreTask | null }[];
    readonly totalCount: number;
  };
  readonly viewer?: { readonly workspace: CoreWorkspace };
}

type SearchRequest = RouteRequest<{ readonly q: string; readonly projectId?: string | undefined }>;

/** The workspace, where it is one of those that are found. */
function namedWorkspace({ viewer }: Found, { query: { q, projectId } }: SearchRequest): CoreWorkspace[] {
  const { workspace } = viewer ?? {};
  const isFound = workspace?.name.toLowerCase().includes(q.toLowerCase()) && !projectId;
  return workspace && isFound ? [workspace] : [];
}

const totalOf = (data: Found, request: SearchRequest): number =>
  [data.tasks, data.projects, data.comments].reduce((sum, list) => sum + (list?.totalCount ?? 0), 0) +
  namedWorkspace(data, request).length;

/** Tasks, then projects, then comments, and the workspace; as far as they were read. */
function rowsOf(data: Found, request: SearchRequest) {
  const { tasks, projects, comments } = data;
  const { workspaceId } = request;
  return [
    ...(tasks?.nodes ?? []).map((task) => ({
      ...{ id: task.id, type: 'task', title: task.title, description: task.description, taskNumber: task.number },
      ...{ projectId: task.projectId, status: showStatus(task), priority: PRIORITY.show(task.priority) },
      ...{ workspaceId, createdAt: task.createdAt },
    })),
    ...(projects?.nodes ?? []).map(({ id, name, description, createdAt }) => ({
      ...{ id, type: 'project', title: name, description, projectId: id, workspaceId, createdAt },
    })),
    ...(comments?.nodes ?? []).map(({ id, body, createdAt, task }) => ({
      ...{ id, type: 'comment', title: task?.title ?? '', content: body, taskId: task?.id },
      ...{ projectId: task?.projectId, taskNumber: task?.number, workspaceId, createdAt },
    })),
    ...namedWorkspace(data, request).map(({ id, name, createdAt }) => ({
      id,
      type: 'workspace',
      title: name,
      workspaceId,
      createdAt,
    })),
  ];
}

export const search = [
  route({
    method: 'get',
    path: '/api/search',
    summary: 'Find tasks, projects and comments by words, newest first; all of them takes tasks:read and projects:read',
    tag: 'Kaneo search',
    query: z.object({
      q: z.string().trim().min(1, 'must not be empty').max(200, 'must have at most 200 characters'),
      type: z.enum(TYPES).default('all'),
      workspaceId: z.string().optional(),
      projectId: z.string().optional(),
      ...cutQuery(50, 20),
    }),
    operation: `query SearchKaneo(
      $q: String!, $first: Int!, $tasks: TaskFilter, $projects: ProjectFilter, $comments: CommentFilter
      $isTasks: Boolean!, $isProjects: Boolean!, $isComments: Boolean!, $isWorkspaces: Boolean!
    ) {
      tasks(search: $q, first: $first, filter: $tasks) @include(if: $isTasks) { totalCount nodes { ${TASK} } }
      projects(search: $q, first: $first, filter: $projects) @include(if: $isProjects) {
        totalCount nodes { ${PROJECT} }
      }
      comments(search: $q, first: $first, filter: $comments) @include(if: $isComments) {
        totalCount nodes { id body createdAt task { ${TASK} } }
      }
      viewer @include(if: $isWorkspaces) { workspace { id name slug createdAt } }
    }`,
    variables: (request) => {
      const { q, type, workspaceId, projectId, limit } = request.query;
      ownWorkspace(workspaceId, request);
      // They follow each other in one list: any of them may fill it up to the end of the page.
      const first = cutStart(request.query) + limit;
      if (first > MAX_PAGE)
        throw badParameters({ page: [`leads beyond row ${MAX_PAGE}, further than this search goes`] });
      const wants = (one: (typeof TYPES)[number]) => type === one || type === 'all';
      return {
        ...{ q, first, isTasks: wants('tasks'), isProjects: wants('projects') },
        ...{ isComments: wants('comments'), isWorkspaces: wants('workspaces') },
        comments: { deletedAt: { eq: null }, ...(projectId !== undefined && { projectId: { eq: projectId } }) },
        ...(projectId !== undefined && {
          tasks: { projectId: { eq: projectId } },
          projects: { id: { eq: projectId } },
        }),
      };
    },
    status: 200,
    answer: (data: Found, request) => ({
      results: cut(rowsOf(data, request), request.query),
      totalCount: totalOf(data, request),
      searchQuery: request.query.q,
      tasks: cut(data.tasks?.nodes ?? [], request.query).map(showTask),
      projects: cut(data.projects?.nodes ?? [], request.query).map((project) => showProject(project, request)),
    }),
    headers: (data: Found, request) => cutHeaders(totalOf(data, request), request.query, request.url),
    answers: z
      .object({
        ...{ results: z.array(KFound), totalCount: z.int(), searchQuery: z.string() },
        ...{ tasks: z.array(KTask), projects: z.array(KProject) },
      })
      .meta({ id: 'KaneoSearch' }),
  }),
];
