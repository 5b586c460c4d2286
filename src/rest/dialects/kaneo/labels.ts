/**
 * Kaneo's labels. There each task has copies of its labels, which have ids of their own; here a copy is the label and the
 * task, and its id is that of both: `<label>.<task>`.
 */
import { z } from 'zod';
import { ApiError, notFound } from '../../../errors.js';
import { text } from '../../../input.js';
import { type CorePage, cutQuery, PAGE, pageQuery } from '../../pages.js';
import { type RouteRequest, route } from '../../route.js';
import { id, type Moment, shownDate, shownId } from '../../shapes.js';
import { ALL, ownWorkspace } from './shapes.js';

const KLabel = z
  .object({
    ...{ id: shownId, name: z.string(), color: z.string(), createdAt: shownDate },
    ...{ taskId: shownId.nullable(), workspaceId: shownId.nullable() },
  })
  .meta({ id: 'KaneoLabel' });

interface CoreLabel {
  readonly id: string;
  readonly name: string;
  readonly color: string;
  readonly createdAt: Moment;
}
const LABEL = 'id name color createdAt';
const tag = 'Kaneo labels';

/** @param taskId of the copy that a task has; null: the workspace's label */
const showLabel = ({ id, ...label }: CoreLabel, taskId: string | null, { workspaceId }: RouteRequest) => ({
  ...label,
  id: taskId === null ? id : `${id}.${taskId}`,
  taskId,
  workspaceId,
});

interface LabelOfTask {
  readonly label: CoreLabel & { readonly updatedAt: Moment };
  readonly task?: { readonly labels: { readonly nodes: readonly unknown[] } };
}

interface Removed {
  readonly changed: boolean;
  readonly label: CoreLabel;
}

function showRemoved({ changed, label }: Removed, request: RouteRequest) {
  if (!changed) throw notFound('label', request.params['id'] ?? '');
  return showLabel(label, partsOf(request).taskId, request);
}

/** The label and the task of an id. */
function partsOf({ params }: RouteRequest): { id: string; taskId: string | null } {
  const [id = '', taskId = null] = (params['id'] ?? '').split('.', 2);
  return { id, taskId };
}

