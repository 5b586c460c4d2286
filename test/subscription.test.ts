/** taskChanged, over server-sent events, for as long as its key may be used. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createWorkspace } from './support/factories.js';
import { startTestServer, type TestServer } from './support/server.js';
import { pass, subscribe, until } from './support/stream.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const create = async (key?: string) => {
  const { data } = await server.gql('mutation { createTask(input: { title: "S" }) { task { id } } }', {}, key);
  return data.createTask.task.id as string;
};

it('tells of each change in its own workspace and environment, and of nothing else', async () => {
  const other = await createWorkspace(server);
  const stream = await subscribe(server, await server.key(['tasks:read']));
  await pass(500);
  await create(other.live.key);
  await create(await server.key(['tasks:write'], 'TEST'));
  const id = await create();
  await server.gql('mutation ($id: ID!) { updateTask(input: { id: $id, title: "T" }) { task { id } } }', { id });
  await until(() => stream.events.length >= 2);
  await server.gql('mutation ($id: ID!) { deleteTask(input: { id: $id }) { deletedTaskId } }', { id });
  await until(() => stream.events.length >= 3);
  stream.stop();
  expect(stream.events.map((event) => event.data?.taskChanged)).toEqual([
    { action: 'CREATED', taskId: id, task: { title: expect.any(String) } },
    { action: 'UPDATED', taskId: id, task: { title: 'T' } },
    { action: 'DELETED', taskId: id, task: null },
  ]);
});

it('is refused to a key without tasks:read', async () => {
  const stream = await subscribe(server, await server.key(['tasks:write']));
  await stream.ended;
  expect(stream.events[0]?.errors?.[0]?.extensions.code).toBe('FORBIDDEN');
});

it('ends when its key is revoked, with an error that says so, and tells of nothing after that', async () => {
  const { key, apiKey } = await server.createKey(['tasks:read']);
  const stream = await subscribe(server, key);
  await pass(500);
  await server.gql('mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { apiKey { status } } }', { id: apiKey.id });
  await create();
  await stream.ended;
  expect(stream.events.filter((event) => event.data?.taskChanged)).toEqual([]);
  expect(stream.events.at(-1)?.errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
});

it('ends when its key expires', async () => {
  const { key } = await server.createKey(['tasks:read'], 'LIVE', {
    expiresAt: new Date(server.clock().getTime() + 1200),
  });
  const stream = await subscribe(server, key);
  await stream.ended;
  expect(stream.events.at(-1)?.errors?.[0]?.extensions['code']).toBe('UNAUTHENTICATED');
});

it('ends when its key may no longer read tasks, and tells of nothing after that', async () => {
  const { key, apiKey } = await server.createKey(['tasks:read', 'users:read']);
  const stream = await subscribe(server, key);
  const id = await create();
  await until(() => stream.events.length === 1);
  const change = 'mutation ($input: UpdateApiKeyInput!) { updateApiKey(input: $input) { apiKey { id } } }';
  // What it does not take may go.
  await server.gql(change, { input: { id: apiKey.id, scopes: ['tasks:read'] } });
  await server.gql('mutation ($id: ID!) { updateTask(input: { id: $id, title: "T" }) { task { id } } }', { id });
  await until(() => stream.events.length === 2);
  await server.gql(change, { input: { id: apiKey.id, scopes: [] } });
  await create();
  await stream.ended;
  expect(stream.events.map(({ data, errors }) => data?.taskChanged.action ?? errors?.[0]?.extensions['code'])).toEqual([
    'CREATED',
    'UPDATED',
    'FORBIDDEN',
  ]);
  expect((await server.gql('{ viewer { environment } }', {}, key)).errors).toBeUndefined();
});

it('of a project tells that a task came, and that it left: by a move, and with the project', async () => {
  const make = async (name: string) =>
    (
      await server.gql('mutation ($name: String!) { createProject(input: { name: $name }) { project { id } } }', {
        name,
      })
    ).data.createProject.project.id as string;
  const [from, to] = [await make('from'), await make('to')];
  const query =
    'subscription ($id: ID!) { taskChanged(projectId: $id) { action taskId projectId previousProjectId task { projectId } } }';
  const key = await server.key(['tasks:read']);
  const streams = [await subscribe(server, key, query, { id: from }), await subscribe(server, key, query, { id: to })];
  const [left, entered] = streams as [(typeof streams)[0], (typeof streams)[0]];
  await pass(300);
  const { data } = await server.gql(
    'mutation ($id: ID!) { createTask(input: { title: "M", projectId: $id }) { task { id } } }',
    { id: from },
  );
  const taskId = data.createTask.task.id;
  const change = 'mutation ($input: UpdateTaskInput!) { updateTask(input: $input) { task { id } } }';
  await server.gql(change, { input: { id: taskId, projectId: to } });
  await server.gql(change, { input: { id: taskId, title: 'moved' } });
  await server.gql('mutation ($id: ID!) { deleteProject(input: { id: $id }) { deletedProjectId } }', { id: to });
  await until(() => entered.events.length === 3);
  for (const { stop } of streams) stop();
  const told = ({ events }: { events: { data?: { taskChanged: object } }[] }) => events.map((e) => e.data?.taskChanged);
  expect(told(left)).toMatchObject([
    { action: 'CREATED', taskId, projectId: from, previousProjectId: null },
    { action: 'UPDATED', taskId, projectId: to, previousProjectId: from },
  ]);
  expect(told(entered)).toMatchObject([
    { action: 'UPDATED', taskId, projectId: to, previousProjectId: from },
    { action: 'UPDATED', taskId, projectId: to, previousProjectId: null },
    { action: 'UPDATED', taskId, projectId: null, previousProjectId: to },
  ]);
});

it('is executed once for all that ask the same, and charged once to each key for each event', async () => {
  const keys = await Promise.all([1, 2, 3].map(() => server.key(['tasks:read'])));
  const query = 'subscription { taskChanged { task { title description position } } }';
  const streams = await Promise.all([...keys, ...keys].map((key) => subscribe(server, key, query)));
  const other = await subscribe(server, keys[0] as string, query.replace('position', 'number'));
  await pass(300);
  const remaining = async (key: string) =>
    (await server.gql('{ rateLimit { remaining } }', {}, key)).data.rateLimit.remaining as number;
  const before = await Promise.all(keys.map(remaining));
  server.queries.length = 0;
  await create();
  await until(() => [...streams, other].every(({ events }) => events.length === 1));
  const reads = server.queries.filter(
    (sql) => /^SELECT .*description.* FROM .*Task\W/.test(sql) && !/tags|Tag/.test(sql),
  );
  const positions = reads.filter((sql) => /position/.test(sql) && !/number/.test(sql));
  expect(positions).toHaveLength(1);
  const after = await Promise.all(keys.map(remaining));
  // The first key has a stream that asks something else.
  expect(after.map((value, index) => (before[index] ?? 0) - value)).toEqual([2, 1, 1]);
  for (const { stop } of [...streams, other]) stop();
});

it('is open 20 times for a key at most, whatever its credentials; one that ends makes room', async () => {
  const { key } = await server.createKey(['tasks:read']);
  const streams = await Promise.all(Array.from({ length: 20 }, () => subscribe(server, key)));
  const codeOf = async (stream: (typeof streams)[0]) => {
    await stream.ended;
    return stream.events[0]?.errors?.[0]?.extensions['code'] ?? stream.response.status;
  };
  expect([await codeOf(await subscribe(server, key)), await codeOf(await subscribe(server, key))]).toEqual([
    'RATE_LIMITED',
    'RATE_LIMITED',
  ]);
  streams[0]?.stop();
  await pass(200);
  const next = await subscribe(server, key);
  await create();
  await until(() => next.events.length === 1);
  expect(next.events[0]?.errors).toBeUndefined();
  for (const { stop } of [next, ...streams]) stop();
});

it('ends when more waits for it than it may: its client does not read', async () => {
  const { key } = await server.createKey(['tasks:read']);
  const id = await create();
  const change = (description: string) =>
    server.gql('mutation ($id: ID!, $d: String) { updateTask(input: { id: $id, description: $d }) { task { id } } }', {
      id,
      d: description,
    });
  const aliases = Array.from({ length: 25 }, (_, i) => `a${i}: description`).join(' ');
  const { port, hostname } = new URL(server.origin);
  const socket = connect(Number(port), hostname);
  const body = JSON.stringify({ query: `subscription { taskChanged { task { ${aliases} } } }` });
  socket.write(
    `POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\naccept: text/event-stream\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  await pass(300);
  socket.pause();
  // What the system takes by itself, and the 16 MiB that may wait.
  for (let i = 0; i < 150; i += 1) await change(`${i} ${'x'.repeat(9900)}`);
  let text = '';
  socket.on('data', (chunk) => (text = (text + chunk).slice(-2000)));
  socket.resume();
  await until(() => text.includes('Too many events wait'), 10_000);
  socket.destroy();
  expect((await server.gql('{ tasks(first: 1) { nodes { id } } }', {}, key)).errors).toBeUndefined();
});

it('tells of comments, on one task or in one project, to whom may read them; tasks are told of apart', async () => {
  const COMMENTS = `subscription ($taskId: ID, $projectId: ID) {
    commentChanged(taskId: $taskId, projectId: $projectId) { action commentId taskId projectId comment { body } }
  }`;
  const other = await createWorkspace(server);
  const { data } = await server.gql('mutation { createProject(input: { name: "Said" }) { project { id } } }');
  const projectId = data.createProject.project.id;
  const made = await server.gql(
    `mutation { createTask(input: { title: "P", projectId: "${projectId}" }) { task { id } } }`,
  );
  const inside = made.data.createTask.task.id;
  const outside = await create();
  const reader = await server.key(['tasks:read']);
  const bound = (await server.createKey(['tasks:read'], 'LIVE', { projects: [projectId] })).key;
  const streams = {
    all: await subscribe(server, reader, COMMENTS),
    task: await subscribe(server, reader, COMMENTS, { taskId: outside }),
    project: await subscribe(server, reader, COMMENTS, { projectId }),
    bound: await subscribe(server, bound, COMMENTS),
    foreign: await subscribe(server, other.live.key, COMMENTS),
    tasks: await subscribe(server, reader),
  };
  const refused = await subscribe(server, await server.key(['tasks:write']), COMMENTS);
  await refused.ended;
  expect(refused.events[0]?.errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  await pass(500);
  const comment = async (taskId: string, body: string) =>
    (await server.gql(`mutation { createComment(input: { taskId: "${taskId}", body: "${body}" }) { comment { id } } }`))
      .data.createComment.comment.id as string;
  const first = await comment(inside, 'in');
  await comment(outside, 'out');
  await server.gql(`mutation { updateComment(input: { id: "${first}", body: "IN" }) { comment { id } } }`);
  await server.gql(`mutation { deleteComment(input: { id: "${first}" }) { comment { id } } }`);
  await server.gql(`mutation { restoreComment(input: { id: "${first}" }) { comment { id } } }`);
  await until(() => streams.all.events.length >= 5);
  await pass(300);
  const told = ({ events }: { events: { data?: { commentChanged: { action: string; taskId: string } } }[] }) =>
    events.map(
      ({ data: shown }) => `${shown?.commentChanged.action} ${shown?.commentChanged.taskId === inside ? 'in' : 'out'}`,
    );
  const ofProject = ['CREATED in', 'UPDATED in', 'DELETED in', 'UPDATED in'];
  expect(told(streams.all)).toEqual(['CREATED in', 'CREATED out', ...ofProject.slice(1)]);
  expect(told(streams.task)).toEqual(['CREATED out']);
  expect(told(streams.project)).toEqual(ofProject);
  expect(told(streams.bound)).toEqual(ofProject);
  expect(streams.foreign.events).toEqual([]);
  expect(streams.tasks.events).toEqual([]);
  expect(streams.project.events[0]?.data?.commentChanged).toMatchObject({ projectId, commentId: first });
  for (const stream of Object.values(streams)) stream.stop();
});

it('tells the same of a field that stands in a fragment, or after one that is left out', async () => {
  const reader = await server.key(['tasks:read']);
  const [one, other] = [await create(), await create()];
  const FIELD = `commentChanged(taskId: "${one}") { action commentId taskId }`;
  const streams = await Promise.all(
    [
      `subscription { ...F } fragment F on Subscription { ${FIELD} }`,
      `subscription { ... on Subscription { ${FIELD} } }`,
      `subscription { taskChanged @skip(if: true) { taskId } ${FIELD} }`,
    ].map((query) => subscribe(server, reader, query)),
  );
  const none = await subscribe(
    server,
    reader,
    'subscription { ...F } fragment F on Subscription { taskChanged(projectId: "none") { taskId } }',
  );
  await pass(500);
  await server.gql(`mutation { updateTask(input: { id: "${other}", title: "other" }) { task { id } } }`);
  for (const taskId of [other, one]) {
    await server.gql(`mutation { createComment(input: { taskId: "${taskId}", body: "x" }) { comment { id } } }`);
  }
  await until(() => streams.filter(({ events }) => events.some((event) => event.data)).length >= 2);
  await pass(300);
  for (const { events } of streams) {
    // A form that is refused tells of nothing.
    const told = events.filter((event) => event.data).map((event) => event.data?.commentChanged?.taskId);
    expect([[one], []]).toContainEqual(told);
  }
  expect(none.events).toEqual([]);
  for (const stream of [...streams, none]) stream.stop();
});

it('answers each user for themselves, and nobody what they may not compare with', async () => {
  const MINE = 'subscription { taskChanged { task { children(filter: { isMine: true }) { totalCount } } } }';
  const BY = `subscription ($filter: TaskFilter) {
    taskChanged { task { children(filter: $filter) { totalCount } } }
  }`;
  const tenant = { workspaceId: server.workspace.id, environment: 'LIVE' } as const;
  const user = (name: string) =>
    server.system.user.create({ data: { ...tenant, name, email: `${name}@users.example`, role: 'ADMIN' } });
  const [ada, bob] = [await user('ada'), await user('bob')];
  const keys = await Promise.all(
    [ada, bob].map(({ id: actsAsId }) => server.createKey(['tasks:read', 'users:read'], 'LIVE', { actsAsId })),
  );
  const parent = await create();
  await server.gql('mutation ($i: CreateTaskInput!) { createTask(input: $i) { task { id } } }', {
    i: { title: 'child', parentId: parent, assigneeId: ada.id },
  });
  const filter = { assignee: { email: { eq: 'ada@users.example' } } };
  const [first, second] = keys.map(({ key }) => key) as [string, string];
  const streams = [
    await subscribe(server, first, MINE),
    await subscribe(server, second, MINE),
    await subscribe(server, first, BY, { filter }),
  ];
  const refused = await subscribe(server, await server.key(['tasks:read']), BY, { filter });
  await refused.ended;
  expect(refused.events[0]?.errors?.[0]?.extensions).toMatchObject({
    code: 'FORBIDDEN',
    missingScopes: ['users:read'],
  });
  await pass(500);
  await server.gql(`mutation { updateTask(input: { id: "${parent}", title: "again" }) { task { id } } }`);
  await until(() => streams.every(({ events }) => events.length >= 1));
  const counts = streams.map(({ events }) => events[0]?.data?.taskChanged.task.children.totalCount);
  expect(counts).toEqual([1, 0, 1]);
  const change = 'mutation ($input: UpdateApiKeyInput!) { updateApiKey(input: $input) { apiKey { id } } }';
  await server.gql(change, { input: { id: keys[0]?.apiKey.id, scopes: ['tasks:read'] } });
  await server.gql(`mutation { updateTask(input: { id: "${parent}", title: "last" }) { task { id } } }`);
  await streams[2]?.ended;
  expect(streams[2]?.events.at(-1)?.errors?.[0]?.extensions.code).toBe('FORBIDDEN');
  await until(() => streams.slice(0, 2).every(({ events }) => events.length >= 2));
  for (const stream of streams) stream.stop();
});
