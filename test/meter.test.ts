/** Nothing is done for nothing: what each request is charged, before it is parsed and whatever becomes of it. */
import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GraphQLAnswer, startTestServer, type TestServer } from './support/server.js';
import { pass } from './support/stream.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const limited = async (limit: number, scopes: string[] = []) =>
  (await server.createKey(scopes, 'LIVE', { ratePerMinute: limit, ratePerHour: limit })).key;
const remaining = async (key: string) =>
  Number((await server.post('{"query":"{ rateLimit { remaining } }"}', key)).headers.get('x-ratelimit-remaining'));

describe('a request', () => {
  const free: [string, string, Record<string, string>?][] = [
    ['a syntax error', JSON.stringify({ query: '{' })],
    ['an unknown field', JSON.stringify({ query: '{ nothing }' })],
    ['no operation', JSON.stringify({ query: 'fragment F on Query { viewer { environment } }' })],
    [
      'an operation that is not there',
      JSON.stringify({ query: 'query A { viewer { environment } }', operationName: 'B' }),
    ],
    ['a query without its scopes', JSON.stringify({ query: '{ tasks { totalCount } }' })],
    [
      'a mutation without its scopes',
      JSON.stringify({ query: 'mutation { createTask(input: { title: "x" }) { task { id } } }' }),
    ],
    ['introspection', JSON.stringify({ query: '{ __typename __schema { queryType { name } } }' })],
    [
      'requiredScopes',
      JSON.stringify({ query: '{ requiredScopes(document: "{ viewer { environment } }") { scopes } }' }),
    ],
    [
      'an operation that costs too much',
      JSON.stringify({ query: '{ tasks(first: 1000) { nodes { project { tasks(first: 1000) { nodes { id } } } } } }' }),
    ],
    ['one that is too deep', JSON.stringify({ query: `{ ${'viewer { '.repeat(50)} environment ${'}'.repeat(50)} }` })],
    ['bad variables', JSON.stringify({ query: 'query ($a: Int!) { tasks(first: $a) { totalCount } }', variables: {} })],
    ['no JSON', '{"query"'],
    ['no object', '[]'],
    ['no query', '{}'],
    [
      'a hash that nobody knows',
      JSON.stringify({ extensions: { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } } }),
    ],
    ['a document by a hash that is none', JSON.stringify({ documentId: 'x' })],
    ['another content type', 'query', { 'content-type': 'text/plain' }],
    [
      'a subscription for a client that takes none',
      JSON.stringify({ query: 'subscription { taskChanged { action } }' }),
    ],
    ['an Idempotency-Key', JSON.stringify({ query: '{' }), { 'idempotency-key': 'x' }],
  ];
  it.each(free)('for %s costs one', async (_name, body, headers) => {
    const key = await limited(3);
    const statuses: number[] = [];
    for (let i = 0; i < 5; i += 1) statuses.push((await server.post(body, key, headers)).status);
    expect(statuses.slice(3)).toEqual([429, 429]);
    expect(statuses.slice(0, 3)).not.toContain(429);
  });

  it('by GET, and by another method, costs one too', async () => {
    for (const [method, query] of [
      ['GET', '?query={nothing}'],
      ['GET', ''],
      ['PUT', ''],
      ['DELETE', '?query={viewer{environment}}'],
    ] as const) {
      const key = await limited(2);
      const statuses: number[] = [];
      for (let i = 0; i < 4; i += 1) {
        const headers = { authorization: `Bearer ${key}`, accept: 'application/json' };
        statuses.push((await fetch(`${server.url}${query}`, { method, headers })).status);
      }
      expect([method, query, statuses.slice(2)]).toEqual([method, query, [429, 429]]);
    }
  });

  it('with several operations costs one for each, whatever becomes of them', async () => {
    const key = await limited(100);
    const batch = [
      { query: '{' },
      { query: '{ nothing }' },
      { query: '{ viewer { environment } }' },
      { query: '{ tasks { totalCount } }' },
    ];
    await server.post(JSON.stringify(batch), key);
    expect(await remaining(key)).toBe(96);
    const few = await limited(3);
    const answers = (await (await server.post(JSON.stringify(batch), few)).json()) as GraphQLAnswer[];
    expect(answers.filter(({ errors }) => errors?.[0]?.extensions['code'] === 'RATE_LIMITED')).toHaveLength(1);
  });

  it('that is refused for its cost is charged one, and one that has no room nothing', async () => {
    // 51 requests: more than the key ever has, and more than it has left.
    const [never, later] = [await limited(50, ['tasks:read']), await limited(52, ['tasks:read'])];
    const big =
      '{ tasks(first: 1000) { nodes { id creator: id } } a: tasks(first: 1000) { nodes { id } } b: tasks(first: 1000) { nodes { id } } c: tasks(first: 1000) { nodes { id } } d: tasks(first: 1000) { nodes { id } } }';
    const codeOf = async (key: string) => (await server.gql(big, {}, key)).errors?.[0]?.extensions['code'];
    expect([await codeOf(never), await remaining(never)]).toEqual(['COST_LIMIT_EXCEEDED', 49]);
    for (let i = 0; i < 2; i += 1) await server.gql('{ viewer { environment } }', {}, later);
    expect([await codeOf(later), await remaining(later)]).toEqual(['RATE_LIMITED', 49]);
  });

  it('by REST costs one before it is read', async () => {
    const key = await limited(3, ['tasks:write']);
    const statuses: number[] = [];
    for (let i = 0; i < 5; i += 1) {
      const response = await fetch(`${server.origin}/v1/tasks`, {
        method: 'POST',
        headers: { 'x-api-key': key, 'content-type': 'application/json' },
        body: '{',
      });
      statuses.push(response.status);
    }
    expect(statuses).toEqual([400, 400, 400, 429, 429]);
  });
});

