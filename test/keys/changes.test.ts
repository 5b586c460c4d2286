/** The life of an API key, through HTTP. */
import { createSign, generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Authenticator } from '../src/auth/authenticator.js';
import { openDatabase } from '../src/db/database.js';
import { ExpiryJob } from '../src/keys/expiryJob.js';
import { generateKey, hashKey } from '../src/keys/format.js';
import { KeyMonitor } from '../src/keys/keyMonitor.js';
import { ClusterBus } from '../src/messaging/bus.js';
import { startTestServer, type TestServer } from './support/server.js';

const DAY = 86_400_000;
const ACTOR = {
  environment: 'LIVE' as const,
  keyId: null,
  userId: null,
  ip: null,
  userAgent: null,
  requestId: null,
};
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });

let server: TestServer;
beforeAll(async () => {
  const folder = await import('node:os').then((os) => os.tmpdir());
  const file = path.join(folder, `taskgate-scanner-${process.pid}.json`);
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  writeFileSync(file, JSON.stringify({ public_keys: [{ key_identifier: 'scanner-1', key: pem, is_current: true }] }));
  server = await startTestServer({ LEAK_REPORT_KEYS_FILE: file, TRUST_PROXY: '127.0.0.1' });
});
afterAll(() => server.stop());

const CREATE =
  'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { key apiKey { id name scopes environment expiresAt allowedIps status autoRenew rateLimit { perMinute perHour } } } }';
const UPDATE =
  'mutation ($input: UpdateApiKeyInput!) { updateApiKey(input: $input) { apiKey { id name scopes expiresAt allowedIps autoRenew rateLimit { perMinute } } } }';
const ROTATE =
  'mutation ($input: RotateApiKeyInput!) { rotateApiKey(input: $input) { key apiKey { id name scopes expiresAt allowedIps rateLimit { perMinute } } } }';
const REVOKE = 'mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { apiKey { status } } }';
const VIEWER = '{ viewer { apiKey { id name } } }';

const status = async (key: string, headers: Record<string, string> = {}) =>
  (await server.post(JSON.stringify({ query: VIEWER }), key, headers)).status;
const codes = async (document: string, input: object, key?: string) =>
  (await server.gql(document, { input }, key)).errors?.map((error) => error.extensions['code']);
const inDays = (days: number) => new Date((server?.clock().getTime() ?? Date.now()) + days * DAY);
const inSeconds = (seconds: number) => new Date(server.clock().getTime() + seconds * 1000);

/** A giver with a scope to hand on, so that field limits of one test do not reach another. */
async function giver(scopes: string[] = ['keys:write', 'keys:read', 'tasks:read'], request = {}) {
  return server.createKey(scopes, 'LIVE', request);
}

describe('creation', () => {
  it('shows the key once, and stores its hash with the scheme', async () => {
    const { data } = await server.gql(CREATE, { input: { name: ' N ', scopes: ['tasks:read', 'tasks:read'] } });
    const { key, apiKey } = data.createApiKey;
    expect(apiKey).toMatchObject({
      name: 'N',
      scopes: ['tasks:read'],
      environment: 'LIVE',
      status: 'ACTIVE',
      expiresAt: null,
    });
    const row = await server.system.apiKey.findUniqueOrThrow({ where: { id: apiKey.id } });
    expect(row.hash).toBe(hashKey(key));
    expect(row.hash).toMatch(/^sha256:/);
    const files = readdirSync(server.folder).map((name) => readFileSync(path.join(server.folder, name), 'latin1'));
    expect(files.join('')).not.toContain(key);
    expect(await status(key)).toBe(200);
  });

  it('refuses what breaks a rule, and takes nothing from the body about who acts', async () => {
    expect(await codes(CREATE, { name: ' ', scopes: [] })).toEqual(['BAD_USER_INPUT']);
    expect(await codes(CREATE, { name: 'x', scopes: [], expiresAt: inDays(-1) })).toEqual(['BAD_USER_INPUT']);
    expect(await codes(CREATE, { name: 'x', scopes: [], allowedIps: ['10.0.0.0/33'] })).toEqual(['BAD_USER_INPUT']);
    expect(await codes(CREATE, { name: 'x', scopes: [], allowedIps: [] })).toEqual(['BAD_USER_INPUT']);
    expect(await codes(CREATE, { name: 'x', scopes: [], rateLimit: { perMinute: 0 } })).toEqual(['BAD_USER_INPUT']);
    expect(await codes(CREATE, { name: 'x', scopes: [], autoRenew: true })).toEqual(['BAD_USER_INPUT']);
    expect(await codes(CREATE, { name: 'x', scopes: [], id: 'key_x' })).toEqual(['BAD_USER_INPUT']);
    const { errors } = await server.gql(CREATE, { input: { name: 'x', scopes: ['task:read'] } });
    expect(errors?.[0]?.extensions['fields']).toEqual({
      scopes: ['has an unknown scope "task:read"; did you mean tasks:read or keys:read?'],
    });
  });

  it('with no scopes allows nothing', async () => {
    const key = await server.key([]);
    const { data, errors } = await server.gql(
      '{ tasks { totalCount } projects { totalCount } users { totalCount } apiKeys { totalCount } auditLog { totalCount } }',
      {},
      key,
    );
    expect(Object.values(data)).toEqual([null, null, null, null, null]);
    expect(errors).toHaveLength(5);
    expect(await status(key)).toBe(200);
  });
});

