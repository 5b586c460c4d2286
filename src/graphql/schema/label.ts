import { notFound } from '../../errors.js';
import type { LabelService } from '../../tasks/labelService.js';
import { OFFSET_DESCRIPTION } from '../connections/keyset.js';
import type { Context } from '../context.js';
import { changing, oneRow, refersTo } from '../plans/source.js';
import { builder, expectedUpdatedAt, rowField } from './builder.js';
import { chargeTasks } from './charges.js';
import { Node } from './node.js';
import { innerListField, type ListArgs, rowTable } from './rowTable.js';
import { listTasks, Task, TaskConnection, TaskEdge, taskConnectionArgs } from './task.js';
import { User } from './user.js';

const table = rowTable('Label', {
  search: ['name', 'description'],
  columns: {
    id: { hidden: true, filter: true },
    name: { filter: true, order: true },
    color: { description: 'As #rrggbb.' },
    description: { filter: true },
    createdById: { filter: true },
    createdByKeyId: { description: 'The API key that made it.' },
    createdAt: { filter: true, order: true },
    updatedAt: { filter: true },
  },
});

export const Label = builder.prismaObject('Label', {
  description:
    'What tasks are marked with. Of one name there is one, whatever the case; the tags of a task are the names, as they were written there until the label is renamed.',
  select: { id: true },
  interfaces: [Node],
  authScopes: { $any: { scope: 'tasks:read', $granted: 'self' } },
  fields: (t) => ({
    ...table.fields(t),
    createdBy: t.relation('createdBy', {
      ...{ type: User, nullable: true, authScopes: { scope: 'users:read' } },
      ...refersTo('User', 'createdById'),
    }),
    tasks: t.connection(
      {
        type: Task,
        nullable: true,
        description: 'Those that have it.',
        authScopes: { scope: 'tasks:read' },
        args: taskConnectionArgs,
        ...innerListField((args: ListArgs, context, labelId) =>
          listTasks(args, context, { tags: { some: { labelId } } }),
        ),
      },
      TaskConnection,
      TaskEdge,
    ),
  }),
});

const LabelEdge = builder.edgeObject({ name: 'LabelEdge', type: Label });
const LabelConnection = builder.connectionObject({ name: 'LabelConnection', type: Label }, LabelEdge);

const connectionArgs = builder.args((t) => ({
  filter: t.field({ type: table.filterInput() }),
  search: t.string({ description: 'Words that the name or the description contains.' }),
  orderBy: t.field({ type: [table.orderInput()], description: 'Newest first where nothing is given.' }),
  offset: t.int({ description: OFFSET_DESCRIPTION }),
}));

builder.prismaObjectField(Task, 'labels', (t) =>
  t.connection(
    {
      type: Label,
      nullable: true,
      description: 'At most 50; their names are the tags.',
      authScopes: { scope: 'tasks:read' },
      args: connectionArgs,
      ...innerListField((args: ListArgs, context, taskId) => table.list(args, context, { tags: { some: { taskId } } })),
    },
    LabelConnection,
    LabelEdge,
  ),
);

builder.queryFields((t) => ({
  label: t.prismaField({
    type: Label,
    ...oneRow('Label', 'label'),
    nullable: true,
    description: 'By its id.',
    authScopes: { scope: 'tasks:read' },
    args: { id: t.arg.id({ required: true }) },
    resolve: async (query, _root, { id }, { db }) => {
      const label = await db.label.findUnique({ ...query, where: { id } });
      if (!label) throw notFound('label', id);
      return label;
    },
  }),
  labels: t.connection(
    {
      type: Label,
      nullable: true,
      description: 'Of the workspace. A key that is bound to projects sees those of its tasks, and those that it made.',
      authScopes: { scope: 'tasks:read' },
      args: connectionArgs,
      ...table.listField((args: ListArgs, context) => table.list(args, context)),
    },
    LabelConnection,
    LabelEdge,
  ),
}));

