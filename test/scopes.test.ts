/** Which key may do what: every field of the schema against keys without, with the wrong and with the right scope. */
import {
  type GraphQLField,
  type GraphQLInputType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schema } from '../src/graphql/schema/schema.js';
import { grantsOf, ownRequirement } from '../src/operations/requirement.js';
import { SCOPES, type Scope } from '../src/scopes/scope.js';
import { fillTenant } from './support/factories.js';
import { startTestServer, type TestServer } from './support/server.js';

/** Root fields that every valid key may ask for. */
const PUBLIC = [
  'Query.viewer',
  'Query.requiredScopes',
  'Query.node',
  'Query.nodes',
  'Query.rateLimit',
  'Mutation.requestScopes',
];

const query = schema.getQueryType();
const mutation = schema.getMutationType();
const roots = [query, mutation].flatMap((type) =>
  type
    ? Object.values(type.getFields()).map((field) => ({ type, field, coordinate: `${type.name}.${field.name}` }))
    : [],
);
const guarded = roots.filter(({ coordinate }) => !PUBLIC.includes(coordinate));

let server: TestServer;
let ids: Awaited<ReturnType<typeof fillTenant>>;
beforeAll(async () => {
  server = await startTestServer();
  ids = await fillTenant(server.system, server.workspace.id, 'LIVE');
});
afterAll(() => server.stop());

/** The least that makes a field valid: required arguments, and one leaf or __typename below. */
function operation(kind: 'query' | 'mutation', field: GraphQLField<unknown, unknown>): string {
  const args = field.args
    .filter((arg) => isNonNullType(arg.type))
    .map((arg) => `${arg.name}: ${literal(arg.type, arg.name)}`);
  const named = getNamedType(field.type);
  return `${kind} { ${field.name}${args.length > 0 ? `(${args.join(', ')})` : ''}${isLeafType(named) ? '' : ' { __typename }'} }`;
}

function literal(type: GraphQLInputType, name: string): string {
  if (isNonNullType(type)) return literal(type.ofType, name);
  if (isListType(type)) return `[${literal(type.ofType, name)}]`;
  if (isEnumType(type)) return type.getValues()[0]?.name ?? '';
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields()).filter((field) => isNonNullType(field.type));
    return `{ ${fields.map((field) => `${field.name}: ${literal(field.type, field.name)}`).join(', ')} }`;
  }
  if (type.name === 'Int') return '1';
  return name === 'email' ? '"someone@example.com"' : '"tasks:read"';
}

describe('the schema', () => {
  it('has no root field that asks for no scope, but the public ones', () => {
    const open = roots.filter(({ field }) => ownRequirement(field) === undefined).map(({ coordinate }) => coordinate);
    expect(open.sort()).toEqual(PUBLIC.filter((name) => roots.some(({ coordinate }) => coordinate === name)).sort());
  });

  it('asks for scopes, or grants them, at every field that returns a guarded type', () => {
    const bare: string[] = [];
    for (const type of Object.values(schema.getTypeMap())) {
      if (!isObjectType(type) || type.name.startsWith('__') || /(Connection|Edge)$/.test(type.name)) continue;
      for (const field of Object.values(type.getFields())) {
        const returned = getNamedType(field.type);
        if (!isObjectType(returned) || ownRequirement(returned) === undefined) continue;
        const granted = roots.some((root) => getNamedType(root.field.type) === type && grantsOf(root.field).size > 0);
        if (ownRequirement(field) === undefined && !granted) bare.push(`${type.name}.${field.name}`);
      }
    }
    expect(bare).toEqual([]);
  });

  it('makes every guarded field of a query nullable, so that one refusal does not take its neighbours along', () => {
    const strict: string[] = [];
    for (const type of Object.values(schema.getTypeMap())) {
      if (!isObjectType(type) || type === mutation || type === schema.getSubscriptionType()) continue;
      for (const field of Object.values(type.getFields())) {
        if (ownRequirement(field) !== undefined && isNonNullType(field.type)) strict.push(`${type.name}.${field.name}`);
      }
    }
    expect(strict).toEqual([]);
  });
});

