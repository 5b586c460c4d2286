/** The REST routes, through HTTP; every answer is held to the OpenAPI document by the client. */
import { request as httpRequest } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorkspace } from './support/factories.js';
import { document, type RestAnswer, type RestCall, restClient } from './support/rest.js';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
let call: (method: string, path: string, request?: RestCall) => Promise<RestAnswer>;
beforeAll(async () => {
  server = await startTestServer();
  call = restClient(server);
});
afterAll(() => server.stop());

const UNKNOWN = '01900000-0000-7000-8000-000000000000';

describe('the OpenAPI document', () => {
  it('is valid, and served with its page and nothing from elsewhere', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
    const served = await fetch(`${server.origin}/openapi.json`);
    expect(served.headers.get('content-type')).toBe('application/json');
    expect(Object.keys(((await served.json()) as typeof document).paths)).toEqual(Object.keys(document.paths));
    const page = await fetch(`${server.origin}/docs`);
    const html = await page.text();
    expect(html).not.toMatch(/https?:\/\//);
    for (const [, link = ''] of html.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
      expect((await fetch(server.origin + link)).status, link).toBe(200);
    }
    const again = await fetch(`${server.origin}/docs`, {
      headers: { 'if-none-match': page.headers.get('etag') ?? '' },
    });
    expect(again.status).toBe(304);
  });

  it('says which scopes an operation needs', () => {
    const operations = document.paths as unknown as Record<string, Record<string, { description: string }>>;
    expect(operations['/v1/tasks']?.['get']?.description).toBe('Needs `tasks:read`.');
    expect(operations['/api/task/tasks/{projectId}']?.['get']?.description).toBe(
      'Needs `projects:read` and `tasks:read`.',
    );
    expect(operations['/v1/rate-limit']?.['get']?.description).toBe('Any key may ask.');
  });
});

