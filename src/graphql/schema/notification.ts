import { badInput } from '../../errors.js';
import { OFFSET_DESCRIPTION } from '../connections/keyset.js';
import { refersTo } from '../plans/source.js';
import { builder } from './builder.js';
import { type ListArgs, rowTable } from './rowTable.js';
import { Task } from './task.js';
import { User } from './user.js';
import { Viewer } from './viewer.js';

const NotificationKind = builder.enumType('NotificationKind', {
  values: {
    ASSIGNED: { description: 'The task was assigned to the user.' },
    MENTIONED: { description: 'A comment on the task names the user: `@` and their name.' },
    COMMENTED: { description: 'Somebody commented on a task of the user.' },
    BLOCKED: { description: 'A task of the user is blocked by another.' },
    DUE: { description: 'The task of the user is due within a day, and is not done.' },
  },
});

const table = rowTable('Notification', {
  columns: {
    id: {},
    kind: { type: NotificationKind },
    taskId: { filter: true },
    senderId: { description: 'The user who caused it; null: a key that acts as no user.' },
    dueDate: { description: 'Of DUE: when the task was due, as it was told.' },
    readAt: { filter: true },
    createdAt: { filter: true, order: true },
  },
});

const Notification = builder.prismaObject('Notification', {
  description: 'Something that happened to a task, and that its user should hear of.',
  select: { id: true },
  authScopes: { scope: 'tasks:read' },
  fields: (t) => ({
    ...table.fields(t),
    task: t.relation('task', {
      ...{ type: Task, nullable: true, authScopes: { scope: 'tasks:read' } },
      ...refersTo('Task', 'taskId'),
    }),
    sender: t.relation('sender', {
      description: 'Who caused it; null: a key that acts as no user.',
      ...{ type: User, nullable: true, authScopes: { scope: 'users:read' } },
      ...refersTo('User', 'senderId'),
    }),
  }),
});

const NotificationEdge = builder.edgeObject({ name: 'NotificationEdge', type: Notification });
const NotificationConnection = builder.connectionObject(
  { name: 'NotificationConnection', type: Notification },
  NotificationEdge,
);

builder.objectField(Viewer, 'notifications', (t) =>
  t.connection(
    {
      type: Notification,
      nullable: true,
      description: 'Of `user`; none where there is no user. Newest first.',
      authScopes: { scope: 'tasks:read' },
      args: {
        filter: t.arg({ type: table.filterInput() }),
        offset: t.arg.int({ description: OFFSET_DESCRIPTION }),
      },
      ...table.listField((args: ListArgs, context) => {
        const { userId } = context.principal;
        return table.list(args, context, userId === null ? { id: { in: [] } } : { userId });
      }),
    },
    NotificationConnection,
    NotificationEdge,
  ),
);

const MOST_MARKED = 100;

builder.relayMutationField(
  'markNotificationsRead',
  {
    inputFields: (t) => ({
      ids: t.idList({
        description: `Up to ${MOST_MARKED} of the viewer; all that are not read, up to 1,000, where none are given.`,
      }),
    }),
  },
  {
    nullable: true,
    description: 'Marks notifications of the user whom the key acts for as read.',
    authScopes: { scope: 'tasks:write' },
    resolve: async (_root, { input: { ids } }, { services, actor }) => {
      if (ids && ids.length > MOST_MARKED) throw badInput({ ids: [`must have at most ${MOST_MARKED} entries`] });
      return { ...(await services.notifications.markRead(actor, ids ?? null)), ids: ids ?? [] };
    },
  },
  {
    outputFields: (t) => ({
      userId: t.exposeID('userId'),
      marked: t.exposeInt('marked', { description: 'How many were not read before.' }),
      notifications: t.prismaField({
        type: [Notification],
        nullable: { list: true, items: false },
        description: 'Those of the ids.',
        authScopes: { scope: 'tasks:read' },
        resolve: (query, { ids, userId }, _args, { db }) =>
          db.notification.findMany({ ...query, where: { id: { in: ids }, userId }, take: MOST_MARKED }),
      }),
    }),
  },
);
