/** The subscription commentChanged. */
import type { TaskEvent } from '../../messaging/taskEvents.js';
import { builder } from './builder.js';
import { Comment } from './comment.js';
import { TaskChangeAction } from './taskChange.js';

const CommentChange = builder.objectRef<TaskEvent>('CommentChange').implement({
  description: 'A comment was written, changed, deleted, or brought back from the trash.',
  fields: (t) => ({
    action: t.expose('action', { type: TaskChangeAction }),
    commentId: t.id({ resolve: ({ commentId }) => commentId ?? '' }),
    taskId: t.exposeID('taskId'),
    projectId: t.exposeID('projectId', { nullable: true, description: 'The project of the task.' }),
    comment: t.prismaField({
      type: Comment,
      nullable: true,
      description: 'The comment as it is now, without its text where it was deleted; null when its task is gone.',
      authScopes: { scope: 'tasks:read' },
      resolve: (query, { commentId }, _args, { db }) =>
        db.comment.findUnique({ ...query, where: { id: commentId ?? '' } }),
    }),
  }),
});

builder.subscriptionField('commentChanged', (t) =>
  t.field({
    type: CommentChange,
    description:
      'Each comment that is written, changed or deleted, on one task, in one project, or on all. Of a task that is deleted with its comments, taskChanged tells.',
    authScopes: { scope: 'tasks:read' },
    args: { taskId: t.arg.id(), projectId: t.arg.id() },
    subscribe: (): AsyncIterable<TaskEvent> => {
      throw new Error('subscriptions are not executed here');
    },
    resolve: (event) => event,
  }),
);
