import type { NewestTasks } from '../../db/rows.js';
import { badInput, notFound } from '../../errors.js';
import { identifierOf, numberOf } from '../../tasks/identifier.js';
import { DONE } from '../../tasks/states.js';
import type { KeptCount, Narrowed } from '../connections/connection.js';
import { OFFSET_DESCRIPTION } from '../connections/keyset.js';
import type { Context } from '../context.js';
import { oneRow, refersTo, type Source } from '../plans/source.js';
import { builder } from './builder.js';
import { enumFilter, IdFilter, TagsFilter } from './filters.js';
import { Node } from './node.js';
import { innerListField, type ListArgs, rowTable } from './rowTable.js';
import { TaskPriority, TaskStatus } from './taskEnums.js';
import { Project } from './types.js';
import { User } from './user.js';

/** By its name, as others are that are made later. */
const LabelsFilter = builder.inputType('LabelsFilter', {
  description: 'By its labels: it has one that the filter finds, or none.',
  fields: (t) => ({ some: t.field({ type: 'LabelFilter' as never }), none: t.field({ type: 'LabelFilter' as never }) }),
});

const table = rowTable('Task', {
  search: ['title', 'description'],
  // BRD-12
  searchWord: (word) => (numberOf(word) === undefined ? undefined : { number: numberOf(word) }),
  indexed: indexedTasks,
  columns: {
    id: { hidden: true, filter: true },
    number: { description: 'Counts up within the workspace and environment.', filter: true, order: true },
    title: { filter: true, order: true },
    description: { filter: true },
    status: { type: TaskStatus, filter: { type: enumFilter('TaskStatusFilter', TaskStatus) }, order: true },
    priority: {
      type: TaskPriority,
      filter: { type: enumFilter('TaskPriorityFilter', TaskPriority, true) },
      order: true,
    },
    stateId: {
      description: 'A state of its project, whose category is its status; null where the project has no such state.',
      filter: true,
    },
    stateSlug: {
      hidden: true,
      filter: {
        ...{ type: IdFilter, description: 'What the state is called, in whichever project.' },
        having: (slugs) => ({ state: { slug: { in: [...slugs] } } }),
      },
    },
    tags: { hidden: true, filter: { type: TagsFilter, tags: true } },
    labels: {
      hidden: true,
      filter: {
        type: LabelsFilter,
        related: { table: 'Label', having: (label) => ({ tags: { some: { label } } }) },
      },
    },
    isBlocked: {
      hidden: true,
      filter: {
        ...{ type: 'Boolean', description: 'Whether a task blocks it that the key sees.' },
        holds: ({ seenTies }) => ({ incoming: { some: { AND: [{ type: 'BLOCKS' }, seenTies] } } }),
      },
    },
    hasOpenBlockers: {
      hidden: true,
      filter: {
        ...{ type: 'Boolean', description: 'Whether one of those is neither done nor canceled.' },
        holds: ({ seenTies }) => ({
          incoming: { some: { AND: [{ type: 'BLOCKS' }, { task: { status: { lt: DONE } } }, seenTies] } },
        }),
      },
    },
    assignee: {
      hidden: true,
      filter: {
        ...{ type: 'UserFilter', scope: 'users:read' },
        related: { table: 'User', column: 'assigneeId', having: (assignee) => ({ assignee }) },
      },
    },
    createdBy: {
      hidden: true,
      filter: {
        ...{ type: 'UserFilter', scope: 'users:read' },
        related: { table: 'User', column: 'createdById', having: (createdBy) => ({ createdBy }) },
      },
    },
    project: {
      hidden: true,
      filter: {
        ...{ type: 'ProjectFilter', scope: 'projects:read' },
        related: { table: 'Project', column: 'projectId', having: (project) => ({ project }) },
      },
    },
    parent: {
      hidden: true,
      filter: { type: 'TaskFilter', related: { table: 'Task', column: 'parentId', having: (parent) => ({ parent }) } },
    },
    isMine: {
      hidden: true,
      filter: {
        ...{ type: 'Boolean', description: 'Whether it is assigned to the user as whom the key acts.' },
        holds: ({ userId, onDependence }) => {
          onDependence();
          // The contrary holds for tasks of nobody, too.
          return userId === null
            ? { id: { in: [] } }
            : { AND: [{ assigneeId: { not: null } }, { assigneeId: userId }] };
        },
      },
    },
    startDate: { filter: true, order: true },
    dueDate: { filter: true, order: true },
    position: { description: 'The place on a board; by default the number.', order: true },
    estimate: {
      description: 'How much work it is, in what its team counts: points, hours.',
      filter: true,
      order: true,
    },
    projectId: { filter: true },
    parentId: { description: 'The task that it is a sub-task of.', filter: true },
    assigneeId: { filter: true },
    createdById: { filter: true },
    createdByKeyId: { description: 'The API key that made it.' },
    createdAt: { filter: true, order: true },
    updatedAt: { filter: true, order: true },
  },
});

