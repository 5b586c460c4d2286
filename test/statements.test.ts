/** What a request costs, in SQL statements. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { generateKey } from '../src/keys/format.js';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  const tenant = { workspaceId: server.workspace.id, environment: 'LIVE' } as const;
  for (let i = 0; i < 100; i += 1) {
    const person = (kind: string) => ({ ...tenant, email: `${kind}${i}@example.com`, name: `${kind} ${i}` });
    const assignee = await server.system.user.create({ data: person('assignee') });
    const creator = await server.system.user.create({ data: person('creator') });
    const project = await server.system.project.create({ data: { ...tenant, name: `Project ${i}` } });
    const links = { assigneeId: assignee.id, createdById: creator.id, projectId: project.id };
    await server.system.task.create({ data: { ...tenant, ...links, number: i + 1, title: `Task ${i}` } });
  }
});
afterAll(() => server.stop());

/** What runs beside the requests: the poll for changes of keys, the writing of usage, the look at what expires. */
const BESIDE = /\b(Epoch|ApiKeyUsage|ApiKeyLastUse|ApiKeyNetwork|Alert)\b|`rotatedAt` IS NULL/;

/** Until the poll has seen the changes of keys so far, which empties the cache: of two from now on, one began after them. */
async function changesSeen(): Promise<void> {
  const polls = () => server.queries.filter((sql) => /^SELECT.*\bEpoch\b/.test(sql)).length;
  const before = polls();
  while (polls() < before + 2) await pause(10);
  await pause(50);
}

/** The reads that a request takes. */
async function statements(run: () => Promise<unknown>): Promise<string[]> {
  const before = server.queries.length;
  await run();
  return server.queries.slice(before).filter((sql) => sql.startsWith('SELECT') && !BESIDE.test(sql));
}

it('tags of tasks within projects are read together', async () => {
  const query = '{ projects(first: 20) { nodes { tasks(first: 2) { nodes { title tags } } } } }';
  const tags = (await statements(() => server.gql(query))).filter((sql) => /FROM .TaskTag\b/.test(sql));
  expect(tags).toHaveLength(1);
});

it('listing tasks with project, assignee and creator takes the same statements for 1 as for 100', async () => {
  const document =
    'query ($n: Int!) { tasks(first: $n) { nodes { title tags project { name } assignee { name } createdBy { name } } } }';
  await server.gql(document, { n: 1 });
  const one = await statements(() => server.gql(document, { n: 1 }));
  let answer: Awaited<ReturnType<typeof server.gql>> = {};
  const hundred = await statements(async () => {
    answer = await server.gql(document, { n: 100 });
  });
  expect(new Set(answer.data.tasks.nodes.map((node: { project: { name: string } }) => node.project.name)).size).toBe(
    100,
  );
  expect(hundred.length).toBe(one.length);
  expect(hundred.length).toBeLessThanOrEqual(5);
});

it('a page is one range of an index: one statement at the end as at the beginning', async () => {
  const document = 'query ($after: String) { tasks(first: 10, after: $after) { pageInfo { endCursor hasNextPage } } }';
  let after: string | null = null;
  let pages = 0;
  for (;;) {
    let answer: Awaited<ReturnType<typeof server.gql>> = {};
    const run = await statements(async () => {
      answer = await server.gql(document, { after });
    });
    expect(run.length).toBe(1);
    pages += 1;
    after = answer.data.tasks.pageInfo.endCursor;
    if (!answer.data.tasks.pageInfo.hasNextPage) break;
  }
  expect(pages).toBe(10);
});

it('authentication takes one read the first time, none while the key is cached, and none for a text that is no key', async () => {
  const key = await server.key(['tasks:read']);
  await changesSeen();
  const document = '{ viewer { environment } }';
  await server.gql(document);
  expect((await statements(() => server.gql(document, {}, key))).length).toBe(1);
  expect(await statements(() => server.gql(document, {}, key))).toEqual([]);
  const mistyped = `${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}`;
  for (const text of ['x', 'sk_live_short', mistyped, `${key}a`]) {
    expect(await statements(() => server.gql(document, {}, text))).toEqual([]);
  }
  expect((await statements(() => server.gql(document, {}, generateKey('LIVE')))).length).toBe(1);
});
