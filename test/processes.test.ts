/** Several processes over one PostgreSQL and one Redis, all of the test's own: what they agree on, and what they survive. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../src/db/database.js';
import { UnitOfWork } from '../src/db/unitOfWork.js';
import { ApiKeyService } from '../src/keys/apiKeyService.js';
import { generateKey } from '../src/keys/format.js';
import { Plans } from '../src/keys/plans.js';
import { hasPostgresPrograms, startPostgres } from './support/ownPostgresql.js';
import { createDatabase } from './support/postgresql.js';
import { killServers, type ServerProcess, serve } from './support/process.js';
import { hasRedis, startRedis } from './support/redis.js';
import type { GraphQLAnswer } from './support/server.js';

const adminKey = generateKey('LIVE');

interface Answer extends GraphQLAnswer {
  readonly status: number;
  readonly retryAfter: string | null;
}

async function ask(server: { url: string }, query: string, key = adminKey, variables: object = {}): Promise<Answer> {
  const response = await fetch(`${server.url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const body = (await response.json()) as GraphQLAnswer;
  return { status: response.status, retryAfter: response.headers.get('retry-after'), ...body };
}

const CREATE = 'mutation ($title: String!) { createTask(input: { title: $title }) { task { id } } }';
/** Writes on, one after another, until told to stop; remembers what was acknowledged and what was refused. */
function writer(server: { url: string }, name: string) {
  const acknowledged: string[] = [];
  const refused: Answer[] = [];
  const broken: unknown[] = [];
  let longest = 0;
  let stopped = false;
  const done = (async () => {
    for (let i = 0; !stopped; i += 1) {
      const title = `${name} ${i}`;
      const started = performance.now();
      try {
        const answer = await ask(server, CREATE, adminKey, { title });
        if (answer.status === 200 && !answer.errors) acknowledged.push(title);
        else refused.push(answer);
      } catch (error) {
        broken.push(error);
        await pause(20);
      }
      longest = Math.max(longest, performance.now() - started);
    }
  })();
  return {
    acknowledged,
    refused,
    broken,
    longest: () => longest,
    async stop() {
      stopped = true;
      await done;
    },
  };
}

async function query<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

const titlesIn = async (url: string) =>
  new Set((await query<{ title: string }>(url, 'SELECT title FROM "Task"')).map(({ title }) => title));

async function until(condition: () => Promise<boolean>, limit: number): Promise<number> {
  const started = performance.now();
  while (!(await condition().catch(() => false))) {
    if (performance.now() - started > limit) throw new Error(`not within ${limit} ms`);
    await pause(10);
  }
  return performance.now() - started;
}

