/** What the REST routes are sent wrongly, each of them, and what a dialect can and cannot say. */
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { routes } from '../src/rest/routes.js';
import { createWorkspace } from './support/factories.js';
import { type RestAnswer, type RestCall, restClient } from './support/rest.js';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
let call: (method: string, path: string, request?: RestCall) => Promise<RestAnswer>;
let foreign: Awaited<ReturnType<typeof createWorkspace>>;
let own: Record<Kind | 'otherTaskId', string>;
beforeAll(async () => {
  server = await startTestServer();
  call = restClient(server);
  foreign = await createWorkspace(server);
  const user = await server.system.user.findFirstOrThrow({ where: { workspaceId: server.workspace.id } });
  own = {
    taskId: (await call('POST', '/api/tasks', { body: { title: 'Own' } })).body.id,
    otherTaskId: (await call('POST', '/api/tasks', { body: { title: 'Other' } })).body.id,
    projectId: (await call('POST', '/api/projects', { body: { name: 'Own' } })).body.id,
    userId: user.id,
    keyId: (await server.createKey([])).apiKey.id,
    workspaceId: server.workspace.id,
    ...{ stateId: '', labelId: '', relationshipId: '', timeEntryId: '', notificationId: '' },
  };
  const { taskId, otherTaskId } = own;
  const made = async (path: string, body: object) => (await call('POST', path, { body })).body.id as string;
  const { projectId } = own;
  own.stateId = await made(`/api/column/${projectId}`, { name: 'Own' });
  own.labelId = await made('/api/label', { name: 'Own', color: '#000000', taskId });
  own.relationshipId = await made('/api/task-relation', {
    ...{ sourceTaskId: otherTaskId, targetTaskId: taskId, relationType: 'related' },
  });
  own.timeEntryId = await made('/api/time-entry', { taskId, startTime: '2026-01-01T00:00:00Z' });
  const { id: notificationId } = await server.system.notification.create({
    data: { workspaceId: server.workspace.id, environment: 'LIVE', userId: user.id, kind: 'ASSIGNED', taskId },
  });
  own.notificationId = notificationId;
});
afterAll(() => server.stop());
afterEach(async () => {
  expect((await fetch(`${server.origin}/health/ready`)).status).toBe(200);
});

const UNKNOWN = '01900000-0000-7000-8000-000000000000';

type Kind =
  | 'taskId'
  | 'projectId'
  | 'userId'
  | 'keyId'
  | 'stateId'
  | 'labelId'
  | 'relationshipId'
  | 'timeEntryId'
  | 'notificationId'
  | 'workspaceId';

