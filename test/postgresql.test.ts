/** What only PostgreSQL has: statements that are cancelled, and a replica. */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serverActor } from '../src/audit/entry.js';
import { migrateDatabase, openDatabase } from '../src/db/database.js';
import { databaseError } from '../src/db/databaseError.js';
import { statementNames } from '../src/db/postgresql.js';
import { createDatabase, postgresql } from './support/postgresql.js';
import { run } from './support/process.js';
import { startTestServer } from './support/server.js';
import { silentProxy } from './support/silentProxy.js';
import { until } from './support/stream.js';

const server = await postgresql();

describe.skipIf(!server)('a statement that takes too long', () => {
  it('is cancelled in the database, and the caller is told to try again', async () => {
    const own = await createDatabase(server ?? '');
    const api = await startTestServer({ DATABASE_URL: own.url, DATABASE_STATEMENT_TIMEOUT: '500' });
    const { id } = (await api.gql('mutation { createTask(input: { title: "Held" }) { task { id } } }')).data.createTask
      .task;
    const holder = new pg.Client({ connectionString: own.url });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT * FROM "Task" FOR UPDATE');
    const response = await api.post(
      JSON.stringify({ query: `mutation { updateTask(input: { id: "${id}", title: "Late" }) { task { id } } }` }),
      api.adminKey,
    );
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
    const { rows } = await holder.query(
      "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'UPDATE%'",
    );
    expect(rows).toEqual([]);
    await holder.query('COMMIT');
    await holder.end();
    expect(
      (await api.gql(`mutation { updateTask(input: { id: "${id}", title: "Now" }) { task { title } } }`)).data
        .updateTask.task.title,
    ).toBe('Now');
    await api.stop();

    const short = await openDatabase({ provider: 'postgresql', databaseUrl: own.url, statementTimeout: 200 });
    const error = await short.system.$queryRaw`SELECT pg_sleep(5)`.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(databaseError(error)?.code).toBe('SERVICE_UNAVAILABLE');
    await short.close();
    await own.drop();
  });
});

