/** Bad input gets a clear error, and the server lives on. */
import { request } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type GraphQLAnswer, startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());
afterEach(async () => {
  expect((await fetch(`${server.origin}/health/ready`)).status).toBe(200);
});

async function answer(response: Response) {
  const text = await response.text();
  expect(response.headers.get('content-type')).toMatch(/json/);
  expect(response.headers.get('x-request-id')).toBeTruthy();
  const body = JSON.parse(text) as { errors: { message: string; extensions: { code: string } }[] };
  return { status: response.status, code: body.errors[0]?.extensions?.code, message: body.errors[0]?.message ?? '' };
}

describe('a body that', () => {
  it.each(['{', '', 'null', '"x"', '{"query":1}', '{"query":"{ viewer { environment } }","variables":"x"}', '{}'])(
    'is %s answers 400',
    async (body) => {
      const { status, message } = await answer(await server.post(body, server.adminKey));
      expect(status).toBe(400);
      expect(message).not.toBe('');
    },
  );

  it('has another content type answers 415', async () => {
    const { status } = await answer(
      await server.post('{"query":"{ viewer { environment } }"}', server.adminKey, { 'content-type': 'text/plain' }),
    );
    expect(status).toBe(415);
  });

  it('has 2 MiB answers 413, announced or in chunks', async () => {
    const body = JSON.stringify({ query: `{ viewer { environment } } #${'x'.repeat(2 * 1024 * 1024)}` });
    expect((await answer(await server.post(body, server.adminKey))).status).toBe(413);
    const status = await new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' };
      const call = request(server.url, { method: 'POST', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      call.on('error', reject);
      for (let at = 0; at < body.length; at += 65_536) call.write(body.slice(at, at + 65_536));
      call.end();
    });
    expect(status).toBe(413);
  });
});

