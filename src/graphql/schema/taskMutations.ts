/** Making, changing and deleting tasks: thin over src/tasks. */

import { queryFromInfo } from '@pothos/plugin-prisma';
import type { ChangedTask, TaskService } from '../../tasks/taskService.js';
import { changing } from '../plans/source.js';
import { builder, expectedUpdatedAt, type InputFields, rowField } from './builder.js';
import { chargeDeletion, chargeTasks } from './charges.js';
import { Task } from './task.js';
import { TaskPriority, TaskStatus } from './taskEnums.js';

export const KEEP =
  'Where it has one of these, it keeps it, whatever else is given: for clients that know fewer words and send back what they were shown.';

const PARENT =
  'The task that it is a sub-task of, and whose project it is in. At most 5 levels, and 1,000 sub-tasks of a task.';

/** Of how much work a task is. */
export const ESTIMATE = 'From 0 to 1,000,000, in what the team counts: points, hours.';

/** In place of the status: one of the states of the task's project. */
export const stateFields = (t: InputFields) => ({
  stateId: t.id({ description: 'A state of its project; its category is the status then, whatever is given.' }),
  stateSlug: t.string({
    description:
      'Or the slug of the state. Those of the seven that a new project has stand for their statuses where a project has no such state.',
  }),
});

/** What a new task is made of. */
export const newTaskFields = (t: InputFields) => ({
  title: t.string({ required: true, description: '1 to 255 characters.' }),
  description: t.string({ description: 'Up to 10,000 characters.' }),
  status: t.field({ type: TaskStatus, defaultValue: 2 }),
  ...stateFields(t),
  priority: t.field({ type: TaskPriority, defaultValue: 0 }),
  tags: t.stringList({ description: 'Up to 50, of 1 to 50 characters; the same whatever the case.' }),
  startDate: t.field({ type: 'DateTime' }),
  dueDate: t.field({ type: 'DateTime' }),
  position: t.float({ description: 'From -1e15 to 1e15.' }),
  estimate: t.float({ description: ESTIMATE }),
  projectId: t.id({ description: 'A project that is not archived.' }),
  parentId: t.id({ description: PARENT }),
  assigneeId: t.id(),
});

builder.relayMutationField(
  'createTask',
  {
    inputFields: newTaskFields,
  },
  {
    nullable: true,
    description: 'Makes a task.',
    authScopes: { scope: 'tasks:write' },
    grantScopes: ['self'],
    ...changing((input: Parameters<TaskService['create']>[1], { services, actor }) =>
      services.tasks.create(actor, input),
    ),
  },
  {
    outputFields: (t) => rowField(t, 'task', Task),
  },
);

builder.relayMutationField(
  'updateTask',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      title: t.string({ description: '1 to 255 characters.' }),
      description: t.string({ description: 'Up to 10,000 characters.' }),
      status: t.field({
        type: TaskStatus,
        description: 'Another one puts the task in the first state of its project that has it.',
      }),
      ...stateFields(t),
      priority: t.field({ type: TaskPriority }),
      tags: t.stringList({
        description: 'Replaces all tags. Up to 50, of 1 to 50 characters; the same whatever the case.',
      }),
      startDate: t.field({ type: 'DateTime' }),
      dueDate: t.field({ type: 'DateTime' }),
      position: t.float({ description: 'From -1e15 to 1e15.' }),
      estimate: t.float({ description: ESTIMATE }),
      projectId: t.id({
        description:
          'A project that is not archived, if it is another. Sub-tasks go with the task; a sub-task that is moved alone is none any more.',
      }),
      parentId: t.id({ description: PARENT }),
      assigneeId: t.id(),
      keepStatus: t.field({ type: [TaskStatus], description: KEEP }),
      keepStateSlugs: t.stringList({
        description:
          'Where the task is in a state of one of these slugs, or in none and has the status that such a state has in a new project, it stays there.',
      }),
      keepPriority: t.field({ type: [TaskPriority], description: KEEP }),
      keepFractions: t.boolean({
        description:
          "A date that is the task's but for the fraction of its second leaves it as it is: for clients that are shown whole seconds and send them back.",
      }),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description: 'Changes what is given; null clears a field that may be empty.',
    authScopes: { scope: 'tasks:write' },
    grantScopes: ['self'],
    ...changing((input: Parameters<TaskService['update']>[1], context) =>
      context.services.tasks.update(context.actor, input, (tasks) => chargeTasks(context, tasks)),
    ),
  },
  {
    outputFields: (t) => ({
      ...rowField(t, 'task', Task),
      previousProjectId: t.id({
        nullable: true,
        description: 'The project that it was in before.',
        resolve: (changed) => (changed as unknown as ChangedTask).previousProjectId,
      }),
      previousParentId: t.id({
        nullable: true,
        description: 'The task that it was a sub-task of before.',
        resolve: (changed) => (changed as unknown as ChangedTask).previousParentId,
      }),
    }),
  },
);

builder.relayMutationField(
  'moveTask',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      projectId: t.id({ description: 'Left out: the project that it is in.' }),
      status: t.field({ type: TaskStatus, description: 'The status that it gets there.' }),
      ...stateFields(t),
      beforeId: t.id({ description: 'The task of that project that it is put directly before.' }),
      afterId: t.id({ description: 'Or directly after. Neither: at the end.' }),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description:
      'Puts a task in a place of the order of a project, which is that of POSITION. Moves at once do not get in the way of each other.',
    authScopes: { scope: 'tasks:write' },
    grantScopes: ['self'],
    ...changing((input: Parameters<TaskService['move']>[1], context) =>
      context.services.tasks.move(context.actor, input, (tasks) => chargeTasks(context, tasks)),
    ),
  },
  { outputFields: (t) => rowField(t, 'task', Task) },
);

builder.relayMutationField(
  'deleteTask',
  { inputFields: (t) => ({ id: t.id({ required: true }), expectedUpdatedAt: expectedUpdatedAt(t) }) },
  {
    nullable: true,
    description: 'Puts a task in the trash, with its relationships, comments and times. Its sub-tasks stay.',
    authScopes: { scope: 'tasks:delete' },
    grantScopes: ['self'],
    resolve: async (_root, { input: { id, expectedUpdatedAt } }, context, info) => {
      await chargeDeletion(context, { id });
      const shown = queryFromInfo({ context, info, path: ['task'] }) as object;
      const task = await context.services.tasks.delete(
        context.actor,
        id,
        (tx) => tx.task.findUniqueOrThrow({ ...shown, where: { id } }),
        expectedUpdatedAt,
      );
      return { deletedTaskId: id, task };
    },
  },
  {
    outputFields: (t) => ({
      deletedTaskId: t.exposeID('deletedTaskId'),
      task: t.field({ type: Task, nullable: true, description: 'As it was.', resolve: ({ task }) => task }),
    }),
  },
);
