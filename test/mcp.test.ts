/** The tools of the Model Context Protocol, as its official client uses them. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request as forward, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KeyRequest } from '../src/keys/rules.js';
import type { Tool } from '../src/mcp/tool.js';
import { tools, toolsByName } from '../src/mcp/tools.js';
import type { Operation } from '../src/operations/document.js';
import { describeOperation, pinned } from '../src/operations/keyOperations.js';
import { run } from './support/process.js';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ CORS_ORIGINS: 'https://app.example.com' });
});
const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});
afterAll(() => server.stop());

async function connect(key: string, mode: 'auto' | 'legacy' = 'auto'): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
  const headers = { authorization: `Bearer ${key}` };
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', server.origin), { requestInit: { headers } }));
  clients.push(client);
  return client;
}

const tenant = () => ({ workspaceId: server.workspace.id, environment: 'LIVE' as const });
const projectOf = async (name: string) => (await server.system.project.create({ data: { ...tenant(), name } })).id;
let numbers = 1_000_000;
const taskOf = async (title: string, projectId: string | null = null) => {
  numbers += 1;
  return (await server.system.task.create({ data: { ...tenant(), title, projectId, number: numbers } })).id;
};
const keyWith = async (scopes: string[], request: Partial<KeyRequest>) =>
  (await server.createKey(scopes, 'LIVE', request)).key;

const namesOf = async (client: Client) => (await client.listTools()).tools.map(({ name }) => name);
const call = (client: Client, name: string, given: Record<string, unknown> = {}) =>
  client.callTool({ name, arguments: given });

interface Failure {
  readonly error: { readonly code: string; readonly message: string } & Record<string, unknown>;
}

/** What a tool says went wrong. */
async function failureOf(client: Client, name: string, given: Record<string, unknown> = {}): Promise<Failure['error']> {
  const { isError, content, structuredContent } = await call(client, name, given);
  expect([isError, structuredContent]).toEqual([true, undefined]);
  const [part] = content as { text: string }[];
  return (JSON.parse(part?.text ?? '') as Failure).error;
}

