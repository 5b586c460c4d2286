/** The migrations of both providers lead to the schema, and apply to a real database. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import Sqlite from 'better-sqlite3';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, migrateDatabase, openDatabase } from '../src/db/database.js';
import { applyMigrations, schemaDrift } from '../src/db/migrate.js';
import { postgresqlCatalogueAdapter } from '../src/db/postgresql.js';
import { sqliteMigrationAdapter } from '../src/db/sqlite.js';
import { bootstrap } from '../src/keys/bootstrap.js';
import { postgresql } from './support/postgresql.js';

describe('SQLite', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-migrations-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('migrations and schema agree', async () => {
    expect(await schemaDrift('sqlite', sqliteMigrationAdapter(`file:${folder}/scratch.db`))).toBe('');
  });

  it('apply once, and write durably: WAL, FULL, foreign keys', async () => {
    const options = { provider: 'sqlite', databaseUrl: `file:${folder}/new/deep/data.db` } as const;
    expect((await migrateDatabase(options)).length).toBeGreaterThan(0);
    expect(await migrateDatabase(options)).toEqual([]);
    const database = await openDatabase(options);
    const pragma = async (name: string) =>
      Object.values((await database.system.$queryRawUnsafe<object[]>(`PRAGMA ${name}`))[0] ?? {})[0];
    expect(await pragma('journal_mode')).toBe('wal');
    expect(Number(await pragma('synchronous'))).toBe(2);
    expect(Number(await pragma('foreign_keys'))).toBe(1);
    await database.close();
  });

  it('go on where a process died, before a migration was whole or before it said so', async () => {
    const schemaOf = (name: string) => {
      const file = new Sqlite(path.join(folder, name), { readonly: true });
      const rows = file.prepare('SELECT type, name, sql FROM sqlite_master ORDER BY type, name').all();
      file.close();
      return rows;
    };
    await migrateDatabase({ provider: 'sqlite', databaseUrl: `file:${folder}/whole.db` });
    for (const isDone of [false, true]) {
      for (const place of [1, 6, 11]) {
        const name = `died-${isDone}-${place}.db`;
        const databaseUrl = `file:${folder}/${name}`;
        await expect(applyMigrations('sqlite', dyingAdapter(databaseUrl, place, isDone))).rejects.toThrow();
        await migrateDatabase({ provider: 'sqlite', databaseUrl });
        expect(schemaOf(name), name).toEqual(schemaOf('whole.db'));
        expect(await migrateDatabase({ provider: 'sqlite', databaseUrl })).toEqual([]);
      }
    }
  });

  it('wait for another process that is at it', async () => {
    const options = { provider: 'sqlite', databaseUrl: `file:${folder}/at-once.db` } as const;
    const applied = await Promise.all(Array.from({ length: 3 }, () => taskgate(['migrate'], options.databaseUrl)));
    expect(applied.map(({ code, stderr }) => [code, stderr])).toEqual([0, 0, 0].map((code) => [code, '']));
    expect(await migrateDatabase(options)).toEqual([]);
  });

  it('count tasks by triggers', async () => {
    const options = { provider: 'sqlite', databaseUrl: `file:${folder}/counted.db` } as const;
    await migrateDatabase(options);
    const database = await openDatabase(options);
    await expectCounted(database);
    await database.close();
  });

  it('a query beside an open transaction is neither part of it nor undone with it', async () => {
    const options = { provider: 'sqlite', databaseUrl: `file:${folder}/beside.db` } as const;
    await migrateDatabase(options);
    const { system, close } = await openDatabase(options);
    const workspace = (slug: string) => ({ data: { name: slug, slug, plan: 'free' } });
    let beside: Promise<unknown> = Promise.resolve();
    const failing = system.$transaction(async (tx) => {
      await tx.workspace.create(workspace('inside'));
      beside = system.workspace.create(workspace('beside'));
      expect(await system.workspace.findMany()).toEqual([]);
      throw new Error('undo');
    });
    await expect(failing).rejects.toThrow('undo');
    await beside;
    expect((await system.workspace.findMany()).map(({ slug }) => slug)).toEqual(['beside']);
    await close();
  });
});

/** Rows come and go one by one, many at once, with their workspace, and in transactions that fail. */
async function expectCounted({ system }: Database) {
  const workspace = await system.workspace.create({ data: { name: 'counted', slug: 'counted', plan: 'free' } });
  const tenant = { workspaceId: workspace.id, environment: 'LIVE' } as const;
  const counted = async () => (await system.taskCount.aggregate({ where: tenant, _sum: { tasks: true } }))._sum.tasks;
  await system.task.createMany({
    data: Array.from({ length: 10 }, (_, i) => ({ ...tenant, number: i + 1, title: `Task ${i}` })),
  });
  expect(await counted()).toBe(10);
  const { id } = await system.task.create({ data: { ...tenant, number: 11, title: 'One more' } });
  const failed = system.$transaction(async (tx) => {
    await tx.task.create({ data: { ...tenant, number: 12, title: 'Undone' } });
    throw new Error('undo');
  });
  await expect(failed).rejects.toThrow('undo');
  expect(await counted()).toBe(11);
  await system.task.delete({ where: { id } });
  await system.task.deleteMany({ where: { ...tenant, number: { lte: 4 } } });
  expect(await counted()).toBe(6);
  await system.task.create({ data: { ...tenant, environment: 'TEST', number: 1, title: 'Elsewhere' } });
  expect(await counted()).toBe(6);
}

