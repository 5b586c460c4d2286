/** Changes of many tasks by one operation. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TaskService } from '../src/tasks/taskService.js';
import { fillTenant } from './support/factories.js';
import { restClient } from './support/rest.js';
import { type GraphQLAnswer, startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
let place: Awaited<ReturnType<typeof fillTenant>>;
let other: Awaited<ReturnType<typeof fillTenant>>;
let key: string;
beforeAll(async () => {
  server = await startTestServer();
  place = await fillTenant(server.system, server.workspace.id, 'LIVE');
  other = await fillTenant(server.system, server.workspace.id, 'LIVE');
  const made = await server.createKey(['admin:*'], 'LIVE', { ratePerMinute: 10_000, ratePerHour: 200_000 });
  // Of no user, so that all users are told of what it does.
  await server.system.apiKey.update({ where: { id: made.apiKey.id }, data: { createdById: null } });
  key = made.key;
});
afterAll(() => server.stop());

const codes = ({ errors }: GraphQLAnswer) => errors?.map(({ extensions }) => extensions['code']);
const capital = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);
const run = (name: string, input: object, by = key) =>
  server.gql(
    `mutation ($input: ${capital(name)}Input!) { ${name}(input: $input) { count taskIds errors { index id code message } } }`,
    { input },
    by,
  );
async function made(name: string, input: object): Promise<{ count: number; taskIds: string[]; errors: object[] }> {
  const { data, errors } = await run(name, input);
  if (errors) throw new Error(JSON.stringify(errors));
  return data[name];
}
const create = async (count: number, fields: object = {}) =>
  (await made('createTasks', { tasks: Array.from({ length: count }, (_, i) => ({ title: `B${i}`, ...fields })) }))
    .taskIds;
const rowsOf = (ids: string[]) => server.system.task.findMany({ where: { id: { in: ids } }, include: { tags: true } });
const auditOf = (ids: string[], action: string) =>
  server.system.auditEvent.count({ where: { targetId: { in: ids }, action } });
const UNKNOWN = '01900000-0000-7000-8000-000000000000';

describe('many tasks', () => {
  it('are made together, each with its number, audit entry and event', async () => {
    const ids = await create(450, { projectId: place.projectId, tags: ['many'], status: 'DONE' });
    const rows = await rowsOf(ids);
    expect(rows).toHaveLength(450);
    expect(new Set(rows.map(({ number }) => number)).size).toBe(450);
    expect(
      rows.every(({ status, tags, projectId }) => status === 5 && tags.length === 1 && projectId === place.projectId),
    ).toBe(true);
    expect(await auditOf(ids, 'task.create')).toBe(450);
    expect(await server.system.label.count({ where: { workspaceId: server.workspace.id, key: 'many' } })).toBe(1);
    const { data } = await server.gql('{ tasks { totalCount } }', {}, key);
    expect(data.tasks.totalCount).toBe(
      await server.system.task.count({ where: { workspaceId: server.workspace.id, environment: 'LIVE' } }),
    );
  });

  it('are made all or none, or each by itself', async () => {
    const before = await server.system.task.count();
    const tasks = [{ title: 'Good' }, { title: ' ' }, { title: 'Lost', projectId: UNKNOWN }, { title: 'Good too' }];
    const answer = await run('createTasks', { tasks });
    expect([codes(answer), answer.errors?.[0]?.message]).toEqual([
      ['BAD_USER_INPUT'],
      'tasks.1: title must not be empty',
    ]);
    expect(codes(await run('createTasks', { tasks: [tasks[0], tasks[2]] }))).toEqual(['NOT_FOUND']);
    expect(await server.system.task.count()).toBe(before);
    const outcome = await made('createTasks', { tasks, atomic: false });
    expect(outcome).toMatchObject({
      count: 2,
      errors: [
        { index: 1, id: null, code: 'BAD_USER_INPUT' },
        { index: 2, id: null, code: 'NOT_FOUND' },
      ],
    });
    expect(await server.system.task.count()).toBe(before + 2);
  });

  it('are told as far as they were made where the database fails in the middle, and the others are not tried', async () => {
    const create = TaskService.prototype.create;
    let calls = 0;
    const spy = vi.spyOn(TaskService.prototype, 'create').mockImplementation(function (this: TaskService, ...args) {
      calls += 1;
      // PostgreSQL's word for a connection that an administrator ended.
      if (calls === 3) return Promise.reject(Object.assign(new Error('terminating connection'), { code: '57P01' }));
      return create.apply(this, args);
    });
    const tasks = Array.from({ length: 5 }, (_, index) => ({ title: `Cut ${index}` }));
    const outcome = await made('createTasks', { tasks, atomic: false });
    spy.mockRestore();
    expect([calls, outcome.count]).toEqual([3, 2]);
    expect(outcome.errors).toMatchObject([2, 3, 4].map((index) => ({ index, code: 'SERVICE_UNAVAILABLE' })));
    expect(await server.system.task.count({ where: { title: { startsWith: 'Cut' } } })).toBe(2);
  });

  it('are changed alike, with an audit entry, an event and another version each', async () => {
    const ids = await create(300, { priority: 'LOW', tags: ['old'] });
    const before = await rowsOf(ids);
    const label = await server.system.label.findFirstOrThrow({
      where: { workspaceId: server.workspace.id, key: 'old', environment: 'LIVE' },
    });
    const events = [] as unknown[];
    const stop = server.services.taskEvents.listen({ workspaceId: server.workspace.id, environment: 'LIVE' }, (event) =>
      events.push(event),
    );
    const outcome = await made('updateTasks', {
      ...{ ids, status: 'DONE', assigneeId: place.userId, dueDate: '2027-01-01T00:00:00Z' },
      ...{ addLabelIds: [place.labelId], removeLabelIds: [label.id] },
    });
    stop();
    expect(outcome).toMatchObject({ count: 300, errors: [] });
    const versions = new Map(before.map(({ id, updatedAt }) => [id, updatedAt]));
    for (const { id, status, priority, assigneeId, tags, updatedAt } of await rowsOf(ids)) {
      expect([status, priority, assigneeId, tags.map(({ labelId }) => labelId)]).toEqual([
        5,
        1,
        place.userId,
        [place.labelId],
      ]);
      expect(updatedAt > (versions.get(id) ?? updatedAt)).toBe(true);
    }
    expect(await auditOf(ids, 'task.update')).toBe(300);
    expect(events).toHaveLength(300);
    expect(await server.system.notification.count({ where: { taskId: { in: ids }, kind: 'ASSIGNED' } })).toBe(300);
    const { changes } = await server.system.auditEvent.findFirstOrThrow({
      where: { targetId: ids[7] ?? '', action: 'task.update' },
    });
    expect(changes).toMatchObject({
      status: { from: 2, to: 5 },
      assigneeId: { from: null, to: place.userId },
      tags: { from: ['old'] },
    });
  });

  it('are changed by a filter where it finds as many as expected, and not one otherwise', async () => {
    const ids = await create(20, { tags: ['filtered'] });
    const filter = { tags: { contains: 'FILTERED' } };
    expect(codes(await run('updateTasks', { filter, status: 'DONE' }))).toEqual(['BAD_USER_INPUT']);
    expect(codes(await run('updateTasks', { filter, expectedCount: 19, status: 'DONE' }))).toEqual(['CONFLICT']);
    expect((await rowsOf(ids)).every(({ status }) => status === 2)).toBe(true);
    expect((await made('updateTasks', { filter, expectedCount: 20, status: 'DONE' })).count).toBe(20);
    expect((await rowsOf(ids)).every(({ status }) => status === 5)).toBe(true);
    expect(codes(await run('deleteTasks', { filter, expectedCount: 21 }))).toEqual(['CONFLICT']);
    expect((await made('deleteTasks', { filter, expectedCount: 20 })).count).toBe(20);
    expect(await rowsOf(ids)).toEqual([]);
    expect(await auditOf(ids, 'task.delete')).toBe(20);
  });

  it('are all left alone where one of them cannot be changed, or that one alone', async () => {
    const ids = await create(3);
    for (const [input, code] of [
      [{ ids: [...ids, UNKNOWN], status: 'DONE' }, 'NOT_FOUND'],
      [{ ids, assigneeId: UNKNOWN }, 'NOT_FOUND'],
      [{ ids, addLabelIds: [UNKNOWN] }, 'NOT_FOUND'],
      [{ ids, startDate: '2027-01-02T00:00:00Z', dueDate: '2027-01-01T00:00:00Z' }, 'BAD_USER_INPUT'],
      [{ ids }, 'BAD_USER_INPUT'],
      [{ ids: [], status: 'DONE' }, 'BAD_USER_INPUT'],
      [{ ids, status: null }, 'BAD_USER_INPUT'],
    ] as const) {
      expect([JSON.stringify(input), codes(await run('updateTasks', input))]).toEqual([JSON.stringify(input), [code]]);
    }
    expect((await rowsOf(ids)).every(({ status, assigneeId }) => status === 2 && assigneeId === null)).toBe(true);
    const outcome = await made('updateTasks', { ids: [ids[0], UNKNOWN, ids[1]], status: 'DONE', atomic: false });
    expect(outcome).toMatchObject({
      count: 2,
      taskIds: [ids[0], ids[1]],
      errors: [{ index: 1, id: UNKNOWN, code: 'NOT_FOUND' }],
    });
    expect(codes(await run('deleteTasks', { ids: [ids[0], UNKNOWN] }))).toEqual(['NOT_FOUND']);
    expect(await rowsOf(ids)).toHaveLength(3);
    expect(await made('deleteTasks', { ids: [ids[0], UNKNOWN, ids[2]], atomic: false })).toMatchObject({ count: 2 });
    expect((await rowsOf(ids)).map(({ id }) => id)).toEqual([ids[1]]);
  });

  it('that are deleted leave their sub-tasks, with another version, unless they are among them', async () => {
    const [parent = ''] = await create(1);
    const [inside = '', outside = ''] = await create(2, { parentId: parent });
    const [before] = await rowsOf([outside]);
    await made('deleteTasks', { ids: [parent, inside] });
    const [after] = await rowsOf([outside]);
    expect(after?.parentId).toBeNull();
    expect((after?.updatedAt ?? 0) > (before?.updatedAt ?? 0)).toBe(true);
  });

  it('cost by how many they are, before anything is done, and no more than one operation may', async () => {
    const ids = await create(200);
    const remaining = async () => (await server.gql('{ rateLimit { remaining } }', {}, key)).data.rateLimit.remaining;
    const before = await remaining();
    await made('updateTasks', { ids, status: 'DONE' });
    // 1,000 points for 200 tasks, and the two looks.
    expect(before - (await remaining())).toBeGreaterThanOrEqual(10);
    const poor = await server.createKey(['tasks:read', 'tasks:write'], 'LIVE', { ratePerMinute: 5, ratePerHour: 5 });
    // More than it may ever make.
    expect(codes(await run('updateTasks', { ids, status: 'TODO' }, poor.key))).toEqual(['COST_LIMIT_EXCEEDED']);
    expect((await rowsOf(ids)).every(({ status }) => status === 5)).toBe(true);
    const many = Array.from({ length: 1001 }, () => UNKNOWN);
    expect(codes(await run('deleteTasks', { ids: many }))?.[0]).toMatch(/BAD_USER_INPUT|COST_LIMIT_EXCEEDED/);
    const huge = await run('deleteTasks', { filter: {}, expectedCount: 2_000_000 });
    expect(codes(huge)).toEqual(['COST_LIMIT_EXCEEDED']);
  });

  it('are within the scopes and projects of the key', async () => {
    const bound = await server.createKey(['tasks:read', 'tasks:write', 'tasks:delete']);
    await server.system.apiKey.update({ where: { id: bound.apiKey.id }, data: { projectIds: place.projectId } });
    const ours = await create(2, { projectId: place.projectId });
    const theirs = await create(2, { projectId: other.projectId });
    expect(codes(await run('updateTasks', { ids: [...ours, ...theirs], status: 'DONE' }, bound.key))).toEqual([
      'NOT_FOUND',
    ]);
    expect(codes(await run('deleteTasks', { ids: theirs }, bound.key))).toEqual(['NOT_FOUND']);
    expect(codes(await run('createTasks', { tasks: [{ title: 'x', projectId: other.projectId }] }, bound.key))).toEqual(
      ['NOT_FOUND'],
    );
    expect(codes(await run('createTasks', { tasks: [{ title: 'x' }] }, bound.key))).toEqual(['BAD_USER_INPUT']);
    const none = await run(
      'updateTasks',
      { filter: { id: { in: theirs } }, expectedCount: 2, status: 'DONE' },
      bound.key,
    );
    expect(codes(none)).toEqual(['CONFLICT']);
    expect((await rowsOf(theirs)).every(({ status }) => status === 2)).toBe(true);
    const writer = await server.key(['tasks:write']);
    expect(codes(await run('deleteTasks', { ids: ours }, writer))).toEqual(['FORBIDDEN']);
    const reader = await server.key(['tasks:read']);
    expect(codes(await run('updateTasks', { ids: ours, status: 'DONE' }, reader))).toEqual(['FORBIDDEN']);
  });

  it('are not told of to a key that may not read them', async () => {
    const [writer, deleter] = [await server.key(['tasks:write']), await server.key(['tasks:delete'])];
    const filter = { title: { contains: 'B' } };
    expect(codes(await run('updateTasks', { filter, expectedCount: 1000, status: 'DONE' }, writer))).toEqual([
      'FORBIDDEN',
    ]);
    expect(codes(await run('deleteTasks', { filter, expectedCount: 1000 }, deleter))).toEqual(['FORBIDDEN']);
  });

  it('that are changed each by itself are changed whole, and paid for with their labels', async () => {
    const ids = await create(2);
    const outcome = await made('updateTasks', {
      ids,
      atomic: false,
      status: 'DONE',
      addLabelIds: [place.labelId, UNKNOWN],
    });
    expect(outcome).toMatchObject({
      count: 0,
      errors: [
        { index: 0, code: 'NOT_FOUND' },
        { index: 1, code: 'NOT_FOUND' },
      ],
    });
    expect((await rowsOf(ids)).every(({ status, tags }) => status === 2 && tags.length === 0)).toBe(true);
    const labels = Array.from({ length: 50 }, () => UNKNOWN);
    const dear = await run('updateTasks', {
      ids: Array.from({ length: 300 }, () => UNKNOWN),
      atomic: false,
      addLabelIds: labels,
    });
    expect(codes(dear)).toEqual(['COST_LIMIT_EXCEEDED']);
    for (const expectedCount of ['x', {}, 1.5, -1]) {
      expect(codes(await run('updateTasks', { filter: {}, expectedCount, status: 'DONE' }))).toEqual([
        'BAD_USER_INPUT',
      ]);
    }
  });

  it('take a label that is named twice once', async () => {
    const ids = await create(1);
    await made('updateTasks', { ids, addLabelIds: [place.labelId, place.labelId] });
    const [entry] = await server.system.auditEvent.findMany({
      where: { targetId: ids[0] ?? '' },
      orderBy: { createdAt: 'desc' },
      take: 1,
    });
    const tags = (await rowsOf(ids)).flatMap((row) => row.tags);
    expect(tags).toHaveLength(1);
    expect(JSON.stringify(entry?.changes).split(tags[0]?.name ?? '-')).toHaveLength(2);
  });

  it('below one task are at most 1,000, those of the same change counted', async () => {
    const [root = ''] = await create(1);
    for (let made = 0; made < 3; made += 1) await create(330, { parentId: root });
    expect(await create(10, { parentId: root })).toHaveLength(10);
    const over = await run('createTasks', {
      tasks: Array.from({ length: 11 }, () => ({ title: 'x', parentId: root })),
    });
    expect(codes(over)).toEqual(['CONFLICT']);
    const [child = ''] = (await server.system.task.findMany({ where: { parentId: root }, take: 1 })).map(
      ({ id }) => id,
    );
    expect(codes(await run('createTasks', { tasks: [{ title: 'x', parentId: child }] }))).toEqual(['CONFLICT']);
  });

  it('that are changed by two at once end as one of them says', async () => {
    const ids = await create(100);
    const answers = await Promise.all([
      run('updateTasks', { ids, status: 'DONE', priority: 'LOW' }),
      run('updateTasks', { ids: ids.toReversed(), status: 'TODO', priority: 'HIGH' }),
    ]);
    for (const { errors } of answers) expect(errors).toBeUndefined();
    const seen = new Set((await rowsOf(ids)).map(({ status, priority }) => `${status} ${priority}`));
    expect(['5 1', '2 3']).toContain([...seen].join());
  });
});

describe("by Kaneo's routes", () => {
  it('many tasks are changed, exported and imported', async () => {
    const call = restClient(server);
    const ids = await create(4, { projectId: other.projectId, tags: ['kaneo many'] });
    const bulk = (operation: string, value?: string | null) =>
      call('PATCH', '/api/task/bulk', { body: { taskIds: ids, operation, value } });
    for (const [operation, value] of [
      ['updateStatus', 'in-review'],
      ['updatePriority', 'urgent'],
      ['updateAssignee', place.userId],
      ['updateDueDate', '2027-02-03T00:00:00Z'],
      ['addLabel', place.labelId],
      ['removeLabel', `${place.labelId}.${ids[0]}`],
    ] as const) {
      expect((await bulk(operation, value)).body, operation).toEqual({ success: true, updatedCount: 4 });
    }
    for (const row of await rowsOf(ids)) {
      expect(row).toMatchObject({ status: 4, priority: 4, assigneeId: place.userId, dueDate: new Date('2027-02-03') });
      expect(row.tags.map(({ name }) => name)).toEqual(['kaneo many']);
    }
    expect((await bulk('updateDueDate', null)).status).toBe(200);
    expect((await bulk('updateStatus', 'nonsense')).body.errors).toEqual({ value: [expect.any(String)] });
    const { body: file } = await call('GET', `/api/task/export/${other.projectId}`);
    const mine = file.tasks.filter(({ labels }: { labels: { name: string }[] }) =>
      labels.some(({ name }) => name === 'kaneo many'),
    );
    expect(mine).toHaveLength(4);
    expect(mine[0]).toMatchObject({ status: 'in-review', priority: 'urgent', labels: [{ color: '#6b7280' }] });
    const tasks = [...mine, { title: 'Nobody', status: 'done', userId: UNKNOWN }];
    const { body: result } = await call('POST', `/api/task/import/${place.projectId}`, { body: { tasks } });
    expect(result.results).toMatchObject({ total: 5, successful: 4, failed: 1 });
    expect(result.results.tasks[4]).toMatchObject({ success: false, error: expect.any(String) });
    const made = await rowsOf(result.results.tasks.slice(0, 4).map(({ task }: { task: { id: string } }) => task.id));
    expect(made.every(({ projectId, status }) => projectId === place.projectId && status === 4)).toBe(true);
    expect((await bulk('delete')).body).toEqual({ success: true, updatedCount: 4 });
    expect(await rowsOf(ids)).toEqual([]);
    expect((await bulk('delete')).status).toBe(404);
  });
});
