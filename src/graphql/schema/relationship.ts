import { badInput } from '../../errors.js';
import { MAX_OFFSET } from '../../operations/pageLimits.js';
import { OFFSET_DESCRIPTION } from '../connections/keyset.js';
import { builder, expectedUpdatedAt, rowField } from './builder.js';
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

/** Relationships of one task that are shown at once. */
const USUALLY_SHOWN = 100;
const MOST_SHOWN = 1000;

for (const [name, relation, description] of [
  ['relationship', 'outgoing', 'Ties from this task to others, oldest first.'],
  ['incomingRelationship', 'incoming', 'Ties from other tasks to this one, oldest first.'],
] as const) {
  builder.prismaObjectField(Task, `${name}Count`, (t) =>
    t.int({
      nullable: true,
      authScopes: { scope: 'tasks:read' },
      select: { _count: { select: { [relation]: true } } } as {
        _count: { select: { outgoing: true; incoming: true } };
      },
      resolve: ({ _count }) => _count[relation],
    }),
  );
  builder.prismaObjectField(Task, `${name}s`, (t) =>
    t.relation(relation, {
      description,
      type: TaskRelationship,
      nullable: true,
      authScopes: { scope: 'tasks:read' },
      args: {
        first: t.arg.int({ defaultValue: USUALLY_SHOWN, description: `At most ${MOST_SHOWN}.` }),
        after: t.arg.id({ description: 'Those after the one with this id.' }),
        offset: t.arg.int({ description: OFFSET_DESCRIPTION }),
      },
      query: ({ first, after, offset }) => {
        const take = first ?? USUALLY_SHOWN;
        const skip = offset ?? 0;
        if (take < 0 || take > MOST_SHOWN)
          throw badInput({ first: [`must be from 0 to ${MOST_SHOWN}; it is ${take}`] });
        if (skip < 0 || skip > MAX_OFFSET)
          throw badInput({ offset: [`must be from 0 to ${MAX_OFFSET}; it is ${skip}`] });
        // Ids count up with time.
        return { ...(after != null && { where: { id: { gt: after } } }), orderBy: { id: 'asc' }, take, skip };
      },
    }),
  );
}

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
    nullable: true,
    description: 'Ties a task to another. Tasks that block each other in a circle are refused.',
    authScopes: { scope: 'tasks:write' },
    grantScopes: ['self'],
    resolve: (_root, { input }, { services, actor }) => services.relationships.create(actor, input),
  },
  {
    outputFields: (t) => rowField(t, 'taskRelationship', TaskRelationship),
  },
);

builder.relayMutationField(
  'updateTaskRelationship',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      taskId: t.id({ description: 'Only if it is from this task.' }),
      type: t.field({ type: RelationshipType }),
      targetTaskId: t.id(),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description: 'Changes what is given of a tie.',
    authScopes: { scope: 'tasks:write' },
    grantScopes: ['self'],
    resolve: (_root, { input }, { services, actor }) => services.relationships.update(actor, input),
  },
  {
    outputFields: (t) => rowField(t, 'taskRelationship', TaskRelationship),
  },
);

builder.relayMutationField(
  'deleteTaskRelationship',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      taskId: t.id({ description: 'Only if it is from this task.' }),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description: 'Removes a tie between two tasks. It is not kept in the trash.',
    authScopes: { scope: 'tasks:write' },
    resolve: (_root, { input }, { services, actor }) => services.relationships.delete(actor, input),
  },
  {
    outputFields: (t) => ({
      deletedTaskRelationshipId: t.exposeID('id'),
      type: t.expose('type', { type: RelationshipType, description: 'As it was.' }),
      taskId: t.exposeID('taskId'),
      targetTaskId: t.exposeID('targetTaskId'),
      createdAt: t.expose('createdAt', { type: 'DateTime' }),
    }),
  },
);
