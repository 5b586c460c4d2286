// npm run bench: list, by-id, create and bad-key loads, interleaved with the bare peer in one run and printed as
// ratios to it; absolute figures of a shared machine mean little. SECONDS, ROUNDS and CONNECTIONS may be set.
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import autocannon from 'autocannon';
import { migrateDatabase, openDatabase } from '../dist/db/database.js';
import { bootstrap } from '../dist/keys/bootstrap.js';
import { generateKey } from '../dist/keys/format.js';

const SECONDS = Number(process.env.SECONDS ?? 4);
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const CONNECTIONS = Number(process.env.CONNECTIONS ?? 16);
const TASKS = 1000;

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-bench-'));
const file = path.join(folder, 'bench.db');
const key = generateKey('LIVE');
const taskId = await seed();

const bare = await start('bare.mjs');
const taskgate = await start('taskgate.mjs');
process.on('exit', () => {
  bare.process.kill();
  taskgate.process.kill();
  rmSync(folder, { recursive: true });
});
const list = '{ tasks(first: 20) { nodes { id title status project { id name } } } }';
const loads = {
  'bare list': () => load(bare.port, list),
  list: () => load(taskgate.port, list),
  'by id': () => load(taskgate.port, 'query($id: ID!) { task(id: $id) { id title status } }', { id: taskId }),
  create: () => load(taskgate.port, 'mutation { createTask(input: { title: "Bench" }) { task { id } } }'),
  'bad key': () => load(taskgate.port, list, undefined, generateKey('LIVE'), 401),
};

/** @type {Record<string, { rate: number, p99: number }[]>} */
const results = Object.fromEntries(Object.keys(loads).map((name) => [name, []]));
for (let round = 0; round <= ROUNDS; round += 1) {
  for (const [name, run] of Object.entries(loads)) {
    const result = await run();
    // The first round warms up.
    if (round > 0) results[name].push(result);
    process.stderr.write('.');
  }
}
process.stderr.write('\n');

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const base = median(results['bare list'].map(({ rate }) => rate));
console.log(`${ROUNDS} rounds of ${SECONDS} s, ${CONNECTIONS} connections, medians\n`);
console.log('load          requests/s   p99 ms   to bare list');
for (const [name, runs] of Object.entries(results)) {
  const rate = median(runs.map((run) => run.rate));
  const p99 = median(runs.map((run) => run.p99));
  console.log(
    `${name.padEnd(12)} ${rate.toFixed(0).padStart(11)} ${String(p99).padStart(8)} ${(rate / base).toFixed(3).padStart(14)}`,
  );
}
process.exit(0);

async function seed() {
  const options = { provider: 'sqlite', databaseUrl: `file:${file}` };
  await migrateDatabase(options);
  const database = await openDatabase(options);
  await bootstrap(database, { bootstrapKey: key, defaultPlan: 'enterprise' });
  // The load is the point here, not the limits.
  await database.system.apiKey.updateMany({ data: { ratePerMinute: 100_000_000, ratePerHour: 100_000_000 } });
  const { id: workspaceId } = await database.system.workspace.findFirstOrThrow();
  const tenant = { workspaceId, environment: 'LIVE' };
  const projects = [];
  for (let i = 0; i < 10; i += 1) {
    projects.push((await database.system.project.create({ data: { ...tenant, name: `Project ${i}` } })).id);
  }
  await database.system.task.createMany({
    data: Array.from({ length: TASKS }, (_, i) => ({
      ...tenant,
      number: i + 1,
      title: `Task ${i + 1}`,
      status: i % 7,
      projectId: projects[i % 10],
    })),
  });
  await database.system.taskCounter.create({ data: { ...tenant, lastNumber: TASKS } });
  const { id } = await database.system.task.findFirstOrThrow();
  await database.close();
  return id;
}

function start(script) {
  const child = fork(path.join(import.meta.dirname, script), [file]);
  return new Promise((resolve, reject) => {
    child.once('message', (port) => resolve({ process: child, port }));
    child.once('exit', (code) => reject(new Error(`${script} ended with ${code}`)));
  });
}

async function load(port, query, variables, credential = key, expected = 200) {
  const result = await autocannon({
    url: `http://127.0.0.1:${port}/graphql`,
    method: 'POST',
    duration: SECONDS,
    connections: CONNECTIONS,
    headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const other = Object.keys(result.statusCodeStats ?? {}).filter((status) => Number(status) !== expected);
  if (other.length > 0 || result.errors > 0) throw new Error(`status ${other.join(', ')}, ${result.errors} errors`);
  return { rate: result.requests.average, p99: result.latency.p99 };
}
