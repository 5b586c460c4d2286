// npm run bench:scaling: what a request costs on SQLite and on PostgreSQL, and what a second worker adds. Each server is
// loaded in turn, to saturation, for a few seconds a round. The load generator and PostgreSQL run on the same cores as the
// workers; so beside the throughput stands what each of them took of the machine meanwhile, and the throughput with a
// core for each worker: that which was measured, times the workers, over the cores that the others left to them. Where
// workers wait, for a lock or for the disk, that stays in the figure. BENCH_POSTGRES_URL names a server to make databases
// on; SECONDS, ROUNDS, CONNECTIONS and LOADS (such as list,create) may be set.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import autocannon from 'autocannon';
import pg from 'pg';
import { seed } from './fixture.mjs';

const SECONDS = Number(process.env.SECONDS ?? 4);
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const CONNECTIONS = Number(process.env.CONNECTIONS ?? 32);
const POSTGRES = process.env.BENCH_POSTGRES_URL ?? 'postgresql://postgres@127.0.0.1:5432/postgres';
const CORES = availableParallelism();
/** Seconds, a worker; what they run is compiled by then. */
const WARM_UP = 8;
/** Clock ticks a second of /proc. */
const TICKS = 100;

const loads = {
  list: () => ({ query: '{ tasks(first: 20) { nodes { id title status project { id name } } } }' }),
  'by id': ({ taskId }) => ({
    query: 'query ($id: ID!) { task(id: $id) { id title status } }',
    variables: { id: taskId },
  }),
  create: () => ({ query: 'mutation { createTask(input: { title: "Bench" }) { task { id } } }' }),
};

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-bench-'));
const admin = new pg.Client({ connectionString: POSTGRES });
await admin.connect();
const databases = [];
const servers = [];
try {
  for (const provider of ['SQLite', 'PostgreSQL']) {
    for (const workers of [1, 2]) servers.push(await start(provider, workers));
  }
  console.log(`${ROUNDS} rounds of ${SECONDS} s, ${CONNECTIONS} connections, ${CORES} cores, medians\n`);
  console.log(
    '                                    cores taken by                          CPU ms a request of   req/s with',
  );
  console.log(
    'load    database    workers  req/s  workers  PostgreSQL  generator    idle  workers  PostgreSQL  a core each',
  );
  const wanted = process.env.LOADS?.split(',') ?? Object.keys(loads);
  for (const name of Object.keys(loads).filter((load) => wanted.includes(load))) await compare(name);
} finally {
  for (const { child } of servers) child.kill('SIGTERM');
  await Promise.all(servers.map(({ exited }) => exited));
  for (const database of databases) await admin.query(`DROP DATABASE ${database} WITH (FORCE)`);
  await admin.end();
  rmSync(folder, { recursive: true });
}

/** A server of its own database. */
async function start(provider, workers) {
  const name = `taskgate_bench_${process.pid}_${workers}`;
  let databaseUrl = `file:${path.join(folder, `${name}.db`)}`;
  if (provider === 'PostgreSQL') {
    await admin.query(`CREATE DATABASE ${name}`);
    databases.push(name);
    databaseUrl = Object.assign(new URL(POSTGRES), { pathname: `/${name}` }).href;
  }
  const fixture = await seed(databaseUrl, 1000);
  const child = spawn(process.execPath, [path.join(import.meta.dirname, '../dist/main.js'), 'serve'], {
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      DATABASE_URL: databaseUrl,
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
  const exited = new Promise((resolve) => child.once('exit', resolve));
  return { provider, workers, fixture, child, exited, url, pids: workers === 1 ? [child.pid] : childrenOf(child.pid) };
}

async function compare(name) {
  for (const server of servers) {
    const answer = await ask(server, name);
    if (answer.errors) throw new Error(JSON.stringify(answer.errors));
    await shoot(server, name, WARM_UP * server.workers);
  }
  const results = servers.map(() => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, server] of servers.entries()) results[index].push(await measure(server, name));
  }
  const capacities = servers.map(({ provider, workers }, index) => {
    const of = (key) => median(results[index].map((run) => run[key]));
    const cells = [
      ...[name.padEnd(7), provider.padEnd(11), String(workers).padStart(7), of('rate').toFixed(0).padStart(6)],
      ...[of('workers').toFixed(2).padStart(8), of('database').toFixed(2).padStart(11)],
      ...[of('generator').toFixed(2).padStart(10), of('idle').toFixed(2).padStart(7)],
      ...[of('workersEach').toFixed(2).padStart(8), of('databaseEach').toFixed(2).padStart(11)],
      of('capacity').toFixed(0).padStart(12),
    ];
    console.log(cells.join(' '));
    return of('capacity');
  });
  const [one, two, three, four] = capacities;
  console.log(
    `        2 workers over 1: SQLite ${(two / one).toFixed(2)}, PostgreSQL ${(four / three).toFixed(2)} times`,
  );
}

function requestOf({ fixture }, name) {
  const headers = { authorization: `Bearer ${fixture.key}`, 'content-type': 'application/json' };
  return { method: 'POST', headers, body: JSON.stringify(loads[name](fixture)) };
}

async function ask(server, name) {
  return (await fetch(`${server.url}/graphql`, requestOf(server, name))).json();
}

function shoot(server, name, duration) {
  return autocannon({
    ...requestOf(server, name),
    url: `${server.url}/graphql`,
    duration,
    connections: CONNECTIONS,
    verifyBody: (body) => !body.includes('"errors"'),
  });
}

async function measure(server, name) {
  const before = taken(server);
  const { requests, non2xx, errors, mismatches } = await shoot(server, name, SECONDS);
  const after = taken(server);
  if (non2xx + errors + mismatches > 0) {
    throw new Error(`${non2xx} refused, ${errors} failed, ${mismatches} answered with errors`);
  }
  const elapsed = after.time - before.time;
  const [workers, database, generator] = ['workers', 'database', 'generator'].map(
    (part) => (after[part] - before[part]) / elapsed,
  );
  const rate = requests.total / elapsed;
  const left = Math.min(server.workers, CORES - database - generator);
  return {
    ...{ rate, workers, database, generator, idle: CORES - workers - database - generator },
    ...{ workersEach: (workers * 1000) / rate, databaseEach: (database * 1000) / rate },
    capacity: (rate * server.workers) / left,
  };
}

/** Seconds of CPU so far, of each part; the time in seconds. */
function taken({ provider, pids }) {
  const { user, system } = process.cpuUsage();
  return {
    time: performance.now() / 1000,
    workers: secondsOf(pids),
    database: provider === 'PostgreSQL' ? secondsOf(postgresPids()) : 0,
    generator: (user + system) / 1e6,
  };
}

/** User and system time so far, that of children that have ended included. */
function secondsOf(pids) {
  const ticks = pids.flatMap((pid) => statusOf(pid)?.slice(11, 15).map(Number) ?? []);
  return ticks.reduce((sum, each) => sum + each, 0) / TICKS;
}

/** The fields of /proc/PID/stat after the name; nothing of a process that has ended. */
function statusOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
  } catch {
    return undefined;
  }
}

function processes() {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
}

function childrenOf(parent) {
  return processes().filter((pid) => Number(statusOf(pid)?.[1]) === parent);
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