describe.skipIf(!hasPostgresPrograms || !hasRedis)('three processes over one PostgreSQL and one Redis', () => {
  let database: Awaited<ReturnType<typeof startPostgres>>;
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let values: Record<string, string>;
  let servers: ServerProcess[];
  let here: Database;
  /** A key as the command line makes one: the mutation has a limit of its own. */
  const mint = async () => {
    const workspace = await here.system.workspace.findFirstOrThrow();
    const actor = {
      ...{ workspaceId: workspace.id, environment: 'LIVE' as const, keyId: null, userId: null },
      ...{ ip: null, userAgent: null, requestId: null },
    };
    const keys = new ApiKeyService(new UnitOfWork(here, () => {}), new Plans());
    const minted = await keys.create(actor, 'operator', { name: 'k', scopes: ['tasks:read'] });
    return { key: minted.key, id: minted.apiKey.id };
  };
  beforeAll(async () => {
    database = await startPostgres();
    redis = await startRedis();
    values = {
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      TASKGATE_BOOTSTRAP_KEY: adminKey,
      DEFAULT_PLAN: 'enterprise',
      AUTH_FAILURE_LIMIT: '1000000',
      DATABASE_POOL_SIZE: '5',
      LOG_LEVEL: 'error',
    };
    servers = await Promise.all([serve(values), serve(values), serve(values)]);
    here = await openDatabase({ provider: 'postgresql', databaseUrl: database.url, poolSize: 1 });
  }, 120_000);
  afterAll(async () => {
    killServers();
    await here?.close();
    await redis?.kill();
    await database?.stop();
  });

  it('ten more, started at once on an empty database, migrate it once and are all healthy', async () => {
    const fresh = await createDatabase(database.url);
    const { TASKGATE_BOOTSTRAP_KEY: _, ...others } = values;
    const ten = await Promise.all(
      Array.from({ length: 10 }, () => serve({ ...others, DATABASE_URL: fresh.url, DATABASE_POOL_SIZE: '2' })),
    );
    for (const one of ten) await until(async () => (await fetch(`${one.url}/health/ready`)).ok, 5000);
    const printed = ten.filter((one) => /sk_live_/.test(one.output()));
    expect(printed).toHaveLength(1);
    const key = /sk_live_[0-9A-Za-z]{49}/.exec(printed[0]?.output() ?? '')?.[0];
    for (const one of ten)
      expect((await ask(one, '{ viewer { scopes } }', key)).data.viewer.scopes).toEqual(['admin:*']);
    const rows = await query<{ times: number }>(
      fresh.url,
      'SELECT migration_name, count(*)::int AS times FROM _prisma_migrations GROUP BY 1',
    );
    expect(rows.length).toBeGreaterThan(1);
    expect(rows.every(({ times }) => times === 1)).toBe(true);
    for (const one of ten) one.child.kill('SIGTERM');
    expect(await Promise.all(ten.map(({ exited }) => exited))).toEqual(Array(10).fill(0));
    await fresh.drop();
  }, 120_000);

  it('a key revoked on one is refused on the others within a second', async () => {
    const [a, b, c] = servers as [ServerProcess, ServerProcess, ServerProcess];
    const times: number[] = [];
    for (let i = 0; i < 100; i += 1) {
      const { key, id } = await mint();
      const viewer = (server: ServerProcess) => ask(server, '{ viewer { environment } }', key);
      expect([(await viewer(b)).status, (await viewer(c)).status]).toEqual([200, 200]);
      const revoked = await ask(
        a,
        'mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { apiKey { status } } }',
        adminKey,
        { id },
      );
      expect(revoked.data.revokeApiKey.apiKey.status).toBe('REVOKED');
      expect((await viewer(a)).status).toBe(401);
      for (const server of [b, c]) times.push(await until(async () => (await viewer(server)).status === 401, 5000));
    }
    times.sort((x, y) => x - y);
    const p99 = times[Math.floor(times.length * 0.99)] ?? 0;
    process.stderr.write(
      `revocation on another process: median ${times[100]?.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms\n`,
    );
    expect(times).toHaveLength(200);
    expect(p99).toBeLessThan(1000);
  }, 120_000);

  it('limits are exact across all of them', async () => {
    const [a] = servers as [ServerProcess];
    const { key, id } = await mint();
    await ask(
      a,
      'mutation ($id: ID!) { updateApiKey(input: { id: $id, rateLimit: { perMinute: 90, perHour: 1000 } }) { apiKey { id } } }',
      adminKey,
      { id },
    );
    await pause(1000);
    const statuses = await Promise.all(
      servers.flatMap((server) =>
        Array.from({ length: 60 }, async () => (await ask(server, '{ viewer { environment } }', key)).status),
      ),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(90);
    expect(statuses.filter((status) => status === 429)).toHaveLength(90);
  });

  it('a subscription on one sees the task that another made', async () => {
    const [a, , c] = servers as [ServerProcess, ServerProcess, ServerProcess];
    const stop = new AbortController();
    const stream = await fetch(`${c.url}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ query: 'subscription { taskChanged { action task { title } } }' }),
      signal: stop.signal,
    });
    const reader = stream.body?.getReader();
    let text = '';
    const heard = (async () => {
      while (!text.includes('Told across')) {
        const { value, done } = (await reader?.read()) ?? { done: true };
        if (done) return;
        text += new TextDecoder().decode(value);
      }
    })();
    await pause(300);
    await ask(a, CREATE, adminKey, { title: 'Told across' });
    await Promise.race([heard, pause(5000)]);
    stop.abort();
    expect(text).toContain('"action":"CREATED"');
    expect(text).toContain('Told across');
  });

  it('one killed with -9 under load: nothing acknowledged is lost, clients of the others are unharmed', async () => {
    const [a, b, c] = servers as [ServerProcess, ServerProcess, ServerProcess];
    const writers = [writer(a, 'on A'), writer(b, 'on B'), writer(c, 'on C')];
    await pause(1000);
    b.child.kill('SIGKILL');
    await pause(1000);
    for (const one of writers) await one.stop();
    const there = await titlesIn(database.url);
    for (const { acknowledged } of writers) {
      expect(acknowledged.length).toBeGreaterThan(5);
      expect(acknowledged.filter((title) => !there.has(title))).toEqual([]);
    }
    for (const one of [writers[0], writers[2]]) expect([one?.refused, one?.broken]).toEqual([[], []]);
    servers[1] = await serve(values);
  }, 60_000);

  it('Redis restarted under load: no failure at all', async () => {
    const writers = servers.map((server, index) => writer(server, `redis ${index}`));
    await pause(500);
    await redis.kill();
    await pause(1500);
    await redis.start();
    await pause(1500);
    for (const one of writers) {
      await one.stop();
      expect([one.refused, one.broken]).toEqual([[], []]);
    }
  }, 60_000);

  it.each(['SIGINT', 'SIGKILL'] as const)(
    'PostgreSQL restarted under load (%s): 503 with Retry-After, no hanging, back within 5 s, nothing lost',
    async (signal) => {
      const writers = servers.map((server, index) => writer(server, `${signal} ${index}`));
      await pause(700);
      await database.end(signal);
      await pause(1500);
      for (const server of servers) expect((await fetch(`${server.url}/health/ready`)).status).toBe(503);
      const rest = await fetch(`${servers[0]?.url}/api/tasks`, { headers: { 'x-api-key': adminKey } });
      expect([rest.status, rest.headers.get('retry-after')]).toEqual([503, '1']);
      await database.start();
      const back = await Promise.all(
        servers.map((server) =>
          until(async () => (await ask(server, '{ tasks { totalCount } }')).status === 200, 10_000),
        ),
      );
      process.stderr.write(`back ${back.map((ms) => ms.toFixed(0)).join(', ')} ms after PostgreSQL (${signal})\n`);
      for (const ms of back) expect(ms).toBeLessThan(5000);
      await pause(500);
      for (const one of writers) await one.stop();
      const there = await titlesIn(database.url);
      for (const { acknowledged, refused, broken, longest } of writers) {
        expect(acknowledged.filter((title) => !there.has(title))).toEqual([]);
        expect(acknowledged.length).toBeGreaterThan(5);
        expect(broken).toEqual([]);
        expect(refused.length).toBeGreaterThan(0);
        for (const { status, retryAfter, errors } of refused) {
          // It was made, and could not be read again: nobody should be told to make it once more.
          const isMade = errors?.[0]?.path?.join('.') === 'createTask.task';
          expect([status, retryAfter], JSON.stringify(errors)).toEqual(isMade ? [200, null] : [503, '1']);
        }
        expect(longest()).toBeLessThan(6000);
      }
    },
    60_000,
  );
});

describe('two workers of one command, on SQLite', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'taskgate-workers-'));
    return () => rmSync(folder, { recursive: true });
  });
  const start = () =>
    serve({
      DATABASE_URL: `file:${folder}/data.db`,
      TASKGATE_BOOTSTRAP_KEY: adminKey,
      WEB_CONCURRENCY: '2',
      DEFAULT_PLAN: 'enterprise',
      LOG_LEVEL: 'error',
    });

  it('count together what a key may do, what a field may be asked, and how often an address guesses', async () => {
    const server = await start();
    const many = (times: number, query: string, key: string) =>
      Promise.all(Array.from({ length: times }, () => ask(server, query, key)));
    const outcomes = (answers: readonly Answer[]) => {
      const counts: Record<string, number> = {};
      for (const { status, errors } of answers) {
        const outcome = `${status} ${errors?.[0]?.extensions['code'] ?? 'OK'}`;
        counts[outcome] = (counts[outcome] ?? 0) + 1;
      }
      return counts;
    };
    const limits = 'rateLimit: { perMinute: 70, perHour: 1000 }';
    const minted = await many(
      20,
      `mutation { createApiKey(input: { name: "k", scopes: [], ${limits} }) { key } }`,
      adminKey,
    );
    expect(outcomes(minted)).toEqual({ '200 OK': 10, '200 RATE_LIMITED': 10 });
    const key = minted.find(({ errors }) => !errors)?.data.createApiKey.key ?? '';
    const query = '{ viewer { environment } }';
    expect(outcomes(await many(150, query, key))).toEqual({ '200 OK': 70, '429 RATE_LIMITED': 80 });
    const failures = await many(40, query, generateKey('LIVE'));
    expect(outcomes(failures)).toEqual({ '401 UNAUTHENTICATED': 20, '429 RATE_LIMITED': 20 });
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
  }, 60_000);

  it('a primary process that was stopped is ended, and its workers with it, so that nobody waits for ever', async () => {
    const server = await start();
    expect((await ask(server, '{ viewer { environment } }')).status).toBe(200);
    server.child.kill('SIGSTOP');
    await server.exited;
    await until(
      () =>
        fetch(`${server.url}/health/live`).then(
          () => false,
          () => true,
        ),
      5000,
    );
  });

  it('a worker that hangs is ended and replaced', async () => {
    const server = await start();
    // Both have asked the primary by then.
    await pause(2500);
    const [worker] = execFileSync('pgrep', ['-P', String(server.child.pid)])
      .toString()
      .split('\n');
    process.kill(Number(worker), 'SIGSTOP');
    await until(
      async () => /Worker \d+ does not answer; ending it\.\n[\s\S]*starting another/.test(server.output()),
      30_000,
    );
    await until(async () => (await ask(server, '{ viewer { environment } }')).status === 200, 5000);
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
  }, 60_000);

  it("agree on revocations and hear of each other's tasks; one that dies is replaced", async () => {
    const server = await start();
    // Each connection may go to either worker: enough of them go to both.
    const all = <T>(run: () => Promise<T>) => Promise.all(Array.from({ length: 20 }, run));
    const made = await ask(server, 'mutation { createApiKey(input: { name: "k", scopes: [] }) { key apiKey { id } } }');
    const { key, apiKey } = made.data.createApiKey;
    const status = async () => (await ask(server, '{ viewer { environment } }', key)).status;
    expect(new Set(await all(status))).toEqual(new Set([200]));
    await ask(server, 'mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { apiKey { id } } }', adminKey, {
      id: apiKey.id,
    });
    await pause(1000);
    expect(new Set(await all(status))).toEqual(new Set([401]));

    const stop = new AbortController();
    const heard = await all(async () => {
      const stream = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${adminKey}`,
          'content-type': 'application/json',
          accept: 'text/event-stream',
        },
        body: JSON.stringify({ query: 'subscription { taskChanged { task { title } } }' }),
        signal: stop.signal,
      });
      const reader = stream.body?.getReader();
      return { text: '', reader };
    });
    await pause(500);
    await ask(server, CREATE, adminKey, { title: 'For both' });
    await Promise.all(
      heard.map(async (one) => {
        while (!one.text.includes('For both')) {
          const { value, done } = (await one.reader?.read()) ?? { done: true };
          if (done) throw new Error('the stream ended');
          one.text += new TextDecoder().decode(value);
        }
      }),
    );
    stop.abort();

    const [worker] = execFileSync('pgrep', ['-P', String(server.child.pid)])
      .toString()
      .split('\n');
    process.kill(Number(worker), 'SIGKILL');
    await until(async () => /Worker \d+ ended/.test(server.output()), 5000);
    await until(async () => (await ask(server, '{ tasks { totalCount } }')).data.tasks.totalCount === 1, 5000);
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
  }, 60_000);
});
