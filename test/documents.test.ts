/** Documents by their hash: trusted ones, and the server that runs no others. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorkspace } from './support/factories.js';
import { type GraphQLAnswer, startTestServer, type TestServer } from './support/server.js';

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
const COUNT = 'query Count { tasks { totalCount } }';
const MAKE = 'mutation Make($title: String!) { createTask(input: { title: $title }) { task { title } } }';

function client(server: TestServer) {
  const send = async (path: string, body: object, key = server.adminKey) => {
    const response = await fetch(server.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as GraphQLAnswer;
    return { status: response.status, ...answer, code: answer.errors?.[0]?.extensions?.['code'] };
  };
  return { send, register: (query: string, key?: string) => send('?doc', { query }, key) };
}

describe('a trusted document', () => {
  let server: TestServer;
  let api: ReturnType<typeof client>;
  beforeAll(async () => {
    server = await startTestServer();
    api = client(server);
  });
  afterAll(() => server.stop());

  it('is registered by an administrator, and runs by its hash for whoever has its scopes', async () => {
    const made = await api.register(COUNT);
    expect(made.status).toBe(201);
    expect(made.data.addTrustedDocument.document).toEqual({
      hash: hashOf(COUNT),
      operations: ['Count'],
      scopes: ['tasks:read'],
    });
    expect((await api.register(COUNT)).status).toBe(201);
    expect(await server.system.auditEvent.count({ where: { action: 'trusted_document.add' } })).toBe(1);
    const reader = await server.key(['tasks:read']);
    expect((await api.send(`?doc=${hashOf(COUNT)}`, {}, reader)).data).toEqual({ tasks: { totalCount: 0 } });
    expect((await api.send('', { documentId: hashOf(COUNT) }, reader)).data).toEqual({ tasks: { totalCount: 0 } });
    // As code generators write it, and with what some clients send along.
    const named = { documentId: `sha256:${hashOf(COUNT)}`, operationType: 'query' };
    expect((await api.send('', named, reader)).data).toEqual({ tasks: { totalCount: 0 } });
    const apollo = { extensions: { persistedQuery: { version: 1, sha256Hash: hashOf(COUNT) } } };
    expect((await api.send('', apollo, reader)).data).toEqual({ tasks: { totalCount: 0 } });
    expect((await api.send('', { query: '', ...apollo }, reader)).data).toEqual({ tasks: { totalCount: 0 } });
    const get = await fetch(`${server.url}?doc=${hashOf(COUNT)}`, { headers: { authorization: `Bearer ${reader}` } });
    expect(await get.json()).toMatchObject({ data: { tasks: { totalCount: 0 } } });
    expect((await api.send(`?doc=${hashOf(COUNT)}`, {}, await server.key(['users:read']))).code).toBe('FORBIDDEN');
  });

  it('is registered by nobody else, and is of its workspace and environment', async () => {
    expect(await api.register(MAKE, await server.key(['tasks:*', 'keys:*']))).toMatchObject({
      status: 403,
      code: 'FORBIDDEN',
    });
    await api.register(MAKE);
    const other = await createWorkspace(server);
    for (const key of [other.live.key, await server.key(['admin:*'], 'TEST')]) {
      expect(await api.send(`?doc=${hashOf(MAKE)}`, { variables: { title: 'x' } }, key)).toMatchObject({
        status: 404,
        code: 'NOT_FOUND',
      });
      expect((await server.gql('{ trustedDocuments { hash } }', {}, key)).data.trustedDocuments).toEqual([]);
    }
  });

  it('could run, or is refused with the reason', async () => {
    for (const query of [
      '',
      '{',
      '{ nonsense }',
      'fragment F on Task { id }',
      `{ ${'a: viewer { environment } '.repeat(40)} }`,
    ]) {
      expect(await api.register(query), query).toMatchObject({ status: 400, code: 'BAD_USER_INPUT' });
    }
    const response = await server.post('x', server.adminKey);
    expect(response.status).toBe(400);
    for (const doc of ['nonsense', 'A'.repeat(64)]) expect((await api.send(`?doc=${doc}`, {})).status).toBe(400);
    expect((await api.send(`?doc=${hashOf(COUNT)}`, { query: MAKE })).status).toBe(400);
  });

  it('is asked for wrongly, and says so', async () => {
    const hash = hashOf(COUNT);
    const extensions = { persistedQuery: { version: 1, sha256Hash: hash } };
    const wrong = [
      ...[5, ['x'], {}].flatMap((query) => [{ query }, { query, extensions }, { query, documentId: hash }]),
      { extensions: { persistedQuery: { version: 1, sha256Hash: '\u0000' } } },
      { query: '', extensions: { persistedQuery: { version: 1, sha256Hash: hashOf('') } } },
      { query: COUNT, documentId: 5 },
      { extensions: { persistedQuery: 5 } },
      [null],
      [5],
    ];
    for (const body of wrong) {
      const response = await server.post(JSON.stringify(body), server.adminKey);
      const text = await response.text();
      expect(text, JSON.stringify(body)).not.toContain('INTERNAL_SERVER_ERROR');
      expect(text, JSON.stringify(body)).toContain('errors');
    }
    expect((await api.send('', { query: null, extensions })).data).toEqual({ tasks: { totalCount: 0 } });
    expect(await api.register('{ viewer { scopes } } # \u0000')).toMatchObject({ status: 400 });
    const { key } = await server.createKey(['admin:*'], 'LIVE', { ratePerMinute: 1, ratePerHour: 1 });
    await api.register(COUNT, key);
    const limited = await fetch(`${server.url}?doc`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ query: COUNT }),
    });
    expect([limited.status, Number(limited.headers.get('retry-after')) > 0]).toEqual([429, true]);
  });

  it('is listed and removed', async () => {
    const { trustedDocuments } = (await server.gql('{ trustedDocuments { hash text operations scopes } }')).data;
    expect(trustedDocuments.map(({ text }: { text: string }) => text)).toEqual([MAKE, COUNT]);
    const remove = `mutation { removeTrustedDocument(input: { hash: "${hashOf(COUNT)}" }) { removedHash } }`;
    expect((await server.gql(remove)).data.removeTrustedDocument.removedHash).toBe(hashOf(COUNT));
    expect((await server.gql(remove)).errors?.[0]?.extensions['code']).toBe('NOT_FOUND');
    expect((await api.send(`?doc=${hashOf(COUNT)}`, {})).status).toBe(404);
  });
});

describe('PERSISTED_ONLY', () => {
  it('runs trusted documents, whole or by hash, and refuses every other, whoever asks', async () => {
    const server = await startTestServer({ PERSISTED_ONLY: 'true' });
    try {
      const api = client(server);
      const refused = { status: 403, code: 'PERSISTED_QUERY_NOT_IN_LIST' };
      expect(await api.send('', { query: COUNT })).toMatchObject(refused);
      const persistedQuery = { version: 1, sha256Hash: hashOf(COUNT) };
      expect(await api.send('', { query: COUNT, extensions: { persistedQuery } })).toMatchObject(refused);
      expect((await api.send('', { extensions: { persistedQuery } })).code).toBe('PERSISTED_QUERY_NOT_FOUND');
      expect(await api.send('', { query: '{ __schema { queryType { name } } }' })).toMatchObject(refused);
      expect((await api.register(COUNT)).status).toBe(201);
      expect((await api.send('', { query: COUNT })).data).toEqual({ tasks: { totalCount: 0 } });
      expect((await api.send('', { extensions: { persistedQuery } })).data).toEqual({ tasks: { totalCount: 0 } });
      expect(await api.send('', { query: `${COUNT} ` })).toMatchObject(refused);
      const batch = await server.post(JSON.stringify([{ query: COUNT }, { query: MAKE }]), server.adminKey);
      const answers = (await batch.json()) as GraphQLAnswer[];
      expect(JSON.stringify(answers)).toContain('PERSISTED_QUERY_NOT_IN_LIST');
      expect(await server.system.task.count()).toBe(0);
      // The server's own documents are not the caller's.
      const rest = await fetch(`${server.origin}/api/tasks`, { headers: { 'x-api-key': server.adminKey } });
      expect(rest.status).toBe(200);
    } finally {
      await server.stop();
    }
  });
});