describe('a document that', () => {
  it.each([
    ['does not parse', '{ viewer {', 'GRAPHQL_PARSE_FAILED'],
    ['asks for an unknown field', '{ viewer { shoe } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['asks for an unknown argument', '{ task(id: "x", shoe: 1) { id } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['gives a value of the wrong type', '{ tasks(first: "x") { totalCount } }', 'GRAPHQL_VALIDATION_FAILED'],
    [
      'gives an unknown enum value',
      '{ tasks(filter: { status: { eq: SHOE } }) { totalCount } }',
      'GRAPHQL_VALIDATION_FAILED',
    ],
    [
      'gives a date that is none',
      '{ tasks(filter: { dueDate: { gt: "soon" } }) { totalCount } }',
      'GRAPHQL_VALIDATION_FAILED',
    ],
    ['gives an unknown id', '{ task(id: "\\u0001💥") { id } }', 'NOT_FOUND'],
    ['holds a NUL', '{ tasks(search: "\\u0000") { totalCount } }', 'BAD_USER_INPUT'],
  ])('%s', async (_name, query, code) => {
    const found = await answer(await server.post(JSON.stringify({ query }), server.adminKey));
    expect(found.code).toBe(code);
  });

  it('has an operation that is not there', async () => {
    const body = JSON.stringify({ query: 'query A { viewer { environment } }', operationName: 'B' });
    const found = await answer(await server.post(body, server.adminKey));
    expect(found).toMatchObject({ status: 400, code: 'OPERATION_RESOLUTION_FAILURE' });
  });
});

describe('variables and extensions that are no JSON', () => {
  it.each(['variables=x', 'variables=%7B', 'variables=%ff', 'extensions=x'])(
    '%s, in an address and in a form',
    async (more) => {
      const query = 'query=%7Bviewer%7Benvironment%7D%7D';
      for (const accept of ['*/*', 'application/graphql-response+json']) {
        const headers = { accept, 'x-api-key': server.adminKey };
        const form = { ...headers, 'content-type': 'application/x-www-form-urlencoded' };
        for (const response of [
          await fetch(`${server.origin}/graphql?${query}&${more}`, { headers }),
          await fetch(`${server.origin}/graphql`, { method: 'POST', headers: form, body: `${query}&${more}` }),
        ]) {
          const { errors } = (await response.json()) as GraphQLAnswer;
          expect([response.status, errors?.map(({ extensions }) => extensions['code'])]).toEqual([
            400,
            ['BAD_REQUEST'],
          ]);
        }
      }
    },
  );
});

it.each([[['']], [['', '']], [['a b']]])('%j are no ids of projects', async (projects) => {
  const create = 'mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { key } }';
  const { errors } = await server.gql(create, { input: { name: 'k', scopes: [], projects } });
  expect(errors?.[0]?.extensions).toMatchObject({
    ...{ code: 'BAD_USER_INPUT', fields: { projects: ['must be ids of projects'] } },
  });
});

describe('variables that', () => {
  const create = 'mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { id title } } }';
  it.each([
    ['miss a required field', {}],
    ['name an unknown field', { title: 'x', shoe: 1 }],
    ['have the wrong type', { title: 7 }],
    ['hold a NUL', { title: 'a\0b' }],
    ['hold half of a surrogate pair', { title: 'a\ud800b' }],
    ['are 1 MB of text', { title: 'x'.repeat(1_000_000) }],
    ['have a number out of range', { title: 'x', position: '1e999' }],
    ['have an impossible date', { title: 'x', dueDate: '2027-02-31T99:00:00Z' }],
  ])('%s answer BAD_USER_INPUT', async (_name, input) => {
    const { errors } = await server.gql(create, { input });
    expect(errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
    expect(errors?.[0]?.message.length).toBeLessThan(2000);
  });

  it('hold what a database might read as its own are stored as they came', async () => {
    const title = `'; DROP TABLE "Task"; -- % _ \\ \u202e 💥`;
    const { data } = await server.gql(create, { input: { title } });
    expect(data.createTask.task.title).toBe(title);
    expect(
      (await server.gql(`query ($s: String) { tasks(search: $s) { totalCount } }`, { s: 'DROP' })).data.tasks
        .totalCount,
    ).toBe(1);
  });
});

describe('a credential that', () => {
  const query = JSON.stringify({ query: '{ viewer { environment } }' });
  const call = (headers: Record<string, string>) =>
    fetch(server.url, { method: 'POST', body: query, headers: { 'content-type': 'application/json', ...headers } });

  it.each([
    ['is missing', {}],
    ['has no scheme', { authorization: 'KEY' }],
    ['has another scheme', { authorization: 'Basic KEY' }],
    ['is empty', { authorization: 'Bearer ' }],
    ['is no key', { authorization: 'Bearer abc123' }],
    ['is very long', { 'x-api-key': 'k'.repeat(8000) }],
  ])('%s answers 401 with one message', async (_name, headers: Record<string, string>) => {
    const filled = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value.replace('KEY', server.adminKey)]),
    );
    const response = await call(filled);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(await answer(response)).toEqual({
      status: 401,
      code: 'UNAUTHENTICATED',
      message: 'The API key is missing, invalid, expired or revoked.',
    });
  });

  it('comes in either header, or the same in both; two different ones answer 400', async () => {
    const key = server.adminKey;
    expect((await call({ authorization: `bEaReR ${key}` })).status).toBe(200);
    expect((await call({ 'x-api-key': key })).status).toBe(200);
    expect((await call({ authorization: `Bearer ${key}`, 'x-api-key': key })).status).toBe(200);
    const other = await server.key(['tasks:read']);
    expect((await answer(await call({ authorization: `Bearer ${key}`, 'x-api-key': other }))).status).toBe(400);
  });

  it('stands in the address is never read', async () => {
    const response = await fetch(
      `${server.url}?api_key=${server.adminKey}&key=${server.adminKey}&query={viewer{environment}}`,
    );
    expect(response.status).toBe(401);
  });
});

