/** Tasks from a file, and into one. */
import { badInput, notFound } from '../../errors.js';
import { MAX_PAGE } from '../../operations/pageLimits.js';
import { MOST_TASKS } from '../../tasks/bulkService.js';
import { FILE_COLUMNS, fileTask } from '../../tasks/taskFileRows.js';
import {
  emailsIn,
  type FileProblem,
  knownRows,
  problemsOf,
  readTaskFile,
  type TaskFileFormat,
  tagsIn,
  writeTaskFile,
} from '../../tasks/taskFiles.js';
import { cursorColumns, pageOf, planPage } from '../connections/keyset.js';
import type { Context } from '../context.js';
import { requireScope } from '../requireScope.js';
import { builder } from './builder.js';
import { chargeRows, chargeTasks } from './charges.js';
import type { ListArgs } from './rowTable.js';
import { listTasks, TaskFilter, TaskOrder } from './task.js';

const Format = builder.enumType('TaskFileFormat', {
  values: {
    CSV: {
      description:
        'With a header, of these columns in any order: title, description, status, state (its slug), priority, tags (with commas between them), startDate, dueDate, estimate, position, projectId, parentId, assigneeId, assignee (the email). Cells that a spreadsheet would take for formulas begin with an apostrophe.',
    },
    JSON: { description: '`{ "tasks": [...] }` with the same fields.' },
    KANEO: { description: '`{ "tasks": [...] }` as Kaneo\'s import and export have them.' },
  } as const,
});

const CHARACTERS_OF_POINT = 1000;
/** Of all tasks of a file: each may be a new label. */
const MOST_TAGS = 5000;

const ImportError = builder.objectRef<FileProblem>('TaskImportError').implement({
  description: 'Why a task of the file is not made.',
  fields: (t) => ({
    index: t.exposeInt('index', { description: 'Its place among the tasks of the file, from 0 on.' }),
    line: t.exposeInt('line', { nullable: true, description: 'Of CSV: the line on which it ends, from 1 on.' }),
    code: t.exposeString('code'),
    message: t.exposeString('message'),
  }),
});

builder.relayMutationField(
  'importTasks',
  {
    inputFields: (t) => ({
      format: t.field({ type: Format, required: true }),
      content: t.string({
        required: true,
        description: `The text of the file, with up to ${MOST_TASKS} tasks and ${MOST_TAGS} tags. Each task costs as one of createTasks does, and each tag a point.`,
      }),
      projectId: t.id({ description: 'Of tasks for which the file names no project.' }),
      dryRun: t.boolean({ defaultValue: false, description: 'Says what would become of them, and makes none.' }),
      atomic: t.boolean({ defaultValue: true, description: 'All of them or none. false: each by itself.' }),
    }),
  },
  {
    nullable: true,
    description:
      'Makes tasks of a file, or tells what is wrong with each. The assignees of a file that names them by email take `users:read`.',
    authScopes: { scope: 'tasks:write' },
    resolve: async (_root, { input }, context) => {
      const { content, projectId, dryRun, atomic } = input;
      const format = input.format as TaskFileFormat;
      // Reading it takes time by its length.
      await chargeRows(context, content.length / CHARACTERS_OF_POINT);
      const rows = readTaskFile(format, content, MOST_TASKS);
      if (projectId != null && (await context.db.project.count({ where: { id: projectId } })) === 0) {
        throw notFound('project', projectId);
      }
      // Paid before anything is made, or tried.
      await chargeTasks(context, rows.length);
      const tags = tagsIn(rows);
      if (tags > MOST_TAGS) throw badInput({ content: [`has ${tags} tags; import it in parts of ${MOST_TAGS}`] });
      await chargeRows(context, tags);
      const known = knownRows(rows, await usersOf(emailsIn(rows), context), projectId ?? undefined);
      const isAtomic = atomic !== false;
      const isTrial = dryRun === true || (isAtomic && known.problems.length > 0);
      const { taskIds, errors } = await context.services.bulk.import(context.actor, known.tasks, { isAtomic, isTrial });
      const all = problemsOf(known, errors);
      return {
        dryRun: dryRun === true,
        total: rows.length,
        count: dryRun === true ? rows.length - all.length : isTrial ? 0 : taskIds.length,
        taskIds: isTrial ? [] : [...taskIds],
        errors: all,
      };
    },
  },
  {
    outputFields: (t) => ({
      dryRun: t.exposeBoolean('dryRun'),
      total: t.exposeInt('total', { description: 'Tasks of the file.' }),
      count: t.exposeInt('count', { description: 'Those that were made; of a dry run, that can be made.' }),
      taskIds: t.exposeIDList('taskIds', { description: 'Of those that were made, in the order of the file.' }),
      errors: t.expose('errors', { type: [ImportError], extensions: { size: MOST_TASKS } }),
    }),
  },
);