describe('Taskmaster and TaskFlow', () => {
  it('a task lives from its creation to its deletion', async () => {
    const project = (await call('POST', '/api/projects', { body: { name: 'Launch', description: 'Soon' } })).body;
    const made = await call('POST', '/api/tasks', {
      body: { title: ' Write ', description: 'All of it', project_id: project.id, status: 'backlog', other: { x: 1 } },
    });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({ title: 'Write', status: 'backlog', project_id: project.id });
    const path = `/api/tasks/${made.body.id}`;
    expect((await call('GET', path)).body).toEqual(made.body);
    expect((await call('PUT', path, { body: { status: 'done' } })).body).toMatchObject({
      status: 'done',
      title: 'Write',
    });
    expect((await call('PATCH', path, { body: { project_id: null, description: null } })).body).toMatchObject({
      project_id: null,
      description: null,
      status: 'done',
    });
    expect((await call('DELETE', path)).status).toBe(204);
    expect((await call('GET', path)).status).toBe(404);
    expect((await call('DELETE', path)).body.error.code).toBe('NOT_FOUND');
  });

  it('lists newest first, by project and status, page by page', async () => {
    const project = (await call('POST', '/api/projects', { body: { name: 'Paged' } })).body;
    const ids: string[] = [];
    for (let i = 0; i < 7; i += 1) {
      const body = { title: `Paged ${i}`, project_id: project.id, status: i % 2 ? 'todo' : 'in_progress' };
      ids.unshift((await call('POST', '/api/tasks', { body })).body.id);
    }
    const all = await call('GET', `/api/tasks?project_id=${project.id}`);
    expect(all.body.map((task: { id: string }) => task.id)).toEqual(ids);
    expect(all.headers.get('x-total-count')).toBe('7');
    expect(all.headers.get('link')).toBeNull();
    expect((await call('GET', `/api/tasks?project_id=${project.id}&status=todo`)).body).toHaveLength(3);

    const seen: string[] = [];
    let next: string | undefined = `/api/tasks?project_id=${project.id}&limit=3`;
    while (next !== undefined) {
      const page: RestAnswer = await call('GET', next);
      seen.push(...page.body.map((task: { id: string }) => task.id));
      const link = /^<([^>]+)>; rel="next"$/.exec(page.headers.get('link') ?? '')?.[1];
      if (link) expect(link.startsWith(`${server.origin}/api/tasks?`)).toBe(true);
      next = link?.slice(server.origin.length);
    }
    expect(seen).toEqual(ids);
    expect((await call('GET', '/api/tasks?cursor=x')).body.errors).toHaveProperty('cursor');
  });

  it('shows a task in review as in progress, and leaves it in review when that is sent back', async () => {
    const { createTask } = (
      await server.gql('mutation { createTask(input: { title: "R", status: IN_REVIEW }) { task { id } } }')
    ).data;
    const path = `/api/tasks/${createTask.task.id}`;
    const shown = (await call('GET', path)).body;
    expect(shown.status).toBe('in_progress');
    await call('PUT', path, { body: { ...shown, title: 'Renamed' } });
    const read = `{ task(id: "${createTask.task.id}") { title status } }`;
    expect((await server.gql(read)).data.task).toEqual({ title: 'Renamed', status: 'IN_REVIEW' });
    await call('PUT', path, { body: { status: 'todo' } });
    await call('PUT', path, { body: { status: 'in_progress' } });
    expect((await server.gql(read)).data.task.status).toBe('IN_PROGRESS');
  });

  it('relates tasks: once each way, never to itself', async () => {
    const task = async (title: string) => (await call('POST', '/api/tasks', { body: { title } })).body.id as string;
    const [a, b] = [await task('A'), await task('B')];
    const path = `/api/tasks/${a}/relationships`;
    const made = await call('POST', path, { body: { type: 'blocks', target_task_id: b } });
    expect(made.body).toMatchObject({ task_id: a, relates_to_task_id: b, relationship_type: 'blocks' });
    expect((await call('GET', path)).body).toEqual([made.body]);
    expect((await call('POST', path, { body: { type: 'blocks', target_task_id: b } })).status).toBe(409);
    const itself = await call('POST', path, { body: { type: 'blocks', target_task_id: a } });
    expect(itself.status).toBe(400);
    expect(itself.body.errors).toHaveProperty('target_task_id');
    expect((await call('DELETE', `/api/tasks/${b}/relationships/${made.body.id}`)).status).toBe(404);
    expect((await call('DELETE', `${path}/${made.body.id}`)).status).toBe(204);
    expect((await call('GET', path)).body).toEqual([]);
  });

  it('changes a relationship by PUT, as documented, and by PATCH', async () => {
    const task = async (title: string) => (await call('POST', '/api/tasks', { body: { title } })).body.id as string;
    const [a, b, c] = [await task('A'), await task('B'), await task('C')];
    const made = (await call('POST', `/api/tasks/${a}/relationships`, { body: { type: 'blocks', target_task_id: b } }))
      .body;
    const path = `/api/tasks/${a}/relationships/${made.id}`;
    expect((await call('GET', path)).body).toEqual(made);
    const typed = await call('PUT', path, { body: { type: 'relates_to' } });
    expect([typed.status, typed.body]).toEqual([
      200,
      { ...made, relationship_type: 'relates_to', updated_at: expect.any(String) },
    ]);
    const moved = await call('PATCH', path, { body: { target_task_id: c } });
    expect(moved.body).toMatchObject({ relationship_type: 'relates_to', relates_to_task_id: c });
    expect((await call('PUT', path, { body: { type: 'blocks', target_task_id: b } })).body).toMatchObject({
      relationship_type: 'blocks',
      relates_to_task_id: b,
    });
    // As it was shown, sent back.
    for (const [body, field] of [
      [{}, undefined],
      [{ type: 'loves' }, 'type'],
      [{ target_task_id: a }, 'target_task_id'],
    ] as const) {
      const refused = await call('PUT', path, { body });
      expect(refused.status, JSON.stringify(body)).toBe(400);
      if (field) expect(refused.body.errors).toHaveProperty(field);
    }
    expect((await call('PUT', `/api/tasks/${b}/relationships/${made.id}`, { body: { type: 'blocks' } })).status).toBe(
      404,
    );
    expect((await call('PUT', path, { body: { target_task_id: 'none' } })).status).toBe(404);
    await call('POST', `/api/tasks/${a}/relationships`, { body: { type: 'relates_to', target_task_id: b } });
    expect((await call('PUT', path, { body: { type: 'relates_to' } })).status).toBe(409);
    const reader = await server.key(['tasks:read']);
    expect((await call('PUT', path, { key: reader, body: { type: 'relates_to' } })).status).toBe(403);
  });

  it('shows whole seconds, as its document does, and a task sent back so keeps its fractions', async () => {
    const { createTask } = (
      await server.gql(
        'mutation { createTask(input: { title: "D", dueDate: "2026-03-04T05:06:07.890Z" }) { task { id dueDate } } }',
      )
    ).data;
    const SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
    const { body } = await call('GET', `/api/tasks/${createTask.task.id}`);
    expect([body.created_at, body.updated_at]).toEqual([
      expect.stringMatching(SECONDS),
      expect.stringMatching(SECONDS),
    ]);
    const v1 = (await call('GET', `/v1/tasks/${createTask.task.id}`)).body;
    expect(v1.dueDate).toBe('2026-03-04T05:06:07Z');
    const back = await call('PATCH', `/v1/tasks/${createTask.task.id}`, { body: { dueDate: v1.dueDate, title: 'E' } });
    expect(back.body.dueDate).toBe('2026-03-04T05:06:07Z');
    const read = `{ task(id: "${createTask.task.id}") { title dueDate } }`;
    expect((await server.gql(read)).data.task).toEqual({ title: 'E', dueDate: '2026-03-04T05:06:07.890Z' });
    for (const path of ['/v1/projects', '/v1/users', '/v1/api-keys']) {
      const text = JSON.stringify((await call('GET', path)).body);
      expect([path, /T\d\d:\d\d:\d\dZ/.test(text), /\.\d{3}Z/.test(text)]).toEqual([path, true, false]);
    }
  });

  it('refuses a description over 500 characters, which GraphQL takes', async () => {
    const long = await call('POST', '/api/tasks', { body: { title: 'L', description: 'x'.repeat(501) } });
    expect(long.status).toBe(400);
    expect(long.body.errors).toEqual({ description: ['must have at most 500 characters'] });
    expect((await call('POST', '/v1/tasks', { body: { title: 'L', description: 'x'.repeat(10_000) } })).status).toBe(
      201,
    );
  });
});

