/** Requests in the form that most clients send are answered before the application (src/http/direct.ts), as it answers them. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const request = (query: unknown, variables?: unknown, operationName?: unknown) =>
  JSON.stringify({ query, variables, operationName });
const SEARCH = 'query ($s: String) { tasks(search: $s) { totalCount } }';
const TWO = 'query A { viewer { environment } } query B { tasks { totalCount } }';
const BODIES = [
  ...['', '{', 'null', '[]', '"x"', '{}', request(1), request(null), request('{'), request('{ nothing }')],
  ...[request('{ viewer { environment } }'), request('{ tasks { totalCount } }', null)],
  ...[request('{ tasks { totalCount } }', []), request('{ tasks { totalCount } }', 'x')],
  ...[request('query A { viewer { environment } }', {}, ''), request('query A { viewer { environment } }', {}, 'B')],
  ...[request(TWO, {}), request(TWO, {}, 'B')],
  ...[{}, { n: 'x' }, { n: 1 }].map((variables) =>
    request('query ($n: Int!) { tasks(first: $n) { totalCount } }', variables),
  ),
  request('{ tasks(first: -1) { totalCount } task(id: "x") { id } }'),
  request('{ tasks(first: 1000) { nodes { project { tasks(first: 1000) { nodes { id } } } } } }'),
  request('mutation { createTask(input: { title: "" }) { task { id } } }'),
  request('mutation { deleteTask(input: { id: "x" }) { deletedTaskId } }'),
  ...[request('{ tasks(search: "\u0000") { totalCount } }'), request(SEARCH, { s: '\u0000' })],
  request(SEARCH, JSON.parse(`${'{"s":'.repeat(30)}1${'}'.repeat(30)}`)),
  ...[request('{ __schema { queryType { name } } }'), request('{ __typename a: __typename tasks { __typename } }')],
  request('{ rateLimit { limit } }'),
  '{"query":"{ viewer { environment } }","extensions":{"a":1}}',
  '{"query":"{ viewer { environment } }","documentId":"x"}',
  '{"query":"{ viewer { environment } }","x":1}',
  request('x'.repeat(99_999 + 20_000)),
];

/** Of each request by itself. */
const DIFFERENT = new Set(['date', 'x-request-id', 'x-ratelimit-remaining', 'x-ratelimit-reset', 'content-length']);

it.each([
  '*/*',
  'application/json',
  'application/graphql-response+json',
  'application/graphql-response+json,application/json;q=0.9',
])('for whoever accepts %s', async (accept) => {
  const answer = async (body: string, accepted: string) => {
    const response = await server.post(body, server.adminKey, { accept: accepted });
    const { status, headers } = response;
    // What the key has left goes down with each.
    const text = (await response.text()).replace(/"remaining":\d+|"resetAt":"[^"]+"/g, '');
    const all = [...headers]
      .filter(([name]) => !DIFFERENT.has(name))
      .map(([name, value]) => [name, value.replace(/\b[rt]=\d+/g, '')]);
    return [status, Object.fromEntries(all), text];
  };
  // From this one on the form of the answers is known; for what is longer than any client's it never is.
  await answer(request('{ viewer { environment } }'), accept);
  const unknown = `${accept}, x/${'y'.repeat(310)}`;
  for (const body of BODIES)
    expect(await answer(body, accept), body.slice(0, 200)).toEqual(await answer(body, unknown));
});
