// npm run bench:board: what a board asks for, of a project with a thousand tasks, where those are all that there are and where
// they are a thousand of a million (MANY), in turn in one run. ROUNDS may be set; SMALL_URL and LARGE_URL: empty PostgreSQL
// databases in place of two SQLite files.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Sqlite from 'better-sqlite3';
import pg from 'pg';
import { seed, start } from './fixture.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 31);
const MANY = Number(process.env.MANY ?? 1_000_000);
const PER_PROJECT = 1000;
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-bench-'));
const sides = [];
for (const [name, count, given] of [
  ['small', PER_PROJECT, process.env.SMALL_URL],
  ['large', MANY, process.env.LARGE_URL],
]) {
  const url = given ?? `file:${path.join(folder, `${name}.db`)}`;
  const { key } = await seed(url);
  const ids = await fill(url, count);
  const server = await start('taskgate.mjs', url.replace(/^file:/, ''));
  process.stderr.write(`${name}: ${count} tasks\n`);
  sides.push({ name, key, server, ...ids });
}
process.on('exit', () => {
  for (const { server } of sides) server.process.kill();
  rmSync(folder, { recursive: true });
});

/** Projects of a thousand tasks each in seven states; of each thousand, a hundred have a common label, and ten a rare one. */
async function fill(url, count) {
  const isPostgresql = url.startsWith('postgres');
  const client = isPostgresql ? new pg.Client(url) : undefined;
  await client?.connect();
  const sqlite = isPostgresql ? undefined : new Sqlite(url.replace(/^file:/, ''));
  const run = async (sql) => (isPostgresql ? client.query(sql) : sqlite.exec(sql));
  const one = async (sql) => (isPostgresql ? (await client.query(sql)).rows[0] : sqlite.prepare(sql).get());
  const { id: workspaceId } = await one('SELECT "id" FROM "Workspace"');
  const env = isPostgresql ? `'LIVE'::"Environment"` : `'LIVE'`;
  // The last one is made now.
  const first = Date.now() - count * 1000;
  const time = (n) =>
    isPostgresql
      ? `TIMESTAMP '${new Date(first).toISOString().replace('Z', '')}' + ${n} * INTERVAL '1 second'`
      : `${first} + ${n} * 1000`;
  const numbers = (from, to) =>
    isPostgresql
      ? `generate_series(${from}, ${to - 1}) AS "n"("i")`
      : `(WITH RECURSIVE "n"("i") AS (SELECT ${from} UNION ALL SELECT "i" + 1 FROM "n" WHERE "i" + 1 < ${to}) SELECT "i" FROM "n") AS "n"`;
  const text = (n) => (isPostgresql ? `(${n})::text` : `CAST(${n} AS TEXT)`);
  const projects = count / PER_PROJECT;
  const tenant = `'${workspaceId}', ${env}`;
  await run(`INSERT INTO "Project" ("id", "workspaceId", "environment", "name", "createdAt", "updatedAt")
    SELECT 'p' || ${text('"i"')}, ${tenant}, 'Board', ${time('"i"')}, ${time('"i"')} FROM ${numbers(0, projects)}`);
  await run(`INSERT INTO "State" ("id", "workspaceId", "environment", "projectId", "name", "slug", "order", "category", "createdAt", "updatedAt")
    SELECT 's' || ${text('"i"')}, ${tenant}, 'p' || ${text('"i" / 7')}, 'State', 'state-' || ${text('"i" % 7')}, "i" % 7, "i" % 7, ${time('"i"')}, ${time('"i"')}
    FROM ${numbers(0, projects * 7)}`);
  for (const [id, name] of [
    ['l0', 'common'],
    ['l1', 'rare'],
    ['l2', 'single'],
  ]) {
    await run(`INSERT INTO "Label" ("id", "workspaceId", "environment", "name", "key", "color", "createdAt", "updatedAt")
      VALUES ('${id}', ${tenant}, '${name}', '${name}', '#000000', ${time(0)}, ${time(0)})`);
  }
  const step = 50_000;
  for (let from = 0; from < count; from += step) {
    const of = numbers(from, Math.min(count, from + step));
    // Projects are mixed in time, as they are where many people work.
    const project = `"i" % ${projects}`;
    await run(`INSERT INTO "Task" ("id", "workspaceId", "environment", "number", "title", "description", "status", "stateId", "projectId", "position", "createdAt", "updatedAt")
      SELECT 't' || ${text('"i"')}, ${tenant}, "i" + 1, 'Task of number ' || ${text('"i"')}, 'Something that somebody has to do', ("i" / ${projects}) % 7,
        's' || ${text(`(${project}) * 7 + ("i" / ${projects}) % 7`)}, 'p' || ${text(project)}, "i", ${time('"i"')}, ${time('"i"')} FROM ${of}`);
    await run(`INSERT INTO "TaskTag" ("workspaceId", "environment", "taskId", "labelId", "name", "key")
      SELECT ${tenant}, 't' || ${text('"i"')}, 'l0', 'common', 'common' FROM ${of} WHERE ("i" / ${projects}) % 10 = 0`);
    await run(`INSERT INTO "TaskTag" ("workspaceId", "environment", "taskId", "labelId", "name", "key")
      SELECT ${tenant}, 't' || ${text('"i"')}, 'l1', 'rare', 'rare' FROM ${of} WHERE ("i" / ${projects}) % 100 = 1`);
    process.stderr.write(`\r${from + step}`);
  }
  process.stderr.write('\r');
  await run(`INSERT INTO "TaskTag" ("workspaceId", "environment", "taskId", "labelId", "name", "key")
    SELECT ${tenant}, 't' || ${text('"i" * 7')}, 'l2', 'single', 'single' FROM ${numbers(0, 50)}`);
  await run(`UPDATE "Task" SET "description" = 'A unicorn' WHERE "id" = 't77'`);
  // As the database does by itself in time.
  await run('ANALYZE');
  await client?.end();
  sqlite?.close();
  return { project: 'p0', state: 's3' };
}