describe('Kaneo', () => {
  it('a board: columns by status, filters, order and pages', async () => {
    const project = (
      await call('POST', '/api/project', {
        body: { name: 'Board', workspaceId: server.workspace.id, icon: 'Layout', slug: 'BRD' },
      })
    ).body;
    expect(project).toMatchObject({ workspaceId: server.workspace.id, icon: 'Layout', slug: 'BRD', archivedAt: null });
    const make = async (title: string, status: string, priority: string, more = {}) =>
      (
        await call('POST', `/api/task/${project.id}`, {
          body: { title, description: '', status, priority, ...more },
        })
      ).body;
    const first = await make('One', 'to-do', 'high', { dueDate: '2026-01-10T00:00:00Z' });
    await make('Two', 'in-review', 'low', { dueDate: '2026-02-10' });
    await make('Three', 'planned', 'urgent');
    const path = `/api/task/tasks/${project.id}`;
    const board = (await call('GET', path)).body;
    const titles = (shown: { columns: { id: string; tasks: { title: string }[] }[] }) =>
      Object.fromEntries(shown.columns.map(({ id, tasks }) => [id, tasks.map(({ title }) => title)]));
    expect(titles(board)).toEqual({
      planned: ['Three'],
      'to-do': ['One'],
      'in-progress': [],
      'in-review': ['Two'],
      done: [],
      archived: [],
    });
    expect(board.columns[1].tasks[0]).toEqual(first);
    const some = async (query: string) => Object.values(titles((await call('GET', `${path}?${query}`)).body)).flat();
    expect(await some('priority=high')).toEqual(['One']);
    expect(await some('status=planned')).toEqual(['Three']);
    expect(await some('dueAfter=2026-01-15&dueBefore=2026-03-01')).toEqual(['Two']);
    expect(await some('limit=1&page=2')).toEqual(['Two']);
    expect(await some('limit=1&sortBy=priority&sortOrder=desc')).toEqual(['Three']);
    expect((await call('GET', `${path}?sortBy=colour`)).status).toBe(400);
  });

  it('each field of a task under its own path', async () => {
    const project = (await call('POST', '/api/project', { body: { name: 'Fields' } })).body;
    const user = (await call('POST', '/v1/users', { body: { name: 'Kay', email: 'kay@example.com' } })).body;
    const { id } = (await call('POST', `/api/task/${project.id}`, { body: { title: 'F' } })).body;
    const put = async (field: string, body: object) => (await call('PUT', `/api/task/${field}/${id}`, { body })).body;
    expect(await put('status', { status: 'done' })).toMatchObject({ status: 'done' });
    expect(await put('priority', { priority: 'urgent' })).toMatchObject({ priority: 'urgent' });
    expect(await put('assignee', { userId: user.id })).toMatchObject({ userId: user.id });
    expect(await put('assignee', { userId: '' })).toMatchObject({ userId: null });
    expect(await put('due-date', { dueDate: '2026-05-01' })).toMatchObject({ dueDate: '2026-05-01T00:00:00.000Z' });
    expect(await put('title', { title: 'G' })).toMatchObject({ title: 'G' });
    expect(await put('description', { description: 'More' })).toMatchObject({ description: 'More' });
    const path = `/api/task/${id}`;
    const whole = (await call('GET', path)).body;
    expect(whole).toMatchObject({ title: 'G', status: 'done', priority: 'urgent', projectId: project.id });
    expect((await call('PUT', path, { body: { ...whole, title: 'H' } })).body).toEqual({ ...whole, title: 'H' });
    expect((await call('DELETE', path)).body).toMatchObject({ id, title: 'H' });
    expect((await call('GET', path)).status).toBe(404);
  });

  it('projects: archived ones are listed when asked for', async () => {
    const { body: project } = await call('POST', '/api/project', { body: { name: 'Old', icon: '', slug: '' } });
    const path = `/api/project/${project.id}`;
    const listed = async (query: string) =>
      (await call('GET', `/api/project?workspaceId=${server.workspace.id}${query}`)).body.some(
        ({ id }: { id: string }) => id === project.id,
      );
    expect(await listed('')).toBe(true);
    const { archivedAt } = (await call('PUT', `${path}/archive`)).body;
    expect(archivedAt).toBeTruthy();
    expect((await call('PUT', `${path}/archive`)).body.archivedAt).toBe(archivedAt);
    expect(await listed('')).toBe(false);
    expect(await listed('&includeArchived=true')).toBe(true);
    expect((await call('PUT', `${path}/unarchive`)).body.archivedAt).toBeNull();
    expect((await call('PUT', path, { body: { ...project, name: 'New' } })).body).toEqual({ ...project, name: 'New' });
    expect((await call('DELETE', path)).body).toMatchObject({ id: project.id, name: 'New' });
    expect((await call('GET', path)).status).toBe(404);
  });

  it('the workspace of another is not found; what an old server called it is no matter', async () => {
    const other = await createWorkspace(server);
    for (const path of ['/api/task', '/api/project']) {
      expect((await call('GET', `${path}?workspaceId=${other.workspace.id}`)).status).toBe(404);
      expect((await call('GET', `${path}?workspaceId=your-workspace-id`)).status).toBe(200);
    }
    const body = { name: 'Elsewhere', workspaceId: other.workspace.id };
    expect((await call('POST', '/api/project', { body })).status).toBe(404);
  });
});