async function usersOf(emails: readonly string[], context: Context): Promise<Map<string, string>> {
  if (emails.length === 0) return new Map();
  requireScope(context, 'users:read', 'A file that names assignees by email');
  const where = { email: { in: [...emails] } };
  const users = await context.db.user.findMany({ where, select: { id: true, email: true } });
  return new Map(users.map(({ id, email }) => [email, id]));
}

interface Exported {
  readonly content: string;
  readonly count: number;
  readonly hasNextPage: boolean;
  readonly endCursor: string | null;
}

const TaskExport = builder.objectRef<Exported>('TaskExport').implement({
  description: 'A file of tasks, which importTasks takes.',
  fields: (t) => ({
    content: t.exposeString('content'),
    count: t.exposeInt('count', { description: 'Tasks in it.' }),
    hasNextPage: t.exposeBoolean('hasNextPage', { description: 'Whether there are more, after endCursor.' }),
    endCursor: t.exposeString('endCursor', { nullable: true }),
  }),
});

builder.queryField('exportTasks', (t) =>
  t.field({
    type: TaskExport,
    nullable: true,
    description:
      'A file of the tasks that a list has, a page at a time. With `users:read`, CSV and JSON tell the emails of assignees too.',
    authScopes: { scope: 'tasks:read' },
    args: {
      format: t.arg({ type: Format, required: true }),
      filter: t.arg({ type: TaskFilter }),
      search: t.arg.string(),
      orderBy: t.arg({ type: [TaskOrder] }),
      first: t.arg.int({ defaultValue: MAX_PAGE, description: `Up to ${MAX_PAGE}, each of which costs a point.` }),
      after: t.arg.string(),
    },
    resolve: async (_root, { format, ...args }, context) => {
      const first = args.first ?? MAX_PAGE;
      const list = listTasks({ ...args, first } as ListArgs, context);
      if (first < 0 || first > MAX_PAGE) throw badInput({ first: [`must be from 0 to ${MAX_PAGE}; it is ${first}`] });
      await chargeRows(context, first);
      const narrowed = await list.narrow?.();
      const plan = planPage(list.args, list.order);
      const tellsUsers = context.principal.scopes.has('users:read') && format !== 'KANEO';
      if (tellsUsers) context.use.scopes.add('users:read');
      const found = await context.db.task.findMany({
        where: { AND: [list.where, narrowed?.where ?? {}, ...plan.where] },
        orderBy: plan.orderBy,
        take: plan.take,
        select: { ...FILE_COLUMNS, ...cursorColumns(plan) } as typeof FILE_COLUMNS,
      });
      const page = pageOf(plan, list.args, found);
      const tasks = page.edges.map(({ node }) => fileTask(node, tellsUsers));
      const { hasNextPage, endCursor } = page.pageInfo;
      return { content: writeTaskFile(format as TaskFileFormat, tasks), count: tasks.length, hasNextPage, endCursor };
    },
  }),
);
