/** Labels, sub-tasks, time, notifications and activity: what a board of tasks needs besides. */
import { readFileSync } from 'node:fs';
import { parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DueNotices } from '../src/tasks/dueNotices.js';
import { fillTenant } from './support/factories.js';
import { type RestAnswer, type RestCall, restClient } from './support/rest.js';
import { type GraphQLAnswer, startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
let call: (method: string, path: string, request?: RestCall) => Promise<RestAnswer>;
let place: Awaited<ReturnType<typeof fillTenant>>;
let other: Awaited<ReturnType<typeof fillTenant>>;
/** Keys of two users, one of none, and one that is bound to the first project. */
let ada: string;
let bob: string;
let robot: string;
let bound: string;

beforeAll(async () => {
  server = await startTestServer();
  call = restClient(server);
  place = await fillTenant(server.system, server.workspace.id, 'LIVE');
  other = await fillTenant(server.system, server.workspace.id, 'LIVE');
  [ada, bob, robot] = [await keyOf(place.userId), await keyOf(other.userId), await keyOf(null)];
  bound = await keyOf(null, ALL, { projectIds: place.projectId });
});
afterAll(() => server.stop());

const ALL = ['tasks:read', 'tasks:write', 'tasks:delete'];
async function keyOf(createdById: string | null, scopes = ALL, more: { projectIds?: string } = {}): Promise<string> {
  const { key, apiKey } = await server.createKey(scopes);
  await server.system.apiKey.update({ where: { id: apiKey.id }, data: { createdById, ...more } });
  return key;
}

const codes = ({ errors }: GraphQLAnswer) => errors?.map(({ extensions }) => extensions['code']);
const fieldsOf = ({ errors }: GraphQLAnswer) => errors?.[0]?.extensions['fields'];
const capital = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);
const run = (name: string, selection: string, input: object, key = ada) =>
  server.gql(`mutation ($input: ${capital(name)}Input!) { ${name}(input: $input) { ${selection} } }`, { input }, key);
async function made(name: string, selection: string, input: object, key = ada) {
  const { data, errors } = await run(name, selection, input, key);
  if (errors) throw new Error(JSON.stringify(errors));
  return data[name];
}
const newTask = async (input: object = {}, key = ada) =>
  (await made('createTask', 'task { id projectId parentId tags updatedAt }', { title: 'T', ...input }, key)).task;
const newLabel = async (name: string, input: object = {}, key = ada) =>
  (await made('createLabel', 'label { id name color description createdAt }', { name, ...input }, key)).label;
async function task(id: string, selection = 'id projectId parentId tags updatedAt', key = ada) {
  const { data, errors } = await server.gql(`query ($id: ID!) { task(id: $id) { ${selection} } }`, { id }, key);
  if (errors) throw new Error(JSON.stringify(errors));
  return data.task;
}

