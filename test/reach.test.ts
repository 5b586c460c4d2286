/** Keys that are bound to projects, that act as a user, and that are locked to operations: what they reach, and hand on. */
import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorkspace, fillTenant } from './support/factories.js';
import { type GraphQLAnswer, startTestServer, type TestServer } from './support/server.js';
import { pass, subscribe, until } from './support/stream.js';

let server: TestServer;
let inside: Awaited<ReturnType<typeof fillTenant>>;
let outside: Awaited<ReturnType<typeof fillTenant>>;
let bound: string;

const EVERYTHING = ['tasks:*', 'projects:*', 'users:*', 'keys:*', 'audit:read'];

beforeAll(async () => {
  server = await startTestServer();
  inside = await fillTenant(server.system, server.workspace.id, 'LIVE');
  outside = await fillTenant(server.system, server.workspace.id, 'LIVE');
  await createWorkspace(server);
  bound = await keyBoundTo([inside.projectId]);
});
afterAll(() => server.stop());

/** @param by by default a fresh key of an administrator: a key makes 10 keys a minute */
async function create(input: object, by?: string): Promise<GraphQLAnswer> {
  const query =
    'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { key apiKey { id scopes projectIds actsAsId isLocked } operations { name hash scopes } } }';
  return server.gql(query, { input: { name: 'k', ...input } }, by ?? (await server.key(['admin:*'])));
}
async function keyBoundTo(projects: string[], scopes = EVERYTHING): Promise<string> {
  const { data, errors } = await create({ scopes, projects });
  if (!data.createApiKey) throw new Error(JSON.stringify(errors));
  return data.createApiKey.key;
}
const codes = ({ errors }: GraphQLAnswer) => errors?.map(({ extensions }) => extensions['code']);

