/** The operator's commands beside the server's: workspaces and their plans, families of keys, health, and good manners. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { generateKey } from '../src/keys/format.js';
import { makeCertificate } from './support/certificate.js';
import { freePort } from './support/port.js';
import { environment, killServers, run, serve } from './support/process.js';
import { pass, until } from './support/stream.js';

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-operator-'));
afterAll(() => {
  killServers();
  rmSync(folder, { recursive: true, force: true });
});
let counter = 0;
function newDatabase(): string {
  counter += 1;
  return `file:${path.join(folder, `${counter}.db`)}`;
}

const ask = async (url: string, key: string, query = '{ viewer { environment } rateLimit { limit } }') =>
  (
    await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'x-api-key': key, 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    })
  ).json() as Promise<{
    data: { rateLimit: { limit: number }; viewer: { scopes: string[] } } | null;
    errors?: unknown[];
  }>;
const rateLimit = async (url: string, key: string) => (await ask(url, key)).data?.rateLimit.limit;

describe('taskgate workspaces', () => {
  it('makes a second one, which sees nothing of the first, and changes plans that running servers follow', async () => {
    const key = generateKey('LIVE');
    const values = { DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: key };
    const server = await serve(values);
    const json = async (...args: string[]) => {
      const { code, stdout, stderr } = await run(['workspaces', ...args, '--json'], values);
      if (code !== 0) throw new Error(stderr);
      return JSON.parse(stdout);
    };
    const made = await json(
      'create',
      '--name',
      'Second',
      '--slug',
      'second',
      '--plan',
      'free',
      '--owner-email',
      'A@B.com',
    );
    expect(made).toMatchObject({ slug: 'second', plan: 'free', perMinute: 100, perHour: 1000 });
    expect(made.key).toMatch(/^sk_live_/);
    expect(await rateLimit(server.url, made.key)).toBe(1000);
    const users = await ask(server.url, made.key, '{ viewer { scopes } users { nodes { email } } }');
    expect(users.data).toMatchObject({ viewer: { scopes: ['admin:*'] }, users: { nodes: [{ email: 'a@b.com' }] } });
    expect((await json('list')).map(({ slug, plan }: { slug: string; plan: string }) => [slug, plan])).toEqual([
      ['default', 'professional'],
      ['second', 'free'],
    ]);
    expect((await run(['workspaces', 'list'], values)).stdout).toMatch(/^default .*professional.*\nsecond .*free/);

    await json('update', 'second', '--plan', 'enterprise', '--per-minute', '7', '--per-hour', '70', '--name', 'New');
    const changed = Date.now();
    // Sixty looks at the limits are free in a minute; more would be refused now.
    await until(async () => (await rateLimit(server.url, made.key)) === 70 || pass(100).then(() => false));
    expect(Date.now() - changed).toBeLessThan(1500);
    expect(await rateLimit(server.url, key)).toBe(10_000);
    // Another plan takes the operator's numbers away.
    expect(await json('update', 'second', '--plan', 'standard')).toMatchObject({ perMinute: 100, perHour: null });
    const audit = await ask(
      server.url,
      made.key,
      '{ viewer { scopes } auditLog(filter: { action: { eq: "workspace.update" } }) { nodes { changes } } }',
    );
    expect(JSON.stringify(audit.data)).toContain('enterprise');
  });

  it('says what is wrong in a line, and changes nothing', async () => {
    const values = { DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: generateKey('LIVE') };
    await run(['workspaces', 'create', '--name', 'One', '--slug', 'one'], values);
    const rows: [string[], RegExp][] = [
      [['create', '--name', 'Two', '--slug', 'one'], /workspace one already/],
      [['create', '--name', 'Two', '--slug', 'No Slug'], /slug.*small letters/],
      [['create', '--name', '', '--slug', 'two'], /name.*must not be empty/],
      [['create', '--name', 'Two', '--slug', 'two', '--owner-email', 'nobody'], /owner-email.*email address/],
      [['create', '--name', 'Two', '--slug', 'two', '--plan', 'gold'], /--plan.*must be one of free, standard/],
      [['update', 'one', '--plan', 'free', '--per-minute', '5'], /--per-minute.*enterprise/],
      [['update', 'one', '--plan', 'enterprise', '--per-minute', '0'], /--per-minute.*from 1/],
      [['update', 'none', '--plan', 'free'], /No workspace "none"/],
    ];
    for (const [args, reason] of rows) {
      const { code, stdout, stderr } = await run(['workspaces', ...args], values);
      expect([code, stdout, stderr], args.join(' ')).toEqual([1, '', expect.stringMatching(reason)]);
      expect(stderr.trim().split('\n')).toHaveLength(1);
    }
    const listed = JSON.parse((await run(['workspaces', 'list', '--json'], values)).stdout);
    expect(listed.map(({ slug, plan }: { slug: string; plan: string }) => [slug, plan])).toEqual([
      ['default', 'professional'],
      ['one', 'professional'],
    ]);
  });

  it('a start with another DEFAULT_PLAN says which plan holds, and a lost plan is the smallest', async () => {
    const key = generateKey('LIVE');
    const values = { DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: key, DEFAULT_PLAN: 'free' };
    const first = await serve(values);
    expect(first.output()).not.toContain('DEFAULT_PLAN');
    first.child.kill('SIGTERM');
    await first.exited;
    const second = await serve({ ...values, DEFAULT_PLAN: 'enterprise' });
    expect(second.output()).toMatch(
      /DEFAULT_PLAN is enterprise, and the workspace default has the plan free, which holds.*taskgate workspaces update default --plan enterprise/,
    );
    expect(await rateLimit(second.url, key)).toBe(1000);
  });

  it("the plans of the README's example start, beside the others", async () => {
    const [example] = /`(\{"[^`]*perMinute[^`]*)`/.exec(readFileSync('README.md', 'utf8'))?.slice(1) ?? [];
    const plansFile = path.join(folder, 'plans.json');
    writeFileSync(plansFile, example ?? '');
    const key = generateKey('LIVE');
    for (const plan of [Object.keys(JSON.parse(example ?? '{}'))[0] as string, 'professional']) {
      const values = { DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: key, PLANS_FILE: plansFile };
      const server = await serve({ ...values, DEFAULT_PLAN: plan });
      expect(await rateLimit(server.url, key), plan).toBeGreaterThan(0);
      server.child.kill('SIGTERM');
      await server.exited;
    }
  });
});

describe('taskgate keys', () => {
  it('update takes never and any, and a date that is none is refused in words', async () => {
    const values = { DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: generateKey('LIVE') };
    const json = async (...args: string[]) => {
      const { code, stdout, stderr } = await run(['keys', ...args, '--json'], values);
      return code === 0 ? JSON.parse(stdout) : { code, stderr };
    };
    const bounds = ['--expires-at', '2099-01-01', '--allowed-ips', '10.0.0.0/8'];
    const made = await json('create', '--name', 'x', '--scopes', 'tasks:read', ...bounds);
    expect(made).toMatchObject({ expiresAt: '2099-01-01T00:00:00.000Z', allowedIps: ['10.0.0.0/8'] });
    expect(await json('update', made.id, '--expires-at', 'never')).toMatchObject({ expiresAt: null });
    expect(await json('update', made.id, '--allowed-ips', 'any')).toMatchObject({ allowedIps: null });
    for (const date of ['+200000-01-01T00:00:00Z', '20500', 'foo 2050', '2027-02-30', 'never']) {
      const refused = await json('create', '--name', 'x', '--scopes', 'tasks:read', '--expires-at', date);
      expect([date, refused.code]).toEqual([date, 2]);
      expect(refused.stderr).toContain('a date such as');
    }
    expect(await json('revoke', made.id, '--reason', 'x'.repeat(201))).toMatchObject({ code: 1 });
  });

  it('revoke --descendants ends what a key made, and what that made', async () => {
    const values = { DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: generateKey('LIVE') };
    const server = await serve(values);
    const mint = async (by: string) => {
      const query = 'mutation { createApiKey(input: { name: "c", scopes: ["keys:write"] }) { key apiKey { id } } }';
      const { data } = (await ask(server.url, by, query)) as unknown as {
        data: { createApiKey: { key: string; apiKey: { id: string } } };
      };
      return data.createApiKey;
    };
    const child = await mint(values.TASKGATE_BOOTSTRAP_KEY);
    const grandchild = await mint(child.key);
    const done = await run(['keys', 'revoke', child.apiKey.id, '--descendants', '--reason', 'lost', '--json'], values);
    expect(JSON.parse(done.stdout)).toMatchObject({ id: child.apiKey.id, status: 'revoked', revokedKeys: 2 });
    await until(async () => (await ask(server.url, grandchild.key)).errors !== undefined, 1500);
    expect((await ask(server.url, values.TASKGATE_BOOTSTRAP_KEY)).errors).toBeUndefined();
  });
});

describe('good manners', () => {
  it('a command that reads makes neither a database nor a key', async () => {
    const database = newDatabase();
    const values = { DATABASE_URL: database };
    for (const args of [
      ['keys', 'list'],
      ['keys', 'show', 'key_x'],
      ['keys', 'revoke', 'key_x'],
      ['workspaces', 'list'],
      ['documents', 'list'],
      ['backup', path.join(folder, 'never')],
    ]) {
      const { code, stdout, stderr } = await run(args, values);
      expect([code, stdout, stderr], args.join(' ')).toEqual([1, '', expect.stringMatching(/^There is no database/)]);
    }
    const file = database.slice('file:'.length);
    expect(readdirSync(folder).filter((name) => name.startsWith(path.basename(file)))).toEqual([]);
    // One that is there and has no key is left so.
    await run(['migrate'], values);
    const empty = await run(['keys', 'list'], values);
    expect([empty.code, empty.stderr]).toEqual([1, expect.stringContaining('no workspace yet')]);
    expect(existsSync(file)).toBe(true);
    const first = await serve(values);
    expect(first.output()).toContain('This is the first admin key');
  });

  it('names are printed without what a terminal would obey', async () => {
    const values = { DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: generateKey('LIVE') };
    const name = 'a\u001b[2Jb\u0007c\u202ed\u009b31me';
    await run(['keys', 'create', '--name', name, '--scopes', 'tasks:read'], values);
    const { stdout } = await run(['keys', 'list'], values);
    expect(stdout).toContain('First admin key');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
    const asJson = (await run(['keys', 'list', '--json'], values)).stdout;
    expect(JSON.parse(asJson)[0].name).toBe(name);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
    expect(asJson).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });

  it('output that nobody reads to its end ends the command without a trace', async () => {
    const values = { DATABASE_URL: newDatabase(), TASKGATE_BOOTSTRAP_KEY: generateKey('LIVE') };
    await run(['keys', 'create', '--name', 'x', '--scopes', 'tasks:read'], values);
    const line = `set -o pipefail; for c in 'keys list' 'scopes list' '--help' 'workspaces list --json'; do "${process.execPath}" dist/main.js $c | true; echo "$?"; done`;
    const { stdout, stderr } = await promisify(execFile)('bash', ['--norc', '-c', line], { env: environment(values) });
    expect([stdout, stderr]).toEqual(['0\n0\n0\n0\n', '']);
  });
});

describe('behind TLS and proxies', () => {
  const line = (text: string) => /^ {2}curl [\s\S]*?'$/m.exec(text)?.[0] ?? '';
  const paste = async (text: string) => {
    const { stdout } = await promisify(execFile)('bash', ['-c', `${line(text)} -s`]);
    return JSON.parse(stdout) as { data?: object };
  };
  const answer = { data: { viewer: { scopes: ['admin:*'] }, tasks: { totalCount: 0 } } };

  it('the printed line works where the server itself speaks TLS, and the probe finds it ready', async () => {
    const { certFile, keyFile } = makeCertificate(folder);
    const values = {
      ...{ DATABASE_URL: newDatabase(), HOST: '0.0.0.0', NODE_ENV: 'production', PORT: String(await freePort()) },
      ...{ TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile },
    };
    expect(await run(['health'], values)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('answers nothing'),
    });
    const server = await serve(values);
    expect(await paste(server.output())).toMatchObject(answer);
    expect(await run(['health'], values)).toMatchObject({ code: 0, stdout: 'The server is ready.\n' });
    expect((await run(['health', '--json'], values)).stdout).toBe('{"status":"ok"}\n');
  });

  it('where a proxy on this machine is trusted, and where it is elsewhere', async () => {
    const values = { HOST: '0.0.0.0', NODE_ENV: 'production' };
    const near = await serve({ ...values, DATABASE_URL: newDatabase(), TRUST_PROXY: '127.0.0.0/8' });
    expect(await paste(near.output())).toMatchObject(answer);
    const far = await serve({ ...values, DATABASE_URL: newDatabase(), TRUST_PROXY: '10.0.0.0/8' });
    expect(line(far.output())).toContain('https://YOUR-HOST/graphql');
    expect(far.output()).toContain('REQUIRE_HTTPS=false');
    const plain = await serve({ ...values, DATABASE_URL: newDatabase(), REQUIRE_HTTPS: 'false' });
    expect(await paste(plain.output())).toMatchObject(answer);
  });
});
