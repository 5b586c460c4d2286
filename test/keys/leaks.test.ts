/** Keys that leaked are reported and end. */
import { createSign, generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKey } from '../../src/keys/format.js';
import { keyLife } from '../support/keyLife.js';
import { startTestServer, type TestServer } from '../support/server.js';

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });

let server: TestServer;
const { status } = keyLife(() => server);
beforeAll(async () => {
  const file = path.join(tmpdir(), `taskgate-scanner-${process.pid}.json`);
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  writeFileSync(file, JSON.stringify({ public_keys: [{ key_identifier: 'scanner-1', key: pem, is_current: true }] }));
  server = await startTestServer({ LEAK_REPORT_KEYS_FILE: file, TRUST_PROXY: '127.0.0.1' });
});
afterAll(() => server.stop());

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