describe('a label', () => {
  it('has a name of its own in the workspace, whatever the case, and a color', async () => {
    const label = await newLabel('Café', { color: '#AbC', description: 'Hot' });
    expect(label).toMatchObject({ name: 'Café', color: '#aabbcc', description: 'Hot' });
    const again = await run('createLabel', 'label { id }', { name: 'CAFE\u0301' });
    expect([codes(again), fieldsOf(again)]).toEqual([['CONFLICT'], { name: ['is taken'] }]);
    const known = await made('createLabel', 'label { id color }', { name: 'café', color: '#000000', orExisting: true });
    expect(known.label).toEqual({ id: label.id, color: '#aabbcc' });
    for (const [input, field] of [
      [{ name: '' }, 'name'],
      [{ name: 'x'.repeat(51) }, 'name'],
      [{ name: 'x', color: 'red' }, 'color'],
      [{ name: 'x', color: '#12' }, 'color'],
      [{ name: 'x', description: 'd'.repeat(256) }, 'description'],
    ] as const) {
      const answer = await run('createLabel', 'label { id }', input);
      expect([codes(answer), Object.keys(fieldsOf(answer) as object)]).toEqual([['BAD_USER_INPUT'], [field]]);
    }
  });

  it('is made of a tag, once, however many write it at once, and is on the task', async () => {
    const tasks = await Promise.all(
      Array.from({ length: 12 }, (_, i) => newTask({ tags: [i % 2 ? 'Rush' : 'RUSH', 'b'] })),
    );
    const { data } = await server.gql(
      '{ labels(filter: { name: { contains: "rush" } }) { nodes { id tasks { totalCount } } } }',
    );
    expect(data.labels.nodes).toEqual([{ id: expect.any(String), tasks: { totalCount: 12 } }]);
    const shown = await task(
      tasks[0].id,
      'tags labels(orderBy: [{ field: NAME }]) { totalCount nodes { name color } }',
    );
    expect(shown.tags).toEqual(['RUSH', 'b']);
    expect(shown.labels.totalCount).toBe(2);
    expect(shown.labels.nodes.map(({ color }: { color: string }) => color)).toEqual(['#6b7280', '#6b7280']);
  });

  it('is put on a task and taken from it, and the task is another version', async () => {
    const [label, before] = [await newLabel('On and off'), await newTask({ tags: ['first'] })];
    const on = await made('addLabel', 'label { id } task { tags updatedAt }', { id: label.id, taskId: before.id });
    expect(on.task.tags).toEqual(['On and off', 'first']);
    expect(on.task.updatedAt > before.updatedAt).toBe(true);
    const again = await made('addLabel', 'task { tags updatedAt }', { id: label.id, taskId: before.id });
    expect(again.task).toEqual(on.task);
    const off = await made('removeLabel', 'task { tags }', { id: label.id, taskId: before.id });
    expect(off.task.tags).toEqual(['first']);
    const many = await newTask({ tags: Array.from({ length: 50 }, (_, i) => `full ${i}`) });
    expect(codes(await run('addLabel', 'label { id }', { id: label.id, taskId: many.id }))).toEqual(['CONFLICT']);
  });

  it('is renamed with the tags of its tasks, by nobody who sees some projects alone', async () => {
    const tagged = await newTask({ tags: ['old name'], projectId: place.projectId });
    const { data } = await server.gql('{ labels(filter: { name: { eq: "old name" } }) { nodes { id } } }');
    const { id } = data.labels.nodes[0];
    expect(codes(await run('updateLabel', 'label { id }', { id, name: 'mine' }, bound))).toEqual(['FORBIDDEN']);
    expect(codes(await run('deleteLabel', 'deletedLabelId', { id }, bound))).toEqual(['FORBIDDEN']);
    const renamed = await made('updateLabel', 'label { name color }', { id, name: 'New name', color: '#ff0000' });
    expect(renamed.label).toEqual({ name: 'New name', color: '#ff0000' });
    const shown = await task(tagged.id);
    expect(shown.tags).toEqual(['New name']);
    expect(shown.updatedAt > tagged.updatedAt).toBe(true);
    const found = await server.gql(
      '{ a: tasks(filter: { tags: { contains: "NEW NAME" } }) { totalCount } b: tasks(filter: { tags: { contains: "old name" } }) { totalCount } }',
    );
    expect(found.data).toEqual({ a: { totalCount: 1 }, b: { totalCount: 0 } });
    await newLabel('taken already');
    expect(codes(await run('updateLabel', 'label { id }', { id, name: 'TAKEN already' }))).toEqual(['CONFLICT']);
  });

  it('that is renamed or deleted costs by its tasks, before they are changed', async () => {
    const tasks = Array.from({ length: 60 }, () => ({ title: 'T', tags: ['costly'] }));
    await made('createTasks', 'count', { tasks });
    const { data } = await server.gql('{ labels(filter: { name: { eq: "costly" } }) { nodes { id } } }', {}, ada);
    const { id } = data.labels.nodes[0];
    const left = async () => (await server.gql('{ rateLimit { remaining } }', {}, ada)).data.rateLimit.remaining;
    const before = await left();
    await made('updateLabel', 'label { id }', { id, color: '#123456' });
    expect(before - (await left())).toBeLessThan(3);
    const middle = await left();
    await made('updateLabel', 'label { id }', { id, name: 'costlier' });
    expect(middle - (await left())).toBeGreaterThanOrEqual(4);
    const poor = await server.createKey(ALL, 'LIVE', { ratePerMinute: 3, ratePerHour: 3 });
    // Of 4 requests, more than it may ever make.
    expect(codes(await run('deleteLabel', 'deletedLabelId', { id }, poor.key))).toEqual(['COST_LIMIT_EXCEEDED']);
    expect(await server.system.taskTag.count({ where: { labelId: id } })).toBe(60);
  });

  it('is deleted, or becomes part of another; its tasks are told of it', async () => {
    const [one, both, none] = [
      await newTask({ tags: ['from'] }),
      await newTask({ tags: ['from', 'into'] }),
      await newTask({ tags: ['into'] }),
    ];
    const { data } = await server.gql(
      '{ labels(filter: { name: { in: ["from", "into"] } }, orderBy: [{ field: NAME }]) { nodes { id } } }',
    );
    const [from, into] = data.labels.nodes.map(({ id }: { id: string }) => id);
    expect(codes(await run('deleteLabel', 'deletedLabelId', { id: from, intoId: from }))).toEqual(['BAD_USER_INPUT']);
    const merged = await made('deleteLabel', 'deletedLabelId name changedTasks', { id: from, intoId: into });
    expect(merged).toEqual({ deletedLabelId: from, name: 'from', changedTasks: 2 });
    for (const { id } of [one, both, none]) expect((await task(id)).tags).toEqual(['into']);
    expect((await task(one.id)).updatedAt > one.updatedAt).toBe(true);
    expect((await task(none.id)).updatedAt).toBe(none.updatedAt);
    expect(await made('deleteLabel', 'changedTasks', { id: into })).toEqual({ changedTasks: 3 });
    expect((await task(one.id)).tags).toEqual([]);
    const { data: log } = await server.gql(
      `{ auditLog(filter: { targetId: { eq: "${one.id}" } }) { nodes { action changes } } }`,
    );
    const [last] = log.auditLog.nodes;
    expect([last.action, JSON.parse(last.changes)]).toEqual(['task.update', { tag: { from: 'into', to: null } }]);
  });

  it('of another project is nothing to a key that is bound to one; what it makes itself it sees', async () => {
    await newTask({ tags: ['theirs alone'], projectId: other.projectId });
    await newTask({ tags: ['ours'], projectId: place.projectId });
    const names = async () => {
      const { data } = await server.gql(
        '{ labels(first: 100) { totalCount nodes { name tasks { totalCount } } } }',
        {},
        bound,
      );
      return data.labels.nodes.map(({ name }: { name: string }) => name);
    };
    expect(await names()).toContain('ours');
    expect(await names()).not.toContain('theirs alone');
    await newLabel('of the robot', {}, bound);
    expect(await names()).toContain('of the robot');
    // Its name is of the workspace, as a slug is; no more is said of it.
    for (const orExisting of [false, true]) {
      const answer = await run('createLabel', 'label { id }', { name: 'Theirs alone', orExisting }, bound);
      expect(codes(answer)).toEqual(['CONFLICT']);
    }
    expect(
      (await call('POST', '/api/label', { key: bound, body: { name: 'Theirs alone', color: '#fff' } })).status,
    ).toBe(409);
  });

  it('renamed while tasks are tagged by its name, leaves no tag without its label', { timeout: 60_000 }, async () => {
    const label = await newLabel('racing 0');
    let round = 0;
    const renaming = (async () => {
      for (; round < 8; round += 1)
        await made('updateLabel', 'label { id }', { id: label.id, name: `racing ${round + 1}` });
    })();
    const tasks: { id: string }[] = [];
    while (round < 8) tasks.push(...(await Promise.all([0, 1, 2].map(() => newTask({ tags: [`racing ${round}`] })))));
    await renaming;
    expect(tasks.length).toBeGreaterThan(0);
    const rows = await server.system.taskTag.findMany({
      where: { taskId: { in: tasks.map(({ id }) => id) } },
      include: { label: true },
    });
    expect(rows).toHaveLength(tasks.length);
    for (const { key, label: of } of rows) expect(of.key).toBe(key);
  });
});

