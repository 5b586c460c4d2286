// npm run bench:scaling: what a request costs on SQLite and on PostgreSQL, and what a second worker adds. Each server is
// loaded in turn, to saturation, for a few seconds a round. The load generator, PostgreSQL and the first process of two workers
// run on the same cores as the workers, so the plain throughput says little of what a second worker adds. Two figures do:
//   accounted: the throughput that was measured, times the workers, over the cores that the others left to them, beside that of
//     one worker; where workers wait, for a lock or for the disk, that stays in it;
//   control: the throughput of two workers beside that of two servers with a database each, loaded together by the same
//     generator on the same cores. They know nothing of each other, so they are what twice one worker is on this machine.
// BENCH_POSTGRES_URL names a server to make databases on; SECONDS, ROUNDS, CONNECTIONS and LOADS (such as list,create) may be set.
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
const setups = [];
try {
  for (const provider of ['SQLite', 'PostgreSQL']) {
    const [one, twin, two] = [await start(provider, 1), await start(provider, 1), await start(provider, 2)];
    setups.push({ provider, name: 'one', servers: [one] });
    setups.push({ provider, name: 'two servers', servers: [one, twin] });
    setups.push({ provider, name: 'two workers', servers: [two] });
  }
  console.log(`${ROUNDS} rounds of ${SECONDS} s, ${CONNECTIONS} connections, ${CORES} cores, medians\n`);
  console.log('                                    cores taken by                                 CPU ms a request of');
  console.log(
    'load    database    setup        req/s  workers  PostgreSQL  first  generator    idle  workers  PostgreSQL',
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
  const name = `taskgate_bench_${process.pid}_${servers.length}`;
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
  // Of two workers, the first process is neither.
  const pids = workers === 1 ? { pids: [child.pid], first: [] } : { pids: childrenOf(child.pid), first: [child.pid] };
  const server = { workers, fixture, child, exited, url, ...pids };
  servers.push(server);
  return server;
}

async function compare(name) {
  for (const server of servers) {
    const answer = await ask(server, name);
    if (answer.errors) throw new Error(JSON.stringify(answer.errors));
    await shoot(server, name, WARM_UP * server.workers, CONNECTIONS);
  }
  const results = new Map(setups.map((setup) => [setup, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [setup, runs] of results) runs.push(await measure(setup, name));
  }
  const rows = [...results].map(([{ provider, name: setup }, runs]) => {
    const of = (key) => median(runs.map((run) => run[key]));
    const cells = [
      ...[name.padEnd(7), provider.padEnd(11), setup.padEnd(11), of('rate').toFixed(0).padStart(6)],
      ...[
        of('workers').toFixed(2).padStart(8),
        of('database').toFixed(2).padStart(11),
        of('first').toFixed(2).padStart(6),
      ],
      ...[of('generator').toFixed(2).padStart(10), of('idle').toFixed(2).padStart(7)],
      ...[of('workersEach').toFixed(2).padStart(8), of('databaseEach').toFixed(2).padStart(11)],
    ];
    console.log(cells.join(' '));
    return { rate: of('rate'), capacity: of('capacity') };
  });
  for (const [index, provider] of ['SQLite', 'PostgreSQL'].entries()) {
    const [one, servers, workers] = rows.slice(index * 3);
    const [plain, accounted] = [workers.rate / one.rate, workers.capacity / one.capacity];
    const control = (2 * workers.rate) / servers.rate;
    console.log(
      `        ${provider}, 2 workers over 1: ${accounted.toFixed(2)} accounted, ${control.toFixed(2)} control (plain ${plain.toFixed(2)})`,
    );
  }
}

function requestOf({ fixture }, name) {
  const headers = { authorization: `Bearer ${fixture.key}`, 'content-type': 'application/json' };
  return { method: 'POST', headers, body: JSON.stringify(loads[name](fixture)) };
}

async function ask(server, name) {
  return (await fetch(`${server.url}/graphql`, requestOf(server, name))).json();
}

function shoot(server, name, duration, connections) {
  return autocannon({
    ...requestOf(server, name),
    url: `${server.url}/graphql`,
    duration,
    connections,
    verifyBody: (body) => !body.includes('"errors"'),
  });
}

async function measure(setup, name) {
  const before = taken(setup);
  const shots = await Promise.all(
    setup.servers.map((server) => shoot(server, name, SECONDS, CONNECTIONS / setup.servers.length)),
  );
  const after = taken(setup);
  for (const { non2xx, errors, mismatches } of shots) {
    if (non2xx + errors + mismatches > 0) {
      throw new Error(`${non2xx} refused, ${errors} failed, ${mismatches} answered with errors`);
    }
  }
  const elapsed = after.time - before.time;
  const [workers, database, first, generator] = ['workers', 'database', 'first', 'generator'].map(
    (part) => (after[part] - before[part]) / elapsed,
  );
  const rate = shots.reduce((sum, { requests }) => sum + requests.total, 0) / elapsed;
  const wanted = setup.servers.reduce((sum, server) => sum + server.workers, 0);
  const left = Math.min(wanted, CORES - database - first - generator);
  return {
    ...{ rate, workers, database, first, generator, idle: CORES - workers - database - first - generator },
    ...{ workersEach: (workers * 1000) / rate, databaseEach: (database * 1000) / rate },
    capacity: (rate * wanted) / left,
  };
}

/** Seconds of CPU so far, of each part; the time in seconds. */
function taken({ provider, servers: loaded }) {
  const { user, system } = process.cpuUsage();
  return {
    time: performance.now() / 1000,
    workers: secondsOf(loaded.flatMap(({ pids }) => pids)),
    database: provider === 'PostgreSQL' ? secondsOf(postgresPids()) : 0,
    first: secondsOf(loaded.flatMap(({ first }) => first)),
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
