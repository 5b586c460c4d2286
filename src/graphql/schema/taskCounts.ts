/** How many tasks there are of each kind, by one statement for each way to group them. */
import { badInput } from '../../errors.js';
import type { Context } from '../context.js';
import { builder } from './builder.js';
import { listTasks, TaskFilter } from './task.js';
import { TaskPriority, TaskStatus } from './taskEnums.js';

const TaskGroup = builder.enumType('TaskGroup', {
  values: {
    STATUS: { value: 'status' },
    STATE: { value: 'stateId', description: 'By the id of the state of its project; null: none.' },
    PRIORITY: { value: 'priority' },
    PROJECT: { value: 'projectId', description: 'By the id; null: without a project.' },
    ASSIGNEE: { value: 'assigneeId', description: 'By the id; null: nobody.' },
    LABEL: { value: 'label', description: 'By the id. A task counts for each of its labels.' },
  } as const,
});
type Group = 'status' | 'stateId' | 'priority' | 'projectId' | 'assigneeId' | 'label';

/** Values of one grouping that are answered, those of most tasks. */
const MOST_VALUES = 100;
const MOST_GROUPS = 5;
/** Of a sum: so many are told of the same numbers by every database. */
const DIGITS = 12;
/** Points: each grouping reads every task that the filter finds. */
const COUNT_COST = 50 * MOST_GROUPS;

interface Count {
  readonly by: Group;
  readonly value: string | number | null;
  readonly count: number;
  /** Null: of labels. */
  readonly estimate: number | null;
}

const TaskCount = builder.objectRef<Count>('TaskCount').implement({
  fields: (t) => ({
    id: t.id({
      nullable: true,
      description: 'Of the state, project, assignee or label; null: none, or grouped by something else.',
      resolve: ({ by, value }) => (by === 'status' || by === 'priority' ? null : String(value ?? '') || null),
    }),
    status: t.field({
      type: TaskStatus,
      nullable: true,
      resolve: ({ by, value }) => (by === 'status' ? (value as 0) : null),
    }),
    priority: t.field({
      type: TaskPriority,
      nullable: true,
      resolve: ({ by, value }) => (by === 'priority' ? (value as 0) : null),
    }),
    count: t.exposeInt('count'),
    estimate: t.exposeFloat('estimate', {
      nullable: true,
      description: 'The sum of their estimates; not told by label.',
    }),
  }),
});

const TaskCounts = builder.objectRef<{ by: Group; counts: readonly Count[] }>('TaskCounts').implement({
  fields: (t) => ({
    by: t.expose('by', { type: TaskGroup }),
    counts: t.field({
      type: [TaskCount],
      description: `Most tasks first, up to ${MOST_VALUES}.`,
      extensions: { size: MOST_VALUES },
      resolve: ({ counts }) => [...counts],
    }),
  }),
});

async function countBy(by: Group, where: object, { db }: Context): Promise<Count[]> {
  if (by === 'label') {
    const rows = await db.taskTag.groupBy({
      by: ['labelId'],
      where: { task: where },
      _count: { _all: true },
      orderBy: [{ _count: { labelId: 'desc' } }, { labelId: 'asc' }],
      take: MOST_VALUES,
    });
    return rows.map(({ labelId, _count }) => ({ by, value: labelId, count: _count._all, estimate: null }));
  }
  // What Prisma infers of the columns, it infers of a name that is known.
  const tasks = db.task as unknown as { groupBy(query: object): Promise<Grouped[]> };
  const rows = await tasks.groupBy({
    by: [by],
    where,
    _count: { _all: true },
    _sum: { estimate: true },
    orderBy: [{ _count: { id: 'desc' } }, { [by]: 'asc' }],
    take: MOST_VALUES,
  });
  return rows.map((row) => ({
    by,
    value: row[by] ?? null,
    count: row._count._all,
    estimate: sumOf(row._sum.estimate),
  }));
}

/** Databases add in different orders, and so differ in the last digits. */
function sumOf(sum: number | null): number {
  return Number((sum ?? 0).toPrecision(DIGITS));
}

type Grouped = {
  readonly _count: { readonly _all: number };
  readonly _sum: { readonly estimate: number | null };
} & Readonly<Partial<Record<Exclude<Group, 'label'>, string | number | null>>>;

builder.queryField('taskCounts', (t) =>
  t.field({
    type: [TaskCounts],
    nullable: true,
    description: 'How many tasks there are, grouped in one way or several; what has no task is left out.',
    authScopes: { scope: 'tasks:read' },
    extensions: { cost: COUNT_COST, size: MOST_GROUPS },
    args: {
      groupBy: t.arg({ type: [TaskGroup], required: true }),
      filter: t.arg({ type: TaskFilter }),
    },
    resolve: async (_root, { groupBy, filter }, context) => {
      const { where } = listTasks({ filter }, context);
      if (groupBy.length > MOST_GROUPS) throw badInput({ groupBy: [`must have at most ${MOST_GROUPS} entries`] });
      return Promise.all(groupBy.map(async (by) => ({ by, counts: await countBy(by, where, context) })));
    },
  }),
);
