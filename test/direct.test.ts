/** What is answered before the application (src/http/direct.ts), as it comes over the wire. */
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  // The key and the form of its answers are known from here on.
  await server.gql(QUERY);
});
afterAll(() => server.stop());

const QUERY = '{ viewer { environment } }';

/** Sends text as it stands, in parts; answers what comes back. */
async function wire(parts: readonly (string | Buffer)[], { isLeaving = false } = {}): Promise<string> {
  const { port } = new URL(server.origin);
  const socket = connect(Number(port), '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (const part of parts) {
    socket.write(part);
    await pause(30);
  }
  if (isLeaving) socket.destroy();
  await closed;
  return answer;
}

const head = (length: number, more: readonly string[] = [], key = server.adminKey) =>
  [
    'POST /graphql HTTP/1.1',
    'Host: localhost',
    'Connection: close',
    'Accept: */*',
    'Content-Type: application/json',
    `Authorization: Bearer ${key}`,
    `Content-Length: ${length}`,
    ...more,
    '\r\n',
  ].join('\r\n');
const body = JSON.stringify({ query: QUERY });
const linesOf = (id: string) => server.logLines.map((line) => JSON.parse(line)).filter((line) => line.requestId === id);

it('takes a body in parts, and one with a byte order mark', async () => {
  expect(await wire([head(body.length), body.slice(0, 9), body.slice(9)])).toMatch(/"environment":"LIVE"/);
  const marked = Buffer.from(`\ufeff${body}`);
  expect(await wire([head(marked.length), marked])).toMatch(/"environment":"LIVE"/);
});

it('logs one line with the id of the request, whoever answers in the end', async () => {
  const bodies = [body, '{', JSON.stringify({ query: '{ nothing }' }), JSON.stringify({ query: QUERY, x: 1 })];
  for (const [index, sent] of bodies.entries()) {
    const id = `own-${index}`;
    const answer = await wire([head(sent.length, [`X-Request-Id: ${id}`]), sent]);
    expect(answer.match(/x-request-id: (\S+)/i)?.[1], sent).toBe(id);
    expect(linesOf(id), sent).toMatchObject([{ msg: 'request', method: 'POST', path: '/graphql' }]);
    // One that cannot be taken is replaced, once for all.
    const other = await wire([head(sent.length, [`X-Request-Id: no id ${index}`]), sent]);
    const made = other.match(/x-request-id: (\S+)/i)?.[1] ?? '';
    expect(made).toMatch(/^[\w-]{36}$/);
    expect(linesOf(made), sent).toHaveLength(1);
  }
});

it('charges once what it hands over', async () => {
  const { key } = await server.createKey(['tasks:read'], 'LIVE', { ratePerMinute: 50 });
  await server.gql(QUERY, {}, key);
  const remaining = (answer: string) => Number(answer.match(/x-ratelimit-remaining: (\d+)/i)?.[1]);
  const left: number[] = [];
  for (const sent of [body, '{', JSON.stringify({ query: '{ nothing }' }), body]) {
    left.push(remaining(await wire([head(sent.length, [], key), sent])));
  }
  const [first = 0] = left;
  expect(left).toEqual([first, first - 1, first - 2, first - 3]);
});

it('ends with a client that leaves before it has sent all', async () => {
  await wire([head(1000, ['X-Request-Id: left-early']), body], { isLeaving: true });
  await expect.poll(() => linesOf('left-early')).toMatchObject([{ status: 499 }]);
});

it('knows no key of two', async () => {
  const answer = await wire([head(body.length, [`Authorization: Bearer ${server.adminKey}`]), body]);
  expect(answer).toMatch(/^HTTP\/1.1 401/);
});