/** Which kind of row the first id of a path names. */
const KINDS: readonly [RegExp, Kind][] = [
  [/^[a-z]+ \/api\/label\/\{id\}/, 'labelId'],
  [/^(put|delete) \/api\/column\/\{id\}/, 'stateId'],
  [/^delete \/api\/task-relation/, 'relationshipId'],
  [/^[a-z]+ \/api\/time-entry\/\{id\}/, 'timeEntryId'],
  [/notification/, 'notificationId'],
  [/workspace/, 'workspaceId'],
  [/\/task\/(im|ex)port/, 'projectId'],
  [/^get \/api\/task\/tasks|projects?\/\{|\/column\/|^post \/api\/task\/\{id\}/, 'projectId'],
  [/users/, 'userId'],
  [/api-keys/, 'keyId'],
];
const kindOf = ({ method, path }: { method: string; path: string }): Kind =>
  KINDS.find(([pattern]) => pattern.test(`${method} ${path}`))?.[1] ?? 'taskId';

function expectEnvelope({ status, body, headers }: RestAnswer, path: string, statuses: readonly number[]) {
  expect(statuses, `${path} answered ${status} ${JSON.stringify(body)}`).toContain(status);
  expect(headers.get('content-type')).toBe('application/json');
  expect(headers.get('x-request-id')).toBe(body.requestId);
  expect(body.message).toBe(body.error.message);
  expect(body.error.code).toMatch(path.startsWith('/v1/') ? /^([a-z_]+|RATE_LIMIT_EXCEEDED)$/ : /^[A-Z_]+$/);
}

describe.each(routes.map((route) => [`${route.method.toUpperCase()} ${route.path}`, route] as const))(
  '%s',
  (_, route) => {
    const method = route.method.toUpperCase();
    const prefix = route.path.startsWith('/v1/') ? 'v1' : 'api';
    const invalid = prefix === 'v1' ? 422 : 400;
    const isSearch = route.path === '/api/search';
    const place = (id: string, second = UNKNOWN) => {
      const ids = [id, second];
      return route.path.replace(/\{\w+\}/g, () => ids.shift() ?? UNKNOWN) + (isSearch ? '?q=x' : '');
    };
    const ownId = () => own[kindOf(route)];
    /** A body that would do. */
    const good = () => {
      if (!route.body) return {};
      if (/relationships/.test(route.path)) return { body: { type: 'blocks', target_task_id: own.otherTaskId } };
      if (/rotate$/.test(route.path)) return { body: {} };
      const { taskId, otherTaskId, projectId } = own;
      if (/bulk/.test(route.path)) return { body: { taskIds: [taskId], operation: 'updatePriority', value: 'low' } };
      if (/import/.test(route.path)) return { body: { tasks: [{ title: 'T', status: 'done' }] } };
      if (/move/.test(route.path)) return { body: { destinationProjectId: projectId } };
      if (/reorder/.test(route.path)) return { body: { columns: [{ id: own.stateId, position: 0 }] } };
      if (/label/.test(route.path)) return { body: { name: 'N', color: '#123456', taskId } };
      if (/relation/.test(route.path)) {
        return { body: { sourceTaskId: taskId, targetTaskId: otherTaskId, relationType: 'blocks' } };
      }
      if (/time-entry/.test(route.path)) return { body: { taskId, startTime: '2026-01-01T00:00:00Z' } };
      const field = /\/api\/task\/(status|priority|assignee|due-date|title|description)\//.exec(route.path)?.[1];
      const single: Record<string, object> = {
        status: { status: 'done' },
        priority: { priority: 'low' },
        assignee: { userId: null },
        'due-date': { dueDate: null },
        title: { title: 'T' },
        description: { description: 'D' },
      };
      return { body: single[field ?? ''] ?? { title: 'T', name: 'N', email: 'n@example.com', content: 'C' } };
    };

    it('a stranger, a key without scopes', async () => {
      const path = place(ownId());
      const stranger = await call(method, path, { ...good(), headers: { authorization: 'Bearer sk_live_x' } });
      expectEnvelope(stranger, path, [401]);
      const powerless = await server.key([]);
      const refused = await call(method, path, { ...good(), key: powerless });
      if (route.operation.scopes.length === 0) expect(refused.status).toBe(200);
      else {
        expectEnvelope(refused, path, [403]);
        expect(refused.body.error.details.missingScopes.length).toBeGreaterThan(0);
      }
    });

    it('a method that is not there', async () => {
      const path = place(ownId());
      const response = await fetch(server.origin + path, {
        method: 'PURGE',
        headers: { 'x-api-key': server.adminKey },
      });
      const body = (await response.json()) as RestAnswer['body'];
      expectEnvelope({ status: response.status, headers: response.headers, body, text: '' }, path, [405]);
      expect(response.headers.get('allow')).toContain(method);
    });

    if (route.path.includes('{'))
      it('an unknown id, one of another workspace, nonsense', async () => {
        const theirs = foreign.live[kindOf(route) as 'taskId'] ?? foreign.live.taskId;
        for (const id of [UNKNOWN, theirs, 'x'.repeat(300), '%2e%2e', '%00', '%25', "1'--"]) {
          const path = place(id);
          // A client that makes the path shorter asks for another one.
          expectEnvelope(await call(method, path, good()), path, id === '%2e%2e' ? [404, 405] : [404]);
        }
      });

    if (route.body)
      it('a body that is none', async () => {
        const path = place(ownId());
        for (const body of ['{', 'x', '[]', 'null', '"text"', '1', `${'['.repeat(100_000)}${']'.repeat(100_000)}`]) {
          expectEnvelope(await call(method, path, { body }), path, [400]);
        }
        if (!route.bodyOptional) {
          expectEnvelope(await call(method, path, { body: '' }), path, [400]);
          expectEnvelope(await call(method, path, { body: {} }), path, [invalid]);
        }
        const form = { body: 'title=T', headers: { 'content-type': 'application/x-www-form-urlencoded' } };
        expectEnvelope(await call(method, path, form), path, [415]);
        expectEnvelope(await call(method, path, { body: `{"title":"${'x'.repeat(1024 * 1024)}"}` }), path, [413]);
      });

    if (route.body)
      it('fields of a wrong type, too long, or that nothing can store', async () => {
        const path = place(ownId());
        const schema = route.body as unknown as { shape?: Record<string, unknown>; def?: { in?: { shape: object } } };
        const fields = Object.keys(schema.shape ?? {});
        expect(fields.length).toBeGreaterThan(0);
        for (const field of fields.filter((name) => name !== 'workspaceId')) {
          for (const value of [{ x: 1 }, true, [[1]], 'x'.repeat(20_000), '\u0000', '\ud800']) {
            if (field === 'isFinal' && value === true) continue;
            const answer = await call(method, path, { body: { ...good().body, [field]: value } });
            expectEnvelope(answer, `${path} ${field}=${JSON.stringify(value).slice(0, 20)}`, [invalid, 404]);
            if (answer.status === invalid) expect(Object.keys(answer.body.errors)).toContain(field);
          }
        }
      });

    if (route.query)
      it('parameters that are none', async () => {
        const path = `${place(ownId())}${isSearch ? '&' : '?'}`;
        const shape = Object.keys((route.query as unknown as { shape: object }).shape);
        for (const name of shape.filter((known) =>
          /^(limit|offset|page|status|priority|sort|sortBy|dueBefore|dueDate\[\w+\])$/.test(known),
        )) {
          for (const value of ['-1', 'x', '1e3', '99999999999999999999', '%00', '2026-13-45', '1&limit=2']) {
            if (name !== 'limit' && value.startsWith('1&')) continue;
            expectEnvelope(await call(method, `${path}${name}=${value}`), path, [400]);
          }
        }
        // Nothing given is nothing asked.
        expect((await call(method, `${path}${shape.map((name) => `${name}=`).join('&')}`)).status).toBe(200);
        expect((await call(method, `${path}unknown=1&api_key=x`)).status).toBe(200);
      });
  },
);

describe('a date', () => {
  it('lies where both databases can keep it', async () => {
    for (const dueDate of ['9999-12-31T23:59:59-14:00', '0000-01-01', '0001-01-01T00:00:00+14:00']) {
      expect((await call('POST', '/v1/tasks', { body: { title: 'D', dueDate } })).status, dueDate).toBe(422);
      const { errors } = await server.gql(
        'mutation ($d: DateTime) { createTask(input: { title: "D", dueDate: $d }) { task { id } } }',
        { d: dueDate },
      );
      expect(errors?.[0]?.extensions['code'], dueDate).toBe('BAD_USER_INPUT');
    }
    for (const dueDate of ['0001-01-01T00:00:00.000Z', '0999-06-05T04:03:02.001Z', '9999-12-31T23:59:59.999Z']) {
      const { body } = await call('POST', '/v1/tasks', { body: { title: 'D', dueDate } });
      expect((await call('GET', `/v1/tasks/${body.id}`)).body.dueDate).toBe(dueDate.replace(/\.\d+/, ''));
      const { data } = await server.gql(`{ task(id: "${body.id}") { dueDate } }`);
      expect(data.task.dueDate).toBe(dueDate);
    }
  });
});

describe('a body', () => {
  it('that is compressed, or no UTF-8, is not stored as something else', async () => {
    const send = async (body: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) => {
      const response = await fetch(`${server.origin}/v1/tasks`, {
        method: 'POST',
        body,
        headers: { 'x-api-key': server.adminKey, 'content-type': 'application/json', ...headers },
      });
      return response.status;
    };
    expect(await send(Uint8Array.from(Buffer.from('{"title":"\xff\xfe"}', 'latin1')))).toBe(400);
    expect(await send(Uint8Array.from(Buffer.from('{"title":"x"}')), { 'content-encoding': 'gzip' })).toBe(415);
    expect(await send(Uint8Array.from(Buffer.from('{"title":"é"}')))).toBe(201);
  });
});

describe('the core refuses', () => {
  it('in the words of the dialect, as a parameter or as a field', async () => {
    const words = Array.from({ length: 51 }, (_, i) => `w${i}`).join('%20');
    expect(await call('GET', `/v1/tasks?search=${words}`)).toMatchObject({
      status: 400,
      body: { error: { code: 'bad_request' } },
    });
    expect(await call('GET', '/v1/api-keys?cursor=zzz')).toMatchObject({
      status: 400,
      body: { errors: { cursor: [expect.any(String)] } },
    });
    const rotate = `/v1/api-keys/${own.keyId}/rotate`;
    expect(await call('POST', rotate, { body: { grace_period: 3_000_000_000 } })).toMatchObject({
      status: 422,
      body: { errors: { grace_period: [expect.any(String)] } },
    });
    expect((await call('GET', '/v1/tasks?sort=status,%20-title')).status).toBe(200);
  });
});

describe('a dialect', () => {
  const STATUSES = ['BACKLOG', 'TRIAGE', 'TODO', 'IN_PROGRESS', 'IN_REVIEW', 'DONE', 'CANCELED'];
  const PRIORITIES = ['NONE', 'LOW', 'MEDIUM', 'HIGH', 'URGENT'];
  const date = fc.date({ min: new Date('1990-01-01'), max: new Date('2090-01-01'), noInvalidDate: true });
  const text = (max: number) =>
    fc.string({ unit: 'grapheme', maxLength: max }).filter((value) => value.isWellFormed() && !value.includes('\0'));
  const task = fc.record({
    title: text(60).filter((title) => title.trim().length > 0 && title.trim().length <= 255),
    description: fc.option(text(80)),
    status: fc.constantFrom(...STATUSES),
    priority: fc.constantFrom(...PRIORITIES),
    tags: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 10, unit: fc.constantFrom(...'abcxyz') }), {
      maxLength: 4,
    }),
    dueDate: fc.option(date.map((day) => day.toISOString())),
    position: fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }),
    projectId: fc.boolean(),
    assigneeId: fc.boolean(),
  });
  const ALL = 'title description status priority tags startDate dueDate position projectId assigneeId';

  it.each([
    ['/api/tasks', 'PUT', 'title'],
    ['/api/tasks', 'PATCH', 'title'],
    ['/api/task', 'PUT', 'title'],
    ['/v1/tasks', 'PATCH', 'title'],
  ])('%s, %s: shows only its own words, and destroys nothing by reading and writing back', async (base, method) => {
    await fc.assert(
      fc.asyncProperty(task, async ({ projectId, assigneeId, ...fields }) => {
        const input = {
          ...fields,
          ...(projectId && { projectId: own.projectId }),
          ...(assigneeId && { assigneeId: own.userId }),
        };
        const made = await server.gql(
          `mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { id ${ALL} } } }`,
          { input },
        );
        const { id, ...before } = made.data.createTask.task;
        // The client holds the answer to the document's component, whose words are the dialect's.
        const shown = (await call('GET', `${base}/${id}`)).body;
        const back = await call(method, `${base}/${id}`, { body: { ...shown, title: 'Renamed' } });
        expect(back.body).toMatchObject({
          ...shown,
          title: 'Renamed',
          ...(shown.updatedAt && { updatedAt: expect.anything() }),
          ...(shown.updated_at && { updated_at: expect.anything() }),
        });
        const after = (await server.gql(`{ task(id: "${id}") { ${ALL} } }`)).data.task;
        expect(after).toEqual({ ...before, title: 'Renamed' });
      }),
      { numRuns: 25 },
    );
  });
});

