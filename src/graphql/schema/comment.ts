import { notFound } from '../../errors.js';
import type { CommentService } from '../../tasks/commentService.js';
import { OFFSET_DESCRIPTION } from '../connections/keyset.js';
import { changing, oneRow, refersTo } from '../plans/source.js';
import { builder, expectedUpdatedAt, rowField } from './builder.js';
import { IdFilter } from './filters.js';
import { Node } from './node.js';
import { innerListField, type ListArgs, rowTable } from './rowTable.js';
import { Task } from './task.js';
import { User } from './user.js';

const table = rowTable('Comment', {
  search: ['body'],
  columns: {
    id: { hidden: true, filter: true },
    taskId: { filter: true },
    projectId: {
      hidden: true,
      filter: {
        ...{ type: IdFilter, description: 'The project of the task.' },
        having: (ids) => ({ task: { projectId: { in: [...ids] } } }),
      },
    },
    parentId: { description: 'The comment that it answers.', filter: true },
    body: { description: 'Markdown; empty where it was deleted.', filter: true },
    createdById: { filter: true },
    createdByKeyId: { description: 'The API key that made it.', filter: true },
    createdAt: { filter: true, order: true },
    updatedAt: { filter: true, order: true },
    editedAt: { description: 'When its text was changed last.' },
    deletedAt: { filter: true },
  },
});

export const Comment = builder.prismaObject('Comment', {
  description: 'What was said of a task.',
  select: { id: true },
  interfaces: [Node],
  authScopes: { $any: { scope: 'tasks:read', $granted: 'self' } },
  fields: (t) => ({
    ...table.fields(t),
    task: t.relation('task', {
      ...{ type: Task, nullable: true, authScopes: { scope: 'tasks:read' } },
      ...refersTo('Task', 'taskId'),
    }),
    createdBy: t.relation('createdBy', {
      ...{ type: User, nullable: true, authScopes: { scope: 'users:read' } },
      ...refersTo('User', 'createdById'),
    }),
  }),
});

const CommentEdge = builder.edgeObject({ name: 'CommentEdge', type: Comment });
const CommentConnection = builder.connectionObject({ name: 'CommentConnection', type: Comment }, CommentEdge);

const connectionArgs = builder.args((t) => ({
  filter: t.field({ type: table.filterInput() }),
  search: t.string({ description: 'Words that the text contains.' }),
  orderBy: t.field({ type: [table.orderInput()], description: 'Newest first where nothing is given.' }),
  offset: t.int({ description: OFFSET_DESCRIPTION }),
}));

builder.prismaObjectField(Task, 'comments', (t) =>
  t.connection(
    {
      type: Comment,
      nullable: true,
      description: 'What was said of it, answers too.',
      authScopes: { scope: 'tasks:read' },
      args: connectionArgs,
      ...innerListField((args: ListArgs, context, taskId) => table.list(args, context, { taskId })),
    },
    CommentConnection,
    CommentEdge,
  ),
);

builder.prismaObjectField(Comment, 'answers', (t) =>
  t.connection(
    {
      type: Comment,
      nullable: true,
      authScopes: { scope: 'tasks:read' },
      args: connectionArgs,
      ...innerListField((args: ListArgs, context, parentId) => table.list(args, context, { parentId })),
    },
    CommentConnection,
    CommentEdge,
  ),
);

builder.queryFields((t) => ({
  comment: t.prismaField({
    type: Comment,
    ...oneRow('Comment', 'comment'),
    nullable: true,
    description: 'By its id.',
    authScopes: { scope: 'tasks:read' },
    args: { id: t.arg.id({ required: true }) },
    resolve: async (query, _root, { id }, { db }) => {
      const comment = await db.comment.findUnique({ ...query, where: { id } });
      if (!comment) throw notFound('comment', id);
      return comment;
    },
  }),
  comments: t.connection(
    {
      type: Comment,
      nullable: true,
      description: 'Of all tasks.',
      authScopes: { scope: 'tasks:read' },
      args: connectionArgs,
      ...table.listField((args: ListArgs, context) => table.list(args, context)),
    },
    CommentConnection,
    CommentEdge,
  ),
}));

const BODY = 'Markdown, 1 to 10,000 characters.';

builder.relayMutationField(
  'createComment',
  {
    inputFields: (t) => ({
      taskId: t.id({ required: true }),
      body: t.string({ required: true, description: BODY }),
      parentId: t.id({ description: 'The comment of the same task that it answers; an answer is not answered.' }),
    }),
  },
  {
    nullable: true,
    description: 'Adds a comment to a task, or an answer to one.',
    authScopes: { scope: 'tasks:write' },
    grantScopes: ['self'],
    ...changing((input: Parameters<CommentService['create']>[1], { services, actor }) =>
      services.comments.create(actor, input),
    ),
  },
  { outputFields: (t) => rowField(t, 'comment', Comment) },
);

builder.relayMutationField(
  'updateComment',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      body: t.string({ required: true, description: BODY }),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description: "Changes the text of a comment of one's own.",
    authScopes: { scope: 'tasks:write' },
    grantScopes: ['self'],
    ...changing((input: Parameters<CommentService['update']>[1], { services, actor }) =>
      services.comments.update(actor, input),
    ),
  },
  { outputFields: (t) => rowField(t, 'comment', Comment) },
);

builder.relayMutationField(
  'deleteComment',
  { inputFields: (t) => ({ id: t.id({ required: true }), expectedUpdatedAt: expectedUpdatedAt(t) }) },
  {
    nullable: true,
    description: "Puts the text of a comment in the trash; the answers to it stay. Another's takes `tasks:delete`.",
    authScopes: { scope: 'tasks:write' },
    grantScopes: ['self'],
    resolve: (_root, { input }, { services, actor, principal }) =>
      services.comments.delete(actor, principal.scopes, input),
  },
  {
    outputFields: (t) => ({
      deletedCommentId: t.exposeID('id'),
      ...rowField(t, 'comment', Comment),
    }),
  },
);
