/** Kaneo's changes of many tasks: by their ids, from a file, and into one. */
import { z } from 'zod';
import { badInput, notFound } from '../../../errors.js';
import { text } from '../../../input.js';
import { type CorePage, PAGE, pageQuery } from '../../pages.js';
import { type Route, route } from '../../route.js';
import { date, dateOrNull, id, type Moment, shownId, title } from '../../shapes.js';
import { KANEO_PRIORITY as PRIORITY } from '../words.js';
import { ALL, type CoreProject, PROJECT } from './shapes.js';
import { type CoreState, STATE, shownStatus, showStatus, stateInput, statusWord } from './statuses.js';

const MOST = 1000;
const OPERATIONS = [
  ...['updateStatus', 'updatePriority', 'updateAssignee', 'updateDueDate', 'addLabel', 'removeLabel'],
  'delete',
] as const;

const NEEDS_VALUE = new Set<string>(['updateStatus', 'updatePriority', 'addLabel', 'removeLabel']);

/** What an operation sets. @throws BAD_USER_INPUT for a value that is none of its own */
function changeOf(operation: string, value: string | null | undefined): object {
  // What is left out, as by a misspelt name, takes nothing away.
  if (value == null && NEEDS_VALUE.has(operation)) {
    throw badInput({
      value: [value === undefined ? 'is required for this operation' : 'must not be null for this operation'],
    });
  }
  if (value === undefined && operation === 'updateAssignee')
    throw badInput({ value: ['is required for this operation; null takes the assignee away'] });
  const read = <T>(type: z.ZodType<T>): T => {
    const result = type.safeParse(value);
    if (!result.success) throw badInput({ value: result.error.issues.map(({ message }) => message) });
    return result.data;
  };
  switch (operation) {
    case 'updateStatus':
      return stateInput(read(statusWord));
    case 'updatePriority':
      return { priority: PRIORITY.value(read(z.enum(PRIORITY.words))) };
    case 'updateAssignee':
      return { assigneeId: value === '' ? null : (value ?? null) };
    case 'updateDueDate':
      return { dueDate: dateOrNull(value == null || value === '' ? null : read(date)) };
    case 'addLabel':
      return { addLabelIds: [labelOf(read(id))] };
    case 'removeLabel':
      return { removeLabelIds: [labelOf(read(id))] };
    default:
      // It is not run then, but read.
      return { status: 'TODO' };
  }
}

/** The label, of the id of a task's copy of it. */
const labelOf = (shown: string) => shown.split('.', 1)[0] ?? '';

const Imported = z
  .object({
    title,
    description: text(0, 10_000).nullish(),
    status: statusWord,
    priority: z.enum(PRIORITY.words).optional(),
    startDate: date.nullish(),
    dueDate: date.nullish(),
    userId: id.nullish(),
    labels: z
      .array(z.looseObject({ name: text(1, 50) }))
      .max(50, 'must have at most 50 entries')
      .optional(),
  })
  .meta({ id: 'KaneoImportedTask' });

interface Outcome {
  readonly count: number;
  readonly taskIds: readonly string[];
  readonly errors: readonly { readonly index: number; readonly message: string }[];
}

interface ExportedTask {
  readonly title: string;
  readonly description: string | null;
  readonly status: string;
  readonly state: CoreState | null;
  readonly priority: string;
  readonly startDate: Moment | null;
  readonly dueDate: Moment | null;
  readonly assigneeId: string | null;
  readonly tags: readonly string[];
}
interface Exported {
  readonly project: CoreProject & { readonly tasks: CorePage<ExportedTask> };
  readonly labels: { readonly nodes: readonly { readonly name: string; readonly color: string }[] };
}

