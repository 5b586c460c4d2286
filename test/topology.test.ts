/** The deployment of deploy/compose.scaled.yaml as processes: three servers, PostgreSQL, Redis, and nginx before them. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { generateKey } from '../src/keys/format.js';
import { hasNginx, startNginx } from './support/nginx.js';
import { hasPostgresPrograms, startPostgres } from './support/ownPostgresql.js';
import { freePort } from './support/port.js';
import { killServers, type ServerProcess, serve } from './support/process.js';
import { hasRedis, startRedis } from './support/redis.js';

const adminKey = generateKey('LIVE');
const agent = new Agent({ keepAlive: true, rejectUnauthorized: false, maxSockets: 20 });

interface Answer {
  readonly status: number;
  readonly text: string;
}

describe.skipIf(!hasNginx || !hasPostgresPrograms || !hasRedis)('the scaled deployment', () => {
  let database: Awaited<ReturnType<typeof startPostgres>>;
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let proxy: Awaited<ReturnType<typeof startNginx>>;
  let servers: ServerProcess[];
  let start: (index: number) => Promise<ServerProcess>;

  beforeAll(async () => {
    database = await startPostgres();
    redis = await startRedis();
    const compose = parse(readFileSync('deploy/compose.scaled.yaml', 'utf8'));
    const ports = await Promise.all([freePort(), freePort(), freePort()]);
    const values = {
      ...compose.services.taskgate.environment,
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      TRUST_PROXY: '127.0.0.1',
      TASKGATE_BOOTSTRAP_KEY: adminKey,
      DEFAULT_PLAN: 'enterprise',
      LOG_LEVEL: 'error',
    };
    start = (index) => serve({ ...values, PORT: String(ports[index]) });
    servers = await Promise.all(ports.map((_port, index) => start(index)));
    proxy = await startNginx('deploy/nginx.conf', ports);
  }, 120_000);
  afterAll(async () => {
    agent.destroy();
    await proxy?.stop();
    killServers();
    await redis?.kill();
    await database?.stop();
  });

  /** @param onText called with what has arrived so far; an answer that goes on is ended by its answering true */
  const call = (
    path: string,
    body: object | undefined,
    headers: Record<string, string> = {},
    onText: (text: string) => boolean = () => false,
  ) =>
    new Promise<Answer>((resolve, reject) => {
      const options = {
        agent,
        method: body ? 'POST' : 'GET',
        headers: { 'x-api-key': adminKey, 'content-type': 'application/json', ...headers },
      };
      const sent = request(`${proxy.url}${path}`, options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
          if (!onText(text)) return;
          resolve({ status: response.statusCode ?? 0, text });
          sent.destroy();
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      });
      sent.on('error', reject);
      sent.end(body && JSON.stringify(body));
    });
  const ask = (query: string, headers?: Record<string, string>) => call('/graphql', { query }, headers);
  const create = (title: string, headers?: Record<string, string>) =>
    ask(`mutation { createTask(input: { title: "${title}" }) { task { id } } }`, headers);

  /** Four clients that write without a pause until told to stop. */
  function load(name: string) {
    const acknowledged: string[] = [];
    const failed: string[] = [];
    let stopped = false;
    const clients = Promise.all(
      [1, 2, 3, 4].map(async (client) => {
        for (let i = 0; !stopped; i += 1) {
          const title = `${name} ${client} ${i}`;
          const answer = await create(title).catch((error) => ({ status: 0, text: String(error) }));
          if (answer.status === 200 && !answer.text.includes('"errors"')) acknowledged.push(title);
          else failed.push(`${answer.status} ${answer.text.slice(0, 200)}`);
        }
      }),
    );
    const stop = async () => {
      stopped = true;
      await clients;
      const client = new pg.Client({ connectionString: database.url });
      await client.connect();
      const { rows } = await client.query<{ title: string }>('SELECT title FROM "Task"');
      await client.end();
      const there = new Set(rows.map(({ title }) => title));
      return { acknowledged, failed, lost: acknowledged.filter((title) => !there.has(title)) };
    };
    return { stop };
  }

  it('answers over TLS alone, in GraphQL and by the REST routes, and keeps its measures to itself', async () => {
    const [{ url }] = servers as [ServerProcess];
    expect((await fetch(`${url}/api/tasks`, { headers: { 'x-api-key': adminKey } })).status).toBe(403);
    expect(await ask('{ viewer { environment } }')).toMatchObject({ status: 200 });
    expect(await call('/api/tasks', undefined)).toMatchObject({ status: 200 });
    expect(await call('/health/ready', undefined)).toMatchObject({ status: 200 });
    expect((await call('/metrics', undefined)).status).toBe(404);
    expect((await fetch(`${url}/metrics`)).status).toBe(403);
  });

  it('takes the address of a client from the proxy, whatever the client says', async () => {
    expect((await create('From somewhere', { 'x-forwarded-for': '203.0.113.9' })).status).toBe(200);
    const { text } = await ask('{ auditLog(first: 1, filter: { action: { eq: "task.create" } }) { nodes { ip } } }');
    expect(JSON.parse(text).data.auditLog.nodes).toEqual([{ ip: '127.0.0.1' }]);
  });

  it('streams what happens, whoever made it happen', async () => {
    const query = 'subscription { taskChanged { action task { title } } }';
    const stream = call('/graphql', { query }, { accept: 'text/event-stream' }, (text) => text.includes('Streamed'));
    await pause(500);
    for (let i = 0; i < 3; i += 1) await create(`Streamed ${i}`);
    expect((await stream).text).toContain('"action":"CREATED"');
  });

  it('restarted one after another under load, fails no request', async () => {
    const clients = load('restarted');
    for (const [index, server] of servers.entries()) {
      await pause(500);
      server.child.kill('SIGTERM');
      expect(await server.exited).toBe(0);
      servers[index] = await start(index);
    }
    await pause(500);
    const { acknowledged, failed, lost } = await clients.stop();
    expect([failed, lost]).toEqual([[], []]);
    expect(acknowledged.length).toBeGreaterThan(20);
  }, 60_000);

  it('goes on when one is killed, and loses nothing that was acknowledged', async () => {
    const clients = load('killed');
    await pause(500);
    servers[1]?.child.kill('SIGKILL');
    await pause(1500);
    const { acknowledged, failed, lost } = await clients.stop();
    expect(lost).toEqual([]);
    expect(acknowledged.length).toBeGreaterThan(20);
    // What was being answered at that moment, at most one for each client; a write is not tried again behind their backs.
    expect(failed.length).toBeLessThanOrEqual(4);
    for (const answer of failed) expect(answer).toMatch(/^502/);
  }, 60_000);
});