const post = (body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${server.origin}/mcp`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: `Bearer ${server.adminKey}`,
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const message = (method: string, params: object = {}, id: number = 1) => ({ jsonrpc: '2.0', id, method, params });

describe.each(['auto', 'legacy'] as const)('the official client, with its negotiation of versions %s', (mode) => {
  it('speaks its revision, lists what the key may call, and calls it', async () => {
    const client = await connect(server.adminKey, mode);
    expect(client.getNegotiatedProtocolVersion()).toBe(mode === 'auto' ? '2026-07-28' : '2025-11-25');
    expect(client.getServerVersion()).toMatchObject({ name: 'taskgate' });
    expect(await namesOf(client)).toEqual(tools.map(({ name }) => name));
    const made = await call(client, 'create_task', { title: `By a tool, ${mode}`, tags: ['mcp'], priority: 'HIGH' });
    expect(made.structuredContent).toMatchObject({ task: { title: `By a tool, ${mode}`, priority: 'HIGH' } });
    expect(JSON.parse((made.content as { text: string }[])[0]?.text ?? '')).toEqual(made.structuredContent);
    const { id } = (made.structuredContent as { task: { id: string } }).task;
    const { task } = (await call(client, 'update_task', { id, status: 'DONE', priority: 'LOW' })).structuredContent as {
      task: object;
    };
    expect(task).toMatchObject({ id, status: 'DONE', priority: 'LOW', tags: ['mcp'] });
    const found = (await call(client, 'search_tasks', { text: `tool, ${mode}` })).structuredContent;
    expect(found).toMatchObject({ tasks: [{ id }], nextCursor: null });
    const listed = await call(client, 'list_tasks', { tag: 'mcp', status: ['DONE'], limit: 50 });
    expect((listed.structuredContent as { tasks: object[] }).tasks).toContainEqual(expect.objectContaining({ id }));
    expect((await call(client, 'delete_task', { id })).structuredContent).toEqual({ deletedTaskId: id });
    expect(await failureOf(client, 'get_task', { id })).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('goes from page to page', async () => {
    const key = await server.key(['tasks:read', 'tasks:write']);
    const client = await connect(key, mode);
    const tag = `pages-${mode}`;
    for (const title of ['a', 'b', 'c']) await call(client, 'create_task', { title, tags: [tag] });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const { structuredContent } = await call(client, 'list_tasks', { tag, limit: 2, ...(cursor && { cursor }) });
      const page = structuredContent as { tasks: { title: string }[]; nextCursor: string | null };
      seen.push(...page.tasks.map(({ title }) => title));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toEqual(['c', 'b', 'a']);
  });
});

describe('the reach of a key', () => {
  it('decides which tools there are', async () => {
    const ofAll = ['whoami', 'request_scopes'];
    expect(await namesOf(await connect(await server.key([])))).toEqual(ofAll);
    expect(await namesOf(await connect(await server.key(['tasks:read'])))).toEqual([
      ...['whoami', 'list_tasks', 'search_tasks', 'get_task', 'list_comments', 'request_scopes'],
    ]);
    expect(await namesOf(await connect(await server.key(['projects:write'])))).toEqual([
      ...['whoami', 'create_project', 'update_project', 'request_scopes'],
    ]);
    expect(await namesOf(await connect(await server.key(['keys:read'])))).toEqual([
      ...['whoami', 'review_keys', 'request_scopes'],
    ]);
  });

  it('is the same when it calls one that it does not see, as at GraphQL', async () => {
    const client = await connect(await server.key(['tasks:read']));
    const refused = await failureOf(client, 'create_task', { title: 'Refused' });
    expect(refused).toMatchObject({ code: 'FORBIDDEN', missingScopes: ['tasks:write'] });
    expect(await failureOf(client, 'list_projects')).toMatchObject({
      ...{ code: 'FORBIDDEN', missingScopes: ['projects:read'] },
    });
  });

  it('ends at its projects', async () => {
    const [own, other] = [await projectOf('Own'), await projectOf('Other')];
    const secret = await taskOf('Of the other', other);
    const client = await connect(await keyWith(['tasks:read', 'tasks:write', 'projects:read'], { projects: [own] }));
    await call(client, 'create_task', { title: 'Of its own', projectId: own });
    const { structuredContent } = await call(client, 'list_tasks', {});
    expect((structuredContent as { tasks: object[] }).tasks).toEqual([
      expect.objectContaining({ title: 'Of its own', projectId: own }),
    ]);
    expect((await call(client, 'search_tasks', { text: 'other' })).structuredContent).toMatchObject({ tasks: [] });
    expect(await failureOf(client, 'get_task', { id: secret })).toMatchObject({ code: 'NOT_FOUND' });
    const moved = await failureOf(client, 'create_task', { title: 'There', projectId: other });
    expect(moved).toMatchObject({ code: 'NOT_FOUND' });
    expect((await call(client, 'list_projects')).structuredContent).toMatchObject({ projects: [{ id: own }] });
  });

  it('is the operations that it is locked to, with the values that they are pinned to', async () => {
    const project = await projectOf('Pinned');
    const list = toolsByName.get('list_tasks')?.operation as Operation;
    const operations = pinned([describeOperation(list)], [{ variable: 'filter.projectId.eq', value: project }]);
    const client = await connect(await keyWith(['tasks:read'], { operations: { operations, lock: true } }));
    expect(await namesOf(client)).toEqual(['list_tasks']);
    await taskOf('Elsewhere');
    await taskOf('Here', project);
    const { structuredContent } = await call(client, 'list_tasks');
    expect(structuredContent).toMatchObject({ tasks: [{ title: 'Here' }], nextCursor: null });
    expect(await failureOf(client, 'list_tasks', { projectId: await projectOf('No') })).toMatchObject({
      ...{ code: 'FORBIDDEN', locked: true, pinned: 'filter.projectId.eq' },
    });
    expect(await failureOf(client, 'get_task', { id: 'x' })).toMatchObject({ code: 'FORBIDDEN', locked: true });
    expect(await failureOf(client, 'whoami')).toMatchObject({ code: 'FORBIDDEN', locked: true });
  });

  it('grows for a while when it asks and is granted', async () => {
    const client = await connect(await server.key(['tasks:read']));
    const asked = await call(client, 'request_scopes', { scopes: ['tasks:write'], reason: 'To note it', minutes: 5 });
    const { scopeGrant } = asked.structuredContent as { scopeGrant: { id: string; status: string } };
    expect(scopeGrant.status).toBe('PENDING');
    expect(await namesOf(client)).not.toContain('create_task');
    const approve = 'mutation ($id: ID!) { approveGrant(input: { id: $id }) { scopeGrant { status } } }';
    expect((await server.gql(approve, { id: scopeGrant.id })).errors).toBeUndefined();
    expect(await namesOf(await connect(await server.key(['tasks:read'])))).not.toContain('create_task');
    expect((await client.listTools(undefined, { cacheMode: 'refresh' })).tools.map(({ name }) => name)).toContain(
      'create_task',
    );
    const { structuredContent } = await call(client, 'whoami');
    expect(structuredContent).toMatchObject({ grants: [{ id: scopeGrant.id, status: 'ACTIVE' }] });
  });
});

describe('a tool', () => {
  it('says whether it reads, overwrites or adds', async () => {
    const { tools: listed } = await (await connect(server.adminKey)).listTools();
    const hints = new Map(listed.map(({ name, annotations }) => [name, annotations]));
    expect(hints.get('list_tasks')).toMatchObject({ readOnlyHint: true, openWorldHint: false });
    expect(hints.get('create_task')).toMatchObject({
      readOnlyHint: false,
      destructiveHint: false,
      idempotentHint: false,
    });
    expect(hints.get('delete_task')).toMatchObject({
      readOnlyHint: false,
      destructiveHint: true,
      idempotentHint: true,
    });
    for (const { name, inputSchema, description } of listed) {
      expect([name, inputSchema.type, inputSchema['additionalProperties'], Boolean(description)]).toEqual([
        ...[name, 'object', false, true],
      ]);
    }
  });

  it('refuses arguments that it does not know or that are wrong, all at once, and does nothing', async () => {
    const client = await connect(server.adminKey);
    const { totalCount: before } = (await server.gql('{ tasks { totalCount } }')).data.tasks;
    const refused = await failureOf(client, 'create_task', { titel: 'x', status: 'LATER' });
    expect(refused).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(Object.keys(refused['fields'] as object).sort()).toEqual(['arguments', 'status', 'title']);
    expect(await failureOf(client, 'list_tasks', { limit: 51 })).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(await failureOf(client, 'create_task', { title: 'a\u0000b' })).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(await failureOf(client, 'create_task', { title: ' ' })).toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(await failureOf(client, 'create_task', { title: 'x', dueDate: 'soon' })).toMatchObject({
      code: 'BAD_USER_INPUT',
    });
    await expect(call(client, 'drop_tables')).rejects.toThrow('There is no tool "drop_tables"');
    expect((await server.gql('{ tasks { totalCount } }')).data.tasks.totalCount).toBe(before);
  });

  it('is noted as every operation is', async () => {
    const client = await connect(server.adminKey);
    const { structuredContent } = await call(client, 'create_task', { title: 'Audited' });
    const { id } = (structuredContent as { task: { id: string } }).task;
    const { data } = await server.gql('{ auditLog(first: 1) { nodes { action targetId } } }');
    expect(data.auditLog.nodes).toEqual([{ action: 'task.create', targetId: id }]);
  });
});

describe('taskgate mcp', () => {
  const start = (values: Record<string, string>, mode: 'auto' | 'legacy' = 'auto') => {
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
    clients.push(client);
    const args = ['dist/main.js', 'mcp', '--url', server.origin];
    const transport = new StdioClientTransport({ command: process.execPath, args, env: values, stderr: 'ignore' });
    return client.connect(transport).then(() => client);
  };

  it.each(['auto', 'legacy'] as const)('serves the same over standard input and output: %s', async (mode) => {
    const client = await start({ TASKGATE_KEY: await server.key(['tasks:read', 'tasks:write']) }, mode);
    expect(client.getServerVersion()).toMatchObject({ name: 'taskgate' });
    expect(await namesOf(client)).toContain('create_task');
    const { structuredContent } = await call(client, 'create_task', { title: 'From a desktop' });
    expect(structuredContent).toMatchObject({ task: { title: 'From a desktop' } });
    expect(await failureOf(client, 'list_projects')).toMatchObject({ code: 'FORBIDDEN' });
  });

  it('ends and says why, where the key or the server is not there', async () => {
    const ended = async (key: string, url: string) => run(['mcp', '--url', url], { TASKGATE_KEY: key });
    expect(await ended('', server.origin)).toMatchObject({ code: 1, stderr: expect.stringContaining('TASKGATE_KEY') });
    expect(await ended('sk_live_no', server.origin)).toMatchObject({
      ...{ code: 1, stderr: `${server.origin} does not know the key in TASKGATE_KEY.\n` },
    });
    expect(await ended('x', 'http://127.0.0.1:1')).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('http://127.0.0.1:1/mcp cannot be reached') },
    });
  });
});

describe('the conformance suite of the specification', () => {
  let proxy: Server;
  let address: string;
  beforeAll(async () => {
    // The suite sends no key.
    proxy = createServer((request, response) => {
      const headers = { ...request.headers, authorization: `Bearer ${server.adminKey}` };
      const passed = forward(`${server.origin}${request.url}`, { method: request.method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      request.pipe(passed);
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/mcp`;
  });
  afterAll(() => proxy.close());

  // The others call tools, prompts and resources of a server that is made for them.
  it.each(['server-initialize', 'ping', 'tools-list', 'dns-rebinding-protection'])('%s', async (scenario) => {
    const suite = 'node_modules/@modelcontextprotocol/conformance/dist/index.js';
    const args = ['--import', './test/support/conformance.mjs', suite, 'server', '--url', address];
    const { stdout } = await promisify(execFile)(process.execPath, [...args, '--scenario', scenario]).catch(
      (error) => error,
    );
    expect(stdout).toMatch(/Passed: [1-9]\d*\/[1-9]\d*, 0 failed, 0 warnings/);
  });
});

