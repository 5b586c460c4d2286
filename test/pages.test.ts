/** Every list of every dialect, walked in every way that a pager may know, gives each row once. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { document, type RestAnswer, type RestCall, restClient } from './support/rest.js';
import { startTestServer, type TestServer } from './support/server.js';

const ROWS = 7;
/** More than the core gives in one page, with tags, which are loaded beside them. */
const MANY = 2500;

let server: TestServer;
let call: (method: string, path: string, request?: RestCall) => Promise<RestAnswer>;
let project: string;
let hub: string;
let board: string;
let workflow: string;

beforeAll(async () => {
  server = await startTestServer();
  call = restClient(server);
  const { system, workspace } = server;
  const tenant = { workspaceId: workspace.id, environment: 'LIVE' as const };
  const createdAt = (index: number) => new Date(Date.UTC(2026, 0, 1) + index * 1000);
  const make = async (name: string) => (await system.project.create({ data: { ...tenant, name } })).id;
  project = await make('Small');
  board = await make('Large');
  for (let i = 2; i < ROWS; i += 1) workflow = await make(`P${i}`);
  await system.state.createMany({
    data: Array.from({ length: ROWS }, (_, order) => ({
      ...{ ...tenant, projectId: workflow, name: `S${order}`, slug: `s${order}`, order, category: 2 },
    })),
  });
  for (let i = 1; i < ROWS; i += 1) {
    await system.user.create({ data: { ...tenant, email: `u${i}@example.com`, name: `U${i}` } });
    await server.createKey([]);
  }
  const task = (index: number, projectId: string) => ({
    ...{ ...tenant, id: `task-${index}`, number: index, position: index, title: `T${index}` },
    ...{ projectId, createdAt: createdAt(index) },
  });
  await system.task.createMany({ data: Array.from({ length: ROWS }, (_, i) => task(i + 1, project)) });
  const labels = new Map<string, string>();
  for (const name of ['a', 'b']) {
    const { id } = await system.label.create({ data: { ...tenant, name, key: name, color: '#000000' } });
    labels.set(name, id);
  }
  for (let at = 0; at < MANY; at += 500) {
    const rows = Array.from({ length: 500 }, (_, i) => task(1000 + at + i, board));
    await system.task.createMany({ data: rows });
    await system.taskTag.createMany({
      data: rows.flatMap(({ id }) =>
        [...labels].map(([name, labelId]) => ({ ...tenant, taskId: id, labelId, name, key: name })),
      ),
    });
  }
  await system.taskCounter.upsert({
    where: { workspaceId_environment: tenant },
    create: { ...tenant, lastNumber: 10_000 },
    update: { lastNumber: 10_000 },
  });
  hub = 'task-1';
  const owner = await system.user.findFirstOrThrow({ where: tenant });
  for (let i = 2; i <= ROWS + 1; i += 1) {
    const targetTaskId = i <= ROWS ? `task-${i}` : 'task-1000';
    await system.taskRelationship.create({ data: { ...tenant, type: 'RELATES_TO', taskId: hub, targetTaskId } });
    await system.comment.create({ data: { ...tenant, taskId: hub, body: `C${i}` } });
    await system.timeEntry.create({ data: { ...tenant, taskId: hub, startedAt: new Date(), endedAt: new Date() } });
    const event = { ...tenant, action: 'task.update', targetType: 'Task', targetId: hub };
    await system.auditEvent.create({ data: { ...event, changes: { title: { from: 'a', to: 'b' } } } });
    await system.notification.create({ data: { ...tenant, taskId: hub, userId: owner.id, kind: 'ASSIGNED' } });
    // With the two that tags made.
    if (i > 3) await system.label.create({ data: { ...tenant, name: `L${i}`, key: `l${i}`, color: '#000000' } });
  }
  const all = await system.label.findMany();
  await system.taskTag.createMany({
    data: all.map(({ id: labelId, name, key }) => ({ ...tenant, taskId: hub, labelId, name, key })),
  });
});
afterAll(() => server.stop());

