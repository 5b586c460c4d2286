/** Limits and cost, through HTTP. */
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OPERATION_LIMITS } from '../src/limits/operationLimits.js';
import { usedMemory } from './support/memory.js';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ AUTH_FAILURE_LIMIT: '20', TRUST_PROXY: '127.0.0.1' });
});
afterAll(() => server.stop());

describe('a hostile operation is refused with its numbers, before anything runs', () => {
  const many = (n: number, text: (i: number) => string) => Array.from({ length: n }, (_, i) => text(i)).join(' ');
  const deep = `{ projects { nodes ${'{ tasks { nodes { project '.repeat(250)} { id } ${'} } }'.repeat(250)} } }`;
  const rows: [string, string, unknown, string?][] = [
    ['depth 500', deep, undefined],
    [
      'depth 13',
      `{ projects { nodes { tasks { nodes { project { tasks { nodes { project { tasks { nodes { project { tasks { totalCount } } } } } } } } } } } } }`,
      undefined,
      'depth',
    ],
    ['10,000 aliases', `{ ${many(10_000, (i) => `a${i}: viewer { environment }`)} }`, undefined, 'characters'],
    ['31 aliases', `{ viewer { ${many(31, (i) => `a${i}: environment`)} } }`, undefined, 'aliases'],
    ['31 aliases of __typename', `{ viewer { ${many(31, (i) => `a${i}: __typename`)} } }`, undefined, 'aliases'],
    [
      'aliases spread 40 times',
      `{ ${many(19, () => `viewer { ...F }`)} } fragment F on Viewer { a: scopes b: scopes }`,
      undefined,
      'aliases',
    ],
    ['21 root fields', `{ ${many(21, () => 'viewer { environment }')} }`, undefined, 'rootFields'],
    [
      'root fields in a fragment named __schema',
      `{ ...__schema } fragment __schema on Query { ${many(21, () => 'viewer { environment }')} }`,
      undefined,
      'rootFields',
    ],
    ['directive flood', `{ viewer { environment ${many(60, () => '@include(if: true)')} } }`, undefined, 'directives'],
    [
      'huge first',
      '{ tasks(first: 1000) { nodes { project { tasks(first: 1000) { nodes { id } } } } } }',
      undefined,
      'cost',
    ],
    [
      'huge first in a variable',
      'query ($n: Int!) { tasks(first: $n) { nodes { project { tasks(first: $n) { nodes { id } } } } } }',
      { n: 900 },
      'cost',
    ],
    [
      'huge first beside __schema',
      '{ __schema { __typename } tasks(first: 1000) { nodes { project { tasks(first: 1000) { nodes { id } } } } } }',
      undefined,
      'cost',
    ],
    [
      'huge first in a fragment named __schema',
      '{ ...__schema } fragment __schema on Query { tasks(first: 1000) { nodes { project { tasks(first: 1000) { nodes { id } } } } } }',
      undefined,
      'cost',
    ],
    [
      'fragments that double',
      `{ ...F0 } ${many(60, (i) => `fragment F${i} on Query { ...F${i + 1} ...F${i + 1} }`)} fragment F60 on Query { tasks { totalCount } }`,
      undefined,
      'rootFields',
    ],
    [
      'one name 750 times, which clients add to each selection',
      `{ viewer { ${many(750, () => '__typename')} } }`,
      undefined,
      'fieldPairs',
    ],
    [
      'operations that all spread the same fragments',
      `${many(120, (i) => `query A${i} { ...F0 }`)} ${many(120, (i) => `fragment F${i} on Query { ...F${i + 1} }`)} fragment F120 on Query { viewer { userId } }`,
      undefined,
      'spreads',
    ],
    [
      'a large variable that is used 300 times',
      `query ($x: ID!) { ${many(3, (i) => `a${i}: nodes(ids: [${many(100, () => '$x')}]) { id }`)} }`,
      { x: 'x'.repeat(10_000) },
      'inputCharacters',
    ],
    [
      'one that is used in filters',
      `query ($x: ID!) { tasks(filter: { id: { in: [${many(20, () => '$x')}] } }) { nodes { id } } }`,
      { x: 'x'.repeat(10_000) },
      'filterCharacters',
    ],
  ];

  it.each(rows)('%s', async (_name, query, variables, what) => {
    await server.gql('{ viewer { environment } }');
    const statements = server.queries.length;
    const started = performance.now();
    const { data, errors } = await server.gql(query, variables as object);
    const elapsed = performance.now() - started;
    expect(data ?? null).toBeNull();
    expect(errors?.[0]?.extensions['code']).toBe('COST_LIMIT_EXCEEDED');
    if (what)
      expect(errors?.[0]?.extensions).toMatchObject({
        what,
        limit: OPERATION_LIMITS[what as never],
        actual: expect.any(Number),
      });
    expect(server.queries.slice(statements).filter((sql) => /\b(Task|Project)\b/.test(sql))).toEqual([]);
    process.stderr.write(`${elapsed.toFixed(0)} ms `);
  });

  it('has one status, in whichever form the answer is taken, and wherever it is found', async () => {
    for (const query of [
      `{ ${Array.from({ length: 40 }, (_, i) => `a${i}: __typename`).join(' ')} }`,
      `{ ${'viewer { environment } '.repeat(700)} }`,
      `{ tasks(filter: { and: [${'{},'.repeat(300)}] }) { nodes { id } } }`,
      `{ viewer { environment } } #${'x'.repeat(200_000)}`,
      '{ tasks(first: 1000) { nodes { relationships { id } } } }',
    ]) {
      for (const accept of ['application/json', 'application/graphql-response+json']) {
        const response = await server.post(JSON.stringify({ query }), server.adminKey, { accept });
        const { errors } = await response.json();
        expect([query.slice(0, 30), response.status, errors[0].extensions.code]).toEqual([
          query.slice(0, 30),
          ...[400, 'COST_LIMIT_EXCEEDED'],
        ]);
        expect(errors[0].extensions.http).toBeUndefined();
      }
    }
  });

  it('fields that are repeated, whose comparison takes longest', async () => {
    const of = (times: number) => `{ tasks(first: 1) { nodes { ${'id title status '.repeat(times)} } } }`;
    expect((await server.gql(of(50))).errors).toBeUndefined();
    expect((await server.gql(of(80))).errors?.[0]?.extensions).toMatchObject({
      ...{ code: 'COST_LIMIT_EXCEEDED', what: 'fieldPairs', limit: 5000, actual: 3 * ((80 * 79) / 2) },
    });
  });

  it('circular fragments, 1 MB of comments, deep variables, and 1,000 operations in a request', async () => {
    const circle = await server.gql('{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }');
    expect(circle.errors?.[0]?.extensions['code']).toBe('GRAPHQL_VALIDATION_FAILED');
    for (const comments of [`#${'x'.repeat(1_000_000)}`, '#\n'.repeat(300_000), `#${'x'.repeat(100_000)}`]) {
      const refused = await server.gql(`{ viewer { environment } } ${comments}`);
      expect(refused.errors?.[0]?.extensions).toMatchObject({ code: 'COST_LIMIT_EXCEEDED', what: 'characters' });
    }
    expect((await server.gql(`{ viewer { environment } } #${'x'.repeat(99_000)}`)).errors).toBeUndefined();
    const body = `{"query":"{ viewer { environment } }","variables":{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}}`;
    const variables = (await (await server.post(body, server.adminKey)).json()) as {
      errors: { extensions: { code: string } }[];
    };
    expect(variables.errors[0]?.extensions.code).toMatch(/COST_LIMIT_EXCEEDED|BAD_REQUEST/);
    const one = { query: '{ viewer { environment } }' };
    const batch = (n: number) => server.post(JSON.stringify(Array.from({ length: n }, () => one)), server.adminKey);
    const tooMany = await batch(1000);
    expect([tooMany.status, await tooMany.json()]).toEqual([
      400,
      {
        errors: [
          {
            message: expect.any(String),
            extensions: { code: 'COST_LIMIT_EXCEEDED', what: 'batch', limit: 10, actual: 1000 },
          },
        ],
      },
    ]);
    expect(await (await batch(10)).json()).toHaveLength(10);
  });

  it('memory stays steady over many different ones', async () => {
    const round = async (offset: number) => {
      for (let i = 0; i < 300; i += 1) await server.gql(`{ ${`a${offset + i}: viewer { environment } `.repeat(25)} }`);
      return usedMemory();
    };
    await round(0);
    const before = await round(1000);
    const after = await round(2000);
    expect(after - before).toBeLessThan(60);
  });

  it('large documents are kept as long as there is room, by what they take', async () => {
    // About as many tokens as there may be, in few fields.
    const filter = (i: number) => `or: [${`{ title: { eq: "x${i}" } }, `.repeat(8)}]`;
    const fields = 'id title description number status priority position tags startDate dueDate createdAt updatedAt';
    const document = (i: number) =>
      `{ ${Array.from({ length: 10 }, (_, j) => `a${j}: tasks(first: 1, filter: { ${filter(i)} }) { nodes { ${fields} } }`).join(' ')} }`;
    const round = async (from: number, count: number) => {
      for (let i = from; i < from + count; i += 1) {
        const { errors } = await server.gql(document(i), {}, reader);
        expect(errors).toBeUndefined();
      }
      return usedMemory();
    };
    const reader = await server.key(['tasks:read']);
    const before = await round(0, 5);
    const after = await round(1000, 300);
    process.stderr.write(`300 documents of ${document(1).length} characters: ${(after - before).toFixed(0)} MB\n`);
    expect(after - before).toBeLessThan(100);
  });

  it('the introspection that tools send is not too deep', async () => {
    expect((await server.gql(getIntrospectionQuery())).errors).toBeUndefined();
  });
});

