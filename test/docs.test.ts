/** The transcripts of the docs, run as written; ids, keys and times differ from run to run and are matched by their place. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { generateKey } from '../src/keys/format.js';
import { ROLE_GRANTS } from '../src/scopes/roles.js';
import { killServers, run, serve } from './support/process.js';

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-docs-'));
afterAll(() => {
  killServers();
  rmSync(folder, { recursive: true });
});

const VARYING =
  /key_[0-9a-f-]{36}|sk_(?:live|test)_[0-9A-Za-z]{49}|sk_(?:live|test)_[0-9A-Za-z]{3}\.\.\.|\d{4}-\d\d-\d\dT[\d:.]+Z/g;

interface Commands {
  /** What the server told of itself, by the name in the file. */
  readonly actual: Map<string, string>;
  readonly env: NodeJS.ProcessEnv;
  /** After a command that requests of the server are part of: they are counted with a delay. */
  readonly settled?: () => Promise<unknown>;
}

/** Runs the commands of a file in their order. @returns how many */
async function runTranscript(file: string, { actual, env, settled }: Commands): Promise<number> {
  let commands = 0;
  for (const [, block = ''] of readFileSync(file, 'utf8').matchAll(/```console\n([\s\S]*?)```/g)) {
    for (const step of block.split(/^\$ /m).slice(1)) {
      const [command = '', ...lines] = step.split('\n');
      const script = `taskgate() { node ${path.resolve('dist/main.js')} "$@"; }; ${command.replace(VARYING, (token) => actual.get(token) ?? token)}`;
      const { stdout } = await promisify(execFile)('bash', ['-c', script], { env, cwd: folder }).catch(
        (error) => error,
      );
      const expected = lines.join('\n');
      expect(stdout.replace(VARYING, '*'), command).toBe(expected.replace(VARYING, '*'));
      const seen = stdout.match(VARYING) ?? [];
      for (const [index, token] of (expected.match(VARYING) ?? []).entries()) actual.set(token, seen[index] ?? '');
      if (command.includes('python3')) await settled?.();
      commands += 1;
    }
  }
  return commands;
}

it('docs/keys.md shows what the command prints', async () => {
  const env = {
    PATH: process.env['PATH'],
    DATABASE_URL: `file:${folder}/docs.db`,
    TASKGATE_BOOTSTRAP_KEY: generateKey('LIVE'),
  };
  expect(await runTranscript('docs/keys.md', { actual: new Map(), env })).toBeGreaterThan(8);
});

