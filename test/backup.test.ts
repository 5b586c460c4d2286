/** taskgate backup and restore: what is put back may be served, and brings nothing back that was ended. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterAll, describe, expect, it } from 'vitest';
import { type WorkspaceSession, withWorkspace } from '../src/cli/session.js';
import { type Database, migrateDatabase, openDatabase } from '../src/db/database.js';
import { DEFAULT_WORKSPACE } from '../src/keys/bootstrap.js';
import { generateKey } from '../src/keys/format.js';
import { grantStatus } from '../src/keys/scopeGrants.js';
import { killServers, run, serve } from './support/process.js';

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-backup-'));
afterAll(() => {
  killServers();
  rmSync(folder, { recursive: true, force: true });
});

async function open(databaseUrl: string): Promise<Database> {
  const options = { provider: 'sqlite', databaseUrl } as const;
  await migrateDatabase(options);
  return openDatabase(options);
}

let counter = 0;
/** A database of its own with one admin key, in a folder of its own. */
async function newHome() {
  counter += 1;
  const home = path.join(folder, `home-${counter}`);
  mkdirSync(home);
  const file = path.join(home, 'data.db');
  const values = { DATABASE_URL: `file:${file}`, TASKGATE_BOOTSTRAP_KEY: generateKey('LIVE') };
  const asOperator = <T>(work: (session: WorkspaceSession) => Promise<T>) =>
    new Promise<T>((resolve, reject) => {
      withWorkspace(values, DEFAULT_WORKSPACE, true, async (session) => resolve(await work(session))).catch(reject);
    });
  await asOperator(async () => {});
  const json = async (...args: string[]) => {
    const { code, stdout, stderr } = await run([...args, '--json'], values);
    if (code !== 0) throw new Error(stderr);
    return JSON.parse(stdout);
  };
  const make = (name: string) =>
    asOperator(async ({ keys, actor }) => {
      const request = { name, scopes: ['tasks:read', 'tasks:write'] };
      const { apiKey, key } = await keys.create(actor('LIVE'), 'operator', request);
      return { id: apiKey.id, key };
    });
  const files = () => readdirSync(home).sort();
  return { home, file, values, asOperator, json, make, files, run: (...args: string[]) => run(args, values) };
}