describe('who may not do it', () => {
  it('is told that, whatever else is wrong with the request', async () => {
    const { key } = await server.createKey(['tasks:read']);
    const wrong: [string, string, RestCall][] = [
      ['POST', '/api/tasks', { key, body: {} }],
      ['POST', '/v1/tasks', { key, body: { title: 1 } }],
      ['POST', '/api/tasks', { key }],
      ['PATCH', `/v1/tasks/${own.taskId}`, { key, body: { status: 'none' } }],
      ['GET', '/api/projects?limit=none', { key }],
    ];
    for (const [method, path, request] of wrong) {
      const { status } = await call(method, path, request);
      expect([method, path, status]).toEqual([method, path, 403]);
      const { status: ofAdmin } = await call(method, path, { ...request, key: server.adminKey });
      expect([400, 415, 422]).toContain(ofAdmin);
    }
    expect((await call('POST', '/api/tasks', { key, body: {} })).body).toMatchObject({
      error: { code: 'INSUFFICIENT_PERMISSIONS' },
    });
  });
});

describe("Kaneo's clients", () => {
  it('clear by leaving out of a whole task, and change a part by sending that', async () => {
    const dates = { startDate: '2026-12-01T00:00:00.000Z', dueDate: '2026-12-02T00:00:00.000Z' };
    const whole = {
      ...{ title: 'Whole', description: '', status: 'to-do', priority: 'low', position: 1 },
      projectId: own.projectId,
    };
    const { body: task } = await call('POST', `/api/task/${own.projectId}`, {
      body: { ...whole, ...dates, userId: own.userId, projectId: undefined },
    });
    const path = `/api/task/${task.id}`;
    const part = await call('PUT', path, { body: { title: 'Part' } });
    expect(part.body).toMatchObject({ title: 'Part', ...dates, userId: own.userId });
    const cleared = await call('PUT', path, { body: { ...whole, dueDate: dates.dueDate } });
    expect(cleared.body).toMatchObject({ title: 'Whole', dueDate: dates.dueDate, userId: null });
    expect(cleared.body).not.toHaveProperty('startDate');
  });

  it('take nobody away from many tasks by leaving the value out', async () => {
    const { body: task } = await call('POST', `/api/task/${own.projectId}`, {
      body: { title: 'Kept', description: '', status: 'to-do', priority: 'low', userId: own.userId },
    });
    const bulk = (change: object) => call('PATCH', '/api/task/bulk', { body: { taskIds: [task.id], ...change } });
    for (const operation of ['updateAssignee', 'updateStatus', 'addLabel']) {
      const { status, body } = await bulk({ operation });
      expect([operation, status, JSON.stringify(body)]).toEqual([operation, 400, expect.stringContaining('value')]);
    }
    expect((await call('GET', `/api/task/${task.id}`)).body.userId).toBe(own.userId);
    expect((await bulk({ operation: 'updateAssignee', value: null })).status).toBe(200);
    expect((await call('GET', `/api/task/${task.id}`)).body.userId).toBeNull();
  });
});