describe('a sub-task', () => {
  it('is in the project of its task, and goes with it', async () => {
    const parent = await newTask({ projectId: place.projectId });
    const child = await newTask({ parentId: parent.id });
    const grandchild = await newTask({ parentId: child.id });
    expect([child.projectId, grandchild.projectId]).toEqual([place.projectId, place.projectId]);
    await made('updateTask', 'task { id }', { id: parent.id, projectId: other.projectId });
    for (const { id } of [child, grandchild]) expect((await task(id)).projectId).toBe(other.projectId);
    const shown = await task(parent.id, 'children { totalCount nodes { id parent { id } children { nodes { id } } } }');
    expect(shown.children.nodes).toEqual([
      { id: child.id, parent: { id: parent.id }, children: { nodes: [{ id: grandchild.id }] } },
    ]);
    // Alone it leaves its task, with its own sub-tasks.
    const moved = await made('updateTask', 'previousProjectId previousParentId task { projectId parentId }', {
      ...{ id: child.id, projectId: place.projectId },
    });
    expect(moved).toEqual({
      ...{ previousProjectId: other.projectId, previousParentId: parent.id },
      task: { projectId: place.projectId, parentId: null },
    });
    expect((await task(grandchild.id)).projectId).toBe(place.projectId);
    // Put below another task it goes where that one is.
    const back = await made('updateTask', 'task { projectId parentId }', { id: child.id, parentId: parent.id });
    expect(back.task).toEqual({ projectId: other.projectId, parentId: parent.id });
  });

  it('is refused in another project, in a circle, and too deep', async () => {
    const parent = await newTask({ projectId: place.projectId });
    const elsewhere = await run('createTask', 'task { id }', {
      title: 'x',
      parentId: parent.id,
      projectId: other.projectId,
    });
    expect([codes(elsewhere), Object.keys(fieldsOf(elsewhere) as object)]).toEqual([['BAD_USER_INPUT'], ['projectId']]);
    const line = [parent];
    for (let level = 1; level <= 5; level += 1) line.push(await newTask({ parentId: line.at(-1)?.id }));
    const deep = await run('createTask', 'task { id }', { title: 'x', parentId: line.at(-1)?.id });
    expect([codes(deep), Object.keys(fieldsOf(deep) as object)]).toEqual([['BAD_USER_INPUT'], ['parentId']]);
    for (const below of [0, 1, 5]) {
      const circle = await run('updateTask', 'task { id }', { id: parent.id, parentId: line[below]?.id });
      expect(codes(circle)).toEqual(['BAD_USER_INPUT']);
    }
    const top = await newTask({ projectId: place.projectId });
    expect(codes(await run('updateTask', 'task { id }', { id: parent.id, parentId: top.id }))).toEqual([
      'BAD_USER_INPUT',
    ]);
    expect(codes(await run('createTask', 'task { id }', { title: 'x', parentId: 'none' }))).toEqual(['NOT_FOUND']);
  });

  it('makes no circle by two changes at once', async () => {
    for (let round = 0; round < 5; round += 1) {
      const [a, b] = [await newTask(), await newTask()];
      const answers = await Promise.all([
        run('updateTask', 'task { id }', { id: a.id, parentId: b.id }),
        run('updateTask', 'task { id }', { id: b.id, parentId: a.id }),
      ]);
      expect(answers.filter(({ errors }) => !errors)).toHaveLength(1);
    }
  });

  it('stays when its task is deleted, and is of no task then', async () => {
    const parent = await newTask();
    const child = await newTask({ parentId: parent.id });
    await made('deleteTask', 'deletedTaskId', { id: parent.id });
    expect((await task(child.id)).parentId).toBeNull();
  });

  it('is within the reach of a key that is bound to the project, and put below nothing outside', async () => {
    const outside = await newTask({ projectId: other.projectId });
    expect(codes(await run('createTask', 'task { id }', { title: 'x', parentId: outside.id }, bound))).toEqual([
      'NOT_FOUND',
    ]);
    const parent = await newTask({ projectId: place.projectId }, bound);
    const child = await newTask({ parentId: parent.id }, bound);
    const answer = await run('updateTask', 'task { id }', { id: child.id, parentId: outside.id }, bound);
    expect(codes(answer)).toEqual(['NOT_FOUND']);
    expect((await task(child.id, 'parent { id }', bound)).parent).toEqual({ id: parent.id });
  });
});

