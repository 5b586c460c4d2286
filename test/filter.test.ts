/** Filters mean what they say: each answer of the database is compared with the filter's meaning on the rows. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GraphQLAnswer, startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
interface Row {
  title: string;
  description: string | null;
  priority: string;
  number: number;
  tags: string[];
}
const PRIORITIES = ['NONE', 'LOW', 'MEDIUM', 'HIGH', 'URGENT'];
const rows: Row[] = [];

beforeAll(async () => {
  server = await startTestServer();
  for (let i = 0; i < 12; i += 1) {
    const description = i % 3 === 0 ? null : `d${i % 4}`;
    const tags = i % 2 ? ['odd', `t${i % 5}`] : [];
    const input = { title: `t${i % 5}`, description, priority: PRIORITIES[i % 5], tags };
    const { data } = await server.gql(
      'mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { title description priority number tags } } }',
      { input },
    );
    rows.push(data.createTask.task);
  }
});
afterAll(() => server.stop());

const text = fc.constantFrom('t0', 't1', 'd1', 'd2', 'T', '1', 'none');
const nullable = fc.option(text, { nil: null });
const priority = fc.constantFrom(...PRIORITIES);
const ordered = ['gt', 'gte', 'lt', 'lte'] as const;
const one = <T>(names: readonly string[], value: fc.Arbitrary<T>) =>
  fc.tuple(fc.constantFrom(...names), value).map(([name, operand]) => ({ [name]: operand }));
const comparators = {
  title: fc.oneof(one(['eq', 'neq', 'contains'], text), one(['in', 'nin'], fc.array(text, { maxLength: 3 }))),
  description: fc.oneof(
    one(['eq', 'neq'], nullable),
    one(['contains'], text),
    one(['in', 'nin'], fc.array(text, { maxLength: 3 })),
  ),
  priority: fc.oneof(
    one(['eq', 'neq', ...ordered], priority),
    one(['in', 'nin'], fc.array(priority, { maxLength: 3 })),
  ),
  number: one(['eq', 'neq', ...ordered], fc.integer({ min: 0, max: 14 })),
  tags: fc.oneof(
    one(['contains'], fc.constantFrom('odd', 't1')),
    one(['in', 'nin'], fc.array(fc.constantFrom('odd', 't1', 't3'), { maxLength: 2 })),
  ),
};
type FilterNode = { [name: string]: unknown };
const { filter } = fc.letrec<{ filter: FilterNode; leaf: FilterNode }>((tie) => ({
  leaf: fc.oneof(
    ...Object.entries(comparators).map(([name, comparator]) =>
      (comparator as fc.Arbitrary<unknown>).map((value) => ({ [name]: value })),
    ),
  ),
  filter: fc.oneof(
    { maxDepth: 3 },
    tie('leaf'),
    fc.array(tie('filter'), { minLength: 1, maxLength: 3 }).map((and) => ({ and })),
    fc.array(tie('filter'), { minLength: 1, maxLength: 3 }).map((or) => ({ or })),
    tie('filter').map((not) => ({ not })),
  ),
}));

function matches(row: Row, node: FilterNode): boolean {
  return Object.entries(node).every(([name, value]) => {
    if (name === 'and') return (value as FilterNode[]).every((inner) => matches(row, inner));
    if (name === 'or') return (value as FilterNode[]).some((inner) => matches(row, inner));
    if (name === 'not') return !matches(row, value as FilterNode);
    return Object.entries(value as FilterNode).every(([comparator, operand]) =>
      compare(row, name, comparator, operand),
    );
  });
}

function compare(row: Row, name: string, comparator: string, operand: unknown): boolean {
  const value = row[name as keyof Row];
  if (name === 'tags') {
    const any = [operand].flat().some((tag) => row.tags.includes(tag as string));
    return comparator === 'nin' ? !any : any;
  }
  const rank = (item: unknown) => (name === 'priority' ? PRIORITIES.indexOf(item as string) : (item as number));
  switch (comparator) {
    case 'eq':
      return value === operand;
    case 'neq':
      return value !== operand;
    case 'in':
      return (operand as unknown[]).includes(value);
    case 'nin':
      return !(operand as unknown[]).includes(value);
    case 'contains':
      return value !== null && String(value).toLowerCase().includes(String(operand).toLowerCase());
    case 'gt':
      return rank(value) > rank(operand);
    case 'gte':
      return rank(value) >= rank(operand);
    case 'lt':
      return rank(value) < rank(operand);
    default:
      return rank(value) <= rank(operand);
  }
}

it('finds exactly the rows that the filter describes, with and, or, not, and values that are not there', async () => {
  await fc.assert(
    fc.asyncProperty(filter, async (candidate) => {
      const { data, errors } = await server.gql(
        'query ($filter: TaskFilter) { tasks(first: 100, filter: $filter) { nodes { number } } }',
        { filter: candidate },
      );
      expect(errors).toBeUndefined();
      const found = data.tasks.nodes
        .map((node: { number: number }) => node.number)
        .sort((a: number, b: number) => a - b);
      expect(found).toEqual(rows.filter((row) => matches(row, candidate)).map((row) => row.number));
    }),
    { numRuns: 200 },
  );
});

it('refuses more comparisons or values than it should run', async () => {
  const run = (filter: object) =>
    server.gql('query ($filter: TaskFilter) { tasks(filter: $filter) { totalCount } }', { filter });
  const many = await run({ or: Array.from({ length: 51 }, () => ({ title: { eq: 'x' } })) });
  expect(many.errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
  const long = await run({ title: { in: Array.from({ length: 1001 }, (_, i) => `${i}`) } });
  expect(long.errors?.[0]?.extensions).toMatchObject({ code: 'COST_LIMIT_EXCEEDED', what: 'listValues', limit: 1000 });
  for (const empty of [{ or: [] }, { not: {} }, { not: { title: {} } }]) {
    expect((await run(empty)).errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
  }
  expect((await run({ and: [], title: {} })).data.tasks.totalCount).toBe(rows.length);
  const nothing = await run({ title: { eq: null } });
  expect(nothing.errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
});

it('answers lists of a thousand values, and a not within nots as deep as may be; deeper ones are refused in words', async () => {
  const run = (filter: object) =>
    server.gql('query ($filter: TaskFilter) { tasks(first: 100, filter: $filter) { nodes { number } totalCount } }', {
      filter,
    });
  const values = Array.from({ length: 1000 }, (_, i) => `t${i}`);
  for (const [filter, expected] of [
    [{ title: { in: values } }, rows.length],
    [{ title: { nin: values } }, 0],
    [{ not: { title: { in: values } } }, 0],
    [{ tags: { in: values } }, rows.filter(({ tags }) => tags.length > 0).length],
    [{ number: { in: values.map((_, i) => i) } }, rows.length],
  ] as const) {
    const { data, errors } = await run(filter);
    expect([errors, data?.tasks.totalCount], JSON.stringify(filter).slice(0, 40)).toEqual([undefined, expected]);
  }
  const split = { or: [{ title: { in: values.slice(0, 600) } }, { tags: { in: values.slice(0, 600) } }] };
  expect((await run(split)).errors?.[0]?.extensions).toMatchObject({
    ...{ code: 'COST_LIMIT_EXCEEDED', what: 'listValues', limit: 1000, actual: 2 + 2 * 600 },
  });
  const deep = (depth: number) => {
    let filter: object = { title: { eq: 't1' } };
    for (let i = 0; i < depth; i += 1) filter = { not: filter };
    return filter;
  };
  // Each level is one of the 20 that variables may have; the comparison takes two.
  const found = (depth: number) => rows.filter(({ title }) => (title === 't1') === (depth % 2 === 0)).length;
  for (const depth of [1, 8, 17]) {
    expect((await run(deep(depth))).data?.tasks.totalCount, String(depth)).toBe(found(depth));
  }
  for (const depth of [25, 200, 1000, 5000, 20_000]) {
    const nested = (name: string) => `${`{${name}:`.repeat(depth)}{}${'}'.repeat(depth)}`;
    const body = `{"query":"query ($filter: TaskFilter) { tasks(filter: $filter) { totalCount } }","variables":{"filter":${nested('"not"')}}}`;
    for (const refused of [
      (await (await server.post(body, server.adminKey)).json()) as GraphQLAnswer,
      await server.gql(`{ tasks(filter: ${nested('not')}) { totalCount } }`),
    ]) {
      expect(refused.errors?.[0]?.extensions['code'], String(depth)).toBe('COST_LIMIT_EXCEEDED');
    }
  }
});

it('finds tags and emails whatever their case', async () => {
  const run = async (filter: object) =>
    (await server.gql('query ($filter: TaskFilter) { tasks(filter: $filter) { totalCount } }', { filter })).data.tasks
      .totalCount;
  const odd = rows.filter(({ tags }) => tags.includes('odd')).length;
  expect(await run({ tags: { in: ['ODD'] } })).toBe(odd);
  expect(await run({ tags: { contains: 'Odd' } })).toBe(odd);
  expect(await run({ tags: { nin: ['oDD'] } })).toBe(rows.length - odd);
  await server.gql('mutation { createUser(input: { email: "Mixed@Example.COM", name: "M" }) { user { id } } }');
  for (const email of [
    { eq: 'MIXED@example.com' },
    { in: ['x', 'mixed@EXAMPLE.com'] },
    { contains: 'MIXED@' },
    { neq: 'x' },
  ]) {
    const { data } = await server.gql(
      'query ($email: StringFilter) { users(filter: { and: [{ email: $email }, { name: { eq: "M" } }] }) { nodes { email } } }',
      { email },
    );
    expect(data.users.nodes, JSON.stringify(email)).toEqual([{ email: 'mixed@example.com' }]);
  }
});

it('no value is that of any row, of fields that are no columns too, however the list is read', async () => {
  const server = await startTestServer();
  for (const [filter, count] of [
    ['status: { in: [] }', 0],
    ['scope: { in: [] }', 0],
    ['not: { status: { in: [] } }', 1],
    ['status: { nin: [] }', 1],
    ['or: [{ status: { in: [] } }, { scope: { in: [] } }]', 0],
  ] as const) {
    // The second has no plan.
    for (const beside of ['', 'viewer { environment }']) {
      const { data } = await server.gql(`{ ${beside} apiKeys(filter: { ${filter} }) { totalCount nodes { id } } }`);
      expect([filter, data.apiKeys.totalCount, data.apiKeys.nodes.length]).toEqual([filter, count, count]);
    }
  }
  await server.stop();
});