const server = await postgresql();
describe.skipIf(!server)('PostgreSQL', () => {
  const name = `taskgate_test_${randomUUID().replaceAll('-', '')}`;
  const url = (database: string) =>
    Object.assign(new URL(server ?? 'postgresql://x'), { pathname: `/${database}` }).href;
  const admin = new pg.Client({ connectionString: server });

  beforeAll(async () => {
    await admin.connect();
    await admin.query(`CREATE DATABASE ${name}`);
    await admin.query(`CREATE DATABASE ${name}_scratch`);
  });
  afterAll(async () => {
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await admin.query(`DROP DATABASE ${name}_scratch WITH (FORCE)`);
    await admin.end();
  });

  it('migrations and schema agree', async () => {
    expect(await schemaDrift('postgresql', postgresqlCatalogueAdapter(url(`${name}_scratch`)))).toBe('');
  });

  it('apply where the extension for texts lies in another schema', async () => {
    const other = new pg.Client({ connectionString: url(`${name}_elsewhere`) });
    await admin.query(`CREATE DATABASE ${name}_elsewhere`);
    try {
      await other.connect();
      await other.query('CREATE SCHEMA extensions');
      await other.query('CREATE EXTENSION pg_trgm SCHEMA extensions');
      await migrateDatabase({ provider: 'postgresql', databaseUrl: url(`${name}_elsewhere`) });
      const { rows } = await other.query(`SELECT indexname FROM pg_indexes WHERE indexname = 'Task_recent_text_idx'`);
      expect(rows).toHaveLength(1);
    } finally {
      await other.end();
      await admin.query(`DROP DATABASE ${name}_elsewhere WITH (FORCE)`);
    }
  });

  it('apply once, and the client works on them', async () => {
    const options = { provider: 'postgresql', databaseUrl: url(name) } as const;
    expect((await migrateDatabase(options)).length).toBeGreaterThan(0);
    expect(await migrateDatabase(options)).toEqual([]);
    const database = await openDatabase(options);
    expect(await bootstrap(database, { bootstrapKey: undefined, defaultPlan: 'free' })).toMatch(/^sk_live_/);
    expect(await bootstrap(database, { bootstrapKey: undefined, defaultPlan: 'free' })).toBeUndefined();
    expect(await database.system.apiKey.count()).toBe(1);
    await expectCounted(database);
    await database.close();
  });
});

/** @param place which migration it dies at @param isDone after that is in the database, and before it is said to be */
function dyingAdapter(databaseUrl: string, place: number, isDone: boolean): SqlMigrationAwareDriverAdapterFactory {
  const adapter = sqliteMigrationAdapter(databaseUrl);
  return {
    ...{ provider: adapter.provider, adapterName: adapter.adapterName },
    async connect() {
      const connection = await adapter.connect();
      const [executeScript, queryRaw] = [
        connection.executeScript.bind(connection),
        connection.queryRaw.bind(connection),
      ];
      let scripts = 0;
      let isDead = false;
      connection.executeScript = async (script) => {
        if (isDead) throw new Error('dead');
        if (!script.includes('COMMIT')) return executeScript(script);
        scripts += 1;
        if (scripts < place || isDone) await executeScript(script);
        else await executeScript(script.slice(0, script.lastIndexOf(';', script.length * 0.7) + 1));
        isDead = scripts === place;
        if (isDead && !isDone) {
          await executeScript('ROLLBACK');
          throw new Error('dead');
        }
      };
      connection.queryRaw = (query) => (isDead ? Promise.reject(new Error('dead')) : queryRaw(query));
      return connection;
    },
    connectToShadowDb: () => adapter.connectToShadowDb(),
  };
}

const execute = promisify(execFile);
async function taskgate(args: string[], databaseUrl: string): Promise<{ code: number; stderr: string }> {
  const env = { ...process.env, DATABASE_URL: databaseUrl };
  return execute(process.execPath, ['dist/main.js', ...args], { env }).then(
    ({ stderr }) => ({ code: 0, stderr }),
    ({ code, stderr }: { code: number; stderr: string }) => ({ code, stderr }),
  );
}