describe('a time entry', () => {
  const FIELDS = 'timeEntry { id userId note startedAt endedAt seconds }';
  const at = (minute: number) => `2026-01-01T10:${String(minute).padStart(2, '0')}:00.000Z`;

  it('runs until it is ended, or the next one of the same user starts', async () => {
    const { timeEntry: first } = await made('createTimeEntry', FIELDS, { taskId: place.taskId, startedAt: at(0) });
    expect(first).toMatchObject({ userId: place.userId, endedAt: null, seconds: null });
    await made('createTimeEntry', FIELDS, { taskId: place.taskId, startedAt: at(0) }, bob);
    const starts = [5, 6, 7].map((minute) =>
      run('createTimeEntry', FIELDS, { taskId: place.otherTaskId, startedAt: at(minute) }),
    );
    for (const { errors } of await Promise.all(starts)) expect(errors).toBeUndefined();
    const running = await server.system.timeEntry.findMany({ where: { endedAt: null, userId: place.userId } });
    expect(running).toHaveLength(1);
    const shown = await server.gql(`{ timeEntry(id: "${first.id}") { endedAt seconds } }`, {}, ada);
    expect(shown.data.timeEntry.seconds).toBeGreaterThanOrEqual(300);
    expect(await server.system.timeEntry.count({ where: { endedAt: null, userId: other.userId } })).toBe(1);
    const id = running[0]?.id;
    const ended = await made('updateTimeEntry', FIELDS, { id, startedAt: at(8), endedAt: at(9), note: ' Wrote it ' });
    expect(ended.timeEntry).toMatchObject({ note: 'Wrote it', seconds: 60 });
  });

  it('that is ended by another loses nothing, in whichever project it is', async () => {
    const user = await server.system.user.create({
      data: { workspaceId: server.workspace.id, environment: 'LIVE', email: 'timer@example.com', name: 'Timer' },
    });
    const [inOne, inOther] = [
      await keyOf(user.id, ALL, { projectIds: place.projectId }),
      await keyOf(user.id, ALL, { projectIds: other.projectId }),
    ];
    const startedAt = new Date(Date.now() - 60_000).toISOString();
    const { timeEntry } = await made('createTimeEntry', FIELDS, { taskId: other.taskId, startedAt }, inOther);
    await made('createTimeEntry', FIELDS, { taskId: place.taskId, startedAt: '2001-01-01T00:00:00Z' }, inOne);
    const ended = await server.system.timeEntry.findUniqueOrThrow({ where: { id: timeEntry.id } });
    expect((ended.endedAt?.getTime() ?? 0) - ended.startedAt.getTime()).toBeGreaterThanOrEqual(60_000);
    const running = { endedAt: null, userId: user.id };
    expect(await server.system.timeEntry.count({ where: running })).toBe(1);
    // The one from 2001 has run for as long as one may.
    await made('createTimeEntry', FIELDS, { taskId: place.taskId, startedAt: '2030-01-01T00:00:00Z' }, inOne);
    const { data, errors } = await server.gql('{ timeEntries(first: 100) { nodes { seconds } } }', {}, ada);
    expect(errors).toBeUndefined();
    expect(Math.max(...data.timeEntries.nodes.map(({ seconds }: { seconds: number }) => seconds))).toBe(3650 * 86_400);
    const long = { taskId: place.taskId, startedAt: '1900-01-01T00:00:00Z', endedAt: '2020-01-01T00:00:00Z' };
    expect(Object.keys(fieldsOf(await run('createTimeEntry', FIELDS, long)) as object)).toEqual(['endedAt']);
  });

  it('ends after its start, is changed by whose time it is alone, and deleted by who deletes tasks', async () => {
    const input = { taskId: place.taskId, startedAt: at(5), endedAt: at(4) };
    expect(fieldsOf(await run('createTimeEntry', FIELDS, input))).toEqual({
      endedAt: ['must not lie before the start'],
    });
    const { timeEntry } = await made('createTimeEntry', FIELDS, { ...input, endedAt: at(6) });
    expect(codes(await run('updateTimeEntry', FIELDS, { id: timeEntry.id, note: 'mine' }, bob))).toEqual(['FORBIDDEN']);
    const writer = await keyOf(null, ['tasks:read', 'tasks:write']);
    expect(codes(await run('deleteTimeEntry', 'deletedTimeEntryId', { id: timeEntry.id }, writer))).toEqual([
      'FORBIDDEN',
    ]);
    expect(await made('deleteTimeEntry', 'deletedTimeEntryId', { id: timeEntry.id }, bob)).toEqual({
      deletedTimeEntryId: timeEntry.id,
    });
  });

  it('of a key without a user is the own of that key', async () => {
    const { timeEntry } = await made('createTimeEntry', FIELDS, { taskId: place.taskId, startedAt: at(1) }, robot);
    expect(timeEntry.userId).toBeNull();
    expect(codes(await run('updateTimeEntry', FIELDS, { id: timeEntry.id, endedAt: at(2) }, ada))).toEqual([
      'FORBIDDEN',
    ]);
    await made('updateTimeEntry', FIELDS, { id: timeEntry.id, endedAt: at(2) }, robot);
  });
});

