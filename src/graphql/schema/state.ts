import { notFound } from '../../errors.js';
import type { StateService } from '../../tasks/stateService.js';
import { OFFSET_DESCRIPTION } from '../connections/keyset.js';
import type { Context } from '../context.js';
import { changing, oneRow, refersTo } from '../plans/source.js';
import { builder, expectedUpdatedAt, type InputFields, rowField } from './builder.js';
import { chargeTasks } from './charges.js';
import { enumFilter } from './filters.js';
import { Node } from './node.js';
import { innerListField, type ListArgs, rowTable } from './rowTable.js';
import { listTasks, Task, TaskConnection, TaskEdge, taskConnectionArgs } from './task.js';
import { TaskStatus } from './taskEnums.js';
import { KEEP } from './taskMutations.js';
import { Project } from './types.js';

const table = rowTable('State', {
  search: ['name', 'slug'],
  columns: {
    id: { hidden: true, filter: true },
    projectId: { filter: true },
    name: { filter: true, order: true },
    slug: { description: 'What programs call it. It stays when the name changes.', filter: true },
    color: { description: 'As #rrggbb.' },
    icon: {},
    order: { description: 'Its place among the states of the project.', order: true },
    category: {
      ...{ type: TaskStatus, description: 'The status that its tasks have.' },
      filter: { type: enumFilter('StateCategoryFilter', TaskStatus) },
    },
    createdAt: { filter: true, order: true },
    updatedAt: { filter: true },
  },
});

const State = builder.prismaObject('State', {
  description:
    'Where tasks of a project stand, in its own words: a column of its board. A new project has seven, one for each status.',
  select: { id: true },
  interfaces: [Node],
  authScopes: { $any: { scope: 'tasks:read', $granted: 'self' } },
  fields: (t) => ({
    ...table.fields(t),
    project: t.relation('project', {
      ...{ type: Project, nullable: true, authScopes: { scope: 'projects:read' } },
      ...refersTo('Project', 'projectId'),
    }),
    tasks: t.connection(
      {
        type: Task,
        nullable: true,
        authScopes: { scope: 'tasks:read' },
        args: taskConnectionArgs,
        ...innerListField((args: ListArgs, context, stateId) => listTasks(args, context, { stateId })),
      },
      TaskConnection,
      TaskEdge,
    ),
  }),
});

const StateEdge = builder.edgeObject({ name: 'StateEdge', type: State });
const StateConnection = builder.connectionObject({ name: 'StateConnection', type: State }, StateEdge);

const connectionArgs = builder.args((t) => ({
  filter: t.field({ type: table.filterInput() }),
  search: t.string({ description: 'Words that the name or the slug contains.' }),
  orderBy: t.field({
    type: [table.orderInput()],
    description: 'A project has them in its own order where nothing is given.',
  }),
  offset: t.int({ description: OFFSET_DESCRIPTION }),
}));

builder.prismaObjectField(Task, 'state', (t) =>
  t.relation('state', {
    ...{ type: State, nullable: true, authScopes: { scope: 'tasks:read' } },
    description:
      'Where it stands in its project, more exactly than its status; null where the project has no such state.',
    ...refersTo('State', 'stateId'),
  }),
);

builder.prismaObjectField(Project, 'states', (t) =>
  t.connection(
    {
      type: State,
      nullable: true,
      description: 'The columns of its board; at most 50.',
      authScopes: { scope: 'tasks:read' },
      args: connectionArgs,
      ...innerListField((args: ListArgs, context, projectId) => table.list(inOrder(args), context, { projectId })),
    },
    StateConnection,
    StateEdge,
  ),
);

const inOrder = (args: ListArgs): ListArgs =>
  args.orderBy?.length ? args : { ...args, orderBy: [{ field: 'order', direction: 'asc' }] };

builder.queryFields((t) => ({
  state: t.prismaField({
    type: State,
    ...oneRow('State', 'state'),
    nullable: true,
    description: 'By its id.',
    authScopes: { scope: 'tasks:read' },
    args: { id: t.arg.id({ required: true }) },
    resolve: async (query, _root, { id }, { db }) => {
      const state = await db.state.findUnique({ ...query, where: { id } });
      if (!state) throw notFound('state', id);
      return state;
    },
  }),
  states: t.connection(
    {
      type: State,
      nullable: true,
      description: 'Of all projects, newest first where no order is given.',
      authScopes: { scope: 'tasks:read' },
      args: connectionArgs,
      ...table.listField((args: ListArgs, context) => table.list(args, context)),
    },
    StateConnection,
    StateEdge,
  ),
}));

