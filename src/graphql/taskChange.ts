/** The subscription taskChanged. Its key is asked for again at every event, and whenever a key changes. */
import { ApiError } from '../errors.js';
import type { TaskEvent } from '../events/taskEvents.js';
import { builder } from './builder.js';
import { Task } from './task.js';

const TaskChangeAction = builder.enumType('TaskChangeAction', { values: ['CREATED', 'UPDATED', 'DELETED'] as const });

const TaskChange = builder.objectRef<TaskEvent>('TaskChange').implement({
  description: 'Something happened to a task.',
  fields: (t) => ({
    action: t.expose('action', { type: TaskChangeAction }),
    taskId: t.exposeID('taskId'),
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
    description: 'Each change of a task, of one project or of all. Ends with an error when the key does.',
    authScopes: { scope: 'tasks:read' },
    args: { projectId: t.arg.id() },
    subscribe: async function* (_root, { projectId }, { principal, services, session }) {
      const ended = new AbortController();
      const stop = session.onEnd(() => ended.abort());
      try {
        for await (const event of services.taskEvents.subscribe(principal, ended.signal)) {
          if (!(await session.mayContinue())) break;
          if (projectId == null || event.projectId === projectId) yield event;
        }
      } finally {
        stop();
        ended.abort();
      }
      throw new ApiError('UNAUTHENTICATED', 'The API key of this subscription may not be used any more.');
    },
    resolve: (event) => event,
  }),
);
