// node:http and the driver with nothing in between: what the machine and the database cost.
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import Database from 'better-sqlite3';
import pg from 'pg';
import { hashOf, isPostgresql, keyOf, statusName } from './shared.mjs';

// With 'anew' the key is looked up for each request, so that one that is revoked is refused.
const [url, keys] = process.argv.slice(2);
const isPg = isPostgresql(url);
const TASK =
  'SELECT t."id", t."title", t."status", p."id" AS "projectId", p."name" AS "projectName" FROM "Task" t LEFT JOIN "Project" p ON p."id" = t."projectId"';
const TEXTS = {
  key: 'SELECT "workspaceId", "environment" FROM "ApiKey" WHERE "hash" = $1 AND "revokedAt" IS NULL',
  list: `${TASK} WHERE t."workspaceId" = $1 AND t."environment" = $2 ORDER BY t."createdAt" DESC, t."id" DESC LIMIT 20`,
  byId: `${TASK} WHERE t."id" = $1 AND t."workspaceId" = $2 AND t."environment" = $3`,
  number: `UPDATE "TaskCounter" SET "lastNumber" = "lastNumber" + 1 WHERE "workspaceId" = $1 AND "environment" = $2 RETURNING "lastNumber"`,
  create: `INSERT INTO "Task" ("id", "workspaceId", "environment", "number", "title", "createdAt", "updatedAt") VALUES ($1, $2, $3, $4, $5, $6, $7)`,
};
const OF_PROJECT = `SELECT t."id", t."title", u."id" AS "userId", u."name" AS "userName" FROM "Task" t LEFT JOIN "User" u ON u."id" = t."assigneeId"`;
const NEWEST = 'ORDER BY t."createdAt" DESC, t."id" DESC LIMIT 10';
const PROJECTS = `SELECT p."id", p."name" FROM "Project" p WHERE p."workspaceId" = $1 AND p."environment" = $2 ORDER BY p."createdAt" DESC, p."id" DESC LIMIT 20`;
// What is quickest on each: a statement for each project where there is no network, one for all where there is.
if (isPg) {
  TEXTS.nested = `SELECT p."id" AS "projectId", p."name" AS "projectName", t.* FROM (${PROJECTS.replace('p."name"', 'p."name", p."createdAt"')}) p LEFT JOIN LATERAL (${OF_PROJECT} WHERE t."workspaceId" = $1 AND t."environment" = $2 AND t."projectId" = p."id" ${NEWEST}) t ON true ORDER BY p."createdAt" DESC, p."id" DESC`;
} else {
  TEXTS.projects = PROJECTS;
  TEXTS.ofProject = `${OF_PROJECT} WHERE t."workspaceId" = $1 AND t."environment" = $2 AND t."projectId" = $3 ${NEWEST}`;
}
const query = isPg ? onPostgresql() : onSqlite();
const known = new Map();

function onSqlite() {
  const db = new Database(url.replace('file:', ''));
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;');
  const statements = Object.fromEntries(
    Object.entries(TEXTS).map(([name, sql]) => [name, db.prepare(sql.replace(/\$\d/g, '?'))]),
  );
  const run = (name, values) => (name === 'create' ? [statements[name].run(values)] : statements[name].all(values));
  return Object.assign(run, { transaction: (work) => db.transaction(work)() });
}

function onPostgresql() {
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  const on = (client) => async (name, values) => (await client.query({ name, text: TEXTS[name], values })).rows;
  return Object.assign(on(pool), {
    async transaction(work) {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        const result = await work(on(client));
        await client.query('COMMIT');
        return result;
      } finally {
        client.release();
      }
    },
  });
}

const shown = (task) =>
  task && {
    id: task.id,
    title: task.title,
    status: statusName(task.status),
    project: task.projectId === null ? null : { id: task.projectId, name: task.projectName },
  };

const shownInProject = ({ id, title, userId, userName }) => ({
  id,
  title,
  assignee: userId === null ? null : { id: userId, name: userName },
});

async function nested(workspaceId, environment) {
  if (!isPg) {
    const projects = query('projects', [workspaceId, environment]);
    return projects.map(({ id, name }) => ({
      id,
      name,
      tasks: { nodes: query('ofProject', [workspaceId, environment, id]).map(shownInProject) },
    }));
  }
  const projects = new Map();
  for (const row of await query('nested', [workspaceId, environment])) {
    const { projectId: id, projectName: name } = row;
    if (!projects.has(id)) projects.set(id, { id, name, tasks: { nodes: [] } });
    if (row.id !== null) projects.get(id).tasks.nodes.push(shownInProject(row));
  }
  return [...projects.values()];
}

async function answer(tenant, text, variables) {
  const { workspaceId, environment } = tenant;
  if (text.includes('projects')) return { projects: { nodes: await nested(workspaceId, environment) } };
  if (text.includes('createTask')) {
    const id = randomUUID();
    const now = isPg ? new Date() : Date.now();
    const values = (number) => [id, workspaceId, environment, number, 'Bench', now, now];
    if (isPg) {
      await query.transaction(async (run) => {
        const [{ lastNumber }] = await run('number', [workspaceId, environment]);
        await run('create', values(lastNumber));
      });
    } else {
      query.transaction(() => query('create', values(query('number', [workspaceId, environment])[0].lastNumber)));
    }
    return { createTask: { task: { id, title: 'Bench', status: 'TODO' } } };
  }
  if (variables?.id) return { task: shown((await query('byId', [variables.id, workspaceId, environment]))[0]) };
  return { tasks: { nodes: (await query('list', [workspaceId, environment])).map(shown) } };
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', async () => {
    const { query: text, variables } = JSON.parse(Buffer.concat(chunks).toString());
    const hash = hashOf(keyOf(request.headers));
    if (keys === 'anew' || !known.has(hash)) known.set(hash, (await query('key', [hash]))[0]);
    const tenant = known.get(hash);
    response.setHeader('Content-Type', 'application/json');
    if (!tenant) {
      known.delete(hash);
      response.statusCode = 401;
      response.end('{"errors":[{"message":"no"}]}');
      return;
    }
    response.end(JSON.stringify({ data: await answer(tenant, text, variables) }));
  });
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
