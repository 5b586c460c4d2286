// npm run bench:kills: kills (-9) of one worker, the primary process, or all at once, again and again, under mixed writes.
// What was acknowledged must be there afterwards, each number must be given once, and every count must be that of its
// rows. DATABASE_URL names an empty PostgreSQL database; by default the file is made and thrown away.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openDatabase } from '../dist/modules/db/database.js';
import { providerOf } from '../dist/modules/db/provider.js';
import { generateKey } from '../dist/modules/keys/format.js';

const KILLS = Number(process.env.KILLS ?? 100);
const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-kills-'));
const databaseUrl = process.env.DATABASE_URL ?? `file:${path.join(folder, 'data.db')}`;
const key = generateKey('LIVE');
const port = await new Promise((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port: free } = probe.address();
    probe.close(() => resolve(free));
  });
});
const values = {
  PATH: process.env.PATH,
  PORT: String(port),
  DATABASE_URL: databaseUrl,
  TASKGATE_BOOTSTRAP_KEY: key,
  WEB_CONCURRENCY: '2',
  DEFAULT_PLAN: 'enterprise',
  LOG_LEVEL: 'silent',
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let primary;
function startPrimary() {
  primary = spawn(process.execPath, ['dist/main.js', 'serve'], { env: values, stdio: 'ignore' });
  return primary;
}
/** Of the primary process, by what the system knows. */
function workers() {
  const children = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [, parent] = /\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      if (Number(parent) === primary.pid) children.push(Number(pid));
    } catch {
      // It ended meanwhile.
    }
  }
  return children;
}
const kill = (pid) => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
};
async function graphql(query, variables) {
  const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(20_000),
  });
  return { status: response.status, ...(await response.json()) };
}
async function listening() {
  for (let tries = 0; tries < 400; tries += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined);
    if (answer?.status === 200) return;
    await pause(50);
  }
  throw new Error('the server did not come back');
}

/** What was acknowledged: rows by id with their title, or undefined where they were deleted. */
const acknowledged = new Map();
const numbers = new Map();
let [writes, failures, unclear] = [0, 0, 0];
let isRunning = true;
async function writer(index) {
  const own = [];
  for (let turn = 0; isRunning; turn += 1) {
    const choice = own.length < 3 ? 0 : turn % 4;
    const id = own[turn % Math.max(1, own.length)];
    const title = `w${index} ${turn}`;
    try {
      if (choice <= 1) {
        const { data, errors } = await graphql(
          'mutation ($title: String!) { createTask(input: { title: $title, tags: ["a", "b"] }) { task { id number } } }',
          { title },
        );
        if (errors) {
          failures += 1;
          continue;
        }
        const { task } = data.createTask;
        if (numbers.has(task.number)) throw new Error(`number ${task.number} was given twice`);
        numbers.set(task.number, task.id);
        own.push(task.id);
        acknowledged.set(task.id, title);
      } else if (choice === 2) {
        const before = acknowledged.get(id);
        acknowledged.set(id, [before, title].flat());
        const { errors } = await graphql(
          'mutation ($id: ID!, $title: String!) { updateTask(input: { id: $id, title: $title }) { task { id } } }',
          { id, title },
        );
        // One that failed may have been done or not.
        if (errors) failures += 1;
        else acknowledged.set(id, title);
      } else {
        const before = acknowledged.get(id);
        own.splice(own.indexOf(id), 1);
        acknowledged.set(id, [before, undefined].flat());
        const { errors } = await graphql('mutation ($id: ID!) { deleteTask(input: { id: $id }) { deletedTaskId } }', {
          id,
        });
        if (errors) failures += 1;
        else acknowledged.set(id, undefined);
      }
      writes += 1;
    } catch (error) {
      if (String(error).includes('given twice')) throw error;
      unclear += 1;
      await pause(20);
    }
  }
}

startPrimary();
await listening();
const writers = Array.from({ length: 6 }, (_, index) => writer(index));
const kinds = { worker: 0, primary: 0, all: 0 };
for (let done = 0; done < KILLS; done += 1) {
  await pause(300 + Math.random() * 900);
  const kind = ['worker', 'worker', 'primary', 'all'][done % 4];
  kinds[kind] += 1;
  const children = workers();
  if (kind === 'worker') kill(children[Math.floor(Math.random() * children.length)]);
  else {
    const gone = new Promise((resolve) => primary.once('exit', resolve));
    if (kind === 'all') for (const child of children) kill(child);
    kill(primary.pid);
    await gone;
    // Its workers end with it, and free the port.
    for (let tries = 0; tries < 200 && children.some(isAlive); tries += 1) await pause(10);
    if (children.some(isAlive)) throw new Error('a worker outlived its primary process');
    startPrimary();
  }
  await listening();
  if (process.stdout.isTTY) process.stdout.write(`\r${done + 1} of ${KILLS} kills, ${writes} writes acknowledged`);
}
function isAlive(pid) {
  try {
    return /\) Z /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) === null;
  } catch {
    return false;
  }
}
isRunning = false;
await Promise.all(writers);
const { data } = await graphql('{ tasks { totalCount } }');
const ended = new Promise((resolve) => primary.once('exit', resolve));
primary.kill('SIGTERM');
await ended;

const database = await openDatabase({ provider: providerOf(databaseUrl), databaseUrl });
const rows = await database.system.task.findMany({ include: { tags: true } });
const byId = new Map(rows.map((row) => [row.id, row]));
const problems = [];
for (const [id, expected] of acknowledged) {
  const titles = [expected].flat();
  if (!titles.includes(byId.get(id)?.title)) problems.push(`${id}: ${byId.get(id)?.title} is none of ${titles}`);
}
const given = new Set(rows.map(({ number }) => number));
if (given.size !== rows.length) problems.push('a number stands at two tasks');
for (const [number, id] of numbers) {
  const row = rows.find((candidate) => candidate.number === number);
  if (row && row.id !== id) problems.push(`number ${number} went to another task`);
}
for (const row of rows) if (row.tags.length !== 2) problems.push(`${row.id} has ${row.tags.length} tags`);
if (data.tasks.totalCount !== rows.length)
  problems.push(`${data.tasks.totalCount} are counted, ${rows.length} are there`);
const created = await database.system.auditEvent.findMany({ where: { action: 'task.create' } });
const audited = new Set(created.map(({ targetId }) => targetId));
for (const row of rows) if (!audited.has(row.id)) problems.push(`${row.id} has no audit entry`);
await database.close();
rmSync(folder, { recursive: true });
console.log(
  `\n${database.provider}: ${KILLS} kills (${kinds.worker} of workers, ${kinds.primary} of the primary, ${kinds.all} of all), ${writes} writes acknowledged, ${failures} refused, ${unclear} without an answer; ${rows.length} tasks; ${problems.length} problems`,
);
for (const problem of problems.slice(0, 20)) console.log(`  ${problem}`);
process.exit(problems.length === 0 ? 0 : 1);
