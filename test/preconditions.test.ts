/** Changes for one version of a row alone: If-Match by REST, expectedUpdatedAt in GraphQL. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RestAnswer, type RestCall, restClient } from './support/rest.js';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
let call: (method: string, path: string, request?: RestCall) => Promise<RestAnswer>;
beforeAll(async () => {
  server = await startTestServer();
  call = restClient(server);
});
afterAll(() => server.stop());

/** Each row that the routes change, in each dialect: where it is, how it is changed, and what undoes nothing. */
const rows: [string, () => Promise<{ path: string; method: string; body: object }>][] = [
  ['a task of /v1', async () => ({ path: `/v1/tasks/${await task()}`, method: 'PATCH', body: { title: 'by v1' } })],
  [
    'a task of Taskmaster',
    async () => ({ path: `/api/tasks/${await task()}`, method: 'PUT', body: { title: 'by taskmaster' } }),
  ],
  [
    'a task of Kaneo',
    async () => ({ path: `/api/task/title/${await task()}`, method: 'PUT', body: { title: 'by kaneo' } }),
  ],
  [
    'a project of /v1',
    async () => ({ path: `/v1/projects/${await project()}`, method: 'PATCH', body: { name: 'by v1' } }),
  ],
  [
    'a user',
    async () => {
      const { data } = await server.gql(
        'mutation ($email: String!) { createUser(input: { email: $email, name: "U" }) { user { id } } }',
        { email: `${Math.random()}@example.com` },
      );
      return { path: `/v1/users/${data.createUser.user.id}`, method: 'PATCH', body: { name: 'by v1' } };
    },
  ],
  [
    'an API key',
    async () => ({
      path: `/v1/api-keys/${(await server.createKey([])).apiKey.id}`,
      method: 'PATCH',
      body: { name: 'by v1' },
    }),
  ],
];
const task = async () => (await call('POST', '/v1/tasks', { body: { title: 'T', tags: ['x'] } })).body.id as string;
const project = async () => (await call('POST', '/v1/projects', { body: { name: 'P' } })).body.id as string;

/** Where the row is read that a path of Kaneo's changes a part of. */
const readAt = (path: string) => path.replace('/task/title/', '/task/');

