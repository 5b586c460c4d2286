/** What a workspace with many tasks is asked for begins in an index, and sorts nothing. */
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  const tasks = Array.from({ length: 300 }, (_, index) => ({ title: `Task ${index}`, tags: [`t${index % 3}`] }));
  for (let from = 0; from < tasks.length; from += 100) {
    const { errors } = await server.gql(
      'mutation ($tasks: [NewTask!]!) { createTasks(input: { tasks: $tasks }) { count } }',
      { tasks: tasks.slice(from, from + 100) },
    );
    expect(errors).toBeUndefined();
  }
  await server.gql('mutation { createTask(input: { title: "A unicorn" }) { task { id } } }');
  await server.system.$executeRawUnsafe('ANALYZE');
});
afterAll(() => server?.stop());

const isSqlite = !process.env['TEST_POSTGRES_TEMPLATE'];

/** The statements that an operation runs, each with what the database makes of it. */
async function plansOf(query: string): Promise<{ sql: string; plan: string }[]> {
  server.queries.length = 0;
  const { errors } = await server.gql(query);
  expect(errors).toBeUndefined();
  const ofTasks = server.queries.filter((sql) => /"TaskText"|"CommentText"|`Task`|"Task"/.test(sql));
  const database = new Sqlite(server.config.databaseUrl.replace(/^file:/, ''), { readonly: true });
  const plans = ofTasks.map((sql) => {
    const values = Array.from(sql.matchAll(/\?/g), () => '1');
    const rows = database.prepare<string[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all(...values);
    return { sql, plan: rows.map(({ detail }) => detail).join('\n') };
  });
  database.close();
  return plans;
}

describe.runIf(isSqlite)('on SQLite', () => {
  it('tasks with a label are a range of an index, in the order of the list, and so is a page of them', async () => {
    const first = await server.gql(
      '{ tasks(first: 2, filter: { tags: { contains: "t1" } }) { pageInfo { endCursor } } }',
    );
    const after = first.data.tasks.pageInfo.endCursor;
    for (const page of ['', `, after: "${after}"`]) {
      const [list, ...others] = await plansOf(
        `{ tasks(first: 2, filter: { tags: { contains: "t1" }, status: { eq: TODO } }${page}) { nodes { title } } }`,
      );
      expect(others).toEqual([]);
      expect(list?.plan).toMatch(
        /SEARCH tagged USING (COVERING )?INDEX TaskTag_\w+ \(workspaceId=\? AND environment=\? AND key=\?/,
      );
      expect(list?.plan).toMatch(/SEARCH Task USING INDEX sqlite_autoindex_Task_1 \(id=\?\)/);
      expect(list?.plan).not.toMatch(/SCAN|TEMP B-TREE/);
      if (page) expect(list?.plan).toContain('taskCreatedAt<?');
    }
  });

  it('what belongs to a task is found by its own index, whatever has been counted', async () => {
    server.queries.length = 0;
    const { errors } = await server.gql(
      '{ tasks(first: 2) { nodes { children { totalCount } comments(first: 1) { nodes { id } } timeEntries(first: 1) { nodes { id } } } } }',
    );
    expect(errors).toBeUndefined();
    for (const index of ['Task_parentId', 'Comment_taskId', 'TimeEntry_taskId']) {
      expect(server.queries.join('\n')).toContain(`INDEXED BY \`${index}_createdAt_id_idx\``);
    }
  });

  it('tasks with rare words are found by their numbers, which the index of texts has', async () => {
    const [index, list] = await plansOf('{ tasks(first: 5, search: "unicorn") { nodes { title } } }');
    expect(index?.plan).toMatch(/SCAN TaskText VIRTUAL TABLE/);
    expect(list?.plan).toMatch(/SEARCH Task USING INDEX Task_workspaceId_environment_number_key/);
    const ranked = await plansOf('{ searchTasks(search: "unicorn") { edges { score node { id } } } }');
    expect(ranked.filter(({ plan }) => /VIRTUAL TABLE/.test(plan))).toHaveLength(2);
  });
});

describe.runIf(!isSqlite)('on PostgreSQL', () => {
  const explain = async (sql: string) =>
    server.system.$transaction(async (tx) => {
      // Of so few rows none would be used.
      await tx.$executeRawUnsafe('SET LOCAL enable_seqscan = off');
      const rows = await tx.$queryRawUnsafe<Record<string, string>[]>(`EXPLAIN ${sql}`);
      return rows.map((row) => Object.values(row)[0]).join('\n');
    });

  it('texts that contain a word are found by their trigrams', async () => {
    expect(
      await explain(`SELECT "id" FROM "Task" WHERE "title" ILIKE '%unicorn%' OR "description" ILIKE '%unicorn%'`),
    ).toContain('Task_recent_text_idx');
    expect(await explain(`SELECT "id" FROM "Comment" WHERE "body" ILIKE '%unicorn%'`)).toContain('Comment_text_idx');
  });

  it('tasks with a label are read from the labels, and the rare word is found', async () => {
    server.queries.length = 0;
    const { data } = await server.gql(
      '{ tasks(first: 2, filter: { tags: { contains: "t1" } }) { nodes { title } } rare: tasks(search: "unicorn") { nodes { title } } }',
    );
    expect(data.tasks.nodes).toEqual([{ title: 'Task 298' }, { title: 'Task 295' }]);
    expect(data.rare.nodes).toEqual([{ title: 'A unicorn' }]);
    expect(server.queries.join('\n')).toContain('FROM "TaskTag" AS "tagged" CROSS JOIN "Task"');
  });

  it('what the tasks of a page refer to is looked up for these alone', async () => {
    server.queries.length = 0;
    const { data } = await server.gql('{ tasks(first: 4, search: "Task 29") { nodes { title project { name } } } }');
    expect(data.tasks.nodes).toHaveLength(4);
    expect(server.queries.join('\n')).toMatch(
      /FROM \(SELECT "Task"\.\*.* ILIKE .* LIMIT .*\) AS "Task" LEFT JOIN "Project"/,
    );
  });
});
