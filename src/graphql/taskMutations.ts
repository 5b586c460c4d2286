/** Making, changing and deleting tasks. */
import { queryFromInfo } from '@pothos/plugin-prisma';
import { z } from 'zod';
import type { Context } from '../auth/context.js';
import type { TenantTransaction } from '../db/tenant.js';
import { badInput, notFound } from '../errors.js';
import { changesBetween, recordAudit } from '../events/audit.js';
import type { TaskEvent } from '../events/taskEvents.js';
import { builder } from './builder.js';
import { check, given, required, text } from './input.js';
import { Task, TaskPriority, TaskStatus } from './task.js';

const KEEP =
  'Where the task has one of these, it keeps it, whatever else is given: for clients that know fewer words and send back what they were shown.';

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
const changeable = rules.partial();

function inOrder(dates: { startDate?: Date | null | undefined; dueDate?: Date | null | undefined }): void {
  if (dates.startDate && dates.dueDate && dates.startDate > dates.dueDate) {
    throw badInput({ dueDate: ['must not lie before startDate'] });
  }
}

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
      const task = await context.db.$numbered(async (tx, number) => {
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
      keepStatus: t.field({ type: [TaskStatus], description: KEEP }),
      keepPriority: t.field({ type: [TaskPriority], description: KEEP }),
    }),
  },
  {
    description: 'Changes what is given; null clears a field that may be empty.',
    authScopes: { scope: 'tasks:write' },
    grantScopes: ['self'],
    resolve: async (_root, { input: { id, keepStatus, keepPriority, ...input } }, context) => {
      const { tags, ...data } = given(check(changeable, input));
      const after = await context.db.$transaction(async (tx) => {
        const before = await tx.task.findUnique({ where: { id } });
        if (!before) throw notFound('task', id);
        inOrder({ ...before, ...data });
        if (keepStatus?.some((status) => status === before.status)) delete data.status;
        if (keepPriority?.some((priority) => priority === before.priority)) delete data.priority;
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
    grantScopes: ['self'],
    resolve: async (_root, { input: { id } }, context, info) => {
      const shown = queryFromInfo({ context, info, path: ['task'] });
      const gone = await context.db.$transaction(async (tx) => {
        const before = await tx.task.findUnique({ where: { id } });
        if (!before) throw notFound('task', id);
        // Nobody can load it afterwards.
        const task = await tx.task.findUniqueOrThrow({ ...(shown as object), where: { id } });
        await tx.task.delete({ where: { id }, select: { id: true } });
        const changes = { title: { from: before.title }, number: { from: before.number } };
        await recordAudit(tx, context.actor, { action: 'task.delete', targetType: 'Task', targetId: id, changes });
        return { before, task };
      });
      publish(context, 'DELETED', gone.before);
      return { deletedTaskId: id, task: gone.task };
    },
  },
  {
    outputFields: (t) => ({
      deletedTaskId: t.exposeID('deletedTaskId'),
      task: t.field({ type: Task, description: 'As it was.', resolve: ({ task }) => task }),
    }),
  },
);

function publish(context: Context, action: TaskEvent['action'], task: { id: string; projectId: string | null }): void {
  context.services.taskEvents.publish(context.principal, { action, taskId: task.id, projectId: task.projectId });
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