const chargeStateTasks = async (context: Context, stateId: string): Promise<void> =>
  chargeTasks(context, await context.db.task.count({ where: { stateId } }));

const NAME = '1 to 100 characters.';
const looks = (t: InputFields) => ({
  color: t.string({ description: 'As #rrggbb or #rgb.' }),
  icon: t.string({ description: 'Up to 100 characters.' }),
});

builder.relayMutationField(
  'createState',
  {
    inputFields: (t) => ({
      projectId: t.id({ required: true }),
      name: t.string({ required: true, description: NAME }),
      slug: t.string({
        description:
          'Up to 100 characters; made of the name where it is left out. Each state of a project has its own.',
      }),
      category: t.field({
        type: TaskStatus,
        description:
          'The status of its tasks. Left out: as the slug says, if it is one of the seven that a new project has; else TODO for the first, IN_PROGRESS for more.',
      }),
      ...looks(t),
    }),
  },
  {
    nullable: true,
    description: 'Adds a state at the end of a project; at most 50.',
    authScopes: { scope: 'projects:write' },
    grantScopes: ['self'],
    ...changing((input: Parameters<StateService['create']>[1], { services, actor }) =>
      services.states.create(actor, input),
    ),
  },
  { outputFields: (t) => rowField(t, 'state', State) },
);

builder.relayMutationField(
  'updateState',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      name: t.string({ description: `${NAME} The slug stays.` }),
      category: t.field({ type: TaskStatus, description: 'All its tasks get this status; no more than 20,000.' }),
      keepCategory: t.field({ type: [TaskStatus], description: KEEP }),
      ...looks(t),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description: 'Changes what is given; null clears the color or the icon.',
    authScopes: { scope: ['projects:write', 'tasks:write'] },
    grantScopes: ['self'],
    ...changing(async (input: Parameters<StateService['update']>[1], context) => {
      if (input.category != null) await chargeStateTasks(context, input.id);
      return context.services.states.update(context.actor, input);
    }),
  },
  { outputFields: (t) => rowField(t, 'state', State) },
);

builder.relayMutationField(
  'reorderStates',
  {
    inputFields: (t) => ({
      projectId: t.id({ required: true }),
      stateIds: t.idList({
        required: true,
        description: 'In the order that they are to have. Those that are not named keep their places.',
      }),
    }),
  },
  {
    nullable: true,
    description: 'Puts the states of a project in another order.',
    authScopes: { scope: 'projects:write' },
    grantScopes: ['self'],
    extensions: { rows: ({ stateIds }: { stateIds?: unknown }) => (Array.isArray(stateIds) ? stateIds.length : 0) },
    resolve: (_root, { input: { projectId, stateIds } }, { services, actor }) =>
      services.states.reorder(actor, projectId, stateIds),
  },
  { outputFields: (t) => rowField(t, 'project', Project) },
);

builder.relayMutationField(
  'deleteState',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      intoId: t.id({
        description:
          'Another state of the project, to which its tasks go; CONFLICT if it has some and this is left out.',
      }),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description: 'Deletes a state; its tasks go to another one, no more than 20,000.',
    authScopes: { scope: ['projects:write', 'tasks:write'] },
    resolve: async (_root, { input }, context) => {
      if (input.intoId != null) await chargeStateTasks(context, input.id);
      return context.services.states.delete(context.actor, input);
    },
  },
  {
    outputFields: (t) => ({
      deletedStateId: t.exposeID('id'),
      projectId: t.exposeID('projectId'),
      name: t.exposeString('name', { description: 'As it was, like the others.' }),
      slug: t.exposeString('slug'),
      color: t.exposeString('color', { nullable: true }),
      icon: t.exposeString('icon', { nullable: true }),
      order: t.exposeInt('order'),
      category: t.field({ type: TaskStatus, resolve: ({ category }) => category as 0 }),
      createdAt: t.expose('createdAt', { type: 'DateTime' }),
      updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
      movedTasks: t.exposeInt('movedTasks', { description: 'Tasks that went to the other state.' }),
    }),
  },
);
