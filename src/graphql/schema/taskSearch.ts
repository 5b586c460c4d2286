/** Tasks by the words of their titles, descriptions and comments, those first that fit best. */
import { queryFromInfo } from '@pothos/plugin-prisma';
import type { Join, RowSelection } from '../../db/selection.js';
import type { Table, Where } from '../../db/statement.js';
import { foldCase } from '../../db/text.js';
import { badInput } from '../../errors.js';
import { DEFAULT_PAGE, MAX_PAGE } from '../../operations/pageLimits.js';
import { isStorableDate } from '../../storable.js';
import { numberOf } from '../../tasks/identifier.js';
import { commentScore, MOST_MATCHES, type Snippet, snippetOf, titleScore } from '../../tasks/relevance.js';
import { type Filter, searchWhere, searchWords } from '../connections/filter.js';
import type { Context } from '../context.js';
import { builder } from './builder.js';
import { Comment } from './comment.js';
import { listTasks, Task, TaskFilter } from './task.js';

/** Of the tasks that are found, the newest that are ranked; the same of those that are found by a comment. */
const MOST_RANKED = 500;
/** Of those that the index has, the newest that are looked at first, and next: some have the letters of the words, and not the words. */
const TRIED = [600, 1000];
const MOST_TRIED = Math.max(...TRIED);

type Field = 'TITLE' | 'DESCRIPTION' | 'COMMENT' | 'IDENTIFIER';

interface Ranked {
  readonly id: string;
  readonly title: string;
  readonly createdAt: Date;
  readonly score: number;
  /** Of the comment that has the words; null: the task itself has them. */
  readonly commentId: string | null;
}
interface FoundTask extends Ranked {
  readonly cursor: string;
  readonly field: Field;
  readonly snippet: Snippet;
  readonly node: { id: string };
}

const TextMatch = builder.objectRef<Snippet['matches'][number]>('TextMatch').implement({
  description: 'A place in a text, in UTF-16 code units.',
  fields: (t) => ({ start: t.exposeInt('start'), end: t.exposeInt('end', { description: 'The first one after it.' }) }),
});

const TextSnippet = builder.objectRef<Snippet>('TextSnippet').implement({
  description: 'A part of a text, as plain text.',
  fields: (t) => ({
    text: t.exposeString('text'),
    matches: t.expose('matches', {
      type: [TextMatch],
      description: 'Where the words are.',
      extensions: { size: MOST_MATCHES },
    }),
  }),
});

const FoundIn = builder.enumType('TaskSearchField', {
  values: {
    TITLE: {},
    DESCRIPTION: { description: 'Or partly there.' },
    COMMENT: {},
    IDENTIFIER: { description: 'BRD-12 was searched for.' },
  } as const,
});

const TaskSearchEdge = builder.edgeObject({
  name: 'TaskSearchEdge',
  type: Task,
  fields: (t) => ({
    score: t.float({
      description: 'The more, the better it fits; only within one answer does it say anything.',
      resolve: (edge) => (edge as unknown as FoundTask).score,
    }),
    field: t.field({ type: FoundIn, resolve: (edge) => (edge as unknown as FoundTask).field }),
    snippet: t.field({ type: TextSnippet, resolve: (edge) => (edge as unknown as FoundTask).snippet }),
    comment: t.field({
      type: Comment,
      nullable: true,
      description: 'The newest comment that has the words, where the task itself does not have them.',
      authScopes: { scope: 'tasks:read' },
      resolve: async (edge, _args, { db }) => {
        const { commentId } = edge as unknown as FoundTask;
        return commentId === null ? null : db.comment.findUnique({ where: { id: commentId } });
      },
    }),
  }),
});
const TaskSearchConnection = builder.connectionObject({ name: 'TaskSearchConnection', type: Task }, TaskSearchEdge);

