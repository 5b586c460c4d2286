/** What is said of tasks. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillTenant } from './support/factories.js';
import { type GraphQLAnswer, startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
let place: Awaited<ReturnType<typeof fillTenant>>;
let other: Awaited<ReturnType<typeof fillTenant>>;
/** Of two users, and one of none. */
let ada: string;
let bob: string;
let robot: string;

beforeAll(async () => {
  server = await startTestServer();
  place = await fillTenant(server.system, server.workspace.id, 'LIVE');
  other = await fillTenant(server.system, server.workspace.id, 'LIVE');
  const keyOf = async (userId: string | null, scopes = ['tasks:read', 'tasks:write']) => {
    const { key, apiKey } = await server.createKey(scopes);
    await server.system.apiKey.update({ where: { id: apiKey.id }, data: { createdById: userId } });
    return key;
  };
  [ada, bob, robot] = [await keyOf(place.userId), await keyOf(other.userId), await keyOf(null)];
});
afterAll(() => server.stop());

const FIELDS = 'id taskId parentId body createdById createdByKeyId createdAt updatedAt editedAt deletedAt';
const change = (verb: string) =>
  `mutation ($input: ${verb}CommentInput!) { ${verb.toLowerCase()}Comment(input: $input) { comment { ${FIELDS} } } }`;
const [CREATE, UPDATE, DELETE] = ['Create', 'Update', 'Delete'].map(change) as [string, string, string];

const codes = ({ errors }: GraphQLAnswer) => errors?.map(({ extensions }) => extensions['code']);
async function say(body: string, by = ada, more: object = {}) {
  const answer = await server.gql(CREATE, { input: { taskId: place.taskId, body, ...more } }, by);
  if (answer.errors) throw new Error(JSON.stringify(answer.errors));
  return answer.data.createComment.comment as { id: string; updatedAt: string };
}