type Row = { id: string };
const own = (body: unknown) => body as Row[];
const exported = (body: { tasks: { title: string }[] }) => body.tasks.map(({ title }) => ({ id: title }));
const data = (body: { data: Row[] }) => body.data;
const results = (body: { results: Row[] }) => body.results;
const columns = (body: { columns: { tasks: Row[] }[] }) => body.columns.flatMap(({ tasks }) => tasks);
const lists: [string, () => string, (body: never) => Row[], number][] = [
  ['/api/tasks', () => `/api/tasks?project_id=${project}`, own, ROWS],
  ['/api/projects', () => '/api/projects', own, ROWS],
  ['/api/tasks/{id}/relationships', () => `/api/tasks/${hub}/relationships`, own, ROWS],
  ['/api/task', () => '/api/task', own, ROWS + MANY],
  ['/api/project', () => '/api/project', own, ROWS],
  ['/api/task/tasks/{projectId}', () => `/api/task/tasks/${project}`, columns, ROWS],
  ['/api/task/export/{id}', () => `/api/task/export/${project}`, exported, ROWS],
  ['/api/comment/{id}', () => `/api/comment/${hub}`, own, ROWS],
  ['/api/label/workspace/{id}', () => `/api/label/workspace/${server.workspace.id}`, own, ROWS],
  ['/api/time-entry/task/{id}', () => `/api/time-entry/task/${hub}`, own, ROWS],
  ['/api/activity/{id}', () => `/api/activity/${hub}`, own, ROWS],
  ['/api/notification', () => '/api/notification', own, ROWS],
  ['/api/workspace/{id}/members', () => `/api/workspace/${server.workspace.id}/members`, own, ROWS],
  ['/api/label/task/{id}', () => `/api/label/task/${hub}`, own, ROWS],
  ['/api/task-relation/{id}', () => `/api/task-relation/${hub}`, own, ROWS],
  ['/api/column/{id}', () => `/api/column/${workflow}`, own, ROWS],
  ['/api/auth/organization/list', () => '/api/auth/organization/list', own, 1],
  // Ten tasks.
  ['/api/search', () => '/api/search?q=T100', results, 10],
  ['/v1/tasks', () => `/v1/tasks?projectId=${project}`, data, ROWS],
  ['/v1/projects', () => '/v1/projects', data, ROWS],
  ['/v1/users', () => '/v1/users', data, ROWS],
  ['/v1/api-keys', () => '/v1/api-keys', data, ROWS],
];

const withQuery = (path: string, query: string) => `${path}${path.includes('?') ? '&' : '?'}${query}`;
const idsOf = (rows: readonly Row[]) => rows.map(({ id }) => id);
const nextOf = ({ headers }: RestAnswer) => /<([^>]+)>; rel="next"/.exec(headers.get('link') ?? '')?.[1];
const pathOf = (url: string) => url.slice(server.origin.length);

it('covers every list that there is', () => {
  const listed = Object.entries(document.paths)
    .filter(([, operations]) =>
      (operations['get'] as { parameters?: { name: string }[] } | undefined)?.parameters?.some(
        ({ name }) => name === 'page',
      ),
    )
    .map(([path]) => path.replace(/\{\w+\}/g, '{}'));
  expect(lists.map(([path]) => path.replace(/\{\w+\}/g, '{}')).sort()).toEqual(listed.sort());
});

