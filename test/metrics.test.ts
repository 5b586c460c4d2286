/** What operators see: figures for Prometheus, lines of the log, and alerts. */
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateKey } from '../src/keys/format.js';
import { createWorkspace } from './support/factories.js';
import { freePort } from './support/port.js';
import { startTestServer, type TestServer } from './support/server.js';
import { until } from './support/stream.js';

let server: TestServer;
let metricsPort: number;
beforeAll(async () => {
  metricsPort = await freePort();
  server = await startTestServer({ METRICS_PORT: String(metricsPort), AUTH_FAILURE_LIMIT: '3', LOG_LEVEL: 'info' });
});
afterAll(() => server.stop());

const figures = async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
/** The figure with this name and these labels. */
const figure = async (name: string) => {
  const line = (await figures()).split('\n').find((text) => text.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.split(' ').at(-1));
};
const get = (path: string, key?: string) =>
  fetch(server.origin + path, key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } });

describe('/metrics', () => {
  it('is for administrators of the operator, live, and for nobody else', async () => {
    const shown = await get('/metrics', server.adminKey);
    expect(shown.status).toBe(200);
    expect(shown.headers.get('content-type')).toContain('text/plain');
    expect(await shown.text()).toContain('taskgate_http_requests_total');
    const { live } = await createWorkspace(server);
    const others = [
      undefined,
      await server.key(['tasks:*', 'keys:*']),
      await server.key(['admin:*'], 'TEST'),
      live.key,
    ];
    const answers = await Promise.all(others.map((key) => get('/metrics', key)));
    expect(answers.map(({ status }) => status)).toEqual([401, 403, 403, 403]);
    for (const answer of answers) expect(await answer.text()).not.toContain('taskgate_http');
  });

  it('is shown without a key on its own port, where nothing else is', async () => {
    expect(await figures()).toContain('process_cpu_seconds_total');
    for (const path of ['/', '/graphql', '/health/live']) {
      expect((await fetch(`http://127.0.0.1:${metricsPort}${path}`)).status).toBe(404);
    }
  });
});

describe('the log', () => {
  const lineOf = (answer: Response) => {
    const id = answer.headers.get('x-request-id');
    const lines = server.logLines.map((line) => JSON.parse(line)).filter(({ requestId }) => requestId === id);
    return lines.find(({ msg }) => msg === 'request');
  };

  it('names the operations of a request, what they cost, and the codes of their errors', async () => {
    const send = (body: object) => server.post(JSON.stringify(body), server.adminKey);
    const ok = await send({ query: 'query Board { tasks(first: 500) { nodes { id } } }' });
    expect(lineOf(ok)).toMatchObject({ operations: ['Board'], cost: 6, status: 200 });
    expect(lineOf(ok).errors).toBeUndefined();
    const missing = await send({ query: 'query One { task(id: "x") { id } node(id: "y") { id } }' });
    expect(lineOf(missing)).toMatchObject({ operations: ['One'], errors: ['NOT_FOUND'], cost: 1 });
    expect(lineOf(await send({ query: '{ nothing }' }))).toMatchObject({
      errors: ['GRAPHQL_VALIDATION_FAILED'],
      cost: 1,
    });
    expect(lineOf(await send({ query: '{' }))).toMatchObject({ errors: ['GRAPHQL_PARSE_FAILED'], cost: 1 });
    const batch = await send([{ query: 'query A { viewer { environment } }' }, { query: '{ nothing }' }] as never);
    expect(lineOf(batch)).toMatchObject({ operations: ['A'], errors: ['GRAPHQL_VALIDATION_FAILED'], cost: 2 });
    expect(lineOf(await get('/v1/tasks/none', server.adminKey))).toMatchObject({
      operations: ['GetV1Task'],
      errors: ['NOT_FOUND'],
      cost: 1,
    });
    expect(lineOf(await get('/v1/tasks'))).toMatchObject({ errors: ['UNAUTHENTICATED'] });
  });
});