describe.each(guarded)('$coordinate', ({ type, field }) => {
  const kind = type === mutation ? 'mutation' : 'query';
  const document = operation(kind, field);
  const requirement = ownRequirement(field) ?? [];
  const helpful = new Set<Scope>(requirement.flat());

  it('is refused without a key', async () => {
    const response = await server.post(JSON.stringify({ query: document }), undefined);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
  });

  it('is FORBIDDEN with every other scope, and names what is missing', async () => {
    const others = (Object.keys(SCOPES) as Scope[]).filter((scope) => !helpful.has(scope) && scope !== 'admin:*');
    const before = server.queries.length;
    const { data, errors } = await server.gql(document, {}, await server.key(others));
    expect(errors?.map((error) => error.extensions['code'])).toEqual(['FORBIDDEN']);
    expect(requirement).toContainEqual(errors?.[0]?.extensions['requiredScopes']);
    expect(errors?.[0]?.extensions['missingScopes']).toEqual(errors?.[0]?.extensions['requiredScopes']);
    expect(errors?.[0]?.path).toEqual([field.name]);
    expect(data?.[field.name] ?? null).toBeNull();
    // The table of the field's own type is not asked; ApiKey and User are, by authentication and by making the key.
    const tables = server.queries.slice(before).filter((sql) => /\b(Task|Project|TaskRelationship)\b/.test(sql));
    expect(tables).toEqual([]);
  });

  it.each([...requirement.map((scopes) => [...scopes]), ['admin:*']].map((scopes) => ({ scopes })))(
    'passes with $scopes',
    async ({ scopes }) => {
      const { errors = [] } = await server.gql(document, {}, await server.key(scopes));
      // The row is not there, or the scope in the input is not the caller's to give; but the field was reached.
      for (const error of errors) {
        expect(error.extensions['requiredScopes'], JSON.stringify(error)).toBeUndefined();
        expect(error.extensions['code']).not.toBe('INTERNAL_SERVER_ERROR');
      }
    },
  );
});

describe('a guarded relation', () => {
  it('is null, with one error for the field and no query for it, however long the list', async () => {
    const key = await server.key(['tasks:read']);
    await server.gql('{ viewer { environment } }', {}, key);
    const before = server.queries.length;
    const { data, errors } = await server.gql(
      '{ tasks { nodes { id project { name } assignee { email } } } }',
      {},
      key,
    );
    expect(data.tasks.nodes.length).toBeGreaterThan(1);
    for (const task of data.tasks.nodes) expect(task).toMatchObject({ project: null, assignee: null });
    expect(Object.keys(data.tasks.nodes[0])).toEqual(['id', 'project', 'assignee']);
    expect(errors?.map((error) => [error.path?.join('.'), error.extensions['missingScopes']])).toEqual([
      ['tasks.nodes.project', ['projects:read']],
      ['tasks.nodes.assignee', ['users:read']],
    ]);
    expect(server.queries.slice(before).filter((sql) => /FROM \W*(main\W+)?(Project|User)\b/.test(sql))).toEqual([]);
  });

  it('is found through fragments, aliases and __typename as well', async () => {
    const key = await server.key(['tasks:read']);
    const { data, errors } = await server.gql(
      `query { tasks { nodes { ...T ... on Node { ... on Task { p: project { __typename } } } } } again: projects { __typename } }
       fragment T on Task { id project { ...P } }
       fragment P on Project { n: name }`,
      {},
      key,
    );
    expect(data.again).toBeNull();
    for (const task of data.tasks.nodes) expect(task).toMatchObject({ project: null, p: null });
    expect(new Set(errors?.map((error) => error.extensions['code']))).toEqual(new Set(['FORBIDDEN']));
    expect(JSON.stringify(data)).not.toContain('Project ');
  });

  it('is masked in a fragment that stands below a refused field too', async () => {
    const key = await server.key(['tasks:read']);
    const { data, errors } = await server.gql(
      `query ($id: ID!) { project(id: $id) { tasks { nodes { ...T } } } tasks { nodes { ...T } } }
       fragment T on Task { id assignee { email } }`,
      { id: ids.projectId },
      key,
    );
    expect(data.project).toBeNull();
    for (const task of data.tasks.nodes) expect(task.assignee).toBeNull();
    expect(errors?.map((error) => error.extensions['missingScopes'])).toEqual([['projects:read'], ['users:read']]);
  });
});

describe('a field that is selected more than once', () => {
  it.each([
    '{ tasks { nodes { id } } tasks { totalCount } }',
    '{ tasks { totalCount } ...F } fragment F on Query { tasks { nodes { id } } }',
    '{ t: tasks { totalCount } t: tasks { totalCount } }',
  ])('has one error: %s', async (text) => {
    const { data, errors } = await server.gql(text, {}, await server.key(['users:read']));
    expect(Object.values(data)).toEqual([null]);
    expect(errors?.map(({ extensions }) => extensions['code'])).toEqual(['FORBIDDEN']);
  });
});

