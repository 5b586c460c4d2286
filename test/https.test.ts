/** HTTPS: served, required, and believed of trusted proxies alone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { makeCertificate } from './support/certificate.js';
import { startTestServer } from './support/server.js';

const query = JSON.stringify({ query: '{ viewer { environment } }' });

describe('where HTTPS is required', () => {
  it('plain HTTP is refused before its key is looked at, and the key is flagged', async () => {
    const server = await startTestServer({ REQUIRE_HTTPS: 'true' });
    const { key, apiKey } = await server.createKey([]);
    for (const credential of [key, 'nonsense', undefined]) {
      const answer = await server.post(query, credential, { 'x-forwarded-proto': 'https' });
      expect(answer.status).toBe(403);
      expect(await answer.json()).toMatchObject({ error: { code: 'HTTPS_REQUIRED' } });
    }
    await setTimeout(1000);
    const events = await server.system.auditEvent.findMany({
      where: { targetId: apiKey.id, action: 'api_key.refused' },
    });
    expect(events.map(({ changes }) => changes)).toEqual([{ reason: 'plain_http' }]);
    expect((await fetch(`${server.origin}/health/ready`)).status).toBe(200);
    expect((await fetch(`${server.origin}/metrics`)).status).toBe(403);
    await server.stop();
  });

  it('a trusted proxy may say that it was HTTPS', async () => {
    const server = await startTestServer({ REQUIRE_HTTPS: 'true', TRUST_PROXY: '127.0.0.1' });
    expect((await server.post(query, server.adminKey, { 'x-forwarded-proto': 'https' })).status).toBe(200);
    expect((await server.post(query, server.adminKey, { 'x-forwarded-proto': 'http' })).status).toBe(403);
    await server.stop();
  });

  it('TLS is served from TLS_CERT_FILE and TLS_KEY_FILE', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-tls-'));
    const { certFile, keyFile } = makeCertificate(folder);
    const server = await startTestServer({ REQUIRE_HTTPS: 'true', TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile });
    const answer = await new Promise<{ status: number | undefined; hsts: unknown }>((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'x-api-key': server.adminKey };
      const call = request(server.url, { method: 'POST', headers, rejectUnauthorized: false }, (response) => {
        response.resume();
        resolve({ status: response.statusCode, hsts: response.headers['strict-transport-security'] });
      });
      call.on('error', reject);
      call.end(query);
    });
    expect(answer).toEqual({ status: 200, hsts: expect.stringContaining('max-age') });
    await server.stop();
    rmSync(folder, { recursive: true });
  });
});
