/** Which key is let in, from where, and how often. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKey } from '../../src/keys/format.js';
import { keyLife, REVOKE, VIEWER } from '../support/keyLife.js';
import { startTestServer, type TestServer } from '../support/server.js';

let server: TestServer;
const { inSeconds, status } = keyLife(() => server);
beforeAll(async () => {
  server = await startTestServer({ TRUST_PROXY: '127.0.0.1' });
});
afterAll(() => server.stop());

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