describe('a look at the limits', () => {
  it('is free 60 times a minute, by GraphQL and by REST, also when the limit is reached', async () => {
    const key = await limited(2);
    const byRest = async () =>
      (await fetch(`${server.origin}/v1/rate-limit`, { headers: { 'x-api-key': key } })).status;
    for (let i = 0; i < 10; i += 1) expect(await remaining(key)).toBe(2);
    for (let i = 0; i < 10; i += 1) expect(await byRest()).toBe(200);
    for (let i = 0; i < 2; i += 1) await server.gql('{ viewer { environment } }', {}, key);
    expect((await server.post('{"query":"{ viewer { environment } }"}', key)).status).toBe(429);
    expect([await byRest(), await remaining(key)]).toEqual([200, 0]);
    const byGet = `${server.url}?query=query%20Limits{rateLimit{limit%20windows{name%20remaining}}}`;
    expect((await fetch(byGet, { headers: { 'x-api-key': key } })).status).toBe(200);
    const statuses: number[] = [];
    for (let i = 0; i < 45; i += 1) statuses.push(await byRest());
    expect(statuses.filter((status) => status === 200)).toHaveLength(60 - 10 - 10 - 3);
    expect(statuses.at(-1)).toBe(429);
  });

  it.each([
    '{ rateLimit { limit } viewer { environment } }',
    '{ rateLimit { limit } } query B { viewer { environment } }',
    '{ rateLimit { limit } tasks { totalCount } }',
    'mutation { rateLimit { limit } }',
    '{ rateLimit { limit } } fragment F on Query { viewer { environment } }',
    `{ rateLimit { ${'limit '.repeat(300)} } }`,
    '{ a: rateLimit { limit } }',
  ])('is nothing else: %s', async (query) => {
    const key = await limited(1, ['tasks:read']);
    await server.gql('{ viewer { environment } }', {}, key);
    expect((await server.post(JSON.stringify({ query }), key)).status).toBe(429);
  });
});

const costOf = ({ extensions }: GraphQLAnswer) =>
  extensions?.['cost'] as { requested: number; points: number } | undefined;