describe.each(lists)('%s', (_name, at, rowsOf, total) => {
  const limit = total > 1000 ? 900 : 3;
  const get = async (path: string) => {
    const answer = await call('GET', path);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    return { ...answer, rows: rowsOf(answer.body as never) };
  };

  it.each([
    ['page', (index: number) => `page=${index + 1}`],
    ['offset', (index: number) => `offset=${index * limit}`],
  ])('by %s', async (_way, parameter) => {
    const seen: string[] = [];
    for (let index = 0; ; index += 1) {
      const { rows } = await get(withQuery(at(), `limit=${limit}&${parameter(index)}`));
      seen.push(...idsOf(rows));
      // The page after the last one is empty, so that who asks until it is comes to an end.
      if (rows.length === 0) break;
      expect(index).toBeLessThan(10);
    }
    expect([seen.length, new Set(seen).size]).toEqual([total, total]);
  });

  it('by cursor', async () => {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? `limit=${limit}` : `limit=${limit}&cursor=${encodeURIComponent(cursor)}`;
      const { rows, headers } = await get(withQuery(at(), query));
      seen.push(...idsOf(rows));
      cursor = headers.get('x-next-cursor');
    } while (cursor !== null && seen.length <= total);
    expect([seen.length, new Set(seen).size]).toEqual([total, total]);
  });

  it.each(['', '&page=1', '&offset=0'])('by the links that it gives, begun with "%s"', async (begin) => {
    const seen: string[] = [];
    let path: string | undefined = withQuery(at(), `limit=${limit}${begin}`);
    while (path !== undefined && seen.length <= total) {
      const answer: RestAnswer & { rows: Row[] } = await get(path);
      seen.push(...idsOf(answer.rows));
      const next = nextOf(answer);
      path = next === undefined ? undefined : pathOf(next);
    }
    expect([seen.length, new Set(seen).size]).toEqual([total, total]);
  });

  it('refuses two ways at once, and what is none', async () => {
    for (const query of [
      'page=1&offset=3',
      'cursor=x&page=2',
      'page=0',
      'page=x',
      'offset=-1',
      'limit=0',
      'cursor=x',
    ]) {
      expect((await call('GET', withQuery(at(), query))).status, query).toBe(400);
    }
  });
});

it('a search of several kinds goes through one after another', async () => {
  const seen: string[] = [];
  for (let page = 1; page < 30; page += 1) {
    // Projects and comments, after no task.
    const { body } = await call('GET', `/api/search?q=${page % 2 ? 'p' : 'P'}&limit=2&page=${page}`);
    seen.push(...body.results.map(({ id, type }: { id: string; type: string }) => `${type} ${id}`));
    if (body.results.length === 0) break;
    expect(body.totalCount).toBe(seen.length > 0 ? body.totalCount : 0);
  }
  const { body } = await call('GET', '/api/search?q=p&limit=50');
  expect(seen).toEqual(body.results.map(({ id, type }: { id: string; type: string }) => `${type} ${id}`));
  expect(new Set(seen).size).toBe(body.totalCount);
  expect((await call('GET', '/api/search?q=p&limit=50&page=21')).status).toBe(400);
});

describe('lists that say nothing of pages', () => {
  it('give all rows, with their tags, and are charged for each page of the core', async () => {
    const all = await call('GET', '/api/task');
    expect([all.status, all.body.length, all.headers.get('x-total-count'), all.headers.get('link')]).toEqual([
      ...[200, ROWS + MANY, String(ROWS + MANY), null],
    ]);
    expect(new Set(idsOf(all.body)).size).toBe(ROWS + MANY);
    const whole = await call('GET', `/api/task/tasks/${board}`);
    expect(whole.body.columns.flatMap((column: { tasks: Row[] }) => column.tasks)).toHaveLength(MANY);
    const { key } = await server.createKey(['tasks:read', 'projects:read', 'users:read'], 'LIVE', {
      ratePerMinute: 5,
      ratePerHour: 5,
    });
    const first = await call('GET', '/api/task', { key });
    expect([first.status, first.headers.get('x-ratelimit-remaining')]).toEqual([200, '2']);
    expect((await call('GET', '/api/task', { key })).status).toBe(429);
  });

  it('give 10,000 at most, and say where the rest is', async () => {
    const { system, workspace } = server;
    const tenant = { workspaceId: workspace.id, environment: 'TEST' as const };
    for (let at = 0; at < 10_500; at += 1500) {
      await system.task.createMany({
        data: Array.from({ length: 1500 }, (_, i) => ({
          ...{ ...tenant, id: `test-${at + i}`, number: at + i + 1, position: at + i, title: 'T' },
        })),
      });
    }
    const key = await server.key(['admin:*'], 'TEST');
    const first = await call('GET', '/api/task', { key });
    expect([first.body.length, first.headers.get('x-total-count')]).toEqual([10_000, '10500']);
    const rest = await call('GET', pathOf(nextOf(first) as string), { key });
    expect([rest.body.length, nextOf(rest)]).toEqual([500, undefined]);
    expect(new Set(idsOf([...first.body, ...rest.body])).size).toBe(10_500);
  });
});

