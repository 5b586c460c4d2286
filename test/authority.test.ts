/** What keys may do to keys: each way to make, change, rotate, revoke, renew and tokenize one, attacked. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorkspace } from './support/factories.js';
import { type RestAnswer, type RestCall, restClient } from './support/rest.js';
import { type GraphQLAnswer, startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
let call: (method: string, path: string, request?: RestCall) => Promise<RestAnswer>;
beforeAll(async () => {
  server = await startTestServer();
  call = restClient(server);
});
afterAll(() => server.stop());

const CREATE =
  'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { key apiKey { id environment expiresAt autoRenew rateLimit { perMinute perHour } } } }';
const UPDATE = 'mutation ($input: UpdateApiKeyInput!) { updateApiKey(input: $input) { apiKey { id scopes } } }';
const ROTATE = 'mutation ($input: RotateApiKeyInput!) { rotateApiKey(input: $input) { key apiKey { id } } }';
const REVOKE =
  'mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { revokedKeys apiKey { id status revokedReason } } }';

const HOUR = 3_600_000;
const ahead = (milliseconds: number) => new Date(server.clock().getTime() + milliseconds);
const codesOf = ({ errors }: GraphQLAnswer) => errors?.map((error) => error.extensions['code']);
const codes = async (document: string, input: object, key?: string) =>
  codesOf(await server.gql(document, { input }, key));
const stored = (id: string) => server.system.apiKey.findUniqueOrThrow({ where: { id } });
const works = async (key: string) => !(await server.gql('{ viewer { environment } }', {}, key)).errors;

describe('keys:write', () => {
  it('neither weakens, renames, rotates nor ends a key that reaches further, and hears nothing of what that holds', async () => {
    const writer = await server.key(['keys:write', 'tasks:read']);
    const strong = await server.createKey(['admin:*']);
    const later = await server.createKey(['users:read', 'webhooks:delete']);
    for (const { apiKey } of [strong, later]) {
      const { id } = apiKey;
      const answers = [
        await server.gql(UPDATE, { input: { id, scopes: [] } }, writer),
        await server.gql(UPDATE, { input: { id, name: 'mine' } }, writer),
        await server.gql(UPDATE, { input: { id, expiresAt: ahead(1000) } }, writer),
        await server.gql(UPDATE, { input: { id, allowedIps: ['192.0.2.1/32'] } }, writer),
        await server.gql(UPDATE, { input: { id, rateLimit: { perMinute: 1 } } }, writer),
        await server.gql(ROTATE, { input: { id } }, writer),
        await server.gql(REVOKE, { input: { id } }, writer),
      ];
      for (const answer of answers) {
        expect(codesOf(answer)).toEqual(['FORBIDDEN']);
        expect(JSON.stringify(answer)).not.toMatch(/admin|users|webhooks/);
      }
      const removed = await call('DELETE', `/v1/api-keys/${id}`, { key: writer });
      const changed = await call('PATCH', `/v1/api-keys/${id}`, { key: writer, body: { permissions: [] } });
      const rotated = await call('POST', `/v1/api-keys/${id}/rotate`, { key: writer });
      for (const { status, text, body, headers } of [removed, changed, rotated]) {
        expect([status, body.error.code]).toEqual([403, 'forbidden']);
        expect(text).not.toMatch(/admin|users|webhooks/);
        // It says why, and names no scope where none is missing.
        expect(body.message).toContain('reaches further than the calling one');
        expect(body.error.details).toEqual({ reason: expect.stringContaining('reaches further') });
        expect(headers.get('www-authenticate')).toBeNull();
      }
      expect(await stored(id)).toMatchObject({
        ...{ name: 'test', scopes: apiKey.scopes, revokedAt: null, rotatedAt: null },
        ...{ expiresAt: null, allowedIps: null, ratePerMinute: null },
      });
    }
  });

  it('hears nothing of how a key beyond it stands', async () => {
    const writer = await server.key(['keys:write']);
    const [working, ended] = [await server.createKey(['admin:*']), await server.createKey(['users:read'])];
    await server.gql(REVOKE, { input: { id: ended.apiKey.id } });
    const expectedUpdatedAt = '2020-01-01T00:00:00Z';
    const answers = [
      await server.gql(UPDATE, { input: { id: working.apiKey.id, name: 'x', expectedUpdatedAt } }, writer),
      await server.gql(UPDATE, { input: { id: ended.apiKey.id, name: 'x' } }, writer),
      await server.gql(ROTATE, { input: { id: ended.apiKey.id } }, writer),
    ];
    expect(answers.map(codesOf)).toEqual([['FORBIDDEN'], ['FORBIDDEN'], ['FORBIDDEN']]);
    expect(new Set(answers.map(({ errors }) => errors?.[0]?.message)).size).toBe(1);
  });

  it('touches what lies within, in each dimension', async () => {
    const giver = await server.createKey(['keys:write', 'tasks:*'], 'LIVE', {
      ...{ expiresAt: ahead(HOUR), allowedIps: ['127.0.0.0/8'], ratePerMinute: 50 },
    });
    const within = { expiresAt: ahead(HOUR / 2), allowedIps: ['127.0.0.1/32'], ratePerMinute: 50 };
    for (const wider of [
      { expiresAt: null },
      { expiresAt: ahead(2 * HOUR) },
      { allowedIps: null },
      { allowedIps: ['127.0.0.1/32', '192.0.2.0/24'] },
      { ratePerMinute: null },
      { ratePerMinute: 51 },
    ]) {
      const { apiKey } = await server.createKey(['tasks:read'], 'LIVE', { ...within, ...wider });
      const label = JSON.stringify(wider);
      expect(await codes(UPDATE, { id: apiKey.id, name: 'x' }, giver.key), label).toEqual(['FORBIDDEN']);
      expect(await codes(ROTATE, { id: apiKey.id }, giver.key), label).toEqual(['FORBIDDEN']);
      expect(await codes(REVOKE, { id: apiKey.id }, giver.key), label).toEqual(['FORBIDDEN']);
    }
    const { apiKey } = await server.createKey(['tasks:read'], 'LIVE', within);
    expect(await codes(UPDATE, { id: apiKey.id, name: 'x' }, giver.key)).toBeUndefined();
    expect(await codes(REVOKE, { id: apiKey.id }, giver.key)).toBeUndefined();
  });

  it('a change that is refused for what it asks says which scopes it asked for in vain', async () => {
    const giver = await server.createKey(['keys:write', 'tasks:read']);
    const { data } = await server.gql(CREATE, { input: { name: 'c', scopes: ['tasks:read'] } }, giver.key);
    const { errors } = await server.gql(
      UPDATE,
      { input: { id: data.createApiKey.apiKey.id, scopes: ['tasks:read', 'users:read'] } },
      giver.key,
    );
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', missingScopes: ['users:read'] });
  });
});

describe('keys:delete', () => {
  it('ends any key of its environment, and none of the other', async () => {
    const remover = await server.key(['keys:delete']);
    const strong = await server.createKey(['admin:*']);
    expect(await codes(REVOKE, { id: strong.apiKey.id }, remover)).toBeUndefined();
    expect(await works(strong.key)).toBe(false);
    const test = await server.createKey([], 'TEST');
    expect(await codes(REVOKE, { id: test.apiKey.id }, remover)).toEqual(['NOT_FOUND']);
    const testRemover = await server.key(['keys:delete'], 'TEST');
    const live = await server.createKey([]);
    expect(await codes(REVOKE, { id: live.apiKey.id }, testRemover)).toEqual(['NOT_FOUND']);
  });

  it('does not end the last working key with admin:*, alone or with others; that one ends itself', async () => {
    const { live } = await createWorkspace(server);
    const tenant = { workspaceId: live.apiKey.workspaceId, environment: 'LIVE' as const };
    const actor = { ...tenant, keyId: null, userId: null, ip: null, userAgent: null, requestId: null };
    const mint = (scopes: string[], request = {}) =>
      server.services.keys.create(actor, 'operator', { name: 'k', scopes, ...request });
    const remover = (await mint(['keys:delete', 'users:delete'])).key;
    // None of these manages the workspace for long.
    const revoked = await mint(['admin:*']);
    await server.gql(REVOKE, { input: { id: revoked.apiKey.id } }, live.key);
    const rotated = await mint(['admin:*']);
    const rotation = await server.gql(ROTATE, { input: { id: rotated.apiKey.id } }, live.key);
    await server.gql(REVOKE, { input: { id: rotation.data.rotateApiKey.apiKey.id } }, live.key);
    const refused = await server.gql(REVOKE, { input: { id: live.apiKey.id } }, remover);
    expect(codesOf(refused)).toEqual(['CONFLICT']);
    expect(refused.errors?.[0]?.message).toContain('taskgate keys revoke');
    expect(await codes(REVOKE, { id: live.apiKey.id, descendants: true }, remover)).toEqual(['CONFLICT']);
    expect((await call('DELETE', `/v1/api-keys/${live.apiKey.id}`, { key: remover })).status).toBe(409);
    // Nor by way of the user whose key it is.
    await server.system.apiKey.update({ where: { id: live.apiKey.id }, data: { createdById: live.userId } });
    const removal = 'mutation ($id: ID!) { deleteUser(input: { id: $id, revokeKeys: true }) { revokedKeys } }';
    await server.system.user.update({ where: { id: live.userId }, data: { role: 'MEMBER' } });
    expect(codesOf(await server.gql(removal, { id: live.userId }, remover))).toEqual(['CONFLICT']);
    expect(await server.system.user.count({ where: { id: live.userId } })).toBe(1);
    expect(await works(live.key)).toBe(true);
    expect(await codes(REVOKE, { id: live.apiKey.id }, live.key)).toBeUndefined();
    expect(await works(live.key)).toBe(false);
  });

  it('nor the last one that lasts, while others work for a moment: made by a token, by a rotated key, or at hand', async () => {
    const own = await startTestServer();
    const gql = async (document: string, input: object, key: string) => own.gql(document, { input }, key);
    const [admin] = await own.system.apiKey.findMany({ where: { scopes: 'admin:*' } });
    const id = admin?.id as string;
    const basic = Buffer.from(`${id}:${own.adminKey}`).toString('base64');
    const granted = await fetch(`${own.origin}/api/auth/oauth2/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    const { access_token: token } = (await granted.json()) as { access_token: string };
    const soon = new Date(own.clock().getTime() + 4000);
    const short = await gql(CREATE, { name: 'n', scopes: ['admin:*'], expiresAt: soon }, token);
    const shortKey = short.data.createApiKey.key as string;
    const remover = await own.key(['keys:delete']);
    for (const key of [token, shortKey, remover]) {
      const refused = await gql(REVOKE, { id }, key);
      expect([codesOf(refused), refused.errors?.[0]?.message]).toEqual([
        ['CONFLICT'],
        expect.stringContaining('last key with admin:*'),
      ]);
    }
    // The other way round is free, and a second one that lasts lets the first one go.
    expect(codesOf(await gql(REVOKE, { id: short.data.createApiKey.apiKey.id }, remover))).toBeUndefined();
    await own.createKey(['admin:*']);
    expect(codesOf(await gql(REVOKE, { id }, remover))).toBeUndefined();
    await own.stop();
  });

  it('nor the successor, by the key that it followed', async () => {
    const own = await startTestServer();
    const [admin] = await own.system.apiKey.findMany({ where: { scopes: 'admin:*' } });
    const { data } = await own.gql(ROTATE, { input: { id: admin?.id, gracePeriod: 1000 } });
    const until = new Date(own.clock().getTime() + 500_000);
    await own.gql(CREATE, { input: { name: 'n', scopes: ['admin:*'], expiresAt: until } });
    const refused = await own.gql(REVOKE, { input: { id: data.rotateApiKey.apiKey.id } });
    expect(codesOf(refused)).toEqual(['CONFLICT']);
    await own.stop();
  });

  it('of two administrators that are ended at once, one stays', async () => {
    const { live } = await createWorkspace(server);
    const tenant = { workspaceId: live.apiKey.workspaceId, environment: 'LIVE' as const };
    const actor = { ...tenant, keyId: null, userId: null, ip: null, userAgent: null, requestId: null };
    const mint = (scopes: string[]) => server.services.keys.create(actor, 'operator', { name: 'k', scopes });
    const admins = [live, await mint(['admin:*']), await mint(['admin:*']), await mint(['admin:*'])];
    const remover = (await mint(['keys:delete'])).key;
    const answers = await Promise.all(
      admins.map(({ apiKey }) => server.gql(REVOKE, { input: { id: apiKey.id } }, remover)),
    );
    expect(answers.filter(({ errors }) => errors).map(codesOf)).toEqual([['CONFLICT']]);
    const left = await Promise.all(admins.map(({ key }) => works(key)));
    expect(left.filter(Boolean)).toHaveLength(1);
  });
});

describe('a key and itself', () => {
  const ASKS: [string, (id: string) => [string, object?]][] = [
    ['literal', (id) => [`{ apiKey(id: "${id}") { id name scopes } }`]],
    ['variable', (id) => ['query ($id: ID!) { apiKey(id: $id) { id name scopes } }', { id }]],
    ['default', (id) => [`query ($id: ID = "${id}") { apiKey(id: $id) { id name scopes } }`]],
    ['fragments', (id) => [`{ apiKey(id: "${id}") { ...K } } fragment K on ApiKey { ... on Node { id } name scopes }`]],
  ];
  it.each(ASKS)('reads itself without keys:read, by %s; and no other', async (_way, ask) => {
    const own = await server.createKey(['tasks:read']);
    const other = await server.createKey(['tasks:read']);
    const [query, variables] = ask(own.apiKey.id);
    const { data, errors } = await server.gql(query, variables, own.key);
    expect(errors).toBeUndefined();
    expect(data.apiKey).toEqual({ id: own.apiKey.id, name: 'test', scopes: ['tasks:read'] });
    const [foreign, foreignVariables] = ask(other.apiKey.id);
    const refused = await server.gql(foreign, foreignVariables, own.key);
    expect(refused.data.apiKey).toBeNull();
    expect(codesOf(refused)).toEqual(['FORBIDDEN']);
  });

  it('sees of itself what it may see of others, and of others in the same document nothing', async () => {
    const own = await server.createKey(['tasks:read']);
    const other = await server.createKey([]);
    const query = `query ($own: ID!, $other: ID!) {
      mine: apiKey(id: $own) { name createdBy { email } }
      theirs: apiKey(id: $other) { name }
      all: apiKeys { nodes { name } }
      node(id: $other) { id }
    }`;
    const { data, errors } = await server.gql(query, { own: own.apiKey.id, other: other.apiKey.id }, own.key);
    expect(data).toEqual({ mine: { name: 'test', createdBy: null }, theirs: null, all: null, node: null });
    expect(errors?.map((error) => error.path?.join('.')).sort()).toEqual(['all', 'mine.createdBy', 'node', 'theirs']);
    // A later variable of the same name does not make it another's.
    const twice = await server.gql(
      'query ($id: ID!) { a: apiKey(id: $id) { name } b: apiKey(id: $id) { name } }',
      { id: other.apiKey.id },
      own.key,
    );
    expect(twice.data).toEqual({ a: null, b: null });
  });

  it('is shown whole beside another one that is refused, although both stand on one fragment', async () => {
    const { key, apiKey } = await server.createKey([]);
    const other = await server.createKey([]);
    const { data, errors } = await server.gql(
      'query ($own: ID!, $other: ID!) { a: apiKey(id: $own) { ...F } b: apiKey(id: $other) { ...F } } fragment F on ApiKey { id scopes }',
      { own: apiKey.id, other: other.apiKey.id },
      key,
    );
    expect(data).toEqual({ a: { id: apiKey.id, scopes: [] }, b: null });
    expect(errors?.map(({ path }) => path)).toEqual([['b']]);
  });

  it('reads and ends itself by REST, without a scope', async () => {
    const { key, apiKey } = await server.createKey([]);
    const path = `/v1/api-keys/${apiKey.id}`;
    expect((await call('GET', path, { key })).body).toMatchObject({
      id: apiKey.id,
      status: 'active',
      revoked_at: null,
    });
    const other = await server.createKey([]);
    expect((await call('GET', `/v1/api-keys/${other.apiKey.id}`, { key })).status).toBe(403);
    expect((await call('DELETE', `/v1/api-keys/${other.apiKey.id}`, { key })).status).toBe(403);
    expect((await call('DELETE', path, { key })).body).toEqual({ id: apiKey.id, deleted: true });
    expect((await call('GET', path, { key })).status).toBe(401);
    const shown = (await call('GET', path)).body;
    expect([shown.status, shown.revoked_at]).toEqual(['revoked', expect.stringMatching(/Z$/)]);
  });

  it('ends itself over GraphQL, by literal and by variable, and by no alias a second one', async () => {
    for (const request of [
      (id: string) => [`mutation { revokeApiKey(input: { id: "${id}" }) { apiKey { status } } }`, {}] as const,
      (id: string) => [REVOKE, { input: { id } }] as const,
      (id: string) =>
        ['mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { apiKey { status } } }', { id }] as const,
    ]) {
      const { key, apiKey } = await server.createKey(['tasks:read']);
      const other = await server.createKey([]);
      const [document, variables] = request(other.apiKey.id);
      expect(codesOf(await server.gql(document, variables, key))).toEqual(['FORBIDDEN']);
      const both = `mutation { a: revokeApiKey(input: { id: "${apiKey.id}" }) { apiKey { id } } b: revokeApiKey(input: { id: "${other.apiKey.id}" }) { apiKey { id } } }`;
      expect(codesOf(await server.gql(both, {}, key))).toEqual(['FORBIDDEN']);
      expect([await works(key), await works(other.key)]).toEqual([true, true]);
      const [own, ownVariables] = request(apiKey.id);
      expect((await server.gql(own, ownVariables, key)).data.revokeApiKey.apiKey.status).toBe('REVOKED');
      expect(await works(key)).toBe(false);
    }
  });

  it('an access token of it does neither change nor end it', async () => {
    const { key, apiKey } = await server.createKey(['keys:write', 'tasks:read']);
    const token = await tokenOf(apiKey.id, key, 'keys:write');
    expect(await codes(REVOKE, { id: apiKey.id }, token)).toEqual(['FORBIDDEN']);
    expect(await codes(UPDATE, { id: apiKey.id, name: 'x' }, token)).toEqual(['FORBIDDEN']);
    expect(await codes(ROTATE, { id: apiKey.id }, token)).toEqual(['FORBIDDEN']);
  });
});

async function grant(id: string, key: string, scope?: string) {
  const response = await fetch(`${server.origin}/api/auth/oauth2/token`, {
    method: 'POST',
    body: new URLSearchParams({
      ...{ grant_type: 'client_credentials', client_id: id, client_secret: key },
      ...(scope && { scope }),
    }),
  });
  return (await response.json()) as { access_token: string; expires_in: number };
}
const tokenOf = async (id: string, key: string, scope?: string) => (await grant(id, key, scope)).access_token;

describe('auto-renewal', () => {
  const expiring = { expiresAt: new Date('2099-01-01T00:00:00Z') };

  it('is given by no key that expires and does not renew itself, to itself neither', async () => {
    const giver = await server.createKey(['keys:write', 'tasks:read'], 'LIVE', expiring);
    const input = { name: 'c', scopes: ['tasks:read'], autoRenew: true };
    expect(await codes(CREATE, input, giver.key)).toEqual(['FORBIDDEN']);
    expect(await codes(CREATE, { ...input, expiresAt: ahead(HOUR) }, giver.key)).toEqual(['FORBIDDEN']);
    expect(await codes(UPDATE, { id: giver.apiKey.id, autoRenew: true }, giver.key)).toEqual(['FORBIDDEN']);
    const child = await server.gql(CREATE, { input: { ...input, autoRenew: false } }, giver.key);
    const { id } = child.data.createApiKey.apiKey;
    expect(await codes(UPDATE, { id, autoRenew: true }, giver.key)).toEqual(['FORBIDDEN']);
    const renewing = await server.createKey(['tasks:read'], 'LIVE', { ...expiring, autoRenew: true });
    expect(await codes(ROTATE, { id: renewing.apiKey.id }, giver.key)).toEqual(['FORBIDDEN']);
    expect(await codes(REVOKE, { id: renewing.apiKey.id }, giver.key)).toEqual(['FORBIDDEN']);
    // Nor by an access token of one that never expires.
    const eternal = await server.createKey(['keys:write', 'tasks:read']);
    const token = await tokenOf(eternal.apiKey.id, eternal.key);
    expect(await codes(CREATE, { ...input, expiresAt: ahead(HOUR / 2) }, token)).toEqual(['FORBIDDEN']);
  });

  it('is given by one that renews itself, for no longer a term', async () => {
    const month = { expiresAt: ahead(30 * 24 * HOUR), autoRenew: true };
    const giver = await server.createKey(['keys:write', 'tasks:read'], 'LIVE', month);
    const input = { name: 'c', scopes: ['tasks:read'], autoRenew: true };
    const { data } = await server.gql(CREATE, { input }, giver.key);
    const { apiKey } = data.createApiKey;
    expect(apiKey).toMatchObject({ autoRenew: true, expiresAt: month.expiresAt.toISOString() });
    const { termSeconds } = await stored(apiKey.id);
    expect(termSeconds).toBeLessThanOrEqual((await stored(giver.apiKey.id)).termSeconds ?? 0);
    // A key of the past that would renew itself by a year at a time.
    await server.system.apiKey.update({ where: { id: apiKey.id }, data: { termSeconds: 365 * 86_400 } });
    expect(await codes(UPDATE, { id: apiKey.id, name: 'x' }, giver.key)).toEqual(['FORBIDDEN']);
  });
});

describe('limits', () => {
  let professional: TestServer;
  beforeAll(async () => {
    professional = await startTestServer({ DEFAULT_PLAN: 'professional' });
  });
  afterAll(() => professional.stop());

  it('have the plan for a ceiling, for admin:* too, over every way', async () => {
    const admin = await professional.createKey(['admin:*']);
    const rateLimits = [{ perMinute: 10_000_000 }, { perMinute: 501 }, { perHour: 10_001 }];
    for (const rateLimit of rateLimits) {
      const made = await professional.gql(CREATE, { input: { name: 'c', scopes: [], rateLimit } }, admin.key);
      expect(codesOf(made)).toEqual(['FORBIDDEN']);
      const own = await professional.gql(UPDATE, { input: { id: admin.apiKey.id, rateLimit } }, admin.key);
      expect(codesOf(own)).toEqual(['FORBIDDEN']);
    }
    const rest = restClient(professional);
    const body = { name: 'c', permissions: [], rate_limit: { per_minute: 501 } };
    expect((await rest('POST', '/v1/api-keys', { key: admin.key, body })).status).toBe(403);
    await expect(professional.createKey([], 'LIVE', { ratePerMinute: 501 })).rejects.toThrow(/at most 500/);
    await expect(professional.createKey([], 'LIVE', { ratePerHour: 10_001 })).rejects.toThrow(/at most 10000/);
  });

  it("a key's own numbers bound what it gives, and what it sets on itself", async () => {
    const giver = await professional.createKey(['admin:*'], 'LIVE', { ratePerMinute: 50 });
    for (const rateLimit of [{ perMinute: 51 }, { perMinute: null }, null]) {
      const own = await professional.gql(UPDATE, { input: { id: giver.apiKey.id, rateLimit } }, giver.key);
      expect(codesOf(own), JSON.stringify(rateLimit)).toEqual(['FORBIDDEN']);
    }
    for (const rateLimit of [{ perMinute: 51 }, { perMinute: null }]) {
      const made = await professional.gql(CREATE, { input: { name: 'c', scopes: [], rateLimit } }, giver.key);
      expect(codesOf(made), JSON.stringify(rateLimit)).toEqual(['FORBIDDEN']);
    }
    const child = await professional.gql(CREATE, { input: { name: 'c', scopes: [] } }, giver.key);
    expect(child.data.createApiKey.apiKey.rateLimit).toEqual({ perMinute: 50, perHour: null });
    // What is not given stays.
    const both = await professional.createKey([], 'LIVE', { ratePerMinute: 40, ratePerHour: 60 });
    await professional.gql(UPDATE, { input: { id: both.apiKey.id, rateLimit: { perMinute: 30 } } });
    const row = await professional.system.apiKey.findUniqueOrThrow({ where: { id: both.apiKey.id } });
    expect([row.ratePerMinute, row.ratePerHour]).toEqual([30, 60]);
  });

  it("a key's own number holds whatever the plan becomes: it sheds it not, and gives it on", async () => {
    const own = await startTestServer({ DEFAULT_PLAN: 'free' });
    const keeper = await own.createKey(['keys:write', 'tasks:read'], 'LIVE', { ratePerMinute: 100 });
    const strong = await own.createKey(['tasks:read'], 'LIVE', { ratePerMinute: 50 });
    const made = await own.gql(CREATE, { input: { name: 'c', scopes: ['tasks:read'] } }, keeper.key);
    for (const rateLimit of [null, { perMinute: null }]) {
      const shed = await own.gql(UPDATE, { input: { id: keeper.apiKey.id, rateLimit } }, keeper.key);
      expect(codesOf(shed), JSON.stringify(rateLimit)).toEqual(['FORBIDDEN']);
    }
    await own.system.apiKey.update({ where: { id: strong.apiKey.id }, data: { ratePerMinute: 5000 } });
    expect(codesOf(await own.gql(ROTATE, { input: { id: strong.apiKey.id } }, keeper.key))).toEqual(['FORBIDDEN']);
    const row = await own.system.apiKey.findUniqueOrThrow({ where: { id: made.data.createApiKey.apiKey.id } });
    expect(row.ratePerMinute).toBe(100);
    await own.stop();
  });

  it('rate_limit in the body is taken, shown, and refused where it says nothing', async () => {
    const body = { name: 'r', permissions: [], rate_limit: { per_minute: 5, per_hour: 50 } };
    const made = await call('POST', '/v1/api-keys', { body });
    const path = `/v1/api-keys/${made.body.id}`;
    expect((await call('GET', path)).body.rate_limit).toEqual({ per_minute: 5, per_hour: 50 });
    expect((await call('GET', '/v1/rate-limit', { key: made.body.key })).body.limit).toBe(50);
    expect((await call('PATCH', path, { body: { rate_limit: { per_minute: 4 } } })).body.rate_limit).toEqual({
      ...{ per_minute: 4, per_hour: 50 },
    });
    expect((await call('PATCH', path, { body: { rate_limit: null } })).body.rate_limit).toEqual({
      ...{ per_minute: null, per_hour: null },
    });
    for (const rate_limit of [{}, { perMinute: 5 }, { per_minute: 0 }, { per_minute: 1.5 }, { per_minute: 1e12 }, 5]) {
      const answer = await call('POST', '/v1/api-keys', { body: { ...body, rate_limit } });
      expect([answer.status, Object.keys(answer.body.errors)], JSON.stringify(rate_limit)).toEqual([
        422,
        ['rate_limit'],
      ]);
    }
  });

  it('go on with the successor: rotating oneself gives no fresh quota, neither of the key nor of a field', async () => {
    const first = await server.createKey(['keys:write'], 'LIVE', { ratePerMinute: 30, ratePerHour: 30 });
    const remaining = async (key: string) =>
      (await server.gql('{ rateLimit { remaining } }', {}, key)).data?.rateLimit.remaining;
    let key = first.key;
    let id = first.apiKey.id;
    const before = await remaining(key);
    for (let i = 0; i < 3; i += 1) {
      const { data } = await server.gql(ROTATE, { input: { id } }, key);
      ({
        key,
        apiKey: { id },
      } = data.rotateApiKey);
    }
    expect(await remaining(key)).toBe(before - 3);
    expect(await remaining(first.key)).toBe(before - 3);
    const outcomes: (unknown[] | undefined)[] = [];
    for (let i = 0; i < 8; i += 1) {
      const { data, errors } = await server.gql(ROTATE, { input: { id } }, key);
      outcomes.push(errors?.map((error) => error.extensions['code']));
      if (data?.rotateApiKey) {
        ({
          key,
          apiKey: { id },
        } = data.rotateApiKey);
      }
    }
    // The field's own limit is 10 a minute, and three were made before.
    expect(outcomes).toEqual([...Array(7).fill(undefined), ['RATE_LIMITED']]);
  });
});

describe('an access token', () => {
  it('ends when its rotated key does, and says so', async () => {
    const { key, apiKey } = await server.createKey(['tasks:read']);
    expect((await grant(apiKey.id, key)).expires_in).toBe(3600);
    await server.gql(ROTATE, { input: { id: apiKey.id, gracePeriod: 600 } });
    const late = await grant(apiKey.id, key);
    expect(late.expires_in).toBeGreaterThan(590);
    expect(late.expires_in).toBeLessThanOrEqual(600);
  });
});

describe('an administrator of live', () => {
  it('sees, changes, rotates and revokes the keys of the sandbox; nobody else of live does', async () => {
    const test = await server.createKey(['tasks:read'], 'TEST');
    const { id } = test.apiKey;
    const list =
      'query ($filter: ApiKeyFilter) { apiKeys(first: 1000, filter: $filter) { totalCount nodes { id environment } } }';
    const environments = async (filter: object | undefined, key?: string) => {
      const { data } = await server.gql(list, { filter }, key);
      expect(data.apiKeys.totalCount).toBe(data.apiKeys.nodes.length);
      return [...new Set(data.apiKeys.nodes.map((row: { environment: string }) => row.environment))].sort();
    };
    expect(await environments(undefined)).toEqual(['LIVE']);
    expect(await environments({ environment: { eq: 'TEST' } })).toEqual(['TEST']);
    expect(await environments({ or: [{ environment: { eq: 'TEST' } }, { environment: { eq: 'LIVE' } }] })).toEqual([
      ...['LIVE', 'TEST'],
    ]);
    const reader = await server.key(['keys:*']);
    expect(await environments({ environment: { eq: 'TEST' } }, reader)).toEqual([]);
    const testAdmin = await server.key(['admin:*'], 'TEST');
    expect(await environments({ environment: { eq: 'LIVE' } }, testAdmin)).toEqual([]);

    const shown =
      'query ($id: ID!) { apiKey(id: $id) { environment unusedScopes usage { total } } node(id: $id) { id } }';
    expect((await server.gql(shown, { id })).data).toEqual({
      apiKey: { environment: 'TEST', unusedScopes: ['tasks:read'], usage: { total: 0 } },
      node: { id },
    });
    for (const [document, input] of [
      [UPDATE, { id, name: 'x' }],
      [ROTATE, { id }],
      [REVOKE, { id }],
    ] as const) {
      expect(await codes(document, input, reader)).toEqual(['NOT_FOUND']);
    }
    expect(await codes(UPDATE, { id, scopes: ['projects:read'] })).toBeUndefined();
    const { data } = await server.gql(ROTATE, { input: { id } });
    expect(data.rotateApiKey.key).toMatch(/^sk_test_/);
    expect(await works(data.rotateApiKey.key)).toBe(true);
    expect(await codes(REVOKE, { id: data.rotateApiKey.apiKey.id })).toBeUndefined();
    expect(await works(data.rotateApiKey.key)).toBe(false);
    // Written where the key is.
    const events = await server.system.auditEvent.findMany({ where: { targetId: id }, orderBy: { id: 'asc' } });
    expect(events.map(({ action, environment }) => [action, environment])).toEqual([
      ['api_key.create', 'TEST'],
      ['api_key.update', 'TEST'],
      ['api_key.rotate', 'TEST'],
    ]);
    // Of another workspace, nothing.
    const other = await createWorkspace(server);
    expect(await codes(REVOKE, { id: other.test.apiKey.id })).toEqual(['NOT_FOUND']);
    expect(await environments({ id: { eq: other.test.apiKey.id }, environment: { in: ['LIVE', 'TEST'] } })).toEqual([]);
  });
});

describe('revocation', () => {
  it('holds although telling the others fails, and the caller hears of no failure', async () => {
    const own = await startTestServer();
    let told = 0;
    own.services.units.onKeysChanged(() => {
      told += 1;
      throw new Error('nobody listens');
    });
    const { key, apiKey } = await own.createKey([]);
    expect((await own.gql('{ viewer { environment } }', {}, key)).errors).toBeUndefined();
    const before = told;
    const { errors } = await own.gql(REVOKE, { input: { id: apiKey.id } });
    expect([errors, told]).toEqual([undefined, before + 1]);
    expect((await own.gql('{ viewer { environment } }', {}, key)).errors?.[0]?.extensions['code']).toBe(
      'UNAUTHENTICATED',
    );
    expect(own.logLines.join('')).toContain('nobody listens');
    await own.stop();
  });

  it('and its change counter are one transaction', async () => {
    const own = await startTestServer();
    const { key, apiKey } = await own.createKey([]);
    const counter = async () => (await own.system.changeCounter.findFirst({ where: { name: 'api_keys' } }))?.value ?? 0;
    const before = await counter();
    await own.system.$executeRawUnsafe('ALTER TABLE "Epoch" RENAME TO "Away"');
    expect((await own.gql(REVOKE, { input: { id: apiKey.id } })).errors).toHaveLength(1);
    await own.system.$executeRawUnsafe('ALTER TABLE "Away" RENAME TO "Epoch"');
    expect((await own.system.apiKey.findUniqueOrThrow({ where: { id: apiKey.id } })).revokedAt).toBeNull();
    expect((await own.gql('{ viewer { environment } }', {}, key)).errors).toBeUndefined();
    expect((await own.gql(REVOKE, { input: { id: apiKey.id } })).errors).toBeUndefined();
    expect(await counter()).toBe(before + 1);
    await own.stop();
  });

  it('ends with a key what it made, and what that made, wherever; or nothing', async () => {
    const admin = await server.createKey(['admin:*']);
    const make = async (giver: string, input: object) => {
      const { data } = await server.gql(CREATE, { input: { name: 'c', ...input } }, giver);
      return data.createApiKey as { key: string; apiKey: { id: string } };
    };
    const child = await make(admin.key, { scopes: ['keys:write', 'tasks:read'] });
    const grandchild = await make(child.key, { scopes: ['tasks:read'] });
    const sandbox = await make(admin.key, { scopes: ['admin:*'], environment: 'TEST' });
    const inSandbox = await make(sandbox.key, { scopes: ['tasks:read'] });
    const successor = (await server.gql(ROTATE, { input: { id: grandchild.apiKey.id } }, child.key)).data.rotateApiKey;
    const bystander = await server.createKey(['tasks:read']);
    const family = [admin, child, grandchild, sandbox, inSandbox, successor];

    // keys:delete of live does not reach the sandbox, and so ends none of them.
    const remover = await server.key(['keys:delete']);
    expect(await codes(REVOKE, { id: admin.apiKey.id, descendants: true }, remover)).toEqual(['FORBIDDEN']);
    expect(await Promise.all(family.map(({ key }) => works(key)))).toEqual(Array(6).fill(true));

    const { data } = await server.gql(REVOKE, {
      input: { id: admin.apiKey.id, descendants: true, reason: 'laptop lost' },
    });
    expect(data.revokeApiKey).toMatchObject({
      revokedKeys: 6,
      apiKey: { status: 'REVOKED', revokedReason: 'laptop lost' },
    });
    expect(await Promise.all(family.map(({ key }) => works(key)))).toEqual(Array(6).fill(false));
    expect(await works(bystander.key)).toBe(true);
    const again = await server.gql(REVOKE, { input: { id: admin.apiKey.id, descendants: true } });
    expect(again.data.revokeApiKey.revokedKeys).toBe(0);
    const reasons = await server.system.auditEvent.count({
      where: { action: 'api_key.revoke', targetId: { in: family.map(({ apiKey }) => apiKey.id) } },
    });
    expect(reasons).toBe(6);
  });

  it('ends thousands in one change, over the predecessors of a successor too, and the workspace has no more than that', async () => {
    const own = await startTestServer();
    const { system, workspace } = own;
    const root = await own.createKey(['keys:write', 'tasks:read']);
    const before = (await own.gql(CREATE, { input: { name: 'c', scopes: ['tasks:read'] } }, root.key)).data
      .createApiKey;
    const followed = (await own.gql(ROTATE, { input: { id: root.apiKey.id } })).data.rotateApiKey;
    const rows = Array.from({ length: 4000 }, (_, i) => ({
      ...{ id: `key_x${String(i).padStart(5, '0')}`, workspaceId: workspace.id, environment: 'LIVE' as const },
      ...{ name: 'x', hash: `sha256:${i}`, prefix: 'sk_live_x', scopes: 'tasks:read' },
      createdByKeyId: i < 100 ? followed.apiKey.id : `key_x${String(i % 100).padStart(5, '0')}`,
    }));
    for (let at = 0; at < rows.length; at += 900) await system.apiKey.createMany({ data: rows.slice(at, at + 900) });
    const { data, errors } = await own.gql(REVOKE, { input: { id: followed.apiKey.id, descendants: true } });
    expect([errors, data?.revokeApiKey.revokedKeys]).toEqual([undefined, 4002]);
    expect((await own.gql('{ viewer { environment } }', {}, before.key)).errors).toHaveLength(1);
    expect(await system.auditEvent.count({ where: { action: 'api_key.revoke' } })).toBe(4002);
    await system.apiKey.updateMany({ where: { id: { startsWith: 'key_x' } }, data: { revokedAt: null } });
    const missing = 10_000 - (await system.apiKey.count({ where: { revokedAt: null } }));
    const more = Array.from({ length: missing }, (_, i) => ({
      ...(rows[0] as (typeof rows)[0]),
      ...{ id: `key_y${i}`, hash: `sha256:y${i}` },
    }));
    for (let at = 0; at < missing; at += 900) await system.apiKey.createMany({ data: more.slice(at, at + 900) });
    const full = await own.gql(CREATE, { input: { name: 'c', scopes: [] } });
    expect([codesOf(full), full.errors?.[0]?.message]).toEqual([['CONFLICT'], expect.stringContaining('10000 keys')]);
    await own.stop();
  });

  it('a key that is being ended makes no more keys', async () => {
    const { live } = await createWorkspace(server);
    const { key, apiKey } = await server.services.keys.create(
      {
        ...{ workspaceId: live.apiKey.workspaceId, environment: 'LIVE', keyId: null, userId: null },
        ...{ ip: null, userAgent: null, requestId: null },
      },
      'operator',
      { name: 'k', scopes: ['keys:write'] },
    );
    const mints = Array.from({ length: 8 }, () => server.gql(CREATE, { input: { name: 'late', scopes: [] } }, key));
    await server.gql(REVOKE, { input: { id: apiKey.id, descendants: true } }, live.key);
    await Promise.all(mints);
    expect(await server.system.apiKey.count({ where: { createdByKeyId: apiKey.id, revokedAt: null } })).toBe(0);
  });
});

describe('keys are found', () => {
  it('by status, maker, scope and environment, and by what they are not', async () => {
    const own = await startTestServer();
    const { key, apiKey: maker } = await own.createKey(['keys:write', 'tasks:*', 'users:read'], 'LIVE', {
      name: 'maker',
    });
    const at = own.clock().getTime();
    const make = async (name: string, scopes: string[], more = {}) => {
      const { data, errors } = await own.gql(CREATE, { input: { name, scopes, ...more } }, key);
      expect(errors).toBeUndefined();
      return data.createApiKey.apiKey.id as string;
    };
    await make('active', ['tasks:read']);
    const rotated = await make('rotated', ['users:read']);
    const ended = await make('ended', ['users:read']);
    await make('expired', [], { expiresAt: new Date(at + 60_000) });
    const revoked = await make('revoked', ['tasks:write']);
    await own.gql(ROTATE, { input: { id: rotated } });
    await own.gql(ROTATE, { input: { id: ended, gracePeriod: 0 } });
    await own.gql(REVOKE, { input: { id: revoked } });
    await own.system.apiKey.updateMany({
      where: { name: 'expired' },
      data: { expiresAt: new Date(Date.now() - 1000) },
    });
    const names = async (filter: object) => {
      const { data, errors } = await own.gql(
        'query ($filter: ApiKeyFilter) { apiKeys(first: 100, filter: $filter) { nodes { name status } } }',
        { filter },
      );
      expect(errors).toBeUndefined();
      return data.apiKeys.nodes.map((row: { name: string; status: string }) => row.name).sort();
    };
    const all = await names({});
    expect(all).toHaveLength(9);
    const byStatus = await Promise.all(
      ['ACTIVE', 'ROTATED', 'EXPIRED', 'REVOKED'].map((status) => names({ status: { eq: status } })),
    );
    expect(byStatus).toEqual([
      ['First admin key', 'active', 'ended', 'maker', 'rotated'],
      ['rotated'],
      ['ended', 'expired'],
      ['revoked'],
    ]);
    expect(byStatus.flat().sort()).toEqual(all);
    expect(await names({ status: { neq: 'ACTIVE' } })).toEqual(['ended', 'expired', 'revoked', 'rotated']);
    expect(await names({ not: { status: { in: ['ACTIVE', 'REVOKED'] } } })).toEqual(['ended', 'expired', 'rotated']);
    expect(await names({ createdByKeyId: { eq: maker.id } })).toEqual([
      'active',
      'ended',
      'expired',
      'revoked',
      'rotated',
    ]);
    expect(await names({ scope: { eq: 'tasks:write' } })).toEqual(['First admin key', 'maker', 'revoked']);
    expect(await names({ scope: { contains: 'tasks:*' } })).toEqual(['First admin key', 'maker']);
    expect(await names({ scope: { nin: ['users:read', 'tasks:read'] } })).toEqual(['expired', 'revoked']);
    const unknown = await own.gql('{ apiKeys(filter: { scope: { eq: "task:read" } }) { totalCount } }');
    expect(codesOf(unknown)).toEqual(['BAD_USER_INPUT']);
    await own.stop();
  });
});

describe('permissions by REST', () => {
  it('Read and Read/Write mean the documented resources; the names that every object has mean nothing', async () => {
    const make = async (permissions: unknown) => call('POST', '/v1/api-keys', { body: { name: 'w', permissions } });
    expect((await make(['Read'])).body.permissions).toEqual(['tasks:read', 'projects:read', 'users:read']);
    expect((await make('Read/Write')).body.permissions.sort()).toEqual(
      ['tasks', 'projects', 'users'].flatMap((of) => [`${of}:read`, `${of}:write`]).sort(),
    );
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'x'.repeat(900_000)]) {
      const answer = await make([name]);
      expect([answer.status, Object.keys(answer.body.errors)], name.slice(0, 20)).toEqual([422, ['permissions']]);
    }
  });

  it('revoked keys are left out of lists, unless they are asked for', async () => {
    const { apiKey } = await server.createKey([]);
    await call('DELETE', `/v1/api-keys/${apiKey.id}`);
    const listed = async (query: string) =>
      (await call('GET', `/v1/api-keys${query}`)).body.data.find((row: { id: string }) => row.id === apiKey.id);
    expect(await listed('')).toBeUndefined();
    expect(await listed('?include_revoked=true')).toMatchObject({ status: 'revoked', revoked_at: expect.any(String) });
  });
});