describe('cost', () => {
  const points = async (query: string, variables: object = {}) => {
    const { extensions, errors } = await server.gql(query, variables);
    if (errors?.[0]?.extensions['code'] === 'COST_LIMIT_EXCEEDED') return errors[0].extensions['actual'] as number;
    return costOf({ ...(extensions && { extensions }) })?.points ?? 0;
  };

  it('is that of what can come back', async () => {
    expect(await points('{ tasks(first: 5) { nodes { relationships { id } } } }')).toBe(1 + 5 * (1 + 100));
    expect(await points('{ tasks(first: 5) { nodes { relationships(first: 3) { id } } } }')).toBe(1 + 5 * (1 + 3));
    expect(
      await points('query ($n: Int = 7) { tasks(first: 5) { nodes { incomingRelationships(first: $n) { id } } } }'),
    ).toBe(1 + 5 * 8);
    const ids = JSON.stringify(Array.from({ length: 50 }, (_, i) => `x${i}`));
    expect(await points(`query ($ids: [ID!]! = ${ids}) { nodes(ids: $ids) { id } }`)).toBe(50);
    expect(await points('query ($ids: [ID!]! = ["a"]) { nodes(ids: $ids) { id } }', { ids: ['a', 'b', 'c'] })).toBe(3);
  });

  it('is more for what reads every row', async () => {
    const plain = await points('{ tasks(first: 1) { nodes { id } } }');
    expect(await points('{ tasks(first: 1, filter: { title: { contains: "x" } }) { nodes { id } } }')).toBe(plain + 50);
    expect(
      await points('query ($f: TaskFilter) { tasks(first: 1, filter: $f) { nodes { id } } }', {
        f: { or: [{ title: { contains: 'x' } }, { not: { description: { contains: 'y' } } }] },
      }),
    ).toBe(plain + 100);
    expect(await points('{ tasks(first: 1, search: "two words") { nodes { id } } }')).toBe(plain + 100);
    const related = {
      or: [{ labels: { some: { name: { eq: 'x' } } } }, { parent: { parent: { title: { eq: 'x' } } } }],
    };
    expect(
      await points('query ($f: TaskFilter) { tasks(first: 1, filter: $f) { nodes { id } } }', { f: related }),
    ).toBe(plain + 30);
    expect(await points('{ tasks(first: 1) { totalCount } }')).toBe(1);
    expect(await points('{ tasks(first: 1, filter: { status: { eq: DONE } }) { totalCount } }')).toBe(51);
    const five = Array.from(
      { length: 5 },
      (_, a) =>
        `a${a}: tasks(filter: { or: [${Array.from({ length: 50 }, (_, i) => `{ title: { contains: "${i}" } }`).join()}] }) { totalCount }`,
    );
    const { errors } = await server.gql(`{ ${five.join(' ')} }`);
    expect(errors?.[0]?.extensions['code']).toMatch(/COST_LIMIT_EXCEEDED/);
  });

  it('counts the schema, whose whole is some requests and whose depths are too much', async () => {
    const whole = costOf(await server.gql(getIntrospectionQuery()));
    expect(whole?.requested).toBeGreaterThan(5);
    expect(whole?.requested).toBeLessThan(30);
    expect(await points('{ __type(name: "Task") { name } }')).toBe(1);
    const many = Array.from(
      { length: 20 },
      (_, i) =>
        `a${i}: __schema { types { fields { args { type { ofType { kind } } } type { fields { args { name } } } } } }`,
    );
    const { errors } = await server.gql(`{ ${many.join(' ')} }`);
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'COST_LIMIT_EXCEEDED', what: 'cost' });
  });
});

describe('inputs', () => {
  const refused = async (query: string, variables?: object) => {
    const started = performance.now();
    const { errors } = await server.gql(query, variables);
    const { code, what } = errors?.[0]?.extensions ?? {};
    process.stderr.write(`${(performance.now() - started).toFixed(0)} ms `);
    return [code, what];
  };
  const AS_VARIABLE = 'query ($filter: TaskFilter) { tasks(filter: $filter) { totalCount } }';

  it('are counted before they are validated, written or given, whatever came before with the same document', async () => {
    expect((await server.gql(AS_VARIABLE, { filter: { title: { eq: 'x' } } })).errors).toBeUndefined();
    const empty = (count: number) => Array.from({ length: count }, () => ({}));
    expect(await refused(AS_VARIABLE, { filter: { and: empty(60_000) } })).toEqual([
      'COST_LIMIT_EXCEEDED',
      'listValues',
    ]);
    expect(await refused(AS_VARIABLE, { filter: { and: empty(250) } })).toEqual(['COST_LIMIT_EXCEEDED', 'filterNodes']);
    expect(await refused(`{ tasks(filter: { and: [${'{},'.repeat(250)}] }) { totalCount } }`)).toEqual([
      ...['COST_LIMIT_EXCEEDED', 'filterNodes'],
    ]);
    const strings = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);
    for (const filter of [
      { title: { in: strings(1001) } },
      { and: [{ title: { in: strings(600) } }, { title: { in: strings(600) } }] },
    ]) {
      expect(await refused(AS_VARIABLE, { filter })).toEqual(['COST_LIMIT_EXCEEDED', 'listValues']);
    }
    expect(await refused('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: strings(100_000) })).toEqual([
      ...['COST_LIMIT_EXCEEDED', 'listValues'],
    ]);
    expect(
      await refused(`query ($f: TaskFilter = { and: [${'{},'.repeat(250)}] }) { tasks(filter: $f) { totalCount } }`),
    ).toEqual(['COST_LIMIT_EXCEEDED', 'filterNodes']);
    const nested = `{"query":"{ viewer { environment } }","variables":{"a":${'['.repeat(150_000)}${']'.repeat(150_000)}}}`;
    const response = await server.post(nested, await server.key([]));
    expect([response.status, ((await response.json()) as GraphQLAnswer).errors?.[0]?.extensions]).toMatchObject([
      ...[400, { code: 'COST_LIMIT_EXCEEDED', what: 'bodyNodes', limit: 100_000, actual: 150_002 }],
    ]);
    const nothing = { and: empty(90), or: [{ title: { eq: 'x' } }] };
    expect((await server.gql(AS_VARIABLE, { filter: nothing })).errors).toBeUndefined();
  });
});

