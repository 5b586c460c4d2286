/** An answer ends at MAX_RESPONSE, before it is made, by whatever it grows. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './support/server.js';
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
  expect(batch[0].data.tasks.nodes).toHaveLength(15);
  expect(batch[2].errors[0].extensions).toMatchObject(refused);
  const rest = await fetch(`${server.origin}/v1/tasks?limit=30`, { headers: { 'x-api-key': server.adminKey } });
  expect(rest.status).toBe(400);
  expect((await rest.json()).message).toContain('fewer rows');
  expect(
    (await fetch(`${server.origin}/v1/tasks?limit=10`, { headers: { 'x-api-key': server.adminKey } })).status,
  ).toBe(200);
  expect(server.logLines.filter((line) => line.includes('request failed'))).toEqual([]);
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
