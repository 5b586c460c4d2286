/** Reads of a SQLite file that may take long are done beside the thread that answers, and end in time. */
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { BoundedReads } from '../src/db/boundedReads.js';
import { ReadThreads } from '../src/db/readThreads.js';
import { sqliteFile } from '../src/db/sqlite.js';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;

/** Many tasks, by SQL. */
function fill({ config, workspace }: TestServer, count: number): void {
  const database = new Sqlite(sqliteFile(config.databaseUrl));
  database
    .prepare(
      `INSERT INTO "Task" ("id", "workspaceId", "environment", "number", "title", "description", "createdAt", "updatedAt")
       WITH RECURSIVE "n" ("i") AS (SELECT 1 UNION ALL SELECT "i" + 1 FROM "n" WHERE "i" < ?)
       SELECT printf('%08d-0000-7000-8000-000000000000', "i"), ?, 'LIVE', 1000 + "i", 'Task ' || "i", ?, "i", "i" FROM "n"`,
    )
    .run(count, workspace.id, 'words '.repeat(100));
  database.close();
}

beforeAll(async () => {
  server = await startTestServer({ DATABASE_STATEMENT_TIMEOUT: '100' });
  fill(server, 60_000);
});
afterAll(() => server.stop());

/** Goes through every row several times, and finds none. */
const SCAN = `query { tasks(filter: { or: [${Array.from({ length: 40 }, (_, i) => `{ description: { contains: "none${i}" } }`).join()}] }) { nodes { id } } }`;