describe('docs/least-privilege.md', () => {
  const file = 'docs/least-privilege.md';
  const text = readFileSync(file, 'utf8');
  const blockOf = (language: string) => new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(text)?.[1] ?? '';
  const key = generateKey('LIVE');
  const values = {
    DATABASE_URL: `file:${folder}/least.db`,
    TASKGATE_BOOTSTRAP_KEY: key,
    TASKGATE_SAMPLE_DATA: 'true',
    PATH: process.env['PATH'] ?? '',
  };

  it('shows what the commands print', { timeout: 120_000 }, async () => {
    writeFileSync(path.join(folder, 'report.py'), blockOf('python'));
    const server = await serve(values);
    const env = { ...values, TASKGATE_URL: server.url };
    const commands = { actual: new Map<string, string>(), env, settled: () => pause(1500) };
    expect(await runTranscript(file, commands)).toBeGreaterThan(12);
    server.child.kill();
    await server.exited;
  });

  it('has operations that run', async () => {
    const server = await serve(values);
    const document = blockOf('graphql');
    const names = [...document.matchAll(/^(?:query|mutation) (\w+)/gm)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(5);
    const ask = async (operationName: string, variables: object, by = key) => {
      const answer = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: { authorization: `Bearer ${by}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query: document, operationName, variables }),
      });
      const { data, errors } = (await answer.json()) as {
        data: Record<string, Record<string, unknown>>;
        errors?: object;
      };
      expect([operationName, errors]).toEqual([operationName, undefined]);
      return data;
    };
    const { createApiKey } = await ask('Mint', { documents: ['query Titles { tasks { nodes { title } } }'] });
    expect(createApiKey).toMatchObject({ operations: [{ name: 'Titles', scopes: ['tasks:read'] }] });
    const asking = await run(['keys', 'create', '--name', 'Agent', '--scopes', 'tasks:read', '--json'], values);
    const agent = JSON.parse(asking.stdout) as { id: string; key: string };
    const { requestScopes } = await ask('Ask', {}, agent.key);
    const { scopeGrant } = requestScopes as { scopeGrant: { id: string } };
    expect(await ask('Approve', { id: scopeGrant.id })).toMatchObject({
      approveGrant: { scopeGrant: { status: 'ACTIVE' } },
    });
    const others = names.filter((name) => !['Mint', 'Ask', 'Approve'].includes(name));
    for (const name of others) await ask(name, { id: agent.id });
    server.child.kill();
    await server.exited;
  });

  it('has the table of roles', () => {
    const rows = [...text.matchAll(/^\| `([A-Z]+)` +\| (.*) \|$/gm)].map(([, role, scopes = '']) => [
      role,
      scopes.replaceAll('`', '').split(' '),
    ]);
    expect(Object.fromEntries(rows)).toEqual(ROLE_GRANTS);
  });
});

describe('docs/dashboard.md', () => {
  const text = readFileSync('docs/dashboard.md', 'utf8');

  it('shows what the command prints, and an operation that runs; who was let in signs in, with a new password too', async () => {
    const [, command = '', printed = ''] = /\$ taskgate (invitations .*)\n([\s\S]*?)```/.exec(text) ?? [];
    const key = generateKey('LIVE');
    const server = await serve({
      DATABASE_URL: `file:${folder}/dashboard.db`,
      TASKGATE_BOOTSTRAP_KEY: key,
      SIGNUP: 'invite',
    });
    const values = { DATABASE_URL: `file:${folder}/dashboard.db`, PORT: '4000' };
    const { stdout } = await run(command.split(' '), values);
    expect(stdout.replace(/#\S+/, '#...')).toBe(printed);
    const post = async (path: string, body: object) =>
      fetch(server.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const account = { name: 'Ada', email: 'ada@example.com', password: 'a hedgehog in the rain' };
    const invitation = /#(\S+)/.exec(stdout)?.[1];
    expect((await post('/api/auth/sign-up/email', { ...account, invitation })).status).toBe(200);
    const reset = await run(['accounts', 'reset-password', 'Ada@example.com', '--json'], values);
    const { password } = JSON.parse(reset.stdout) as { password: string };
    expect((await post('/api/auth/sign-in/email', account)).status).toBe(401);
    expect((await post('/api/auth/sign-in/email', { ...account, password })).status).toBe(200);
    expect((await run(['accounts', 'reset-password', 'nobody@example.com'], values)).code).toBe(1);
    const [, query = ''] = /```graphql\n([\s\S]*?)```/.exec(text) ?? [];
    const answer = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ query }),
    });
    expect(await answer.json()).toMatchObject({ data: { inviteUser: { invitation: { role: 'MEMBER' } } } });
    server.child.kill();
    await server.exited;
  });
});

it('docs/oauth.md has an application that gets its tokens', async () => {
  const text = readFileSync('docs/oauth.md', 'utf8');
  const key = generateKey('LIVE');
  const server = await serve({
    ...{ DATABASE_URL: `file:${folder}/oauth.db`, TASKGATE_BOOTSTRAP_KEY: key, OAUTH_REGISTRATION: 'key' },
  });
  let cookie = '';
  const post = async (path: string, body: object, headers: Record<string, string> = {}) => {
    const answer = await fetch(server.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie, ...headers },
      body: JSON.stringify(body),
    });
    cookie ||= answer.headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .join('; ');
    return answer.json();
  };
  await post('/api/auth/sign-up/email', { name: 'Ada', email: 'ada@example.com', password: 'a hedgehog in the rain' });
  const [, query = ''] = /```graphql\n([\s\S]*?)```/.exec(text) ?? [];
  const { data } = await post('/graphql', { query }, { authorization: `Bearer ${key}` });
  const { clientSecret, oauthApp } = data.createOauthApp;
  const [begin = '', redeem = '', register = ''] = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, one]) => one);
  const env = {
    ...{ PATH: process.env['PATH'], TASKGATE_URL: server.url, TASKGATE_KEY: key },
    ...{ CLIENT_ID: oauthApp.id, CLIENT_SECRET: clientSecret },
  };
  const shell = async (script: string, more = {}) =>
    (await promisify(execFile)('bash', ['-c', script], { env: { ...env, ...more } })).stdout;
  const [address = '', verifier = ''] = (await shell(`${begin}\necho "$VERIFIER"`)).split('\n');
  const allow = { request: new URL(address).search.slice(1), scopes: ['tasks:read'] };
  const { redirectTo } = await post('/api/account/authorization/allow', allow);
  const tokens = await shell(redeem, { CODE: new URL(redirectTo).searchParams.get('code') ?? '', VERIFIER: verifier });
  const registered = JSON.parse(await shell(register));
  expect(registered).toMatchObject({ client_name: 'Planner', token_endpoint_auth_method: 'none', scope: 'tasks:read' });
  expect(JSON.parse(tokens)).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'tasks:read' });
  server.child.kill();
  await server.exited;
});

it.each(['docs/architecture.md', 'CONTRIBUTING.md'])('%s names files that there are', (file) => {
  const names = [...readFileSync(file, 'utf8').matchAll(/`((?:src|test|prisma|docs|scripts)\/[\w./-]*\w)`/g)];
  expect(names.length).toBeGreaterThan(2);
  for (const [, name = ''] of names) expect(existsSync(name), name).toBe(true);
});