const chargeLabelTasks = async (context: Context, labelId: string): Promise<void> =>
  chargeTasks(context, await context.db.taskTag.count({ where: { labelId } }));

const NAME = '1 to 50 characters; the same whatever the case.';
const COLOR = 'As #rrggbb or #rgb.';

builder.relayMutationField(
  'createLabel',
  {
    inputFields: (t) => ({
      name: t.string({ required: true, description: NAME }),
      color: t.string({ description: COLOR }),
      description: t.string({ description: 'Up to 255 characters.' }),
      taskId: t.id({ description: 'A task that it is put on.' }),
      orExisting: t.boolean({
        description: 'Where there is a label of this name, it is answered as it is; else: CONFLICT.',
      }),
    }),
  },
  {
    nullable: true,
    description: 'Tags that are written on tasks make labels too.',
    authScopes: { scope: 'tasks:write' },
    grantScopes: ['self'],
    ...changing((input: Parameters<LabelService['create']>[1], { services, actor }) =>
      services.labels.create(actor, input),
    ),
  },
  { outputFields: (t) => rowField(t, 'label', Label) },
);

builder.relayMutationField(
  'updateLabel',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      name: t.string({ description: `${NAME} The tag of all its tasks changes with it.` }),
      color: t.string({ description: COLOR }),
      description: t.string({ description: 'Up to 255 characters.' }),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description: 'Changes what is given, for the tasks of all projects; no more than 20,000 tasks.',
    authScopes: { scope: 'tasks:write' },
    grantScopes: ['self'],
    ...changing(async (input: Parameters<LabelService['update']>[1], context) => {
      if (input.name != null) await chargeLabelTasks(context, input.id);
      return context.services.labels.update(context.actor, input);
    }),
  },
  { outputFields: (t) => rowField(t, 'label', Label) },
);

const LABEL_ON_TASK = ['addLabel', 'removeLabel'] as const;
for (const name of LABEL_ON_TASK) {
  builder.relayMutationField(
    name,
    { inputFields: (t) => ({ id: t.id({ required: true }), taskId: t.id({ required: true }) }) },
    {
      nullable: true,
      description: `${name === 'addLabel' ? 'Puts a label on a task' : 'Takes a label from a task'}; once more changes nothing.`,
      authScopes: { scope: 'tasks:write' },
      grantScopes: ['self'],
      resolve: async (_root, { input }, { services, actor }) => {
        const changed = await services.labels[name === 'addLabel' ? 'add' : 'remove'](actor, input);
        return { ...input, changed };
      },
    },
    {
      outputFields: (t) => ({
        ...rowField(t, 'label', Label),
        ...rowField<{ taskId: string }>(t, 'task', Task, ({ taskId }) => taskId),
        changed: t.exposeBoolean('changed', { description: 'false: it was so before.' }),
      }),
    },
  );
}

builder.relayMutationField(
  'deleteLabel',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      intoId: t.id({ description: 'Another label, which its tasks have then: the two are merged.' }),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description:
      'Takes a label from all its tasks, in all projects; no more than 20,000. It is in the trash then, unless it is merged.',
    authScopes: { scope: 'tasks:delete' },
    resolve: async (_root, { input: { id, intoId, expectedUpdatedAt } }, context) => {
      await chargeLabelTasks(context, id);
      const options = { id, into: intoId ?? null, expectedUpdatedAt: expectedUpdatedAt ?? null };
      return context.services.labels.delete(context.actor, options);
    },
  },
  {
    outputFields: (t) => ({
      deletedLabelId: t.exposeID('id'),
      name: t.exposeString('name', { description: 'As it was.' }),
      color: t.exposeString('color'),
      createdAt: t.expose('createdAt', { type: 'DateTime' }),
      changedTasks: t.exposeInt('changedTasks', { description: 'Tasks that had it.' }),
    }),
  },
);
