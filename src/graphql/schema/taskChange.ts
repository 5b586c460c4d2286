/** The subscription taskChanged. */
import type { TaskEvent } from '../../messaging/taskEvents.js';
import { builder } from './builder.js';
import { Task } from './task.js';

export const TaskChangeAction = builder.enumType('TaskChangeAction', {
  values: ['CREATED', 'UPDATED', 'DELETED'] as const,
});

const TaskChange = builder.objectRef<TaskEvent>('TaskChange').implement({
  description: 'Something happened to a task.',
  fields: (t) => ({
    action: t.expose('action', { type: TaskChangeAction }),
    taskId: t.exposeID('taskId'),
    projectId: t.exposeID('projectId', {
      nullable: true,
      description: 'The project that it is in, or was in when it was deleted.',
    }),
    previousProjectId: t.id({
      nullable: true,
      description: 'The project that it left with this change.',
      resolve: ({ previousProjectId }) => previousProjectId ?? null,
    }),
    task: t.prismaField({
      type: Task,
      nullable: true,
      description: 'The task as it is now; null when it is gone.',
      authScopes: { scope: 'tasks:read' },
      resolve: (query, { taskId }, _args, { db }) => db.task.findUnique({ ...query, where: { id: taskId } }),
    }),
  }),
});

builder.subscriptionType({});
builder.subscriptionField('taskChanged', (t) =>
  t.field({
    type: TaskChange,
    description:
      'Each change of a task, of one project or of all; a task that leaves a project is told to both. Ends with an error when the key does, or loses a scope that it needs.',
    authScopes: { scope: 'tasks:read' },
    args: { projectId: t.arg.id() },
    // What listens is src/graphql/subscriptions/subscriptions.ts, which executes the operation with each event as its root.
    subscribe: (): AsyncIterable<TaskEvent> => {
      throw new Error('subscriptions are not executed here');
    },
    resolve: (event) => event,
  }),
);
