/** Kaneo's activity of a task: of each change, one entry for each field that it knows. */
import { z } from 'zod';
import { type CorePage, PAGE, pageQuery } from '../../pages.js';
import { route } from '../../route.js';
import { type Moment, shownDate, shownId } from '../../shapes.js';
import { KANEO_PRIORITY, KANEO_STATUS } from '../words.js';
import { ALL } from './shapes.js';

const TYPES = {
  status: 'status_changed',
  stateId: 'status_changed',
  priority: 'priority_changed',
  assigneeId: 'assignee_changed',
  dueDate: 'due_date_changed',
  title: 'title_changed',
  description: 'description_changed',
} as const;

const KActivity = z
  .object({
    ...{ id: shownId, taskId: shownId, createdAt: shownDate, userId: shownId.nullable() },
    type: z.enum(['create', 'task', 'unassigned', ...Object.values(TYPES)]),
    content: z.null(),
    eventData: z.record(z.string(), z.unknown()).nullable(),
    ...{ externalUserName: z.null(), externalUserAvatar: z.null(), externalSource: z.null(), externalUrl: z.null() },
  })
  .meta({ id: 'KaneoActivity' });

interface CoreActivity {
  readonly id: string;
  readonly action: string;
  readonly taskId: string;
  readonly actorUserId: string | null;
  readonly createdAt: Moment;
  readonly changes: string | null;
}

/** Kaneo's words for what is told by a name. */
const WORDS = new Map<string, { show(value: string): string }>([
  ['status', KANEO_STATUS],
  ['priority', KANEO_PRIORITY],
]);
const inWords = (field: string, value: unknown): unknown =>
  typeof value === 'string' ? (WORDS.get(field)?.show(value) ?? value) : value;

function showActivity({ id, action, taskId, actorUserId, createdAt, changes }: CoreActivity) {
  const shown = (name: string, type: string, eventData: object | null) => ({
    ...{
      id: name === '' ? id : `${id}.${name}`,
      taskId,
      type,
      createdAt,
      userId: actorUserId,
      content: null,
      eventData,
    },
    ...{ externalUserName: null, externalUserAvatar: null, externalSource: null, externalUrl: null },
  });
  if (action === 'task.create') return [shown('', 'create', null)];
  const fields = Object.entries(
    (JSON.parse(changes ?? '{}') ?? {}) as Record<string, { from?: unknown; to?: unknown }>,
  );
  if (fields.length === 0) return [shown('', 'task', null)];
  const isStatus = fields.some(([field]) => field === 'status');
  return fields
    .filter(([field]) => field !== 'stateId' || !isStatus)
    .map(([field, { from = null, to = null }]) => {
      const type =
        field === 'assigneeId' && to === null ? 'unassigned' : (TYPES[field as keyof typeof TYPES] ?? 'task');
      return shown(field, type, { field, from: inWords(field, from), to: inWords(field, to) });
    });
}

export const activity = route({
  method: 'get',
  path: '/api/activity/{id}',
  summary:
    'What happened to the task of this id, newest first; `limit` counts changes, of which each may be several entries',
  tag: 'Kaneo tasks',
  query: z.object(pageQuery(ALL)),
  operation: `query ListKaneoActivity($id: ID!, $first: Int, $after: String, $offset: Int) {
    task(id: $id) {
      activity(first: $first, after: $after, offset: $offset) {
        nodes { id action taskId actorUserId createdAt changes } ${PAGE}
      }
    }
  }`,
  status: 200,
  answer: ({ task }: { task: { activity: CorePage<CoreActivity> } }) => task.activity.nodes.flatMap(showActivity),
  answers: z.array(KActivity),
  list: { page: ({ task }) => task.activity },
  fields: { after: 'cursor' },
});
