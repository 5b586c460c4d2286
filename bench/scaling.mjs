// npm run bench:scaling: what a request costs on SQLite and on PostgreSQL, and what a second worker adds. The load
// generator and the database share the machine's cores with the workers, so the throughput at saturation says little of
// the workers. Beside it stand the milliseconds of CPU that a request takes of the workers and of PostgreSQL at a steady
// rate well below that, and what follows for workers with a core each: it is N times one's, unless they stand in each
// other's way. BENCH_POSTGRES_URL names a server to make a database on; SECONDS, ROUNDS and LOADS (such as list,create)
// may be set.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import autocannon from 'autocannon';
import pg from 'pg';
import { seed } from './fixture.mjs';

const SECONDS = Number(process.env.SECONDS ?? 4);
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const SERVER = process.env.BENCH_POSTGRES_URL ?? 'postgresql://postgres@127.0.0.1:5432/postgres';
/** Seconds. */
const WARM_UP = 10;
/** Clock ticks a second of /proc. */
const TICKS = 100;

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-bench-'));
const admin = new pg.Client({ connectionString: SERVER });
await admin.connect();
const database = `taskgate_bench_${process.pid}`;
await admin.query(`CREATE DATABASE ${database}`);
const urls = {
  SQLite: `file:${path.join(folder, 'bench.db')}`,
  PostgreSQL: Object.assign(new URL(SERVER), { pathname: `/${database}` }).href,
};
const fixtures = { SQLite: await seed(urls.SQLite, 1000), PostgreSQL: await seed(urls.PostgreSQL, 1000) };

/** Requests a second, for the CPU of each. */
const STEADY = { list: 120, 'by id': 300, create: 80 };
const loads = {
  list: () => ({ query: '{ tasks(first: 20) { nodes { id title status project { id name } } } }' }),
  'by id': ({ taskId }) => ({
    query: 'query ($id: ID!) { task(id: $id) { id title status } }',
    variables: { id: taskId },
  }),
  create: () => ({ query: 'mutation { createTask(input: { title: "Bench" }) { task { id } } }' }),
};
const setups = [
  { provider: 'SQLite', workers: 1 },
  { provider: 'SQLite', workers: 2 },
  { provider: 'PostgreSQL', workers: 1 },
  { provider: 'PostgreSQL', workers: 2 },
];

console.log(`${ROUNDS} rounds of ${SECONDS} s, 16 connections, medians\n`);
console.log('load    database    workers   req/s   CPU ms of workers   CPU ms of PostgreSQL   req/s with a core each');
const wanted = process.env.LOADS?.split(',') ?? Object.keys(loads);
for (const [name, operation] of Object.entries(loads).filter(([load]) => wanted.includes(load))) {
  const results = setups.map(() => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, setup] of setups.entries()) results[index].push(await measure(setup, operation, STEADY[name]));
  }
  const capacity = {};
  for (const [index, { provider, workers }] of setups.entries()) {
    const [rate, cpu, base] = ['rate', 'cpu', 'database'].map((key) => median(results[index].map((run) => run[key])));
    capacity[`${provider} ${workers}`] = (workers * 1000) / cpu;
    console.log(
      `${name.padEnd(7)} ${provider.padEnd(11)} ${String(workers).padStart(7)} ${rate.toFixed(0).padStart(7)} ${cpu.toFixed(2).padStart(19)} ${base.toFixed(2).padStart(22)} ${((workers * 1000) / cpu).toFixed(0).padStart(24)}`,
    );
  }
  for (const provider of ['SQLite', 'PostgreSQL']) {
    console.log(
      `        ${provider}: 2 workers over 1, ${(capacity[`${provider} 2`] / capacity[`${provider} 1`]).toFixed(2)} times`,
    );
  }
}
await admin.query(`DROP DATABASE ${database} WITH (FORCE)`);
await admin.end();
rmSync(folder, { recursive: true });

async function measure({ provider, workers }, operation, steady) {
  const { key } = fixtures[provider];
  const child = spawn(process.execPath, [path.join(import.meta.dirname, '../dist/main.js'), 'serve'], {
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      DATABASE_URL: urls[provider],
      WEB_CONCURRENCY: String(workers),
      LOG_LEVEL: 'silent',
      MAX_WAITING: '10000',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise((resolve) => {
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
      const found = /listens on (\S+)/.exec(text)?.[1];
      if (found) setTimeout(() => resolve(found), 500);
    });
  });
  const shoot = (duration, options = {}) =>
    autocannon({
      ...options,
      url: `${url}/graphql`,
      method: 'POST',
      duration,
      connections: 16,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(operation(fixtures[provider])),
    });
  // Both workers have compiled what they run by then, each with half of the requests.
  await shoot(WARM_UP);
  const saturated = await shoot(SECONDS);
  const pids = workers === 1 ? [child.pid] : childrenOf(child.pid);
  const before = [ticksOf(pids), ticksOf(postgresPids())];
  const result = await shoot(SECONDS, { overallRate: steady });
  const after = [ticksOf(pids), ticksOf(postgresPids())];
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
  const refused = result.non2xx + saturated.non2xx;
  if (refused > 0) throw new Error(`${refused} refused`);
  const each = (index) => ((after[index] - before[index]) * 1000) / TICKS / result.requests.total;
  return { rate: saturated.requests.average, cpu: each(0), database: provider === 'SQLite' ? 0 : each(1) };
}

/** User and system time so far. */
function ticksOf(pids) {
  let sum = 0;
  for (const pid of pids) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      sum += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It ended meanwhile.
    }
  }
  return sum;
}

function processes() {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
}

function childrenOf(parent) {
  return processes().filter((pid) => {
    try {
      return (
        Number(
          readFileSync(`/proc/${pid}/stat`, 'utf8')
            .replace(/^.*\) /, '')
            .split(' ')[1],
        ) === parent
      );
    } catch {
      return false;
    }
  });
}

function postgresPids() {
  return processes().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('postgres');
    } catch {
      return false;
    }
  });
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
