/** Kaneo's comments. */
import { z } from 'zod';
import { text } from '../../../input.js';
import { type CorePage, PAGE, pageQuery } from '../../pages.js';
import { resource } from '../../resource.js';
import { route } from '../../route.js';
import { type Moment, shownDate, shownId } from '../../shapes.js';
import { ALL } from './shapes.js';

const KComment = z
  .object({
    ...{ id: shownId, taskId: shownId, userId: z.string(), content: z.string() },
    ...{ createdAt: shownDate, updatedAt: shownDate },
  })
  .meta({ id: 'KaneoComment' });

interface CoreComment {
  readonly id: string;
  readonly taskId: string;
  readonly body: string;
  readonly createdById: string | null;
  readonly createdByKeyId: string | null;
  readonly createdAt: Moment;
  readonly updatedAt: Moment;
}
const COMMENT = 'id taskId body createdById createdByKeyId createdAt updatedAt';

/** Whoever wrote it: a user, or where a key has none, the key. */
const showComment = ({ body, createdById, createdByKeyId, ...rest }: CoreComment) => ({
  ...rest,
  userId: createdById ?? createdByKeyId ?? '',
  content: body,
});
const content = text(1, 10_000);

const comment = resource({
  ...{ dialect: 'Kaneo', type: 'Comment', tag: 'Kaneo comments', path: '/api/comment/{id}' },
  ...{ selection: COMMENT, show: showComment, answers: KComment, fields: { body: 'content' } },
});
export const comments = [
  route({
    method: 'get',
    // OpenAPI takes paths that differ in a name only for the same one.
    path: '/api/comment/{id}',
    summary: 'List the comments of the task of this id, oldest first',
    tag: 'Kaneo comments',
    query: z.object(pageQuery(ALL)),
    operation: `query ListKaneoComments($id: ID!, $first: Int, $after: String, $offset: Int) {
      task(id: $id) {
        comments(
          first: $first, after: $after, offset: $offset
          filter: { deletedAt: { eq: null } }, orderBy: [{ field: CREATED_AT }]
        ) { nodes { ${COMMENT} } ${PAGE} }
      }
    }`,
    status: 200,
    answer: ({ task }: { task: { comments: CorePage<CoreComment> } }) => task.comments.nodes.map(showComment),
    answers: z.array(KComment),
    list: { page: ({ task }) => task.comments },
    fields: { after: 'cursor' },
  }),
  comment.create({
    path: '/api/comment/{id}',
    summary: 'Comment on the task of this id',
    status: 200,
    body: z.object({ content }).meta({ id: 'NewKaneoComment' }),
    variables: ({ params, body }) => ({ input: { taskId: params['id'], body: body.content } }),
  }),
  comment.change({
    method: 'put',
    of: null,
    summary: "Change the text of a comment of one's own",
    body: z.object({ content }),
    variables: ({ params, body }) => ({ input: { ...params, body: body.content } }),
  }),
  comment.removeShown('Delete a comment; answers it without its text', { of: null }),
];