describe('a restore', () => {
  it('brings no access of people back: sessions, members, roles, passwords and invitations that have ended', async () => {
    const home = await newHome();
    const database = await open(home.values.DATABASE_URL);
    const { system } = database;
    const workspace = await system.workspace.findFirstOrThrow();
    const member = async (name: string, role: 'ADMIN' | 'MEMBER') => {
      const person = await system.person.create({ data: { id: `p-${name}`, name, email: `${name}@example.com` } });
      await system.signInMethod.create({
        data: { id: `m-${name}`, accountId: person.id, providerId: 'credential', userId: person.id, password: 'old' },
      });
      await system.signInSession.create({
        data: { id: `s-${name}`, token: name, userId: person.id, expiresAt: new Date(Date.now() + 86_400_000) },
      });
      const tenant = { workspaceId: workspace.id, environment: 'LIVE' as const };
      return system.user.create({ data: { ...tenant, email: person.email, name, role, personId: person.id } });
    };
    const [removed, lesser, raised] = [
      await member('removed', 'ADMIN'),
      await member('lesser', 'ADMIN'),
      await member('raised', 'MEMBER'),
    ];
    const invitation = {
      email: 'x@example.com',
      role: 'OWNER' as const,
      hash: 'h',
      expiresAt: new Date(Date.now() + 86_400_000),
    };
    await system.invitation.create({ data: { ...invitation, workspaceId: workspace.id, environment: 'LIVE' } });
    await system.serverSecret.create({ data: { name: 'sign-in', value: 'old' } });
    const tenant = { workspaceId: workspace.id, environment: 'LIVE' as const };
    const app = {
      ...tenant,
      name: 'Planner',
      redirectUris: 'https://a.example/ https://evil.example/',
      scopes: 'tasks:*',
    };
    await system.oauthApp.create({ data: { ...app, id: 'app_kept', secretHash: 'old' } });
    await system.oauthApp.create({ data: { ...app, id: 'app_deleted' } });
    const access = { ...tenant, name: 'Planner', prefix: '', scopes: 'tasks:read', appId: 'app_kept' };
    await system.apiKey.create({ data: { ...access, id: 'key_app', hash: 'app:1', actsAsId: lesser.id } });
    const soon = new Date(Date.now() + 86_400_000);
    const token = { ...tenant, keyId: 'key_app', expiresAt: soon };
    await system.oauthRefreshToken.create({ data: { ...token, hash: 'r' } });
    await system.accessToken.create({ data: { ...token, hash: 'a', scopes: 'tasks:read' } });
    await system.passkey.create({
      data: {
        ...{ id: 'passkey', userId: 'p-lesser', publicKey: 'x', credentialID: 'c', counter: 0 },
        ...{ deviceType: 'singleDevice', backedUp: false },
      },
    });
    await database.close();
    const backup = path.join(home.home, 'people.backup');
    expect((await home.run('backup', backup)).code).toBe(0);

    const later = await open(home.values.DATABASE_URL);
    await later.system.user.delete({ where: { id: removed.id } });
    await later.system.user.update({ where: { id: lesser.id }, data: { role: 'VIEWER' } });
    await later.system.user.update({ where: { id: raised.id }, data: { role: 'OWNER' } });
    await later.system.signInMethod.update({ where: { id: 'm-lesser' }, data: { password: 'new' } });
    await later.system.passkey.deleteMany();
    await later.system.oauthApp.delete({ where: { id: 'app_deleted' } });
    const present = { secretHash: 'new', redirectUris: 'https://a.example/', scopes: 'tasks:read' };
    await later.system.oauthApp.update({ where: { id: 'app_kept' }, data: present });
    await later.close();
    expect((await home.run('restore', backup)).code).toBe(0);

    const restored = await open(home.values.DATABASE_URL);
    try {
      const { system: now } = restored;
      expect([await now.signInSession.count(), await now.serverSecret.count()]).toEqual([0, 0]);
      expect((await now.invitation.findFirstOrThrow()).revokedAt).not.toBeNull();
      expect([await now.oauthRefreshToken.count(), await now.accessToken.count(), await now.passkey.count()]).toEqual([
        0, 0, 0,
      ]);
      expect(await now.oauthApp.findMany()).toEqual([expect.objectContaining({ id: 'app_kept', ...present })]);
      expect((await now.apiKey.findUniqueOrThrow({ where: { id: 'key_app' } })).revokedReason).toMatch(/restored/);
      expect(await now.auditEvent.count({ where: { targetId: 'key_app', action: 'api_key.revoke' } })).toBe(1);
      const user = (id: string) =>
        now.user.findUniqueOrThrow({ where: { id }, select: { personId: true, role: true } });
      expect(await user(removed.id)).toMatchObject({ personId: null });
      expect(await user(lesser.id)).toEqual({ personId: 'p-lesser', role: 'VIEWER' });
      // What nobody lost is as the backup has it.
      expect(await user(raised.id)).toEqual({ personId: 'p-raised', role: 'MEMBER' });
      expect((await now.signInMethod.findUniqueOrThrow({ where: { id: 'm-lesser' } })).password).toBe('new');
    } finally {
      await restored.close();
    }
  });
});