it('a page of 1,000 with tags by GraphQL is answered, and its rows in order', async () => {
  const { data: answer, errors } = await server.gql(
    'query ($id: ID!) { project(id: $id) { tasks(first: 1000, orderBy: [{ field: POSITION, direction: ASC }]) { nodes { id tags } } } }',
    { id: board },
  );
  expect(errors).toBeUndefined();
  const nodes = answer.project.tasks.nodes as { id: string; tags: string[] }[];
  expect(nodes.map(({ id }) => id)).toEqual(Array.from({ length: 1000 }, (_, i) => `task-${1000 + i}`));
  expect(nodes.every(({ tags }) => tags.join() === 'a,b')).toBe(true);
});

describe('rows that go while a client pages', () => {
  it('are not those that it has not seen: of relationships', async () => {
    const make = async (title: string) => (await call('POST', '/api/tasks', { body: { title } })).body.id as string;
    const from = await make('from');
    const path = `/api/tasks/${from}/relationships`;
    for (let i = 0; i < 6; i += 1) {
      await call('POST', path, { body: { type: 'relates_to', target_task_id: await make(`to ${i}`) } });
    }
    const first = await call('GET', `${path}?limit=2`);
    for (const { id } of first.body) await call('DELETE', `${path}/${id}`);
    const seen: string[] = [];
    for (let next = nextOf(first); next !== undefined; ) {
      const page = await call('GET', pathOf(next));
      seen.push(...idsOf(page.body));
      next = nextOf(page);
    }
    expect(new Set(seen).size).toBe(4);
  });

  it('nor of a list that tells whether there is more', async () => {
    const body = { name: 'Going' };
    const { id: projectId } = (await call('POST', '/v1/projects', { body })).body;
    for (let i = 0; i < 9; i += 1) await call('POST', '/v1/tasks', { body: { title: `G${i}`, projectId } });
    const first = await call('GET', `/v1/tasks?projectId=${projectId}&limit=3`);
    for (const { id } of first.body.data) await call('DELETE', `/v1/tasks/${id}`);
    const cursor = encodeURIComponent(first.headers.get('x-next-cursor') ?? '');
    const second = await call('GET', `/v1/tasks?projectId=${projectId}&limit=3&cursor=${cursor}`);
    expect([second.body.data.length, second.body.pagination.hasMore]).toEqual([3, true]);
  });

  it('a cursor that somebody wrote is refused, whatever it holds', async () => {
    const cursor = (parts: unknown) => Buffer.from(JSON.stringify(parts)).toString('base64url');
    for (const value of [-8640000000000000, -62135596800001, 253402300800000, '2026', null]) {
      const answer = await call('GET', `/v1/users?cursor=${cursor(['createdAt:desc,id:desc', value, 'x'])}`);
      expect([value, answer.status]).toEqual([value, 400]);
    }
    const half = Buffer.from('["createdAt:desc,id:desc",0,"\\ud800"]').toString('base64url');
    expect((await call('GET', `/v1/users?cursor=${half}`)).status).toBe(400);
  });

  it('the links do not outgrow the headers that clients take', async () => {
    const { status, headers } = await call('GET', `/v1/tasks?limit=1&sort=${Array(800).fill('title').join()}`);
    expect([status, headers.get('link')]).toEqual([200, null]);
    expect(headers.get('x-next-cursor')).not.toBeNull();
  });
});