describe('a notification', () => {
  const told = async (key: string, filter = '') => {
    const { data, errors } = await server.gql(
      `{ viewer { notifications(first: 50${filter}) { totalCount nodes { id kind taskId senderId readAt task { title } } } } }`,
      {},
      key,
    );
    expect(errors).toBeUndefined();
    return data.viewer.notifications.nodes as { id: string; kind: string; taskId: string; readAt: string | null }[];
  };
  const kinds = async (key: string, taskId: string) =>
    (await told(key)).filter((one) => one.taskId === taskId).map(({ kind }) => kind);

  it('tells of an assignment, a comment, a mention and a block, and never of what one did oneself', async () => {
    const user = await server.system.user.update({ where: { id: other.userId }, data: { name: 'Bob the Builder' } });
    const { id } = await newTask({ assigneeId: place.userId }, bob);
    await made('createComment', 'comment { id }', { taskId: id, body: 'Ask @Bob the Builder, he knows' }, ada);
    await made('createComment', 'comment { id }', { taskId: id, body: `@${user.name}!` }, robot);
    await made('createComment', 'comment { id }', { taskId: id, body: 'bob@Bob the Builder.example' }, robot);
    const blocker = await newTask({}, bob);
    const tie = { type: 'BLOCKS', taskId: blocker.id, targetTaskId: id };
    await made('createTaskRelationship', 'taskRelationship { id }', tie, bob);
    expect(await kinds(ada, id)).toEqual(['BLOCKED', 'COMMENTED', 'COMMENTED', 'ASSIGNED']);
    expect(await kinds(bob, id)).toEqual(['COMMENTED', 'MENTIONED', 'MENTIONED']);
    const own = await newTask({ assigneeId: place.userId }, ada);
    await made('createComment', 'comment { id }', { taskId: own.id, body: 'Mine' }, ada);
    expect(await kinds(ada, own.id)).toEqual([]);
    await made('updateTask', 'task { id }', { id: own.id, assigneeId: other.userId }, ada);
    await made('updateTask', 'task { id }', { id: own.id, assigneeId: other.userId, title: 'again' }, ada);
    expect(await kinds(bob, own.id)).toEqual(['ASSIGNED']);
  });

  it('tells once that a task is due within a day, for each date, unless it is done', async () => {
    const { system, services, clock } = server;
    const jobs = [1, 2].map(() => new DueNotices(system, services.units, (error) => expect(error).toBeNull(), clock));
    // As two processes do.
    const run = () => Promise.all(jobs.map((job) => job.run()));
    const inHours = (hours: number) => new Date(clock().getTime() + hours * 3_600_000).toISOString();
    const due = async (hours: number, more: object = {}) =>
      (await newTask({ assigneeId: place.userId, dueDate: inHours(hours), ...more }, bob)).id as string;
    const [soon, later, done, past, over] = [
      await due(5),
      await due(30),
      await due(5, { status: 'DONE' }),
      await due(-30),
      await due(-2),
    ];
    const DUE = async (id: string) => (await kinds(ada, id)).filter((kind) => kind === 'DUE').length;
    await run();
    await run();
    expect(await Promise.all([soon, later, done, past, over].map(DUE))).toEqual([1, 0, 0, 0, 1]);
    await made('updateTask', 'task { id }', { id: soon, dueDate: inHours(9) }, bob);
    await made('updateTask', 'task { id }', { id: done, status: 'TODO' }, bob);
    await run();
    expect(await Promise.all([soon, later, done].map(DUE))).toEqual([2, 0, 1]);
    clock.advance(10 * 3_600_000);
    await run();
    await run();
    expect(await Promise.all([soon, later, done, past, over].map(DUE))).toEqual([2, 1, 1, 0, 1]);
    const { data } = await server.gql('{ viewer { notifications { nodes { kind dueDate senderId } } } }', {}, ada);
    const told = data.viewer.notifications.nodes.find(({ kind }: { kind: string }) => kind === 'DUE');
    expect(told).toEqual({ kind: 'DUE', dueDate: expect.any(String), senderId: null });
  });

  it("is read by its user, once, and is nobody else's", async () => {
    const [first] = await told(ada);
    const ids = [first?.id];
    const READ = 'marked notifications { id readAt }';
    expect(codes(await run('markNotificationsRead', READ, { ids }, bob))).toEqual(['NOT_FOUND']);
    expect(codes(await run('markNotificationsRead', READ, { ids }, robot))).toEqual(['FORBIDDEN']);
    const read = await made('markNotificationsRead', READ, { ids });
    expect(read).toEqual({ marked: 1, notifications: [{ id: first?.id, readAt: expect.any(String) }] });
    expect((await made('markNotificationsRead', READ, { ids })).marked).toBe(0);
    const unread = ', filter: { readAt: { eq: null } }';
    const left = (await told(ada, unread)).length;
    expect(left).toBeGreaterThan(0);
    expect((await made('markNotificationsRead', 'marked', {})).marked).toBe(left);
    expect(await told(ada, unread)).toEqual([]);
    expect((await told(bob, unread)).length).toBeGreaterThan(0);
    expect(await told(robot)).toEqual([]);
    const reader = await server.key(['tasks:read']);
    expect(codes(await run('markNotificationsRead', 'marked', {}, reader))).toEqual(['FORBIDDEN']);
  });

  it('of a task in another project does not reach a key that is bound to one', async () => {
    const { key, apiKey } = await server.createKey(['tasks:read']);
    const data = { createdById: place.userId, projectIds: place.projectId };
    await server.system.apiKey.update({ where: { id: apiKey.id }, data });
    const [inside, outside] = [
      await newTask({ projectId: place.projectId, assigneeId: place.userId }, bob),
      await newTask({ projectId: other.projectId, assigneeId: place.userId }, bob),
    ];
    expect(await kinds(key, inside.id)).toEqual(['ASSIGNED']);
    expect(await kinds(key, outside.id)).toEqual([]);
    expect(await kinds(ada, outside.id)).toEqual(['ASSIGNED']);
  });
});

