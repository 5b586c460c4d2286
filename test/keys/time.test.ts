/** Keys expire, renew themselves, and tell of it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ExpiryJob } from '../../src/keys/expiryJob.js';
import { KeyMonitor } from '../../src/keys/keyMonitor.js';
import { CREATE, DAY, keyLife, VIEWER } from '../support/keyLife.js';
import { startTestServer, type TestServer } from '../support/server.js';

const ACTOR = {
  environment: 'LIVE' as const,
  keyId: null,
  userId: null,
  ip: null,
  userAgent: null,
  requestId: null,
};

let server: TestServer;
const { inDays } = keyLife(() => server);
beforeAll(async () => {
  server = await startTestServer({ TRUST_PROXY: '127.0.0.1' });
});
afterAll(() => server.stop());

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
    await aging.services.keys.end({ ...ACTOR, workspaceId: aging.workspace.id }, apiKey, 'test');
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
