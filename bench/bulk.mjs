// npm run bench:bulk: a thousand tasks changed by one updateTasks, against hand-written SQL that changes the same rows and
// writes the same audit entries, in turn in one run on one database. ROUNDS may be set; DATABASE_URL: PostgreSQL in place of
// SQLite, an empty database.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Sqlite from 'better-sqlite3';
import pg from 'pg';
import { seed, start } from './fixture.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 15);
const TASKS = 1000;
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-bench-'));
const file = path.join(folder, 'bench.db');
const url = process.env.DATABASE_URL ?? `file:${file}`;
const isPostgresql = url.startsWith('postgres');
const { key } = await seed(url, 3000);
const server = await start('taskgate.mjs', isPostgresql ? url : file);
const client = isPostgresql ? new pg.Client(url) : undefined;
await client?.connect();
const sqlite = isPostgresql ? undefined : new Sqlite(file);
sqlite?.pragma('synchronous = FULL');
process.on('exit', () => {
  server.process.kill();
  rmSync(folder, { recursive: true });
});

async function send(query, variables) {
  const response = await fetch(`http://127.0.0.1:${server.port}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

const COLUMNS = 'id workspaceId environment action actorKeyId targetType targetId projectId changes createdAt'.split(
  ' ',
);
const named = COLUMNS.map((column) => `"${column}"`).join(', ');
const entryOf = (task, status, now) => [
  ...[randomUUID(), task.workspaceId, task.environment, 'task.update', 'key_hand', 'Task', task.id, task.projectId],
  ...[JSON.stringify({ status: { from: task.status, to: status } }), now],
];

const bySql = {
  sqlite(ids, status) {
    const marks = ids.map(() => '?').join(',');
    sqlite
      .transaction(() => {
        const now = Date.now();
        const tasks = sqlite.prepare(`SELECT * FROM "Task" WHERE "id" IN (${marks})`).all(...ids);
        sqlite
          .prepare(`UPDATE "Task" SET "status" = ?, "updatedAt" = ? WHERE "id" IN (${marks})`)
          .run(status, now, ...ids);
        const insert = sqlite.prepare(
          `INSERT INTO "AuditEvent" (${named}) VALUES (${COLUMNS.map(() => '?').join(',')})`,
        );
        for (const task of tasks) insert.run(...entryOf(task, status, now));
      })
      .immediate();
  },
  async postgresql(ids, status) {
    const now = new Date();
    await client.query('BEGIN');
    const { rows } = await client.query('SELECT * FROM "Task" WHERE "id" = ANY($1) ORDER BY "id" FOR UPDATE', [ids]);
    await client.query('UPDATE "Task" SET "status" = $1, "updatedAt" = $2 WHERE "id" = ANY($3)', [status, now, ids]);
    const values = rows.flatMap((task) => entryOf(task, status, now));
    const cast = { environment: '::"Environment"', changes: '::jsonb', createdAt: '::timestamp' };
    const marks = rows.map(
      (_, row) =>
        `(${COLUMNS.map((column, at) => `$${row * COLUMNS.length + at + 1}${cast[column] ?? ''}`).join(',')})`,
    );
    await client.query(`INSERT INTO "AuditEvent" (${named}) VALUES ${marks.join(',')}`, values);
    await client.query('COMMIT');
  },
};

const { tasks } = await send('{ tasks(first: 1000) { nodes { id } } }');
const ids = tasks.nodes.map(({ id }) => id);
const CHANGE = 'mutation ($input: UpdateTasksInput!) { updateTasks(input: $input) { count } }';
const STATUSES = ['BACKLOG', 'TRIAGE', 'TODO', 'IN_PROGRESS', 'IN_REVIEW', 'DONE', 'CANCELED'];
const times = { taskgate: [], sql: [] };
for (let round = 0; round < ROUNDS + 3; round += 1) {
  let began = performance.now();
  const { updateTasks } = await send(CHANGE, { input: { ids, status: STATUSES[round % 7] } });
  const taskgate = performance.now() - began;
  if (updateTasks.count !== TASKS) throw new Error(`changed ${updateTasks.count}`);
  began = performance.now();
  await bySql[isPostgresql ? 'postgresql' : 'sqlite'](ids, (round + 3) % 7);
  const sql = performance.now() - began;
  // The first ones warm up.
  if (round < 3) continue;
  times.taskgate.push(taskgate);
  times.sql.push(sql);
}
const ratios = times.taskgate.map((time, index) => time / times.sql[index]);
console.log(`${TASKS} tasks, ${ROUNDS} rounds in turn, ${isPostgresql ? 'PostgreSQL' : 'SQLite'}, medians:`);
console.log(`  updateTasks over HTTP  ${median(times.taskgate).toFixed(1)} ms`);
console.log(`  hand-written SQL       ${median(times.sql).toFixed(1)} ms`);
const [least, most] = [Math.min(...ratios), Math.max(...ratios)];
console.log(`  ratio                  ${median(ratios).toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)})`);
await client?.end();
process.exit(0);