describe('If-Match', () => {
  it.each(rows)('%s is changed by who has seen it, and by nobody else', async (_name, make) => {
    const { path, method, body } = await make();
    const seen = (await call('GET', readAt(path))).headers.get('etag') as string;
    expect(seen).toMatch(/^"[\w.-]+"$/);
    const change = (ifMatch: string) => call(method, path, { body, headers: { 'if-match': ifMatch } });
    for (const other of ['"other"', 'W/"other"', '"', 'nonsense']) {
      const refused = await change(other);
      expect([refused.status, (await call('GET', readAt(path))).headers.get('etag')], other).toEqual([412, seen]);
    }
    expect((await change(seen)).status).toBe(200);
    const late = await change(seen);
    expect(late.status).toBe(412);
    expect(JSON.stringify(late.body)).toContain('was changed since you read it');
    expect((await change('*')).status).toBe(200);
    const now = (await call('GET', readAt(path))).headers.get('etag') as string;
    // A list of them, as compressing proxies and our own encodings write them.
    expect((await change(`"other", W/"${now.slice(1, -1)}~gzip"`)).status).toBe(200);
    const unknown = await call(method, path.replace(/[^/]+$/, 'none'), { body, headers: { 'if-match': now } });
    expect(unknown.status).toBe(404);
  });

  it('holds for deletions, and deletes nothing else', async () => {
    for (const path of [`/v1/tasks/${await task()}`, `/v1/projects/${await project()}`]) {
      const seen = (await call('GET', path)).headers.get('etag') as string;
      const remove = (ifMatch: string) => call('DELETE', path, { headers: { 'if-match': ifMatch } });
      expect((await remove('"other"')).status).toBe(412);
      expect((await call('GET', path)).status).toBe(200);
      expect((await remove(seen)).status).toBe(200);
      expect((await call('GET', path)).status).toBe(404);
    }
  });

  it('holds for labels, and refuses what is changed without one row that has a tag', async () => {
    const { id } = (await call('POST', '/api/label', { body: { name: 'bug', color: '#ff0000' } })).body;
    const path = `/api/label/${id}`;
    const seen = (await call('GET', path)).headers.get('etag') as string;
    const rename = (name: string) =>
      call('PUT', path, { headers: { 'if-match': seen }, body: { name, color: '#00ff00' } });
    expect((await rename('one')).status).toBe(200);
    expect((await rename('two')).status).toBe(412);
    expect((await call('DELETE', path, { headers: { 'if-match': seen } })).status).toBe(412);
    expect((await call('GET', path)).body.name).toBe('one');

    const taskId = await task();
    const projectId = await project();
    const untagged = [
      ['PUT', `/api/label/${id}/task`, { taskId }],
      ['PATCH', '/api/notification/read-all', undefined],
      ['PUT', `/api/column/reorder/${projectId}`, { columns: [{ id: 'x', position: 0 }] }],
      ['PATCH', '/api/task/bulk', { taskIds: [taskId], operation: 'updatePriority', value: 'high' }],
    ] as const;
    for (const [method, at, body] of untagged) {
      const answer = await call(method, at, { headers: { 'if-match': seen }, ...(body && { body }) });
      expect([at, answer.status, answer.text]).toEqual([at, 412, expect.stringContaining('has no ETag')]);
    }
    expect((await call('GET', `/api/task/${taskId}`)).body.priority).not.toBe('high');
    const { status } = await call('PUT', `/api/label/${id}/task`, { headers: { 'if-match': '*' }, body: { taskId } });
    expect(status).toBe(200);
    const current = (await call('GET', path)).headers.get('etag') as string;
    expect((await call('DELETE', path, { headers: { 'if-match': current } })).status).toBe(200);
  });

  it('holds for the rotation and the revocation of a key, and for a relationship, whoever else is at it', async () => {
    const { apiKey } = await server.createKey([]);
    const key = `/v1/api-keys/${apiKey.id}`;
    const seen = (await call('GET', key)).headers.get('etag') as string;
    expect((await call('POST', `${key}/rotate`, { headers: { 'if-match': '"x"' } })).status).toBe(412);
    const atOnce = await Promise.all([
      call('POST', `${key}/rotate`, { headers: { 'if-match': seen } }),
      call('DELETE', key, { headers: { 'if-match': seen } }),
    ]);
    expect(atOnce.filter(({ status }) => status < 300)).toHaveLength(1);

    for (let round = 0; round < 5; round += 1) {
      const [a, b] = [await task(), await task()];
      const made = await call('POST', `/api/tasks/${a}/relationships`, { body: { type: 'blocks', target_task_id: b } });
      const path = `/api/tasks/${a}/relationships/${made.body.id}`;
      const headers = { 'if-match': (await call('GET', path)).headers.get('etag') as string };
      const answers = await Promise.all([
        call('PUT', path, { headers, body: { type: 'relates_to' } }),
        call('DELETE', path, { headers }),
      ]);
      expect(answers.filter(({ status }) => status < 300)).toHaveLength(1);
    }
  });

  it('an expiry that is sent back as it was shown keeps its fraction', async () => {
    const expiresAt = new Date('2099-01-01T00:00:00.750Z');
    const { apiKey } = await server.createKey([], 'LIVE', { expiresAt });
    const path = `/v1/api-keys/${apiKey.id}`;
    const { expires_at } = (await call('GET', path)).body;
    expect((await call('PATCH', path, { body: { expires_at, name: 'n' } })).status).toBe(200);
    const row = await server.system.apiKey.findUniqueOrThrow({ where: { id: apiKey.id } });
    expect(row.expiresAt).toEqual(expiresAt);
  });

  it('of ten who saw the same, one changes it', async () => {
    const path = `/v1/tasks/${await task()}`;
    const seen = (await call('GET', path)).headers.get('etag') as string;
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        call('PATCH', path, { body: { title: `by ${index}` }, headers: { 'if-match': seen } }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(412)]);
    const [winner] = answers.filter(({ status }) => status === 200);
    expect((await call('GET', path)).body.title).toBe(winner?.body.title);
  });

  it('a key that is used in between is the same version of it', async () => {
    const { key, apiKey } = await server.createKey(['tasks:read']);
    const path = `/v1/api-keys/${apiKey.id}`;
    const seen = (await call('GET', path)).headers.get('etag') as string;
    await call('GET', '/v1/tasks', { key });
    await server.flushUsage();
    const again = await call('GET', path);
    expect(again.body.usage.requests_today).toBeGreaterThan(0);
    expect(again.headers.get('etag')).not.toBe(seen);
    expect((await call('PATCH', path, { body: { name: 'n' }, headers: { 'if-match': seen } })).status).toBe(200);
  });

  it('takes the tag of a compressed answer', async () => {
    const path = `/v1/tasks/${(await call('POST', '/v1/tasks', { body: { title: 'L', description: 'x'.repeat(5000) } })).body.id}`;
    const { headers } = await call('GET', path, { headers: { 'accept-encoding': 'gzip' } });
    expect([headers.get('content-encoding'), headers.get('etag')]).toEqual(['gzip', expect.stringMatching(/~gzip"$/)]);
    const ifMatch = headers.get('etag') as string;
    expect((await call('PATCH', path, { body: { title: 'M' }, headers: { 'if-match': ifMatch } })).status).toBe(200);
  });

  it('tells nothing to a key that may not read the row', async () => {
    const writer = await server.key(['tasks:write']);
    const path = `/v1/tasks/${await task()}`;
    for (const ifMatch of ['*', '"x"']) {
      const answer = await call('PATCH', path, { key: writer, body: { title: 'x' }, headers: { 'if-match': ifMatch } });
      expect(answer.status).toBe(403);
    }
  });
});

describe('expectedUpdatedAt', () => {
  const made = async (document: string, name: string, variables: object = {}) => {
    const { data } = await server.gql(document, variables);
    return (data[name].task ?? data[name].project ?? data[name].user ?? data[name].apiKey) as {
      id: string;
      updatedAt: string;
    };
  };
  const newTask = () => made('mutation { createTask(input: { title: "T" }) { task { id updatedAt } } }', 'createTask');
  const newProject = () =>
    made('mutation { createProject(input: { name: "P" }) { project { id updatedAt } } }', 'createProject');
  const newUser = () =>
    made(
      'mutation ($email: String!) { createUser(input: { email: $email, name: "U" }) { user { id updatedAt } } }',
      'createUser',
      { email: `${Math.random()}@example.com` },
    );
  const newKey = () =>
    made('mutation { createApiKey(input: { name: "K", scopes: [] }) { apiKey { id updatedAt } } }', 'createApiKey');
  it.each([
    ['updateTask', newTask, '{ task { id } }', { title: 'N' }],
    ['deleteTask', newTask, '{ deletedTaskId }', {}],
    ['updateProject', newProject, '{ project { id } }', { name: 'N' }],
    ['archiveProject', newProject, '{ project { id } }', { archived: true }],
    ['deleteProject', newProject, '{ deletedProjectId }', {}],
    ['updateUser', newUser, '{ user { id } }', { name: 'N' }],
    ['deleteUser', newUser, '{ deletedUserId }', {}],
    ['updateApiKey', newKey, '{ apiKey { id } }', { name: 'N' }],
    ['rotateApiKey', newKey, '{ key }', {}],
    ['revokeApiKey', newKey, '{ revokedKeys }', {}],
  ])('%s', async (name, make, selection, change) => {
    const { id, updatedAt } = await make();
    const type = `${name[0]?.toUpperCase()}${name.slice(1)}Input`;
    const run = (expectedUpdatedAt: unknown) =>
      server.gql(`mutation ($input: ${type}!) { ${name}(input: $input) ${selection} }`, {
        input: { id, ...change, expectedUpdatedAt },
      });
    const before = new Date(new Date(updatedAt).getTime() - 1).toISOString();
    const refused = await run(before);
    expect(refused.errors?.[0]?.extensions).toMatchObject({
      ...{ code: 'CONFLICT', expectedUpdatedAt: before, updatedAt },
    });
    expect(refused.data).toEqual({ [name]: null });
    expect((await run(updatedAt)).errors).toBeUndefined();
    // By now it is another, or gone.
    const late = await run(updatedAt);
    expect(late.errors?.[0]?.extensions['code']).toBe(name.startsWith('delete') ? 'NOT_FOUND' : 'CONFLICT');
  });

  it.each([
    ['updateTask', newTask, 'task { id updatedAt title tags }', ['title', 'tags']],
    ['updateProject', newProject, 'project { id updatedAt name }', ['name']],
    ['updateUser', newUser, 'user { id updatedAt name email role }', ['name', 'email', 'role']],
    ['updateApiKey', newKey, 'apiKey { id updatedAt name scopes }', ['name', 'scopes']],
  ] as const)(
    '%s that changes nothing is no other version, and no entry of the audit log',
    async (name, make, selection, fields) => {
      const { id, updatedAt } = await make();
      const type = `${name[0]?.toUpperCase()}${name.slice(1)}Input`;
      const [kind = ''] = selection.split(' ');
      const entries = () => server.system.auditEvent.count({ where: { targetId: id } });
      const written = await entries();
      const run = async (input: object) => {
        const { data, errors } = await server.gql(
          `mutation ($input: ${type}!) { ${name}(input: $input) { ${selection} } }`,
          { input: { id, ...input } },
        );
        expect(errors).toBeUndefined();
        return data[name][kind];
      };
      const row = await run({});
      expect(row.updatedAt).toBe(updatedAt);
      const same = Object.fromEntries(fields.map((field) => [field, row[field]]));
      expect((await run({ ...same, expectedUpdatedAt: updatedAt })).updatedAt).toBe(updatedAt);
      expect(await entries()).toBe(written);
      expect((await run({ [fields[0]]: 'Another' })).updatedAt).not.toBe(updatedAt);
      expect(await entries()).toBe(written + 1);
    },
  );

  it('of ten who saw the same, one changes it', async () => {
    const { id, updatedAt } = await newTask();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        server.gql('mutation ($input: UpdateTaskInput!) { updateTask(input: $input) { task { title } } }', {
          input: { id, title: `by ${index}`, expectedUpdatedAt: updatedAt },
        }),
      ),
    );
    expect(answers.filter(({ errors }) => !errors)).toHaveLength(1);
    expect(answers.flatMap(({ errors }) => errors?.map((error) => error.extensions['code']) ?? [])).toEqual(
      Array(9).fill('CONFLICT'),
    );
  });
});
