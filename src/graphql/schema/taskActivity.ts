/** What happened to a task, of the audit log. */
import { OFFSET_DESCRIPTION } from '../connections/keyset.js';
import { builder } from './builder.js';
import { innerListField, type ListArgs, rowTable } from './rowTable.js';
import { Task } from './task.js';
import { shownChanges } from './taskEnums.js';

const table = rowTable('AuditEvent', {
  name: 'TaskActivity',
  columns: {
    id: {},
    action: { description: 'task.create, task.update' },
    actorKeyId: { description: 'The API key that did it; null: the command line, or the server itself.' },
    actorUserId: { description: 'The user as whom it was done.' },
    createdAt: {},
  },
});

const TaskActivity = builder.prismaObject('AuditEvent', {
  variant: 'TaskActivity',
  description: 'A change of a task, as long as the audit log keeps it: who, when, what it was and became.',
  select: { id: true },
  authScopes: { scope: 'tasks:read' },
  fields: (t) => ({
    ...table.fields(t),
    taskId: t.string({ select: { targetId: true }, resolve: ({ targetId }) => targetId ?? '' }),
    changes: t.string({
      nullable: true,
      description: 'JSON: field -> { from, to }; statuses and priorities by their names',
      select: { targetType: true, changes: true },
      resolve: ({ targetType, changes }) => shownChanges(targetType, changes),
    }),
  }),
});

const TaskActivityEdge = builder.edgeObject({ name: 'TaskActivityEdge', type: TaskActivity });
const TaskActivityConnection = builder.connectionObject(
  { name: 'TaskActivityConnection', type: TaskActivity },
  TaskActivityEdge,
);

const activity = innerListField((args: ListArgs, context, targetId) =>
  table.list(args, context, { targetType: 'Task', targetId }),
);
/** Points, of the activity of each task: a query of its own. */
const ACTIVITY_COST = 10;

builder.prismaObjectField(Task, 'activity', (t) =>
  t.connection(
    {
      type: TaskActivity,
      nullable: true,
      description: 'Newest first. A key that is bound to projects sees what happened within them.',
      authScopes: { scope: 'tasks:read' },
      args: { offset: t.arg.int({ description: OFFSET_DESCRIPTION }) },
      ...activity,
      extensions: { ...activity.extensions, cost: ACTIVITY_COST },
    },
    TaskActivityConnection,
    TaskActivityEdge,
  ),
);
