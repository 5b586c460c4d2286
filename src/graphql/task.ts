import type { GraphQLResolveInfo } from 'graphql';
import { z } from 'zod';
import type { Context } from '../auth/context.js';
import type { TenantTransaction } from '../db/tenant.js';
import { containsText } from '../db/text.js';
import { notFound } from '../errors.js';
import { changesBetween, recordAudit } from '../events/audit.js';
import type { TaskEvent } from '../events/taskEvents.js';
import { builder } from './builder.js';
import { resolveConnection } from './connection.js';
import { compileFilter, DateTimeFilter, type Filter, IdFilter, IntFilter, StringFilter, TagsFilter } from './filter.js';
import { check, given, required, text } from './input.js';
import type { OrderBy, PageArgs } from './keyset.js';
import { Node } from './node.js';
import { OrderDirection, orderOf } from './order.js';
import { Project } from './types.js';
import { User } from './user.js';

/** Stored as numbers, so that both databases sort and compare them alike. */
const TaskStatus = builder.enumType('TaskStatus', {
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
const TaskPriority = builder.enumType('TaskPriority', {
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
  tags: { column: 'tags', names: true },
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
  status: { name: 'status', kind: 'number' },
  priority: { name: 'priority', kind: 'number' },
  number: { name: 'number', kind: 'number' },
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
}));

interface TaskArgs extends PageArgs {
  readonly filter?: Filter | null | undefined;
  readonly search?: string | null | undefined;
  readonly orderBy?: readonly { field: keyof typeof columns; direction: 'asc' | 'desc' }[] | null | undefined;
}

export function resolveTasks(args: TaskArgs, context: Context, info: GraphQLResolveInfo, where: object) {
  const { provider } = context.services.database;
  const words = args.search?.split(/\s+/).filter(Boolean) ?? [];
  return resolveConnection({
    args,
    context,
    info,
    order: orderOf(columns, args.orderBy),
    where: {
      AND: [
        where,
        compileFilter(filterFields, args.filter, provider),
        ...words.map((word) => ({
          OR: [{ title: containsText(provider, word) }, { description: containsText(provider, word) }],
        })),
      ],
    },
    find: (query) => context.db.task.findMany(query),
    count: (query) => context.db.task.count(query),
  });
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

const tag = text(1, 50);
const rules = z.object({
  title: required(text(1, 255)),
  description: text(0, 10_000).nullish(),
  tags: required(z.array(tag).max(50, 'must have at most 50 entries')).optional(),
  status: required(z.number()).optional(),
  priority: required(z.number()).optional(),
  position: required(z.number()).optional(),
  startDate: z.date().nullish(),
  dueDate: z.date().nullish(),
  projectId: z.string().nullish(),
  assigneeId: z.string().nullish(),
});
const inOrder = (dates: { startDate?: Date | null | undefined; dueDate?: Date | null | undefined }) =>
  check(
    z.object({}).refine(() => !dates.startDate || !dates.dueDate || dates.startDate <= dates.dueDate, {
      path: ['dueDate'],
      message: 'must not lie before startDate',
    }),
    {},
  );

builder.relayMutationField(
  'createTask',
  {
    inputFields: (t) => ({
      title: t.string({ required: true, description: '1 to 255 characters.' }),
      description: t.string({ description: 'Up to 10,000 characters.' }),
      status: t.field({ type: TaskStatus, defaultValue: 2 }),
      priority: t.field({ type: TaskPriority, defaultValue: 0 }),
      tags: t.stringList({ description: 'Up to 50, of 1 to 50 characters.' }),
      startDate: t.field({ type: 'DateTime' }),
      dueDate: t.field({ type: 'DateTime' }),
      position: t.float(),
      projectId: t.id(),
      assigneeId: t.id(),
    }),
  },
  {
    authScopes: { scope: 'tasks:write' },
    grantScopes: ['self'],
    resolve: async (_root, { input }, context) => {
      const { tags, ...data } = check(rules, withoutNulls(input, ['status', 'priority', 'tags', 'position']));
      inOrder(data);
      const { workspaceId, environment, userId, keyId } = context.principal;
      const task = await context.db.$transaction(async (tx) => {
        const number = await nextNumber(tx, context);
        const row = await tx.task.create({
          data: {
            ...given(data),
            title: data.title,
            description: data.description || null,
            workspaceId,
            environment,
            number,
            position: data.position ?? number,
            createdById: userId,
            createdByKeyId: keyId,
          },
          select: { id: true, projectId: true },
        });
        if (tags) await addTags(tx, context, row.id, tags);
        const changes = changesBetween({}, { title: data.title });
        await recordAudit(tx, context.actor, { action: 'task.create', targetType: 'Task', targetId: row.id, changes });
        return row;
      });
      publish(context, 'CREATED', task);
      return task;
    },
  },
  {
    outputFields: (t) => ({
      task: t.prismaField({
        type: Task,
        resolve: (query, { id }, _args, { db }) => db.task.findUniqueOrThrow({ ...query, where: { id } }),
      }),
    }),
  },
);

builder.relayMutationField(
  'updateTask',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      title: t.string({ description: '1 to 255 characters.' }),
      description: t.string({ description: 'Up to 10,000 characters.' }),
      status: t.field({ type: TaskStatus }),
      priority: t.field({ type: TaskPriority }),
      tags: t.stringList({ description: 'Replaces all tags. Up to 50, of 1 to 50 characters.' }),
      startDate: t.field({ type: 'DateTime' }),
      dueDate: t.field({ type: 'DateTime' }),
      position: t.float(),
      projectId: t.id(),
      assigneeId: t.id(),
    }),
  },
  {
    description: 'Changes what is given; null clears a field that may be empty.',
    authScopes: { scope: 'tasks:write' },
    grantScopes: ['self'],
    resolve: async (_root, { input: { id, ...input } }, context) => {
      const { tags, ...data } = given(check(rules.partial(), input));
      const after = await context.db.$transaction(async (tx) => {
        const before = await tx.task.findUnique({ where: { id } });
        if (!before) throw notFound('task', id);
        inOrder({ ...before, ...data });
        const row = await tx.task.update({ where: { id }, data, select: { id: true, projectId: true } });
        if (tags) {
          await tx.taskTag.deleteMany({ where: { taskId: id } });
          await addTags(tx, context, id, tags);
        }
        const changes = changesBetween(before, { ...data, ...(tags && { tags }) });
        await recordAudit(tx, context.actor, { action: 'task.update', targetType: 'Task', targetId: id, changes });
        return row;
      });
      publish(context, 'UPDATED', after);
      return after;
    },
  },
  {
    outputFields: (t) => ({
      task: t.prismaField({
        type: Task,
        resolve: (query, { id }, _args, { db }) => db.task.findUniqueOrThrow({ ...query, where: { id } }),
      }),
    }),
  },
);

