/** Faults that were reproduced on the versions of our libraries; each fails here if it comes back. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fillTenant } from './support/factories.js';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  await fillTenant(server.system, server.workspace.id, 'LIVE');
});
afterAll(() => server.stop());

it('what one key may see is not decided by what another was told before: the same document, in both orders', async () => {
  const document = '{ projects { totalCount nodes { name } } }';
  const blind = await server.key(['tasks:read']);
  const refused = async () => {
    const { data, errors } = await server.gql(document, {}, blind);
    expect(data.projects).toBeNull();
    expect(errors?.[0]?.extensions['code']).toBe('FORBIDDEN');
  };
  const allowed = async () => {
    const { data, errors } = await server.gql(document);
    expect(errors).toBeUndefined();
    expect(data.projects.totalCount).toBe(1);
  };
  await allowed();
  await refused();
  await allowed();
  await refused();
});

it('a stranger learns nothing of the schema: a bad key and an unknown field answer 401 without a suggestion', async () => {
  for (const key of [undefined, 'sk_live_nonsense', 'x']) {
    const response = await server.post(JSON.stringify({ query: '{ task { titel } }' }), key);
    expect(response.status).toBe(401);
    const text = await response.text();
    expect(text).not.toMatch(/did you mean|title|Cannot query/i);
  }
});

it('an error in a resolver does not set the status of the whole response', async () => {
  const response = await server.post(
    JSON.stringify({ query: '{ task(id: "none") { id } viewer { environment } }' }),
    server.adminKey,
  );
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ data: { task: null, viewer: { environment: 'LIVE' } } });
});

it('two scopes on one field are both needed, and __typename of a guarded list shows nothing of it', async () => {
  const blind = await server.key(['projects:read']);
  const before = server.queries.length;
  const { data, errors } = await server.gql(
    '{ tasks { __typename nodes { __typename } edges { __typename } } }',
    {},
    blind,
  );
  expect(data.tasks).toBeNull();
  expect(errors?.[0]?.extensions['code']).toBe('FORBIDDEN');
  expect(server.queries.slice(before).filter((sql) => /\bTask\b/.test(sql))).toEqual([]);
});

it('a mutation that is denied its second field has not run its first', async () => {
  const key = await server.key(['tasks:write']);
  const before = await server.system.task.count();
  const { errors } = await server.gql(
    'mutation { a: createTask(input: { title: "A" }) { task { id } } d: deleteTask(input: { id: "x" }) { deletedTaskId } }',
    {},
    key,
  );
  expect(errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', missingScopes: ['tasks:delete'] });
  expect(await server.system.task.count()).toBe(before);
});

it('introspection beside data does not switch the check off, nor does a fragment named __schema', async () => {
  const blind = await server.key([]);
  const beside = await server.gql('{ __schema { __typename } tasks { totalCount } }', {}, blind);
  expect(beside.data).toMatchObject({ __schema: { __typename: '__Schema' }, tasks: null });
  const fragment = await server.gql(
    'query { ...__schema } fragment __schema on Query { tasks { totalCount } }',
    {},
    blind,
  );
  expect(fragment.data.tasks).toBeNull();
  expect(fragment.errors?.[0]?.extensions['code']).toBe('FORBIDDEN');
});

it('a page goes on where it stopped although the row of its cursor was deleted', async () => {
  const ids: string[] = [];
  for (let i = 0; i < 6; i += 1) {
    const { data } = await server.gql('mutation ($t: String!) { createTask(input: { title: $t }) { task { id } } }', {
      t: `P${i}`,
    });
    ids.push(data.createTask.task.id);
  }
  const page =
    'query ($after: String) { tasks(first: 3, after: $after, filter: { title: { in: ["P0","P1","P2","P3","P4","P5"] } }) { nodes { id } pageInfo { endCursor } } }';
  const first = await server.gql(page);
  await server.gql('mutation ($id: ID!) { deleteTask(input: { id: $id }) { deletedTaskId } }', {
    id: first.data.tasks.nodes[2].id,
  });
  const second = await server.gql(page, { after: first.data.tasks.pageInfo.endCursor });
  expect(second.data.tasks.nodes.map((node: { id: string }) => node.id)).toEqual([ids[2], ids[1], ids[0]]);
});

it('an interface is no way around the scopes of the type behind it', async () => {
  const { data: all } = await server.gql('{ projects { nodes { id } } }');
  const id = all.projects.nodes[0].id;
  const blind = await server.key(['tasks:read']);
  const { data } = await server.gql('query ($id: ID!) { node(id: $id) { id ... on Project { name } } }', { id }, blind);
  expect(data.node).toBeNull();
});

it('a field limit counts each call, aliased or at once, per field and key, and refused calls do not count', async () => {
  const limit = { max: 10 };
  const make = 'createApiKey(input: { name: "n", scopes: [] }) { key }';
  const key = await server.key(['keys:write']);
  const aliased = await server.gql(
    `mutation { ${Array.from({ length: 6 }, (_, i) => `a${i}: ${make}`).join(' ')} }`,
    {},
    key,
  );
  expect(aliased.errors).toBeUndefined();
  const atOnce = await Promise.all(Array.from({ length: 20 }, () => server.gql(`mutation { ${make} }`, {}, key)));
  const refused = atOnce.filter(({ errors }) => errors);
  expect(atOnce.length - refused.length).toBe(limit.max - 6);
  for (const { errors } of refused) {
    expect(errors?.[0]?.extensions).toEqual({ code: 'RATE_LIMITED', retryAfter: expect.any(Number) });
    expect(errors?.[0]?.extensions['retryAfter']).toBeLessThanOrEqual(60);
    expect(errors?.[0]?.message).toContain('Mutation.createApiKey may be called 10 times');
  }
  const other = await server.gql(`mutation { ${make} }`, {}, await server.key(['keys:write']));
  expect(other.errors).toBeUndefined();
  const stillFree = await server.gql('{ requiredScopes(document: "{ viewer { environment } }") { scopes } }', {}, key);
  expect(stillFree.errors).toBeUndefined();
});

it('a call that lacks a scope does not use the limit of its field up', async () => {
  const make = 'mutation { createApiKey(input: { name: "n", scopes: [] }) { key } }';
  const { apiKey, key } = await server.createKey(['tasks:read']);
  for (let i = 0; i < 12; i += 1) await server.gql(make, {}, key);
  await server.system.apiKey.update({ where: { id: apiKey.id }, data: { scopes: 'keys:write' } });
  // Longer than what is remembered of a key.
  server.clock.advance(6000);
  expect((await server.gql(make, {}, key)).errors).toBeUndefined();
});
