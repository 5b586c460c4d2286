/** What is answered before the application (src/http/direct.ts), as it comes over the wire. */
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { routes } from '../src/rest/routes.js';
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

describe('reads of rows, before the application and by it', () => {
  /** The application takes what names an Idempotency-Key, which a read has no use for. */
  const BY_APPLICATION = { 'idempotency-key': 'none' };
  /** Come and go, or are of one request. */
  const OWN = /^(?:x-request-id|date|x-ratelimit-.*|ratelimit)$/;
  /** Is of one request, or changes with each: when a key was last used is written by these requests. */
  const TIMED = /"(?:requestId|exportedAt|last_?used(?:_?at)?)":(?:"[^"]*"|null)/gi;
  const TIMED_HEADERS = /^(?:etag|content-length)$/;

  async function answers(path: string, headers: Record<string, string> = {}, key = server.adminKey) {
    const all = { authorization: `Bearer ${key}`, ...headers };
    const both = [];
    for (const more of [{}, BY_APPLICATION]) {
      const answer = await fetch(server.origin + path, { headers: { ...all, ...more } });
      const body = await answer.text();
      const text = body.replace(TIMED, '');
      const headers = [...answer.headers].filter(([name]) => !OWN.test(name));
      // What tells the time has another tag, and perhaps another length, each time.
      const isTimed = body !== text;
      const shown = headers.map(([name, value]) => [name, isTimed && TIMED_HEADERS.test(name) ? '' : value]);
      both.push({ status: answer.status, headers: Object.fromEntries(shown), text });
    }
    return both as [(typeof both)[number], (typeof both)[number]];
  }

  const ids: Record<string, string> = {};
  beforeAll(async () => {
    const made = await server.gql(`mutation {
      createProject(input: { name: "Plain" }) { project { id } }
      createTask(input: { title: "Überall \\" <b>" }) { task { id } }
    }`);
    ids['task'] = made.data.createTask.task.id;
    ids['project'] = made.data.createProject.project.id;
  });

  const reads = [...new Set(routes.filter(({ method }) => method === 'get').map(({ path }) => path))];
  const paths = reads.flatMap((path) => {
    const filled = ['task', 'project', 'none'].map(
      (kind) => (known: typeof ids) => path.replace(/\{\w+\}/g, known[kind] ?? 'no-such-id'),
    );
    return path.includes('{') ? filled : [() => path];
  });
  const QUERIES = [
    '',
    '?limit=1',
    '?limit=0',
    '?limit=x&page=2',
    '?status=nothing',
    '?cursor=a%20b&limit=2',
    '?a=%00',
    '?limit=1&limit=2',
  ];

  it('are the same', async () => {
    for (const pathOf of paths) {
      // Of a row, queries say less than of a list.
      for (const query of pathOf({}).includes('no-such-id') ? QUERIES.slice(0, 2) : QUERIES) {
        const path = pathOf(ids) + query;
        const [plain, byApplication] = await answers(path);
        expect(plain, path).toEqual(byApplication);
      }
    }
  }, 60_000);

  it('are shown anew where anything of them is another', async () => {
    const read = (path: string, host: string) =>
      wire([`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nx-api-key: ${server.adminKey}\r\n\r\n`]);
    await server.gql('mutation { createTask(input: { title: "Older" }) { task { id } } }');
    const linkOf = (answer: string) => /^link: (.*)$/im.exec(answer)?.[1];
    const [first, again, other] = [
      await read('/api/tasks?limit=1', 'one.example'),
      await read('/api/tasks?limit=1', 'one.example'),
      await read('/api/tasks?limit=1', 'other.example'),
    ];
    expect(linkOf(first)).toContain('//one.example/');
    expect(linkOf(again)).toBe(linkOf(first));
    expect(linkOf(other)).toBe(linkOf(first)?.replaceAll('one.example', 'other.example'));

    const json = async (path: string) => {
      const answer = await fetch(server.origin + path, { headers: { 'x-api-key': server.adminKey } });
      return (await answer.json()) as never;
    };
    const titleOf = async () => ((await json('/api/tasks?limit=1')) as { title: string }[])[0]?.title;
    const before = await titleOf();
    await server.gql('mutation { createTask(input: { title: "Newer" }) { task { id } } }');
    expect([before === 'Newer', await titleOf()]).toEqual([false, 'Newer']);

    const exportedAt = async () => {
      const { project } = (await json(`/api/task/export/${ids['project']}`)) as { project: { exportedAt: string } };
      return project.exportedAt;
    };
    const exported = await exportedAt();
    await pause(5);
    expect((await exportedAt()) > exported).toBe(true);
  });

  it('are the same for keys that may not, or are none', async () => {
    const { key } = await server.createKey(['projects:read'], 'LIVE');
    for (const credential of [key, key.slice(0, -1), 'nonsense', `at_live_${'a'.repeat(49)}`]) {
      const [plain, byApplication] = await answers('/api/tasks', {}, credential);
      expect(plain, credential).toEqual(byApplication);
      expect(plain.status).toBe(credential === key ? 403 : 401);
    }
  });

  it('are the same compressed, and where nothing has changed', async () => {
    await server.gql(
      `mutation { ${Array.from({ length: 20 }, (_, at) => `t${at}: createTask(input: { title: "${at}" }) { task { id } }`).join()} }`,
    );
    for (const encoding of ['gzip', 'br', 'identity', 'gzip;q=0', '']) {
      const [plain, byApplication] = await answers('/api/tasks', { 'accept-encoding': encoding });
      expect(plain, encoding).toEqual(byApplication);
      const headers = { 'accept-encoding': encoding, 'if-none-match': plain.headers['etag'] ?? '' };
      const [again, againByApplication] = await answers('/api/tasks', headers);
      expect(again).toEqual(againByApplication);
      expect(again).toMatchObject({ status: 304, text: '' });
    }
  });

  it('are logged and counted alike', async () => {
    for (const more of [{}, BY_APPLICATION]) {
      const headers = { authorization: `Bearer ${server.adminKey}`, ...more };
      const answer = await fetch(`${server.origin}/api/tasks/no-such-id?limit=1`, { headers });
      const lines = linesOf(answer.headers.get('x-request-id') ?? '');
      expect(lines).toMatchObject([
        {
          method: 'GET',
          path: '/api/tasks/no-such-id',
          status: 404,
          errors: ['NOT_FOUND'],
          operations: ['GetTask'],
          cost: 1,
        },
      ]);
    }
    const figures = await fetch(`${server.origin}/metrics`, {
      headers: { authorization: `Bearer ${server.adminKey}` },
    });
    expect(await figures.text()).toMatch(
      /taskgate_http_requests_total\{method="GET",route="\/api\/tasks\/\{id\}",status="404"\} \d+/,
    );
  });

  it('are refused once at the limit', async () => {
    const { key } = await server.createKey(['tasks:read'], 'LIVE', { ratePerMinute: 1 });
    const refused = async () => {
      const headers = { authorization: `Bearer ${server.adminKey}` };
      const figures = await (await fetch(`${server.origin}/metrics`, { headers })).text();
      return Number(/taskgate_limit_refusals_total\{limit="minute"\} (\d+)/.exec(figures)?.[1] ?? 0);
    };
    await answers('/api/tasks', {}, key);
    const before = await refused();
    const [plain, byApplication] = await answers('/api/tasks', {}, key);
    expect([plain.status, byApplication.status]).toEqual([429, 429]);
    expect(await refused()).toBe(before + 2);
  });

  it('name what an answer varies with in one header', async () => {
    const other = await startTestServer({ CORS_ORIGINS: 'https://app.example.com' });
    try {
      for (const more of [{}, BY_APPLICATION]) {
        const headers = { authorization: `Bearer ${other.adminKey}`, ...more };
        const answer = await fetch(`${other.origin}/api/tasks`, { headers });
        expect(answer.headers.get('vary')).toBe('accept-encoding, Origin');
      }
    } finally {
      await other.stop();
    }
  });

  it('end with a client that leaves', async () => {
    const line = ['GET /api/tasks HTTP/1.1', 'Host: localhost', `Authorization: Bearer ${server.adminKey}`, '\r\n'];
    const { port } = new URL(server.origin);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(line.join('\r\n').repeat(20));
    await pause(5);
    socket.destroy();
    // And the next one is answered.
    await expect.poll(async () => (await answers('/api/tasks?limit=1'))[0].status).toBe(200);
  });
});
