/** Ways that were tried to get more out of a key than it was given. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillTenant } from '../support/factories.js';
import { type GraphQLAnswer, startTestServer, type TestServer } from '../support/server.js';
import { pass, subscribe, until } from '../support/stream.js';

let server: TestServer;
let inside: Awaited<ReturnType<typeof fillTenant>>;
let outside: Awaited<ReturnType<typeof fillTenant>>;

beforeAll(async () => {
  server = await startTestServer();
  inside = await fillTenant(server.system, server.workspace.id, 'LIVE');
  outside = await fillTenant(server.system, server.workspace.id, 'LIVE');
});
afterAll(() => server.stop());

const codes = ({ errors }: GraphQLAnswer) => errors?.map(({ extensions }) => extensions['code']);
/** Runs a mutation by its input. @param by a fresh administrator, where nobody is named */
async function run(field: string, input: object, by?: string, shown = '__typename'): Promise<GraphQLAnswer> {
  const type = `${field.charAt(0).toUpperCase()}${field.slice(1)}Input`;
  const document = `mutation ($input: ${type}!) { ${field}(input: $input) { ${shown} } }`;
  return server.gql(document, { input }, by ?? (await server.key(['admin:*'])));
}
interface Made {
  readonly id: string;
  readonly key: string;
}
async function make(input: object, by?: string): Promise<Made> {
  const answer = await run('createApiKey', { name: 'k', ...input }, by, 'key apiKey { id }');
  if (answer.errors) throw new Error(JSON.stringify(answer.errors));
  const { key, apiKey } = answer.data.createApiKey;
  return { key, id: apiKey.id };
}
async function userOf(role: string): Promise<string> {
  const tenant = { workspaceId: server.workspace.id, environment: 'LIVE' as const };
  const data = { ...tenant, name: 'U', email: `${randomUUID()}@example.com`, role: role as 'VIEWER' };
  return (await server.system.user.create({ data })).id;
}
async function granted(to: Made, scopes: string[], by?: string, minutes = 5): Promise<string> {
  const asked = await run('requestScopes', { scopes, reason: 'r', minutes }, to.key, 'scopeGrant { id }');
  const { id } = asked.data.requestScopes.scopeGrant;
  const answer = await run('approveGrant', { id }, by);
  if (answer.errors) throw new Error(JSON.stringify(answer.errors));
  return id;
}
const createTask = (by: string, more: object = {}) => run('createTask', { title: 'x', ...more }, by);

describe('roles', () => {
  it('are not changed by a key that is bound to projects, whose reach is another', async () => {
    const user = await userOf('VIEWER');
    const acting = await make({ scopes: ['tasks:*', 'projects:*'], actsAs: user });
    const bound = await make({ scopes: ['users:read', 'users:write', 'tasks:*'], projects: [inside.projectId] });
    expect(codes(await run('updateUser', { id: user, role: 'MANAGER' }, bound.key))).toEqual(['FORBIDDEN']);
    expect(codes(await run('updateUser', { id: user, name: 'Still' }, bound.key))).toBeUndefined();
    expect(codes(await createTask(acting.key))).toEqual(['FORBIDDEN']);
  });

  it('are not raised by what was granted for a while', async () => {
    const user = await userOf('VIEWER');
    await make({ scopes: ['tasks:*'], actsAs: user });
    const caller = await make({ scopes: ['users:read', 'users:write'] });
    await granted(caller, ['tasks:*']);
    expect(codes(await createTask(caller.key))).toBeUndefined();
    expect(codes(await run('updateUser', { id: user, role: 'MEMBER' }, caller.key))).toEqual(['FORBIDDEN']);
  });
});

