import { ApiError, badInput, notFound } from '../errors.js';
import { recordAudit } from '../events/audit.js';
import { builder } from './builder.js';
import { Node } from './node.js';
import { Task } from './task.js';
import { User } from './user.js';

const RelationshipType = builder.enumType('RelationshipType', {
  values: {
    BLOCKS: { description: 'The task must be done before the target.' },
    RELATES_TO: {},
    DUPLICATES: { description: 'The task is the same as the target.' },
  } as const,
});

const TaskRelationship = builder.prismaObject('TaskRelationship', {
  description: 'A tie from one task to another.',
  select: { id: true },
  interfaces: [Node],
  authScopes: { $any: { scope: 'tasks:read', $granted: 'self' } },
  fields: (t) => ({
    type: t.expose('type', { type: RelationshipType }),
    taskId: t.exposeID('taskId'),
    targetTaskId: t.exposeID('targetTaskId'),
    task: t.relation('task', { type: Task, nullable: true, authScopes: { scope: 'tasks:read' } }),
    targetTask: t.relation('targetTask', { type: Task, nullable: true, authScopes: { scope: 'tasks:read' } }),
    createdById: t.exposeID('createdById', { nullable: true }),
    createdBy: t.relation('createdBy', { type: User, nullable: true, authScopes: { scope: 'users:read' } }),
    createdByKeyId: t.exposeID('createdByKeyId', { nullable: true }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
  }),
});

builder.prismaObjectField(Task, 'relationships', (t) =>
  t.relation('outgoing', {
    description: 'Ties from this task to others, oldest first; at most 100.',
    type: TaskRelationship,
    nullable: true,
    authScopes: { scope: 'tasks:read' },
    query: { orderBy: [{ createdAt: 'asc' }, { id: 'asc' }], take: 100 },
  }),
);
builder.prismaObjectField(Task, 'incomingRelationships', (t) =>
  t.relation('incoming', {
    description: 'Ties from other tasks to this one, oldest first; at most 100.',
    type: TaskRelationship,
    nullable: true,
    authScopes: { scope: 'tasks:read' },
    query: { orderBy: [{ createdAt: 'asc' }, { id: 'asc' }], take: 100 },
  }),
);

builder.relayMutationField(
  'createTaskRelationship',
  {
    inputFields: (t) => ({
      type: t.field({ type: RelationshipType, required: true }),
      taskId: t.id({ required: true }),
      targetTaskId: t.id({ required: true }),
    }),
  },
  {
    authScopes: { scope: 'tasks:write' },
    grantScopes: ['self'],
    resolve: async (_root, { input: { type, taskId, targetTaskId } }, context) => {
      if (taskId === targetTaskId) throw badInput({ targetTaskId: ['must be another task'] });
      const { workspaceId, environment, userId, keyId } = context.principal;
      return context.db.$transaction(async (tx) => {
        const known = await tx.taskRelationship.findFirst({
          where: { taskId, targetTaskId, type },
          select: { id: true },
        });
        if (known) throw new ApiError('CONFLICT', `The tasks have this relationship already (${known.id}).`);
        const row = await tx.taskRelationship.create({
          data: { workspaceId, environment, type, taskId, targetTaskId, createdById: userId, createdByKeyId: keyId },
          select: { id: true },
        });
        await recordAudit(tx, context.actor, {
          action: 'task_relationship.create',
          targetType: 'TaskRelationship',
          targetId: row.id,
          changes: { type: { to: type }, taskId: { to: taskId }, targetTaskId: { to: targetTaskId } },
        });
        return row;
      });
    },
  },
  {
    outputFields: (t) => ({
      taskRelationship: t.prismaField({
        type: TaskRelationship,
        resolve: (query, { id }, _args, { db }) => db.taskRelationship.findUniqueOrThrow({ ...query, where: { id } }),
      }),
    }),
  },
);

builder.relayMutationField(
  'deleteTaskRelationship',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      taskId: t.id({ description: 'Only if it is from this task.' }),
    }),
  },
  {
    authScopes: { scope: 'tasks:write' },
    resolve: async (_root, { input: { id, taskId } }, context) => {
      await context.db.$transaction(async (tx) => {
        const before = await tx.taskRelationship.findUnique({ where: { id } });
        if (!before || (taskId != null && before.taskId !== taskId)) throw notFound('task relationship', id);
        await tx.taskRelationship.delete({ where: { id }, select: { id: true } });
        await recordAudit(tx, context.actor, {
          action: 'task_relationship.delete',
          targetType: 'TaskRelationship',
          targetId: id,
          changes: {
            type: { from: before.type },
            taskId: { from: before.taskId },
            targetTaskId: { from: before.targetTaskId },
          },
        });
      });
      return { deletedTaskRelationshipId: id };
    },
  },
  { outputFields: (t) => ({ deletedTaskRelationshipId: t.exposeID('deletedTaskRelationshipId') }) },
);