describe('counts of tasks', () => {
  const COUNT = `query ($by: [TaskGroup!]!, $filter: TaskFilter) {
    taskCounts(groupBy: $by, filter: $filter) { by counts { id status priority count } }
  }`;
  const BY = ['STATUS', 'PRIORITY', 'PROJECT', 'ASSIGNEE', 'LABEL'];
  const counted = async (filter: object, key = ada) => {
    const { data, errors } = await server.gql(COUNT, { by: BY, filter }, key);
    expect(errors).toBeUndefined();
    return Object.fromEntries(
      data.taskCounts.map(({ by, counts }: { by: string; counts: Record<string, unknown>[] }) => [
        by,
        counts.map(({ id, status, priority, count }) => [status ?? priority ?? id, count]),
      ]),
    );
  };

  it('are those of the lists, by each way to group them', async () => {
    const { id: label } = await newLabel('counted');
    const made = [
      await newTask({ tags: ['counted'], status: 'DONE', priority: 'LOW', projectId: place.projectId }),
      await newTask({ tags: ['counted'], status: 'DONE', priority: 'HIGH', assigneeId: place.userId }),
      await newTask({ tags: ['counted'], status: 'TODO', priority: 'LOW', projectId: place.projectId }),
    ];
    const filter = { id: { in: made.map(({ id }) => id) } };
    expect(await counted(filter)).toEqual({
      STATUS: [
        ['DONE', 2],
        ['TODO', 1],
      ],
      PRIORITY: [
        ['LOW', 2],
        ['HIGH', 1],
      ],
      PROJECT: [
        [place.projectId, 2],
        [null, 1],
      ],
      ASSIGNEE: [
        [null, 2],
        [place.userId, 1],
      ],
      LABEL: [[label, 3]],
    });
    // Within the projects of the key.
    expect(await counted(filter, bound)).toMatchObject({
      STATUS: [
        ['TODO', 1],
        ['DONE', 1],
      ],
      PROJECT: [[place.projectId, 2]],
    });
    expect(await counted({ projectId: { eq: other.projectId } }, bound)).toEqual({
      ...{ STATUS: [], PRIORITY: [], PROJECT: [], ASSIGNEE: [], LABEL: [] },
    });
  });

  it('take tasks:read, and are few at once', async () => {
    const writer = await keyOf(null, ['tasks:write']);
    expect(codes(await server.gql(COUNT, { by: ['STATUS'] }, writer))).toEqual(['FORBIDDEN']);
    expect(codes(await server.gql(COUNT, { by: [...BY, 'STATUS'] }, ada))).toEqual(['BAD_USER_INPUT']);
  });
});