const name = text(1, 50);
const color = z.string().regex(/^#([0-9a-f]{3}|[0-9a-f]{6})$/i, 'must be a color as #rrggbb');

export const labels = [
  route({
    method: 'get',
    path: '/api/label/workspace/{id}',
    summary: 'List the labels of the workspace, by name',
    tag,
    query: z.object(pageQuery(ALL)),
    operation: `query ListKaneoLabels($first: Int, $after: String, $offset: Int) {
      labels(first: $first, after: $after, offset: $offset, orderBy: [{ field: NAME }]) { nodes { ${LABEL} } ${PAGE} }
    }`,
    variables: (request) => {
      ownWorkspace(request.params['id'], request, true);
      return {};
    },
    status: 200,
    answer: ({ labels: { nodes } }: { labels: CorePage<CoreLabel> }, request) =>
      nodes.map((label) => showLabel(label, null, request)),
    answers: z.array(KLabel),
    list: { page: ({ labels }) => labels },
    fields: { after: 'cursor' },
  }),
  route({
    method: 'get',
    path: '/api/label/task/{id}',
    summary: 'List the labels of a task, by name',
    tag,
    query: z.object(cutQuery()),
    isWhole: true,
    operation: `query ListKaneoTaskLabels($id: ID!) {
      task(id: $id) { labels(first: 50, orderBy: [{ field: NAME }]) { nodes { ${LABEL} } } }
    }`,
    status: 200,
    answer: ({ task: { labels } }: { task: { labels: { nodes: readonly CoreLabel[] } } }, request) =>
      labels.nodes.map((label) => showLabel(label, request.params['id'] ?? null, request)),
    answers: z.array(KLabel),
  }),
  route({
    method: 'post',
    path: '/api/label',
    summary: 'Create a label, and put it on a task where one is given; one of this name that is there stays as it is',
    tag,
    body: z
      .object({ name, color, workspaceId: z.string().optional(), taskId: id.optional() })
      .meta({ id: 'NewKaneoLabel' }),
    operation: `mutation CreateKaneoLabel($input: CreateLabelInput!) { createLabel(input: $input) { label { ${LABEL} } } }`,
    variables: (request) => {
      ownWorkspace(request.body.workspaceId, request);
      const { name, color, taskId } = request.body;
      return { input: { name, color, taskId, orExisting: true } };
    },
    status: 200,
    answer: ({ createLabel: { label } }: { createLabel: { label: CoreLabel } }, request) =>
      showLabel(label, request.body.taskId ?? null, request),
    answers: KLabel,
  }),
  route({
    method: 'get',
    path: '/api/label/{id}',
    summary: 'Get a label, of the workspace or of a task',
    tag,
    operation: `query GetKaneoLabel($id: ID!, $taskId: ID!, $isOfTask: Boolean!) {
      label(id: $id) { ${LABEL} updatedAt }
      task(id: $taskId) @include(if: $isOfTask) { labels(first: 1, filter: { id: { eq: $id } }) { nodes { id } } }
    }`,
    variables: (request) => {
      const { id, taskId } = partsOf(request);
      return { id, taskId: taskId ?? '', isOfTask: taskId !== null };
    },
    status: 200,
    answer: ({ label, task }: LabelOfTask, request) => {
      const { taskId } = partsOf(request);
      if (task?.labels.nodes.length === 0) throw notFound('label', request.params['id'] ?? '');
      const { updatedAt: _, ...shown } = label;
      return showLabel(shown, taskId, request);
    },
    answers: KLabel,
    version: ({ label }) => label.updatedAt,
  }),
  route({
    method: 'put',
    path: '/api/label/{id}',
    summary: 'Rename and recolour a label, on all tasks that have it',
    tag,
    body: z.object({ name, color }).meta({ id: 'KaneoLabelChange' }),
    operation: `mutation UpdateKaneoLabel($input: UpdateLabelInput!) { updateLabel(input: $input) { label { ${LABEL} } } }`,
    variables: (request) => ({ input: { ...request.body, id: partsOf(request).id } }),
    status: 200,
    answer: ({ updateLabel: { label } }: { updateLabel: { label: CoreLabel } }, request) =>
      showLabel(label, partsOf(request).taskId, request),
    answers: KLabel,
  }),
  route({
    method: 'delete',
    path: '/api/label/{id}',
    summary: 'Take a label from its task; one of the workspace is deleted, and taken from all tasks',
    tag,
    operation: `mutation DeleteKaneoLabel($id: ID!, $taskId: ID!, $isOfTask: Boolean!, $expectedUpdatedAt: DateTime) {
      removeLabel(input: { id: $id, taskId: $taskId }) @include(if: $isOfTask) { changed label { ${LABEL} } }
      deleteLabel(input: { id: $id, expectedUpdatedAt: $expectedUpdatedAt }) @skip(if: $isOfTask) {
        deletedLabelId name color createdAt
      }
    }`,
    variables: (request) => {
      const { id, taskId } = partsOf(request);
      return { id, taskId: taskId ?? '', isOfTask: taskId !== null };
    },
    status: 200,
    answer: (
      data: { removeLabel?: Removed; deleteLabel?: Omit<CoreLabel, 'id'> & { deletedLabelId: string } },
      request,
    ) => {
      if (data.removeLabel) return showRemoved(data.removeLabel, request);
      const { deletedLabelId = '', name = '', color = '', createdAt = '' } = data.deleteLabel ?? {};
      return showLabel({ id: deletedLabelId, name, color, createdAt }, null, request);
    },
    answers: KLabel,
  }),
  route({
    method: 'put',
    path: '/api/label/{id}/task',
    summary: 'Put a label on a task',
    tag,
    of: null,
    body: z.object({ taskId: id }).meta({ id: 'KaneoLabelTask' }),
    operation: `mutation AddKaneoLabel($input: AddLabelInput!) { addLabel(input: $input) { label { ${LABEL} } } }`,
    variables: (request) => ({ input: { id: partsOf(request).id, taskId: request.body.taskId } }),
    status: 200,
    answer: ({ addLabel: { label } }: { addLabel: { label: CoreLabel } }, request) =>
      showLabel(label, request.body.taskId, request),
    answers: KLabel,
  }),
  route({
    method: 'delete',
    path: '/api/label/{id}/task',
    summary: 'Take a label from its task',
    tag,
    of: null,
    operation: `mutation RemoveKaneoLabel($input: RemoveLabelInput!) {
      removeLabel(input: $input) { changed label { ${LABEL} } }
    }`,
    variables: (request) => {
      const { id, taskId } = partsOf(request);
      if (taskId === null) throw new ApiError('NOT_FOUND', 'No label of a task: its id is <label>.<task>.');
      return { input: { id, taskId } };
    },
    status: 200,
    answer: ({ removeLabel }: { removeLabel: Removed }, request) => showRemoved(removeLabel, request),
    answers: KLabel,
  }),
];