describe('operations that end', () => {
  const OLD = 'query Old { users(first: 5) { nodes { email } } }';
  const NEW = 'query New { users { totalCount } }';
  const LOCK = 'mutation Lock($input: LockApiKeyInput!) { lockApiKey(input: $input) { applied } }';
  const MINT = 'mutation Mint($input: CreateApiKeyInput!) { createApiKey(input: $input) { key } }';

  it('are made lasting by nobody who has them for a while', async () => {
    const key = await make({ operations: { documents: [OLD, NEW, LOCK, MINT], lock: true } });
    const next = { id: key.id, documents: [NEW, LOCK, MINT], gracePeriod: 600 };
    expect(codes(await run('lockApiKey', next))).toBeUndefined();
    expect((await server.gql(OLD, {}, key.key)).errors).toBeUndefined();
    const child = { name: 'c', operations: { documents: [OLD], lock: true } };
    expect(codes(await server.gql(MINT, { input: child }, key.key))).toEqual(['FORBIDDEN']);
    const own = { id: key.id, documents: [OLD, NEW, LOCK, MINT] };
    expect(codes(await server.gql(LOCK, { input: own }, key.key))).toEqual(['FORBIDDEN']);
    const lasting = { name: 'c', operations: { documents: [NEW], lock: true } };
    expect(codes(await server.gql(MINT, { input: lasting }, key.key))).toBeUndefined();
  });

  it('do not come back when a key that was unlocked is locked again', async () => {
    const key = await make({ operations: { documents: [OLD], lock: true } });
    await run('updateApiKey', { id: key.id, locked: false });
    await run('lockApiKey', { id: key.id, documents: [NEW] });
    expect((await server.gql(NEW, {}, key.key)).errors).toBeUndefined();
    expect(codes(await server.gql(OLD, {}, key.key))).toEqual(['FORBIDDEN']);
  });

  it('of a successor are not those of the key that was rotated', async () => {
    const first = await make({ operations: { documents: [NEW], lock: true } });
    const rotated = await run('rotateApiKey', { id: first.id, gracePeriod: 600 }, undefined, 'key apiKey { id }');
    const second = rotated.data.rotateApiKey;
    expect(codes(await run('lockApiKey', { id: second.apiKey.id, documents: [OLD] }))).toBeUndefined();
    expect((await server.gql(OLD, {}, second.key)).errors).toBeUndefined();
    expect((await server.gql(NEW, {}, first.key)).errors).toBeUndefined();
    expect(codes(await server.gql(OLD, {}, first.key))).toEqual(['FORBIDDEN']);
  });

  it('are those of an open stream, with the values that it has now', async () => {
    const document = 'subscription Watch($p: ID) { taskChanged(projectId: $p) { taskId } }';
    const pinTo = (value: string) => ({ documents: [document], pins: [{ variable: 'p', value }] });
    const key = await make({ operations: { ...pinTo(outside.projectId), lock: true } });
    const stream = await subscribe(server, key.key, document);
    await pass(300);
    await run('lockApiKey', { id: key.id, ...pinTo(inside.projectId), gracePeriod: 0 });
    await run('updateTask', { id: outside.taskId, title: 'Not for it' });
    await until(() => stream.events.some(({ errors }) => errors !== undefined));
    expect(stream.events.map(({ data, errors }) => [data ?? null, errors?.[0]?.extensions['code']])).toEqual([
      [null, 'FORBIDDEN'],
    ]);
    stream.stop();
  });
});

describe('scopes for a while', () => {
  it('end when what they were approved for changes', async () => {
    const approver = await make({ scopes: ['keys:read', 'keys:write', 'tasks:*'], projects: [inside.projectId] });
    const key = await make({ scopes: ['tasks:read'] }, approver.key);
    await granted(key, ['tasks:write'], approver.key);
    expect(codes(await createTask(key.key, { projectId: inside.projectId }))).toBeUndefined();
    const wider = await make({ scopes: ['keys:read', 'keys:write', 'tasks:read'] });
    expect(codes(await run('updateApiKey', { id: key.id, projects: null }, wider.key))).toBeUndefined();
    for (const projectId of [inside.projectId, outside.projectId]) {
      expect(codes(await createTask(key.key, { projectId }))).toEqual(['FORBIDDEN']);
    }
    const events = await server.system.auditEvent.findMany({
      where: { targetId: key.id, action: 'api_key.end_grant' },
    });
    expect(events).toHaveLength(1);
  });

  it('end with the narrowing of the key', async () => {
    const key = await make({ scopes: ['tasks:read', 'projects:read'] });
    await granted(key, ['tasks:write']);
    await run('updateApiKey', { id: key.id, scopes: ['projects:read'] });
    expect(codes(await createTask(key.key))).toEqual(['FORBIDDEN']);
    // What says nothing of its reach leaves them.
    const other = await make({ scopes: ['tasks:read'] });
    await granted(other, ['tasks:write']);
    await run('updateApiKey', { id: other.id, name: 'Another' });
    expect(codes(await createTask(other.key))).toBeUndefined();
  });
});