describe('taskgate backup and restore', () => {
  it('takes a whole copy while the server writes, and puts it back when nobody has the file open', async () => {
    const key = generateKey('LIVE');
    const file = path.join(folder, 'live.db');
    const values = { DATABASE_URL: `file:${file}`, TASKGATE_BOOTSTRAP_KEY: key, DEFAULT_PLAN: 'enterprise' };
    const server = await serve(values);
    const create = async (title: string) => {
      const answer = await fetch(`${server.url}/api/tasks`, {
        method: 'POST',
        headers: { 'x-api-key': key, 'content-type': 'application/json' },
        body: JSON.stringify({ title }),
      });
      expect(answer.status).toBe(201);
    };
    for (let i = 0; i < 20; i += 1) await create(`Before ${i}`);
    let writing = true;
    const writes = (async () => {
      for (let i = 0; writing; i += 1) await create(`During ${i}`);
    })();
    const backup = path.join(folder, 'one.backup');
    const done = await run(['backup', backup, '--json'], values);
    writing = false;
    await writes;
    expect(JSON.parse(done.stdout)).toEqual({ file: backup, bytes: statSync(backup).size });
    expect(await run(['backup', backup], values)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is there already'),
    });
    await create('After');
    expect(await run(['restore', backup], values)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('in use'),
    });
    await create('Still served');
    server.child.kill('SIGTERM');
    await server.exited;

    const restored = await run(['restore', backup, '--json'], values);
    const { kept } = JSON.parse(restored.stdout) as { kept: string };
    expect(existsSync(kept)).toBe(true);
    const again = await open(`file:${file}`);
    const titles = (await again.system.task.findMany()).map(({ title }) => title);
    expect(titles.filter((title) => title.startsWith('Before'))).toHaveLength(20);
    expect(titles).not.toContain('After');
    await again.close();
    const before = await open(`file:${kept}`);
    expect(await before.system.task.count({ where: { title: { in: ['After', 'Still served'] } } })).toBe(2);
    await before.close();
  }, 60_000);

  it('refuses what is no backup and keeps what is there', async () => {
    const file = path.join(folder, 'kept.db');
    const values = { DATABASE_URL: `file:${file}` };
    await (await open(values.DATABASE_URL)).close();
    const bad = path.join(folder, 'bad.db');
    writeFileSync(bad, 'no database');
    expect(await run(['restore', bad], values)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no backup'),
    });
    await run(['backup', path.join(folder, 'short.db')], values);
    truncateSync(path.join(folder, 'short.db'), 20_000);
    expect(await run(['restore', path.join(folder, 'short.db')], values)).toMatchObject({ code: 1 });
    expect(await run(['restore', path.join(folder, 'none.db')], values)).toMatchObject({ code: 1 });
    expect(readdirSync(folder).filter((name) => name.startsWith('kept.db.'))).toEqual([]);
    await (await open(values.DATABASE_URL)).close();
    const onPostgres = await run(['backup', 'x'], { DATABASE_URL: 'postgresql://x@localhost/x' });
    expect(onPostgres).toMatchObject({ code: 1, stderr: expect.stringContaining('pg_dump') });
  }, 60_000);

  it('leaves files that nobody else may read, one for each database, and nothing half done', async () => {
    const { home, file, files, values, ...taskgate } = await newHome();
    await taskgate.make('k');
    const backup = path.join(home, 'backup');
    await taskgate.run('backup', backup);
    // One file that can be read where nothing can be written.
    const reader = new Sqlite(backup, { readonly: true });
    expect(reader.pragma('journal_mode', { simple: true })).toBe('delete');
    reader.close();
    expect(files().filter((name) => name.startsWith('backup'))).toEqual(['backup']);
    chmodSync(backup, 0o644);
    const before = new Set(files());
    expect(await taskgate.run('restore', backup)).toMatchObject({ code: 0 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const added = files().filter((name) => !before.has(name));
    expect(added).toEqual([expect.stringMatching(/^data\.db\.before-/)]);
    expect(statSync(path.join(home, added[0] as string)).mode & 0o077).toBe(0);
  }, 60_000);

  it('is not fooled by what SQLite left beside a database that is gone', async () => {
    const { home, file, ...taskgate } = await newHome();
    const { id } = await taskgate.make('k');
    const backup = path.join(home, 'backup');
    await taskgate.run('backup', backup);
    const database = await open(`file:${file}`);
    await database.system.apiKey.update({ where: { id }, data: { name: 'later' } });
    // As a crash leaves it: the log is there, and the file is lost.
    const log = readFileSync(`${file}-wal`);
    await database.close();
    rmSync(file);
    writeFileSync(`${file}-wal`, log);
    writeFileSync(`${file}-journal`, log);
    expect(await taskgate.run('restore', backup)).toMatchObject({ code: 0 });
    const restored = await open(`file:${file}`);
    expect((await restored.system.apiKey.findUniqueOrThrow({ where: { id } })).name).toBe('k');
    await restored.close();
    const check = new Sqlite(file, { readonly: true });
    expect(check.pragma('integrity_check', { simple: true })).toBe('ok');
    check.close();
  }, 60_000);

  it('puts a damaged database aside; only a server that has it open is in its way', async () => {
    const { home, file, files, ...taskgate } = await newHome();
    await taskgate.make('k');
    const backup = path.join(home, 'backup');
    await taskgate.run('backup', backup);
    for (const damage of [
      () => truncateSync(file, 9000),
      () => writeFileSync(file, 'no database any more'),
      () => writeFileSync(file, ''),
    ]) {
      damage();
      const damaged = readFileSync(file);
      const done = await taskgate.run('restore', backup, '--json');
      expect(done.stderr).toBe('');
      expect(readFileSync(JSON.parse(done.stdout).kept).equals(damaged)).toBe(true);
      expect((await taskgate.run('keys', 'list')).code).toBe(0);
    }
    expect(files().some((name) => name.includes('arriving'))).toBe(false);
  }, 60_000);

  it('takes no database of another program, none of a newer version, and none that is half migrated', async () => {
    const { home, file, ...taskgate } = await newHome();
    const made = await taskgate.make('stays');
    const change = (name: string, sql: string) => {
      const changed = path.join(home, name);
      copyFileSync(path.join(home, 'backup'), changed);
      const database = new Sqlite(changed);
      database.exec(sql);
      database.close();
      return changed;
    };
    await taskgate.run('backup', path.join(home, 'backup'));
    const foreign = path.join(home, 'foreign');
    const other = new Sqlite(foreign);
    other.exec(
      `CREATE TABLE "_prisma_migrations" (id TEXT, checksum TEXT, finished_at DATETIME, migration_name TEXT, logs TEXT,
         rolled_back_at DATETIME, started_at DATETIME, applied_steps_count INTEGER);
       INSERT INTO "_prisma_migrations" VALUES ('1', 'x', 1, '20200101000000_shop', NULL, NULL, 1, 1);
       CREATE TABLE "Order" (id TEXT)`,
    );
    other.close();
    const record = (name: string, finished: string) =>
      `INSERT INTO "_prisma_migrations" (id, checksum, finished_at, migration_name, started_at, applied_steps_count)
         VALUES ('${name}', 'x', ${finished}, '${name}', 1, 0)`;
    const bare = path.join(home, 'bare');
    const empty = new Sqlite(bare);
    empty.exec('CREATE TABLE "Order" (id TEXT)');
    empty.close();
    const rows: [string, RegExp][] = [
      [foreign, /another program/],
      [bare, /another program/],
      [change('newer', record('29990101000000_later', '1')), /newer version.*29990101000000_later/],
      [change('half', record('29990101000000_later', 'NULL')), /29990101000000_later.*did not end/],
    ];
    for (const [backup, reason] of rows) {
      const refused = await taskgate.run('restore', backup);
      expect([refused.code, refused.stderr], backup).toEqual([1, expect.stringMatching(reason)]);
      const started = await run(['serve'], { DATABASE_URL: `file:${backup}` });
      expect([started.code, started.stdout, started.stderr], backup).toEqual([1, '', expect.stringMatching(reason)]);
    }
    expect((await run(['migrate'], { DATABASE_URL: `file:${foreign}` })).code).toBe(1);
    expect((await taskgate.json('keys', 'list')).map(({ id }: { id: string }) => id)).toContain(made.id);
    expect(
      new Sqlite(foreign, { readonly: true }).prepare('SELECT count(*) FROM "_prisma_migrations"').pluck().get(),
    ).toBe(1);
  }, 60_000);

  it('two at once give one whole file each, or say that they are too late', async () => {
    const { home, file, files, ...taskgate } = await newHome();
    const filler = new Sqlite(file);
    filler.exec('CREATE TABLE filler (text TEXT)');
    const insert = filler.prepare('INSERT INTO filler VALUES (?)');
    filler.transaction(() => {
      for (let i = 0; i < 30_000; i += 1) insert.run('x'.repeat(1000));
    })();
    // The server goes on writing: each backup is of one moment all the same, and ends.
    const writing = setInterval(() => insert.run('later'), 10);
    const target = path.join(home, 'backup');
    const backups = await Promise.all([taskgate.run('backup', target), taskgate.run('backup', target)]);
    clearInterval(writing);
    expect(backups.map(({ code }) => code).sort()).toEqual([0, 1]);
    expect(backups.find(({ code }) => code === 1)?.stderr).toContain('is there already');
    const copy = new Sqlite(target, { readonly: true });
    expect(copy.prepare('SELECT count(*) FROM filler').pluck().get()).toBeGreaterThanOrEqual(30_000);
    copy.close();
    filler.exec('DROP TABLE filler');
    filler.close();

    const restores = await Promise.all([taskgate.run('restore', target), taskgate.run('restore', target)]);
    expect(restores.some(({ code }) => code === 0)).toBe(true);
    for (const { code, stderr } of restores) if (code !== 0) expect(stderr).toContain('in use');
    expect((await taskgate.run('keys', 'list')).stdout).toContain('First admin key');
    expect(files().filter((name) => /arriving|unfinished/.test(name))).toEqual([]);
  }, 60_000);

  it('no server goes on with what was set aside, whenever it started', async () => {
    const { home, file, values, ...taskgate } = await newHome();
    await taskgate.make('k');
    const target = path.join(home, 'backup');
    await taskgate.run('backup', target);
    const [restored, started] = await Promise.all([
      taskgate.run('restore', target, '--json'),
      serve(values).catch((error: Error) => error),
    ]);
    // Whichever came first, the other heard of it.
    if (restored.code === 0) {
      const { kept } = JSON.parse(restored.stdout);
      const refused = await run(['serve'], { ...values, DATABASE_URL: `file:${kept}` });
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('has set this database aside')]);
    } else expect(restored.stderr).toContain('in use');
    if (!(started instanceof Error)) {
      const title = { title: 'kept' };
      const answer = await fetch(`${started.url}/v1/tasks`, {
        method: 'POST',
        headers: { 'x-api-key': values.TASKGATE_BOOTSTRAP_KEY, 'content-type': 'application/json' },
        body: JSON.stringify(title),
      });
      expect(answer.status).toBe(201);
      started.child.kill('SIGTERM');
      await started.exited;
      const database = await open(`file:${file}`);
      expect(await database.system.task.count({ where: title })).toBe(1);
      await database.close();
    }
    // What was set aside is served again by restoring it.
    const [kept] = readdirSync(home).filter((name) => name.startsWith('data.db.before-'));
    if (kept) expect(await taskgate.run('restore', path.join(home, kept))).toMatchObject({ code: 0 });
    expect((await taskgate.run('keys', 'list')).code).toBe(0);
  }, 60_000);

  it('takes no copy that did not end, and leaves nothing behind when it is interrupted', async () => {
    const { home, file, files, ...taskgate } = await newHome();
    const half = path.join(home, 'half');
    await taskgate.run('backup', half);
    const database = new Sqlite(half);
    database.exec(`INSERT INTO "Epoch" ("name", "value") VALUES ('copy', 1)`);
    database.close();
    const refused = await taskgate.run('restore', half);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('did not end')]);
    const before = files();
    await taskgate.run('backup', path.join(home, 'whole'));
    expect(files()).toEqual([...before, 'whole'].sort());
  }, 60_000);

  describe('revives no key', () => {
    const accepts = async (url: string, key: string) =>
      (await fetch(`${url}/graphql?query={viewer{environment}}`, { headers: { 'x-api-key': key } })).status === 200;

    /** Three keys that were ended in three ways after the backup, one that was narrowed, and one that goes on. */
    async function prepared() {
      const home = await newHome();
      const names = ['revoked', 'rotated', 'byServer', 'narrowed', 'goesOn'] as const;
      const made = Object.fromEntries(
        await Promise.all(names.map(async (name) => [name, await home.make(name)] as const)),
      ) as Record<(typeof names)[number], { id: string; key: string }>;
      const operations = (name: string) => path.join(home.home, `${name}.graphql`);
      writeFileSync(
        operations('before'),
        'query Before { tasks { totalCount } } query Kept { viewer { environment } }',
      );
      writeFileSync(operations('after'), 'query Kept { viewer { environment } }');
      const lock = ['keys', 'create', '--name', 'locked', '--from', operations('before'), '--lock', '--json'];
      const locked = JSON.parse((await home.run(...lock)).stdout) as { id: string; key: string };
      const backup = path.join(home.home, 'backup');
      await home.run('backup', backup);
      await home.run('keys', 'lock', locked.id, '--from', operations('after'), '--grace-period', '0');
      await home.asOperator(async ({ keys, actor }) => {
        await keys.revoke(actor('LIVE'), 'operator', made.revoked.id);
        await keys.rotate(actor('LIVE'), 'operator', made.rotated.id, 86_400);
        await keys.update(actor('LIVE'), 'operator', made.narrowed.id, { scopes: ['tasks:read'] });
      });
      const server = await serve(home.values);
      const revoked = await fetch(`${server.url}/v1/api-keys/${made.byServer.id}`, {
        method: 'DELETE',
        headers: { 'x-api-key': home.values.TASKGATE_BOOTSTRAP_KEY },
      });
      expect(revoked.status).toBe(200);
      server.child.kill('SIGTERM');
      await server.exited;
      return { ...home, backup, made, locked };
    }
    const scopesOf = async (url: string, key: string) => {
      const answer = await fetch(`${url}/graphql?query={viewer{scopes}}`, { headers: { 'x-api-key': key } });
      return ((await answer.json()) as { data: { viewer: { scopes: string[] } } }).data.viewer.scopes;
    };

    it('that was revoked, rotated or narrowed since, whether or not the database is there to tell', async () => {
      for (const isLost of [false, true]) {
        const { file, values, backup, made, locked, ...taskgate } = await prepared();
        if (isLost) for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
        const done = await taskgate.json('restore', backup);
        const ended = ['revoked', 'rotated', 'byServer'] as const;
        const expected = [
          ...ended.map((name) => ({ id: made[name].id, name, was: 'ended' })),
          { id: made.narrowed.id, name: 'narrowed', was: 'narrowed' },
          { id: locked.id, name: 'locked', was: 'narrowed' },
        ];
        const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
        expect([...done.keys].sort(byId)).toEqual(expected.sort(byId));
        const server = await serve(values);
        for (const name of ended) expect(await accepts(server.url, made[name].key), name).toBe(false);
        expect(await accepts(server.url, made.goesOn.key)).toBe(true);
        expect(await scopesOf(server.url, made.narrowed.key)).toEqual(['tasks:read']);
        // The backup does not know what it was locked to since, so that it runs nothing until it is locked again.
        const runs = async (query: string) => {
          const answer = await fetch(`${server.url}/graphql?query=${query}`, { headers: { 'x-api-key': locked.key } });
          return ((await answer.json()) as { errors?: object[] }).errors === undefined;
        };
        expect(await runs('query Before { tasks { totalCount } }')).toBe(false);
        expect(await runs('query Kept { viewer { environment } }')).toBe(false);
        const again = ['keys', 'lock', locked.id, '--from', path.join(taskgate.home, 'after.graphql')];
        await taskgate.run(...again);
        await expect.poll(() => runs('query Kept { viewer { environment } }'), { timeout: 5000 }).toBe(true);
        expect(await runs('query Before { tasks { totalCount } }')).toBe(false);
        const answer = await fetch(
          `${server.url}/graphql?query={auditLog(filter:{action:{eq:"database.restore"}}){nodes{action changes}}}`,
          { headers: { 'x-api-key': values.TASKGATE_BOOTSTRAP_KEY } },
        );
        const { data } = (await answer.json()) as { data: { auditLog: { nodes: { changes: string }[] } } };
        const [event] = data.auditLog.nodes;
        expect(event?.changes).toContain(made.revoked.id);
        server.child.kill('SIGTERM');
        await server.exited;
      }
    }, 90_000);

    it('nor what keys were granted for a while, nor a role that a user lost', async () => {
      const { make, asOperator, json, home } = await newHome();
      const [granted, asking, acting] = [await make('granted'), await make('asking'), await make('acting')];
      const user = await asOperator(async ({ database, workspace, scopeGrants, keys, actor }) => {
        const tenant = { workspaceId: workspace.id, environment: 'LIVE' as const };
        const ask = (keyId: string) =>
          scopeGrants.request({ ...actor('LIVE'), keyId }, keyId, {
            scopes: ['projects:read'],
            reason: 'r',
            minutes: 60,
          });
        await scopeGrants.approve(actor('LIVE'), 'operator', (await ask(granted.id)).id);
        await ask(asking.id);
        const person = { ...tenant, email: 'm@example.com', name: 'M', role: 'MEMBER' as const };
        const { id } = await database.system.user.create({ data: person });
        await keys.update(actor('LIVE'), 'operator', acting.id, { actsAsId: id });
        return id;
      });
      const backup = path.join(home, 'backup');
      await json('backup', backup);
      await asOperator(async ({ database }) => {
        await database.system.user.update({ where: { id: user }, data: { role: 'VIEWER' } });
      });
      const done = await json('restore', backup);
      expect(done.keys).toEqual([{ id: acting.id, name: 'acting', was: 'narrowed' }]);
      await asOperator(async ({ database }) => {
        const grants = await database.system.scopeGrant.findMany();
        const now = new Date();
        expect(grants.map((grant) => grantStatus(grant, now)).sort()).toEqual(['DENIED', 'ENDED']);
        expect((await database.system.user.findUniqueOrThrow({ where: { id: user } })).role).toBe('VIEWER');
      });
    }, 60_000);

    it('unless that is asked for, and then says so', async () => {
      const { values, backup, made, ...taskgate } = await prepared();
      const done = await taskgate.run('restore', backup, '--keep-revived');
      expect(done.stdout).toContain('WORK AGAIN');
      for (const name of ['revoked', 'rotated', 'byServer', 'narrowed'] as const) {
        expect(done.stdout).toContain(made[name].id);
      }
      const server = await serve(values);
      for (const { key } of Object.values(made)) expect(await accepts(server.url, key)).toBe(true);
    }, 90_000);
  });
});
