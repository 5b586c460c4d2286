/**
 * Answers that are remembered are those that would be read: random steps of several keys, workspaces and environments over two
 * processes that remember, each answer compared with that of a third which does not.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../src/db/database.js';
import { UnitOfWork } from '../src/db/unitOfWork.js';
import { ApiKeyService } from '../src/keys/apiKeyService.js';
import { generateKey } from '../src/keys/format.js';
import { Plans } from '../src/keys/plans.js';
import { createDatabase, serverUrl } from './support/postgresql.js';
import { killServers, type ServerProcess, serve } from './support/process.js';
import type { GraphQLAnswer } from './support/server.js';

const STEPS = Number(process.env['REMEMBER_STEPS'] ?? 1500);
/** Milliseconds after which the other process knows of a changed key. */
const TOLD = 600;

const template = process.env['TEST_POSTGRES_TEMPLATE'];

/** A database of its own. */
async function newDatabase(folder: string) {
  if (template === undefined) return { url: `file:${path.join(folder, 'test.db')}`, drop: async () => {} };
  return createDatabase(serverUrl(), template);
}

/** Writes by no server at all. */
async function openDirectly(
  url: string,
): Promise<{ rename(id: string, title: string): Promise<void>; close(): Promise<void> }> {
  if (template === undefined) {
    const sqlite = new Sqlite(url.replace('file:', ''), { timeout: 5000 });
    const rename = sqlite.prepare('UPDATE "Task" SET "title" = ? WHERE "id" = ?');
    return {
      rename: async (id, title) => void rename.run(title, id),
      close: async () => void sqlite.close(),
    };
  }
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return {
    rename: async (id, title) =>
      void (await client.query('UPDATE "Task" SET "title" = $1 WHERE "id" = $2', [title, id])),
    close: () => client.end(),
  };
}

