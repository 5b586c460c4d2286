/** The trash: what was deleted, for 30 days. */

import type { TrashKind } from '../../tasks/trash/keeping.js';
import { OFFSET_DESCRIPTION } from '../connections/keyset.js';
import type { Context } from '../context.js';
import { builder, rowField } from './builder.js';
import { chargeRows, chargeTasks } from './charges.js';
import { Comment } from './comment.js';
import { Label } from './label.js';
import { type ListArgs, rowTable } from './rowTable.js';
import { Task } from './task.js';
import { Project } from './types.js';

const table = rowTable('TrashItem', {
  search: ['title'],
  columns: {
    id: { hidden: true, filter: true },
    title: { description: 'What it was called; of a comment, its first words.', filter: true, order: true },
    projectId: { description: 'The project that it was in.', filter: true },
    taskId: { description: 'The task that a comment was of.', filter: true },
    deletedById: { description: 'The user who deleted it.', filter: true },
    deletedByKeyId: { description: 'The API key that deleted it.', filter: true },
    deletedAt: { filter: true, order: true },
    expiresAt: { description: 'When it is gone for good.' },
  },
});

const TrashItem = builder.prismaObject('TrashItem', {
  description: 'Something that was deleted. Its id is that of the row.',
  select: { id: true },
  fields: (t) => ({ id: t.exposeID('id'), ...table.fields(t) }),
});

const TrashEdge = builder.edgeObject({ name: 'TrashItemEdge', type: TrashItem });
const TrashConnection = builder.connectionObject({ name: 'TrashItemConnection', type: TrashItem }, TrashEdge);

const connectionArgs = builder.args((t) => ({
  filter: t.field({ type: table.filterInput() }),
  search: t.string({ description: 'Words that the title contains.' }),
  orderBy: t.field({ type: [table.orderInput()], description: 'What was deleted last first where nothing is given.' }),
  offset: t.int({ description: OFFSET_DESCRIPTION }),
}));

const inTrash = (args: ListArgs, context: Context, kind: TrashKind) => {
  const order = args.orderBy?.length ? args.orderBy : [{ field: 'deletedAt', direction: 'desc' as const }];
  return table.list({ ...args, orderBy: order }, context, { kind, expiresAt: { gt: new Date() } });
};

const listOf = (kind: TrashKind, scope: 'tasks:read' | 'projects:read') => ({
  type: TrashItem,
  nullable: true as const,
  authScopes: { scope },
  args: connectionArgs,
  resolve: table.listField((args: ListArgs, context) => inTrash(args, context, kind)).resolve,
});

const Trash = builder.objectRef<object>('Trash').implement({
  description: 'What was deleted in the last 30 days.',
  fields: (t) => ({
    tasks: t.connection(listOf('TASK', 'tasks:read'), TrashConnection, TrashEdge),
    projects: t.connection(listOf('PROJECT', 'projects:read'), TrashConnection, TrashEdge),
    labels: t.connection(listOf('LABEL', 'tasks:read'), TrashConnection, TrashEdge),
    comments: t.connection(listOf('COMMENT', 'tasks:read'), TrashConnection, TrashEdge),
  }),
});

builder.queryField('trash', (t) =>
  t.field({
    type: Trash,
    nullable: true,
    description: 'What was deleted in the last 30 days, by kind.',
    authScopes: { scope: 'tasks:read' },
    resolve: () => ({}),
  }),
);

/** What each kind takes to be brought back, and to be deleted for good. */
const KINDS = [
  {
    ...({ kind: 'TASK', name: 'task', type: Task, write: 'tasks:write', remove: 'tasks:delete' } as const),
    description:
      'Brings a task back, with its number, tags, relationships, comments, times and notifications, and with its sub-tasks that have no other task above them since. What it was tied to and is in the trash too, it is tied to again when that comes back. A timer that ran ended when it was deleted.',
  },
  {
    ...({
      kind: 'PROJECT',
      name: 'project',
      type: Project,
      write: 'projects:write',
      remove: 'projects:delete',
    } as const),
    description:
      'Brings a project back, with its states, and with those of its tasks that are in no project since. Where its key is taken, it gets another.',
  },
  {
    ...({ kind: 'LABEL', name: 'label', type: Label, write: 'tasks:write', remove: 'tasks:delete' } as const),
    description: 'Brings a label back, on the tasks that had it. One that was merged into another is not in the trash.',
  },
  {
    ...({ kind: 'COMMENT', name: 'comment', type: Comment, write: 'tasks:write', remove: 'tasks:delete' } as const),
    description: "Brings the text of a comment back. Another's takes `tasks:delete`.",
  },
] as const;

for (const { kind, name, type, write, remove, description } of KINDS) {
  const title = name.charAt(0).toUpperCase() + name.slice(1);
  builder.relayMutationField(
    `restore${title}`,
    { inputFields: (t) => ({ id: t.id({ required: true }) }) },
    {
      ...{ nullable: true, description },
      authScopes: { scope: write },
      grantScopes: ['self'],
      resolve: async (_root, { input: { id } }, context) => {
        const rows = await context.db.trashRow.count({ where: { itemId: id } });
        // With a project or a label, tasks are changed.
        await (kind === 'PROJECT' || kind === 'LABEL' ? chargeTasks : chargeRows)(context, rows);
        return context.services.trash.restore(context.actor, kind, id, context.principal.scopes);
      },
    },
    { outputFields: (t) => rowField(t, name, type) },
  );
  builder.relayMutationField(
    `purge${title}`,
    { inputFields: (t) => ({ id: t.id({ required: true }) }) },
    {
      ...{ nullable: true, description: 'Deletes for good what is in the trash.' },
      authScopes: { scope: remove },
      resolve: async (_root, { input: { id } }, context) => {
        await chargeRows(context, await context.db.trashRow.count({ where: { itemId: id } }));
        return context.services.trash.purge(context.actor, kind, id);
      },
    },
    { outputFields: (t) => ({ [`purged${title}Id`]: t.exposeID('id') }) },
  );
}