describe('cost', () => {
  const report = async (query: string, variables: object = {}) =>
    (await server.gql(query, variables)).extensions?.['cost'] as {
      unit: string;
      requested: number;
      points: number;
      remaining: number;
    };

  it('of an offset is a point for every thousand rows, and a field may declare its own', async () => {
    const body = '{ tasks(first: 1, offset: %) { nodes { id } } }';
    expect((await report(body.replace('%', '0'))).points).toBe(2);
    expect((await report(body.replace('%', '900000'))).points).toBe(902);
    expect((await report('{ viewer { apiKey { unusedScopes } } }')).points).toBe(7);
  });

  it('is an object 1, and a connection times its size; it stands on each result', async () => {
    expect(await report('{ viewer { environment } }')).toMatchObject({ points: 1 });
    expect(await report('{ tasks { nodes { id } } }')).toMatchObject({ points: 21 });
    expect(await report('{ tasks(first: 100) { nodes { id project { id } } } }')).toMatchObject({ points: 201 });
    expect(
      await report('query ($n: Int = 5) { tasks(last: $n) { edges { node { id } } pageInfo { endCursor } } }'),
    ).toMatchObject({ points: 12 });
    expect(
      await report(
        '{ ...F } fragment F on Query { tasks(first: 3) { ...C } } fragment C on TaskConnection { nodes { id } }',
      ),
    ).toMatchObject({ unit: 'requests', requested: 1, points: 4 });
    expect(await report('{ tasks(first: 500) { nodes { id } } }')).toMatchObject({ requested: 6, points: 501 });
  });

  it('counts as one request, and one more for every 100 points', async () => {
    const key = (await server.createKey(['tasks:read'], 'LIVE', { ratePerMinute: 1000, ratePerHour: 100 })).key;
    const remaining = async (query: string) => {
      const { data, extensions = {} } = await server.gql(query, {}, key);
      expect(data).toBeTruthy();
      return (extensions['cost'] as { remaining: number }).remaining;
    };
    expect(await remaining('{ tasks(first: 10) { nodes { id } } }')).toBe(99);
    expect(await remaining('{ tasks(first: 100) { nodes { id } } }')).toBe(97);
    // To look is free.
    expect(await remaining('{ rateLimit { limit remaining } }')).toBe(97);
    const { data } = await server.gql(
      '{ rateLimit { limit remaining resetAt windows { name limit remaining length } cost { maxCost pointsPerRequest } } }',
      {},
      key,
    );
    expect(data.rateLimit).toMatchObject({
      limit: 100,
      remaining: 97,
      windows: [
        { name: 'minute', limit: 1000, remaining: 997, length: 60 },
        { name: 'hour', limit: 100, remaining: 97, length: 3600 },
      ],
      cost: { maxCost: 10_000, pointsPerRequest: 100 },
    });
  });
});

