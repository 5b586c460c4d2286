import { notFound } from '../../errors.js';
import type { TimeEntryService } from '../../tasks/timeEntryService.js';
import { OFFSET_DESCRIPTION } from '../connections/keyset.js';
import { changing, oneRow, refersTo, type Source } from '../plans/source.js';
import { trackedSeconds } from '../trackedTime.js';
import { builder, expectedUpdatedAt, rowField } from './builder.js';
import { Node } from './node.js';
import { innerListField, type ListArgs, rowTable } from './rowTable.js';
import { Task } from './task.js';
import { User } from './user.js';

const table = rowTable('TimeEntry', {
  columns: {
    id: { hidden: true, filter: true },
    taskId: { filter: true },
    userId: { description: 'Whose time it is; null: of the key that made it, or of a user who is gone.', filter: true },
    createdByKeyId: { description: 'The API key that made it.' },
    note: {},
    startedAt: { filter: true, order: true },
    endedAt: { description: 'null: it is running.', filter: true },
    seconds: { description: 'From its start to its end; null: it is running.' },
    createdAt: { filter: true, order: true },
    updatedAt: {},
  },
});

const TimeEntry = builder.prismaObject('TimeEntry', {
  description: 'Time that somebody worked on a task.',
  select: { id: true },
  interfaces: [Node],
  authScopes: { $any: { scope: 'tasks:read', $granted: 'self' } },
  fields: (t) => ({
    ...table.fields(t),
    task: t.relation('task', {
      ...{ type: Task, nullable: true, authScopes: { scope: 'tasks:read' } },
      ...refersTo('Task', 'taskId'),
    }),
    user: t.relation('user', {
      ...{ type: User, nullable: true, authScopes: { scope: 'users:read' } },
      ...refersTo('User', 'userId'),
    }),
  }),
});

const TimeEntryEdge = builder.edgeObject({ name: 'TimeEntryEdge', type: TimeEntry });
const TimeEntryConnection = builder.connectionObject({ name: 'TimeEntryConnection', type: TimeEntry }, TimeEntryEdge);

const connectionArgs = builder.args((t) => ({
  filter: t.field({ type: table.filterInput() }),
  orderBy: t.field({ type: [table.orderInput()], description: 'Newest first where nothing is given.' }),
  offset: t.int({ description: OFFSET_DESCRIPTION }),
}));

builder.prismaObjectField(Task, 'trackedSeconds', (t) =>
  t.float({
    nullable: true,
    description: 'The time of its entries that have ended, all of them together.',
    authScopes: { scope: 'tasks:read' },
    extensions: { cost: 1, source: { kind: 'trackedSeconds' } satisfies Source },
    select: { id: true },
    resolve: ({ id }, _args, context) => trackedSeconds(context).load(id),
  }),
);

builder.prismaObjectField(Task, 'timeEntries', (t) =>
  t.connection(
    {
      type: TimeEntry,
      nullable: true,
      authScopes: { scope: 'tasks:read' },
      args: connectionArgs,
      ...innerListField((args: ListArgs, context, taskId) => table.list(args, context, { taskId })),
    },
    TimeEntryConnection,
    TimeEntryEdge,
  ),
);

builder.queryFields((t) => ({
  timeEntry: t.prismaField({
    type: TimeEntry,
    ...oneRow('TimeEntry', 'time entry'),
    nullable: true,
    description: 'By its id.',
    authScopes: { scope: 'tasks:read' },
    args: { id: t.arg.id({ required: true }) },
    resolve: async (query, _root, { id }, { db }) => {
      const entry = await db.timeEntry.findUnique({ ...query, where: { id } });
      if (!entry) throw notFound('time entry', id);
      return entry;
    },
  }),
  timeEntries: t.connection(
    {
      type: TimeEntry,
      nullable: true,
      description: 'Of all tasks.',
      authScopes: { scope: 'tasks:read' },
      args: connectionArgs,
      ...table.listField((args: ListArgs, context) => table.list(args, context)),
    },
    TimeEntryConnection,
    TimeEntryEdge,
  ),
}));

const NOTE = 'Up to 1,000 characters.';

builder.relayMutationField(
  'createTimeEntry',
  {
    inputFields: (t) => ({
      taskId: t.id({ required: true }),
      startedAt: t.field({ type: 'DateTime', description: 'By default now.' }),
      endedAt: t.field({
        type: 'DateTime',
        description:
          'Left out: it is running. Of a user one is, at most: what ran before ends as it starts, or now where that is not possible. At most ten years after the start.',
      }),
      note: t.string({ description: NOTE }),
    }),
  },
  {
    nullable: true,
    description: "Time of the key's user, or of the key where it has none.",
    authScopes: { scope: 'tasks:write' },
    grantScopes: ['self'],
    ...changing((input: Parameters<TimeEntryService['create']>[1], { services, actor }) =>
      services.timeEntries.create(actor, input),
    ),
  },
  { outputFields: (t) => rowField(t, 'timeEntry', TimeEntry) },
);

builder.relayMutationField(
  'updateTimeEntry',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      startedAt: t.field({ type: 'DateTime' }),
      endedAt: t.field({ type: 'DateTime', description: 'null: it is running again.' }),
      note: t.string({ description: NOTE }),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description: "Changes what is given of one's own time, or ends it.",
    authScopes: { scope: 'tasks:write' },
    grantScopes: ['self'],
    ...changing((input: Parameters<TimeEntryService['update']>[1], { services, actor }) =>
      services.timeEntries.update(actor, input),
    ),
  },
  { outputFields: (t) => rowField(t, 'timeEntry', TimeEntry) },
);

builder.relayMutationField(
  'deleteTimeEntry',
  { inputFields: (t) => ({ id: t.id({ required: true }), expectedUpdatedAt: expectedUpdatedAt(t) }) },
  {
    nullable: true,
    description: "Another's takes `tasks:delete`.",
    authScopes: { scope: 'tasks:write' },
    resolve: async (_root, { input }, { services, actor, principal }) => {
      await services.timeEntries.delete(actor, principal.scopes, input);
      return { deletedTimeEntryId: input.id };
    },
  },
  { outputFields: (t) => ({ deletedTimeEntryId: t.exposeID('deletedTimeEntryId') }) },
);