describe('remembered answers', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-remembered-'));
  let stored: Awaited<ReturnType<typeof newDatabase>>;
  const adminKey = generateKey('LIVE');
  let servers: ServerProcess[];
  let reference: ServerProcess;
  /** One for each tenant, which may do everything there. */
  let writers: string[];

  beforeAll(async () => {
    stored = await newDatabase(folder);
    const databaseUrl = stored.url;
    const values = {
      DATABASE_URL: databaseUrl,
      DEFAULT_PLAN: 'enterprise',
      TASKGATE_BOOTSTRAP_KEY: adminKey,
      AUTH_FAILURE_LIMIT: '1000000',
    };
    const first = await serve(values);
    servers = [first, await serve(values)];
    reference = await serve({ ...values, RESPONSE_CACHE_MB: '0' });
    const database = await openDatabase({ provider: template === undefined ? 'sqlite' : 'postgresql', databaseUrl });
    const { system } = database;
    await system.workspace.updateMany({ data: { ratePerMinute: 10_000_000, ratePerHour: 10_000_000 } });
    const own = await system.workspace.findFirstOrThrow();
    const other = await system.workspace.create({
      data: { name: 'Other', slug: 'other', plan: 'enterprise', ratePerMinute: 10_000_000, ratePerHour: 10_000_000 },
    });
    const units = new UnitOfWork(database, () => {});
    const keys = new ApiKeyService(units, new Plans());
    const made = [own, other].flatMap(({ id: workspaceId }) =>
      (['LIVE', 'TEST'] as const).map(async (environment) => {
        const user = await system.user.create({
          data: { workspaceId, environment, email: `${workspaceId}${environment}@example.com`, name: 'Ada' },
        });
        const origin = { keyId: null, userId: user.id, ip: null, userAgent: null, requestId: null };
        const actor = { workspaceId, environment, ...origin };
        return (await keys.create(actor, 'operator', { name: 'w', scopes: ['admin:*'] })).key;
      }),
    );
    writers = await Promise.all(made);
    await database.close();
    for (const key of writers) {
      for (const name of ['One', 'Two']) {
        await ask(first, key, 'mutation ($n: String!) { createProject(input: { name: $n }) { project { id } } }', {
          n: name,
        });
      }
      for (let i = 0; i < 5; i += 1) {
        await ask(first, key, 'mutation { createTask(input: { title: "t", tags: ["a"] }) { task { id } } }');
      }
    }
  });
  afterAll(async () => {
    killServers();
    await stored.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function ask(server: ServerProcess, key: string, query: string, variables: object = {}) {
    const post = () =>
      fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { 'x-api-key': key, 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables }),
      });
    // On a busy machine a request may meet the close of a connection that was idle; it is then sent on another, once.
    const response = await post().catch((error: Error & { cause?: { code?: string } }) => {
      if (error.cause?.code !== 'UND_ERR_SOCKET') throw error;
      return post();
    });
    const { data, errors } = (await response.json()) as GraphQLAnswer;
    return { data, errors };
  }

  async function figure(server: ServerProcess, result: string): Promise<number> {
    const text = await (await fetch(`${server.url}/metrics`, { headers: { 'x-api-key': adminKey } })).text();
    return Number(new RegExp(`^taskgate_remembered_answers_total\\{result="${result}"\\} (\\d+)`, 'm').exec(text)?.[1]);
  }

  const READS = [
    '{ tasks(first: 5) { totalCount nodes { id title status tags project { id name } assignee { name } } } }',
    'query ($s: String) { tasks(first: 3, search: $s) { edges { cursor node { number updatedAt } } } }',
    '{ projects { nodes { id name tasks(first: 2) { nodes { title } } } } users { nodes { id name } } }',
    'query ($id: ID!) { task(id: $id) { id title tags project { name } createdBy { name } } }',
    '{ t: tasks(first: 2, orderBy: [{ field: UPDATED_AT, direction: DESC }]) { nodes { title } } __typename }',
    'query ($id: ID!) { task(id: $id) { comments { nodes { body } } labels { nodes { name color } } children { nodes { title } } } }',
    '{ tasks(first: 2) { nodes { labels(first: 2) { nodes { color createdBy { name } } } } } labels { nodes { color } } }',
  ];

  it('are never old, and never of another tenant', { timeout: 3_600_000 }, async () => {
    const seed = Number(process.env['REMEMBER_SEED'] ?? Date.now() % 1_000_000);
    process.stderr.write(`remembered: seed ${seed}, ${STEPS} steps\n`);
    const numbers = fc.sample(fc.infiniteStream(fc.nat(1_000_000)), { seed, numRuns: 1 })[0] as Iterator<number>;
    const below = (most: number) => (numbers.next().value as number) % most;
    const pick = <T>(items: readonly T[]): T => items[below(items.length)] as T;
    const narrow = await Promise.all(
      writers.map(async (key) => {
        const text =
          'mutation ($s: [String!]!) { createApiKey(input: { name: "n", scopes: $s }) { key apiKey { id } } }';
        const made = async (scopes: string[]) => (await ask(reference, key, text, { s: scopes })).data.createApiKey;
        return {
          all: (await made(['tasks:read', 'projects:read', 'users:read'])).key,
          few: (await made(['tasks:read'])).key,
          changing: await made(['tasks:read', 'projects:read']),
        };
      }),
    );
    /** Narrows or widens a key, or revokes it and takes another, and waits until all processes know. */
    const changeKey = async (tenant: number, server: ServerProcess) => {
      const held = narrow[tenant];
      const key = writers[tenant] ?? '';
      if (!held) return;
      const id = held.changing.apiKey.id;
      if (below(4) === 0) {
        const revoked = held.changing.key;
        const text = 'mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { revokedKeys } }';
        expect((await ask(server, key, text, { id })).errors).toBeUndefined();
        const query = pick(READS.filter((text) => !text.includes('$')));
        expect((await ask(server, revoked, query)).errors?.[0]?.extensions['code']).toBe('UNAUTHENTICATED');
        await pause(TOLD);
        for (const each of servers) {
          expect((await ask(each, revoked, query)).errors?.[0]?.extensions['code']).toBe('UNAUTHENTICATED');
        }
        const again =
          'mutation ($s: [String!]!) { createApiKey(input: { name: "n", scopes: $s }) { key apiKey { id } } }';
        const made = await ask(reference, key, again, { s: ['tasks:read', 'projects:read'] });
        expect(made.errors).toBeUndefined();
        held.changing = made.data.createApiKey;
      } else {
        const scopes = pick([
          ['tasks:read'],
          ['projects:read'],
          ['tasks:read', 'projects:read'],
          ['tasks:read', 'users:read'],
        ]);
        const text =
          'mutation ($id: ID!, $s: [String!]!) { updateApiKey(input: { id: $id, scopes: $s }) { apiKey { id } } }';
        expect((await ask(server, key, text, { id, s: scopes })).errors).toBeUndefined();
        await pause(TOLD);
      }
    };
    const idsOf = async (key: string) => {
      const { data } = await ask(
        reference,
        key,
        '{ tasks { nodes { id } } projects { nodes { id } } users { nodes { id } } }',
      );
      const ids = (rows: { nodes: { id: string }[] }) => rows.nodes.map(({ id }) => id);
      return { tasks: ids(data.tasks), projects: ids(data.projects), users: ids(data.users) };
    };
    let ids = await Promise.all(writers.map(idsOf));
    const directly = await openDirectly(stored.url);
    let compared = 0;
    for (let step = 0; step < STEPS; step += 1) {
      const tenant = below(writers.length);
      const own = ids[tenant];
      const key = writers[tenant] ?? '';
      const server = pick(servers);
      if (below(300) === 0) await changeKey(tenant, server);
      const kind = below(100);
      if (kind < 70) {
        const asked = pick([
          key,
          narrow[tenant]?.all ?? '',
          narrow[tenant]?.few ?? '',
          narrow[tenant]?.changing.key ?? '',
        ]);
        const query = pick(READS);
        // Rows of all tenants, so that what is remembered of one is asked for by another.
        const variables = query.includes('$id')
          ? { id: pick(pick(ids).tasks) ?? 'none' }
          : query.includes('$s')
            ? { s: pick(['t', '1', null]) }
            : {};
        const [expected, ...answers] = await Promise.all([
          ask(reference, asked, query, variables),
          ask(server, asked, query, variables),
        ]);
        // The third time at the latest it is remembered, unless it has errors.
        answers.push(await ask(server, asked, query, variables), await ask(server, asked, query, variables));
        for (const answer of answers) expect(answer, `step ${step}: ${query}`).toEqual(expected);
        compared += 1;
      } else if (kind < 76) {
        const made = await ask(
          server,
          key,
          'mutation ($t: String!) { createTask(input: { title: $t }) { task { id } } }',
          {
            t: `t ${step}`,
          },
        );
        own?.tasks.unshift(made.data.createTask.task.id);
      } else if (kind < 84 && own?.tasks.length) {
        const input = {
          id: pick(own.tasks),
          ...pick([{ title: `x ${step}` }, { tags: [`g${step % 7}`] }, { projectId: pick(own.projects) }]),
        };
        await ask(server, key, 'mutation ($input: UpdateTaskInput!) { updateTask(input: $input) { task { id } } }', {
          input,
        });
      } else if (kind < 88 && own && own.tasks.length > 3) {
        const id = own.tasks.pop();
        await ask(server, key, 'mutation ($id: ID!) { deleteTask(input: { id: $id }) { task { id } } }', { id });
      } else if (kind < 92) {
        const input = { id: pick(own?.projects ?? []), name: `p ${step}` };
        await ask(
          server,
          key,
          'mutation ($input: UpdateProjectInput!) { updateProject(input: $input) { project { id } } }',
          { input },
        );
      } else if (kind < 95) {
        const input = { id: pick(own?.users ?? []), name: `u ${step}` };
        await ask(server, key, 'mutation ($input: UpdateUserInput!) { updateUser(input: $input) { user { id } } }', {
          input,
        });
      } else if (kind < 97) {
        const input = { taskId: pick(own?.tasks ?? []), body: `c ${step}` };
        await ask(
          server,
          key,
          'mutation ($input: CreateCommentInput!) { createComment(input: $input) { comment { id } } }',
          { input },
        );
      } else if (kind < 98) {
        const { data } = await ask(reference, key, '{ labels { nodes { id } } }');
        const input = { id: pick<{ id: string }>(data.labels.nodes).id, color: `#${100_000 + step}` };
        await ask(server, key, 'mutation ($input: UpdateLabelInput!) { updateLabel(input: $input) { label { id } } }', {
          input,
        });
      } else if (kind < 99) {
        await directly.rename(pick(own?.tasks ?? []) ?? '', `direct ${step}`);
      } else {
        ids = await Promise.all(writers.map(idsOf));
      }
    }
    await directly.close();
    process.stderr.write(`remembered: ${compared} answers compared\n`);
    for (const server of servers) expect(await figure(server, 'hit')).toBeGreaterThan(compared / 10);
    expect(await figure(reference, 'hit')).toBeNaN();
  });

  it('are new when what belongs to a row was changed, and not the row', async () => {
    const [key = ''] = writers;
    const [server] = servers as [ServerProcess];
    const change = (name: string, input: object, selection: string) =>
      ask(
        server,
        key,
        `mutation ($i: ${name.charAt(0).toUpperCase()}${name.slice(1)}Input!) { ${name}(input: $i) { ${selection} } }`,
        { i: input },
      ).then(({ data }) => data[name]);
    const { id } = (await change('createTask', { title: 't', tags: ['changing'] }, 'task { id }')).task;
    const shown = async () => {
      const text =
        'query ($id: ID!) { task(id: $id) { comments { nodes { body } } labels { nodes { id color } } timeEntries { nodes { note } } } }';
      const answers = [await ask(server, key, text, { id }), await ask(server, key, text, { id })];
      expect(answers[1]).toEqual(answers[0]);
      return answers[0]?.data.task;
    };
    const label = (await shown()).labels.nodes[0];
    const { comment } = await change('createComment', { taskId: id, body: 'first' }, 'comment { id }');
    expect((await shown()).comments.nodes).toEqual([{ body: 'first' }]);
    await change('updateComment', { id: comment.id, body: 'second' }, 'comment { id }');
    expect((await shown()).comments.nodes).toEqual([{ body: 'second' }]);
    await change('updateLabel', { id: label.id, color: '#123456' }, 'label { id }');
    expect((await shown()).labels.nodes).toEqual([{ id: label.id, color: '#123456' }]);
    await change('createTimeEntry', { taskId: id, note: 'n', startedAt: '2026-01-01T00:00:00Z' }, 'timeEntry { id }');
    expect((await shown()).timeEntries.nodes).toEqual([{ note: 'n' }]);
  });

  it('are of forms alone that read what is counted, however many forms an operation has', async () => {
    const [key = ''] = writers;
    const [server] = servers as [ServerProcess];
    const low = 'mutation { createApiKey(input: { name: "low", scopes: ["keys:*", "tasks:read"] }) { key } }';
    const other = (await ask(server, key, low)).data.createApiKey.key;
    const ofTest =
      'mutation { createApiKey(input: { name: "tst", environment: TEST, scopes: ["tasks:read"] }) { apiKey { id } } }';
    expect((await ask(server, key, ofTest)).errors).toBeUndefined();
    const task = (await ask(server, key, 'mutation { createTask(input: { title: "t" }) { task { id } } }')).data
      .createTask.task;
    const adding =
      'mutation ($t: ID!) { createComment(input: { taskId: $t, body: "kept from nobody" }) { comment { id } } }';
    const { comment } = (await ask(server, key, adding, { t: task.id })).data.createComment;
    const text = `query ($x: Boolean!, $a: Boolean!, $b: Boolean!, $c: Boolean!) {
      tasks(first: 1) { nodes { id title @include(if: $a) number @include(if: $b) status @include(if: $c) } }
      comments(first: 5) @include(if: $x) { nodes { id body } }
      apiKeys(first: 20, filter: { environment: { eq: TEST } }) @include(if: $x) { nodes { id name } }
    }`;
    const form = (x: boolean, bits: number) => ({ x, a: (bits & 1) > 0, b: (bits & 2) > 0, c: (bits & 4) > 0 });
    await ask(server, other, text, form(false, 0));
    const whole = await ask(server, key, text, form(true, 0));
    expect(whole.data.comments.nodes).toContainEqual({ id: comment.id, body: 'kept from nobody' });
    expect(whole.data.apiKeys.nodes).not.toEqual([]);
    for (let bits = 1; bits < 8; bits += 1) await ask(server, other, text, form(false, bits));
    expect((await ask(server, other, text, form(true, 0))).data.apiKeys.nodes).toEqual([]);
    for (let bits = 1; bits < 8; bits += 1) await ask(server, key, text, form(false, bits));
    const ending = 'mutation ($id: ID!) { deleteComment(input: { id: $id }) { deletedCommentId } }';
    expect((await ask(server, key, ending, { id: comment.id })).errors).toBeUndefined();
    expect((await ask(server, key, text, form(true, 0))).data.comments.nodes).not.toContainEqual(
      expect.objectContaining({ body: 'kept from nobody' }),
    );
  });

  it('are not given to a key that was narrowed or revoked', async () => {
    const [key = ''] = writers;
    const [here, there] = servers as [ServerProcess, ServerProcess];
    const text =
      'mutation { createApiKey(input: { name: "n", scopes: ["tasks:read", "projects:read"] }) { key apiKey { id } } }';
    const { key: asked, apiKey } = (await ask(here, key, text)).data.createApiKey;
    const read = '{ tasks(first: 2) { nodes { id project { id } } } projects { nodes { id } } }';
    for (const server of [here, there, here, there]) expect((await ask(server, asked, read)).errors).toBeUndefined();
    const narrowing =
      'mutation ($id: ID!) { updateApiKey(input: { id: $id, scopes: ["tasks:read"] }) { apiKey { id } } }';
    expect((await ask(here, key, narrowing, { id: apiKey.id })).errors).toBeUndefined();
    expect((await ask(here, asked, read)).data.projects).toBeNull();
    await pause(TOLD);
    expect((await ask(there, asked, read)).data.projects).toBeNull();
    await ask(here, key, 'mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { revokedKeys } }', { id: apiKey.id });
    expect((await ask(here, asked, read)).errors?.[0]?.extensions['code']).toBe('UNAUTHENTICATED');
    await pause(TOLD);
    expect((await ask(there, asked, read)).errors?.[0]?.extensions['code']).toBe('UNAUTHENTICATED');
  });
});