describe('exactness', () => {
  it('of 500 requests at once at a limit of 100 exactly 100 pass', async () => {
    const { key } = await server.createKey([], 'LIVE', { ratePerMinute: 100, ratePerHour: 10_000 });
    const body = JSON.stringify({ query: '{ viewer { environment } }' });
    const statuses = await Promise.all(Array.from({ length: 500 }, async () => (await server.post(body, key)).status));
    expect(statuses.filter((status) => status === 200)).toHaveLength(100);
    expect(statuses.filter((status) => status === 429)).toHaveLength(400);
  });
});

describe('more than can be done in time', () => {
  it('is refused with 503 and Retry-After at once, costs no quota, and leaves room again when it is over', async () => {
    const small = await startTestServer({ MAX_RUNNING: '1', MAX_WAITING: '4' });
    const { key } = await small.createKey(['tasks:read'], 'LIVE', { ratePerMinute: 1000, ratePerHour: 1000 });
    const body = JSON.stringify({ query: '{ tasks(first: 1) { totalCount } }' });
    const gate = small.services.admission;
    // Nothing of the line is done while this one runs.
    const release = await gate.acquire();
    expect(release).toBeDefined();
    const statuses: Promise<number>[] = [];
    let answered = 0;
    const send = () =>
      statuses.push(
        small.post(body, key).then(({ status }) => {
          answered += 1;
          return status;
        }),
      );
    for (let i = 0; i < 20; i += 1) send();
    await expect.poll(() => gate.waiting, { timeout: 5000 }).toBe(20);
    await setTimeout(700);
    for (let i = 0; i < 60; i += 1) send();
    // All but those that wait, however long the machine takes to take them up.
    await expect.poll(() => answered, { timeout: 5000, interval: 10 }).toBe(78);
    const refused = await small.post(body, key);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await refused.json()).toMatchObject({ errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }] });
    expect((await fetch(`${small.origin}/health/live`)).status).toBe(200);
    release?.();
    const ended = await Promise.all(statuses);
    const passed = ended.filter((status) => status === 200).length;
    expect(passed).toBe(2);
    expect(ended.filter((status) => status === 503)).toHaveLength(80 - passed);
    for (let i = 0; i < 3; i += 1) expect((await small.post(body, key)).status).toBe(200);
    const { data } = await small.gql('{ rateLimit { remaining } }', {}, key);
    expect(data.rateLimit.remaining).toBe(1000 - passed - 3);
    await small.stop();
  });

  it('is not what many requests at one moment are', async () => {
    const body = JSON.stringify({ query: '{ viewer { environment } }' });
    const responses = await Promise.all(Array.from({ length: 150 }, () => server.post(body, server.adminKey)));
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
  });

  it('does not run what nobody waits for any more', async () => {
    const small = await startTestServer({ MAX_RUNNING: '1' });
    const gate = small.services.admission;
    const release = await gate.acquire();
    expect(release).toBeDefined();
    const gone = new AbortController();
    const body = JSON.stringify({ query: 'mutation { createTask(input: { title: "late" }) { task { id } } }' });
    const headers = { authorization: `Bearer ${small.adminKey}`, 'content-type': 'application/json' };
    const request = fetch(small.url, { method: 'POST', body, headers, signal: gone.signal }).catch(() => 'gone');
    await setTimeout(200);
    gone.abort();
    expect(await request).toBe('gone');
    await setTimeout(200);
    release?.();
    expect((await small.gql('{ tasks { totalCount } }')).data.tasks.totalCount).toBe(0);
    await small.stop();
  });
});