describe('a read that takes too long', () => {
  it('ends with 503, and so do all that come at once; the next one is answered', async () => {
    const all = await Promise.all(
      [SCAN, SCAN, SCAN].map((query) => server.post(JSON.stringify({ query }), server.adminKey)),
    );
    for (const response of all) {
      expect(response.status).toBe(503);
      expect((await response.json()).errors[0].extensions).toMatchObject({
        code: 'SERVICE_UNAVAILABLE',
        retryAfter: 1,
      });
    }
    const { data } = await server.gql(
      '{ tasks(first: 1, filter: { title: { contains: "TASK 59" } }) { nodes { title } } }',
    );
    expect(data.tasks.nodes).toHaveLength(1);
  });

  it('is in nobody else’s way', async () => {
    const patient = await startTestServer();
    fill(patient, 60_000);
    const { key } = await patient.createKey(['tasks:read']);
    let isDone = false;
    const scans = Promise.all([1, 2, 3].map(() => patient.gql(SCAN))).then((answers) => {
      isDone = true;
      return answers;
    });
    for (const query of [
      '{ tasks(first: 3) { nodes { id } } }',
      '{ tasks(first: 1, filter: { number: { gte: 5000 } }) { nodes { number } } }',
    ]) {
      const { data, errors } = await patient.gql(query, {}, key);
      expect([errors, data.tasks.nodes.length > 0, isDone]).toEqual([undefined, true, false]);
    }
    expect((await fetch(`${patient.origin}/health/live`)).status).toBe(200);
    expect(isDone).toBe(false);
    for (const { data } of await scans) expect(data.tasks.nodes).toEqual([]);
    await patient.stop();
  });

  it('is not begun for who has left', async () => {
    const abort = new AbortController();
    const left = fetch(server.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${server.adminKey}` },
      body: JSON.stringify({ query: SCAN }),
      signal: abort.signal,
    });
    setTimeout(() => abort.abort(), 20);
    await expect(left).rejects.toThrow('abort');
    const { data } = await server.gql('{ tasks(first: 1, search: "task 99") { nodes { title } } }');
    expect(data.tasks.nodes).toHaveLength(1);
  });
});

describe('which reads are done at once', () => {
  let plain: TestServer;
  let projectId: string;
  let taskId: string;
  beforeAll(async () => {
    plain = await startTestServer();
    projectId = (await plain.gql('mutation { createProject(input: { name: "p" }) { project { id } } }')).data
      .createProject.project.id;
    taskId = (
      await plain.gql(
        'mutation ($id: ID) { createTask(input: { title: "t", tags: ["a"], projectId: $id }) { task { id } } }',
        { id: projectId },
      )
    ).data.createTask.task.id;
  });
  afterAll(() => plain.stop());
  const bounded = async (query: string, variables: object = {}) => {
    await plain.flushUsage();
    plain.queries.length = 0;
    const { errors } = await plain.gql(query, variables);
    expect(errors).toBeUndefined();
    const statements = plain.queries.filter((sql) => /^SELECT .*`(Task|Project|User|TaskTag|TaskCount)`/.test(sql));
    const database = new Sqlite(sqliteFile(plain.config.databaseUrl), { readonly: true });
    const reads = new BoundedReads(database);
    const found = statements.map((sql) => {
      const values = [...sql.matchAll(/\?/g)].map(() => 0);
      return reads.has(sql, /OFFSET \?$/.test(sql) ? [...values.slice(0, -2), 21, 0] : values);
    });
    database.close();
    expect(statements.length).toBeGreaterThan(0);
    return found.every(Boolean);
  };

  it('those that find what they answer by an index', async () => {
    for (const [query, variables] of [
      ['query ($id: ID!) { task(id: $id) { id project { id } } }', { id: taskId }],
      ['query ($id: ID!) { project(id: $id) { id tasks(first: 5) { nodes { id } } } }', { id: projectId }],
      ['{ tasks(first: 5) { nodes { id project { id } assignee { id } } totalCount } }', {}],
      ['{ tasks(first: 5, filter: { status: { eq: TODO } }) { nodes { id } } }', {}],
      ['query ($id: ID) { tasks(first: 5, filter: { projectId: { eq: $id } }) { nodes { id } } }', { id: projectId }],
      ['query ($id: ID) { tasks(first: 5, filter: { assigneeId: { eq: $id } }) { nodes { id } } }', { id: projectId }],
    ] as const) {
      expect([query, await bounded(query, variables)]).toEqual([query, true]);
    }
    await plain.gql('mutation { createTask(input: { title: "t" }) { task { id } } }');
    const { pageInfo } = (await plain.gql('{ tasks(first: 5) { pageInfo { endCursor } } }')).data.tasks;
    const after = 'query ($after: String) { tasks(first: 5, after: $after) { nodes { id } } }';
    expect(await bounded(after, { after: pageInfo.endCursor })).toBe(true);
  });

  it('on the connection that the server has', async () => {
    const spies = [vi.spyOn(ReadThreads.prototype, 'query'), vi.spyOn(ReadThreads.prototype, 'rows')];
    const reads = () => spies.reduce((sum, { mock }) => sum + mock.calls.length, 0);
    try {
      for (const id of [taskId, 'none']) await plain.gql('query ($id: ID!) { task(id: $id) { id } }', { id });
      await plain.gql('{ tasks(first: 5) { nodes { id project { id name } } } viewer { apiKey { id } } }');
      expect(reads()).toBe(0);
      await plain.gql('{ tasks(search: "7") { nodes { id } } }');
      expect(reads()).toBe(1);
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  });

  it('tasks that are meant by their numbers, unless their texts are compared', () => {
    const database = new Sqlite(sqliteFile(plain.config.databaseUrl), { readonly: true });
    const reads = new BoundedReads(database);
    const list = (condition: string) =>
      `SELECT \`id\` FROM \`Task\` INDEXED BY \`Task_workspaceId_environment_number_key\` WHERE ${condition}\`number\` IN (?,?)
        AND \`workspaceId\` = ? AND \`environment\` = ? ORDER BY \`createdAt\` DESC, \`id\` DESC LIMIT 21`;
    expect(reads.has(list(''), [1, 2, 'w', 'LIVE'])).toBe(true);
    expect(reads.has(list('`title` LIKE ? AND '), ['%a%', 1, 2, 'w', 'LIVE'])).toBe(false);
    database.close();
  });

  it('and no others', async () => {
    for (const query of [
      '{ tasks(first: 1, filter: { title: { contains: "7" } }) { nodes { id } } }',
      '{ tasks(first: 1, search: "7") { nodes { id } } }',
      '{ tasks(first: 1, filter: { title: { eq: "Task 7" } }) { nodes { id } } }',
      '{ tasks(first: 1, filter: { status: { neq: TODO } }) { nodes { id } } }',
      '{ tasks(first: 1, filter: { dueDate: { neq: null } }) { nodes { id } } }',
      '{ tasks(first: 1, filter: { or: [{ number: { eq: 1 } }, { number: { eq: 2 } }] }) { nodes { id } } }',
      '{ tasks(first: 1, orderBy: [{ field: TITLE, direction: ASC }]) { nodes { id } } }',
      '{ tasks(first: 1, filter: { status: { eq: TODO } }) { totalCount } }',
    ]) {
      expect([query, await bounded(query)]).toEqual([query, false]);
    }
  });
});
