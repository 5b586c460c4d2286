import type { GraphQLResolveInfo } from 'graphql';
import { notFound } from '../../errors.js';
import { resolveConnection } from '../connections/connection.js';
import {
  compileFilter,
  DateTimeFilter,
  type Filter,
  IdFilter,
  IntFilter,
  StringFilter,
  searchWhere,
  TagsFilter,
} from '../connections/filter.js';
import { OFFSET_DESCRIPTION, type OrderBy, type PageArgs } from '../connections/keyset.js';
import { OrderDirection, orderOf } from '../connections/order.js';
import type { Context } from '../context.js';
import { builder } from './builder.js';
import { Node } from './node.js';
import { Project } from './types.js';
import { User } from './user.js';

/** Stored as numbers, so that both databases sort and compare them alike. */
export const TaskStatus = builder.enumType('TaskStatus', {
  values: {
    BACKLOG: { value: 0 },
    TRIAGE: { value: 1 },
    TODO: { value: 2 },
    IN_PROGRESS: { value: 3 },
    IN_REVIEW: { value: 4 },
    DONE: { value: 5 },
    CANCELED: { value: 6 },
  } as const,
});
export const TaskPriority = builder.enumType('TaskPriority', {
  values: {
    NONE: { value: 0 },
    LOW: { value: 1 },
    MEDIUM: { value: 2 },
    HIGH: { value: 3 },
    URGENT: { value: 4 },
  } as const,
});
type Status = typeof TaskStatus.$inferType;
type Priority = typeof TaskPriority.$inferType;

export const Task = builder.prismaObject('Task', {
  description: 'A piece of work.',
  select: { id: true },
  interfaces: [Node],
  authScopes: { $any: { scope: 'tasks:read', $granted: 'self' } },
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'Counts up within the workspace and environment.' }),
    title: t.exposeString('title'),
    description: t.exposeString('description', { nullable: true }),
    status: t.field({ type: TaskStatus, select: { status: true }, resolve: (task) => task.status as Status }),
    priority: t.field({ type: TaskPriority, select: { priority: true }, resolve: (task) => task.priority as Priority }),
    tags: t.stringList({
      select: { tags: { select: { name: true }, orderBy: { name: 'asc' } } },
      resolve: (task) => task.tags.map((tag) => tag.name),
    }),
    startDate: t.expose('startDate', { type: 'DateTime', nullable: true }),
    dueDate: t.expose('dueDate', { type: 'DateTime', nullable: true }),
    position: t.exposeFloat('position', { description: 'The place on a board; by default the number.' }),
    projectId: t.exposeID('projectId', { nullable: true }),
    assigneeId: t.exposeID('assigneeId', { nullable: true }),
    createdById: t.exposeID('createdById', { nullable: true }),
    createdByKeyId: t.exposeID('createdByKeyId', { nullable: true, description: 'The API key that made it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
    project: t.relation('project', { type: Project, nullable: true, authScopes: { scope: 'projects:read' } }),
    assignee: t.relation('assignee', { type: User, nullable: true, authScopes: { scope: 'users:read' } }),
    createdBy: t.relation('createdBy', { type: User, nullable: true, authScopes: { scope: 'users:read' } }),
  }),
});

export const TaskEdge = builder.edgeObject({ name: 'TaskEdge', type: Task });
export const TaskConnection = builder.connectionObject({ name: 'TaskConnection', type: Task }, TaskEdge);

const filterFields = {
  id: { column: 'id' },
  number: { column: 'number' },
  title: { column: 'title' },
  description: { column: 'description', nullable: true },
  status: { column: 'status' },
  priority: { column: 'priority' },
  tags: { column: 'tags', tags: true },
  startDate: { column: 'startDate', nullable: true },
  dueDate: { column: 'dueDate', nullable: true },
  projectId: { column: 'projectId', nullable: true },
  assigneeId: { column: 'assigneeId', nullable: true },
  createdById: { column: 'createdById', nullable: true },
  createdAt: { column: 'createdAt' },
  updatedAt: { column: 'updatedAt' },
};
const StatusFilter = builder.inputType('TaskStatusFilter', {
  fields: (t) => ({
    eq: t.field({ type: TaskStatus }),
    neq: t.field({ type: TaskStatus }),
    in: t.field({ type: [TaskStatus] }),
    nin: t.field({ type: [TaskStatus] }),
  }),
});
const PriorityFilter = builder.inputType('TaskPriorityFilter', {
  fields: (t) => ({
    eq: t.field({ type: TaskPriority }),
    neq: t.field({ type: TaskPriority }),
    in: t.field({ type: [TaskPriority] }),
    nin: t.field({ type: [TaskPriority] }),
    gt: t.field({ type: TaskPriority }),
    gte: t.field({ type: TaskPriority }),
    lt: t.field({ type: TaskPriority }),
    lte: t.field({ type: TaskPriority }),
  }),
});
const TaskFilter = builder.inputRef<Filter>('TaskFilter').implement({
  fields: (t) => ({
    id: t.field({ type: IdFilter }),
    number: t.field({ type: IntFilter }),
    title: t.field({ type: StringFilter }),
    description: t.field({ type: StringFilter }),
    status: t.field({ type: StatusFilter }),
    priority: t.field({ type: PriorityFilter }),
    tags: t.field({ type: TagsFilter }),
    startDate: t.field({ type: DateTimeFilter }),
    dueDate: t.field({ type: DateTimeFilter }),
    projectId: t.field({ type: IdFilter }),
    assigneeId: t.field({ type: IdFilter }),
    createdById: t.field({ type: IdFilter }),
    createdAt: t.field({ type: DateTimeFilter }),
    updatedAt: t.field({ type: DateTimeFilter }),
    and: t.field({ type: [TaskFilter] }),
    or: t.field({ type: [TaskFilter] }),
    not: t.field({ type: TaskFilter }),
  }),
});