describe('an answer that is kept', () => {
  const send = async (key: string, body: object) => {
    const answer = await server.post(JSON.stringify(body), key, { 'idempotency-key': 'once' });
    return { status: answer.status, text: await answer.text() };
  };

  it('is not given again to a key that reaches less, or runs something else', async () => {
    const key = await make({ scopes: ['tasks:read', 'tasks:write'] });
    const query = 'mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { id title } } }';
    const body = { query, variables: { input: { title: 'Of another project', projectId: outside.projectId } } };
    expect(await send(key.key, body)).toMatchObject({ status: 200 });
    expect((await send(key.key, body)).text).toContain('Of another project');
    await run('updateApiKey', { id: key.id, projects: [inside.projectId] });
    const replayed = await send(key.key, body);
    expect([replayed.status, replayed.text.includes('Of another')]).toEqual([409, false]);

    const free = await make({ scopes: ['tasks:write'] });
    const made = { query: 'mutation { createTask(input: { title: "Once" }) { task { title } } }' };
    await send(free.key, made);
    const other = 'mutation Done($id: ID!) { updateTask(input: { id: $id, status: DONE }) { task { id } } }';
    await run('lockApiKey', { id: free.id, documents: [other], gracePeriod: 0 });
    expect((await send(free.key, made)).text).not.toContain('Once');
  });
});

describe('a key that is bound to projects', () => {
  it('is not told where a task went by asking for what happens there', async () => {
    const key = await make({ scopes: ['tasks:*', 'projects:read'], projects: [inside.projectId] });
    const streamOf = (projectId: string) =>
      subscribe(server, key.key, `subscription { taskChanged(projectId: "${projectId}") { taskId } }`);
    const [here, there] = [await streamOf(inside.projectId), await streamOf(outside.projectId)];
    await pass(300);
    await run('updateTask', { id: inside.otherTaskId, projectId: outside.projectId });
    await until(() => here.events.length > 0);
    await pass(300);
    expect([here.events.length, there.events.length]).toEqual([1, 0]);
    await run('updateTask', { id: inside.otherTaskId, projectId: inside.projectId });
    here.stop();
    there.stop();
  });

  it('hears of a task beyond it the same, whether that blocks one of its own or not', async () => {
    const key = await make({ scopes: ['tasks:*'], projects: [inside.projectId] });
    const tie = (taskId: string, targetTaskId: string, by?: string) =>
      run('createTaskRelationship', { type: 'BLOCKS', taskId, targetTaskId }, by);
    await tie(outside.taskId, inside.taskId);
    for (const target of [outside.taskId, outside.otherTaskId, randomUUID()]) {
      expect(codes(await tie(inside.taskId, target, key.key))).toEqual(['NOT_FOUND']);
    }
  });
});

it('suggestions of documents that do not run are of the schema that the key is shown', async () => {
  const key = await make({ scopes: ['keys:read', 'keys:write'] });
  const document = '{ auditLogg { totalCount } }';
  const answers = await Promise.all([
    server.gql('query ($d: String!) { viewer { apiKey { can(document: $d) { missing } } } }', { d: document }, key.key),
    server.gql('query ($d: String!) { whoCan(document: $d) { totalCount } }', { d: document }, key.key),
    run('createApiKey', { name: 'x', operations: { documents: [document] } }, key.key),
    run('lockApiKey', { id: key.id, documents: [document], dryRun: true }, key.key),
  ]);
  for (const answer of answers) {
    expect(codes(answer)).toEqual(['BAD_USER_INPUT']);
    expect(JSON.stringify(answer)).toContain('auditLogg');
    expect(JSON.stringify(answer)).not.toContain('Did you mean');
  }
});

it('what was taken from a key is not given back once it was locked, nor told to who does not hold it', async () => {
  const { system } = server;
  const key = await make({ scopes: ['tasks:*', 'projects:*'] });
  for (let i = 0; i < 25; i += 1) await server.gql('{ tasks { totalCount } }', {}, key.key);
  await server.flushUsage();
  expect((await run('tightenApiKey', { id: key.id }, undefined, 'applied')).data.tightenApiKey.applied).toBe(true);
  const narrow = await make({ scopes: ['keys:read', 'keys:write', 'tasks:read'] });
  const refused = await run('loosenApiKey', { id: key.id }, narrow.key);
  expect(codes(refused)).toEqual(['FORBIDDEN']);
  expect(JSON.stringify(refused.errors)).not.toContain('projects:');
  const document = 'query Read { tasks { totalCount } }';
  await run('lockApiKey', { id: key.id, documents: [document], gracePeriod: 0 });
  expect(codes(await run('loosenApiKey', { id: key.id }))).toEqual(['CONFLICT']);
  expect((await system.apiKey.findUniqueOrThrow({ where: { id: key.id } })).scopes).toBe('tasks:read');
});
