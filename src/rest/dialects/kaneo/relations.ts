/** Kaneo's relations of tasks: relationships, and sub-tasks, whose relation has the id `subtask.<task>`. */
import { z } from 'zod';
import { notFound } from '../../../errors.js';
import { cutQuery } from '../../pages.js';
import { type RouteRequest, route } from '../../route.js';
import { id, type Moment, shownDate, shownId } from '../../shapes.js';
import { KANEO_PRIORITY as PRIORITY } from '../words.js';
import { type CoreState, STATE, shownStatus, showStatus } from './statuses.js';

const relationShape = {
  ...{ id: shownId, sourceTaskId: shownId, targetTaskId: shownId },
  ...{ relationType: z.enum(['subtask', 'blocks', 'related']), createdAt: shownDate },
};
const KRelation = z.object(relationShape).meta({ id: 'KaneoRelation' });
const RelatedTask = z
  .object({
    ...{ id: shownId, title: z.string(), status: shownStatus, priority: z.enum(PRIORITY.words) },
    ...{ number: z.int(), projectId: shownId.nullable(), userId: shownId.nullable(), assigneeName: z.null() },
  })
  .meta({ id: 'KaneoRelatedTask' });

interface CoreRelated {
  readonly id: string;
  readonly title: string;
  readonly status: string;
  readonly state: CoreState | null;
  readonly priority: string;
  readonly number: number;
  readonly projectId: string | null;
  readonly assigneeId: string | null;
  readonly createdAt: Moment;
}
interface CoreRelation {
  readonly id: string;
  readonly type: 'BLOCKS' | 'RELATES_TO' | 'DUPLICATES';
  readonly createdAt: Moment;
  readonly task: CoreRelated;
  readonly targetTask: CoreRelated;
}
interface CoreTies {
  readonly task: CoreRelated & {
    readonly parent: CoreRelated | null;
    readonly children: { readonly nodes: readonly CoreRelated[] };
    readonly relationships: readonly CoreRelation[];
    readonly incomingRelationships: readonly CoreRelation[];
  };
}

const TASK = `id title ${STATE} priority number projectId assigneeId createdAt`;
const TIE = `id type createdAt task { ${TASK} } targetTask { ${TASK} }`;
const tag = 'Kaneo relations';

const SUBTASK = 'subtask.';
const isSubtask = ({ params }: RouteRequest) => params['id']?.startsWith(SUBTASK) ?? false;

const showRelated = ({ assigneeId, createdAt: _, status, state, priority, ...task }: CoreRelated) => ({
  ...task,
  ...{
    status: showStatus({ status, state }),
    priority: PRIORITY.show(priority),
    userId: assigneeId,
    assigneeName: null,
  },
});
const showSubtask = (parent: CoreRelated, child: CoreRelated) => ({
  ...{ id: SUBTASK + child.id, sourceTaskId: parent.id, targetTaskId: child.id, relationType: 'subtask' },
  ...{ createdAt: child.createdAt, sourceTask: showRelated(parent), targetTask: showRelated(child) },
});
const showType = (type: CoreRelation['type']) => (type === 'BLOCKS' ? 'blocks' : 'related');