const TASK = 'id number title status priority tags position state { slug } assigneeId';
const QUESTIONS = {
  'board page': [
    'query ($p: ID!) { project(id: $p) { tasks(first: 50, orderBy: [{ field: POSITION }]) { nodes { T } pageInfo { endCursor } } } }',
    'p',
  ],
  'column page': [
    'query ($s: ID!) { state(id: $s) { tasks(first: 50, orderBy: [{ field: POSITION }]) { nodes { T } } } }',
    's',
  ],
  'labels of a board': [
    'query ($p: ID!) { project(id: $p) { tasks(first: 50, orderBy: [{ field: POSITION }]) { nodes { id labels(first: 5) { nodes { name color } } } } } }',
    'p',
  ],
  'counts of a project': [
    'query ($p: ID!) { taskCounts(groupBy: [STATE], filter: { projectId: { eq: $p } }) { counts { id count } } }',
    'p',
  ],
  'label on many, in a project': [
    'query ($p: ID!) { tasks(first: 20, filter: { tags: { contains: "common" }, projectId: { eq: $p } }) { nodes { T } } }',
    'p',
  ],
  'label on many': ['{ tasks(first: 20, filter: { tags: { contains: "common" } }) { nodes { T } } }'],
  'label on one in a hundred': ['{ tasks(first: 20, filter: { tags: { contains: "rare" } }) { nodes { T } } }'],
  'label on 50': ['{ tasks(first: 20, filter: { tags: { contains: "single" } }) { nodes { T } } }'],
  'search in a project': [
    'query ($p: ID!) { tasks(first: 20, search: "number somebody", filter: { projectId: { eq: $p } }) { nodes { T } } }',
    'p',
  ],
  'search, found often': ['{ tasks(first: 20, search: "number somebody") { nodes { T } } }'],
  'search, found in some': ['{ tasks(first: 20, search: "number 777") { nodes { T } } }'],
  'search, found once': ['{ tasks(first: 20, search: "number unicorn") { nodes { T } } }'],
  'ranked, found often': ['{ searchTasks(first: 20, search: "number somebody") { edges { score node { T } } } }'],
  'ranked, found in some': ['{ searchTasks(first: 20, search: "number 777") { edges { score node { T } } } }'],
  'ranked, found once': ['{ searchTasks(first: 20, search: "number unicorn") { edges { score node { T } } } }'],
  'search, found never': ['{ tasks(first: 20, search: "nowhere") { nodes { T } } }'],
};

async function ask({ server, key, project, state }, [query, needs]) {
  const variables = needs === 'p' ? { p: project } : needs === 's' ? { s: state } : {};
  const began = performance.now();
  const response = await fetch(`http://127.0.0.1:${server.port}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    // Never the same twice: nothing is remembered.
    body: JSON.stringify({ query: `${query.replace('{ T }', `{ ${TASK} }`)} # ${began}`, variables }),
  });
  const { errors } = await response.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return performance.now() - began;
}

for (const [name, question] of Object.entries(QUESTIONS)) {
  const times = { small: [], large: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const side of round % 2 ? sides : [...sides].reverse()) {
      times[side.name].push(await ask(side, question));
      if (times.large[0] > 1000 && round > 3) round = ROUNDS;
    }
  }
  const ratios = times.large.slice(1).map((time, index) => time / (times.small[index + 1] ?? time));
  const [small, large] = [median(times.small.slice(1)), median(times.large.slice(1))];
  console.log(
    `${name.padEnd(28)} ${small.toFixed(1).padStart(8)} ms ${large.toFixed(1).padStart(9)} ms   ${median(ratios).toFixed(2)} x`,
  );
}
process.exit();
