/** Idempotency-Key on POST /graphql, and what both surfaces share of it. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type RestAnswer, type RestCall, restClient } from './support/rest.js';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
let call: (method: string, path: string, request?: RestCall) => Promise<RestAnswer>;
beforeAll(async () => {
  server = await startTestServer();
  call = restClient(server);
});
afterAll(() => server.stop());

const CREATE = 'mutation ($title: String!) { createTask(input: { title: $title }) { task { id } } }';
const MINT = 'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { key apiKey { id environment } } }';

async function send(idempotencyKey: string, body: object, key = server.adminKey, headers = {}) {
  const response = await server.post(JSON.stringify(body), key, { 'idempotency-key': idempotencyKey, ...headers });
  const text = await response.text();
  return { status: response.status, text, replayed: response.headers.get('idempotent-replayed'), response };
}
const task = (title: string) => ({ query: CREATE, variables: { title } });
const count = (title: string) => server.system.task.count({ where: { title } });
const records = (idempotencyKey: string) => server.system.idempotencyRecord.count({ where: { idempotencyKey } });

describe('on /graphql', () => {
  it('answers the first result again, and does nothing again', async () => {
    const first = await send('once', task('Once'));
    const again = await send('once', task('Once'));
    expect([first.status, first.replayed, again.status, again.replayed]).toEqual([200, null, 200, 'true']);
    expect(again.text).toBe(first.text);
    expect(again.response.headers.get('content-type')).toBe(first.response.headers.get('content-type'));
    expect(await count('Once')).toBe(1);
    const other = await send('once', task('Other'));
    expect([other.status, JSON.parse(other.text).errors[0].extensions.code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
    expect(await count('Other')).toBe(0);
    // The routes are other requests.
    const route = await call('POST', '/v1/tasks', { body: { title: 'Once' }, headers: { 'idempotency-key': 'once' } });
    expect(route.status).toBe(422);
    const empty = await send('', task('Empty'));
    expect([empty.status, await count('Empty')]).toEqual([400, 0]);
  });

  it('at the same time: one is carried out', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => send('rush', task('Rush'))));
    expect(await count('Rush')).toBe(1);
    expect(new Set(answers.map(({ status }) => status))).toEqual(
      answers.some(({ status }) => status === 409) ? new Set([200, 409]) : new Set([200]),
    );
    for (const { status, text, response } of answers.filter((answer) => answer.status === 409)) {
      expect([status, JSON.parse(text).errors[0].extensions.code, response.headers.get('retry-after')]).toEqual([
        ...[409, 'CONFLICT', '1'],
      ]);
    }
  });

  it('keeps what was changed in part, and lets what changed nothing be sent again', async () => {
    const partly = {
      query: `mutation {
        a: createTask(input: { title: "Partly" }) { task { id } }
        b: createTask(input: { title: "" }) { task { id } }
      }`,
    };
    const first = await send('partly', partly);
    expect(JSON.parse(first.text)).toMatchObject({ data: { a: { task: {} }, b: null } });
    expect((await send('partly', partly)).text).toBe(first.text);
    expect(await count('Partly')).toBe(1);

    const { key, apiKey } = await server.createKey(['tasks:read']);
    expect(JSON.parse((await send('mend', task('Mended'), key)).text).errors[0].extensions.code).toBe('FORBIDDEN');
    await server.services.keys.update(
      { ...TENANT(), keyId: null, userId: null, ip: null, userAgent: null, requestId: null },
      'operator',
      apiKey.id,
      { scopes: ['tasks:read', 'tasks:write'] },
    );
    expect(JSON.parse((await send('mend', task('Mended'), key)).text).errors).toBeUndefined();
    expect(await count('Mended')).toBe(1);
  });

  it('undoes a change whose claim another request has taken over meanwhile', async () => {
    const { idempotency, tasks } = server.services;
    const { id: keyId } = await server.system.apiKey.findFirstOrThrow({ where: { workspaceId: server.workspace.id } });
    const claim = {
      ...{ ...TENANT(), keyId, idempotencyKey: 'late' },
      ...{ credential: 'c', reach: 'r', fingerprint: 'f' },
    };
    const claimed = await idempotency.claim(claim);
    if (claimed.kind !== 'first') throw new Error(claimed.kind);
    const held = { claim, since: claimed.since };
    const actor = { ...TENANT(), keyId: null, userId: null, ip: null, userAgent: null, requestId: null };
    const create = () => tasks.create(actor, { title: 'Late' });
    const since = new Date(claimed.since.getTime() + 60_001);
    await server.system.idempotencyRecord.updateMany({
      where: { idempotencyKey: 'late' },
      data: { createdAt: since },
    });
    await expect(idempotency.runWithClaim(held, create)).rejects.toMatchObject({ code: 'CONFLICT' });
    await idempotency.release(held);
    expect([await count('Late'), await records('late')]).toEqual([0, 1]);
    expect((await idempotency.runWithClaim({ claim, since }, create)).changed).toBe(true);
    expect(await count('Late')).toBe(1);
  });

  it('answers what was changed although its answer cannot be kept', async () => {
    const keep = vi.spyOn(server.services.idempotency, 'keep').mockRejectedValueOnce(new Error('disk full'));
    const first = await send('unkept', task('Unkept'));
    keep.mockRestore();
    expect([first.status, JSON.parse(first.text).errors, await count('Unkept')]).toEqual([200, undefined, 1]);
    expect([(await send('unkept', task('Unkept'))).status, await count('Unkept')]).toEqual([409, 1]);
  });

  it('holds for a batch as a whole', async () => {
    const batch = [task('Batch'), { query: '{ viewer { environment } }' }, task('Batch')];
    const first = await send('batch', batch);
    const again = await send('batch', batch);
    expect([again.text, again.replayed, await count('Batch')]).toEqual([first.text, 'true', 2]);
  });

  it('shows a key once more to the credential that made it, and to no other', async () => {
    const { key, apiKey } = await server.createKey(['keys:write', 'keys:read', 'tasks:*']);
    const mint = { query: MINT, variables: { input: { name: 'sealed', scopes: ['tasks:read'] } } };
    const first = JSON.parse((await send('mint', mint, key)).text).data.createApiKey.key as string;
    expect(JSON.parse((await send('mint', mint, key)).text).data.createApiKey.key).toBe(first);
    const basic = Buffer.from(`${apiKey.id}:${key}`).toString('base64');
    const token = (await (
      await fetch(`${server.origin}/api/auth/oauth2/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${basic}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'tasks:read' }),
      })
    ).json()) as { access_token: string };
    const byToken = await send('mint', mint, token.access_token);
    expect([byToken.status, byToken.text.includes(first)]).toEqual([409, false]);
    expect(JSON.stringify(await server.system.idempotencyRecord.findMany())).not.toContain(first.slice(8));
  });

  it('is not replayed to a key that was narrowed since', async () => {
    const { key, apiKey } = await server.createKey(['tasks:read', 'tasks:write']);
    const first = await send('narrow', task('Narrow'), key);
    await server.gql('mutation ($input: UpdateApiKeyInput!) { updateApiKey(input: $input) { apiKey { id } } }', {
      input: { id: apiKey.id, scopes: [] },
    });
    const again = await send('narrow', task('Narrow'), key);
    const id = JSON.parse(first.text).data.createTask.task.id as string;
    expect([again.status, again.text.includes(id), await count('Narrow')]).toEqual([409, false, 1]);
  });

  it('holds in whichever form the answer is taken', async () => {
    for (const accept of [
      'text/event-stream',
      'multipart/mixed;boundary="graphql";subscriptionSpec=1.0, application/json',
    ]) {
      const title = `As ${accept}`;
      const first = await send(accept, task(title), server.adminKey, { accept });
      const again = await send(accept, task(title), server.adminKey, { accept });
      expect([first.status, again.status, again.replayed, again.text]).toEqual([200, 200, 'true', first.text]);
      expect(await count(title)).toBe(1);
    }
  });

  it('holds for a document that is vouched for', async () => {
    const post = async (query: string) => {
      const headers = { 'idempotency-key': 'document', 'content-type': 'application/json' };
      const response = await fetch(`${server.url}?doc`, {
        method: 'POST',
        headers: { ...headers, authorization: `Bearer ${server.adminKey}` },
        body: JSON.stringify({ query }),
      });
      return { status: response.status, text: await response.text() };
    };
    const first = await post('query A { viewer { environment } }');
    expect(first.status).toBe(201);
    expect(await post('query A { viewer { environment } }')).toEqual(first);
    expect((await post('query B { viewer { environment } }')).status).toBe(422);
  });

  it('tells documents apart that are named in the address', async () => {
    type Added = { addTrustedDocument: { document: { hash: string } } };
    const added: Added[] = [];
    for (const title of ['Named A', 'Named B']) {
      const query = `mutation { createTask(input: { title: "${title}" }) { task { id } } }`;
      const answer = await fetch(`${server.url}?doc`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': server.adminKey },
        body: JSON.stringify({ query }),
      });
      added.push(((await answer.json()) as { data: Added }).data);
    }
    const run = async (data: Added | undefined) => {
      const answer = await fetch(`${server.url}?doc=${data?.addTrustedDocument.document.hash}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': server.adminKey, 'idempotency-key': 'named' },
        body: '{}',
      });
      return answer.status;
    };
    expect([await run(added[0]), await run(added[1]), await run(added[0])]).toEqual([200, 422, 200]);
    expect([await count('Named A'), await count('Named B')]).toEqual([1, 0]);
  });

  it('leaves a stream a stream', async () => {
    const { response } = { response: await stream() };
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    await response.body?.cancel();
    expect(await records('stream')).toBe(0);
  });
});

function TENANT() {
  return { workspaceId: server.workspace.id, environment: 'LIVE' as const };
}

function stream() {
  return server.post(JSON.stringify({ query: 'subscription { taskChanged { taskId } }' }), server.adminKey, {
    'idempotency-key': 'stream',
    accept: 'text/event-stream',
  });
}

describe('on both surfaces', () => {
  it('a key of live that makes one for the sandbox does it once', async () => {
    const mint = { query: MINT, variables: { input: { name: 'sandbox', scopes: [], environment: 'TEST' } } };
    const first = await send('sandbox', mint);
    expect(JSON.parse(first.text).data.createApiKey.apiKey.environment).toBe('TEST');
    expect((await send('sandbox', mint)).text).toBe(first.text);
    expect(await server.system.apiKey.count({ where: { name: 'sandbox' } })).toBe(1);
    // The change itself says that it was made: what crashed before its answer was kept is not run again.
    const record = await server.system.idempotencyRecord.findFirstOrThrow({ where: { idempotencyKey: 'sandbox' } });
    await server.system.idempotencyRecord.update({
      where: { keyId_idempotencyKey: { keyId: record.keyId, idempotencyKey: 'sandbox' } },
      data: { status: 0, body: null, createdAt: new Date(Date.now() - 61_000) },
    });
    expect((await send('sandbox', mint)).status).toBe(409);
    expect(await server.system.apiKey.count({ where: { name: 'sandbox' } })).toBe(1);
  });

  it.each([
    ['/graphql', async (key: string) => (await send('hole', task('Hole'), key)).status],
    [
      '/v1/tasks',
      async (key: string) =>
        (await call('POST', '/v1/tasks', { key, body: { title: 'Hole' }, headers: { 'idempotency-key': 'hole' } }))
          .status,
    ],
  ])(
    '%s: the last requests of a window claim the key and run once, and what is refused claims nothing',
    async (_path, post) => {
      const { key } = await server.createKey(['tasks:write', 'tasks:read'], 'LIVE', { ratePerMinute: 3 });
      const before = await count('Hole');
      const statuses = await Promise.all(Array.from({ length: 10 }, () => post(key)));
      expect(statuses.filter((status) => status === 429)).toHaveLength(7);
      expect((await count('Hole')) - before).toBe(1);
    },
  );
});