describe('a client that leaves', () => {
  it('stops its work by the REST routes too', async () => {
    const small = await startTestServer({ MAX_RUNNING: '1' });
    const gate = small.services.admission;
    const release = await gate.acquire();
    expect(release).toBeDefined();
    const gone = new AbortController();
    const headers = { authorization: `Bearer ${small.adminKey}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ title: 'late' });
    const request = fetch(`${small.origin}/v1/tasks`, { method: 'POST', body, headers, signal: gone.signal }).catch(
      () => 'gone',
    );
    await setTimeout(200);
    gone.abort();
    expect(await request).toBe('gone');
    await setTimeout(200);
    release?.();
    expect((await small.gql('{ tasks { totalCount } }')).data.tasks.totalCount).toBe(0);
    await small.stop();
  });
});

describe('what counts as more requests than the key may ever make', () => {
  it('is refused as too large, which no waiting mends', async () => {
    const { key } = await server.createKey(['tasks:*'], 'LIVE', { ratePerMinute: 10 });
    const many = await server.gql('{ tasks(first: 1000) { nodes { id } } }', {}, key);
    expect(many.errors?.[0]?.extensions).toMatchObject({
      code: 'COST_LIMIT_EXCEEDED',
      what: 'requests',
      limit: 10,
      actual: 11,
    });
    const body = JSON.stringify({ query: '{ viewer { environment } }', variables: { text: 'x'.repeat(1_000_000) } });
    const large = await server.post(body, key);
    expect([large.status, await large.text()]).toEqual([400, expect.stringContaining('"actual":11')]);
    expect((await server.gql('{ tasks(first: 900) { nodes { id } } }', {}, key)).errors?.[0]?.extensions['code']).toBe(
      'RATE_LIMITED',
    );
  });
});

describe('what is charged in parts', () => {
  const codeOf = (answer: { errors?: { extensions: Record<string, unknown> }[] }) => answer.errors?.[0]?.extensions;

  it('is too much as a whole', async () => {
    const key = async () => (await server.createKey(['tasks:*'], 'LIVE', { ratePerMinute: 19 })).key;
    const never = { code: 'COST_LIMIT_EXCEEDED', what: 'requests', limit: 19 };
    // A body of 10 requests, and an operation of 11.
    const query = '{ tasks(first: 1000) { nodes { id } } }';
    const large = await server.post(JSON.stringify({ query, variables: { text: 'x'.repeat(900_000) } }), await key());
    expect(codeOf(await large.json())).toMatchObject({ ...never, actual: 20 });
    const content = `title\n${'x\n'.repeat(180)}`;
    const importing =
      'mutation ($input: ImportTasksInput!) { importTasks(input: $input) { count errors { message } } }';
    const imported = await server.gql(importing, { input: { format: 'CSV', content } }, await key());
    expect(codeOf(imported)).toMatchObject(never);
  });

  it('counts the variables of the operation that runs', async () => {
    const one = (name: string) =>
      `mutation ${name}($input: CreateTaskInput!) { createTask(input: $input) { task { id } } }`;
    const document = ['A', 'B', 'C', 'D'].map(one).join(' ');
    const variables = { input: { title: 'Once', description: 'x'.repeat(600_000) } };
    const body = JSON.stringify({ query: document, operationName: 'B', variables });
    const answer = (await (await server.post(body, server.adminKey)).json()) as Parameters<typeof codeOf>[0];
    expect(codeOf(answer)?.['code']).toBe('BAD_USER_INPUT');
  });
});

describe('a limit of one field', () => {
  it('is told in the headers and the words of a REST route that it refuses', async () => {
    const { key } = await server.createKey(['keys:*']);
    const make = () =>
      fetch(`${server.origin}/v1/api-keys`, {
        method: 'POST',
        headers: { 'x-api-key': key, 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'One of many', scopes: [] }),
      });
    for (let i = 0; i < 10; i += 1) expect((await make()).status).toBe(201);
    const refused = await make();
    expect([
      refused.status,
      refused.headers.get('x-ratelimit-limit'),
      refused.headers.get('x-ratelimit-remaining'),
    ]).toEqual([429, '10', '0']);
    expect(await refused.text()).toMatch(/Rate limit exceeded\. Try again in \d+ seconds\./);
  });
});

describe('guessing keys', () => {
  it('is cut off at 20 failures a minute from one address, without harm to valid keys from it or to other addresses', async () => {
    const body = JSON.stringify({ query: '{ viewer { environment } }' });
    const from = (ip: string) => ({ 'x-forwarded-for': ip });
    const statuses = [];
    for (let i = 0; i < 25; i += 1) statuses.push((await server.post(body, 'sk_live_guess', from('192.0.2.5'))).status);
    expect(statuses).toEqual([...Array(20).fill(401), ...Array(5).fill(429)]);
    const refused = await server.post(body, 'sk_live_guess', from('192.0.2.5'));
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await server.post(body, server.adminKey, from('192.0.2.5'))).status).toBe(200);
    expect((await server.post(body, 'sk_live_guess', from('192.0.2.6'))).status).toBe(401);
  });
});

describe('automatic persisted queries', () => {
  it('are asked for by hash, and remembered', async () => {
    const query = '{ viewer { environment } }';
    const persistedQuery = { version: 1, sha256Hash: createHash('sha256').update(query).digest('hex') };
    const send = async (body: object) =>
      (await server.post(JSON.stringify(body), server.adminKey)).json() as Promise<{
        data?: object;
        errors?: { message: string; extensions: { code: string } }[];
      }>;
    expect((await send({ extensions: { persistedQuery } })).errors?.[0]).toMatchObject({
      message: 'PersistedQueryNotFound',
      extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' },
    });
    expect((await send({ query, extensions: { persistedQuery } })).data).toEqual({ viewer: { environment: 'LIVE' } });
    expect((await send({ extensions: { persistedQuery } })).data).toEqual({ viewer: { environment: 'LIVE' } });
    const wrong = { ...persistedQuery, sha256Hash: 'a'.repeat(64) };
    expect((await send({ query, extensions: { persistedQuery: wrong } })).errors?.[0]?.extensions.code).toBe(
      'BAD_USER_INPUT',
    );
  });
});