describe('no key gives more than it holds', () => {
  it.each([
    ['another scope', {}, { scopes: ['tasks:write'] }],
    ['a wildcard', {}, { scopes: ['tasks:*'] }],
    ['admin:*', {}, { scopes: ['admin:*'] }],
    ['the other environment', {}, { environment: 'TEST' }],
    ['a later expiry', { expiresAt: inDays(10) }, { expiresAt: inDays(11) }],
    ['no expiry', { expiresAt: inDays(10) }, { expiresAt: null }],
    ['a wider allow-list', { allowedIps: ['127.0.0.0/8'] }, { allowedIps: ['0.0.0.0/0'] }],
    ['no allow-list', { allowedIps: ['127.0.0.0/8'] }, { allowedIps: null }],
    ['a higher limit', { ratePerMinute: 50 }, { rateLimit: { perMinute: 51 } }],
    ['no limit', { ratePerMinute: 50 }, { rateLimit: { perMinute: null } }],
  ])('by creation: %s', async (_name, held, wanted: object) => {
    const { key } = await giver(undefined, held);
    expect(await codes(CREATE, { name: 'child', scopes: ['tasks:read'], ...wanted }, key)).toEqual(['FORBIDDEN']);
  });

  it('what is left out is taken over from the giver, where it is bounded', async () => {
    const held = { expiresAt: inDays(10), allowedIps: ['127.0.0.0/8'], ratePerMinute: 50 };
    const { key } = await giver(undefined, held);
    const { data } = await server.gql(CREATE, { input: { name: 'child', scopes: [] } }, key);
    expect(data.createApiKey.apiKey).toMatchObject({
      expiresAt: held.expiresAt.toISOString(),
      allowedIps: held.allowedIps,
      rateLimit: { perMinute: 50 },
    });
  });

  it.each([
    ['another scope', {}, { scopes: ['tasks:read', 'tasks:write'] }],
    ['a later expiry', { expiresAt: inDays(10) }, { expiresAt: inDays(11) }],
    ['no expiry', { expiresAt: inDays(10) }, { expiresAt: null }],
    ['a wider allow-list', { allowedIps: ['127.0.0.0/8'] }, { allowedIps: null }],
    ['a higher limit', { ratePerMinute: 50 }, { rateLimit: { perMinute: 500 } }],
  ])('by update of another key, or of itself: %s', async (_name, held, wanted: object) => {
    const parent = await giver(undefined, held);
    const made = await server.gql(CREATE, { input: { name: 'child', scopes: ['tasks:read'] } }, parent.key);
    expect(await codes(UPDATE, { id: made.data.createApiKey.apiKey.id, ...wanted }, parent.key)).toEqual(['FORBIDDEN']);
    expect(await codes(UPDATE, { id: parent.apiKey.id, ...wanted }, parent.key)).toEqual(['FORBIDDEN']);
  });

  it.each([
    ['scopes', ['admin:*'], {}],
    ['no expiry', ['tasks:read'], {}],
    ['any address', ['tasks:read'], { expiresAt: inDays(5) }],
  ])('by update or rotation of a stronger key: %s', async (_name, scopes, request) => {
    const { key } = await giver(['keys:write', 'tasks:read'], { expiresAt: inDays(10), allowedIps: ['127.0.0.1/32'] });
    const strong = await server.createKey(scopes, 'LIVE', request);
    expect(await codes(UPDATE, { id: strong.apiKey.id, name: 'mine now' }, key)).toEqual(['FORBIDDEN']);
    expect(await codes(ROTATE, { id: strong.apiKey.id }, key)).toEqual(['FORBIDDEN']);
    expect(await server.system.apiKey.findUnique({ where: { id: strong.apiKey.id } })).toMatchObject({
      name: 'test',
      rotatedAt: null,
    });
  });

  it('an administrator of live makes keys of the sandbox; one of the sandbox none of live', async () => {
    const { data } = await server.gql(CREATE, { input: { name: 't', scopes: ['admin:*'], environment: 'TEST' } });
    const testAdmin = data.createApiKey.key;
    expect(testAdmin).toMatch(/^sk_test_/);
    expect(await codes(CREATE, { name: 'l', scopes: [], environment: 'LIVE' }, testAdmin)).toEqual(['FORBIDDEN']);
    const same = await server.gql(CREATE, { input: { name: 's', scopes: [] } }, testAdmin);
    expect(same.data.createApiKey.apiKey.environment).toBe('TEST');
  });
});