export const relations = [
  route({
    method: 'get',
    path: '/api/task-relation/{id}',
    summary: 'List what the task of this id has to do with others; 100 of each kind',
    tag,
    query: z.object(cutQuery()),
    isWhole: true,
    operation: `query ListKaneoRelations($id: ID!) {
      task(id: $id) {
        ${TASK}
        parent { ${TASK} }
        children(first: 100, orderBy: [{ field: CREATED_AT }]) { nodes { ${TASK} } }
        relationships(first: 100) { ${TIE} }
        incomingRelationships(first: 100) { ${TIE} }
      }
    }`,
    status: 200,
    answer: ({ task: { parent, children, relationships, incomingRelationships, ...task } }: CoreTies) => [
      ...(parent ? [showSubtask(parent, task)] : []),
      ...children.nodes.map((child) => showSubtask(task, child)),
      ...[...relationships, ...incomingRelationships].map(({ id, type, createdAt, task, targetTask }) => ({
        ...{ id, sourceTaskId: task.id, targetTaskId: targetTask.id, relationType: showType(type), createdAt },
        ...{ sourceTask: showRelated(task), targetTask: showRelated(targetTask) },
      })),
    ],
    answers: z.array(
      z.object({ ...relationShape, sourceTask: RelatedTask, targetTask: RelatedTask }).meta({ id: 'KaneoTie' }),
    ),
  }),
  route({
    method: 'post',
    path: '/api/task-relation',
    summary: 'Tie a task to another; of a sub-task the source is the task above, and both are in its project',
    tag,
    body: z
      .object({ sourceTaskId: id, targetTaskId: id, relationType: z.enum(['subtask', 'blocks', 'related']) })
      .meta({ id: 'NewKaneoRelation' }),
    operation: `mutation CreateKaneoRelation(
      $isSubtask: Boolean!, $subtask: UpdateTaskInput!, $tie: CreateTaskRelationshipInput!
    ) {
      updateTask(input: $subtask) @include(if: $isSubtask) { task { id createdAt } }
      createTaskRelationship(input: $tie) @skip(if: $isSubtask) { taskRelationship { id createdAt } }
    }`,
    variables: ({ body: { sourceTaskId, targetTaskId, relationType } }) => ({
      isSubtask: relationType === 'subtask',
      subtask: { id: targetTaskId, parentId: sourceTaskId },
      tie: { type: relationType === 'blocks' ? 'BLOCKS' : 'RELATES_TO', taskId: sourceTaskId, targetTaskId },
    }),
    status: 200,
    answer: (data: Created, { body }) => {
      const { id, createdAt } = data.updateTask?.task ?? data.createTaskRelationship?.taskRelationship ?? NONE;
      return { ...body, id: data.updateTask ? SUBTASK + id : id, createdAt };
    },
    answers: KRelation,
    fields: { parentId: 'sourceTaskId', taskId: 'sourceTaskId', id: 'targetTaskId' },
  }),
  route({
    method: 'delete',
    path: '/api/task-relation/{id}',
    summary: 'Untie two tasks',
    tag,
    of: null,
    operation: `mutation DeleteKaneoRelation($isSubtask: Boolean!, $id: ID!) {
      updateTask(input: { id: $id, parentId: null }) @include(if: $isSubtask) {
        previousParentId task { id createdAt }
      }
      deleteTaskRelationship(input: { id: $id }) @skip(if: $isSubtask) {
        deletedTaskRelationshipId type taskId targetTaskId createdAt
      }
    }`,
    variables: (request) => ({
      isSubtask: isSubtask(request),
      id: isSubtask(request) ? request.params['id']?.slice(SUBTASK.length) : request.params['id'],
    }),
    status: 200,
    answer: ({ updateTask, deleteTaskRelationship }: Deleted) => {
      if (updateTask) {
        const { task, previousParentId } = updateTask;
        if (previousParentId === null) throw notFound('task relation', SUBTASK + task.id);
        return {
          ...{ id: SUBTASK + task.id, sourceTaskId: previousParentId, targetTaskId: task.id },
          ...{ relationType: 'subtask', createdAt: task.createdAt },
        };
      }
      const { deletedTaskRelationshipId: id, type, taskId, targetTaskId, createdAt } = deleteTaskRelationship;
      return { id, sourceTaskId: taskId, targetTaskId, relationType: showType(type), createdAt };
    },
    answers: KRelation,
  }),
];

interface Made {
  readonly id: string;
  readonly createdAt: Moment;
}
const NONE: Made = { id: '', createdAt: '' };
interface Created {
  readonly updateTask?: { readonly task: Made };
  readonly createTaskRelationship?: { readonly taskRelationship: Made };
}
interface Deleted {
  readonly updateTask?: { readonly task: Made; readonly previousParentId: string | null };
  readonly deleteTaskRelationship: {
    readonly deletedTaskRelationshipId: string;
    readonly type: CoreRelation['type'];
    readonly taskId: string;
    readonly targetTaskId: string;
    readonly createdAt: Moment;
  };
}
