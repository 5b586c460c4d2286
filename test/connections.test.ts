/** Slow and many clients, on sockets. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { watchConnections } from '../src/http/connections.js';
import { makeCertificate } from './support/certificate.js';
import { startTestServer, type TestServer } from './support/server.js';
import { until } from './support/stream.js';

const sockets: Socket[] = [];
afterAll(() => {
  for (const socket of sockets) socket.destroy();
});

function open(origin: string) {
  const { port, hostname } = new URL(origin);
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString()));
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return { socket, closed, text: () => text };
}

describe('a connection', () => {
  it('beyond the ceiling is told so and closed; those that are open go on', async () => {
    const server = await startTestServer({ MAX_CONNECTIONS: '3' });
    const kept = [open(server.origin), open(server.origin), open(server.origin)];
    await setTimeout(100);
    const extra = open(server.origin);
    await extra.closed;
    expect(extra.text()).toMatch(/^HTTP\/1\.1 503 /);
    expect(extra.text().toLowerCase()).toContain('retry-after: 1');
    const request = `GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
    kept[0]?.socket.write(request);
    await kept[0]?.closed;
    expect(kept[0]?.text()).toMatch(/^HTTP\/1\.1 200 /);
    // There is room for one again.
    const next = open(server.origin);
    next.socket.write(request);
    await next.closed;
    expect(next.text()).toMatch(/^HTTP\/1\.1 200 /);
    for (const { socket } of kept) socket.destroy();
    await server.stop();
  });

  it('that dribbles its headers is cut off after 10 seconds, and one that dribbles its body after 30', async () => {
    const server = await startTestServer();
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    const headers = open(server.origin);
    headers.socket.write('GET /health/live HTTP/1.1\r\nhost: x\r\n');
    const dribble = setInterval(() => headers.socket.write('x: 1\r\n'), 500);
    const body = open(server.origin);
    body.socket.write(
      `POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${server.adminKey}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{`,
    );
    const drip = setInterval(() => body.socket.write(' '), 1000);
    // Beside them the others are served.
    expect((await server.gql('{ viewer { environment } }')).data.viewer.environment).toBe('LIVE');
    await headers.closed;
    clearInterval(dribble);
    expect(headers.text()).toMatch(/^HTTP\/1\.1 408 /);
    expect(seconds()).toBeGreaterThan(9);
    expect(seconds()).toBeLessThan(20);
    await body.closed;
    clearInterval(drip);
    expect(seconds()).toBeGreaterThan(25);
    expect(seconds()).toBeLessThan(45);
    await server.stop();
  }, 60_000);

  it('beyond the ceiling of a TLS server is closed without a word, which would be none of TLS', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-tls-'));
    const { certFile, keyFile } = makeCertificate(folder);
    const server = await startTestServer({ MAX_CONNECTIONS: '2', TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile });
    // Those that have not shaken hands yet count too.
    const kept = [open(server.origin), open(server.origin)];
    await setTimeout(100);
    const extra = open(server.origin);
    await extra.closed;
    expect(extra.text()).toBe('');
    for (const { socket } of kept) socket.destroy();
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  it('that does not shake hands is closed after 10 seconds', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-tls-'));
    const { certFile, keyFile } = makeCertificate(folder);
    const server = await startTestServer({ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile });
    const { closed } = open(server.origin);
    await closed;
    await server.stop();
    rmSync(folder, { recursive: true });
  }, 20_000);

  it('whose client does not read is ended when it takes nothing for a while; one that reads slowly goes on', async () => {
    const body = Buffer.alloc(64 * 1024 * 1024, 'x');
    for (const isTls of [false, true]) {
      const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-tls-'));
      const { certFile, keyFile } = makeCertificate(folder);
      const listener = (_request: unknown, response: ServerResponse) => void response.end(body);
      const server = isTls
        ? createTlsServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, listener)
        : createServer(listener);
      const stop = watchConnections(server, { isTls, most: 10, stalled: 4000 });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const connectTo = () =>
        isTls ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }) : connect(port, '127.0.0.1');
      const opened = [connectTo(), connectTo()] as const;
      sockets.push(...opened);
      for (const socket of opened) {
        socket.on('error', () => {});
        socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
      }
      const [idle, slow] = opened;
      let isClosed = false;
      slow.once('close', () => (isClosed = true));
      idle.pause();
      slow.pause();
      const sips = setInterval(() => {
        slow.resume();
        slow.once('data', () => slow.pause());
      }, 20);
      const count = () => new Promise<number>((resolve) => server.getConnections((_error, open) => resolve(open)));
      await until(async () => (await count()) === 2);
      await until(async () => (await count()) === 1, 30_000);
      await setTimeout(5000);
      expect([await count(), isClosed]).toEqual([1, false]);
      clearInterval(sips);
      for (const socket of opened) socket.destroy();
      stop();
      server.close();
      rmSync(folder, { recursive: true });
    }
  }, 120_000);
});

describe('what is no proper HTTP', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server.stop());
  const say = async (text: string) => {
    const { socket, closed, text: heard } = open(server.origin);
    socket.write(text);
    await closed;
    const [head = '', body = ''] = heard().split('\r\n\r\n');
    return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), head, body: body === '' ? {} : JSON.parse(body) };
  };

  it('is refused in the envelope of all others, with an id that the log knows', async () => {
    for (const [text, status, code] of [
      ['nonsense\r\n\r\n', 400, 'BAD_REQUEST'],
      ['GET /health/live HTTP/1.1\r\n\r\n', 400, 'BAD_REQUEST'],
      ['GET /health/live HTTP/1.1\r\nhost: a b\r\n\r\n', 400, 'BAD_REQUEST'],
      ['GET /health/live HTTP/1.1\r\nhost: a@b\r\n\r\n', 400, 'BAD_REQUEST'],
      ['OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 400, 'BAD_REQUEST'],
      ['GET /health/live HTTP/1.1\r\nhost: x\r\nexpect: miracles\r\n\r\n', 417, 'EXPECTATION_FAILED'],
      [`GET /health/live HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431, 'HEADERS_TOO_LARGE'],
    ] as const) {
      const answer = await say(text);
      const { message } = answer.body;
      expect([text.slice(0, 60), answer.status, answer.body]).toEqual([
        text.slice(0, 60),
        status,
        { error: { code, message }, message: expect.any(String), requestId: expect.any(String) },
      ]);
      expect(answer.head.toLowerCase()).toContain(`x-request-id: ${answer.body.requestId}`);
    }
    expect(server.logLines.join('')).toContain('HPE_HEADER_OVERFLOW');
  });

  it('a probe of HTTP/1.0 needs no host', async () => {
    expect(await say('GET /health/live HTTP/1.0\r\n\r\n')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect((await say('GET /health/ready HTTP/1.0\r\n\r\n')).status).toBe(200);
  });
});