describe('update', () => {
  it('changes what is given, at once, and says what in the audit log', async () => {
    const { key, apiKey } = await server.createKey(['tasks:read']);
    const read = async () => (await server.gql('{ tasks { totalCount } }', {}, key)).errors?.[0]?.extensions['code'];
    expect(await read()).toBeUndefined();
    const { data } = await server.gql(UPDATE, {
      input: { id: apiKey.id, scopes: ['projects:read'], expiresAt: inDays(2), rateLimit: { perMinute: 7 } },
    });
    expect(data.updateApiKey.apiKey).toMatchObject({
      name: 'test',
      scopes: ['projects:read'],
      rateLimit: { perMinute: 7 },
    });
    expect(await read()).toBe('FORBIDDEN');
    const log = await server.gql(
      'query ($id: ID) { auditLog(filter: { targetId: { eq: $id }, action: { eq: "api_key.update" } }) { nodes { changes actorKeyId ip } } }',
      { id: apiKey.id },
    );
    const [event] = log.data.auditLog.nodes;
    expect(JSON.parse(event.changes)).toMatchObject({
      scopes: { from: 'tasks:read', to: 'projects:read' },
      ratePerMinute: { from: null, to: 7 },
    });
    expect(event).toMatchObject({ actorKeyId: expect.stringMatching(/^key_/), ip: '127.0.0.1' });
  });

  it('extends the expiry, and clears it', async () => {
    const { apiKey } = await server.createKey([], 'LIVE', { expiresAt: inDays(1) });
    const later = inDays(50);
    expect(
      (await server.gql(UPDATE, { input: { id: apiKey.id, expiresAt: later } })).data.updateApiKey.apiKey.expiresAt,
    ).toBe(later.toISOString());
    expect(
      (await server.gql(UPDATE, { input: { id: apiKey.id, expiresAt: null } })).data.updateApiKey.apiKey.expiresAt,
    ).toBeNull();
  });

  it('does not bring back what ended, nor undo a revocation that came in between', async () => {
    const { apiKey } = await server.createKey([]);
    const results = await Promise.all([
      server.gql(UPDATE, { input: { id: apiKey.id, name: 'x' } }),
      server.gql(REVOKE, { id: apiKey.id }),
    ]);
    expect(results[1]?.errors).toBeUndefined();
    expect((await server.system.apiKey.findUniqueOrThrow({ where: { id: apiKey.id } })).revokedAt).not.toBeNull();
    expect(await codes(UPDATE, { id: apiKey.id, name: 'y' })).toEqual(['CONFLICT']);
    const expired = await server.createKey([], 'LIVE', { expiresAt: inSeconds(5) });
    server.clock.advance(6000);
    expect(await codes(UPDATE, { id: expired.apiKey.id, expiresAt: inDays(1) })).toEqual(['CONFLICT']);
    expect(await codes(UPDATE, { id: expired.apiKey.id, name: null })).toEqual(['BAD_USER_INPUT']);
  });
});

describe('rotation', () => {
  it('gives a successor with the same name, scopes, limits, allow-list and expiry; the old key works on and says until when', async () => {
    const request = { name: 'R', expiresAt: inDays(9), allowedIps: ['127.0.0.0/8'], ratePerMinute: 70 };
    const old = await server.createKey(['tasks:read'], 'LIVE', request);
    const before = await server.post(JSON.stringify({ query: VIEWER }), old.key);
    expect(before.headers.get('deprecation')).toBeNull();
    const { data } = await server.gql(ROTATE, { input: { id: old.apiKey.id, gracePeriod: 3600 } });
    expect(data.rotateApiKey.apiKey).toMatchObject({
      name: 'R',
      scopes: ['tasks:read'],
      expiresAt: request.expiresAt.toISOString(),
      allowedIps: request.allowedIps,
      rateLimit: { perMinute: 70 },
    });
    expect(await status(data.rotateApiKey.key)).toBe(200);
    const response = await server.post(JSON.stringify({ query: VIEWER }), old.key);
    expect(response.status).toBe(200);
    expect(response.headers.get('deprecation')).toMatch(/^@\d+$/);
    const sunset = new Date(response.headers.get('sunset') ?? '').getTime();
    expect(Math.abs(sunset - server.clock().getTime() - 3_600_000)).toBeLessThan(10_000);
    await server.flushUsage();
    const shown = await server.gql(
      'query ($id: ID!) { apiKey(id: $id) { status successorId lastUsedAt graceEndsAt } }',
      { id: old.apiKey.id },
    );
    expect(shown.data.apiKey).toMatchObject({
      status: 'ROTATED',
      successorId: data.rotateApiKey.apiKey.id,
      lastUsedAt: expect.any(String),
    });
  });

  it('with no grace ends the old key at once; with some, when it is over, or at its own expiry if that is sooner', async () => {
    const [none, some, expiring] = await Promise.all([
      server.createKey([]),
      server.createKey([]),
      server.createKey([], 'LIVE', { expiresAt: inSeconds(60) }),
    ]);
    for (const { key } of [none, some, expiring]) expect(await status(key)).toBe(200);
    const admin = await server.key(['admin:*']);
    await server.gql(ROTATE, { input: { id: none.apiKey.id, gracePeriod: 0 } }, admin);
    await server.gql(ROTATE, { input: { id: some.apiKey.id, gracePeriod: 60 } }, admin);
    const successor = await server.gql(ROTATE, { input: { id: expiring.apiKey.id, gracePeriod: 3600 } }, admin);
    expect([await status(none.key), await status(some.key)]).toEqual([401, 200]);
    server.clock.advance(61_000);
    expect([await status(some.key), await status(expiring.key)]).toEqual([401, 401]);
    // The successor of a temporary key is as temporary.
    expect(await status(successor.data.rotateApiKey.key)).toBe(401);
  });

  it('twice at once gives one successor', async () => {
    const { apiKey } = await server.createKey([]);
    const admin = await server.key(['admin:*']);
    const before = await server.system.apiKey.count();
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => server.gql(ROTATE, { input: { id: apiKey.id } }, admin)),
    );
    expect(answers.filter(({ errors }) => !errors)).toHaveLength(1);
    expect(answers.flatMap(({ errors = [] }) => errors.map((error) => error.extensions['code']))).toEqual(
      Array(4).fill('CONFLICT'),
    );
    expect(await server.system.apiKey.count()).toBe(before + 1);
    expect(await codes(ROTATE, { id: apiKey.id, gracePeriod: -1 }, admin)).toEqual(['BAD_USER_INPUT']);
  });

  it('is not for a key that ended', async () => {
    const { apiKey } = await server.createKey([]);
    const admin = await server.key(['admin:*']);
    await server.gql(REVOKE, { id: apiKey.id });
    expect(await codes(ROTATE, { id: apiKey.id }, admin)).toEqual(['CONFLICT']);
  });
});