describe('the Task Management API', () => {
  it('lists with limit, offset, order and filters, and links to the other pages', async () => {
    const user = (await call('POST', '/v1/users', { body: { name: 'Vi', email: 'vi@example.com', role: 'manager' } }))
      .body;
    expect(user.role).toBe('manager');
    for (let i = 0; i < 12; i += 1) {
      await call('POST', '/v1/tasks', {
        body: {
          title: `V1 task ${String.fromCharCode(97 + i)}`,
          assigneeId: user.id,
          status: i < 6 ? 'TODO' : 'REVIEW',
          priority: i % 2 ? 'HIGH' : 'URGENT',
          tags: i < 3 ? ['early', 'both'] : ['both'],
          ...(i < 4 && { dueDate: `2026-03-0${i + 1}T12:00:00Z` }),
        },
      });
    }
    const mine = `assigneeId=${user.id}`;
    const page = await call('GET', `/v1/tasks?${mine}&limit=5&offset=5&sort=title`);
    expect(page.body.pagination).toEqual({ total: 12, limit: 5, offset: 5, hasMore: true });
    expect(page.body.data.map((task: { title: string }) => task.title.at(-1)).join('')).toBe('fghij');
    const links = Object.fromEntries(
      [...(page.headers.get('link') ?? '').matchAll(/<([^>]+)>; rel="(\w+)"/g)].map(([, url = '', relation = '']) => [
        relation,
        new URL(url).searchParams.get('offset'),
      ]),
    );
    expect(links).toEqual({ next: '10', prev: '0', first: '0', last: '10' });
    expect((await call('GET', `/v1/tasks?${mine}&offset=10`)).body.pagination.hasMore).toBe(false);
    expect((await call('GET', `/v1/tasks?${mine}&offset=900000`)).body.data).toEqual([]);

    const total = async (query: string) => (await call('GET', `/v1/tasks?${mine}&${query}`)).body.pagination.total;
    expect(await total('status=REVIEW')).toBe(6);
    expect(await total('status=TODO,REVIEW')).toBe(12);
    expect(await total('priority=HIGH&status=TODO')).toBe(3);
    expect(await total('tags=early')).toBe(3);
    expect(await total('tags=early,both')).toBe(12);
    expect(await total('dueDate[gt]=2026-03-01T12:00:00Z&dueDate[lt]=2026-03-04')).toBe(2);
    expect(await total('dueDate[exists]=false')).toBe(8);
    expect(await total('dueDate[exists]=true')).toBe(4);
    expect(await total('search=task%20c')).toBe(1);
    expect(await total(`createdBy=${UNKNOWN}`)).toBe(0);
    const order = async (sort: string) =>
      (await call('GET', `/v1/tasks?${mine}&limit=100&sort=${sort}`)).body.data
        .map((task: { title: string }) => task.title.at(-1))
        .join('');
    expect(await order('priority,-title')).toBe('ljhfdbkigeca');
    expect(await order('%2Btitle')).toBe('abcdefghijkl');
    expect(await order('+title')).toBe('abcdefghijkl');
    const bad = await call('GET', '/v1/tasks?limit=101&sort=colour&status=x');
    expect(bad.status).toBe(400);
    expect(bad.body.error.code).toBe('bad_request');
    expect(Object.keys(bad.body.error.details)).toEqual(['limit', 'sort', 'status']);
  });

  it('users and projects', async () => {
    const made = await call('POST', '/v1/users', { body: { name: 'Ann', email: 'Ann@Example.com', role: 'member' } });
    expect(made).toMatchObject({ status: 201, body: { email: 'ann@example.com', role: 'member' } });
    const again = await call('POST', '/v1/users', { body: { name: 'Ann', email: 'ann@example.com' } });
    expect(again).toMatchObject({ status: 409, body: { error: { code: 'conflict', details: { email: 'is taken' } } } });
    const path = `/v1/users/${made.body.id}`;
    expect((await call('PATCH', path, { body: { name: 'Anne' } })).body).toMatchObject({
      name: 'Anne',
      role: 'member',
    });
    expect((await call('GET', '/v1/users?search=anne')).body).toMatchObject({ pagination: { total: 1 } });
    expect(await call('DELETE', path)).toMatchObject({ status: 200, body: { id: made.body.id, deleted: true } });
    expect((await call('GET', path)).status).toBe(404);

    const project = (await call('POST', '/v1/projects', { body: { name: 'V1', description: 'D' } })).body;
    const projectPath = `/v1/projects/${project.id}`;
    expect((await call('PATCH', projectPath, { body: { description: null } })).body.description).toBeNull();
    expect((await call('GET', '/v1/projects?sort=name&limit=1')).body.data).toHaveLength(1);
    expect((await call('GET', projectPath)).body.name).toBe('V1');
    expect((await call('DELETE', projectPath)).body).toEqual({ id: project.id, deleted: true });
  });

  it('an owner shows as admin and stays one when that is sent back', async () => {
    const owner = await server.system.user.findFirstOrThrow({ where: { role: 'OWNER', environment: 'LIVE' } });
    const path = `/v1/users/${owner.id}`;
    const shown = (await call('GET', path)).body;
    expect(shown.role).toBe('admin');
    expect((await call('PATCH', path, { body: shown })).status).toBe(200);
    expect((await server.system.user.findUniqueOrThrow({ where: { id: owner.id } })).role).toBe('OWNER');
  });
});