builder.relayMutationField(
  'deleteTask',
  { inputFields: (t) => ({ id: t.id({ required: true }) }) },
  {
    description: 'Deletes a task with its relationships and tags.',
    authScopes: { scope: 'tasks:delete' },
    resolve: async (_root, { input: { id } }, context) => {
      const gone = await context.db.$transaction(async (tx) => {
        const before = await tx.task.findUnique({ where: { id } });
        if (!before) throw notFound('task', id);
        await tx.task.delete({ where: { id }, select: { id: true } });
        const changes = { title: { from: before.title }, number: { from: before.number } };
        await recordAudit(tx, context.actor, { action: 'task.delete', targetType: 'Task', targetId: id, changes });
        return before;
      });
      publish(context, 'DELETED', gone);
      return { deletedTaskId: id };
    },
  },
  { outputFields: (t) => ({ deletedTaskId: t.exposeID('deletedTaskId') }) },
);

function publish(context: Context, action: TaskEvent['action'], task: { id: string; projectId: string | null }): void {
  context.services.taskEvents.publish(context.principal, { action, taskId: task.id, projectId: task.projectId });
}

/** Inside the transaction that makes the task: a refused task leaves no gap, and two at once get two numbers. */
async function nextNumber(tx: TenantTransaction, { principal }: Context): Promise<number> {
  const { workspaceId, environment } = principal;
  const key = { workspaceId, environment };
  const { lastNumber } = await tx.taskCounter.upsert({
    where: { workspaceId_environment: key },
    create: { ...key, lastNumber: 1 },
    update: { lastNumber: { increment: 1 } },
  });
  return lastNumber;
}

async function addTags(tx: TenantTransaction, { principal }: Context, taskId: string, tags: string[]): Promise<void> {
  const { workspaceId, environment } = principal;
  const names = [...new Set(tags)];
  await tx.taskTag.createMany({ data: names.map((name) => ({ workspaceId, environment, taskId, name })) });
}

/** On creation null means the default, as if the field had been left out. */
function withoutNulls<T extends object>(input: T, names: readonly (keyof T)[]): T {
  return Object.fromEntries(
    Object.entries(input).filter(([name, value]) => value !== null || !names.includes(name as keyof T)),
  ) as T;
}
