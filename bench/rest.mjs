// npm run bench:rest: each REST route beside the same operation by GraphQL, interleaved in one run, as ratios of the
// time that a request takes; and, on tables of 1,000 and TASKS (1,000,000) tasks, the default page and a deep offset.
// SECONDS, ROUNDS, CONNECTIONS and TASKS may be set.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import autocannon from 'autocannon';
import { seed, start } from './fixture.mjs';

const SECONDS = Number(process.env.SECONDS ?? 3);
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const CONNECTIONS = Number(process.env.CONNECTIONS ?? 16);
const TASKS = Number(process.env.TASKS ?? 1_000_000);

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-bench-'));
const small = await open('small.db', 1000);
process.on('exit', () => {
  small.process.kill();
  rmSync(folder, { recursive: true });
});

const TASK = 'id title description status priority createdById assigneeId projectId dueDate tags createdAt updatedAt';
const pairs = {
  'GET /v1/tasks/{id}': [
    `/v1/tasks/${small.taskId}`,
    { query: `query T($id: ID!) { task(id: $id) { ${TASK} } }`, variables: { id: small.taskId } },
  ],
  'GET /v1/tasks?limit=20': [
    '/v1/tasks?limit=20',
    {
      query: `query L($first: Int, $orderBy: [TaskOrder!]) {
        tasks(first: $first, orderBy: $orderBy) { totalCount nodes { ${TASK} } }
      }`,
      variables: { first: 20, orderBy: [{ field: 'CREATED_AT', direction: 'DESC' }] },
    },
  ],
  'GET /api/tasks?limit=100': [
    '/api/tasks?limit=100',
    {
      query: `{ tasks(first: 100) {
        totalCount pageInfo { hasNextPage endCursor }
        nodes { id title description status projectId createdAt updatedAt createdById }
      } }`,
    },
  ],
  'GET /api/projects': [
    '/api/projects',
    {
      query: `{ projects(first: 1000) {
        totalCount pageInfo { hasNextPage endCursor } nodes { id name description createdAt updatedAt createdById }
      } }`,
    },
  ],
};

console.log(`${ROUNDS} rounds of ${SECONDS} s, ${CONNECTIONS} connections, medians\n`);
console.log('route                      REST req/s  GraphQL req/s   time of REST to GraphQL');
for (const [name, [rest, graphql]] of Object.entries(pairs)) {
  const rates = { rest: [], graphql: [] };
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const kind of round % 2 ? ['rest', 'graphql'] : ['graphql', 'rest']) {
      const rate = await (kind === 'rest' ? load(small, rest) : load(small, '/graphql', graphql));
      // The first round warms up.
      if (round > 0) rates[kind].push(rate);
    }
  }
  const [a, b] = [median(rates.rest), median(rates.graphql)];
  console.log(
    `${name.padEnd(26)} ${a.toFixed(0).padStart(10)} ${b.toFixed(0).padStart(14)} ${(b / a).toFixed(2).padStart(25)}`,
  );
}

process.stderr.write(`\nfilling ${TASKS} tasks\n`);
const large = await open('large.db', TASKS);
process.on('exit', () => large.process.kill());
const pages = ['/v1/tasks', '/api/tasks', `/v1/tasks?offset=${TASKS / 2}`, `/v1/tasks?offset=${TASKS * 0.9}&limit=10`];
console.log(`\none request at a time, medians in ms      1,000 tasks  ${TASKS.toLocaleString('en')} tasks`);
for (const page of pages) {
  const times = { small: [], large: [] };
  for (let i = 0; i < 40; i += 1) {
    times.small.push(await time(small, page));
    times.large.push(await time(large, page));
  }
  const [a, b] = [median(times.small), median(times.large)];
  console.log(`${page.padEnd(40)} ${a.toFixed(1).padStart(12)} ${b.toFixed(1).padStart(16)}`);
}
process.exit(0);

async function open(name, tasks) {
  const file = path.join(folder, name);
  return { ...(await seed(`file:${file}`, tasks)), ...(await start('taskgate.mjs', file)) };
}

async function load({ port, key }, where, body) {
  const result = await autocannon({
    url: `http://127.0.0.1:${port}${where}`,
    method: body ? 'POST' : 'GET',
    duration: SECONDS,
    connections: CONNECTIONS,
    headers: { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${where}: ${result.non2xx} refused, ${result.errors} errors`);
  return result.requests.average;
}

async function time({ port, key }, where) {
  const started = performance.now();
  const answer = await fetch(`http://127.0.0.1:${port}${where}`, { headers: { 'x-api-key': key } });
  if (!answer.ok) throw new Error(`${where}: ${answer.status} ${await answer.text()}`);
  await answer.arrayBuffer();
  return performance.now() - started;
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
