/** Keys are made, changed, rotated and revoked, through HTTP. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Authenticator } from '../../src/auth/authenticator.js';
import { hashKey } from '../../src/keys/format.js';
import { ClusterBus } from '../../src/messaging/bus.js';
import { CREATE, keyLife, REVOKE, ROTATE, UPDATE, VIEWER } from '../support/keyLife.js';
import { startTestServer, type TestServer } from '../support/server.js';

let server: TestServer;
const { codes, inDays, inSeconds, issuer, status } = keyLife(() => server);
beforeAll(async () => {
  server = await startTestServer({ TRUST_PROXY: '127.0.0.1' });
});
afterAll(() => server.stop());

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
    const { key } = await issuer(undefined, held);
    expect(await codes(CREATE, { name: 'child', scopes: ['tasks:read'], ...wanted }, key)).toEqual(['FORBIDDEN']);
  });

  it('what is left out is taken over from the giver, where it is bounded', async () => {
    const held = { expiresAt: inDays(10), allowedIps: ['127.0.0.0/8'], ratePerMinute: 50 };
    const { key } = await issuer(undefined, held);
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
    const parent = await issuer(undefined, held);
    const made = await server.gql(CREATE, { input: { name: 'child', scopes: ['tasks:read'] } }, parent.key);
    expect(await codes(UPDATE, { id: made.data.createApiKey.apiKey.id, ...wanted }, parent.key)).toEqual(['FORBIDDEN']);
    expect(await codes(UPDATE, { id: parent.apiKey.id, ...wanted }, parent.key)).toEqual(['FORBIDDEN']);
  });

  it.each([
    ['scopes', ['admin:*'], {}],
    ['no expiry', ['tasks:read'], {}],
    ['any address', ['tasks:read'], { expiresAt: inDays(5) }],
  ])('by update or rotation of a stronger key: %s', async (_name, scopes, request) => {
    const { key } = await issuer(['keys:write', 'tasks:read'], { expiresAt: inDays(10), allowedIps: ['127.0.0.1/32'] });
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