describe('the product API of keys', () => {
  it('creates, lists, shows, changes, rotates and revokes', async () => {
    const made = await call('POST', '/v1/api-keys', {
      body: { name: 'Integration', permissions: ['tasks:read', 'tasks:write'], expires_at: '2027-10-14T00:00:00Z' },
    });
    expect(made.status).toBe(201);
    expect(made.headers.get('cache-control')).toBe('no-store');
    expect(made.body).toMatchObject({
      permissions: ['tasks:read', 'tasks:write'],
      expires_at: '2027-10-14T00:00:00Z',
    });
    const { id, key } = made.body as { id: string; key: string };
    expect((await call('GET', '/api/tasks?limit=1', { key })).status).toBe(200);
    const list = await call('GET', '/v1/api-keys');
    expect(list.text).not.toContain(key);
    expect(list.body.data.find((row: { id: string }) => row.id === id).prefix).toBe(`${key.slice(0, 11)}...`);
    expect((await call('GET', `/v1/api-keys/${id}`)).body).toMatchObject({
      usage: { requests_today: expect.any(Number) },
    });
    const changed = await call('PATCH', `/v1/api-keys/${id}`, {
      body: { name: 'Renamed', permissions: ['tasks:read'], expires_at: null },
    });
    expect(changed.body).toMatchObject({ name: 'Renamed', permissions: ['tasks:read'], expires_at: null });
    expect((await call('POST', '/api/tasks', { key, body: { title: 'x' } })).status).toBe(403);
    const rotated = await call('POST', `/v1/api-keys/${id}/rotate`);
    expect(rotated.status).toBe(201);
    const old = await call('GET', '/api/tasks?limit=1', { key });
    expect(old.headers.get('sunset')).toBeTruthy();
    const emergency = await call('POST', `/v1/api-keys/${rotated.body.id}/rotate`, { body: { grace_period: 0 } });
    expect((await call('GET', '/api/tasks', { key: rotated.body.key })).status).toBe(401);
    expect((await call('DELETE', `/v1/api-keys/${emergency.body.id}`)).body).toEqual({
      id: emergency.body.id,
      deleted: true,
    });
    expect((await call('GET', '/api/tasks', { key: emergency.body.key })).status).toBe(401);
  });

  it('takes words for permissions, and none for none', async () => {
    const make = async (permissions: string[] | undefined) =>
      (await call('POST', '/v1/api-keys', { body: { name: 'Words', permissions } })).body;
    expect((await make(['Read'])).permissions).toContain('projects:read');
    expect((await make(['Read/Write'])).permissions).toEqual(expect.arrayContaining(['tasks:read', 'users:write']));
    expect((await make(['Read/Write'])).permissions).not.toContain('tasks:delete');
    const word = await call('POST', '/v1/api-keys', { body: { name: 'Word', permissions: 'Read/Write' } });
    expect(word.body.permissions).toEqual(expect.arrayContaining(['tasks:read', 'tasks:write']));
    const none = await make(undefined);
    expect(none.permissions).toEqual([]);
    expect((await call('GET', '/v1/tasks', { key: none.key })).status).toBe(403);
    const wrong = await call('POST', '/v1/api-keys', { body: { name: 'Wrong', permissions: ['task:read'] } });
    expect(wrong.status).toBe(422);
    expect(wrong.body.error.details.permissions).toContain('tasks:read');
  });

  it('a key of the sandbox, and no escalation', async () => {
    const test = await call('POST', '/v1/api-keys', {
      body: { name: 'Sandbox', permissions: ['tasks:*'], environment: 'test' },
    });
    expect(test.body.key).toMatch(/^sk_test_/);
    expect((await call('GET', '/v1/tasks', { key: test.body.key })).body.pagination.total).toBe(0);
    const small = await server.key(['keys:write', 'tasks:read']);
    const more = await call('POST', '/v1/api-keys', {
      key: small,
      body: { name: 'More', permissions: ['tasks:write'] },
    });
    expect(more.status).toBe(403);
  });

  it('tells how the key stands', async () => {
    const { key } = await server.createKey(['tasks:read'], 'LIVE', { ratePerMinute: 5, ratePerHour: 50 });
    const { body, headers } = await call('GET', '/v1/rate-limit', { key });
    expect(body).toMatchObject({ limit: 50, remaining: Number(headers.get('x-ratelimit-remaining')) });
    expect(new Date(body.reset_at).getTime()).toBe(body.reset * 1000);
    // Asking how it stands is free.
    expect((await call('GET', '/v1/rate-limit', { key })).body.remaining).toBe(body.remaining);
    // A list of a thousand counts as the one request that it is.
    for (let i = 0; i < 5; i += 1) expect((await call('GET', '/api/tasks', { key })).status).toBe(200);
    const limited = await call('GET', '/api/tasks', { key });
    expect(limited.status).toBe(429);
    expect(limited.body).toMatchObject({ error: { code: 'RATE_LIMIT_EXCEEDED' } });
    expect(limited.body.message).toBe(
      `Rate limit exceeded. Try again in ${limited.headers.get('retry-after')} seconds.`,
    );
    expect((await call('GET', '/v1/tasks', { key })).body.code).toBe('RATE_LIMIT_EXCEEDED');
  });
});

