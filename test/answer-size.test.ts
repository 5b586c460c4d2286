/** An answer ends at MAX_RESPONSE, before it is made, by whatever it grows. */

import { connect } from 'node:net';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sqliteFile } from '../src/db/sqlite.js';
import { AnswerMemory } from '../src/limits/answerMemory.js';
import { type GraphQLAnswer, startTestServer, type TestServer } from './support/server.js';
import { subscribe, until } from './support/stream.js';

const LIMIT = 100_000;
let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ MAX_RESPONSE: String(LIMIT), DEFAULT_PLAN: 'enterprise' });
  for (let i = 0; i < 30; i += 1) {
    await server.gql('mutation ($d: String) { createTask(input: { title: "t", description: $d }) { task { id } } }', {
      d: 'x'.repeat(5000),
    });
  }
});
afterAll(() => server.stop());

const refused = { code: 'COST_LIMIT_EXCEEDED', what: 'response', limit: LIMIT };
const aliases = (count: number, field: string) => Array.from({ length: count }, (_, i) => `a${i}: ${field}`).join(' ');

it('by rows, by aliases of one field, by operations of a batch, and by pages of a list over REST', async () => {
  const small = await server.gql('{ tasks(first: 15) { nodes { description } } }');
  expect(small.data.tasks.nodes).toHaveLength(15);
  for (const query of [
    '{ tasks(first: 30) { nodes { description } } }',
    `{ tasks(first: 2) { nodes { ${aliases(20, 'description')} } } }`,
    `{ ${aliases(5, 'tasks(first: 5) { nodes { description } }')} }`,
  ]) {
    const response = await server.post(JSON.stringify({ query }), server.adminKey);
    const { data, errors } = await response.json();
    expect([response.status, data ?? null, errors[0].extensions]).toEqual([400, null, refused]);
  }
  const one = { query: '{ tasks(first: 15) { nodes { description } } }' };
  const batch = await (await server.post(JSON.stringify([one, one, one]), server.adminKey)).json();
  // They run side by side, so which of them comes too late is not known; together they are no larger than one may be.
  const tooLarge = batch.filter(({ errors }: GraphQLAnswer) => errors !== undefined);
  expect(tooLarge.length).toBeGreaterThan(0);
  for (const { data, errors } of batch) {
    if (data === undefined) expect(errors[0].extensions).toMatchObject(refused);
    else expect(data.tasks.nodes).toHaveLength(15);
  }
  expect(JSON.stringify(batch).length).toBeLessThan(LIMIT + 2000);
  const rest = await fetch(`${server.origin}/v1/tasks?limit=30`, { headers: { 'x-api-key': server.adminKey } });
  expect(rest.status).toBe(400);
  expect((await rest.json()).message).toContain('fewer rows');
  expect(
    (await fetch(`${server.origin}/v1/tasks?limit=10`, { headers: { 'x-api-key': server.adminKey } })).status,
  ).toBe(200);
  expect(server.logLines.filter((line) => line.includes('request failed'))).toEqual([]);
});

it('by bytes, and not by characters', async () => {
  const { data } = await server.gql(
    'mutation ($d: String) { createTask(input: { title: "t", description: $d }) { task { id } } }',
    { d: '\u0001'.repeat(5000) },
  );
  const of = (times: number) => `{ task(id: "${data.createTask.task.id}") { ${aliases(times, 'description')} } }`;
  // Six bytes each.
  expect((await server.gql(of(3))).errors).toBeUndefined();
  expect((await server.gql(of(4))).errors?.[0]?.extensions).toMatchObject(refused);
  await server.gql('mutation ($id: ID!) { deleteTask(input: { id: $id }) { deletedTaskId } }', {
    id: data.createTask.task.id,
  });
});

it('of a query is not kept for its Idempotency-Key; that of a change is, and counts when it is told again', async () => {
  const send = (query: string, name: string) =>
    server.post(JSON.stringify({ query }), server.adminKey, { 'idempotency-key': name });
  const query = '{ tasks(first: 15) { nodes { description } } }';
  const replayed = async (response: Response) => [response.status, response.headers.get('idempotent-replayed')];
  expect(await replayed(await send(query, 'q'))).toEqual([200, null]);
  expect(await replayed(await send(query, 'q'))).toEqual([200, null]);
  const change = 'mutation { createTask(input: { title: "once" }) { task { id } } }';
  expect(await replayed(await send(change, 'm'))).toEqual([200, null]);
  expect(await replayed(await send(change, 'm'))).toEqual([200, 'true']);
});

it('by what a subscription tells of one event', async () => {
  const field = `task { ${aliases(25, 'description')} }`;
  const stream = await subscribe(server, server.adminKey, `subscription { taskChanged { ${field} } }`);
  await server.gql('mutation { createTask(input: { title: "t", description: "small" }) { task { id } } }');
  await server.gql('mutation ($d: String) { createTask(input: { title: "t", description: $d }) { task { id } } }', {
    d: 'x'.repeat(5000),
  });
  await until(() => stream.events.length === 2);
  const [small, large] = stream.events;
  expect(small?.data.taskChanged.task.a0).toBe('small');
  expect(large?.errors?.[0]?.extensions).toMatchObject(refused);
  stream.stop();
});

it('a key has no more in the making, or unread, than four of the largest; what is sent makes room', () => {
  const memory = new AnswerMemory(1000);
  const budgets = Array.from({ length: 4 }, () => memory.budgetFor('key'));
  for (const budget of budgets) expect(budget.count(['x'.repeat(950)])).toBeUndefined();
  const [first] = budgets;
  expect(memory.budgetFor('key').count(['x'.repeat(950)])?.code).toBe('RATE_LIMITED');
  expect(memory.budgetFor('other').count(['x'.repeat(950)])).toBeUndefined();
  first?.release();
  first?.release();
  const next = memory.budgetFor('key');
  next.read(900);
  expect(next.count(['x'.repeat(950)])).toBeUndefined();
  expect(memory.budgetFor('key').count(['x'.repeat(950)])?.code).toBe('RATE_LIMITED');
});

it('answers that nobody reads are bounded for a key, in memory too', async () => {
  const large = await startTestServer({ DEFAULT_PLAN: 'enterprise' });
  const { config, workspace } = large;
  if (config.provider !== 'sqlite') {
    await large.stop();
    return;
  }
  const database = new Sqlite(sqliteFile(config.databaseUrl));
  database
    .prepare(
      `INSERT INTO "Task" ("id", "workspaceId", "environment", "number", "title", "description", "createdAt", "updatedAt")
       WITH RECURSIVE "n" ("i") AS (SELECT 1 UNION ALL SELECT "i" + 1 FROM "n" WHERE "i" < 1000)
       SELECT printf('%08d-0000-7000-8000-000000000000', "i"), ?, 'LIVE', 1000 + "i", 't', ?, "i", "i" FROM "n"`,
    )
    .run(workspace.id, 'x'.repeat(10_000));
  database.close();
  const { key } = await large.createKey(['tasks:read']);
  const body = JSON.stringify({ query: '{ tasks(first: 1000) { nodes { description } } }' });
  const { port, hostname } = new URL(large.origin);
  const sockets = Array.from({ length: 20 }, () => {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    socket.write(
      `POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    socket.pause();
    return socket;
  });
  const status = async () => (await large.post(body, key)).status;
  await until(async () => (await status()) === 429, 30_000);
  expect((await large.post(body, large.adminKey)).status).toBe(200);
  for (const socket of sockets) socket.destroy();
  await until(async () => (await status()) === 200, 10_000);
  await large.stop();
});