it('docs/board.md shows operations that run', async () => {
  const blocks = [...readFileSync('docs/board.md', 'utf8').matchAll(/```graphql\n([\s\S]*?)```/g)];
  expect(blocks.length).toBeGreaterThan(4);
  const projectId = place.projectId;
  const [one, two] = [await newTask({ projectId }), await newTask({ projectId })];
  const filter = { projectId, status: 4 };
  for (const [, query = ''] of blocks) {
    const variables = {
      ...{ taskId: one.id, otherTaskId: two.id, projectId },
      count: await server.system.task.count({ where: filter }),
    };
    if (query.includes('Close') && variables.count === 0) {
      variables.count = 1;
      await made('updateTask', 'task { id }', { id: two.id, status: 'IN_REVIEW' });
    }
    const used = Object.entries(variables).filter(([name]) => query.includes(`$${name}`));
    const key = /createState|project[(:]/.test(query) ? server.adminKey : ada;
    if (query.startsWith('subscription')) {
      expect(validate(server.services.documents.schema, parse(query))).toEqual([]);
      continue;
    }
    const { data, errors } = await server.gql(query, Object.fromEntries(used), key);
    expect([query, errors]).toEqual([query, undefined]);
    expect(data).toBeTruthy();
  }
});

describe('the activity of a task', () => {
  const ACTIVITY = 'activity(first: 20) { totalCount nodes { action actorUserId changes } }';

  it('says who changed what, to whoever reads tasks', async () => {
    const { id } = await newTask({}, ada);
    await made('updateTask', 'task { id }', { id, title: 'Two', status: 'DONE' }, bob);
    const reader = await server.key(['tasks:read']);
    const { activity } = await task(id, ACTIVITY, reader);
    expect(activity.totalCount).toBe(2);
    expect(activity.nodes[0]).toMatchObject({ action: 'task.update', actorUserId: other.userId });
    expect(JSON.parse(activity.nodes[0].changes)).toEqual({
      title: { from: 'T', to: 'Two' },
      status: { from: 'TODO', to: 'DONE' },
    });
    expect(activity.nodes[1]).toMatchObject({ action: 'task.create', actorUserId: place.userId });
    const answer = await server.gql(`{ task(id: "${id}") { activity { nodes { id ip } } } }`, {}, reader);
    expect(answer.errors?.[0]?.message).toContain('ip');
  });

  it('before a task came to a project is nothing to a key that is bound to it', async () => {
    const { id } = await newTask({ projectId: other.projectId, title: 'Secret' }, ada);
    await made('updateTask', 'task { id }', { id, title: 'Harmless', projectId: place.projectId }, ada);
    await made('updateTask', 'task { id }', { id, title: 'Shown' }, ada);
    const { activity } = await task(id, ACTIVITY, bound);
    expect(activity.nodes.map(({ changes }: { changes: string }) => JSON.parse(changes))).toEqual([
      { title: { from: 'Harmless', to: 'Shown' } },
    ]);
    expect((await task(id, ACTIVITY, ada)).activity.totalCount).toBe(3);
  });
});

describe("by Kaneo's routes", () => {
  const body = async (method: string, path: string, sent?: object, status = 200) => {
    const answer = await call(method, path, { key: ada, ...(sent && { body: sent }) });
    expect(answer.status, `${method} ${path} ${answer.text}`).toBe(status);
    return answer.body;
  };

  it('a label is of the workspace, or of a task', async () => {
    const { id: taskId } = await newTask({ projectId: place.projectId });
    const label = await body('POST', '/api/label', { name: 'Kaneo', color: '#FF0000' });
    expect(label).toMatchObject({ name: 'Kaneo', color: '#ff0000', taskId: null, workspaceId: server.workspace.id });
    expect(await body('POST', '/api/label', { name: 'kaneo', color: '#00ff00' })).toEqual(label);
    const on = await body('PUT', `/api/label/${label.id}/task`, { taskId });
    expect(on).toEqual({ ...label, id: `${label.id}.${taskId}`, taskId });
    expect(await body('GET', `/api/label/${on.id}`)).toEqual(on);
    expect(await body('GET', `/api/label/task/${taskId}`)).toEqual([on]);
    expect(await body('POST', '/api/label', { name: 'KANEO', color: '#000', taskId })).toEqual(on);
    expect(await body('DELETE', `/api/label/${on.id}/task`)).toEqual(on);
    await body('GET', `/api/label/${on.id}`, undefined, 404);
    await body('DELETE', `/api/label/${on.id}/task`, undefined, 404);
    await body('DELETE', `/api/label/${on.id}`, undefined, 404);
    await body('DELETE', `/api/label/${label.id}/task`, undefined, 404);
    await body('PUT', `/api/label/${on.id}/task`, { taskId });
    expect(await body('DELETE', `/api/label/${on.id}`)).toEqual(on);
    expect((await task(taskId)).tags).toEqual([]);
    expect(await body('PUT', `/api/label/${label.id}`, { name: 'Renamed', color: '#123' })).toMatchObject({
      ...{ name: 'Renamed', color: '#112233' },
    });
    expect(await body('DELETE', `/api/label/${label.id}`)).toMatchObject({ id: label.id, name: 'Renamed' });
    await body('GET', `/api/label/${label.id}`, undefined, 404);
  });

  it('a relation is a relationship, or a sub-task', async () => {
    const [one, two] = [await newTask({ projectId: place.projectId }), await newTask({ projectId: place.projectId })];
    const ids = { sourceTaskId: one.id, targetTaskId: two.id };
    for (const relationType of ['subtask', 'blocks', 'related']) {
      const relation = await body('POST', '/api/task-relation', { ...ids, relationType });
      expect(relation).toMatchObject({ ...ids, relationType });
      for (const { id } of [one, two]) {
        const listed = await body('GET', `/api/task-relation/${id}`);
        expect(listed).toMatchObject([
          { id: relation.id, ...ids, sourceTask: { id: one.id }, targetTask: { id: two.id } },
        ]);
      }
      expect(await body('DELETE', `/api/task-relation/${relation.id}`)).toMatchObject({ ...ids, relationType });
      expect(await body('GET', `/api/task-relation/${one.id}`)).toEqual([]);
    }
    await body('POST', '/api/task-relation', { ...ids, targetTaskId: one.id, relationType: 'subtask' }, 400);
    await body('DELETE', `/api/task-relation/subtask.${one.id}`, undefined, 404);
  });

  it('a task moves to another project and column, has its columns, times, activity and search', async () => {
    const { id } = await newTask({ projectId: place.projectId, title: 'Wandering albatross' });
    const moved = await body('PUT', `/api/task/move/${id}`, {
      ...{ destinationProjectId: other.projectId, destinationStatus: 'done' },
    });
    expect(moved).toMatchObject({
      ...{ sourceProjectId: place.projectId, destinationProjectId: other.projectId },
      task: { id, projectId: other.projectId, status: 'done' },
    });
    const { key } = await server.createKey(['tasks:read', 'projects:read', 'users:read']);
    const read = async (path: string) => (await call('GET', path, { key })).body;
    expect((await read(`/api/column/${other.projectId}`)).map(({ slug }: { slug: string }) => slug)).toEqual([
      ...['to-do', 'in-progress', 'in-review', 'done'],
    ]);
    const activity = await read(`/api/activity/${id}`);
    expect(activity.map(({ type }: { type: string }) => type).sort()).toEqual(['create', 'status_changed', 'task']);
    const changed = activity.find(({ type }: { type: string }) => type === 'status_changed');
    expect(changed.eventData).toEqual({ field: 'status', from: 'to-do', to: expect.stringMatching(/^[a-z-]+$/) });
    const found = await read('/api/search?q=albatross');
    expect(found).toMatchObject({ totalCount: 1, results: [{ id, type: 'task', status: 'done' }], tasks: [{ id }] });
    expect((await read(`/api/search?q=albatross&projectId=${place.projectId}`)).totalCount).toBe(0);
    const session = await read('/api/auth/get-session');
    expect(session.session.activeOrganizationId).toBe(server.workspace.id);
    const organization = await read('/api/auth/organization/get-full-organization');
    expect(organization.members.length).toBe(
      await server.system.user.count({ where: { environment: 'LIVE', workspaceId: server.workspace.id } }),
    );
  });

  it('a notification is read by its user', async () => {
    await newTask({ assigneeId: place.userId, title: 'For Ada' }, bob);
    const [first] = await body('GET', '/api/notification');
    expect(first).toMatchObject({
      userId: place.userId,
      content: 'For Ada',
      type: 'task_assignee_changed',
      isRead: false,
    });
    expect(await body('PATCH', `/api/notification/${first.id}/read`)).toMatchObject({ id: first.id, isRead: true });
    expect(await body('PATCH', '/api/notification/read-all')).toMatchObject({ success: true });
    expect((await body('GET', '/api/notification')).every(({ isRead }: { isRead: boolean }) => isRead)).toBe(true);
  });
});