export const bulk: readonly Route[] = [
  route({
    method: 'patch',
    path: '/api/task/bulk',
    summary: 'Change up to 1,000 tasks alike, or delete them: all of them or none',
    tag: 'Kaneo tasks',
    of: null,
    body: z
      .object({
        taskIds: z.array(id).min(1, 'must not be empty').max(MOST, `must have at most ${MOST} entries`),
        operation: z.enum(OPERATIONS),
        value: z.string().max(100, 'must have at most 100 characters').nullish(),
      })
      .meta({ id: 'KaneoBulkChange' }),
    operation: `mutation ChangeKaneoTasks(
      $isDeletion: Boolean!, $change: UpdateTasksInput!, $deletion: DeleteTasksInput!
    ) {
      updateTasks(input: $change) @skip(if: $isDeletion) { count }
      deleteTasks(input: $deletion) @include(if: $isDeletion) { count }
    }`,
    variables: ({ body: { taskIds, operation, value } }) => {
      const isDeletion = operation === 'delete';
      return {
        isDeletion,
        // What is not run costs nothing.
        change: { ids: isDeletion ? [] : taskIds, ...changeOf(operation, value) },
        deletion: { ids: isDeletion ? taskIds : [] },
      };
    },
    status: 200,
    answer: ({ updateTasks, deleteTasks }: { updateTasks?: Outcome; deleteTasks?: Outcome }) => ({
      success: true,
      updatedCount: (updateTasks ?? deleteTasks)?.count ?? 0,
    }),
    answers: z.object({ success: z.boolean(), updatedCount: z.int() }).meta({ id: 'KaneoBulkChanged' }),
    fields: { ids: 'taskIds', assigneeId: 'value', stateSlug: 'value' },
  }),
  route({
    method: 'post',
    path: '/api/task/import/{id}',
    summary: 'Create up to 1,000 tasks in the project of this id; each by itself, and those that fail are told',
    tag: 'Kaneo tasks',
    body: z
      .object({
        tasks: z.array(Imported).min(1, 'must not be empty').max(MOST, `must have at most ${MOST} entries`),
      })
      .meta({ id: 'KaneoImport' }),
    operation: `mutation ImportKaneoTasks($input: CreateTasksInput!) {
      createTasks(input: $input) { count taskIds errors { index message } }
    }`,
    variables: ({ params, body }) => ({
      input: {
        atomic: false,
        tasks: body.tasks.map(({ status, priority, userId, startDate, dueDate, labels, ...task }) => ({
          ...task,
          ...(labels && { tags: labels.map(({ name }) => name) }),
          projectId: params['id'],
          ...stateInput(status),
          ...(priority && { priority: PRIORITY.value(priority) }),
          ...{ startDate: dateOrNull(startDate), dueDate: dateOrNull(dueDate), assigneeId: userId || null },
        })),
      },
    }),
    status: 200,
    answer: ({ createTasks: { taskIds, errors } }: { createTasks: Outcome }, { params, body }) => {
      const nowhere = notFound('project', params['id'] ?? '');
      if (errors.length === body.tasks.length && errors.every(({ message }) => message === nowhere.message))
        throw nowhere;
      // In Kaneo's word for it.
      const failed = new Map(errors.map(({ index, message }) => [index, message.replace(/^stateSlug\b/, 'status')]));
      const ids = taskIds.values();
      return {
        importedAt: new Date(),
        project: { id: params['id'] },
        results: {
          ...{ total: body.tasks.length, successful: taskIds.length, failed: errors.length },
          tasks: body.tasks.map((task, index) => {
            const error = failed.get(index);
            return error === undefined
              ? { success: true, task: { ...task, id: ids.next().value } }
              : { success: false, error, task };
          }),
        },
      };
    },
    answers: z
      .object({
        importedAt: z.iso.datetime(),
        project: z.object({ id: shownId }),
        results: z.object({
          ...{ total: z.int(), successful: z.int(), failed: z.int() },
          tasks: z.array(
            z.object({
              success: z.boolean(),
              error: z.string().optional(),
              task: z.looseObject({ title: z.string() }),
            }),
          ),
        }),
      })
      .meta({ id: 'KaneoImportResult' }),
  }),
  route({
    method: 'get',
    path: '/api/task/export/{id}',
    summary: 'The project of this id with its tasks, as the import takes them',
    tag: 'Kaneo tasks',
    query: z.object(pageQuery(ALL)),
    operation: `query ExportKaneoTasks($id: ID!, $first: Int, $after: String, $offset: Int) {
      project(id: $id) {
        ${PROJECT}
        tasks(first: $first, after: $after, offset: $offset, orderBy: [{ field: POSITION }]) {
          nodes { title description ${STATE} priority startDate dueDate assigneeId tags } ${PAGE}
        }
      }
      labels(first: 1000, orderBy: [{ field: NAME }]) { nodes { name color } }
    }`,
    status: 200,
    isTimed: true,
    answer: ({ project, labels }: Exported) => {
      const colors = new Map(labels.nodes.map(({ name, color }) => [name.toLowerCase(), color]));
      const { name, slug, description } = project;
      return {
        project: { name, slug: slug ?? '', description, exportedAt: new Date() },
        tasks: project.tasks.nodes.map(({ description, status, state, priority, assigneeId, tags, ...task }) => ({
          ...task,
          description: description ?? '',
          status: showStatus({ status, state }),
          priority: PRIORITY.show(priority),
          userId: assigneeId,
          labels: tags.map((tag) => ({ name: tag, color: colors.get(tag.toLowerCase()) ?? null })),
        })),
      };
    },
    answers: z
      .object({
        project: z.object({
          ...{ name: z.string(), slug: z.string(), description: z.string().nullable() },
          exportedAt: z.iso.datetime(),
        }),
        tasks: z.array(
          z.object({
            ...{ title: z.string(), description: z.string(), userId: shownId.nullable() },
            ...{ status: shownStatus, priority: z.enum(PRIORITY.words) },
            ...{ startDate: z.iso.datetime().nullable(), dueDate: z.iso.datetime().nullable() },
            labels: z.array(z.object({ name: z.string(), color: z.string().nullable() })),
          }),
        ),
      })
      .meta({ id: 'KaneoExport' }),
    list: { page: ({ project }) => project.tasks },
    fields: { after: 'cursor' },
  }),
];
