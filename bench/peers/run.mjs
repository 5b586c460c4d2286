// npm run bench:peers: the same operations on Taskgate and on its peers, over the same data, interleaved. SECONDS, ROUNDS and
// CONNECTIONS may be set; DATABASE=postgresql://... for a PostgreSQL to throw away; OUT names a file to write the table to.
// Needs `npm install` in this folder, and Linux, for the CPU time of /proc.
import { fork } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import autocannon from 'autocannon';
import pg from 'pg';
import { generateKey } from '../../dist/modules/keys/format.js';
import { seed } from '../fixture.mjs';
import { isPostgresql } from './shared.mjs';

const SECONDS = Number(process.env.SECONDS ?? 3);
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const CONNECTIONS = Number(process.env.CONNECTIONS ?? 16);
const TASKS = 9000;

const folder = await mkdtemp(path.join(tmpdir(), 'taskgate-peers-'));
const url = process.env.DATABASE ?? `file:${path.join(folder, 'peers.db')}`;
const { key, taskId } = await seed(url, TASKS);
if (isPostgresql(url)) {
  // Without statistics it takes the wrong index for whoever asks it.
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('ANALYZE');
  await client.end();
}

const PEERS = {
  bare: ['bare.mjs'],
  'bare, the key read each time': ['bare.mjs', 'anew'],
  Apollo: ['apollo.mjs'],
  'Mercurius + JIT': ['mercurius.mjs'],
  'Taskgate, nothing remembered': ['taskgate.mjs', '0'],
  Taskgate: ['taskgate.mjs', '64'],
};
const list = { query: '{ tasks(first: 20) { nodes { id title status project { id name } } } }' };
const nested = {
  query: '{ projects(first: 20) { nodes { id name tasks(first: 10) { nodes { id title assignee { id name } } } } } }',
};
const LOADS = {
  list: { body: list },
  'by id': {
    body: {
      query: 'query ($id: ID!) { task(id: $id) { id title status project { id name } } }',
      variables: { id: taskId },
    },
  },
  nested: { body: nested },
  create: { body: { query: 'mutation { createTask(input: { title: "Bench" }) { task { id title status } } }' } },
  'bad key': { body: list, key: generateKey('LIVE'), status: 401 },
};

const servers = [];
for (const [name, [script, ...args]] of Object.entries(PEERS)) {
  const child = fork(path.join(import.meta.dirname, script), [url, ...args], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const port = await new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`${script} ended with ${code}`)));
  });
  servers.push({ name, child, port, results: Object.fromEntries(Object.keys(LOADS).map((load) => [load, []])) });
}
process.on('exit', () => {
  for (const { child } of servers) child.kill();
  rmSync(folder, { recursive: true });
});

// The same answer of all, or nothing is compared.
for (const load of ['list', 'by id', 'nested']) {
  const answers = await Promise.all(
    servers.map(async ({ port }) => JSON.stringify((await ask(port, LOADS[load])).data)),
  );
  if (new Set(answers).size !== 1) throw new Error(`different answers to ${load}:\n${answers.join('\n')}`);
}

for (let round = 0; round <= ROUNDS; round += 1) {
  for (const [load, asked] of Object.entries(LOADS)) {
    for (const server of servers) {
      const result = await measure(server, asked);
      // The first round warms up.
      if (round > 0) server.results[load].push(result);
      process.stderr.write('.');
    }
  }
}
process.stderr.write('\n');

const sorted = (values) => [...values].sort((a, b) => a - b);
const median = (values) => sorted(values)[Math.floor(values.length / 2)];
const [base] = servers;
const cell = ({ results }, load) => {
  const rate = median(results[load].map((one) => one.rate));
  const cpu = median(results[load].map((one) => one.cpu));
  const ratios = sorted(results[load].map((one, round) => one.rate / base.results[load][round].rate));
  const spread = `${ratios[0].toFixed(2)} to ${ratios.at(-1).toFixed(2)}`;
  return `${rate.toFixed(0)}/s, ${cpu.toFixed(2)} ms; ${median(ratios).toFixed(2)} (${spread})`;
};
const database = url.startsWith('file:') ? 'SQLite' : 'PostgreSQL';
const lines = [
  `### ${database}`,
  '',
  `${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ${cpus().length} x ${cpus()[0].model.trim()}: ${ROUNDS} rounds of ${SECONDS} s, ${CONNECTIONS} connections, ${TASKS} tasks.`,
  'Each: requests a second and CPU time of one; ratio to bare in the same round, median (least to most).',
  '',
  `| | ${Object.keys(LOADS).join(' | ')} |`,
  `| --- |${' --- |'.repeat(Object.keys(LOADS).length)}`,
  ...servers.map(
    (server) =>
      `| ${server.name} | ${Object.keys(LOADS)
        .map((load) => cell(server, load))
        .join(' | ')} |`,
  ),
  '',
];
console.log(lines.join('\n'));
if (process.env.OUT) writeFileSync(process.env.OUT, lines.join('\n'), { flag: 'a' });
process.exit(0);

async function ask(port, { body }) {
  const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return response.json();
}

/** Milliseconds of CPU that a process has used. */
function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function measure({ child, port }, { body, key: credential = key, status = 200 }) {
  const before = cpuOf(child.pid);
  const result = await autocannon({
    url: `http://127.0.0.1:${port}/graphql`,
    method: 'POST',
    duration: SECONDS,
    connections: CONNECTIONS,
    headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const other = Object.keys(result.statusCodeStats ?? {}).filter((one) => Number(one) !== status);
  if (other.length > 0 || result.errors > 0) throw new Error(`status ${other.join(', ')}, ${result.errors} errors`);
  return { rate: result.requests.average, cpu: (cpuOf(child.pid) - before) / result.requests.total };
}
