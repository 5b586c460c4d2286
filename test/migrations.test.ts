/** The migrations of both providers lead to the schema, and apply to a real database. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, migrateDatabase, openDatabase } from '../src/db/database.js';
import { schemaDrift } from '../src/db/migrate.js';
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
      const { rows } = await other.query(`SELECT indexname FROM pg_indexes WHERE indexname = 'Task_text_idx'`);
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