builder.queryField('searchTasks', (t) =>
  t.connection(
    {
      type: Task,
      nullable: true,
      description: `Tasks whose title and description have all the words, or one of whose comments has them: the best first, then the newest. Words of the title count most, whole ones more. Of more than ${MOST_RANKED} that are found, the newest are ranked.`,
      authScopes: { scope: 'tasks:read' },
      // Comments are searched too.
      extensions: { cost: 50 },
      args: {
        search: t.arg.string({ required: true, description: 'Words, or parts of them; BRD-12 finds the task.' }),
        filter: t.arg({ type: TaskFilter }),
      },
      resolve: async (_root, args, context, info) => {
        const { search, filter, first, last, after, before } = args;
        // What may not be compared is refused before anything that is wrong with the rest.
        const within = listTasks({ filter: filter as Filter | null | undefined }, context).where;
        if (last != null || before != null) throw badInput({ last: ['is not taken here: the best come first'] });
        const size = first ?? DEFAULT_PAGE;
        if (size < 0 || size > MAX_PAGE) throw badInput({ first: [`must be from 0 to ${MAX_PAGE}; it is ${size}`] });
        const words = searchWords(search);
        if (words.length === 0) throw badInput({ search: ['must not be empty'] });
        const all = await rank(words, within, context);
        const start = after == null ? 0 : placeAfter(all, after);
        const page = all.slice(start, start + size);
        const query = queryFromInfo({ context, info, select: { id: true }, paths: [['nodes'], ['edges', 'node']] });
        const ids = page.map(({ id }) => id);
        const rows = await context.db.task.findMany({
          ...(query as { select: { id: true } }),
          where: { id: { in: ids } },
        });
        const nodes = new Map(rows.map((row) => [row.id, row]));
        const shown = await withSnippets(page, words, context);
        // One may be gone meanwhile.
        const edges = shown.flatMap((found) => {
          const node = nodes.get(found.id);
          return node ? [{ ...found, node }] : [];
        });
        return {
          edges,
          pageInfo: {
            hasNextPage: start + size < all.length,
            hasPreviousPage: start > 0,
            startCursor: edges[0]?.cursor ?? null,
            endCursor: edges.at(-1)?.cursor ?? null,
          },
          totalCount: async () => all.length,
        } as never;
      },
    },
    TaskSearchConnection,
    TaskSearchEdge,
  ),
);

const TASK = { alias: 'Task', model: 'Task' };
const COMMENT = { alias: 'Comment', model: 'Comment' };
const COMMENTED: Join = { alias: 'j0', model: 'Task', from: COMMENT, column: 'taskId' };
const rankedOf = (table: Table) => ['id', 'title', 'createdAt'].map((column) => ({ table, column }));
const TASKS: RowSelection = { model: 'Task', columns: rankedOf(TASK), joins: [] };
const COMMENTS: RowSelection = {
  model: 'Comment',
  columns: [...rankedOf(COMMENTED), { table: COMMENT, column: 'id' }],
  joins: [COMMENTED],
};
type RankedRow = [id: string, title: string, createdAt: Date, commentId?: string];

/** All that are ranked, the best first. @param within what the tasks must satisfy, as Prisma takes it */
async function rank(words: readonly string[], within: object, context: Context): Promise<Ranked[]> {
  const { reach, reader, services } = context;
  const { provider, recentTexts, rows, texts } = services.database;
  const { where, narrow } = listTasks({ search: words.join(' ') }, context, within);
  const orderBy = [{ createdAt: 'desc' as const }, { id: 'desc' as const }];
  const newest = (selection: RowSelection, conditions: object[]) =>
    rows.prepare(reach, { selection, where: { AND: conditions }, orderBy, take: MOST_RANKED })(reader) as Promise<
      RankedRow[]
    >;
  const findTasks = (more: object) => newest(TASKS, [where, more]);
  const inComments = [...searchWhere(words, ['body'], provider), { deletedAt: null, task: within }];
  const findComments = (more: object) => newest(COMMENTS, [...inComments, more]);
  const all = { where: where as Where, take: MOST_RANKED };
  const isNamed = words.some((word) => numberOf(word) !== undefined);
  const [tasks, comments] = await Promise.all([
    isNamed
      ? Promise.resolve(narrow?.()).then((known) => findTasks(known?.where ?? {}))
      : texts.newestTasks(reach, words, MOST_TRIED).then((found) =>
          newestOf(
            found,
            () => texts.tasks(reach, words),
            (numbers) => findTasks({ number: { in: numbers } }),
            () => recentTexts.newest(reach, words, all, (recent) => findTasks(recent ?? {})),
          ),
        ),
    texts.newestComments(reach, words, MOST_TRIED).then((found) =>
      newestOf(
        found,
        () => texts.comments(reach, words),
        (ids) => findComments({ id: { in: ids } }),
        () => findComments({}),
      ),
    ),
  ]);
  const found = new Map<string, Ranked>();
  for (const [id, title, createdAt, commentId = null] of comments) {
    if (!found.has(id)) found.set(id, { id, title, createdAt, score: commentScore(words), commentId });
  }
  for (const [id, title, createdAt] of tasks) {
    found.set(id, { id, title, createdAt, score: titleScore(title, words), commentId: null });
  }
  return [...found.values()].sort(compare);
}

