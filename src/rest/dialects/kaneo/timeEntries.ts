/** Kaneo's time entries. */
import { z } from 'zod';
import { text } from '../../../input.js';
import { type CorePage, PAGE, pageQuery } from '../../pages.js';
import { resource } from '../../resource.js';
import { route } from '../../route.js';
import { date, id, type Moment, shownDate, shownId, toDateTime } from '../../shapes.js';
import { ALL } from './shapes.js';

const KTimeEntry = z
  .object({
    ...{ id: shownId, taskId: shownId, userId: shownId.nullable(), description: z.string().nullable() },
    ...{ startTime: shownDate, endTime: shownDate.optional() },
    duration: z.int().nullable().meta({ description: 'Seconds; null: it is running.' }),
    ...{ createdAt: shownDate, updatedAt: shownDate },
  })
  .meta({ id: 'KaneoTimeEntry' });

interface CoreTimeEntry {
  readonly id: string;
  readonly taskId: string;
  readonly userId: string | null;
  readonly note: string | null;
  readonly startedAt: Moment;
  readonly endedAt: Moment | null;
  readonly seconds: number | null;
  readonly createdAt: Moment;
  readonly updatedAt: Moment;
}
const TIME_ENTRY = 'id taskId userId note startedAt endedAt seconds createdAt updatedAt';
const tag = 'Kaneo time entries';

const showTimeEntry = ({ note, startedAt, endedAt, seconds, ...entry }: CoreTimeEntry) => ({
  ...entry,
  description: note,
  startTime: startedAt,
  ...(endedAt !== null && { endTime: endedAt }),
  duration: seconds,
});

const times = { startTime: date, endTime: date.optional(), description: text(0, 1000).optional() };

const timeInput = ({ startTime, endTime, description }: z.output<z.ZodObject<typeof times>>) => ({
  startedAt: toDateTime(startTime),
  ...(endTime !== undefined && { endedAt: toDateTime(endTime) }),
  ...(description !== undefined && { note: description }),
});

const timeEntry = resource({
  ...{ dialect: 'Kaneo', type: 'TimeEntry', tag, path: '/api/time-entry/{id}' },
  ...{ selection: TIME_ENTRY, show: showTimeEntry, answers: KTimeEntry },
  fields: { startedAt: 'startTime', endedAt: 'endTime', note: 'description' },
});

export const timeEntries = [
  route({
    method: 'get',
    path: '/api/time-entry/task/{id}',
    summary: 'List the time entries of a task, latest first',
    tag,
    query: z.object(pageQuery(ALL)),
    operation: `query ListKaneoTimeEntries($id: ID!, $first: Int, $after: String, $offset: Int) {
      task(id: $id) {
        timeEntries(
          first: $first, after: $after, offset: $offset, orderBy: [{ field: STARTED_AT, direction: DESC }]
        ) { nodes { ${TIME_ENTRY} } ${PAGE} }
      }
    }`,
    status: 200,
    answer: ({ task }: { task: { timeEntries: CorePage<CoreTimeEntry> } }) => task.timeEntries.nodes.map(showTimeEntry),
    answers: z.array(KTimeEntry),
    list: { page: ({ task }) => task.timeEntries },
    fields: { after: 'cursor' },
  }),
  timeEntry.create({
    path: '/api/time-entry',
    summary: 'Log time on a task; without an end it is running, and what ran before ends',
    status: 200,
    body: z.object({ taskId: id, ...times }).meta({ id: 'NewKaneoTimeEntry' }),
    variables: ({ body }) => ({ input: { taskId: body.taskId, ...timeInput(body) } }),
  }),
  timeEntry.get('Get a time entry'),
  timeEntry.change({
    method: 'put',
    summary: "Change a time entry of one's own; one without an end keeps the one that it has",
    body: z.object(times).meta({ id: 'KaneoTimeEntryChange' }),
    variables: ({ params, body }) => ({ input: { ...params, ...timeInput(body) } }),
  }),
];