describe('a tag', () => {
  it('with a comma is found by it', async () => {
    const { body } = await call('POST', '/v1/tasks', { body: { title: 'Comma', tags: ['alpha,beta'] } });
    const found = await call('GET', '/v1/tasks?tags=alpha%2Cbeta');
    expect(found.body.data.map(({ id }: { id: string }) => id)).toEqual([body.id]);
  });
});

describe('Idempotency-Key', () => {
  const post = (key: string, body: object, path = '/v1/tasks') =>
    call('POST', path, { body, headers: { 'idempotency-key': key } });
  const count = async (title: string) => server.system.task.count({ where: { title } });

  it('answers the first result again, and does nothing again', async () => {
    const first = await post('one', { title: 'Once' });
    expect(first.status).toBe(201);
    const again = await post('one', { title: 'Once' });
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(await count('Once')).toBe(1);
    const other = await post('one', { title: 'Another' });
    expect(other.status).toBe(422);
    expect((await post('one', { title: 'Once' }, '/api/tasks')).status).toBe(422);
    expect(await count('Another')).toBe(0);
    // Another key's requests are its own.
    const elsewhere = await call('POST', '/v1/tasks', {
      key: foreign.live.key,
      body: { title: 'Once' },
      headers: { 'idempotency-key': 'one' },
    });
    expect(elsewhere.body.id).not.toBe(first.body.id);
  });

  it('at the same time: one is carried out', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => post('rush', { title: 'Rush' })));
    expect(await count('Rush')).toBe(1);
    expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThan(0);
    for (const { status } of answers) expect([201, 409]).toContain(status);
    expect((await post('rush', { title: 'Rush' })).status).toBe(201);
  });

  it('keeps a refusal of the row, and not one that the caller can mend', async () => {
    expect((await post('gone', { title: 'G', projectId: UNKNOWN })).status).toBe(404);
    expect((await post('gone', { title: 'G', projectId: UNKNOWN })).headers.get('idempotent-replayed')).toBe('true');
    expect((await post('empty', { title: '' })).status).toBe(422);
    expect((await post('empty', { title: 'Filled' })).status).toBe(201);
    const { key, apiKey } = await server.createKey(['tasks:read']);
    const send = () =>
      call('POST', '/v1/tasks', { key, body: { title: 'Mended' }, headers: { 'idempotency-key': 'mend' } });
    expect((await send()).status).toBe(403);
    await call('PATCH', `/v1/api-keys/${apiKey.id}`, { body: { permissions: ['tasks:write'] } });
    expect((await send()).status).toBe(201);
    expect((await post('x'.repeat(256), { title: 'T' })).status).toBe(422);
  });

  it('knows after a crash what was carried out', async () => {
    const record = {
      keyId: (
        await server.system.apiKey.findFirstOrThrow({
          where: { workspaceId: server.workspace.id },
          orderBy: { createdAt: 'asc' },
        })
      ).id,
      workspaceId: server.workspace.id,
      environment: 'LIVE' as const,
      expiresAt: new Date(Date.now() + 86_400_000),
    };
    // The first process died before anything was written, and after the task was.
    await post('crash', { title: 'Crash' });
    const { requestHash } = await server.system.idempotencyRecord.findFirstOrThrow({
      where: { idempotencyKey: 'crash' },
    });
    const left = async (idempotencyKey: string, status: number | null, age: number) =>
      server.system.idempotencyRecord.create({
        data: { ...record, idempotencyKey, requestHash, status, createdAt: new Date(Date.now() - age) },
      });
    await left('before', null, 61_000);
    await left('fresh', null, 1000);
    await left('after', 0, 61_000);
    expect((await post('before', { title: 'Crash' })).status).toBe(201);
    const running = await post('fresh', { title: 'Crash' });
    expect([running.status, running.headers.get('retry-after')]).toEqual([409, '1']);
    expect((await post('after', { title: 'Crash' })).body.message).toContain('was carried out');
    expect(await count('Crash')).toBe(2);
  });

  it('makes one key and shows it, whatever breaks after it was written', async () => {
    let broken = true;
    server.services.units.onKeysChanged(() => {
      if (!broken) return;
      broken = false;
      throw new Error('after the commit');
    });
    const made = await post('broken', { name: 'Broken' }, '/v1/api-keys');
    expect([made.status, broken]).toEqual([201, false]);
    expect((await post('broken', { name: 'Broken' }, '/v1/api-keys')).body).toEqual(made.body);
    expect(await server.system.apiKey.count({ where: { name: 'Broken' } })).toBe(1);
  });

  it('costs a request each time, and nothing is claimed by what is refused', async () => {
    const { key } = await server.createKey(['tasks:write'], 'LIVE', { ratePerMinute: 3, ratePerHour: 100 });
    const send = (idempotencyKey: string) =>
      call('POST', '/v1/tasks', { key, body: { title: 'Counted' }, headers: { 'idempotency-key': idempotencyKey } });
    const statuses = [];
    for (let i = 0; i < 4; i += 1) statuses.push((await send('counted')).status);
    expect(statuses).toEqual([201, 201, 201, 429]);
    expect((await send('never')).status).toBe(429);
    expect(await server.system.idempotencyRecord.count({ where: { idempotencyKey: 'never' } })).toBe(0);
  });

  it('keeps a new key sealed: nobody reads it in the database', async () => {
    const first = await post('secret', { name: 'Sealed' }, '/v1/api-keys');
    expect((await post('secret', { name: 'Sealed' }, '/v1/api-keys')).body.key).toBe(first.body.key);
    const rows = await server.system.idempotencyRecord.findMany();
    expect(JSON.stringify(rows)).not.toContain(first.body.key.slice(8));
    expect(rows.some(({ body }) => body && Buffer.from(body, 'base64').toString('latin1').includes('sk_live'))).toBe(
      false,
    );
  });
});