interface Indexed<Value> {
  readonly values: readonly Value[];
  readonly isWhole: boolean;
}

/**
 * Of many, the index has the newest; where too few of these fit, all that it has are looked at, or all that there are.
 * @param newest in the index; undefined: it was not asked
 * @param whole asks the index for all
 * @param among reads rows of these
 * @param all reads any rows
 */
async function newestOf<Value, Row>(
  newest: Indexed<Value> | undefined,
  whole: () => Promise<Indexed<Value> | undefined>,
  among: (values: readonly Value[]) => Promise<Row[]>,
  all: () => Promise<Row[]>,
): Promise<Row[]> {
  if (!newest) return all();
  const { isWhole, values } = newest;
  for (const count of isWhole ? [MOST_TRIED] : TRIED) {
    const rows = values.length > 0 ? await among(values.slice(0, count)) : [];
    if (isWhole || rows.length === MOST_RANKED) return rows;
    if (values.length <= count) break;
  }
  const known = await whole();
  return known?.isWhole ? among(known.values) : all();
}

type Place = Pick<Ranked, 'score' | 'createdAt' | 'id'>;

const compare = (one: Place, other: Place) =>
  other.score - one.score ||
  other.createdAt.getTime() - one.createdAt.getTime() ||
  (one.id < other.id ? 1 : one.id > other.id ? -1 : 0);

const cursorOf = ({ score, createdAt, id }: Place) =>
  Buffer.from(JSON.stringify([score, createdAt.getTime(), id])).toString('base64url');

/** @throws BAD_USER_INPUT for what is no cursor */
function placeAfter(all: readonly Ranked[], cursor: string): number {
  const malformed = badInput({ after: ['is not a cursor of this search'] });
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw malformed;
  }
  const [score, time, id] = Array.isArray(parts) ? parts : [];
  const createdAt = new Date(time);
  if (!Number.isFinite(score) || !isStorableDate(createdAt) || typeof id !== 'string') throw malformed;
  const place = { score, createdAt, id };
  const next = all.findIndex((one) => compare(place, one) < 0);
  return next < 0 ? all.length : next;
}

async function withSnippets(page: readonly Ranked[], words: readonly string[], { db }: Context) {
  const ids = page.filter(({ commentId }) => commentId === null).map(({ id }) => id);
  const commentIds = page.flatMap(({ commentId }) => commentId ?? []);
  const [tasks, comments] = await Promise.all([
    ids.length > 0 ? db.task.findMany({ where: { id: { in: ids } }, select: { id: true, description: true } }) : [],
    commentIds.length > 0
      ? db.comment.findMany({ where: { id: { in: commentIds } }, select: { id: true, body: true } })
      : [],
  ]);
  const textOf = new Map([
    ...tasks.map(({ id, description }) => [id, description ?? ''] as const),
    ...comments.map(({ id, body }) => [id, body] as const),
  ]);
  return page.map((found) => {
    const text = textOf.get(found.commentId ?? found.id) ?? '';
    const field = fieldOf(found, text, words);
    const snippet = snippetOf(field === 'TITLE' || field === 'IDENTIFIER' ? found.title : text, words);
    return { ...found, cursor: cursorOf(found), field, snippet };
  });
}

function fieldOf({ commentId, title }: Ranked, text: string, words: readonly string[]): Field {
  if (commentId !== null) return 'COMMENT';
  const has = (where: string, word: string) => foldCase(where).includes(foldCase(word));
  if (words.every((word) => has(title, word))) return 'TITLE';
  return words.some((word) => numberOf(word) !== undefined && !has(title, word) && !has(text, word))
    ? 'IDENTIFIER'
    : 'DESCRIPTION';
}