it('a call that breaks a rule of its input does not use the limit of createApiKey up', async () => {
  const key = await server.key(['keys:write']);
  const make = (name: string) =>
    server.gql(`mutation { createApiKey(input: { name: "${name}", scopes: [] }) { key } }`, {}, key);
  for (let i = 0; i < 15; i += 1) expect((await make('')).errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
  for (let i = 0; i < 10; i += 1) expect((await make('n')).errors).toBeUndefined();
  expect((await make('n')).errors?.[0]?.extensions['code']).toBe('RATE_LIMITED');
});

describe('a large body', () => {
  const large = `{ viewer { environment } } #${'x'.repeat(250_000)}`;
  const sendTo = async (key: string, body: BodyInit, headers: Record<string, string> = {}) => {
    const response = await fetch(server.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...headers },
      body,
      duplex: 'half',
    } as RequestInit);
    return response;
  };
  const inChunks = (text: string) =>
    new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(text));
        controller.close();
      },
    });
  const left = async (key: string) =>
    (await server.gql('{ rateLimit { remaining } }', {}, key)).data.rateLimit.remaining as number;

  it('costs a request more for every 100,000 bytes, announced or in chunks; a small one in chunks costs one', async () => {
    const { key } = await server.createKey(['tasks:read']);
    const start = await left(key);
    await sendTo(key, JSON.stringify({ query: large }));
    expect(start - (await left(key))).toBe(3);
    await sendTo(key, inChunks(JSON.stringify({ query: large })));
    expect(start - (await left(key))).toBe(6);
    await sendTo(key, inChunks(JSON.stringify({ query: '{ viewer { environment } }' })));
    expect(start - (await left(key))).toBe(7);
  });

  it('that there is no room for costs nothing, and one that is compressed is refused', async () => {
    const small = await startTestServer({ MAX_RUNNING: '1', MAX_WAITING: '1' });
    const { key } = await small.createKey(['tasks:read']);
    const before = (await small.gql('{ rateLimit { remaining } }', {}, key)).data.rateLimit.remaining;
    const release = await small.services.admission.acquire();
    const bodies = Array.from({ length: 6 }, () => small.post(JSON.stringify({ query: large }), key));
    const statuses = await Promise.race([Promise.all(bodies), pass(1000)]);
    expect(statuses).toBeUndefined();
    release?.();
    const answers = await Promise.all(bodies);
    const refused = answers.filter(({ status }) => status === 503).length;
    expect(refused).toBeGreaterThan(0);
    const after = (await small.gql('{ rateLimit { remaining } }', {}, key)).data.rateLimit.remaining;
    expect(before - after).toBe((6 - refused) * 3);
    await small.stop();
    const encoded = await sendTo(server.adminKey, '{"query":"{ viewer { environment } }"}', {
      'content-encoding': 'gzip',
    });
    expect(encoded.status).toBe(415);
  });
});