describe('every answer', () => {
  it('to a stranger is the 401 of its prefix', async () => {
    const stranger = (path: string, headers: Record<string, string> = {}) => fetch(server.origin + path, { headers });
    for (const headers of [{}, { authorization: 'Bearer abc123' }, { authorization: server.adminKey }] as object[]) {
      const api = await stranger('/api/tasks', headers as Record<string, string>);
      expect(api.status).toBe(401);
      expect(api.headers.get('www-authenticate')).toBe('Bearer');
      expect(await api.json()).toMatchObject({
        error: { code: 'INVALID_API_KEY', message: 'The provided API key is invalid or has been revoked.' },
      });
      const v1 = await stranger('/v1/tasks', headers as Record<string, string>);
      expect(await v1.json()).toMatchObject({ error: { code: 'unauthorized', message: 'Invalid or missing API key' } });
    }
    expect((await stranger(`/api/tasks?api_key=${server.adminKey}`)).status).toBe(401);
    const two = await stranger('/api/tasks', { authorization: `Bearer ${server.adminKey}`, 'x-api-key': 'sk_live_x' });
    expect(two.status).toBe(400);
    expect((await stranger('/v1/tasks', { authorization: `bearer ${server.adminKey}` })).status).toBe(200);
    expect((await stranger('/v1/tasks', { 'x-api-key': server.adminKey })).status).toBe(200);
  });

  it('that lacks a scope names it', async () => {
    const key = await server.key(['tasks:read']);
    const { status, body, headers } = await call('GET', '/api/projects', { key });
    expect(status).toBe(403);
    expect(body.error).toMatchObject({
      code: 'INSUFFICIENT_PERMISSIONS',
      message: "Your API key doesn't have access to this resource.",
      details: { missingScopes: ['projects:read'] },
    });
    expect(headers.get('www-authenticate')).toBe('Bearer error="insufficient_scope", scope="projects:read"');
    expect((await call('POST', '/v1/tasks', { key, body: { title: 'x' } })).body.error.code).toBe('forbidden');
    // What a key may write, it is shown, even if it may not read.
    const writer = await server.key(['tasks:write']);
    expect((await call('POST', '/v1/tasks', { key: writer, body: { title: 'Written' } })).body.title).toBe('Written');
  });

  it('carries its request id and the limits; GET a tag, and 304 to it', async () => {
    const first = await call('GET', '/v1/projects');
    for (const name of ['x-request-id', 'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset', 'etag']) {
      expect(first.headers.get(name), name).toBeTruthy();
    }
    const tag = first.headers.get('etag') ?? '';
    for (const known of [tag, `"x", ${tag}`, tag.replace('W/', ''), '*']) {
      const again = await call('GET', '/v1/projects', { headers: { 'if-none-match': known } });
      expect(again.status, known).toBe(304);
      expect(again.text).toBe('');
      expect(again.headers.get('x-ratelimit-remaining')).toBeTruthy();
    }
    expect((await call('GET', '/v1/projects', { headers: { 'if-none-match': 'W/"x"' } })).status).toBe(200);
  });

  it('is compressed as the client likes it', async () => {
    for (let i = 0; i < 5; i += 1) {
      await call('POST', '/v1/tasks', { body: { title: 'Long', description: 'long '.repeat(200) } });
    }
    const raw = (encoding: string) =>
      new Promise<{ encoding: string | undefined; body: Buffer }>((resolve, reject) => {
        const headers = { 'x-api-key': server.adminKey, 'accept-encoding': encoding };
        httpRequest(`${server.origin}/v1/tasks`, { headers }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () =>
            resolve({ encoding: response.headers['content-encoding'], body: Buffer.concat(chunks) }),
          );
        })
          .on('error', reject)
          .end();
      });
    const plain = await raw('identity');
    expect(plain.encoding).toBeUndefined();
    expect(await raw('gzip;q=0')).toMatchObject({ encoding: undefined });
    const zipped = await raw('gzip');
    expect(zipped.encoding).toBe('gzip');
    expect(gunzipSync(zipped.body)).toEqual(plain.body);
    const brotli = await raw('br;q=1.0, gzip;q=0.8');
    expect(brotli.encoding).toBe('br');
    expect(brotliDecompressSync(brotli.body)).toEqual(plain.body);
    expect(brotli.body.length).toBeLessThan(plain.body.length / 4);
  });

  it('to HEAD has no body, to OPTIONS the methods, to another method 405', async () => {
    const head = await fetch(`${server.origin}/api/tasks`, {
      method: 'HEAD',
      headers: { 'x-api-key': server.adminKey },
    });
    expect(head.status).toBe(200);
    expect(head.headers.get('x-total-count')).toMatch(/^\d+$/);
    expect(await head.text()).toBe('');
    expect((await fetch(`${server.origin}/api/tasks`, { method: 'HEAD' })).status).toBe(401);
    const options = await fetch(`${server.origin}/api/tasks`, { method: 'OPTIONS' });
    expect(options.status).toBe(204);
    expect(options.headers.get('allow')).toBe('GET, POST, HEAD, OPTIONS');
    expect(options.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('of a vanished task or a foreign one is the same 404', async () => {
    const other = await createWorkspace(server);
    for (const id of [
      UNKNOWN,
      other.live.taskId,
      other.test.taskId,
      'x',
      '%00',
      '%ED%A0%80',
      "'; DROP TABLE Task; --",
    ]) {
      for (const path of [`/api/tasks/${id}`, `/v1/tasks/${id}`, `/api/task/${id}`]) {
        expect((await call('GET', path)).status, path).toBe(404);
      }
    }
  });
});

describe('CORS', () => {
  it('is given to the origins of the configuration, and to no other', async () => {
    const open = await startTestServer({ CORS_ORIGINS: 'https://app.example.com' });
    try {
      const preflight = (origin: string) =>
        fetch(`${open.origin}/v1/tasks`, {
          method: 'OPTIONS',
          headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'x-api-key' },
        });
      const own = await preflight('https://app.example.com');
      expect(own.headers.get('access-control-allow-origin')).toBe('https://app.example.com');
      expect(own.headers.get('access-control-allow-headers')).toContain('x-api-key');
      expect((await preflight('https://evil.example.com')).headers.get('access-control-allow-origin')).toBeNull();
      const read = await fetch(`${open.origin}/v1/tasks`, {
        headers: { origin: 'https://app.example.com', 'x-api-key': open.adminKey },
      });
      expect(read.headers.get('access-control-expose-headers')).toContain('x-ratelimit-remaining');
    } finally {
      await open.stop();
    }
  });
});