describe('the client-credentials flow', () => {
  const token = (form: Record<string, string>, basic?: [string, string], headers: Record<string, string> = {}) =>
    fetch(`${server.origin}/api/auth/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams(form),
      headers: {
        ...(basic && {
          authorization: `Basic ${Buffer.from(basic.map(encodeURIComponent).join(':')).toString('base64')}`,
        }),
        ...headers,
      },
    });
  const grant = { grant_type: 'client_credentials' };

  it('gives an hour of the key, by either way to authenticate', async () => {
    const { key, apiKey } = await server.createKey(['tasks:*']);
    const response = await token(grant, [apiKey.id, key]);
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const body = (await response.json()) as { access_token: string };
    expect(body).toEqual({
      access_token: expect.stringMatching(/^at_live_/),
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'tasks:*',
    });
    expect((await call('POST', '/api/tasks', { key: body.access_token, body: { title: 'By token' } })).status).toBe(
      201,
    );
    expect((await call('GET', '/api/projects', { key: body.access_token })).status).toBe(403);
    expect((await server.gql('{ tasks { totalCount } }', {}, body.access_token)).data.tasks.totalCount).toBeGreaterThan(
      0,
    );
    expect((await token({ ...grant, client_id: apiKey.id, client_secret: key })).status).toBe(200);
    const stored = JSON.stringify(await server.system.accessToken.findMany());
    expect(stored).not.toContain(body.access_token.slice(8));
    expect(server.logLines.join('')).not.toContain(body.access_token.slice(8));
  });

  it('gives fewer scopes when asked, never more', async () => {
    const { key, apiKey } = await server.createKey(['tasks:*']);
    const small = (await (await token({ ...grant, scope: 'tasks:read' }, [apiKey.id, key])).json()) as {
      access_token: string;
    };
    expect((await call('GET', '/api/tasks', { key: small.access_token })).status).toBe(200);
    expect((await call('POST', '/api/tasks', { key: small.access_token, body: { title: 'x' } })).status).toBe(403);
    for (const scope of ['projects:read', 'admin:*', 'tasks:read nonsense']) {
      const refused = await token({ ...grant, scope }, [apiKey.id, key]);
      expect([refused.status, ((await refused.json()) as { error: string }).error]).toEqual([400, 'invalid_scope']);
    }
    // What the key loses, the token loses.
    const whole = (await (await token(grant, [apiKey.id, key])).json()) as { access_token: string };
    await call('PATCH', `/v1/api-keys/${apiKey.id}`, { body: { permissions: ['tasks:read'] } });
    expect((await call('POST', '/api/tasks', { key: whole.access_token, body: { title: 'x' } })).status).toBe(403);
    expect((await call('GET', '/api/tasks', { key: whole.access_token })).status).toBe(200);
  });

  it('makes nothing that outlasts it', async () => {
    const { key, apiKey } = await server.createKey(['keys:write', 'tasks:read']);
    const { access_token: small } = (await (await token(grant, [apiKey.id, key])).json()) as { access_token: string };
    const child = await call('POST', '/v1/api-keys', {
      key: small,
      body: { name: 'Child', permissions: ['tasks:read'] },
    });
    expect(Date.parse(child.body.expires_at)).toBeLessThanOrEqual(Date.now() + 3_600_000);
    const body = { name: 'Child', permissions: [], expires_at: '2030-01-01T00:00:00Z' };
    expect((await call('POST', '/v1/api-keys', { key: small, body })).status).toBe(403);
    expect(
      (await call('POST', `/v1/api-keys/${apiKey.id}/rotate`, { key: small, body: { grace_period: 0 } })).status,
    ).toBe(403);
    // Nor does a key that was rotated and lives out its grace.
    await call('POST', `/v1/api-keys/${apiKey.id}/rotate`, { body: { grace_period: 600 } });
    const late = await call('POST', '/v1/api-keys', { key, body: { name: 'Late', permissions: [] } });
    expect(Date.parse(late.body.expires_at)).toBeLessThanOrEqual(Date.now() + 600_000);
  });

  it('stores a scope once, however often it is asked for', async () => {
    const { key, apiKey } = await server.createKey(['tasks:*']);
    const scope = 'tasks:read '.repeat(5000);
    expect(await (await token({ ...grant, scope }, [apiKey.id, key])).json()).toMatchObject({ scope: 'tasks:read' });
  });

  it('a token dies with its key, and after its hour', async () => {
    const { key, apiKey } = await server.createKey(['tasks:read']);
    const issued = (await (await token(grant, [apiKey.id, key])).json()) as { access_token: string };
    const late = (await (await token(grant, [apiKey.id, key])).json()) as { access_token: string };
    expect((await call('GET', '/api/tasks', { key: issued.access_token })).status).toBe(200);
    const [{ hash } = { hash: '' }] = await server.system.accessToken.findMany({
      orderBy: { createdAt: 'desc' },
      where: { keyId: apiKey.id },
      take: 1,
    });
    await server.system.accessToken.update({ where: { hash }, data: { expiresAt: new Date(Date.now() - 1000) } });
    const expired = await call('GET', '/api/tasks', { key: late.access_token });
    expect(expired.status).toBe(401);
    expect(expired.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    await call('DELETE', `/v1/api-keys/${apiKey.id}`);
    expect((await call('GET', '/api/tasks', { key: issued.access_token })).status).toBe(401);
    expect((await token(grant, [apiKey.id, key])).status).toBe(401);
  });

  it('tells what is wrong as RFC 6749 does', async () => {
    const { key, apiKey } = await server.createKey(['tasks:read']);
    const issued = (await (await token(grant, [apiKey.id, key])).json()) as { access_token: string };
    const error = async (response: Response) => [response.status, ((await response.json()) as { error: string }).error];
    expect(await error(await token(grant))).toEqual([401, 'invalid_client']);
    const wrong = await token(grant, [apiKey.id, 'nonsense']);
    expect(wrong.headers.get('www-authenticate')).toMatch(/^Basic realm=/);
    expect(await error(wrong)).toEqual([401, 'invalid_client']);
    expect(await error(await token(grant, ['key_other', key]))).toEqual([401, 'invalid_client']);
    // A token is no client: it would renew itself for ever.
    expect(await error(await token(grant, [apiKey.id, issued.access_token]))).toEqual([401, 'invalid_client']);
    expect(await error(await token({}, [apiKey.id, key]))).toEqual([400, 'invalid_request']);
    expect(await error(await token({ grant_type: 'password' }, [apiKey.id, key]))).toEqual([
      400,
      'unsupported_grant_type',
    ]);
    expect(await error(await token({ ...grant, client_secret: key }, [apiKey.id, key]))).toEqual([
      400,
      'invalid_request',
    ]);
    const json = await token({}, undefined, { 'content-type': 'application/json' });
    expect(await error(json)).toEqual([400, 'invalid_request']);
    const get = await fetch(`${server.origin}/api/auth/oauth2/token`);
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
  });

  it('counts guesses and grants', async () => {
    const strict = await startTestServer({ AUTH_FAILURE_LIMIT: '3' });
    try {
      const guess = () =>
        fetch(`${strict.origin}/api/auth/oauth2/token`, {
          method: 'POST',
          body: new URLSearchParams({ ...grant, client_id: 'key_x', client_secret: 'sk_live_x' }),
        });
      for (let i = 0; i < 3; i += 1) expect((await guess()).status).toBe(401);
      const limited = await guess();
      expect(limited.status).toBe(429);
      expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
      const { key, apiKey } = await strict.createKey(['tasks:read'], 'LIVE', { ratePerMinute: 2, ratePerHour: 2 });
      const ask = () =>
        fetch(`${strict.origin}/api/auth/oauth2/token`, {
          method: 'POST',
          body: new URLSearchParams({ ...grant, client_id: apiKey.id, client_secret: key }),
        });
      expect([(await ask()).status, (await ask()).status, (await ask()).status]).toEqual([200, 200, 429]);
    } finally {
      await strict.stop();
    }
  });
});
