// npm run bench:hostile: hostile operations one after another against a server with 20 ordinary clients, and quiet
// seconds between them. An operation holds when it is refused within 50 ms, or ends within the limits that it names;
// the ordinary clients' 99th percentile is compared with that of the quiet seconds around; memory with what it was.
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request as send } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { serverActor } from '../dist/modules/audit/entry.js';
import { openDatabase } from '../dist/modules/db/database.js';
import { UnitOfWork } from '../dist/modules/db/unitOfWork.js';
import { ApiKeyService } from '../dist/modules/keys/apiKeyService.js';
import { generateKey } from '../dist/modules/keys/format.js';
import { Plans } from '../dist/modules/keys/plans.js';
import { seed, start } from './fixture.mjs';

const TASKS = Number(process.env.TASKS ?? 20_000);
const SECONDS = Number(process.env.SECONDS ?? 2);
const ONLY = process.env.ONLY;

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-bench-'));
const file = path.join(folder, 'bench.db');
const { key, taskId } = await seed(`file:${file}`, TASKS);
const server = await start('taskgate.mjs', file);
const origin = `http://127.0.0.1:${server.port}`;
process.on('exit', () => {
  server.process.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const agent = new Agent({ keepAlive: true, maxSockets: 200 });
function call(route, { method = 'POST', headers = {}, body = '', as = key } = {}) {
  const started = performance.now();
  return new Promise((resolve) => {
    const request = send(
      origin + route,
      { method, agent, headers: { authorization: `Bearer ${as}`, 'content-type': 'application/json', ...headers } },
      (response) => {
        let text = '';
        let bytes = 0;
        response.on('data', (chunk) => {
          bytes += chunk.length;
          if (text.length < 2000) text += chunk;
        });
        response.once('end', () =>
          resolve({ status: response.statusCode, text, bytes, ms: performance.now() - started }),
        );
      },
    );
    request.once('error', (error) =>
      resolve({ status: 0, text: error.code, bytes: 0, ms: performance.now() - started }),
    );
    request.end(body);
  });
}
const graphql = (query, variables, as) => call('/graphql', { body: JSON.stringify({ query, variables }), as });
/** One whose making takes a while is made once: what this program needs for it is no part of the measure. */
function large(make) {
  let body;
  return () => {
    body ??= JSON.stringify(make());
    return call('/graphql', { body, as: bad });
  };
}

/** A key as an attacker would have it: with scopes, and its plan's limits; a fresh one for each operation. */
const database = await openDatabase({ provider: 'sqlite', databaseUrl: `file:${file}` });
const { id: workspaceId } = await database.system.workspace.findFirstOrThrow();
const keys = new ApiKeyService(new UnitOfWork(database, console.error), new Plans());
async function attacker(scopes) {
  const { key: minted } = await keys.create(serverActor({ workspaceId, environment: 'LIVE' }, 'bench'), 'operator', {
    name: 'hostile',
    scopes,
    ratePerMinute: 10_000,
    ratePerHour: 200_000,
  });
  return minted;
}
let bad;
let none;
const many = (count, of) => Array.from({ length: count }, (_, i) => of(i));
const contains = (count, of = 'description') => many(count, (i) => `{ ${of}: { contains: "needle${i}" } }`).join();
const introspection = `{ __schema { types { name fields { name args { name type { name ofType { name ofType { name } } } } type { name ofType { name ofType { name } } } } } } }`;

/** Each fires once, from a hostile key; several at a time, as fast as answers come. */
const HOSTILE = {
  'nested lists': () => graphql('{ tasks(first: 1000) { nodes { relationships { id } } } }', {}, bad),
  'nested pages': () =>
    graphql('{ projects(first: 100) { nodes { tasks(first: 100) { nodes { id title } } } } }', {}, bad),
  '75 tasks with relationships': () =>
    graphql('{ tasks(first: 75) { nodes { relationships { id task { id } targetTask { id } } } } }', {}, bad),
  'four aliases of them': () =>
    graphql(
      `{ ${many(4, (i) => `a${i}: tasks(first: 20) { nodes { relationships { id targetTask { relationships { id } } } } }`).join(' ')} }`,
      {},
      bad,
    ),
  'the largest page': () => graphql('{ tasks(first: 1000) { nodes { id title description } } }', {}, bad),
  'the largest page of everything': () =>
    graphql(
      '{ tasks(first: 800) { nodes { id title description tags createdAt updatedAt project { id name } assignee { id name } } } }',
      {},
      bad,
    ),
  '50 contains': () => graphql(`{ tasks(filter: { or: [${contains(50)}] }) { nodes { id } } }`, {}, bad),
  '5 aliases of 50 contains': () =>
    graphql(
      `{ ${many(5, (i) => `a${i}: tasks(filter: { or: [${contains(50)}] }) { totalCount }`).join(' ')} }`,
      {},
      bad,
    ),
  '90 contains and a count': () =>
    graphql(`{ tasks(filter: { or: [${contains(90)}] }) { totalCount nodes { id } } }`, {}, bad),
  'search that finds nothing': () =>
    graphql('{ tasks(search: "no such words at all") { totalCount nodes { id } } }', {}, bad),
  '20 searches': () =>
    graphql(`{ ${many(20, (i) => `a${i}: tasks(search: "no such ${i}") { nodes { id } }`).join(' ')} }`, {}, bad),
  'filtered count': () => graphql('{ tasks(filter: { title: { neq: "x" } }) { totalCount } }', {}, bad),
  '20 filtered counts': () =>
    graphql(
      `{ ${many(20, (i) => `a${i}: tasks(filter: { title: { neq: "x${i}" } }) { totalCount }`).join(' ')} }`,
      {},
      bad,
    ),
  'order without an index': () =>
    graphql('{ tasks(first: 1, orderBy: [{ field: TITLE, direction: DESC }]) { nodes { id } } }', {}, bad),
  '20 orders without an index': () =>
    graphql(
      `{ ${many(20, (i) => `a${i}: tasks(first: 1, orderBy: [{ field: TITLE, direction: ${i % 2 ? 'ASC' : 'DESC'} }]) { nodes { id } }`).join(' ')} }`,
      {},
      bad,
    ),
  'deep offset': () => graphql(`{ tasks(first: 1, offset: ${TASKS - 1}) { nodes { id } } }`, {}, bad),
  '60,000 empty ands': large(() => ({
    query: 'query ($f: TaskFilter) { tasks(filter: $f) { nodes { id } } }',
    variables: { f: { and: many(60_000, () => ({})) } },
  })),
  '60,000 empty ands in text': () =>
    graphql(`{ tasks(filter: { and: [${'{},'.repeat(30_000)}] }) { nodes { id } } }`, {}, bad),
  '100,000 values': large(() => ({
    query: 'query ($v: [String!]) { tasks(filter: { title: { in: $v } }) { nodes { id } } }',
    variables: { v: many(100_000, (i) => `${i}`) },
  })),
  '1,000 values': () =>
    graphql(
      'query ($v: [String!]) { tasks(filter: { title: { in: $v } }) { nodes { id } } }',
      { v: many(1000, (i) => `${i}`) },
      bad,
    ),
  'deep not': () =>
    call('/graphql', {
      body: `{"query":"query ($f: TaskFilter) { tasks(filter: $f) { nodes { id } } }","variables":{"f":${'{"not":'.repeat(5000)}{"title":{"eq":"x"}}${'}'.repeat(5000)}}}`,
      as: bad,
    }),
  'nodes of 1,000 ids': () =>
    graphql('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: many(1000, () => taskId) }, bad),
  introspection: () => graphql(introspection, {}, none),
  '20 introspections': () =>
    graphql(`{ ${many(20, (i) => `a${i}: ${introspection.slice(1, -1)}`).join(' ')} }`, {}, none),
  'a batch of introspections': () =>
    call('/graphql', { body: JSON.stringify(many(10, () => ({ query: introspection }))), as: none }),
  'batch of pages': () =>
    call('/graphql', {
      body: JSON.stringify(many(10, () => ({ query: '{ tasks(first: 500) { nodes { id title } } }' }))),
      as: bad,
    }),
  'batch of 1,000': () =>
    call('/graphql', { body: JSON.stringify(many(1000, () => ({ query: '{ viewer { environment } }' }))), as: bad }),
  '2,000 distinct errors': () => graphql(`{ ${many(600, (i) => `nothing${i}`).join(' ')} }`, {}, none),
  'new documents': () =>
    graphql(
      `{ ${many(15, (j) => `a${Math.floor(Math.random() * 1e9)}${j}: viewer { environment }`).join(' ')} }`,
      {},
      bad,
    ),
  'repeated fields': () =>
    graphql(
      `{ ${'tasks(first: 1) { nodes { id ...F } } '.repeat(15)} } fragment F on Task { ${'id title '.repeat(200)} } #${Math.random()}`,
      {},
      bad,
    ),
  'overlapping fields': () =>
    graphql(
      `{ ${'tasks(first: 1) { nodes { id ...F } } '.repeat(15)} } fragment F on Task { ${'id title status priority number position tags dueDate startDate '.repeat(80)} } #${Math.random()}`,
      {},
      bad,
    ),
  'fragments that double': () =>
    graphql(
      `${many(20, (i) => `fragment F${i} on Task { ...F${i + 1} ...F${i + 1} }`).join(' ')} fragment F20 on Task { id } { tasks { nodes { ...F0 } } }`,
      {},
      bad,
    ),
  'circular fragments': () =>
    graphql('fragment A on Task { ...B } fragment B on Task { ...A } { tasks { nodes { ...A } } }', {}, bad),
  directives: () => graphql(`{ viewer ${'@include(if: true) '.repeat(400)} { environment } }`, {}, bad),
  comments: () => graphql(`${'#\n'.repeat(200_000)}{ viewer { environment } }`, {}, bad),
  'a megabyte of nothing': () => call('/graphql', { body: ' '.repeat(1024 * 1024 - 10), as: bad }),
  'two megabytes': () => call('/graphql', { body: ' '.repeat(2 * 1024 * 1024), as: bad }),
  'nested JSON': () =>
    call('/graphql', {
      body: `{"query":"{ viewer { environment } }","variables":{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`,
      as: bad,
    }),
  'prototype names': () =>
    call('/graphql', {
      body: '{"query":"{ viewer { environment } }","variables":{"__proto__":{"a":1},"constructor":{}}}',
      as: bad,
    }),
  'requiredScopes of the largest': () =>
    graphql(
      'query ($d: String!) { requiredScopes(document: $d) { scopes } }',
      { d: `{ ${many(15, (i) => `a${i}: tasks { nodes { id title project { id } } }`).join(' ')} }` },
      none,
    ),
  guesses: () => call('/graphql', { body: '{"query":"{ viewer { environment } }"}', as: generateKey('LIVE') }),
  'a long header': () => call('/graphql', { body: '{}', headers: { 'x-long': 'x'.repeat(15_000) }, as: bad }),
  'REST: the largest list': () => call('/api/task', { method: 'GET', as: bad }),
  'REST: deep page': () => call(`/v1/tasks?page=${Math.floor(TASKS / 100)}&limit=100`, { method: 'GET', as: bad }),
  'REST: search': () => call('/v1/tasks?search=no-such-words', { method: 'GET', as: bad }),
  'REST: 1 MB title': () => call('/v1/tasks', { body: JSON.stringify({ title: 'x'.repeat(1_000_000) }), as: bad }),
  'REST: many parameters': () => call(`/v1/tasks?${many(800, (i) => `a${i}=1`).join('&')}`, { method: 'GET', as: bad }),
  'REST: unknown routes': () => call(`/v1/${Math.random()}`, { method: 'GET', as: bad }),
  'answers nobody reads': () => unread(JSON.stringify({ query: '{ tasks(first: 1000) { nodes { id title } } }' })),
  'headers that dribble': () => dribble(),
  'left before the answer': () =>
    leave(JSON.stringify({ query: `{ tasks(filter: { or: [${contains(40)}] }) { nodes { id } } }` })),
};

const raw = (body) =>
  `POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${bad}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
const open = [];
function socket(text) {
  const one = connect(server.port, '127.0.0.1');
  one.on('error', () => {});
  one.write(text);
  open.push(one);
  return one;
}
async function unread(body) {
  socket(raw(body)).pause();
  await pause(20);
  return { status: 200, text: '', bytes: 0, ms: 0 };
}
async function dribble() {
  socket('GET / HTTP/1.1\r\nhost: x\r\n');
  await pause(5);
  return { status: 200, text: '', bytes: 0, ms: 0 };
}
async function leave(body) {
  const one = socket(raw(body));
  await pause(10);
  one.destroy();
  return { status: 200, text: '', bytes: 0, ms: 0 };
}
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const ordinary = new Worker(new URL('./ordinary.mjs', import.meta.url), { workerData: { origin, key, taskId } });
const timesSince = () =>
  new Promise((resolve) => {
    ordinary.once('message', resolve);
    ordinary.postMessage('times');
  });
async function measure(run) {
  await timesSince();
  await run();
  const sorted = (await timesSince()).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? 0;
}
const report = (what) =>
  new Promise((resolve) => {
    server.process.once('message', resolve);
    server.process.send(what);
  });

await measure(() => pause(3000));
const { memory: before } = await report('memory');
console.log(`${'operation'.padEnd(32)} answers/s  status  worst ms  held ms  ordinary p99: quiet  hostile`);
let [failed, worst] = [0, 0];
for (const [name, fire] of Object.entries(HOSTILE)) {
  if (ONLY && !name.includes(ONLY)) continue;
  bad = await attacker(['tasks:read', 'projects:read', 'users:read']);
  none = await attacker([]);
  const quiet = await measure(() => pause(SECONDS * 500));
  const answers = [];
  await report('held');
  const hostile = await measure(async () => {
    const until = performance.now() + SECONDS * 1000;
    await Promise.all(
      many(4, async () => {
        while (performance.now() < until) {
          const answer = await fire();
          answers.push(answer);
          // Whoever is refused at once asks at once again; a pause keeps this program out of the measure.
          await pause(5);
        }
      }),
    );
  });
  const { held } = await report('held');
  const slowest = Math.max(...answers.map(({ ms }) => ms));
  const statuses = [...new Set(answers.map(({ status }) => status))].sort().join();
  const isHeld = hostile <= 100;
  if (!isHeld) failed += 1;
  worst = Math.max(worst, hostile);
  console.log(
    `${name.padEnd(32)} ${(answers.length / SECONDS).toFixed(0).padStart(9)}  ${statuses.padStart(6)} ${slowest.toFixed(0).padStart(9)} ${held.toFixed(0).padStart(8)} ${quiet.toFixed(0).padStart(20)} ${hostile.toFixed(0).padStart(8)}${isHeld ? '' : '  LATE'}`,
  );
  for (const one of open.splice(0)) one.destroy();
}
await pause(3000);
const { memory: after } = await report('memory');
console.log(`memory ${before.toFixed(0)} MB before, ${after.toFixed(0)} MB after (used heap, collected)`);
console.log(
  `${failed} of ${Object.keys(HOSTILE).length} made ordinary clients wait over 100 ms; the worst ${worst.toFixed(0)} ms`,
);
process.exit(0);