it('docs/mcp.md has the tools', () => {
  const rows = [...readFileSync('docs/mcp.md', 'utf8').matchAll(/^\| `(\w+)` +\| (.*?) +\| (.*?) +\|$/gm)];
  const does = ({ annotations }: Tool['listed']) =>
    annotations?.readOnlyHint ? 'reads' : annotations?.destructiveHint ? 'overwrites or deletes' : 'adds';
  expect(rows.map(([, name, scopes, what]) => [name, scopes, what])).toEqual(
    tools.map(({ name, operation, listed }) => [
      name,
      operation.scopes.map((scope) => `\`${scope}\``).join(' '),
      does(listed),
    ]),
  );
});

describe('the endpoint', () => {
  it('tells clients without a key where to find out about keys', async () => {
    const answer = await post(message('tools/list'), { authorization: '' });
    expect(answer.status).toBe(401);
    const address = `${server.origin}/.well-known/oauth-protected-resource/mcp`;
    expect(answer.headers.get('www-authenticate')).toBe(`Bearer resource_metadata="${address}"`);
    const expired = await post(message('tools/list'), { authorization: 'Bearer at_live_nothing' });
    expect(expired.headers.get('www-authenticate')).toBe(
      `Bearer error="invalid_token", resource_metadata="${address}"`,
    );
    const resource = (await (await fetch(address)).json()) as { authorization_servers: string[] };
    expect(resource).toMatchObject({ resource: `${server.origin}/mcp`, bearer_methods_supported: ['header'] });
    const issuer = resource.authorization_servers[0] ?? '';
    const about = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();
    expect(about).toMatchObject({ issuer, token_endpoint: `${issuer}/api/auth/oauth2/token` });
  });

  it('takes the access token of a key, with the scopes of the token', async () => {
    const {
      key,
      apiKey: { id },
    } = await server.createKey(['tasks:read', 'tasks:write']);
    const form = { grant_type: 'client_credentials', client_id: id, client_secret: key, scope: 'tasks:read' };
    const answer = await fetch(`${server.origin}/api/auth/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams(form),
    });
    const { access_token: token } = (await answer.json()) as { access_token: string };
    expect(await namesOf(await connect(token))).not.toContain('create_task');
  });

  it('charges each message a request, and refuses what is too many', async () => {
    const key = await keyWith(['tasks:read'], { ratePerMinute: 12, ratePerHour: 12 });
    const headers = { authorization: `Bearer ${key}` };
    const remaining = (answer: Response) => Number(answer.headers.get('x-ratelimit-remaining'));
    const listing = message('tools/call', { name: 'list_tasks', arguments: {} });
    expect(remaining(await post(listing, headers))).toBe(11);
    expect(remaining(await post('{', headers))).toBe(10);
    const batch = [1, 2, 3].map((id) => message('tools/call', { name: 'whoami', arguments: {} }, id));
    expect(remaining(await post(batch, headers))).toBe(7);
    const large = Array.from({ length: 11 }, (_, id) => listing && message('ping', {}, id));
    expect((await post(large, headers)).status).toBe(400);
    for (let left = 6; left > 0; left -= 1) await post(listing, headers);
    expect((await post(listing, headers)).status).toBe(429);
  });

  it('is for messages of the protocol alone', async () => {
    const answers = [
      await post('[]'),
      await post('not JSON'),
      await post('{"jsonrpc":"2.0"}'),
      await post(message('tools/list'), { 'content-type': 'text/plain' }),
      await fetch(`${server.origin}/mcp`, { headers: { authorization: `Bearer ${server.adminKey}` } }),
      await fetch(`${server.origin}/mcp`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${server.adminKey}` },
      }),
      await post(message('tools/list'), { origin: 'https://evil.example.com' }),
      await post(message('tools/list'), { 'content-encoding': 'gzip' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 415, 405, 405, 403, 415]);
    for (const origin of ['https://app.example.com', 'http://localhost:6274']) {
      expect((await post(message('tools/list'), { origin })).status).toBe(200);
    }
    expect((await post(message('tools/call', { name: 'list_tasks', arguments: [] }))).status).toBe(200);
    const listening = await post(message('resources/list'));
    expect(await listening.text()).toContain('Method not found');
  });
});