/** An identifier is found by the number of the task, and in texts. */
async function indexedTasks(
  words: readonly string[],
  context: Context,
  newest?: NewestTasks,
): Promise<Narrowed | undefined> {
  const { reach, reader, services } = context;
  const { texts } = services.database;
  const plain = words.filter((word) => numberOf(word) === undefined);
  const searched = plain.length > 0 ? plain : words.slice(0, 1);
  // One that is named is found, whether texts have the name or not.
  const page = plain.length > 0 ? newest : undefined;
  let found = page && (await texts.newestTasks(reach, searched));
  const entries = page && found && texts.newestNumbers(reach, found, page.take);
  if (entries) {
    // Tasks of lower numbers come after the page, unless one was made later.
    const numbers = await services.database.rows.prepareNewest(reach, page, entries)(reader);
    if (numbers) return { where: { number: { in: numbers } }, isPage: true };
  }
  if (!found?.isWhole) found = await texts.tasks(reach, searched);
  // Of many, those that come first in the list are found soon without it.
  if (!found?.isWhole || !found.isRare) return undefined;
  const named = searched.flatMap((word) => numberOf(word) ?? []);
  return { where: { number: { in: [...found.values, ...named] } } };
}

export const Task = builder.prismaObject('Task', {
  description: 'A piece of work.',
  select: { id: true },
  interfaces: [Node],
  authScopes: { $any: { scope: 'tasks:read', $granted: 'self' } },
  fields: (t) => ({
    ...table.fields(t),
    identifier: t.string({
      description:
        'What people call it: the key of its project and its number, BRD-12; #12 without a project. It finds the task in another project too. The key is told to whoever reads the task.',
      extensions: { source: { kind: 'identifier' } satisfies Source },
      select: { number: true, project: { select: { key: true } } },
      resolve: ({ number, project }) => identifierOf(project?.key, number),
    }),
    tags: t.stringList({
      extensions: { source: { kind: 'tags' } satisfies Source },
      select: { tags: { select: { name: true }, orderBy: { name: 'asc' } } },
      resolve: (task) => task.tags.map((tag) => tag.name),
    }),
    project: t.relation('project', {
      ...{ type: Project, nullable: true, authScopes: { scope: 'projects:read' } },
      ...refersTo('Project', 'projectId'),
    }),
    assignee: t.relation('assignee', {
      ...{ type: User, nullable: true, authScopes: { scope: 'users:read' } },
      ...refersTo('User', 'assigneeId'),
    }),
    createdBy: t.relation('createdBy', {
      ...{ type: User, nullable: true, authScopes: { scope: 'users:read' } },
      ...refersTo('User', 'createdById'),
    }),
  }),
});

export const TaskEdge = builder.edgeObject({ name: 'TaskEdge', type: Task });
export const TaskConnection = builder.connectionObject({ name: 'TaskConnection', type: Task }, TaskEdge);

export const TaskFilter = table.filterInput();
export const TaskOrder = table.orderInput();

export const taskConnectionArgs = builder.args((t) => ({
  filter: t.field({ type: TaskFilter }),
  search: t.string({
    description: 'Words that the title or the description contains; BRD-12 finds the task of this identifier too.',
  }),
  orderBy: t.field({
    type: [TaskOrder],
    description: 'Newest first where nothing is given; rows without a value come last.',
  }),
  offset: t.int({ description: OFFSET_DESCRIPTION }),
}));

export function listTasks(args: ListArgs, context: Context, where?: object) {
  const isAll = !args.filter && !args.search && !where && !context.reach.bound;
  return table.list(args, context, where, isAll ? ALL_TASKS : undefined);
}

/** All tasks of the environment, from the count that the database keeps: to count a million takes too long. */
const ALL_TASKS: KeptCount = { model: 'TaskCount', column: 'tasks' };

/** @throws BAD_USER_INPUT for both, or neither; NOT_FOUND for what is no identifier */
function findTask({ id, identifier }: Readonly<Record<string, unknown>>): { id: string; where?: { number: number } } {
  if ((id == null) === (identifier == null)) throw badInput({ id: ['is required, or identifier, and not both'] });
  if (id != null) return { id: String(id) };
  const number = numberOf(String(identifier));
  if (number === undefined) throw notFound('task', String(identifier));
  return { id: String(identifier), where: { number } };
}

builder.prismaObjectField(Task, 'parent', (t) =>
  t.relation('parent', {
    ...{ type: Task, nullable: true, authScopes: { scope: 'tasks:read' } },
    description: 'The task that it is a sub-task of; both are in the same project.',
    ...refersTo('Task', 'parentId'),
  }),
);

builder.prismaObjectField(Task, 'children', (t) =>
  t.connection(
    {
      type: Task,
      nullable: true,
      description: 'Its sub-tasks. How many are done: `children(filter: { status: { eq: DONE } }) { totalCount }`.',
      authScopes: { scope: 'tasks:read' },
      args: taskConnectionArgs,
      ...innerListField((args: ListArgs, context, parentId) => table.list(args, context, { parentId })),
    },
    TaskConnection,
    TaskEdge,
  ),
);

builder.queryFields((t) => ({
  task: t.prismaField({
    type: Task,
    ...oneRow('Task', 'task', findTask),
    nullable: true,
    description: 'By its id or its identifier.',
    authScopes: { scope: 'tasks:read' },
    args: { id: t.arg.id(), identifier: t.arg.string({ description: 'BRD-12, or #12.' }) },
    resolve: async (query, _root, args, { db }) => {
      const { id, where = { id } } = findTask(args);
      const task = await db.task.findFirst({ ...query, where });
      if (!task) throw notFound('task', id);
      return task;
    },
  }),
  tasks: t.connection(
    {
      type: Task,
      nullable: true,
      description: 'Tasks, newest first where no order is given: by a filter, or by words of a search.',
      authScopes: { scope: 'tasks:read' },
      args: taskConnectionArgs,
      ...table.listField(listTasks),
    },
    TaskConnection,
    TaskEdge,
  ),
}));
