/** Changes of many tasks by one operation, which cost by how many they are. */
import type { ItemError, ManyChanged, Selected } from '../../tasks/bulkService.js';
import { MOST_TASKS } from '../../tasks/bulkService.js';
import type { Filter } from '../connections/filter.js';
import type { Context } from '../context.js';
import { builder } from './builder.js';
import { chargeDeletion } from './charges.js';
import { listTasks, TaskFilter } from './task.js';
import { TaskPriority, TaskStatus } from './taskEnums.js';
import { ESTIMATE, newTaskFields, stateFields } from './taskMutations.js';

const BulkError = builder.objectRef<ItemError>('BulkError').implement({
  description: 'Why one of many was not changed.',
  fields: (t) => ({
    index: t.exposeInt('index', { description: 'Its place in the input.' }),
    id: t.exposeID('id', { nullable: true, description: 'Of the task; null: it was to be made.' }),
    code: t.exposeString('code'),
    message: t.exposeString('message'),
  }),
});

const NewTask = builder.inputType('NewTask', { fields: newTaskFields });

const ATOMIC = 'All of them or none. false: each by itself, and `errors` says which were not changed.';
const IDS = `Up to ${MOST_TASKS}.`;
const FILTER = 'In place of ids, with expectedCount.';
const EXPECTED = 'How many the filter finds: CONFLICT, and nothing is changed, where it is another number.';

interface Selecting {
  readonly ids?: readonly string[] | null | undefined;
  readonly filter?: Filter | null | undefined;
  readonly expectedCount?: number | null | undefined;
  readonly atomic?: boolean | null | undefined;
}

const selectedBy = ({ ids, filter, expectedCount, atomic }: Selecting, context: Context): Selected => ({
  ids,
  where: filter ? listTasks({ filter }, context).where : undefined,
  expectedCount,
  atomic: atomic !== false,
});

/** What a change of many costs by: as many as are named, each with its labels. */
const rows = {
  rows: ({ ids, tasks, expectedCount, addLabelIds, removeLabelIds }: Readonly<Record<string, unknown>>): number => {
    const labels = lengthOf(addLabelIds) + lengthOf(removeLabelIds);
    const expected = typeof expectedCount === 'number' ? expectedCount : 0;
    return (lengthOf(ids) + lengthOf(tasks) || expected) * (1 + labels);
  },
};
const lengthOf = (list: unknown) => (Array.isArray(list) ? list.length : 0);

const outcome = (t: object) => {
  const { exposeIDList, expose, exposeInt } = t as {
    exposeIDList(name: string, options: object): never;
    expose(name: string, options: object): never;
    exposeInt(name: string, options: object): never;
  };
  return {
    count: exposeInt.call(t, 'count', { description: 'Tasks that were changed.' }),
    taskIds: exposeIDList.call(t, 'taskIds', { description: 'Of those.' }),
    errors: expose.call(t, 'errors', { type: [BulkError], extensions: { size: MOST_TASKS } }),
  };
};
const counted = (changed: ManyChanged) => ({ ...changed, count: changed.taskIds.length });

builder.relayMutationField(
  'createTasks',
  {
    inputFields: (t) => ({
      tasks: t.field({ type: [NewTask], required: true, description: IDS }),
      atomic: t.boolean({ defaultValue: true, description: ATOMIC }),
    }),
  },
  {
    nullable: true,
    description: 'Makes up to 1,000 tasks: all or none, or each by itself (`atomic: false`).',
    authScopes: { scope: 'tasks:write' },
    extensions: rows,
    resolve: async (_root, { input }, { services, actor }) =>
      counted(await services.bulk.create(actor, input.tasks, input.atomic !== false)),
  },
  { outputFields: (t) => outcome(t) },
);

builder.relayMutationField(
  'updateTasks',
  {
    inputFields: (t) => ({
      ids: t.idList({ description: IDS }),
      filter: t.field({ type: TaskFilter, description: FILTER }),
      expectedCount: t.int({ description: EXPECTED }),
      atomic: t.boolean({ defaultValue: true, description: ATOMIC }),
      status: t.field({ type: TaskStatus }),
      ...stateFields(t),
      priority: t.field({ type: TaskPriority }),
      estimate: t.float({ description: ESTIMATE }),
      startDate: t.field({ type: 'DateTime' }),
      dueDate: t.field({ type: 'DateTime' }),
      assigneeId: t.id(),
      addLabelIds: t.idList(),
      removeLabelIds: t.idList(),
    }),
  },
  {
    nullable: true,
    description:
      'Changes what is given, of all of them alike; null clears a date, or the assignee. What a filter finds says something of the tasks, so it takes tasks:read too.',
    authScopes: { scope: ['tasks:read', 'tasks:write'] },
    extensions: rows,
    resolve: async (_root, { input }, context) => {
      const { ids: _ids, filter: _filter, expectedCount: _expected, atomic: _atomic, ...change } = input;
      const { services, actor } = context;
      return counted(await services.bulk.update(actor, selectedBy(input as Selecting, context), change));
    },
  },
  { outputFields: (t) => outcome(t) },
);

builder.relayMutationField(
  'deleteTasks',
  {
    inputFields: (t) => ({
      ids: t.idList({ description: IDS }),
      filter: t.field({ type: TaskFilter, description: FILTER }),
      expectedCount: t.int({ description: EXPECTED }),
      atomic: t.boolean({ defaultValue: true, description: ATOMIC }),
    }),
  },
  {
    nullable: true,
    description: 'Puts tasks in the trash. Sub-tasks stay, unless they are among them.',
    authScopes: { scope: ['tasks:read', 'tasks:delete'] },
    extensions: rows,
    resolve: async (_root, { input }, context) => {
      const { services, actor } = context;
      const selected = selectedBy(input as Selecting, context);
      const where = selected.ids ? { id: { in: selected.ids.slice(0, MOST_TASKS) } } : selected.where;
      if (where) await chargeDeletion(context, where);
      return counted(await services.bulk.delete(actor, selected));
    },
  },
  { outputFields: (t) => outcome(t) },
);
