/** What only SQLite has: one writer, to which all writes of a process come. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import type { SqlDriverAdapter } from '@prisma/driver-adapter-utils';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { cleanUp } from '../src/db/cleanup.js';
import { type Database, migrateDatabase, openDatabase } from '../src/db/database.js';
import { databaseError } from '../src/db/databaseError.js';
import { SqliteWriter } from '../src/db/sqliteWriter.js';
import { generateKey } from '../src/keys/format.js';
import { killServers, serve } from './support/process.js';
import { startTestServer } from './support/server.js';
import { until } from './support/stream.js';

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-sqlite-'));
afterAll(() => {
  killServers();
  rmSync(folder, { recursive: true });
});
let files = 0;
const newFile = () => path.join(folder, `${files++}.db`);

describe('writes that gathered', () => {
  let connection: SqlDriverAdapter;
  let writer: SqliteWriter;
  let reader: Sqlite.Database;
  beforeEach(async () => {
    const file = newFile();
    connection = await new PrismaBetterSqlite3({ url: file }).connect();
    await connection.executeScript(
      'PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 0; CREATE TABLE row (name TEXT UNIQUE)',
    );
    const driver = (connection as unknown as { client: Sqlite.Database }).client;
    writer = new SqliteWriter(connection, () => driver.inTransaction);
    reader = new Sqlite(file);
    return async () => {
      reader.close();
      await connection.dispose();
    };
  });
  const execute = (sql: string) => connection.executeRaw({ sql, args: [], argTypes: [] });
  const insert = (name: string) => writer.execute(() => execute(`INSERT INTO row VALUES ('${name}')`));
  const rows = () => reader.prepare('SELECT name FROM row ORDER BY name').pluck().all();
  const reason = (error: unknown) => databaseError(error)?.code;

  it('are committed at once, each after it succeeded by itself', async () => {
    const seen: unknown[][] = [];
    const settled = await Promise.allSettled(
      ['a', 'b', 'a', 'c'].map((name) => insert(name).then(() => seen.push(rows()))),
    );
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
    expect(seen).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ]);
  });

  it('a transaction among them is undone alone, and so is its part that was taken back', async () => {
    const write = async (name: string, end: 'COMMIT' | 'ROLLBACK') => {
      const transaction = await writer.startTransaction();
      await transaction.executeRaw({ sql: `INSERT INTO row VALUES ('${name}')`, args: [], argTypes: [] });
      await transaction.createSavepoint?.('part');
      await transaction.executeRaw({ sql: `INSERT INTO row VALUES ('${name}, part')`, args: [], argTypes: [] });
      await transaction.rollbackToSavepoint?.('part');
      await transaction.executeRaw({ sql: end, args: [], argTypes: [] });
      await (end === 'COMMIT' ? transaction.commit() : transaction.rollback());
    };
    await Promise.all([write('a', 'COMMIT'), insert('b'), write('c', 'ROLLBACK'), write('d', 'COMMIT')]);
    expect(rows()).toEqual(['a', 'b', 'd']);
  });

  it('are none of them acknowledged when SQLite ends the transaction, and the next ones go on', async () => {
    const settled = await Promise.allSettled([insert('a'), writer.execute(() => execute('ROLLBACK')), insert('b')]);
    expect(rows()).toEqual(['b']);
    expect(settled.map((one) => (one.status === 'rejected' ? reason(one.reason) : 'fulfilled'))).toEqual([
      'SERVICE_UNAVAILABLE',
      'SERVICE_UNAVAILABLE',
      'fulfilled',
    ]);
  });

  it('are all undone where one cannot be undone by itself', async () => {
    const unruly = async () => {
      await execute("INSERT INTO row VALUES ('unruly')");
      await execute('RELEASE one');
      throw new Error('unruly');
    };
    const settled = await Promise.allSettled([insert('a'), writer.execute(unruly), insert('b')]);
    expect(rows()).toEqual(['b']);
    expect(settled.map((one) => (one.status === 'rejected' ? String(one.reason.message) : 'fulfilled'))).toEqual([
      'ConnectionClosed',
      'unruly',
      'fulfilled',
    ]);
  });

  it('a statement after that is not committed by itself', async () => {
    const transaction = await writer.startTransaction();
    await execute('ROLLBACK');
    const late = transaction.executeRaw({ sql: "INSERT INTO row VALUES ('late')", args: [], argTypes: [] });
    await expect(late).rejects.toSatisfy((error) => reason(error) === 'SERVICE_UNAVAILABLE');
    await transaction.rollback();
    await insert('next');
    expect(rows()).toEqual(['next']);
  });

  it('wait for another process without holding up this one', async () => {
    reader.exec('BEGIN IMMEDIATE');
    const waiting = Promise.all([insert('a'), insert('b')]);
    let turns = 0;
    const until = performance.now() + 100;
    while (performance.now() < until) {
      await new Promise((resolve) => setImmediate(resolve));
      turns += 1;
    }
    expect(turns).toBeGreaterThan(100);
    reader.exec('COMMIT');
    await waiting;
    expect(rows()).toEqual(['a', 'b']);
  });

  it('are refused together, to be tried again, when another process never ends', { timeout: 15_000 }, async () => {
    reader.exec('BEGIN IMMEDIATE');
    const settled = await Promise.allSettled([insert('a'), writer.startTransaction()]);
    reader.exec('COMMIT');
    expect(settled.map((one) => (one.status === 'rejected' ? reason(one.reason) : 'fulfilled'))).toEqual([
      'SERVICE_UNAVAILABLE',
      'SERVICE_UNAVAILABLE',
    ]);
    await insert('later');
    expect(rows()).toEqual(['later']);
  });
});

describe('statements that are kept compiled', () => {
  let database: Database;
  let file: string;
  beforeEach(async () => {
    file = newFile();
    const options = { provider: 'sqlite', databaseUrl: `file:${file}` } as const;
    await migrateDatabase(options);
    database = await openDatabase(options);
    return () => database.close();
  });
  const create = (slug: string) => database.system.workspace.create({ data: { name: slug, slug, plan: 'free' } });

  it('answer anew with other arguments, many at once, and after a failure', async () => {
    await Promise.all(['a', 'b', 'c'].map(create));
    await expect(create('a')).rejects.toMatchObject({ code: 'P2002' });
    await create('d');
    const found = await Promise.all(
      ['d', 'a', 'x', 'c'].map((slug) => database.system.workspace.findUnique({ where: { slug } })),
    );
    expect(found.map((row) => row?.name)).toEqual(['d', 'a', undefined, 'c']);
  });

  it('are compiled again when another process changes the table', async () => {
    await create('a');
    const other = new Sqlite(file);
    other.exec('ALTER TABLE "Workspace" ADD COLUMN "later" TEXT');
    other.close();
    await create('b');
    expect((await database.system.workspace.findMany()).map(({ slug }) => slug).sort()).toEqual(['a', 'b']);
  });
});

describe('a disk that is full', () => {
  it('is told with 503 and by the probe; what was there is answered, and when there is room again all is well', async () => {
    const file = newFile();
    const adminKey = generateKey('LIVE');
    const values = { DATABASE_URL: `file:${file}`, TASKGATE_BOOTSTRAP_KEY: adminKey, LOG_LEVEL: 'silent' };
    const server = await serve(values);
    // The system lets no file of the process grow any further, as it would where the disk is full.
    const limitFiles = (bytes: string) =>
      execFileSync('prlimit', ['--pid', String(server.child.pid), `--fsize=${bytes}:`]);
    const ask = async (query: string) => {
      const response = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      });
      const { errors } = (await response.json()) as { errors?: { extensions: { code: string } }[] };
      return [response.status, errors?.[0]?.extensions.code];
    };
    const write = (size: number) =>
      ask(`mutation { createTask(input: { title: "t", description: "${'x'.repeat(size)}" }) { task { id } } }`);
    const ready = async () => (await fetch(`${server.url}/health/ready`)).status;
    expect([await ready(), await write(9000)]).toEqual([200, [200, undefined]]);
    limitFiles('1');
    expect(await write(9000)).toEqual([503, 'SERVICE_UNAVAILABLE']);
    expect(await write(1)).toEqual([503, 'SERVICE_UNAVAILABLE']);
    expect(await ready()).toBe(503);
    expect(await ask('{ tasks(first: 5) { nodes { id description } } }')).toEqual([200, undefined]);
    expect((await fetch(`${server.url}/health/live`)).status).toBe(200);
    limitFiles('unlimited');
    await until(async () => (await ready()) === 200);
    expect((await write(1))[0]).toBe(200);
    server.child.kill('SIGTERM');
    await server.exited;
    const database = new Sqlite(file, { readonly: true });
    expect(database.prepare('SELECT count(*) FROM "Task"').pluck().get()).toBe(2);
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
    database.close();
  });
});

describe('cleaning up', () => {
  it('removes what has expired in small parts, and nothing else', async () => {
    const server = await startTestServer();
    const { apiKey } = await server.createKey([]);
    const tenant = { workspaceId: server.workspace.id, environment: 'LIVE' as const, keyId: apiKey.id };
    const past = new Date(Date.now() - 1000);
    const records = (count: number, expiresAt: Date) =>
      Array.from({ length: count }, (_, i) => ({
        ...tenant,
        ...{ idempotencyKey: `${expiresAt.getTime()} ${i}`, requestHash: 'h', expiresAt },
      }));
    await server.system.idempotencyRecord.createMany({ data: records(1001, past) as never });
    await server.system.idempotencyRecord.createMany({ data: records(3, new Date(Date.now() + 60_000)) as never });
    server.queries.length = 0;
    expect(await cleanUp(server.system, new AbortController().signal)).toBe(1001);
    expect(await server.system.idempotencyRecord.count()).toBe(3);
    const statements = server.queries.filter((sql) => /^DELETE .*IdempotencyRecord/.test(sql));
    expect(statements.length).toBeGreaterThan(5);
    await server.stop();
  });
});