it('a key may last to the end of time', async () => {
  for (const expiresAt of [new Date('2099-01-01T00:00:00Z'), new Date('9999-12-31T23:59:59Z')]) {
    expect((await server.createKey([], 'LIVE', { expiresAt })).apiKey.expiresAt).toEqual(expiresAt);
  }
});

describe('revocation', () => {
  it('with 100 requests in flight: none that began after the answer is accepted', async () => {
    const { key, apiKey } = await server.createKey(['tasks:read']);
    expect(await status(key)).toBe(200);
    let answered = false;
    const after: number[] = [];
    const flights = Array.from({ length: 100 }, async () => {
      while (after.length < 200) {
        const beganAfter = answered;
        const result = await status(key);
        if (beganAfter) after.push(result);
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 15));
    await server.gql(REVOKE, { id: apiKey.id });
    answered = true;
    await Promise.all(flights);
    expect(new Set(after)).toEqual(new Set([401]));
  });

  it('a read of the old row that ends after the revocation does not fill the cache with it', async () => {
    const { key, apiKey } = await server.createKey([]);
    let reached = () => {};
    let release = () => {};
    const reading = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    // The real client, but its answer about the key is held back once.
    let held = false;
    const slow = Object.create(server.system, {
      workspace: { value: server.system.workspace },
      apiKey: {
        value: {
          findUnique: async (query: never) => {
            const row = await server.system.apiKey.findUnique(query);
            if (!held) {
              held = true;
              reached();
              await gate;
            }
            return row;
          },
        },
      },
    });
    const { plans } = server.config;
    const authenticator = new Authenticator(slow, plans, server.services.units, new ClusterBus('test'));
    const first = authenticator.authenticate(key, null);
    await reading;
    await server.gql(REVOKE, { id: apiKey.id });
    release();
    await first;
    expect(await authenticator.authenticate(key, null)).toMatchObject({ ok: false, reason: 'revoked' });
    authenticator.close();
  });

  it('behind our back, by SQL, is seen within 5 seconds; twice changes nothing', async () => {
    const { key, apiKey } = await server.createKey([]);
    expect(await status(key)).toBe(200);
    await server.system.apiKey.update({ where: { id: apiKey.id }, data: { revokedAt: new Date(0) } });
    server.clock.advance(5100);
    expect(await status(key)).toBe(401);
    const again = await server.gql(REVOKE, { id: apiKey.id });
    expect(again.data.revokeApiKey.apiKey.status).toBe('REVOKED');
    expect((await server.system.apiKey.findUniqueOrThrow({ where: { id: apiKey.id } })).revokedAt).toEqual(new Date(0));
  });

  it('of a user offers to revoke the keys that they made; else the keys live on', async () => {
    const add = 'mutation ($email: String!) { createUser(input: { email: $email, name: "U" }) { user { id } } }';
    const remove =
      'mutation ($id: ID!, $revoke: Boolean) { deleteUser(input: { id: $id, revokeKeys: $revoke }) { revokedKeys } }';
    for (const revoke of [false, true]) {
      const { data } = await server.gql(add, { email: `${revoke}@example.com` });
      const { id } = data.createUser.user;
      const made = await server.createKey([]);
      await server.system.apiKey.update({ where: { id: made.apiKey.id }, data: { createdById: id } });
      const mayNot = await server.gql(remove, { id, revoke }, await server.key(['users:delete']));
      if (revoke)
        expect(mayNot.errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', missingScopes: ['keys:delete'] });
      if (revoke) expect((await server.gql(remove, { id, revoke })).data.deleteUser.revokedKeys).toBe(1);
      expect(await status(made.key)).toBe(revoke ? 401 : 200);
    }
  });
});

describe('an allow-list', () => {
  it('lets in its addresses only; X-Forwarded-For is believed from trusted hops alone', async () => {
    const { key } = await server.createKey([], 'LIVE', { allowedIps: ['203.0.113.0/24', '2001:db8::/32'] });
    expect(await status(key)).toBe(401);
    expect(await status(key, { 'x-forwarded-for': '203.0.113.9' })).toBe(200);
    expect(await status(key, { 'x-forwarded-for': '::ffff:203.0.113.9' })).toBe(200);
    expect(await status(key, { 'x-forwarded-for': '2001:db8::7' })).toBe(200);
    // What the client wrote itself stands to the left.
    expect(await status(key, { 'x-forwarded-for': '203.0.113.9, 198.51.100.1' })).toBe(401);
    expect(await status(key, { forwarded: 'for=203.0.113.9', 'x-real-ip': '203.0.113.9' })).toBe(401);
  });

  it('without a trusted proxy reads no header at all', async () => {
    const plain = await startTestServer();
    const { key } = await plain.createKey([], 'LIVE', { allowedIps: ['203.0.113.0/24'] });
    const answer = await plain.post(JSON.stringify({ query: VIEWER }), key, { 'x-forwarded-for': '203.0.113.9' });
    expect(answer.status).toBe(401);
    await plain.stop();
  });
});

describe('authentication', () => {
  it('takes the same path and gives the same answer for unknown, expired, revoked and blocked keys; the audit log has the reason', async () => {
    const expired = await server.createKey([], 'LIVE', { expiresAt: inSeconds(5) });
    const revoked = await server.createKey([]);
    await server.gql(REVOKE, { id: revoked.apiKey.id });
    const blocked = await server.createKey([], 'LIVE', { allowedIps: ['203.0.113.1/32'] });
    server.clock.advance(6000);
    const answers = [];
    const reads = [];
    for (const key of [generateKey('LIVE'), expired.key, revoked.key, blocked.key]) {
      const before = server.queries.length;
      const response = await server.post(JSON.stringify({ query: VIEWER }), key);
      reads.push(
        server.queries.slice(before).filter((sql) => /SELECT.*[`"]ApiKey[`"]\.[`"]hash[`"] = /.test(sql)).length,
      );
      answers.push([response.status, await response.text()]);
    }
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(reads).toEqual([1, 1, 1, 1]);
    const reasonOf = async (id: string) => {
      const { data } = await server.gql(
        'query ($id: ID) { auditLog(filter: { targetId: { eq: $id }, action: { eq: "api_key.refused" } }) { nodes { changes } } }',
        { id },
      );
      return data.auditLog.nodes.map(({ changes }: { changes: string }) => JSON.parse(changes).reason);
    };
    // The log is written beside the answer.
    await expect.poll(() => reasonOf(expired.apiKey.id)).toEqual(['expired']);
    await expect.poll(() => reasonOf(revoked.apiKey.id)).toEqual(['revoked']);
    await expect.poll(() => reasonOf(blocked.apiKey.id)).toEqual(['ip_not_allowed']);
  });
});

describe('limits of a key', () => {
  it('are of the window, not from the last request; a refusal is 429, takes nothing, and tells of the window that refused', async () => {
    const { key } = await server.createKey(['tasks:read'], 'LIVE', { ratePerMinute: 3, ratePerHour: 100 });
    const responses = await Promise.all(
      Array.from({ length: 10 }, () => server.post(JSON.stringify({ query: VIEWER }), key)),
    );
    expect(responses.map((response) => response.status).sort()).toEqual([200, 200, 200, ...Array(7).fill(429)]);
    const [refused] = responses.filter((response) => response.status === 429) as [Response];
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('x-ratelimit-limit')).toBe('3');
    expect(refused.headers.get('x-ratelimit-remaining')).toBe('0');
    expect(refused.headers.get('ratelimit')).toMatch(/^"minute";r=0;t=(60|5\d), "hour";r=97;t=(3600|35\d\d)$/);
    for (const { headers } of responses.filter((response) => response.status === 200)) {
      expect(headers.get('x-ratelimit-limit')).toBe('100');
    }
    expect(refused.headers.get('ratelimit-policy')).toBe('"minute";q=3;w=60, "hour";q=100;w=3600');
    const { errors } = (await refused.json()) as { errors: { extensions: object }[] };
    expect(errors[0]?.extensions).toMatchObject({ code: 'RATE_LIMITED' });
  });
});

describe('usage', () => {
  let key: string;
  let id: string;
  beforeEach(async () => {
    const made = await server.createKey(['tasks:*', 'projects:read', 'users:read']);
    key = made.key;
    id = made.apiKey.id;
  });

  it('is exact in sum: by day, operation, scope and status, with the last use', async () => {
    await Promise.all(Array.from({ length: 40 }, () => server.gql('query List { tasks { totalCount } }', {}, key)));
    await server.gql('mutation Add { createTask(input: { title: "x" }) { task { id } } }', {}, key);
    await server.post(JSON.stringify({ query: '{ nonsense }' }), key, {
      'user-agent': 'tester/1',
      'x-forwarded-for': '198.51.100.7',
    });
    await server.flushUsage();
    const { data } = await server.gql(
      'query ($id: ID!) { apiKey(id: $id) { lastUsedAt lastUsedIp lastUsedUserAgent requestsToday requestsThisMonth unusedScopes usage { total byDay { day count } byOperation { name count } byScope { name count } byStatus { name count } } } }',
      { id },
    );
    const today = server.clock().toISOString().slice(0, 10);
    expect(data.apiKey).toMatchObject({
      lastUsedIp: '198.51.100.7',
      lastUsedUserAgent: 'tester/1',
      requestsToday: 42,
      requestsThisMonth: 42,
      unusedScopes: ['projects:read', 'users:read'],
      usage: {
        total: 42,
        byDay: [{ day: today, count: 42 }],
        byOperation: [
          { name: 'List', count: 40 },
          { name: 'Add', count: 1 },
        ],
        byScope: [
          { name: 'tasks:read', count: 40 },
          { name: 'tasks:write', count: 1 },
        ],
        byStatus: expect.arrayContaining([{ name: '200', count: 42 }]),
      },
    });
  });

  it('keeps 200 names of operations a day, and counts all others as one, however many batches they come in', async () => {
    const { key: many, apiKey } = await server.createKey(['tasks:read']);
    for (let batch = 0; batch < 3; batch += 1) {
      for (let at = 0; at < 90; at += 30) {
        await Promise.all(
          Array.from({ length: 30 }, (_, i) =>
            server.gql(`query N${batch}_${at + i} { viewer { environment } }`, {}, many),
          ),
        );
      }
      await server.flushUsage();
    }
    const rows = await server.system.apiKeyUsage.findMany({ where: { keyId: apiKey.id, dimension: 'operation' } });
    expect(rows.length).toBe(201);
    expect(rows.find(({ value }) => value === 'other')?.count).toBe(70);
    expect(rows.reduce((sum, row) => sum + row.count, 0)).toBe(270);
    // Names that are known go on being counted, by a process that did not see them written either.
    const { UsageRecorder } = await import('../src/keys/usage.js');
    const elsewhere = new UsageRecorder(
      server.system,
      (error) => {
        throw error;
      },
      server.clock,
    );
    for (const name of ['N0_0', 'Other_1', 'Other_2']) {
      elsewhere.record({ key: apiKey, operations: [name], scopes: [], status: 200, ip: null, userAgent: null });
    }
    await elsewhere.close();
    const after = await server.system.apiKeyUsage.findMany({ where: { keyId: apiKey.id, dimension: 'operation' } });
    expect([after.length, after.find(({ value }) => value === 'other')?.count]).toEqual([201, 72]);
    expect(after.find(({ value }) => value === 'N0_0')?.count).toBe(2);
  });

  it('never writes the row of the key', async () => {
    const before = server.queries.length;
    await server.gql('{ tasks { totalCount } }', {}, key);
    await server.flushUsage();
    const writes = server.queries.slice(before).filter((sql) => /^(INSERT|UPDATE|DELETE)/.test(sql));
    expect(writes.some((sql) => sql.includes('ApiKeyUsage'))).toBe(true);
    expect(writes.filter((sql) => /^UPDATE .*`ApiKey`/.test(sql))).toEqual([]);
  });

  it('is written before the server stops', async () => {
    const own = await startTestServer();
    for (let i = 0; i < 3; i += 1) await own.gql('{ viewer { environment } }');
    await own.halt();
    const database = await openDatabase(own.config);
    expect(await database.system.apiKeyUsage.findMany({ where: { dimension: 'total' } })).toMatchObject([{ count: 3 }]);
    await database.close();
    await own.stop();
  });
});

describe('time', () => {
  let aging: TestServer;
  let expiryJob: ExpiryJob;
  beforeAll(async () => {
    aging = await startTestServer({ TRUST_PROXY: '127.0.0.1' });
    const onError = (error: unknown) => {
      throw error;
    };
    expiryJob = new ExpiryJob(aging.system, aging.services.keys, onError, aging.clock);
  });
  afterAll(() => aging.stop());
  const daysAhead = (days: number) => new Date(aging.clock().getTime() + days * DAY);
  const use = async (key: string, headers: Record<string, string> = {}) =>
    (await aging.post(JSON.stringify({ query: VIEWER }), key, headers)).status;
  const alerts = async (keyId: string): Promise<string[]> => {
    const rows = await aging.system.alert.findMany({ where: { keyId }, orderBy: { createdAt: 'asc' } });
    return rows.map(({ kind }) => kind);
  };

  it('renews a key by its term before it lapses, with a notice 30 days ahead; told once', async () => {
    const { key, apiKey } = await aging.createKey([], 'LIVE', { expiresAt: daysAhead(60), autoRenew: true });
    const { apiKey: plain } = await aging.createKey([], 'LIVE', { expiresAt: daysAhead(60) });
    await expiryJob.run();
    expect(await alerts(apiKey.id)).toEqual([]);
    aging.clock.advance(31 * DAY);
    await expiryJob.run();
    aging.clock.advance(DAY);
    await expiryJob.run();
    expect([await alerts(apiKey.id), await alerts(plain.id)]).toEqual([['KEY_EXPIRING'], ['KEY_EXPIRING']]);
    aging.clock.advance(27.5 * DAY);
    await Promise.all([expiryJob.run(), expiryJob.run()]);
    const row = await aging.system.apiKey.findUniqueOrThrow({ where: { id: apiKey.id } });
    expect(((row.expiresAt?.getTime() ?? 0) - (apiKey.expiresAt?.getTime() ?? 0)) / DAY).toBeCloseTo(60, 3);
    expect(await alerts(apiKey.id)).toContain('KEY_RENEWED');
    expect((await aging.system.apiKey.findUniqueOrThrow({ where: { id: plain.id } })).expiresAt).toEqual(
      plain.expiresAt,
    );
    expect(await use(key)).toBe(200);
  });

  it('a key that lasts less than the notice gets it at once', async () => {
    const { apiKey } = await aging.createKey([], 'LIVE', { expiresAt: daysAhead(10) });
    await expiryJob.run();
    expect(await alerts(apiKey.id)).toEqual(['KEY_EXPIRING']);
  });

  it('looks after all keys that expire, however many there are', async () => {
    const { apiKey } = await aging.createKey([]);
    const expiresAt = daysAhead(20);
    await aging.system.apiKey.createMany({
      data: Array.from({ length: 1100 }, (_, i) => ({
        ...apiKey,
        id: `key_many${String(i).padStart(4, '0')}`,
        hash: `sha256:${i}`,
        // Many at one moment, so that a page ends among them.
        expiresAt: i < 700 ? expiresAt : new Date(expiresAt.getTime() + i),
      })),
    });
    await expiryJob.run();
    expect(await aging.system.alert.count({ where: { keyId: { startsWith: 'key_many' } } })).toBe(1100);
    await aging.system.apiKey.updateMany({
      where: { id: { startsWith: 'key_many' } },
      data: { revokedAt: new Date() },
    });
  });

  it('auto-renewal takes the enterprise plan and an expiry', async () => {
    const free = await startTestServer({ DEFAULT_PLAN: 'professional' });
    const answer = await free.gql(CREATE, { input: { name: 'x', scopes: [], expiresAt: inDays(9), autoRenew: true } });
    expect(answer.errors?.[0]?.extensions['fields']).toEqual({ autoRenew: ['takes the enterprise plan'] });
    await free.stop();
  });

  it('tells of a key that nobody used for 90 days, and lists what expires soon', async () => {
    const { apiKey } = await aging.createKey([]);
    await aging.system.apiKey.update({ where: { id: apiKey.id }, data: { createdAt: daysAhead(-100) } });
    await expiryJob.run();
    await expiryJob.run();
    expect(await alerts(apiKey.id)).toEqual(['KEY_UNUSED']);
    const soonGone = await server.createKey([], 'LIVE', { expiresAt: inDays(3) });
    const { data } = await server.gql('{ apiKeys(first: 1000, expiringWithinDays: 7) { nodes { id } } }');
    expect(data.apiKeys.nodes).toContainEqual({ id: soonGone.apiKey.id });
    expect(data.apiKeys.nodes).not.toContainEqual({ id: apiKey.id });
  });

  it('tells of a new network, of failures that pile up, and of quotas used', async () => {
    const { key, apiKey } = await aging.createKey([], 'LIVE', { ratePerMinute: 5, ratePerHour: 10 });
    await use(key, { 'x-forwarded-for': '198.51.100.1' });
    await aging.flushUsage();
    expect(await alerts(apiKey.id)).toEqual([]);
    await use(key, { 'x-forwarded-for': '198.51.100.99' });
    await use(key, { 'x-forwarded-for': '192.0.2.1' });
    await aging.flushUsage();
    expect(await alerts(apiKey.id)).toEqual(['NEW_NETWORK']);
    const statuses = [];
    for (let i = 0; i < 4; i += 1) statuses.push(await use(key));
    expect(statuses).toEqual([200, 200, 429, 429]);
    await aging.flushUsage();
    await expect
      .poll(async () => (await alerts(apiKey.id)).sort())
      .toEqual(['LIMIT_HIT', 'NEW_NETWORK', 'NEW_NETWORK']);
    await aging.services.keys.revokeLeaked({ ...ACTOR, workspaceId: aging.workspace.id }, apiKey, 'test');
    for (let i = 0; i < 10; i += 1) await use(key);
    await expect.poll(() => alerts(apiKey.id)).toContain('AUTHENTICATION_FAILURES');

    const metered = await aging.createKey([], 'LIVE', { ratePerMinute: 1000, ratePerHour: 10 });
    for (let i = 0; i < 8; i += 1) await use(metered.key);
    await expect.poll(() => alerts(metered.apiKey.id)).toEqual(['QUOTA_80']);
    for (let i = 0; i < 3; i += 1) await use(metered.key);
    await expect
      .poll(async () => (await alerts(metered.apiKey.id)).sort())
      .toEqual(['LIMIT_HIT', 'QUOTA_100', 'QUOTA_80']);
  });

  it('an alert that could not be written is written the next time', async () => {
    let away = true;
    const failures: unknown[] = [];
    const system = Object.create(aging.system, {
      $transaction: {
        value: (...args: never[]) =>
          away
            ? Promise.reject(new Error('away'))
            : (aging.system.$transaction as (...args: never[]) => unknown)(...args),
      },
    });
    const monitor = new KeyMonitor(system, (error) => failures.push(error));
    const { apiKey } = await aging.createKey([]);
    const key = { keyId: apiKey.id, workspaceId: apiKey.workspaceId, environment: apiKey.environment };
    const reach = () => monitor.limits(key, { limit: 10, remaining: 0, length: 60 }, true, 1_000_000);
    reach();
    await expect.poll(() => failures.length).toBe(1);
    away = false;
    reach();
    await expect.poll(() => alerts(apiKey.id)).toEqual(['QUOTA_100']);
  });
});

describe('a leaked key', () => {
  const report = (body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${server.origin}/credentials/revoke`, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    });

  it('can be ended by whoever holds it; the answer is the same for what is no key', async () => {
    const { key, apiKey } = await server.createKey(['tasks:read']);
    expect(await status(key)).toBe(200);
    const hit = await report({ credentials: [key, 'nonsense'] });
    const miss = await report({ credentials: [generateKey('LIVE')] });
    expect([hit.status, miss.status]).toEqual([202, 202]);
    expect(await hit.text()).toBe(await miss.text());
    expect(await status(key)).toBe(401);
    const events = await server.system.auditEvent.findMany({
      where: { targetId: apiKey.id },
      orderBy: { createdAt: 'asc' },
    });
    expect(events.map(({ action }) => action)).toEqual(expect.arrayContaining(['api_key.revoke', 'alert.key_leaked']));
    expect(JSON.stringify(events)).not.toContain(key);
  });

  it('is taken in lists of 1 to 1,000, 60 times an hour from one address', async () => {
    const from = { 'x-forwarded-for': '192.0.2.77' };
    for (const body of ['{', '[]', { credentials: [] }, { credentials: Array(1001).fill('x') }, { credentials: [7] }]) {
      expect((await report(body, from)).status).toBe(400);
    }
    const statuses = [];
    for (let i = 0; i < 57; i += 1) statuses.push((await report({ credentials: ['x'] }, from)).status);
    expect(statuses.filter((code) => code === 202)).toHaveLength(55);
    const refused = await report({ credentials: ['x'] }, from);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await report({ credentials: ['x'] })).status).toBe(202);
  });

  it('reported by a scanner is looked up, revoked and labelled, if the report is signed', async () => {
    const { key, apiKey } = await server.createKey([]);
    const body = JSON.stringify([
      { token: key, type: 'taskgate_api_key', url: 'https://example.com/leak', source: 'content' },
      { token: generateKey('LIVE'), type: 'taskgate_api_key', url: '', source: 'content' },
    ]);
    const send = (signature: string, identifier = 'scanner-1', text = body) =>
      fetch(`${server.origin}/security/leaked-keys`, {
        method: 'POST',
        body: text,
        headers: {
          'github-public-key-identifier': identifier,
          'github-public-key-signature': signature,
          'content-type': 'application/json',
        },
      });
    const signature = createSign('sha256').update(body).sign(privateKey, 'base64');
    expect((await send('AAAA')).status).toBe(401);
    expect((await send(signature, 'scanner-2')).status).toBe(401);
    expect((await send(signature, 'scanner-1', `${body} `)).status).toBe(401);
    expect(await status(key)).toBe(200);
    const answer = await send(signature);
    expect(answer.status).toBe(200);
    expect((await answer.json()) as object[]).toMatchObject([{ label: 'true_positive' }, { label: 'false_positive' }]);
    expect(await status(key)).toBe(401);
    const row = await server.system.apiKey.findUniqueOrThrow({ where: { id: apiKey.id } });
    expect(row.revokedReason).toBe('leaked: content https://example.com/leak');
  });
});