it('an unknown path answers 404, and a wrong method 405', async () => {
  expect((await fetch(`${server.origin}/nothing`)).status).toBe(404);
  const headers = { authorization: `Bearer ${server.adminKey}` };
  expect((await fetch(server.url, { method: 'DELETE', headers })).status).toBe(405);
  for (const path of ['/openapi.json', '/docs', '/health/ready', '/metrics']) {
    const refused = await fetch(server.origin + path, { method: 'POST', headers });
    expect([path, refused.status, refused.headers.get('allow')]).toEqual([path, 405, 'GET, HEAD, OPTIONS']);
    const options = await fetch(server.origin + path, { method: 'OPTIONS' });
    expect([path, options.status, options.headers.get('allow')]).toEqual([path, 204, 'GET, HEAD, OPTIONS']);
  }
});

describe('a result without data', () => {
  const ask = async (accept: string, query: string, variables: object, key = server.adminKey) => {
    const response = await server.post(JSON.stringify({ query, variables }), key, { accept });
    const body = (await response.json()) as { errors: { extensions: Record<string, unknown> }[] };
    expect(body).not.toHaveProperty('data');
    const { code, fields } = body.errors[0]?.extensions ?? {};
    expect(body.errors[0]?.extensions).not.toHaveProperty('http');
    return { status: response.status, code, fields };
  };
  const CREATE = 'mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { id } } }';

  it.each([
    ['query ($id: ID!) { task(id: $id) { id } }', {}, { id: [expect.stringContaining('was not provided')] }],
    ['query ($id: ID!) { task(id: $id) { id } }', { id: [] }, { id: [expect.stringContaining('ID cannot represent')] }],
    [CREATE, { input: {} }, { title: [expect.stringContaining('was not provided')] }],
    [CREATE, { input: { title: 5 } }, { title: [expect.stringContaining('String cannot represent')] }],
    [
      CREATE,
      { input: { title: 'a', tags: [{}] } },
      { 'tags[0]': [expect.stringContaining('String cannot represent')] },
    ],
    [
      CREATE,
      { input: { title: 'at "input.x"; y', nothing: 1 } },
      { nothing: [expect.stringContaining('not defined')] },
    ],
    [
      CREATE,
      { input: { title: 'a', dueDate: '0000-01-01T00:00:00Z' } },
      { dueDate: ['DateTime must lie in the years 1 to 9999, UTC.'] },
    ],
    [
      'query ($f: TaskFilter) { tasks(filter: $f) { totalCount } }',
      { f: { not: { dueDate: { before: 'P1Y' } } } },
      { 'not.dueDate.before': [expect.stringContaining('Duration must be as')] },
    ],
  ])('says which variable is wrong: %s %j', async (query, variables, fields) => {
    const wrong = { code: 'BAD_USER_INPUT', fields };
    expect(await ask('application/json', query, variables)).toEqual({ status: 200, ...wrong });
    expect(await ask('application/graphql-response+json', query, variables)).toEqual({ status: 400, ...wrong });
  });

  it.each([
    [CREATE, { input: { title: 'a\0' } }, 'title'],
    [CREATE, { input: { title: 'a', tags: ['x', '\ud800'] } }, 'tags[1]'],
    ['query ($s: String) { tasks(search: $s) { totalCount } }', { s: '\0' }, 's'],
    [
      'query ($s: String) { tasks(search: $s) { totalCount } }',
      { [`a${'b'.repeat(1000)}`]: '\0' },
      `a${'b'.repeat(199)}`,
    ],
  ])('says where the text is that cannot be stored: %s', async (query, variables, field) => {
    expect(await ask('application/json', query, variables)).toEqual({
      ...{ status: 400, code: 'BAD_USER_INPUT', fields: { [field]: [expect.stringContaining('well-formed Unicode')] } },
    });
  });

  it('says so in a moment, whatever is in the input', async () => {
    const started = performance.now();
    for (const text of [' at "', '; ', 'Variable "$input" got invalid value ']) {
      const name = text + 'a'.repeat(500_000) + text.repeat(1000);
      const refused = await ask('application/json', CREATE, { input: { title: 'x', [name]: 1 } });
      expect(refused.code).toBe('BAD_USER_INPUT');
    }
    // It took minutes.
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  it('has the status of what refused it', async () => {
    const key = await server.key(['tasks:read']);
    const variables = { input: { title: 'a' } };
    expect(await ask('application/json', CREATE, variables, key)).toMatchObject({ status: 200, code: 'FORBIDDEN' });
    const answered = await ask('application/graphql-response+json', CREATE, variables, key);
    expect(answered).toMatchObject({ status: 403, code: 'FORBIDDEN' });
  });
});

describe('what nobody pays for', () => {
  const form = (body: string) =>
    fetch(`${server.origin}/api/auth/oauth2/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body,
    });

  it('is small, and read once', async () => {
    expect((await form(Array.from({ length: 40_000 }, (_, i) => i).join('&'))).status).toBe(413);
    const started = performance.now();
    expect((await form(Array.from({ length: 12_000 }, (_, i) => i).join('&'))).status).toBe(401);
    process.stderr.write(`12,000 parameters: ${Math.round(performance.now() - started)} ms\n`);
    expect((await form('grant_type=a&grant_type=b')).status).toBe(400);
  });

  it('may be nested as deep as it is long', async () => {
    const post = (body: string) =>
      fetch(`${server.origin}/api/auth/sign-in/email`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: server.origin },
        body,
      });
    expect((await post('['.repeat(30_000) + ']'.repeat(30_000))).status).toBe(400);
    expect((await post('['.repeat(400_000))).status).toBe(413);
  });
});

describe('node and nodes', () => {
  it('find many rows by a statement for each kind, and say of each what is not there', async () => {
    const { data } = await server.gql(
      'mutation { createTask(input: { title: "One" }) { task { id } } createProject(input: { name: "P" }) { project { id } } }',
    );
    const [task, project] = [data.createTask.task.id, data.createProject.project.id] as string[];
    const ids = [task, 'none', project, task, ...Array.from({ length: 90 }, (_, i) => `none-${i}`)];
    const before = server.queries.length;
    const answer = await server.gql(
      'query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Task { title } } }',
      { ids },
    );
    expect(answer.data.nodes.slice(0, 4)).toEqual([
      ...[{ __typename: 'Task', id: task, title: 'One' }, null],
      ...[
        { __typename: 'Project', id: project },
        { __typename: 'Task', id: task, title: 'One' },
      ],
    ]);
    expect(answer.errors).toHaveLength(91);
    expect(answer.errors?.[0]).toMatchObject({ path: ['nodes', 1], extensions: { code: 'NOT_FOUND' } });
    expect(server.queries.slice(before).filter((sql) => /^SELECT/i.test(sql)).length).toBeLessThan(20);
    const all = Array.from({ length: 10 }, (_, i) => `n${i}: nodes(ids: $ids) { id }`).join(' ');
    const many = await server.gql(`query ($ids: [ID!]!) { ${all} }`, { ids: ids.map(() => task) });
    expect([many.errors, many.data.n9.length]).toEqual([undefined, 94]);
  });

  it('do not show what stands for the sessions of people', async () => {
    const { workspace, system } = server;
    const { id } = await system.apiKey.create({
      data: {
        ...{ id: 'key_session', workspaceId: workspace.id, environment: 'LIVE', name: 'Dashboard', prefix: '' },
        ...{ hash: 'session:test', isSession: true, scopes: '' },
      },
    });
    const { data, errors } = await server.gql(
      'query ($id: ID!) { node(id: $id) { id ... on ApiKey { description } } }',
      { id },
    );
    expect([data.node, errors?.[0]?.extensions['code']]).toEqual([null, 'NOT_FOUND']);
  });
});
