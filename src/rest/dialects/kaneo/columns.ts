/** Kaneo's columns, which are the states of a project. */
import { z } from 'zod';
import { ApiError } from '../../../errors.js';
import { text } from '../../../input.js';
import { slugOf } from '../../../tasks/states.js';
import { cutQuery } from '../../pages.js';
import { route } from '../../route.js';
import { atLeastOne, id, type Moment, shownDate, shownId } from '../../shapes.js';
import { columnSlug, isColumn, isReserved, wordOf } from './statuses.js';

interface CoreColumn {
  readonly id: string;
  readonly projectId: string;
  readonly name: string;
  readonly slug: string;
  readonly color: string | null;
  readonly icon: string | null;
  readonly order: number;
  readonly category: string;
  readonly createdAt: Moment;
  readonly updatedAt: Moment;
}
const COLUMN = 'id projectId name slug color icon order category createdAt updatedAt';
const MOST = 50;

const KColumn = z
  .object({
    ...{ id: shownId, projectId: shownId, name: z.string(), slug: z.string(), position: z.int() },
    ...{ icon: z.string().nullable(), color: z.string().nullable(), isFinal: z.boolean() },
    ...{ createdAt: shownDate, updatedAt: shownDate },
  })
  .meta({ id: 'KaneoColumn' });

interface Deleted {
  readonly deleteState: Omit<CoreColumn, 'id'> & { readonly deletedStateId: string };
}

const FINAL = ['DONE', 'CANCELED'];
const OPEN = ['BACKLOG', 'TRIAGE', 'TODO', 'IN_PROGRESS', 'IN_REVIEW'];
const showColumn = ({ order, category, ...column }: CoreColumn) => ({
  ...column,
  slug: wordOf(column),
  position: order,
  isFinal: FINAL.includes(category),
});

/** Places are counted among the columns alone. */
const showColumns = ({ states }: CoreColumns) =>
  states.nodes.filter(isColumn).map((column, order) => showColumn({ ...column, order }));
interface CoreColumns {
  readonly states: { readonly nodes: readonly CoreColumn[] };
}

/** A column, and the states among which its place is counted. */
const PLACED = `${COLUMN} project { states(first: ${MOST}) { nodes { id slug } } }`;
interface PlacedColumn extends CoreColumn {
  readonly project: { readonly states: { readonly nodes: readonly Pick<CoreColumn, 'id' | 'slug'>[] } };
}
function showPlaced({ project, ...column }: PlacedColumn) {
  const order = project.states.nodes.filter(isColumn).findIndex(({ id }) => id === column.id);
  // One that is called backlog is no column of the list.
  return showColumn(order < 0 ? column : { ...column, order });
}

const name = text(1, 100);
const looks = { icon: text(0, 100).nullish(), color: z.string().nullish(), isFinal: z.boolean().optional() };
const shared = { tag: 'Kaneo columns', status: 200 } as const;

/** The words that are no columns. */
function mustBeFree(name: string): void {
  if (isReserved(slugOf(name))) {
    throw new ApiError('CONFLICT', 'It is a status that is no column.', { fields: { name: ['is reserved'] } });
  }
}

const reorderOf = (columns: readonly { id: string; position: number }[]) =>
  [...columns].sort((one, other) => one.position - other.position).map(({ id }) => id);

export const columns = [
  route({
    ...shared,
    method: 'get',
    path: '/api/column/{id}',
    summary: 'The columns of the project of this id, in their order; their slugs are what a task has for its status',
    query: z.object(cutQuery()),
    isWhole: true,
    operation: `query ListKaneoColumns($id: ID!) {
      project(id: $id) { states(first: ${MOST}) { nodes { ${COLUMN} } } }
    }`,
    answer: ({ project }: { project: CoreColumns }) => showColumns(project),
    answers: z.array(KColumn),
  }),
  route({
    ...shared,
    method: 'post',
    path: '/api/column/{id}',
    summary: 'Add a column at the end of the project of this id; its slug is made of its name',
    body: z.object({ name, ...looks }).meta({ id: 'NewKaneoColumn' }),
    operation: `mutation CreateKaneoColumn($input: CreateStateInput!) {
      createState(input: $input) { state { ${PLACED} } }
    }`,
    variables: ({ params, body: { name, icon, color, isFinal } }) => {
      mustBeFree(name);
      const look = { icon: icon || null, color: color || null };
      const slug = columnSlug(slugOf(name));
      const more = { ...(slug && { slug }), ...(isFinal && { category: 'DONE' }) };
      return { input: { projectId: params['id'], name, ...look, ...more } };
    },
    answer: ({ createState: { state } }: { createState: { state: PlacedColumn } }) => showPlaced(state),
    answers: KColumn,
    fields: { slug: 'name' },
  }),
  route({
    ...shared,
    method: 'put',
    path: '/api/column/reorder/{id}',
    summary: 'Put columns of the project of this id in the order of the positions',
    body: z
      .object({
        columns: z
          .array(z.object({ id, position: z.number() }))
          .min(1, 'must not be empty')
          .max(MOST, `must have at most ${MOST} entries`),
      })
      .meta({ id: 'KaneoColumnOrder' }),
    operation: `mutation ReorderKaneoColumns($input: ReorderStatesInput!) {
      reorderStates(input: $input) { project { states(first: ${MOST}) { nodes { ${COLUMN} } } } }
    }`,
    variables: ({ params, body }) => ({ input: { projectId: params['id'], stateIds: reorderOf(body.columns) } }),
    answer: ({ reorderStates: { project } }: { reorderStates: { project: CoreColumns } }) => showColumns(project),
    answers: z.array(KColumn),
    fields: { stateIds: 'columns' },
  }),
  route({
    ...shared,
    method: 'put',
    path: '/api/column/{id}',
    of: null,
    summary: 'Change what is given of a column; its slug stays. A final one makes its tasks done',
    body: atLeastOne({ name, ...looks }),
    operation: `mutation UpdateKaneoColumn($input: UpdateStateInput!) {
      updateState(input: $input) { state { ${PLACED} } }
    }`,
    variables: ({ params, body: { isFinal, icon, color, ...body } }) => ({
      input: {
        ...{ ...params, ...body, icon: icon === '' ? null : icon, color: color === '' ? null : color },
        ...(isFinal !== undefined && {
          category: isFinal ? 'DONE' : 'IN_PROGRESS',
          keepCategory: isFinal ? FINAL : OPEN,
        }),
      },
    }),
    answer: ({ updateState: { state } }: { updateState: { state: PlacedColumn } }) => showPlaced(state),
    answers: KColumn,
  }),
  route({
    ...shared,
    method: 'delete',
    path: '/api/column/{id}',
    of: null,
    summary: 'Delete a column that has no tasks; answers it as it was',
    operation: `mutation DeleteKaneoColumn($id: ID!) {
      deleteState(input: { id: $id }) {
        deletedStateId projectId name slug color icon order category createdAt updatedAt
      }
    }`,
    answer: ({ deleteState: { deletedStateId, ...column } }: Deleted) => showColumn({ ...column, id: deletedStateId }),
    answers: KColumn,
    fields: { intoId: null },
  }),
];