describe('a key that is bound to projects', () => {
  it('sees their rows, in lists, counts, relations and searches, and no others', async () => {
    await server.system.taskRelationship.create({
      data: {
        ...{ workspaceId: server.workspace.id, environment: 'LIVE', type: 'RELATES_TO' },
        ...{ taskId: inside.taskId, targetTaskId: outside.taskId },
      },
    });
    const { data, errors } = await server.gql(
      `{
        tasks(first: 5) { totalCount nodes { id project { id } relationshipCount relationships { targetTaskId targetTask { title } } incomingRelationships { taskId } tags } }
        search: tasks(search: "Task") { totalCount nodes { id } }
        projects(first: 5) { totalCount nodes { id tasks { nodes { id } } } }
        apiKeys(first: 50) { totalCount nodes { id } }
        auditLog(first: 50) { nodes { targetId } }
        alerts { nodes { id } }
      }`,
      {},
      bound,
    );
    expect(errors ?? []).toEqual([]);
    expect(data.tasks.totalCount).toBe(2);
    expect(data.tasks.nodes.map((task: { id: string }) => task.id).sort()).toEqual(
      [inside.taskId, inside.otherTaskId].sort(),
    );
    expect(data.search.totalCount).toBe(2);
    expect(data.projects).toMatchObject({ totalCount: 1, nodes: [{ id: inside.projectId }] });
    expect(data.projects.nodes[0].tasks.nodes).toHaveLength(2);
    expect(data.apiKeys.totalCount).toBe(1);
    expect(JSON.stringify(data)).not.toContain(outside.taskId);
    const { relationships, relationshipCount } = data.tasks.nodes.find(
      (task: { id: string }) => task.id === inside.taskId,
    );
    // The one to its neighbour alone.
    expect([relationshipCount, relationships.length]).toEqual([1, 1]);
  });

  it.each([
    ['task', 'query ($id: ID!) { task(id: $id) { id } }', () => outside.taskId],
    ['project', 'query ($id: ID!) { project(id: $id) { id } }', () => outside.projectId],
    ['node of a task', 'query ($id: ID!) { node(id: $id) { id } }', () => outside.taskId],
    ['node of a relationship', 'query ($id: ID!) { node(id: $id) { id } }', () => outside.relationshipId],
    [
      'change',
      'mutation ($id: ID!) { updateTask(input: { id: $id, title: "x" }) { task { id } } }',
      () => outside.taskId,
    ],
    ['end', 'mutation ($id: ID!) { deleteTask(input: { id: $id }) { deletedTaskId } }', () => outside.taskId],
    [
      'project to change',
      'mutation ($id: ID!) { updateProject(input: { id: $id, name: "x" }) { project { id } } }',
      () => outside.projectId,
    ],
    [
      'project to end',
      'mutation ($id: ID!) { deleteProject(input: { id: $id }) { deletedProjectId } }',
      () => outside.projectId,
    ],
    [
      'place of a new task',
      'mutation ($id: ID!) { createTask(input: { title: "x", projectId: $id }) { task { id } } }',
      () => outside.projectId,
    ],
  ])('finds no %s of another', async (name, query, id) => {
    const answer = await server.gql(query, { id: id() }, bound);
    expect(codes(answer), name).toEqual(['NOT_FOUND']);
  });

  it('makes and keeps its tasks in its projects, and makes no project', async () => {
    const task = (input: string) =>
      server.gql(`mutation { createTask(input: { title: "x"${input} }) { task { id } } }`, {}, bound);
    expect(codes(await task(''))).toEqual(['BAD_USER_INPUT']);
    const made = await task(`, projectId: "${inside.projectId}"`);
    expect(made.errors).toBeUndefined();
    const { id } = made.data.createTask.task;
    for (const [projectId, code] of [
      ['null', 'BAD_USER_INPUT'],
      [`"${outside.projectId}"`, 'NOT_FOUND'],
    ]) {
      const moved = await server.gql(
        `mutation { updateTask(input: { id: "${id}", projectId: ${projectId} }) { task { id } } }`,
        {},
        bound,
      );
      expect(codes(moved), projectId).toEqual([code]);
    }
    expect(
      codes(await server.gql('mutation { createProject(input: { name: "x" }) { project { id } } }', {}, bound)),
    ).toEqual(['FORBIDDEN']);
    const user = `mutation { deleteUser(input: { id: "${inside.userId}" }) { deletedUserId } }`;
    expect(codes(await server.gql(user, {}, bound))).toEqual(['FORBIDDEN']);
  });

  it('hands on no more than it reaches', async () => {
    const own = { scopes: ['tasks:read'], projects: [inside.projectId] };
    expect((await create(own, bound)).errors).toBeUndefined();
    // What is left out is taken over.
    expect((await create({ scopes: ['tasks:read'] }, bound)).data.createApiKey.apiKey.projectIds).toEqual([
      inside.projectId,
    ]);
    for (const projects of [null, [outside.projectId], [inside.projectId, outside.projectId]]) {
      expect(codes(await create({ scopes: ['tasks:read'], projects }, bound))).toEqual(['FORBIDDEN']);
    }
    const { apiKey } = await server.createKey(['tasks:read']);
    for (const change of ['revokeApiKey', 'rotateApiKey']) {
      const touched = await server.gql(
        `mutation { ${change}(input: { id: "${apiKey.id}" }) { apiKey { id } } }`,
        {},
        bound,
      );
      expect(codes(touched)).toEqual(['NOT_FOUND']);
    }
  });

  it('holds nothing that concerns all, whatever it was given', async () => {
    const admin = await keyBoundTo([inside.projectId], ['admin:*']);
    expect(codes(await server.gql('{ trustedDocuments { hash } }', {}, admin))).toEqual(['FORBIDDEN']);
    expect((await fetch(`${server.origin}/metrics`, { headers: { 'x-api-key': admin } })).status).toBe(403);
    const { data } = await server.gql('{ tasks { totalCount } }', {}, admin);
    expect(data.tasks.totalCount).toBeGreaterThan(0);
  });

  it('sees nothing where it is bound to nothing, and is bound to projects that there are', async () => {
    const none = await keyBoundTo([]);
    const { data } = await server.gql('{ tasks { totalCount } projects { totalCount } }', {}, none);
    expect(data).toEqual({ tasks: { totalCount: 0 }, projects: { totalCount: 0 } });
    expect(codes(await create({ scopes: [], projects: ['nothing'] }))).toEqual(['NOT_FOUND']);
  });

  it('is told of no invitation that another key made', async () => {
    const users = await keyBoundTo([inside.projectId], ['users:*']);
    const revoke = 'mutation ($id: ID!) { revokeInvitation(input: { id: $id }) { __typename } }';
    for (const id of [inside.invitationId, 'none']) {
      expect(codes(await server.gql(revoke, { id }, users))).toEqual(['NOT_FOUND']);
    }
  });

  it('is the same by REST', async () => {
    const headers = { 'x-api-key': bound, 'content-type': 'application/json' };
    const get = async (path: string) => {
      const response = await fetch(server.origin + path, { headers });
      return [response.status, await response.text()] as const;
    };
    for (const path of [
      '/api/tasks',
      '/v1/tasks',
      '/api/task',
      `/api/task/tasks/${inside.projectId}`,
      '/v1/projects',
      '/v1/api-keys',
    ]) {
      const [status, text] = await get(path);
      expect(status, path).toBe(200);
      expect(text, path).not.toContain(outside.taskId);
      expect(text, path).not.toContain(outside.projectId);
    }
    for (const path of [
      `/api/tasks/${outside.taskId}`,
      `/v1/tasks/${outside.taskId}`,
      `/api/task/tasks/${outside.projectId}`,
    ]) {
      expect((await get(path))[0], path).toBe(404);
    }
  });
});