describe('figures', () => {
  it('tell requests by route, operations by type and code, and the time of the database', async () => {
    const { data } = await server.gql('mutation { createTask(input: { title: "t" }) { task { id } } }');
    const { id } = data.createTask.task;
    const before = await Promise.all([
      figure('taskgate_http_requests_total{method="GET",route="/v1/tasks/{id}",status="200"}'),
      figure('taskgate_operations_total{type="query",code="ok"}'),
      figure('taskgate_operations_total{type="mutation",code="FORBIDDEN"}'),
      figure('taskgate_operations_total{type="query",code="COST_LIMIT_EXCEEDED"}'),
      figure('taskgate_database_statement_seconds_count{kind="read"}'),
      figure('taskgate_database_statement_seconds_count{kind="transaction"}'),
    ]);
    expect((await get(`/v1/tasks/${id}`, server.adminKey)).status).toBe(200);
    await server.gql(
      'mutation { deleteTask(input: { id: "x" }) { task { id } } }',
      {},
      await server.key(['tasks:read']),
    );
    await server.gql('{ projects(first: 1000) { nodes { tasks(first: 1000) { nodes { id } } } } }');
    expect(await figure('taskgate_http_requests_total{method="GET",route="/v1/tasks/{id}",status="200"}')).toBe(
      (before[0] ?? 0) + 1,
    );
    expect(await figure('taskgate_operations_total{type="query",code="ok"}')).toBe((before[1] ?? 0) + 1);
    expect(await figure('taskgate_operations_total{type="mutation",code="FORBIDDEN"}')).toBe((before[2] ?? 0) + 1);
    expect(await figure('taskgate_operations_total{type="query",code="COST_LIMIT_EXCEEDED"}')).toBe(
      (before[3] ?? 0) + 1,
    );
    expect(await figure('taskgate_database_statement_seconds_count{kind="read"}')).toBeGreaterThan(before[4] ?? 0);
    expect(await figure('taskgate_database_statement_seconds_count{kind="transaction"}')).toBeGreaterThan(
      before[5] ?? 0,
    );
    for (const path of ['/nothing', `/${id}`]) await get(path);
    expect(await figure('taskgate_http_requests_total{method="GET",route="none",status="404"}')).toBe(2);
    expect(await figure('taskgate_operations_running')).toBe(0);
    expect(await figure('taskgate_operations_waiting')).toBe(0);
  });

  it('tell what a limit refused, and which', async () => {
    const { key } = await server.createKey(['tasks:read'], 'LIVE', { ratePerMinute: 2 });
    for (let i = 0; i < 5; i += 1) await get('/v1/tasks', key);
    expect(await figure('taskgate_limit_refusals_total{limit="minute"}')).toBe(3);
    for (let i = 0; i < 12; i += 1)
      await server.gql('mutation { createApiKey(input: { name: "k", scopes: [] }) { key } }');
    expect(await figure('taskgate_limit_refusals_total{limit="field"}')).toBe(2);
  });

  it('tell that keys are guessed, and so does an alert to the operator, once', async () => {
    const seen = await figure('taskgate_authentication_failures_total{reason="unknown"}');
    for (let i = 0; i < 6; i += 1) {
      await fetch(`${server.origin}/v1/tasks`, {
        headers: { 'x-api-key': generateKey('LIVE'), 'x-forwarded-for': '2001:db8::1' },
      });
    }
    await fetch(`${server.origin}/api/auth/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: 'key_019f0000-0000-7000-8000-000000000000',
        client_secret: generateKey('LIVE'),
      }),
    });
    expect(await figure('taskgate_authentication_failures_total{reason="unknown"}')).toBe(seen + 7);
    expect(await figure('taskgate_limit_refusals_total{limit="failures"}')).toBeGreaterThan(0);
    const alerts = async () =>
      (await server.gql('{ alerts(filter: { kind: { eq: KEYS_GUESSED } }) { nodes { message keyId } } }')).data.alerts
        .nodes;
    await until(async () => (await alerts()).length > 0);
    await setTimeout(100);
    expect(await alerts()).toEqual([{ message: expect.stringContaining('127.0.0.1'), keyId: null }]);
  });
});
