import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyDatabase } from '../src/db/copy.js';
import { type Database, migrateDatabase, openDatabase } from '../src/db/database.js';
import { providerOf } from '../src/db/provider.js';
import { createWorkspace } from './support/factories.js';
import { createDatabase, postgresql } from './support/postgresql.js';
import { killServers, run, serve } from './support/process.js';
import { startTestServer } from './support/server.js';

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-copy-'));
afterAll(() => {
  killServers();
  rmSync(folder, { recursive: true, force: true });
});

async function open(databaseUrl: string): Promise<Database> {
  const options = { provider: providerOf(databaseUrl) ?? 'sqlite', databaseUrl } as const;
  await migrateDatabase(options);
  return openDatabase(options);
}

const postgres = await postgresql();

describe.skipIf(!postgres)('taskgate copy', () => {
  let adminKey: string;
  const source = `file:${folder}/source.db`;
  let target: Awaited<ReturnType<typeof createDatabase>>;
  beforeAll(async () => {
    target = await createDatabase(postgres ?? '');
    const server = await startTestServer({ DATABASE_URL: source });
    adminKey = server.adminKey;
    await createWorkspace(server);
    const { apiKey } = await server.createKey(['tasks:*']);
    await server.gql(`mutation { rotateApiKey(input: { id: "${apiKey.id}" }) { key } }`);
    await server.gql('mutation { addTrustedDocument(input: { text: "{ viewer { scopes } }" }) { document { hash } } }');
    for (const title of ['Ünï "quoted" \\\\ 💥', 'Plain']) {
      await server.gql(
        'mutation ($t: String!) { createTask(input: { title: $t, tags: ["b", "a", "Ä", "_x"], dueDate: "2026-02-03T04:05:06.789Z", position: 0.1 }) { task { id } } }',
        { t: title },
      );
    }
    const tenant = { workspaceId: server.workspace.id, environment: 'LIVE' as const };
    await server.system.task.createMany({
      data: Array.from({ length: 1800 }, (_, i) => ({
        ...tenant,
        number: 1000 + i,
        title: `Many ${i}`,
        status: i % 7,
      })),
    });
    await server.stop();
  }, 60_000);
  afterAll(() => target.drop());

  it('moves everything to PostgreSQL, goes on after an interruption, and verifies both sides', async () => {
    const [from, to] = [await open(source), await open(target.url)];
    let batches = 0;
    const interrupted = copyDatabase(from, to, ({ model }) => {
      if (model === 'Task') batches += 1;
      if (batches === 2) throw new Error('interrupted');
    });
    await expect(interrupted).rejects.toThrow('interrupted');
    const half = await to.system.task.count();
    expect(half).toBe(1000);
    await from.close();
    await to.close();

    const { code, stdout, stderr } = await run(['copy', '--from', source, '--to', target.url, '--json']);
    expect([code, stderr]).toEqual([0, '']);
    const rows = Object.fromEntries(
      (JSON.parse(stdout) as { model: string; rows: number }[]).map(({ model, rows }) => [model, rows]),
    );
    expect(rows).toMatchObject({ Task: 1806, TaskTag: 10, TrustedDocument: 1, Workspace: 2 });
    expect(rows['AuditEvent']).toBeGreaterThan(4);

    const server = await serve({ DATABASE_URL: target.url });
    const answer = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        query:
          '{ tasks(search: "quoted") { nodes { title tags dueDate position } } apiKeys { nodes { status successorId } } }',
      }),
    });
    const { data } = (await answer.json()) as {
      data: { tasks: { nodes: object[] }; apiKeys: { nodes: { status: string; successorId: string | null }[] } };
    };
    expect(data.tasks.nodes).toEqual([
      {
        title: 'Ünï "quoted" \\\\ 💥',
        tags: expect.arrayContaining(['b', 'a', 'Ä', '_x']),
        dueDate: '2026-02-03T04:05:06.789Z',
        position: 0.1,
      },
    ]);
    expect(data.apiKeys.nodes.find(({ status }) => status === 'ROTATED')?.successorId).toMatch(/^key_/);
    server.child.kill('SIGTERM');
    await server.exited;
  }, 60_000);

  it('and back, into a file; never over what is there', async () => {
    const back = `file:${folder}/back.db`;
    expect(await run(['copy', '--from', target.url, '--to', back])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Both sides have the same rows.'),
    });
    expect(await run(['copy', '--from', target.url, '--to', back])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('not empty'),
    });
    expect(await run(['copy', '--from', back, '--to', back])).toMatchObject({ code: 1 });
    const slip = `file:${folder}/slip.db`;
    expect(await run(['copy', '--from', slip, '--to', `file:${folder}/other.db`])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('names no database'),
    });
    expect(existsSync(`${folder}/slip.db`)).toBe(false);
    expect(await run(['copy', '--from', 'mysql://x', '--to', back])).toMatchObject({ code: 2 });
  }, 60_000);

  it('tells infinities and what is no number apart, where it compares', async () => {
    const special = `file:${folder}/special.db`;
    const from = await open(special);
    const workspace = await from.system.workspace.create({ data: { name: 'w', slug: 'w', plan: 'free' } });
    const tenant = { workspaceId: workspace.id, environment: 'LIVE' as const };
    await from.system.task.create({ data: { ...tenant, number: 1, title: 't' } });
    await from.system.$executeRawUnsafe('UPDATE "Task" SET "position" = 9e999');
    const other = await createDatabase(postgres ?? '');
    const to = await open(other.url);
    await copyDatabase(from, to, () => {});
    await to.system.$executeRawUnsafe(`UPDATE "Task" SET "position" = '-Infinity'`);
    await to.system.changeCounter.create({ data: { name: 'copy', value: 1 } });
    await expect(copyDatabase(from, to, () => {})).rejects.toThrow('Task differs');
    await from.close();
    await to.close();
    await other.drop();
  });

  it('a copy that did not end is neither served nor asked', async () => {
    const half = `file:${folder}/half.db`;
    const [from, to] = [await open(source), await open(half)];
    await expect(
      copyDatabase(from, to, ({ model }) => {
        if (model === 'Task') throw new Error('the cable was pulled');
      }),
    ).rejects.toThrow('the cable was pulled');
    await from.close();
    await to.close();
    for (const command of [['serve'], ['keys', 'list'], ['workspaces', 'list']]) {
      const refused = await run(command, { DATABASE_URL: half });
      expect([refused.code, refused.stdout, refused.stderr], command.join(' ')).toEqual([
        ...[1, '', expect.stringContaining('A copy into this database did not end')],
      ]);
    }
    expect(await run(['copy', '--from', source, '--to', half])).toMatchObject({ code: 0 });
    expect(await run(['keys', 'list'], { DATABASE_URL: half })).toMatchObject({ code: 0 });
  }, 60_000);

  it('says so when both sides differ', async () => {
    const [from, to] = [await open(source), await open(`file:${folder}/differs.db`)];
    const differing = copyDatabase(from, to, ({ model, done, total }) => {
      if (model === 'Task' && done === total) from.system.task.deleteMany({ where: { number: 1001 } }).catch(() => {});
    });
    await expect(differing).rejects.toThrow(/differs/);
    await from.close();
    await to.close();
  }, 60_000);
});
