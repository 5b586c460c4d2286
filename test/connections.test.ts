/** Slow and many clients, on sockets. */
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { startTestServer } from './support/server.js';

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
});