const columns = {
  createdAt: { name: 'createdAt', kind: 'date' },
  updatedAt: { name: 'updatedAt', kind: 'date' },
  startDate: { name: 'startDate', kind: 'date', nullable: true },
  dueDate: { name: 'dueDate', kind: 'date', nullable: true },
  title: { name: 'title', kind: 'string' },
  status: { name: 'status', kind: 'int' },
  priority: { name: 'priority', kind: 'int' },
  number: { name: 'number', kind: 'int' },
  position: { name: 'position', kind: 'number' },
} as const satisfies Record<string, OrderBy['column']>;
const TaskOrder = builder.inputType('TaskOrder', {
  fields: (t) => ({
    field: t.field({
      type: builder.enumType('TaskOrderField', {
        values: {
          CREATED_AT: { value: 'createdAt' },
          UPDATED_AT: { value: 'updatedAt' },
          START_DATE: { value: 'startDate' },
          DUE_DATE: { value: 'dueDate' },
          TITLE: { value: 'title' },
          STATUS: { value: 'status' },
          PRIORITY: { value: 'priority' },
          NUMBER: { value: 'number' },
          POSITION: { value: 'position' },
        } as const,
      }),
      required: true,
    }),
    direction: t.field({ type: OrderDirection, required: true, defaultValue: 'asc' }),
  }),
});

export const taskConnectionArgs = builder.args((t) => ({
  filter: t.field({ type: TaskFilter }),
  search: t.string({ description: 'Words that the title or the description contains.' }),
  orderBy: t.field({
    type: [TaskOrder],
    description: 'Newest first where nothing is given; rows without a value come last.',
  }),
  offset: t.int({ description: OFFSET_DESCRIPTION }),
}));

interface TaskArgs extends PageArgs {
  readonly filter?: Filter | null | undefined;
  readonly search?: string | null | undefined;
  readonly orderBy?: readonly { field: keyof typeof columns; direction: 'asc' | 'desc' }[] | null | undefined;
}

export function resolveTasks(args: TaskArgs, context: Context, info: GraphQLResolveInfo, where: object) {
  const { provider } = context.services.database;
  const all = !args.filter && !args.search && Object.keys(where).length === 0;
  return resolveConnection({
    args,
    context,
    info,
    order: orderOf(columns, args.orderBy),
    where: {
      AND: [
        where,
        compileFilter(filterFields, args.filter, provider),
        ...searchWhere(args.search, ['title', 'description'], provider),
      ],
    },
    find: (query) => context.db.task.findMany(query),
    count: (query) => (all ? countAll(context) : context.db.task.count(query)),
  });
}

/** All tasks of the environment, from the count that the database keeps: to count a million takes too long. */
async function countAll({ db }: Context): Promise<number> {
  const { _sum } = await db.taskCount.aggregate({ _sum: { tasks: true } });
  return _sum.tasks ?? 0;
}

builder.queryFields((t) => ({
  task: t.prismaField({
    type: Task,
    nullable: true,
    authScopes: { scope: 'tasks:read' },
    args: { id: t.arg.id({ required: true }) },
    resolve: async (query, _root, { id }, { db }) => {
      const task = await db.task.findUnique({ ...query, where: { id } });
      if (!task) throw notFound('task', id);
      return task;
    },
  }),
  tasks: t.connection(
    {
      type: Task,
      nullable: true,
      authScopes: { scope: 'tasks:read' },
      args: taskConnectionArgs,
      resolve: (_root, args, context, info) => resolveTasks(args, context, info, {}),
    },
    TaskConnection,
    TaskEdge,
  ),
}));