describe('a change that changes more than it names', () => {
  const ask = async (query: string, variables: object, key: string): Promise<GraphQLAnswer> =>
    server.gql(query, variables, key);
  const tasksOf = async (projectId: string, parentId: string | null, positions: number[]): Promise<string[]> => {
    const tasks = positions.map((position, index) => ({ title: `t${index}`, projectId, parentId, position }));
    const made = await server.gql(
      'mutation ($tasks: [NewTask!]!) { createTasks(input: { tasks: $tasks }) { taskIds } }',
      { tasks },
    );
    return made.data.createTasks.taskIds;
  };
  const project = async (name: string): Promise<string> =>
    (await server.gql('mutation ($n: String!) { createProject(input: { name: $n }) { project { id } } }', { n: name }))
      .data.createProject.project.id;
  const spentBy = async (key: string, change: () => Promise<GraphQLAnswer>): Promise<number> => {
    const before = await remaining(key);
    const { errors } = await change();
    expect(errors).toBeUndefined();
    return before - (await remaining(key));
  };

  it('costs by the sub-tasks that a task takes into another project', async () => {
    const [from, to] = [await project('From'), await project('To')];
    const [parent = ''] = await tasksOf(from, null, [1]);
    await tasksOf(
      from,
      parent,
      Array.from({ length: 60 }, (_, index) => index),
    );
    const key = await limited(1000, ['tasks:*', 'projects:*']);
    const text = 'mutation ($id: ID!, $p: ID) { updateTask(input: { id: $id, projectId: $p }) { task { id } } }';
    // Five points for each of 60.
    expect(await spentBy(key, () => ask(text, { id: parent, p: to }, key))).toBe(4);
    const poor = await limited(3, ['tasks:*', 'projects:*']);
    expect((await ask(text, { id: parent, p: from }, poor)).errors?.[0]?.extensions['code']).toBe(
      'COST_LIMIT_EXCEEDED',
    );
    expect((await server.gql(`{ task(id: "${parent}") { projectId } }`)).data.task.projectId).toBe(to);
  });

  it('costs by the tasks that make room for one', async () => {
    const crowded = await project('Crowded');
    // Numbers that have none between them.
    const ids = await tasksOf(
      crowded,
      null,
      Array.from({ length: 120 }, (_, index) => 999_999_999_999_000 + index * 0.125),
    );
    const key = await limited(1000, ['tasks:*', 'projects:*']);
    const text = 'mutation ($id: ID!, $a: ID!) { moveTask(input: { id: $id, afterId: $a }) { task { id } } }';
    expect(await spentBy(key, () => ask(text, { id: ids[100], a: ids[50] }, key))).toBeGreaterThan(1);
  });

  it('costs what several such changes in one operation come to together', async () => {
    const board = await project('Board');
    const { states } = (await server.gql(`{ project(id: "${board}") { states { nodes { id } } } }`)).data.project;
    const [state] = states.nodes;
    const [task = ''] = await tasksOf(
      board,
      null,
      Array.from({ length: 19 }, (_, index) => index),
    );
    expect(task).not.toBe('');
    await server.gql('mutation ($ids: [ID!], $s: ID) { updateTasks(input: { ids: $ids, stateId: $s }) { count } }', {
      ids: (await server.system.task.findMany({ where: { projectId: board } })).map(({ id }) => id),
      s: state.id,
    });
    const key = await limited(1000, ['tasks:*', 'projects:*']);
    const change = (n: number) =>
      `a${n}: updateState(input: { id: "${state.id}", category: ${n % 2 ? 'DONE' : 'TODO'} }) { state { id } }`;
    const text = `mutation { ${Array.from({ length: 10 }, (_, n) => change(n)).join(' ')} }`;
    // 95 points each.
    expect(await spentBy(key, () => ask(text, {}, key))).toBe(10);
  });

  it('costs by the tasks of a user who is removed', async () => {
    const user = (
      await server.gql('mutation { createUser(input: { email: "gone@example.com", name: "G" }) { user { id } } }')
    ).data.createUser.user.id;
    const tasks = Array.from({ length: 40 }, (_, index) => ({ title: `t${index}`, assigneeId: user }));
    await server.gql('mutation ($tasks: [NewTask!]!) { createTasks(input: { tasks: $tasks }) { count } }', { tasks });
    const key = await limited(1000, ['users:*', 'tasks:*']);
    const text = 'mutation ($id: ID!) { deleteUser(input: { id: $id }) { deletedUserId } }';
    expect(await spentBy(key, () => ask(text, { id: user }, key))).toBe(3);
  });
});