describe('a mutation', () => {
  it('is refused whole for one field that is forbidden, with every missing scope and its path, and writes nothing', async () => {
    const key = await server.key(['tasks:write']);
    const count = await server.system.task.count();
    const { data, errors } = await server.gql(
      `mutation { a: createTask(input: { title: "A" }) { task { id project { name } } } b: deleteTask(input: { id: "x" }) { deletedTaskId } }`,
      {},
      key,
    );
    expect(data).toBeUndefined();
    expect(errors?.map((error) => [error.path?.join('.'), error.extensions['missingScopes']])).toEqual([
      ['a.task.project', ['projects:read']],
      ['b', ['tasks:delete']],
    ]);
    expect(await server.system.task.count()).toBe(count);
  });

  it('shows the row that it wrote to a key that may only write', async () => {
    const key = await server.key(['tasks:write']);
    const { data, errors } = await server.gql(
      'mutation { createTask(input: { title: "Mine" }) { task { title } } }',
      {},
      key,
    );
    expect(errors).toBeUndefined();
    expect(data.createTask.task).toEqual({ title: 'Mine' });
  });

  it.each(['OWNER', 'ADMIN'])('that makes a user %s takes admin:*', async (role) => {
    const create = 'mutation ($input: CreateUserInput!) { createUser(input: $input) { user { id } } }';
    const update = 'mutation ($input: UpdateUserInput!) { updateUser(input: $input) { user { id } } }';
    const key = await server.key(['users:*']);
    const made = await server.gql(create, { input: { email: `${role}@example.com`, name: 'N', role } }, key);
    expect(made.errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', missingScopes: ['admin:*'] });
    const member = await server.gql(create, { input: { email: `m-${role}@example.com`, name: 'N' } }, key);
    const { id } = member.data.createUser.user;
    const raised = await server.gql(update, { input: { id, role } }, key);
    expect(raised.errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', missingScopes: ['admin:*'] });
  });
});

describe('node', () => {
  it('finds what the key may read, and nothing else', async () => {
    const find = 'query ($id: ID!) { node(id: $id) { __typename id ... on Task { title } } }';
    const reader = await server.key(['tasks:read']);
    expect((await server.gql(find, { id: ids.taskId }, reader)).data.node).toMatchObject({
      __typename: 'Task',
      id: ids.taskId,
    });
    const blind = await server.key(['projects:read']);
    const hidden = await server.gql('query ($id: ID!) { node(id: $id) { id } }', { id: ids.taskId }, blind);
    expect(hidden.data.node).toBeNull();
    expect(hidden.errors?.[0]?.extensions['code']).toBe('NOT_FOUND');
  });
});

describe('requiredScopes', () => {
  it('tells any key what a document needs, with the path of each scope, and runs nothing', async () => {
    const document = `mutation { createTask(input: { title: "x" }) { task { project { name } } } revokeApiKey(input: { id: "k" }) { apiKey { id } } }`;
    const count = await server.system.task.count();
    const { data } = await server.gql(
      'query ($d: String!) { requiredScopes(document: $d) { scopes missing fields { path coordinate anyOf } } }',
      { d: document },
      await server.key(['projects:read']),
    );
    expect(data.requiredScopes).toEqual({
      scopes: ['keys:delete', 'projects:read', 'tasks:write'],
      missing: ['keys:delete', 'tasks:write'],
      fields: [
        { path: ['createTask'], coordinate: 'Mutation.createTask', anyOf: [['tasks:write']] },
        { path: ['createTask', 'task', 'project'], coordinate: 'Task.project', anyOf: [['projects:read']] },
        { path: ['revokeApiKey'], coordinate: 'Mutation.revokeApiKey', anyOf: [['keys:delete'], ['keys:write']] },
      ],
    });
    expect(await server.system.task.count()).toBe(count);
  });

  it('what it answers is enough, for every root field', async () => {
    for (const { type, field } of guarded) {
      const document = operation(type === mutation ? 'mutation' : 'query', field);
      // Another key each time, for one may ask 60 times a minute.
      const query = 'query ($d: String!) { requiredScopes(document: $d) { scopes } }';
      const report = await server.gql(query, { d: document }, await server.key([]));
      const { errors = [] } = await server.gql(document, {}, await server.key(report.data.requiredScopes.scopes));
      expect(errors.filter((error) => error.extensions['requiredScopes'])).toEqual([]);
    }
  });
});