describe('what a key that is bound to projects is used for', () => {
  it('is counted by project, read or changed, from memory too', async () => {
    const third = await fillTenant(server.system, server.workspace.id, 'LIVE');
    const { data } = await create({
      scopes: EVERYTHING,
      projects: [inside.projectId, outside.projectId, third.projectId],
    });
    const { key, apiKey } = data.createApiKey;
    const used = async () => {
      await server.flushUsage();
      const rows = await server.system.apiKeyUsage.findMany({ where: { keyId: apiKey.id, dimension: 'project' } });
      return Object.fromEntries(rows.map(({ value, count }) => [value, count]));
    };
    expect(await used()).toEqual({});
    const task = '{ task(id: "ID") { title } }'.replace('ID', inside.taskId);
    for (let i = 0; i < 3; i += 1) await server.gql(task, {}, key);
    expect(await used()).toEqual({ [inside.projectId]: 3 });
    await server.gql(
      `mutation { updateTask(input: { id: "${outside.taskId}", title: "t" }) { task { id } } }`,
      {},
      key,
    );
    expect(await used()).toEqual({ [inside.projectId]: 3, [outside.projectId]: 1 });
  });
});

describe('subscriptions of a key that is bound to projects', () => {
  it('tell of its projects alone, and of a task that leaves, not where to', async () => {
    const key = await keyBoundTo([inside.projectId]);
    const query = 'subscription { taskChanged { action taskId projectId previousProjectId task { id } } }';
    const stream = await subscribe(server, key, query);
    const everyone = await subscribe(server, server.adminKey, query);
    await pass(500);
    const change = (input: string) => server.gql(`mutation { updateTask(input: { ${input} }) { task { id } } }`);
    await change(`id: "${outside.taskId}", title: "elsewhere"`);
    await change(`id: "${inside.otherTaskId}", title: "here"`);
    await change(`id: "${inside.otherTaskId}", projectId: "${outside.projectId}"`);
    await until(() => stream.events.length >= 2);
    await change(`id: "${inside.otherTaskId}", projectId: "${inside.projectId}"`);
    await until(() => everyone.events.length >= 4 && stream.events.length >= 3);
    stream.stop();
    everyone.stop();
    const own = { action: 'UPDATED', taskId: inside.otherTaskId };
    const here = { projectId: inside.projectId, previousProjectId: null, task: { id: inside.otherTaskId } };
    expect(stream.events.map((event) => event.data?.taskChanged)).toEqual([
      { ...own, ...here },
      { ...own, projectId: null, previousProjectId: inside.projectId, task: null },
      { ...own, ...here },
    ]);
  });

  it('end when the projects change', async () => {
    const { data } = await create({ scopes: ['tasks:read'], projects: [inside.projectId] });
    const { key, apiKey } = data.createApiKey;
    const stream = await subscribe(server, key);
    await pass(300);
    const { errors } = await server.gql(
      `mutation { updateApiKey(input: { id: "${apiKey.id}", projects: ["${outside.projectId}"] }) { apiKey { id } } }`,
    );
    expect(errors).toBeUndefined();
    await stream.ended;
    expect(stream.events.at(-1)?.errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  });
});

describe('a key that acts as a user', () => {
  const userOf = async (role: 'VIEWER' | 'MEMBER' | 'MANAGER' | 'ADMIN') => {
    const { workspace, system } = server;
    const data = {
      workspaceId: workspace.id,
      environment: 'LIVE' as const,
      email: `${randomUUID()}@example.com`,
      name: role,
      role,
    };
    return (await system.user.create({ data })).id;
  };
  const acting = async (actsAs: string, scopes = ['tasks:*', 'users:read']) => {
    const answer = await create({ scopes, actsAs });
    if (!answer.data?.createApiKey) throw new Error(JSON.stringify(answer.errors));
    return answer.data.createApiKey as { key: string; apiKey: { id: string } };
  };
  const write = (key: string) =>
    server.gql('mutation { createTask(input: { title: "x" }) { task { createdById } } }', {}, key);
  const setRole = (id: string, role: string, by = server.adminKey) =>
    server.gql(`mutation { updateUser(input: { id: "${id}", role: ${role} }) { user { id } } }`, {}, by);

  it('makes what is theirs, within what their role allows, which changes at once', async () => {
    const user = await userOf('MEMBER');
    const { key } = await acting(user);
    expect((await write(key)).data.createTask.task.createdById).toBe(user);
    expect((await server.gql('{ viewer { user { id } } }', {}, key)).data.viewer.user.id).toBe(user);
    expect((await setRole(user, 'VIEWER')).errors).toBeUndefined();
    expect(codes(await write(key))).toEqual(['FORBIDDEN']);
    expect((await setRole(user, 'MEMBER')).errors).toBeUndefined();
    expect((await write(key)).errors).toBeUndefined();
  });

  it('gives keys that act as the same user alone, and is given by an administrator', async () => {
    const [user, other] = [await userOf('ADMIN'), await userOf('ADMIN')];
    const { key } = await acting(user, ['admin:*']);
    const own = await create({ scopes: ['tasks:read'] }, key);
    expect(own.data.createApiKey.apiKey.actsAsId).toBe(user);
    for (const actsAs of [null, other]) expect(codes(await create({ scopes: [], actsAs }, key))).toEqual(['FORBIDDEN']);
    const minter = await server.key(['keys:write', 'tasks:*']);
    expect(codes(await create({ scopes: ['tasks:read'], actsAs: user }, minter))).toEqual(['FORBIDDEN']);
    const touched = await acting(user);
    const rotated = await server.gql(
      `mutation { rotateApiKey(input: { id: "${touched.apiKey.id}" }) { key } }`,
      {},
      minter,
    );
    expect(codes(rotated)).toEqual(['FORBIDDEN']);
    expect(codes(await create({ scopes: [], actsAs: randomUUID() }))).toEqual(['NOT_FOUND']);
    const elsewhere = await fillTenant(server.system, server.workspace.id, 'TEST');
    expect(codes(await create({ scopes: [], actsAs: elsewhere.userId }))).toEqual(['NOT_FOUND']);
  });

  it('gets no more by a role that somebody gives who does not hold it', async () => {
    const user = await userOf('VIEWER');
    const { key } = await acting(user);
    const people = await server.key(['users:read', 'users:write']);
    const raised = await setRole(user, 'MEMBER', people);
    expect(raised.errors?.[0]?.extensions).toMatchObject({
      code: 'FORBIDDEN',
      missingScopes: expect.arrayContaining(['tasks:write']),
    });
    expect(codes(await write(key))).toEqual(['FORBIDDEN']);
    expect(
      (await setRole(user, 'MEMBER', await server.key(['users:write', 'tasks:*', 'projects:read', 'users:read'])))
        .errors,
    ).toBeUndefined();
  });

  it('gets no more by a role that a key gives which ends, or is bounded in another respect', async () => {
    const user = await userOf('VIEWER');
    const { key } = await acting(user);
    const soon = new Date(server.clock().getTime() + 60_000).toISOString();
    const bounds = [{ expiresAt: soon }, { allowedIps: ['127.0.0.1'] }, { rateLimit: { perMinute: 60 } }];
    for (const bound of bounds) {
      const giver = (await create({ scopes: ['admin:*'], ...bound })).data.createApiKey.key;
      expect(codes(await setRole(user, 'MEMBER', giver)), JSON.stringify(bound)).toEqual(['FORBIDDEN']);
      expect((await setRole(user, 'VIEWER', giver)).errors).toBeUndefined();
    }
    expect(codes(await write(key))).toEqual(['FORBIDDEN']);
  });

  it('is told that a task is blocked where it sees a task that blocks it', async () => {
    const user = await userOf('MEMBER');
    const projects = [inside.projectId];
    const { key } = (await create({ scopes: ['tasks:read'], actsAs: user, projects })).data.createApiKey;
    const made = async (projectId: string, assigneeId?: string) =>
      (
        await server.gql('mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { id } } }', {
          input: { title: 'Blocked or blocking', projectId, assigneeId },
        })
      ).data.createTask.task.id as string;
    const [task, near, far] = [
      await made(inside.projectId, user),
      await made(inside.projectId),
      await made(outside.projectId),
    ];
    const block = async (taskId: string) => {
      const input = { type: 'BLOCKS', taskId, targetTaskId: task };
      const text =
        'mutation ($input: CreateTaskRelationshipInput!) { createTaskRelationship(input: $input) { taskRelationship { id } } }';
      expect((await server.gql(text, { input })).errors).toBeUndefined();
    };
    const told = async () => {
      const { data } = await server.gql('{ viewer { notifications { totalCount nodes { kind } } } }', {}, key);
      const { totalCount, nodes } = data.viewer.notifications;
      return [totalCount, nodes.map(({ kind }: { kind: string }) => kind)];
    };
    await block(far);
    expect(await told()).toEqual([1, ['ASSIGNED']]);
    await block(near);
    expect((await told())[1]).toContain('BLOCKED');
  });

  it('ends with the user', async () => {
    const user = await userOf('MEMBER');
    const { key, apiKey } = await acting(user);
    expect(
      (await server.gql(`mutation { deleteUser(input: { id: "${user}" }) { deletedUserId } }`)).errors,
    ).toBeUndefined();
    expect((await server.post('{"query":"{ viewer { environment } }"}', key)).status).toBe(401);
    expect(await server.system.apiKey.findUnique({ where: { id: apiKey.id } })).toMatchObject({
      revokedReason: expect.stringContaining('user'),
    });
    // Whoever goes by the database alone leaves keys that hold nothing.
    const gone = await userOf('MEMBER');
    const left = await acting(gone);
    await server.system.user.delete({ where: { id: gone } });
    server.clock.advance(6000);
    expect(codes(await write(left.key))).toEqual(['FORBIDDEN']);
  });
});

describe('a key that is locked to operations', () => {
  const LIST = 'query ListTasks($first: Int) { tasks(first: $first) { nodes { id title } } }';
  const MAKE = 'mutation MakeTask($input: CreateTaskInput!) { createTask(input: $input) { task { id projectId } } }';
  const locked = async (documents: string[], pins: object[] = []) => {
    const answer = await create({ operations: { documents, lock: true, pins } });
    if (!answer.data?.createApiKey) throw new Error(JSON.stringify(answer.errors));
    return answer.data.createApiKey as { key: string; apiKey: { id: string; scopes: string[]; isLocked: boolean } };
  };

  it('has the scopes that they need, and says which needs what', async () => {
    const { data } = await create({ operations: { documents: [LIST, MAKE] } });
    expect(data.createApiKey.apiKey).toMatchObject({ scopes: ['tasks:read', 'tasks:write'], isLocked: false });
    expect(data.createApiKey.operations).toMatchObject([
      { name: 'ListTasks', scopes: ['tasks:read'] },
      { name: 'MakeTask', scopes: ['tasks:write'] },
    ]);
    const { errors } = await create({ operations: { documents: ['{ nothing }'] } });
    expect(errors?.[0]?.extensions['fields']).toMatchObject({ documents: [expect.stringContaining('nothing')] });
    expect(codes(await create({ scopes: ['users:read'], operations: { documents: [LIST] } }))).toEqual([
      'BAD_USER_INPUT',
    ]);
    expect(codes(await create({ operations: { documents: [] } }))).toEqual(['BAD_USER_INPUT']);
    expect(codes(await create({}))).toEqual(['BAD_USER_INPUT']);
  });

  it('runs them however they are written, with any variables, and nothing else', async () => {
    const { key } = await locked([LIST]);
    for (const query of [
      LIST,
      '# a comment\nquery ListTasks(\n  $first: Int,\n) {\n  tasks(first: $first) { __typename nodes { __typename id, title } }\n}',
    ]) {
      for (const first of [1, 5, null]) expect((await server.gql(query, { first }, key)).errors, query).toBeUndefined();
    }
    for (const query of [
      LIST.replace('title', 'title status'),
      LIST.replace(' title', ''),
      LIST.replace('ListTasks', 'Other'),
      '{ tasks { nodes { id title } } }',
      '{ viewer { environment } }',
      '{ __schema { queryType { name } } }',
      '{ rateLimit { limit } }',
      MAKE,
    ]) {
      const { data, errors } = await server.gql(query, { input: { title: 'x' } }, key);
      expect([data ?? null, errors?.[0]?.extensions['code']], query).toEqual([null, 'FORBIDDEN']);
      expect(errors?.[0]?.extensions, query).toMatchObject({ locked: true, nearest: 'ListTasks' });
    }
    const rest = await fetch(`${server.origin}/v1/tasks`, { headers: { 'x-api-key': key } });
    expect(rest.status).toBe(403);
    expect(JSON.stringify(await rest.json())).toContain('ListV1Tasks');
  });

  it('knows an operation whatever the order of its definitions, and by its hash alone', async () => {
    const parts = [
      'query A { tasks { nodes { ...F ...G } } }',
      'fragment F on Task { id }',
      'fragment G on Task { title }',
    ];
    const text = parts.join('\n');
    const { key } = await locked([text]);
    expect((await server.gql([parts[2], parts[0], parts[1]].join(' '), {}, key)).errors).toBeUndefined();
    const hash = createHash('sha256').update(text).digest('hex');
    const { operations } = (await create({ operations: { documents: [text] } })).data.createApiKey;
    for (const documentId of [hash, operations[0].hash]) {
      const byHash = await server.post(JSON.stringify({ documentId }), key);
      expect(await byHash.json(), documentId).toMatchObject({ data: { tasks: {} } });
    }
    const byName = await server.post(JSON.stringify({ operationName: 'A' }), key);
    expect(await byName.json()).toMatchObject({ data: { tasks: {} } });
    const extensions = { persistedQuery: { version: 1, sha256Hash: hash } };
    expect(await (await server.post(JSON.stringify({ extensions }), key)).json()).toMatchObject({
      data: { tasks: {} },
    });
    // Of another key it is no document.
    expect((await server.post(JSON.stringify({ documentId: hash }), server.adminKey)).status).toBe(404);
  });

  it('has values of its own for pinned variables', async () => {
    const pins = [
      { variable: 'input.projectId', value: inside.projectId },
      { variable: 'first', value: 1, operation: 'ListTasks' },
    ];
    const { key } = await locked([LIST, MAKE], pins);
    const make = (input: object) => server.gql(MAKE, { input: { title: 'x', ...input } }, key);
    expect((await make({})).data.createTask.task.projectId).toBe(inside.projectId);
    expect((await make({ projectId: inside.projectId })).errors).toBeUndefined();
    for (const projectId of [outside.projectId, null]) {
      expect((await make({ projectId })).errors?.[0]?.extensions).toMatchObject({
        code: 'FORBIDDEN',
        pinned: 'input.projectId',
      });
    }
    expect((await server.gql(LIST, {}, key)).data.tasks.nodes).toHaveLength(1);
    expect(codes(await server.gql(LIST, { first: 2 }, key))).toEqual(['FORBIDDEN']);
    expect(
      codes(await create({ operations: { documents: [LIST], lock: true, pins: [{ variable: 'nothing', value: 1 }] } })),
    ).toEqual(['BAD_USER_INPUT']);
    expect(codes(await create({ operations: { documents: [LIST], pins: [{ variable: 'first', value: 1 }] } }))).toEqual(
      ['BAD_USER_INPUT'],
    );
  });

  it('gives no key that runs more', async () => {
    const MINT =
      'mutation Mint($input: CreateApiKeyInput!) { createApiKey(input: $input) { key apiKey { id scopes projectIds actsAsId isLocked } operations { name hash scopes } } }';
    const { key } = await locked(
      [MINT, LIST, MAKE],
      [{ variable: 'input.projectId', value: inside.projectId, operation: 'MakeTask' }],
    );
    const mint = (input: object) => server.gql(MINT, { input: { name: 'k', ...input } }, key);
    expect(codes(await mint({ scopes: ['tasks:read'] }))).toEqual(['FORBIDDEN']);
    expect(codes(await mint({ operations: { documents: ['{ tasks { nodes { id } } }'], lock: true } }))).toEqual([
      'FORBIDDEN',
    ]);
    expect(codes(await mint({ operations: { documents: [MAKE], lock: true } }))).toEqual(['FORBIDDEN']);
    expect((await mint({ operations: { documents: [LIST], lock: true } })).errors).toBeUndefined();
    const pins = [{ variable: 'input.projectId', value: inside.projectId }];
    expect((await mint({ operations: { documents: [MAKE], lock: true, pins } })).errors).toBeUndefined();
  });

  it('gets a new version, which shows what it changes; the one before runs on, and shows whether it is used', async () => {
    const { key, apiKey } = await locked([LIST]);
    const lock = (input: object) =>
      server.gql(
        'mutation ($input: LockApiKeyInput!) { lockApiKey(input: $input) { applied difference { added { name } removed { name } kept addedScopes removedScopes pins { operation variable from to } } apiKey { scopes operationSets { version endsAt lastUsedAt operationCount operations { name lastUsedAt } } } } }',
        { input: { id: apiKey.id, ...input } },
      );
    const dry = await lock({ documents: [MAKE], dryRun: true });
    expect(dry.data.lockApiKey).toMatchObject({
      applied: false,
      difference: {
        added: [{ name: 'MakeTask' }],
        removed: [{ name: 'ListTasks' }],
        kept: 0,
        addedScopes: ['tasks:write'],
        removedScopes: ['tasks:read'],
      },
      apiKey: { scopes: ['tasks:read'], operationSets: [{ version: 1 }] },
    });
    const made = await lock({ documents: [MAKE], gracePeriod: 60 });
    expect(made.errors).toBeUndefined();
    expect(made.data.lockApiKey).toMatchObject({
      applied: true,
      apiKey: { operationSets: [{ version: 2, endsAt: null }, { version: 1 }] },
    });
    expect((await server.gql(LIST, {}, key)).errors).toBeUndefined();
    expect((await server.gql(MAKE, { input: { title: 'x' } }, key)).errors).toBeUndefined();
    await server.flushUsage();
    const shown = await lock({ documents: [MAKE], dryRun: true });
    expect(shown.data.lockApiKey.apiKey.operationSets[1]).toMatchObject({ version: 1, lastUsedAt: expect.any(String) });
    server.clock.advance(61_000);
    expect(codes(await server.gql(LIST, {}, key))).toEqual(['FORBIDDEN']);
    expect((await server.gql(MAKE, { input: { title: 'x' } }, key)).errors).toBeUndefined();
    const again = await lock({
      documents: [MAKE],
      pins: [{ variable: 'input.projectId', value: inside.projectId }],
      gracePeriod: 0,
    });
    expect(again.data.lockApiKey.difference).toMatchObject({
      ...{ added: [], removed: [], kept: 1 },
      pins: [{ operation: 'MakeTask', variable: 'input.projectId', from: null, to: inside.projectId }],
    });
    expect((await server.gql(MAKE, { input: { title: 'x' } }, key)).data.createTask.task.projectId).toBe(
      inside.projectId,
    );
  });

  it('is locked after a rotation as before, and runs anything again when it is unlocked', async () => {
    const { apiKey } = await locked([LIST]);
    const { data } = await server.gql(
      `mutation { rotateApiKey(input: { id: "${apiKey.id}" }) { key apiKey { id isLocked } } }`,
    );
    const { key, apiKey: successor } = data.rotateApiKey;
    expect(successor.isLocked).toBe(true);
    expect((await server.gql(LIST, {}, key)).errors).toBeUndefined();
    expect(codes(await server.gql('{ tasks { totalCount } }', {}, key))).toEqual(['FORBIDDEN']);
    const unlocked = await server.gql(
      `mutation { updateApiKey(input: { id: "${successor.id}", locked: false }) { apiKey { isLocked } } }`,
    );
    expect(unlocked.data.updateApiKey.apiKey.isLocked).toBe(false);
    expect((await server.gql('{ tasks { totalCount } }', {}, key)).errors).toBeUndefined();
  });
});