describe('a comment', () => {
  it('is written by a key that writes tasks, for its user, and read with its task', async () => {
    const comment = await say('**Done**, I think', ada);
    expect(comment).toMatchObject({
      ...{ taskId: place.taskId, parentId: null, body: '**Done**, I think', createdById: place.userId },
      ...{ editedAt: null, deletedAt: null },
    });
    const answer = await say('It is', bob, { parentId: comment.id });
    const { data, errors } = await server.gql(
      `query ($id: ID!, $comment: ID!) {
        task(id: $id) {
          comments(first: 2, orderBy: [{ field: CREATED_AT, direction: DESC }]) { totalCount nodes { id body parentId } }
        }
        comment(id: $comment) { body answers { totalCount nodes { id createdById } } task { id } }
        node(id: $comment) { ... on Comment { body } }
        comments(filter: { parentId: { eq: $comment } }) { nodes { id } }
        found: comments(search: "THINK") { nodes { id } }
      }`,
      { id: place.taskId, comment: comment.id },
      ada,
    );
    expect(errors).toBeUndefined();
    expect(data.task.comments).toEqual({
      totalCount: 3,
      nodes: [
        { id: answer.id, body: 'It is', parentId: comment.id },
        { id: comment.id, body: '**Done**, I think', parentId: null },
      ],
    });
    expect(data.comment).toEqual({
      body: '**Done**, I think',
      answers: { totalCount: 1, nodes: [{ id: answer.id, createdById: other.userId }] },
      task: { id: place.taskId },
    });
    expect(data.node).toEqual({ body: '**Done**, I think' });
    expect([data.comments.nodes, data.found.nodes]).toEqual([[{ id: answer.id }], [{ id: comment.id }]]);
  });

  it('is refused where it says nothing, too much, or answers what it may not', async () => {
    const first = await say('First');
    const answer = await say('Answer', ada, { parentId: first.id });
    const elsewhere = await say('Elsewhere', ada, { taskId: place.otherTaskId });
    const tried = (input: object) => server.gql(CREATE, { input: { taskId: place.taskId, body: 'x', ...input } }, ada);
    for (const input of [
      { body: '' },
      { body: ' \n ' },
      { body: 'x'.repeat(10_001) },
      { parentId: answer.id },
      { parentId: elsewhere.id },
    ]) {
      expect(codes(await tried(input))).toEqual(['BAD_USER_INPUT']);
    }
    for (const input of [{ taskId: 'none' }, { parentId: 'none' }]) {
      expect(codes(await tried(input))).toEqual(['NOT_FOUND']);
    }
    await server.gql(DELETE, { input: { id: first.id } }, ada);
    expect(codes(await tried({ parentId: first.id }))).toEqual(['CONFLICT']);
  });

  it('is changed by who wrote it alone, and says that it was', async () => {
    const comment = await say('Frist');
    const edited = await server.gql(UPDATE, { input: { id: comment.id, body: 'First' } }, ada);
    expect(edited.data.updateComment.comment).toMatchObject({ body: 'First', editedAt: expect.any(String) });
    for (const by of [bob, robot, server.adminKey]) {
      expect(codes(await server.gql(UPDATE, { input: { id: comment.id, body: 'Mine' } }, by))).toEqual(['FORBIDDEN']);
    }
    const stale = { id: comment.id, body: 'Later', expectedUpdatedAt: comment.updatedAt };
    expect(codes(await server.gql(UPDATE, { input: stale }, ada))).toEqual(['CONFLICT']);
    // A key without a user is an author of its own.
    const machine = await say('Beep', robot);
    expect(codes(await server.gql(UPDATE, { input: { id: machine.id, body: 'Boop' } }, robot))).toBeUndefined();
    expect(codes(await server.gql(UPDATE, { input: { id: machine.id, body: 'Boop' } }, ada))).toEqual(['FORBIDDEN']);
  });

  it('loses its text when it is deleted, by who wrote it, or who deletes tasks; its answers stay', async () => {
    const comment = await say('To go');
    const answer = await say('Why?', bob, { parentId: comment.id });
    const refused = await server.gql(DELETE, { input: { id: comment.id } }, bob);
    expect(refused.errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', missingScopes: ['tasks:delete'] });
    const remover = await server.key(['tasks:write', 'tasks:delete']);
    const { data } = await server.gql(DELETE, { input: { id: comment.id } }, remover);
    expect(data.deleteComment.comment).toMatchObject({ id: comment.id, body: '', deletedAt: expect.any(String) });
    const again = await server.gql(DELETE, { input: { id: comment.id } }, remover);
    expect(again.data.deleteComment.comment.updatedAt).toBe(data.deleteComment.comment.updatedAt);
    const shown = await server.gql('query ($id: ID!) { comment(id: $id) { body } }', { id: answer.id }, ada);
    expect(shown.data.comment.body).toBe('Why?');
    expect(codes(await server.gql(UPDATE, { input: { id: comment.id, body: 'Back' } }, ada))).toEqual(['CONFLICT']);
  });

  it('takes the scopes of tasks', async () => {
    const comment = await say('Scoped');
    const reader = await server.key(['tasks:read']);
    expect(codes(await server.gql(CREATE, { input: { taskId: place.taskId, body: 'x' } }, reader))).toEqual([
      'FORBIDDEN',
    ]);
    const writer = await server.key(['tasks:write']);
    const made = await server.gql(CREATE, { input: { taskId: place.taskId, body: 'Seen by who wrote it' } }, writer);
    expect(made.data.createComment.comment.body).toBe('Seen by who wrote it');
    for (const query of ['comment(id: "x") { id }', 'comments { totalCount }']) {
      expect((await server.gql(`{ ${query} }`, {}, writer)).errors?.[0]?.extensions).toMatchObject({
        missingScopes: ['tasks:read'],
      });
    }
    const node = await server.gql('query ($id: ID!) { node(id: $id) { id } }', { id: comment.id }, writer);
    expect(codes(node)).toEqual(['NOT_FOUND']);
  });

  it('is of the projects of a key that is bound to some', async () => {
    const far = await say('Far away', bob, { taskId: other.taskId });
    const bound = (await server.createKey(['tasks:*', 'audit:read'], 'LIVE', { projects: [place.projectId] })).key;
    const { data } = await server.gql('{ comments(first: 100) { nodes { id body task { projectId } } } }', {}, bound);
    expect(data.comments.nodes.length).toBeGreaterThan(1);
    for (const { task } of data.comments.nodes) expect(task.projectId).toBe(place.projectId);
    for (const [document, input] of [
      [UPDATE, { id: far.id, body: 'x' }],
      [DELETE, { id: far.id }],
      [CREATE, { taskId: other.taskId, body: 'x' }],
    ] as const) {
      expect(codes(await server.gql(document, { input }, bound))).toEqual(['NOT_FOUND']);
    }
    const audit = await server.gql('{ auditLog(first: 100) { nodes { action targetId } } }', {}, bound);
    const about = audit.data.auditLog.nodes.filter(({ action }: { action: string }) => action.startsWith('comment.'));
    expect(about.length).toBeGreaterThan(1);
    expect(JSON.stringify(about)).not.toContain(far.id);
  });

  it('is noted with each change, outlives its author, and goes with its task', async () => {
    const { system } = server;
    const person = await fillTenant(system, server.workspace.id, 'LIVE');
    const input = { taskId: person.taskId, body: 'Kept' };
    const { id } = (await server.gql(CREATE, { input }, server.adminKey)).data.createComment.comment;
    await system.comment.update({ where: { id }, data: { createdById: person.userId } });
    const gone = await server.gql(
      'mutation ($id: ID!) { deleteUser(input: { id: $id }) { deletedUserId } }',
      { id: person.userId },
      server.adminKey,
    );
    expect(gone.errors).toBeUndefined();
    expect(await system.comment.findUniqueOrThrow({ where: { id } })).toMatchObject({
      body: 'Kept',
      createdById: null,
    });
    await server.gql('mutation ($id: ID!) { deleteTask(input: { id: $id }) { deletedTaskId } }', { id: person.taskId });
    expect(await system.comment.findUnique({ where: { id } })).toBeNull();
    const events = await system.auditEvent.findMany({ where: { targetId: id }, orderBy: { createdAt: 'asc' } });
    expect(events.map(({ action, projectId }) => [action, projectId])).toEqual([['comment.create', person.projectId]]);
  });
});

describe("Kaneo's routes", () => {
  const call = async (method: string, path: string, body?: object, key = ada) => {
    const answer = await fetch(`${server.origin}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: await answer.json() };
  };

  it('list, write, change and delete', async () => {
    const path = `/api/comment/${place.otherTaskId}`;
    const made = await call('POST', path, { content: 'By its client' });
    expect(made).toMatchObject({ status: 200, body: { content: 'By its client', userId: place.userId } });
    const changed = await call('PUT', `/api/comment/${made.body.id}`, { content: 'Changed' });
    expect(changed).toMatchObject({ status: 200, body: { id: made.body.id, content: 'Changed' } });
    const listed = await call('GET', path);
    expect(listed.body.at(-1)).toEqual(changed.body);
    expect(await call('PUT', `/api/comment/${made.body.id}`, { content: 'No' }, bob)).toMatchObject({ status: 403 });
    expect(await call('DELETE', `/api/comment/${made.body.id}`)).toMatchObject({ status: 200, body: { content: '' } });
    expect(JSON.stringify((await call('GET', path)).body)).not.toContain(made.body.id);
    expect(await call('POST', path, { content: '' })).toMatchObject({
      status: 400,
      body: { errors: { content: expect.anything() } },
    });
    expect(await call('GET', '/api/comment/none')).toMatchObject({ status: 404 });
  });
});
