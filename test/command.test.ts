/** The command as an operator runs it: started, asked, misconfigured, stopped. */
import { execFile, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { afterAll, describe, expect, it } from 'vitest';
import { generateKey } from '../src/keys/format.js';
import { environment, killServers, run, serve } from './support/process.js';

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-command-'));
afterAll(() => {
  killServers();
  rmSync(folder, { recursive: true, force: true });
});

let counter = 0;
function newDatabase(): string {
  counter += 1;
  return `file:${path.join(folder, `${counter}.db`)}`;
}
describe('the first run', () => {
  it('prints a key once, with a curl line that works when pasted, and where everything is', async () => {
    const database = newDatabase();
    const server = await serve({ DATABASE_URL: database });
    const text = server.output();
    const [key] = /sk_live_[0-9A-Za-z]{49}/.exec(text) ?? [];
    expect(text).toContain(`${server.url}/graphql`);
    expect(text).toContain(database.slice('file:'.length));
    const line = /^ {2}curl [\s\S]*?'$/m.exec(text)?.[0] ?? '';
    const { stdout } = await promisify(execFile)('bash', ['-c', `${line} -s`]);
    expect(JSON.parse(stdout)).toMatchObject({ data: { viewer: { scopes: ['admin:*'] }, tasks: { totalCount: 0 } } });
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);

    const again = await serve({ DATABASE_URL: database });
    expect(again.output()).not.toContain('sk_live_');
    const answer = await fetch(`${again.url}/graphql?query={viewer{environment}}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(answer.status).toBe(200);
  });

  it('takes the key that it is given, shows it nowhere, and fills the sandbox when asked to', async () => {
    const key = generateKey('LIVE');
    const values = { DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: key, TASKGATE_SAMPLE_DATA: 'true' };
    const server = await serve(values);
    expect(server.output()).not.toContain(key);
    const test = await run(
      ['keys', 'create', '--name', 'T', '--scopes', 'tasks:read', '--environment', 'test', '--json'],
      values,
    );
    const count = async (credential: string) => {
      const answer = await fetch(`${server.url}/graphql?query={tasks{totalCount}}`, {
        headers: { 'x-api-key': credential },
      });
      return ((await answer.json()) as { data: { tasks: { totalCount: number } } }).data.tasks.totalCount;
    };
    expect(await count(key)).toBe(0);
    expect(await count(JSON.parse(test.stdout).key)).toBe(5);
  });

  it('is ready within 3 seconds', async () => {
    const started = performance.now();
    const server = await serve({ DATABASE_URL: newDatabase() });
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
    // Printed for the reader; a slow machine fails no test.
    process.stderr.write(`start-up on an empty database: ${Math.round(performance.now() - started)} ms\n`);
  });
});

describe('SIGTERM', () => {
  it('lets a request in flight finish, refuses new ones and ends with 0', async () => {
    const key = generateKey('LIVE');
    const server = await serve({ DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: key });
    const work = Array.from({ length: 30 }, (_, i) =>
      fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query: `mutation { createTask(input: { title: "T${i}" }) { task { id } } }` }),
      }).then((answer) => answer.json()),
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    server.child.kill('SIGTERM');
    const answers = await Promise.allSettled(work);
    expect(await server.exited).toBe(0);
    const done = answers.filter((answer) => answer.status === 'fulfilled');
    expect(done.length).toBeGreaterThan(0);
    for (const answer of done)
      expect(answer.value).toMatchObject({ data: { createTask: { task: { id: expect.any(String) } } } });
    await expect(fetch(`${server.url}/health/live`)).rejects.toThrow();
  });

  it('answers what comes on an open connection a moment later, and says that it is the last', async () => {
    const server = await serve({ DATABASE_URL: newDatabase() });
    const { port } = new URL(server.url);
    const socket = connect(Number(port), '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const ask = () => socket.write('GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n');
    ask();
    await expect.poll(() => text, { timeout: 5000 }).toMatch(/^HTTP\/1\.1 200.*connection: keep-alive.*\}$/is);
    text = '';
    server.child.kill('SIGTERM');
    await pause(200);
    ask();
    await closed;
    expect(text).toMatch(/^HTTP\/1\.1 200.*connection: close/is);
    expect(await server.exited).toBe(0);
  });

  it('ends subscriptions without a word of completion, so that clients subscribe again elsewhere', async () => {
    const key = generateKey('LIVE');
    const server = await serve({ DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: key });
    const stream = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'x-api-key': key, 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ query: 'subscription { taskChanged { action } }' }),
    });
    expect(stream.headers.get('content-type')).toMatch(/^text\/event-stream/);
    // Broken off where the server closes the connection at its limit.
    const told = stream.text();
    await pause(200);
    server.child.kill('SIGTERM');
    expect(await told).not.toContain('complete');
    expect(await server.exited).toBe(0);
  });
});

describe('a start that cannot be', () => {
  const fails = async (values: Record<string, string>, expected: RegExp) => {
    const { code, stderr, stdout } = await run(['serve'], values);
    expect(code).toBe(1);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(expected);
    expect(stdout).toBe('');
  };

  it('names the bad variable', () => fails({ PORT: 'abc' }, /^PORT must be/));

  it('says that the port is in use', async () => {
    const blocker = createServer();
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
    const { port } = blocker.address() as { port: number };
    await fails(
      { DATABASE_URL: newDatabase(), PORT: String(port), TASKGATE_BOOTSTRAP_KEY: generateKey('LIVE') },
      /Port \d+ .* in use/,
    );
    // The key that a first start has made is shown, whatever else fails: nobody will see it later.
    const values = { DATABASE_URL: newDatabase(), METRICS_PORT: String(port) };
    const { code, stdout, stderr } = await run(['serve'], values);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/set METRICS_PORT to another/)]);
    const [key = ''] = /sk_live_[0-9A-Za-z]{49}/.exec(stdout) ?? [];
    blocker.close();
    const server = await serve({ DATABASE_URL: values.DATABASE_URL });
    expect(
      (await fetch(`${server.url}/graphql?query={viewer{environment}}`, { headers: { 'x-api-key': key } })).status,
    ).toBe(200);
  });

  it('names what is wrong with the certificate', async () => {
    const file = path.join(folder, 'no.pem');
    writeFileSync(file, 'no certificate');
    const values = { DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: generateKey('LIVE') };
    const tls = (TLS_CERT_FILE: string, TLS_KEY_FILE: string) => ({ ...values, TLS_CERT_FILE, TLS_KEY_FILE });
    await fails(
      tls(path.join(folder, 'nothing.pem'), file),
      /^TLS_CERT_FILE names a file that cannot be read: .*nothing\.pem/,
    );
    await fails(tls(file, file), /^TLS_CERT_FILE and TLS_KEY_FILE must be a certificate and its key, in PEM/);
  });

  it('says that the database is locked', async () => {
    const url = newDatabase();
    const holder = new Database(url.slice('file:'.length));
    holder.exec('CREATE TABLE t (x); BEGIN EXCLUSIVE');
    await fails({ DATABASE_URL: url }, /locked/);
    holder.close();
  });

  it('says that the database cannot be written', async () => {
    const values = { DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: generateKey('LIVE') };
    await run(['migrate'], values);
    const closed = path.join(folder, 'closed');
    mkdirSync(closed, { mode: 0o755 });
    const file = path.join(closed, 'readonly.db');
    copyFileSync(values.DATABASE_URL.slice('file:'.length), file);
    chmodSync(file, 0o444);
    chmodSync(folder, 0o755);
    // Root may write everything, so it becomes somebody else.
    const somebody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const child = spawn(process.execPath, ['dist/main.js', 'serve'], {
      ...somebody,
      env: environment({ ...values, DATABASE_URL: `file:${file}` }),
    });
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(1);
    expect(stderr).toMatch(/^The database file cannot be (written|opened)[^\n]*\n$/);
  });

  it('says that the file is no database', async () => {
    const url = newDatabase();
    writeFileSync(url.slice('file:'.length), 'this is text, and long enough to be looked at as a header');
    await fails({ DATABASE_URL: url }, /no SQLite database/);
  });

  it('says that the folder cannot be made', () =>
    fails({ DATABASE_URL: 'file:/dev/null/nowhere/x.db' }, /folder|missing|opened/));

  it('says that the database server does not answer', () =>
    fails({ DATABASE_URL: 'postgresql://postgres:hush@127.0.0.1:1/x' }, /^(?!.*hush).*does not answer/));
});

describe('a database held by another process', () => {
  it('lets reads go on and writes wait; a write that waits too long is refused, and the server lives', async () => {
    const key = generateKey('LIVE');
    const url = newDatabase();
    const server = await serve({ DATABASE_URL: url, TASKGATE_BOOTSTRAP_KEY: key });
    const ask = async (query: string) => {
      const answer = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      });
      return (await answer.json()) as { data?: unknown; errors?: { extensions: { code: string } }[] };
    };
    const write = () => ask('mutation { createTask(input: { title: "T" }) { task { number } } }');
    expect((await write()).errors).toBeUndefined();
    const holder = new Database(url.slice('file:'.length));
    holder.exec('BEGIN IMMEDIATE');
    const waiting = write();
    expect((await ask('{ tasks { totalCount } }')).data).toEqual({ tasks: { totalCount: 1 } });
    holder.exec('COMMIT');
    expect((await waiting).errors).toBeUndefined();
    holder.exec('BEGIN IMMEDIATE');
    expect((await write()).errors?.[0]?.extensions.code).toBe('SERVICE_UNAVAILABLE');
    holder.exec('COMMIT');
    holder.close();
    expect((await write()).data).toEqual({ createTask: { task: { number: 3 } } });
  });
});

describe('taskgate keys', () => {
  it('creates, lists and revokes, as JSON for machines and as text for people', async () => {
    const values = { DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: generateKey('LIVE') };
    const made = await run(
      ['keys', 'create', '--name', 'CI', '--scopes', 'tasks:read', '--environment', 'live', '--json'],
      values,
    );
    const created = JSON.parse(made.stdout);
    expect(created).toMatchObject({ name: 'CI', scopes: ['tasks:read'], environment: 'live', status: 'active' });
    expect(created.key).toMatch(/^sk_live_[0-9A-Za-z]{49}$/);
    expect(created.prefix).toBe(`${created.key.slice(0, 11)}...`);
    const listed = JSON.parse((await run(['keys', 'list', '--json'], values)).stdout);
    expect(listed.map((key: { name: string }) => key.name)).toEqual(['CI', 'First admin key']);
    expect(JSON.stringify(listed)).not.toContain(created.key);
    expect((await run(['keys', 'list'], values)).stdout).toContain(created.id);
    const changed = await run(
      ['keys', 'update', created.id, '--rate-per-minute', '7', '--name', 'CI 2', '--json'],
      values,
    );
    expect(JSON.parse(changed.stdout)).toMatchObject({ name: 'CI 2', ratePerMinute: 7, ratePerHour: null });
    expect(await run(['keys', 'update', created.id, '--rate-per-minute', 'x'], values)).toMatchObject({ code: 2 });
    const revoked = JSON.parse((await run(['keys', 'revoke', created.id, '--json'], values)).stdout);
    expect(revoked).toMatchObject({ id: created.id, status: 'revoked' });
  });

  it('revokes a key of a running server, which refuses it within a second', async () => {
    const values = { DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: generateKey('LIVE') };
    const server = await serve(values);
    const { id, key } = JSON.parse(
      (await run(['keys', 'create', '--name', 'x', '--scopes', 'tasks:read', '--json'], values)).stdout,
    );
    const ask = async () =>
      (await fetch(`${server.url}/graphql?query={viewer{environment}}`, { headers: { 'x-api-key': key } })).status;
    expect(await ask()).toBe(200);
    await run(['keys', 'revoke', id], values);
    const answered = performance.now();
    while ((await ask()) === 200 && performance.now() - answered < 5000)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(performance.now() - answered).toBeLessThan(1000);
  });

  it('ends with 2 when called wrongly, 1 when it fails, and says why in a line', async () => {
    const values = { DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: generateKey('LIVE') };
    expect(await run(['keys', 'create', '--name', 'x'], values)).toMatchObject({ code: 2 });
    expect(
      await run(['keys', 'create', '--name', 'x', '--scopes', 'a', '--environment', 'moon'], values),
    ).toMatchObject({ code: 2 });
    expect(await run(['nothing'], values)).toMatchObject({ code: 2 });
    expect(await run(['keys', 'create', '--help'], values)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('--scopes'),
    });
    const unknown = await run(['keys', 'create', '--name', 'x', '--scopes', 'task:read'], values);
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('did you mean tasks:read') });
    // What is called wrongly makes no database.
    await run(['keys', 'create', '--name', 'first', '--scopes', 'tasks:read'], values);
    expect(await run(['keys', 'revoke', 'key_none'], values)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('No API key'),
    });
    expect(await run(['migrate', '--json'], values)).toMatchObject({ code: 0, stdout: '{"applied":[]}\n' });
  });
});

describe('taskgate documents', () => {
  it('adds, lists and removes', async () => {
    const values = { DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: generateKey('LIVE') };
    const file = path.join(folder, 'titles.graphql');
    writeFileSync(file, 'query Titles { tasks(first: 5) { nodes { title project { name } } } }');
    const [added] = JSON.parse((await run(['documents', 'add', file, '--json'], values)).stdout);
    expect(added).toEqual({
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      operations: ['Titles'],
      scopes: ['projects:read', 'tasks:read'],
    });
    expect((await run(['documents', 'list'], values)).stdout).toBe(`${added.hash}  Titles  projects:read,tasks:read\n`);
    expect((await run(['documents', 'list', '--environment', 'test'], values)).stdout).toBe('No documents.\n');
    expect(await run(['documents', 'remove', added.hash], values)).toMatchObject({ code: 0 });
    expect(await run(['documents', 'remove', added.hash], values)).toMatchObject({ code: 1 });
    writeFileSync(file, '{ nonsense }');
    const wrong = path.join(folder, 'wrong.json');
    writeFileSync(wrong, JSON.stringify({ [`sha256:${'0'.repeat(64)}`]: '{ __typename }' }));
    expect(await run(['documents', 'add', wrong], values)).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('is not the SHA-256') },
    });
    expect(await run(['documents', 'add', file], values)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Cannot query field "nonsense"'),
    });
  });
});

describe('taskgate tasks', () => {
  it('makes the tasks of a file, says what is wrong with one, and writes them to a file that is not there', async () => {
    const values = { DATABASE_URL: newDatabase() };
    await run(['keys', 'create', '--name', 'first', '--scopes', 'admin:*', '--json'], values);
    const file = (name: string, content: string) => {
      const at = path.join(folder, name);
      writeFileSync(at, content);
      return at;
    };
    const lines = Array.from({ length: 1200 }, (_, index) => `Task ${index},high`);
    const good = file('good.csv', ['title,priority', ...lines].join('\n'));
    const bad = file('bad.csv', 'title,status\nfine,done\n,done\nx,never\n');
    const trial = await run(['tasks', 'import', good, '--dry-run'], values);
    expect([trial.code, trial.stdout]).toEqual([0, '1200 of 1200 tasks can be made.\n']);
    const refused = await run(['tasks', 'import', bad], values);
    expect([refused.code, refused.stdout]).toEqual([1, 'Made 0 of 3 tasks.\n']);
    expect(refused.stderr).toContain('line 3: title');
    expect(refused.stderr).toContain('line 4: status');
    const done = await run(['tasks', 'import', good], values);
    expect([done.code, done.stdout]).toEqual([0, 'Made 1200 of 1200 tasks.\n']);
    const written = path.join(folder, 'written.csv');
    const exported = await run(['tasks', 'export', '--output', written], values);
    expect([exported.code, exported.stdout]).toEqual([0, `Wrote 1200 tasks to ${written}.\n`]);
    const again = await run(['tasks', 'export', '--output', written], values);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('already')]);
    const back = await run(['tasks', 'import', written, '--dry-run', '--json'], values);
    expect(JSON.parse(back.stdout)).toEqual({ dryRun: true, total: 1200, made: 0, errors: [] });
    const sandbox = await run(['tasks', 'export', '--environment', 'test', '--format', 'json'], values);
    expect(JSON.parse(sandbox.stdout)).toEqual({ tasks: [] });
    for (const wrong of [['import', 'none.csv'], ['import', good, '--project', 'none'], ['export']]) {
      expect((await run(['tasks', ...wrong], values)).code).toBe(1);
    }
  });
});