describe.skipIf(!server)('a database of which nothing more is heard', () => {
  it('is told by the probe while the statements still wait', async () => {
    const own = await createDatabase(server ?? '');
    const proxy = await silentProxy(new URL(own.url));
    const api = await startTestServer({
      DATABASE_URL: own.url.replace(/:\d+\//, `:${proxy.port}/`),
      DATABASE_STATEMENT_TIMEOUT: '1000',
    });
    const ready = async () => (await fetch(`${api.origin}/health/ready`)).status;
    expect(await ready()).toBe(200);
    proxy.silence(true);
    const held = api.gql('{ tasks { nodes { id } } }').then(() => 'given up');
    expect(await Promise.race([held, ready()])).toBe(503);
    await held;
    await api.stop();
    await proxy.close();
    await own.drop();
  });

  it('ends the transactions of a process that vanished', async () => {
    const own = await createDatabase(server ?? '');
    const database = await openDatabase({ provider: 'postgresql', databaseUrl: own.url });
    const rows = await database.system.$queryRaw`SHOW idle_in_transaction_session_timeout`;
    expect(rows).toEqual([{ idle_in_transaction_session_timeout: '30s' }]);
    await database.close();
    await own.drop();
  });
});

describe.skipIf(!server)('a database that may not be written', () => {
  it('is told with 503 and by the probe, and read all the same, until it may', async () => {
    const own = await createDatabase(server ?? '');
    const api = await startTestServer({ DATABASE_URL: own.url });
    const operator = new pg.Client({ connectionString: server ?? '' });
    await operator.connect();
    const name = new URL(own.url).pathname.slice(1);
    const mayWrite = async (isOn: boolean) => {
      await operator.query(`ALTER DATABASE "${name}" SET default_transaction_read_only = ${isOn ? 'off' : 'on'}`);
      await operator.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
    };
    const write = async () =>
      (
        await api.post(
          JSON.stringify({ query: 'mutation { createTask(input: { title: "t" }) { task { id } } }' }),
          api.adminKey,
        )
      ).status;
    const ready = async () => (await fetch(`${api.origin}/health/ready`)).status;
    expect([await write(), await ready()]).toEqual([200, 200]);
    await mayWrite(false);
    await until(async () => (await write()) === 503 && (await ready()) === 503);
    expect((await api.gql('{ tasks { totalCount } }')).errors).toBeUndefined();
    await mayWrite(true);
    await until(async () => (await ready()) === 200);
    expect(await write()).toBe(200);
    await operator.end();
    await api.stop();
    await own.drop();
  });

  it('the disk that is full, memory that is out, and the device that fails say the same', () => {
    for (const originalCode of ['53100', '53200', '58030', '25006', 'SQLITE_FULL', 'SQLITE_IOERR_WRITE']) {
      const error = { meta: { driverAdapterError: { cause: { originalCode } } } };
      expect(databaseError(error)?.details['retryAfter'], originalCode).toBe(10);
    }
    expect(databaseError({ code: '42601' })).toBeUndefined();
  });
});

describe.skipIf(!server)('a message that nobody of ours sent', () => {
  it('is heard by nobody', async () => {
    const own = await createDatabase(server ?? '');
    const api = await startTestServer({ DATABASE_URL: own.url });
    const stranger = new pg.Client({ connectionString: own.url });
    await stranger.connect();
    const forged = [
      ...[
        '',
        'x',
        'null',
        '5',
        '{"topic":"task"}',
        '{"from":"x","messages":[{"topic":"task","data":{"of":"error","event":5}}]}',
      ],
      '{"from":"x","messages":[{"topic":"task","data":{"of":"tasks of LIVE:x","event":{"action":"CREATED","taskId":"x","projectId":null}}}]}',
    ];
    for (const text of forged) await stranger.query('SELECT pg_notify($1, $2)', ['taskgate', text]);
    await stranger.end();
    expect((await api.gql('{ viewer { environment } }')).data.viewer.environment).toBe('LIVE');
    await api.stop();
    await own.drop();
  });
});

describe.skipIf(!server)('a replica', () => {
  let primary: Awaited<ReturnType<typeof createDatabase>>;
  let replica: Awaited<ReturnType<typeof createDatabase>>;
  beforeAll(async () => {
    primary = await createDatabase(server ?? '');
    replica = await createDatabase(server ?? '');
    // It follows so late here that it has no rows at all.
    await migrateDatabase({ provider: 'postgresql', databaseUrl: replica.url });
  });
  afterAll(async () => {
    await primary.drop();
    await replica.drop();
  });

  it('answers queries; a mutation sees what it wrote, and keys are asked of the first', async () => {
    const api = await startTestServer({ DATABASE_URL: primary.url, DATABASE_REPLICA_URL: replica.url });
    const made = await api.gql('mutation { createTask(input: { title: "Mine" }) { task { id title } } }');
    expect(made.data.createTask.task.title).toBe('Mine');
    expect((await api.gql('{ tasks { nodes { id } } }')).data.tasks.nodes).toEqual([]);
    const rename = `mutation { updateTask(input: { id: "${made.data.createTask.task.id}", title: "Yours" }) { task { title } } }`;
    expect((await api.gql(rename)).data.updateTask.task.title).toBe('Yours');
    // The key of this request is in the first database only.
    const { key } = await api.createKey(['tasks:read']);
    expect((await api.gql('{ viewer { environment } }', {}, key)).data.viewer.environment).toBe('LIVE');
    await replica.drop();
    expect((await api.gql('{ tasks { nodes { title } } }')).data.tasks.nodes).toEqual([{ title: 'Yours' }]);
    await api.stop();
  });

  it('that refuses a statement is not helped out by the first, which would do it all over again', async () => {
    const [first, second] = [await createDatabase(server ?? ''), await createDatabase(server ?? '')];
    await migrateDatabase({ provider: 'postgresql', databaseUrl: second.url });
    const api = await startTestServer({ DATABASE_URL: first.url, DATABASE_REPLICA_URL: second.url });
    await api.gql('mutation { createTask(input: { title: "Mine" }) { task { id } } }');
    const client = new pg.Client({ connectionString: second.url });
    await client.connect();
    await client.query('ALTER TABLE "Task" RENAME TO "Away"');
    const { data, errors } = await api.gql('{ tasks { nodes { title } } }');
    expect([data.tasks, errors?.length]).toEqual([null, 1]);
    await client.query('ALTER TABLE "Away" RENAME TO "Task"');
    // A connection that is lost is another matter.
    expect((await api.gql('{ tasks { nodes { title } } }')).data.tasks.nodes).toEqual([]);
    await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
    expect((await api.gql('{ tasks { nodes { title } } }')).errors).toBeUndefined();
    await client.end();
    await api.stop();
    await first.drop();
    await second.drop();
  });
});

describe.skipIf(!server)('tasks made at once', () => {
  it('do not wait for one that is not committed yet', async () => {
    const own = await createDatabase(server ?? '');
    const api = await startTestServer({ DATABASE_URL: own.url, DATABASE_POOL_SIZE: '2' });
    const create = () => api.gql('mutation { createTask(input: { title: "At once" }) { task { number } } }');
    expect((await create()).data.createTask.task.number).toBe(1);
    const holder = new pg.Client({ connectionString: own.url });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query(
      `INSERT INTO "Task" (id, "workspaceId", environment, number, title, status, priority, position, "updatedAt")
       SELECT 'held', "workspaceId", environment, 1000, 'Held', 0, 0, 0, now() FROM "Task"`,
    );
    expect((await create()).data.createTask.task.number).toBe(2);
    // Until it is remembered; what it adds is seen when it is committed.
    for (let times = 0; times < 4; times += 1) {
      expect((await api.gql('{ tasks { totalCount } }')).data.tasks.totalCount).toBe(2);
    }
    await holder.query('COMMIT');
    expect((await api.gql('{ tasks { totalCount } }')).data.tasks.totalCount).toBe(3);
    await holder.query('TRUNCATE "Task" CASCADE');
    expect((await api.gql('{ tasks { totalCount } }')).data.tasks.totalCount).toBe(0);
    await holder.end();
    await api.stop();
    await own.drop();
  });
});

describe.skipIf(!server)('plans of statements that come often', () => {
  const prepared = async (url: string) => {
    const { system, close } = await openDatabase({ provider: 'postgresql', databaseUrl: url, poolSize: 1 });
    for (let i = 0; i < 5; i += 1) await system.workspace.findFirst({ where: { slug: `${i}` } });
    const [row] = await system.$queryRaw<{ kept: number }[]>`SELECT count(*)::int AS kept FROM pg_prepared_statements`;
    await close();
    return row?.kept;
  };

  it('are kept by each connection, unless a pooler is said to be between', async () => {
    const own = await createDatabase(server ?? '');
    await migrateDatabase({ provider: 'postgresql', databaseUrl: own.url });
    expect(await prepared(own.url)).toBe(1);
    expect(await prepared(`${own.url}?pgbouncer=true`)).toBe(0);
    await own.drop();
  });

  it('are so many at most, whatever is asked', () => {
    const nameOf = statementNames();
    const names = Array.from({ length: 1000 }, (_, i) => [1, 2, 3, 4].map(() => nameOf({ sql: `SELECT ${i}` })).at(-1));
    expect(new Set(names.filter((name) => name !== '')).size).toBe(200);
    expect([names[0], names[199], names[200]]).toEqual(['taskgate_0', 'taskgate_199', '']);
  });

  it('are none that look for words: what is the best way to find them depends on the words', () => {
    const nameOf = statementNames();
    const sql = 'SELECT "id" FROM "Task" WHERE "Task"."title" ILIKE $1';
    expect([1, 2, 3, 4, 5].map(() => nameOf({ sql }))).toEqual(['', '', '', '', '']);
  });
});

describe.skipIf(!server)('a start that cannot be', () => {
  it.each([
    ['of a database that is not there', { pathname: '/not_there' }, /no such database/],
    ['of a user that is not there', { username: 'not_there' }, /refuses the user or the password/],
  ])('says %s what is to be done', async (_of, parts, expected) => {
    const url = Object.assign(new URL(server ?? ''), parts).href;
    const { code, stderr } = await run(['serve'], { DATABASE_URL: url });
    expect(code).toBe(1);
    expect(stderr.trim()).toMatch(expected);
  });
});

describe.skipIf(!server)('two changes that wait for each other', () => {
  it('are both made: the one that the database ends is done again', async () => {
    const own = await createDatabase(server ?? '');
    const api = await startTestServer({ DATABASE_URL: own.url });
    try {
      const create = 'mutation { createTask(input: { title: "Locked" }) { task { id } } }';
      const one: string = (await api.gql(create)).data.createTask.task.id;
      const other: string = (await api.gql(create)).data.createTask.task.id;
      const actor = serverActor({ workspaceId: api.workspace.id, environment: 'LIVE' }, 'test');
      let attempts = 0;
      let holds = 0;
      const change = (ids: readonly [string, string], estimate: number) =>
        api.services.units.run(actor, async (unit) => {
          attempts += 1;
          await unit.lock('Task', ids[0]);
          holds += 1;
          await until(async () => holds >= 2);
          await unit.lock('Task', ids[1]);
          for (const id of ids)
            await unit.tx.task.update({ where: { id }, data: { estimate: { increment: estimate } } });
        });
      const set = 'mutation ($id: ID!) { updateTask(input: { id: $id, estimate: 0 }) { task { id } } }';
      for (const id of [one, other]) await api.gql(set, { id });
      await Promise.all([change([one, other], 1), change([other, one], 10)]);
      expect(attempts).toBe(3);
      const { data } = await api.gql('{ tasks { nodes { estimate } } }');
      expect(data.tasks.nodes).toEqual([{ estimate: 11 }, { estimate: 11 }]);
    } finally {
      await api.stop();
      await own.drop();
    }
  });
});
