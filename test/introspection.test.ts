/** What a key is told of the schema: by introspection, and by suggestions in errors. */
import { buildClientSchema, getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schema } from '../src/graphql/schema/schema.js';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const QUERY = getIntrospectionQuery();
const shown = async (key: string) => buildClientSchema((await server.gql(QUERY, {}, key)).data);
const fieldsOf = (type: { getFields(): object } | null | undefined) => Object.keys(type?.getFields() ?? {}).sort();

describe('introspection', () => {
  it('shows a key what it may use, and nothing else', async () => {
    const none = await shown(await server.key([]));
    expect(fieldsOf(none.getQueryType())).toEqual(['apiKey', 'node', 'nodes', 'rateLimit', 'requiredScopes', 'viewer']);
    expect([none.getType('Task'), none.getType('AuditEvent'), none.getSubscriptionType()]).toEqual([
      ...[undefined, undefined, null],
    ]);
    const tasks = await shown(await server.key(['tasks:read']));
    expect(fieldsOf(tasks.getQueryType())).toEqual(expect.arrayContaining(['task', 'tasks']));
    const task = fieldsOf(tasks.getType('Task') as never);
    expect(task).toContain('title');
    expect(task).not.toContain('assignee');
    expect(fieldsOf(tasks.getMutationType())).not.toContain('createTask');
    // Who writes a task sees the task that was written.
    const writer = await shown(await server.key(['tasks:write']));
    expect(fieldsOf(writer.getMutationType())).toEqual(expect.arrayContaining(['createTask', 'updateTask']));
    expect(fieldsOf(writer.getType('Task') as never)).toContain('title');
    const all = await shown(server.adminKey);
    expect(fieldsOf(all.getQueryType())).toEqual(fieldsOf(schema.getQueryType()));
    expect(fieldsOf(all.getMutationType())).toEqual(fieldsOf(schema.getMutationType()));
  });

  it('goes along with what else an operation asks for, and costs what it can return', async () => {
    const key = await server.key(['tasks:read']);
    const { data, errors, extensions } = await server.gql(
      '{ tasks(first: 1) { totalCount } __type(name: "Task") { fields { name } } s: __schema { queryType { name } } }',
      {},
      key,
    );
    expect(errors).toBeUndefined();
    expect(data).toMatchObject({ tasks: { totalCount: expect.any(Number) }, s: { queryType: { name: 'Query' } } });
    expect(data.__type.fields.map(({ name }: { name: string }) => name)).not.toContain('assignee');
    expect(extensions?.['cost']).toMatchObject({ points: expect.any(Number) });
    expect((await server.gql(QUERY, {}, key)).extensions?.['cost']).toEqual(
      expect.objectContaining({ requested: expect.any(Number) }),
    );
    const masked = await server.gql('{ auditLog { totalCount } __type(name: "AuditEvent") { name } }', {}, key);
    expect(masked.errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', missingScopes: ['audit:read'] });
    expect(masked.data).toEqual({ auditLog: null, __type: null });
  });
});

describe('suggestions', () => {
  const errorOf = async (query: string, key: string, variables = {}) =>
    (await server.gql(query, variables, key)).errors?.map(({ message }) => message).join('\n');

  it('are of what the key may see', async () => {
    const [none, tasks] = [await server.key([]), await server.key(['tasks:read'])];
    expect(await errorOf('{ task { id } viewr { environment } }', none)).toContain('Did you mean "viewer"?');
    expect(await errorOf('{ tass { id } }', tasks)).toContain('Did you mean "task", "tasks", or "trash"?');
    expect(await errorOf('{ tass { id } }', none)).not.toContain('Did you mean');
    expect(await errorOf('{ tasks(fist: 1) { totalCount } }', tasks)).toContain('Did you mean "first"');
    expect(await errorOf('{ tasks(fist: 1) { totalCount } }', none)).not.toContain('Did you mean');
    const asked = `query ($d: String!) { requiredScopes(document: $d) { scopes } }`;
    expect(await errorOf(asked, tasks, { d: '{ tass { id } }' })).toContain('Did you mean');
    expect(await errorOf(asked, none, { d: '{ tass { id } }' })).not.toContain('Did you mean');
    const variable = 'query ($f: TaskFilter) { tasks(filter: $f) { totalCount } }';
    expect(await errorOf(variable, tasks, { f: { titel: { eq: 'x' } } })).toContain('Did you mean');
    expect(await errorOf(variable, none, { f: { titel: { eq: 'x' } } })).not.toContain('Did you mean');
  });

  it('are none for what is beyond a key: the error names the scope', async () => {
    const { errors } = await server.gql('{ tasks { totalCount } }', {}, await server.key([]));
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', missingScopes: ['tasks:read'] });
  });
});

describe('INTROSPECTION', () => {
  it('full shows all of it to every key', async () => {
    const full = await startTestServer({ INTROSPECTION: 'full' });
    const { data } = await full.gql(QUERY, {}, await full.key([]));
    expect(fieldsOf(buildClientSchema(data).getQueryType())).toEqual(fieldsOf(schema.getQueryType()));
    await full.stop();
  });

  it('off refuses it, in whichever form, and suggests nothing', async () => {
    const off = await startTestServer({ INTROSPECTION: 'off' });
    for (const query of [
      QUERY,
      '{ __type(name: "Task") { name } }',
      '{ viewer { environment } __schema { queryType { name } } }',
      '{ ...F } fragment F on Query { ... { __schema { __typename } } }',
    ]) {
      const { data, errors } = await off.gql(query);
      expect([data ?? null, errors?.[0]?.extensions['code']], query).toEqual([null, 'FORBIDDEN']);
    }
    expect((await off.gql('{ __typename viewer { __typename } }')).errors).toBeUndefined();
    expect((await off.gql('{ viewr { environment } }')).errors?.[0]?.message).not.toContain('Did you mean');
    await off.stop();
  });
});
