/** Searches of many tasks on PostgreSQL: the newest that have a word are looked for among recent ones first. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorkspace } from './support/factories.js';
import { startTestServer, type TestServer } from './support/server.js';

/** In twelve days: at every hour some of the last days have enough of them, and not more than half of all. */
const MANY = 60_000;
const SECONDS = (12 * 86_400) / MANY;
/** Words, and how many tasks have one of each. */
const WORDS = { alpha: 3, quokka: 110, narwhal: 3000 } as const;
type Word = keyof typeof WORDS;

describe.runIf(process.env['TEST_POSTGRES_TEMPLATE'])('a search of many tasks on PostgreSQL', () => {
  let server: TestServer;
  let otherKey: string;
  let projectId: string;

  beforeAll(async () => {
    server = await startTestServer();
    otherKey = (await createWorkspace(server)).live.key;
    await server.system.task.deleteMany();
    const workspaces = await server.system.workspace.findMany({ orderBy: { createdAt: 'asc' } });
    projectId = (await server.gql('mutation { createProject(input: { name: "P" }) { project { id } } }')).data
      .createProject.project.id;
    const title = Object.entries(WORDS)
      .map(([word, of]) => `CASE WHEN "i" % ${of} = 0 THEN '${word} ' ELSE '' END`)
      .join(' || ');
    for (const { id } of workspaces) {
      const ofFirst = id === workspaces[0]?.id;
      await server.system.$executeRawUnsafe(
        `INSERT INTO "Task" ("id", "workspaceId", "environment", "number", "title", "projectId", "createdAt", "updatedAt")
         SELECT $1 || '-' || lpad("i"::text, 6, '0'), $1, 'LIVE', "i" + 1, 'Number ' || ${title} || "i",
           CASE WHEN $2 AND "i" % 2 = 0 THEN $3 END,
           now() AT TIME ZONE 'UTC' - (${MANY} - "i") * ${SECONDS} * INTERVAL '1 second', now() AT TIME ZONE 'UTC'
         FROM generate_series(0, ${MANY - 1}) AS "n"("i")`,
        ...[id, ofFirst, projectId],
      );
      await server.system.taskCounter.upsert({
        where: { workspaceId_environment: { workspaceId: id, environment: 'LIVE' } },
        create: { workspaceId: id, environment: 'LIVE', lastNumber: MANY },
        update: { lastNumber: MANY },
      });
    }
    await server.system.$executeRawUnsafe('ANALYZE "Task"');
  }, 120_000);
  afterAll(() => server?.stop());

  /** The numbers of the newest that have a word, from comparing all. */
  const newest = (word: Word, count: number, has: (index: number) => boolean = () => true) =>
    Array.from({ length: MANY }, (_, index) => MANY - 1 - index)
      .filter((index) => index % WORDS[word] === 0 && has(index))
      .slice(0, count)
      .map((index) => index + 1);
  const numbersOf = (nodes: readonly { number: number }[]) => nodes.map(({ number }) => number);
  const list = async (word: string, first: number, more = '', key?: string) => {
    server.queries.length = 0;
    const text = `{ tasks(first: ${first}, search: "number ${word}"${more}) { pageInfo { hasNextPage endCursor } nodes { number } } }`;
    const { data, errors } = await server.gql(text, {}, key);
    expect(errors).toBeUndefined();
    return { numbers: numbersOf(data.tasks.nodes), ...data.tasks.pageInfo };
  };
  const recentReads = () =>
    server.queries.filter((sql) => sql.includes("::date - DATE '2000-01-01')::text) = ANY")).length;
  const reads = () => server.queries.filter((sql) => sql.includes('ILIKE')).length;

  it('finds the newest of a word in some among recent ones, by one statement', async () => {
    for (let time = 0; time < 2; time += 1) {
      expect(await list('QUOKKA', 20)).toMatchObject({ numbers: newest('quokka', 20), hasNextPage: true });
      expect([recentReads(), reads()]).toEqual([1, 1]);
    }
    expect(await list('alpha', 100)).toMatchObject({ numbers: newest('alpha', 100), hasNextPage: true });
    expect([recentReads(), reads()]).toEqual([1, 1]);
  });

  it('finds all of a rare one, and remembers that it is rare', async () => {
    expect(await list('narwhal', 50)).toMatchObject({ numbers: newest('narwhal', 50), hasNextPage: false });
    expect([recentReads(), reads()]).toEqual([1, 2]);
    expect(await list('narwhal', 50)).toMatchObject({ numbers: newest('narwhal', 50), hasNextPage: false });
    expect([recentReads(), reads()]).toEqual([0, 1]);
    expect((await list('nowhere', 5)).numbers).toEqual([]);
  });

  it('goes on where a page ended, and takes filters and other orders', async () => {
    const { endCursor } = await list('quokka', 20);
    expect((await list('quokka', 20, `, after: "${endCursor}"`)).numbers).toEqual(newest('quokka', 40).slice(20));
    const ofProject = await list('quokka', 20, `, filter: { not: { projectId: { eq: null } } }`);
    expect(ofProject.numbers).toEqual(newest('quokka', 20, (index) => index % 2 === 0));
    const oldest = await list('quokka', 3, ', orderBy: [{ field: CREATED_AT, direction: ASC }]');
    expect(oldest.numbers).toEqual([1, 111, 221]);
    const { data } = await server.gql('{ tasks(first: 1, search: "quokka") { totalCount nodes { number } } }');
    expect(data.tasks).toEqual({
      totalCount: newest('quokka', MANY).length,
      nodes: [{ number: newest('quokka', 1)[0] }],
    });
    // Of two letters, which no index has.
    expect((await list('na', 5)).numbers).toEqual(newest('narwhal', 5));
    expect(recentReads()).toBe(0);
  });

  it('ranks the newest 500', async () => {
    const ranked = async () => {
      server.queries.length = 0;
      const text = '{ searchTasks(first: 1000, search: "number alpha") { totalCount nodes { number } } }';
      const { data, errors } = await server.gql(text);
      expect(errors).toBeUndefined();
      expect(data.searchTasks.totalCount).toBe(500);
      return numbersOf(data.searchTasks.nodes).sort((one, other) => other - one);
    };
    expect(await ranked()).toEqual(newest('alpha', 500));
    expect(recentReads()).toBe(1);
  });

  it('sees what is made, changed and deleted at once, and nothing of another workspace', async () => {
    const create = 'mutation { createTask(input: { title: "Number quokka" }) { task { id number } } }';
    const { task } = (await server.gql(create)).data.createTask;
    expect((await list('quokka', 3)).numbers).toEqual([task.number, ...newest('quokka', 2)]);
    expect((await list('quokka', 3, '', otherKey)).numbers).toEqual(newest('quokka', 3));
    await server.gql('mutation ($id: ID!) { updateTask(input: { id: $id, title: "Number" }) { task { id } } }', task);
    expect((await list('quokka', 3)).numbers).toEqual(newest('quokka', 3));
    // Made later than its number says.
    await server.system.$executeRawUnsafe(
      `UPDATE "Task" SET "createdAt" = now() AT TIME ZONE 'UTC' + INTERVAL '1 hour' WHERE "number" = 1`,
    );
    expect((await list('quokka', 3)).numbers).toEqual([1, ...newest('quokka', 2)]);
  });

  it('shows a key that is bound to a project the tasks of that project alone', async () => {
    const { data } = await server.gql(
      'mutation ($p: [ID!]) { createApiKey(input: { name: "Bound", scopes: ["tasks:read"], projects: $p }) { key } }',
      { p: [projectId] },
    );
    const found = await list('alpha', 20, '', data.createApiKey.key);
    // The first is the newest now; see above.
    expect(found.numbers).toEqual([1, ...newest('alpha', 19, (index) => index % 2 === 0)]);
    expect(recentReads()).toBe(1);
  });

  it('is an index of the days and the words', async () => {
    const explained = await server.system.$transaction(async (tx) => {
      await tx.$executeRawUnsafe('SET LOCAL enable_seqscan = off');
      return tx.$queryRawUnsafe<Record<string, string>[]>(
        `EXPLAIN SELECT "id" FROM "Task" WHERE "Task"."title" ILIKE '%alpha%'
         AND ("Task"."workspaceId" || ' ' || ("Task"."createdAt"::date - DATE '2000-01-01')::text) = ANY('{a}'::text[])`,
      );
    });
    const plan = explained.map((row) => Object.values(row)[0]).join('\n');
    expect(plan).toMatch(/Index Scan on "Task_recent_text_idx"\s.*\n\s*Index Cond: \(\(.*= ANY .*\) AND \(title ~~\* /);
  });
});
