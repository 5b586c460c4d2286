/**
 * Plans are held against the reference: documents over rows, relations and connections, with arguments, fragments, aliases
 * and conditions, answer the same by a plan as by graphql-js, Pothos and Prisma, errors included.
 */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { type ExecutionResult, execute, GraphQLError, type GraphQLFormattedError } from 'graphql';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { principalOf } from '../src/auth/principal.js';
import { createContext } from '../src/graphql/context.js';
import { toGraphQLError } from '../src/graphql/maskError.js';
import { runPlan } from '../src/graphql/plans/plan.js';
import { Plans } from '../src/keys/plans.js';
import { unmask } from '../src/operations/mask.js';
import type { Variables } from '../src/operations/variables.js';
import { createWorkspace } from './support/factories.js';
import { startTestServer, type TestServer } from './support/server.js';

const RUNS = Number(process.env['PLAN_RUNS'] ?? 300);
/** Milliseconds, on a machine that does much else. */
const TIMEOUT = 300_000 + RUNS * 1000;

let server: TestServer;
let ids: { task: string[]; project: string[]; user: string[] };
let cursors: string[];
/** Ids of tasks and projects, with the project that they belong to. */
let projectOfRow: Map<string, string>;

beforeAll(async () => {
  server = await startTestServer();
  const { system, workspace } = server;
  await createWorkspace(server);
  const tenant = { workspaceId: workspace.id, environment: 'LIVE' } as const;
  const users = [];
  for (const name of ['Ada', 'grace ÄÖ', 'Ünï "quoted" \\ 💥']) {
    users.push(await system.user.create({ data: { ...tenant, name, email: `${randomUUID()}@example.com` } }));
  }
  const projects = [];
  for (let i = 0; i < 3; i += 1) {
    projects.push(
      await system.project.create({
        data: {
          ...tenant,
          name: `Project ${i}`,
          slug: i === 1 ? 'one' : null,
          archivedAt: i === 2 ? new Date('2026-01-02T03:04:05.678Z') : null,
          createdById: users[i]?.id ?? null,
        },
      }),
    );
  }
  const TITLES = ['Plain', 'plain again', 'Ünï "quoted"\n', '100 % _x_ \\', ''];
  for (let i = 0; i < 30; i += 1) {
    const { data } = await server.gql(
      'mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { id } } }',
      { input: { title: TITLES[i % 4], tags: i % 3 ? ['odd', `t${i % 5}`, 'Zed'] : [] } },
    );
    await system.task.update({
      where: { id: data.createTask.task.id },
      data: {
        description: i % 4 === 0 ? null : `d ${i % 7}`,
        status: i % 7,
        priority: i % 5,
        projectId: projects[i % 4]?.id ?? null,
        assigneeId: users[i % 5]?.id ?? null,
        dueDate: i % 3 === 0 ? null : new Date(Date.UTC(2026, i % 12, 1 + (i % 5), 1, 2, 3, i % 2)),
        startDate: i % 2 === 0 ? null : new Date(Date.UTC(1999, 11, 31, 23, 59, 59, 999)),
        position: i % 6 === 0 ? -0.25 : i % 4,
        estimate: i % 3 === 0 ? null : (i % 5) / 2,
      },
    });
  }
  const parts = await system.task.findMany({ where: tenant, orderBy: { id: 'desc' }, take: 12 });
  for (const [index, { id }] of parts.entries()) {
    const parent = parts[(index + 4) % parts.length];
    const isBelow = index < 8 && parent;
    if (isBelow)
      await system.task.update({ where: { id }, data: { parentId: parent.id, projectId: parent.projectId } });
    const startedAt = new Date(Date.UTC(2026, 1, 1 + (index % 5)));
    const endedAt = index % 3 === 0 ? null : new Date(startedAt.getTime() + index * 1000);
    const note = TITLES[index % 4] ?? null;
    await system.timeEntry.create({
      data: { ...tenant, taskId: id, startedAt, endedAt, note, userId: users[index % 4]?.id ?? null },
    });
  }
  for (const [index, { id }] of parts.entries()) {
    const targetTaskId = parts[(index * 5 + 2) % parts.length]?.id;
    const type = index % 3 === 0 ? 'RELATES_TO' : 'BLOCKS';
    if (targetTaskId && targetTaskId !== id) {
      await system.taskRelationship.create({ data: { ...tenant, taskId: id, targetTaskId, type } });
    }
  }
  const told = await system.task.findMany({ where: tenant, orderBy: { id: 'asc' }, take: 6 });
  for (let i = 0; i < 20; i += 1) {
    const data = {
      ...tenant,
      taskId: told[i % 5]?.id ?? '',
      body: TITLES[i % 4] ?? '',
      createdById: users[i % 4]?.id ?? null,
    };
    const deletedAt = i % 6 === 5 ? new Date() : null;
    const { id } = await system.comment.create({ data: { ...data, deletedAt, editedAt: i % 3 ? null : new Date() } });
    if (i % 4 === 0) await system.comment.create({ data: { ...data, body: `answer ${i}`, parentId: id } });
  }
  const made = await server.createKey(['tasks:read'], 'LIVE', {
    description: 'Ünï',
    autoRenew: true,
    expiresAt: inDays(9),
  });
  await server.createKey(['tasks:*'], 'TEST');
  await server.gql(`mutation { revokeApiKey(input: { id: "${made.apiKey.id}" }) { revokedKeys } }`);
  for (const [index, kind] of ['NEW_NETWORK', 'KEY_LEAKED', 'KEYS_GUESSED'].entries()) {
    const keyId = index === 2 ? null : made.apiKey.id;
    await system.alert.create({ data: { ...tenant, kind, keyId, message: `m "${index}"`, cause: randomUUID() } });
  }
  const idsOf = (rows: { id: string }[]) => [...rows.map(({ id }) => id), randomUUID(), 'no id', ''];
  const foreign = await system.task.findFirstOrThrow({ where: { workspaceId: { not: workspace.id } } });
  const tasks = await system.task.findMany({ where: tenant });
  projectOfRow = new Map([
    ...tasks.map(({ id, projectId }) => [id, projectId ?? ''] as const),
    ...projects.map(({ id }) => [id, id] as const),
  ]);
  ids = { task: idsOf([foreign, ...tasks]), project: idsOf(projects), user: idsOf(users) };
  const { data } = await server.gql('{ tasks(first: 30) { edges { cursor } } }');
  const byTitle = await server.gql('{ tasks(first: 9, orderBy: [{ field: DUE_DATE }]) { edges { cursor } } }');
  cursors = [...data.tasks.edges, ...byTitle.data.tasks.edges].map(({ cursor }: { cursor: string }) => cursor);
  cursors.push('no cursor');
});
afterAll(() => server.stop());

const inDays = (days: number) => new Date(Date.now() + days * 86_400_000);
const logger = pino({ level: 'silent' });

/** With the scopes of an administrator, all projects and no other user, unless it is said otherwise. */
interface AskingKey {
  readonly scopes?: string;
  readonly projects?: readonly string[] | undefined;
  readonly userId?: string | null | undefined;
}

async function contextOf({ scopes = 'admin:*', projects, userId = null }: AskingKey = {}) {
  const apiKey = await server.system.apiKey.findFirstOrThrow({ where: { workspaceId: server.workspace.id } });
  const principal = principalOf(
    {
      ...{ ...apiKey, scopes, projectIds: projects?.join(' ') ?? null, lock: null },
      ...(userId === null ? { role: null } : { actsAsId: userId, role: 'OWNER' as const }),
    },
    new Plans().of({ ...server.workspace, plan: 'enterprise' }),
  );
  const session = { id: '', current: async () => principal, onChange: () => () => {} };
  return createContext(principal, { requestId: 'x', ip: null, userAgent: null }, session, server.services);
}

/** As it is sent; the order of errors at one level is that of their ends. */
function sent({ data, errors = [] }: ExecutionResult) {
  const shown = errors.map((error): GraphQLFormattedError => toGraphQLError(error, logger).toJSON());
  return JSON.parse(
    JSON.stringify({
      data,
      errors: shown.sort((a, b) => String(a.path).localeCompare(String(b.path)) || a.message.localeCompare(b.message)),
    }),
  );
}

let planned = 0;
async function compare(text: string, variables: Variables, key: AskingKey = {}): Promise<void> {
  const document = server.services.documents.of(text);
  if (document.errors) throw new Error(`${document.errors.map(String).join('\n')}\n${text}`);
  const operation = document.operation();
  if (!operation) throw new Error(`no operation in ${text}`);
  const context = await contextOf(key);
  const executable = operation.without(operation.deniedFields(context.principal.scopes));
  const { schema } = server.services.documents;
  const plan = await runPlan(schema, executable, variables, context);
  if (!plan) return;
  planned += 1;
  const reference = await execute({
    ...{ schema, document: executable.document, operationName: operation.name },
    ...{ variableValues: variables, contextValue: await contextOf(key) },
  });
  const { data, ...rest } = reference as ExecutionResult;
  const expected = { ...rest, ...(data !== undefined && { data: unmask(data) as typeof data }) };
  const answered = { errors: plan.errors, ...(plan.data !== undefined && { data: JSON.parse(plan.data) }) };
  expect(sent(answered)).toEqual(sent(expected));
  // In the order of the document, too.
  expect(plan.data).toBe(JSON.stringify(expected.data));
  if (!key.projects) return;
  for (const [id, projectId] of projectOfRow) {
    if (!key.projects.includes(projectId)) expect(plan.data).not.toContain(id);
  }
}

const ORDERS = {
  Task: [
    'CREATED_AT',
    'UPDATED_AT',
    'START_DATE',
    'DUE_DATE',
    'TITLE',
    'STATUS',
    'PRIORITY',
    'NUMBER',
    'POSITION',
    'ESTIMATE',
  ],
  Project: ['CREATED_AT', 'UPDATED_AT', 'NAME'],
  User: ['CREATED_AT', 'NAME', 'EMAIL'],
  Comment: ['CREATED_AT', 'UPDATED_AT'],
  Label: ['NAME', 'CREATED_AT'],
  State: ['ORDER', 'NAME', 'CREATED_AT'],
  TimeEntry: ['STARTED_AT', 'CREATED_AT'],
  ApiKey: [],
  Alert: [],
  AuditEvent: [],
};
const COLUMNS = {
  Task: 'id identifier trackedSeconds number title description status stateId priority tags startDate dueDate position estimate projectId parentId assigneeId createdById createdByKeyId createdAt updatedAt __typename',
  Project: 'id name description slug key icon archivedAt createdAt updatedAt createdById createdByKeyId __typename',
  User: 'id email name role createdAt updatedAt __typename',
  Comment: 'id taskId parentId body createdById createdByKeyId createdAt updatedAt editedAt deletedAt __typename',
  Label: 'id name color description createdById createdByKeyId createdAt updatedAt __typename',
  State: 'id projectId name slug color icon order category createdAt updatedAt __typename',
  TimeEntry: 'id taskId userId note startedAt endedAt seconds createdByKeyId createdAt updatedAt __typename',
  ApiKey:
    'id name description prefix environment expiresAt autoRenew rotatedAt graceEndsAt successorId revokedAt revokedReason createdById createdByKeyId createdAt updatedAt __typename',
  Alert: 'id kind message keyId createdAt __typename',
  AuditEvent: 'id action actorKeyId actorUserId targetType targetId ip userAgent requestId createdAt __typename',
};
const RELATIONS = {
  Task: { project: 'Project', assignee: 'User', createdBy: 'User', parent: 'Task', state: 'State' },
  Project: { createdBy: 'User' },
  User: {},
  Comment: { task: 'Task', createdBy: 'User' },
  Label: { createdBy: 'User' },
  State: { project: 'Project' },
  TimeEntry: { task: 'Task', user: 'User' },
  ApiKey: {},
  Alert: {},
  AuditEvent: {},
} as const;
type Type = keyof typeof COLUMNS;

const condition = fc.constantFrom('', '', '', '', ' @include(if: $yes)', ' @skip(if: $yes)', ' @include(if: $no)');

/** Lists without an offset, a search and an order; their rows are no nodes. */
const isPlain = (type: Type) => type === 'Alert' || type === 'AuditEvent';

/** A selection of a type's fields, that does not contradict itself: an alias is always of the same field. */
function selection(type: Type, depth: number): fc.Arbitrary<string> {
  const column = fc
    .tuple(fc.constantFrom(...COLUMNS[type].split(' ')), fc.boolean(), condition)
    .map(([name, aliased, when]) => `${aliased ? `x_${name}: ` : ''}${name}${when}`);
  const relations = Object.entries(RELATIONS[type]) as [string, Type][];
  const parts: fc.Arbitrary<string>[] = [column, column, column];
  if (depth > 0) {
    for (const [name, other] of relations) {
      parts.push(
        fc.tuple(selection(other, depth - 1), condition).map(([inner, when]) => `${name}${when} { ${inner} }`),
      );
    }
    const inner = selection(type, depth - 1);
    parts.push(inner.map((fields) => `... on ${type} { ${fields} }`));
    parts.push(fc.tuple(inner, condition).map(([fields, when]) => `...${when} { ${fields} }`));
    if (!isPlain(type)) parts.push(inner.map((fields) => `... on Node { id } ... { ${fields} }`));
    parts.push(fc.constant(`...Of${type}`));
    if (type === 'Project' || type === 'Label' || type === 'State') parts.push(innerTasks('tasks', depth - 1));
    if (type === 'Task') parts.push(innerComments('comments', depth - 1), innerTasks('children', depth - 1));
    if (type === 'Task')
      parts.push(innerRows('labels', 'Label', depth - 1), innerRows('timeEntries', 'TimeEntry', depth - 1));
    if (type === 'Project') parts.push(innerRows('states', 'State', depth - 1));
    if (type === 'Comment') parts.push(innerComments('answers', depth - 1));
  }
  return fc
    .array(parts.length > 0 ? fc.oneof(...parts) : column, { minLength: 1, maxLength: 5 })
    .map((all) => all.join(' '));
}

/** What is wrong is rare: an operation with it has no plan. */
const INNER_PAGE = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom('first: 2', 'last: 3', 'first: 3, offset: 1', 'first: 0', 'first: $count') },
  { weight: 1, arbitrary: fc.constant('first: -1') },
);

/** A list within the rows of another. */
function innerTasks(name: string, depth: number): fc.Arbitrary<string> {
  const page = INNER_PAGE;
  const order = fc.constantFrom(
    '',
    ', orderBy: [{ field: TITLE, direction: ASC }]',
    ', filter: { status: { neq: DONE } }',
  );
  const parts = fc.oneof(
    selection('Task', depth).map((fields) => `nodes { ${fields} }`),
    selection('Task', depth).map((fields) => `edges { cursor node { ${fields} } } pageInfo { hasNextPage endCursor }`),
  );
  return fc
    .tuple(page, order, parts, fc.nat(3))
    .map(([rows, by, shown, alias]) => `t${alias}_${depth}: ${name}(${rows}${by}) { ${shown} }`);
}

function innerRows(name: string, type: 'Label' | 'State' | 'TimeEntry', depth: number): fc.Arbitrary<string> {
  const page = fc.constantFrom('first: 2', 'last: 3', 'first: 3, offset: 1', 'first: 0', 'first: $count');
  const order = ORDERS[type].map((field) => `, orderBy: [{ field: ${field}, direction: ASC }]`);
  return fc
    .tuple(page, fc.constantFrom('', ...order), selection(type, depth), fc.nat(3))
    .map(([rows, by, fields, alias]) => `${name}${alias}_${depth}: ${name}(${rows}${by}) { nodes { ${fields} } }`);
}

function innerComments(name: string, depth: number): fc.Arbitrary<string> {
  const page = INNER_PAGE;
  const more = fc.constantFrom(
    ...['', ', orderBy: [{ field: CREATED_AT, direction: ASC }]', ', filter: { deletedAt: { eq: null } }'],
    ', search: "plain"',
  );
  const parts = fc.oneof(
    selection('Comment', depth).map((fields) => `nodes { ${fields} }`),
    selection('Comment', depth).map(
      (fields) => `edges { cursor node { ${fields} } } pageInfo { hasNextPage endCursor }`,
    ),
  );
  return fc
    .tuple(page, more, parts, fc.nat(3))
    .map(([rows, by, shown, alias]) => `c${alias}_${depth}: ${name}(${rows}${by}) { ${shown} }`);
}

const text = fc.constantFrom('plain', 'Ünï', '%', '_', '\\', '"', 'd 1', 'Project', '', 'a b', 'grace');
const quoted = text.map((value) => JSON.stringify(value));
const date = fc.constantFrom('"2026-03-01T00:00:00Z"', '"1999-12-31T23:59:59.999Z"', '"2027-01-01T00:00:00Z"');
const FILTERS: Record<Type, fc.Arbitrary<string>> = {
  Task: fc.oneof(
    fc.tuple(fc.constantFrom('eq', 'neq', 'contains'), quoted).map(([by, value]) => `title: { ${by}: ${value} }`),
    fc
      .tuple(fc.constantFrom('eq', 'neq'), fc.constantFrom('null', '"d 1"'))
      .map(([by, value]) => `description: { ${by}: ${value} }`),
    quoted.map((value) => `description: { contains: ${value} }`),
    fc.array(quoted, { maxLength: 3 }).map((values) => `description: { nin: [${values.join()}] }`),
    fc.constantFrom(
      'status: { in: [TODO, DONE] }',
      'status: { neq: BACKLOG }',
      'priority: { gte: MEDIUM }',
      'priority: { in: [] }',
      'estimate: { gte: 1 }',
      'estimate: { eq: null }',
      'estimate: { in: [0.5, 2] }',
      'stateSlug: { eq: "done" }',
      'stateId: { neq: null }',
    ),
    fc.constantFrom('isBlocked: true', 'isBlocked: false', 'hasOpenBlockers: true', 'isMine: true', 'isMine: false'),
    fc.constantFrom(
      'labels: { some: { name: { startsWith: "T" } } }',
      'labels: { none: { name: { eq: "Zed" } } }',
      'labels: { some: {}, none: { name: { eq: "t2" } } }',
      'assignee: { email: { contains: "example" } }',
      'assignee: {}',
      'assignee: { or: [{ name: { startsWith: "ada" } }, { me: true }] }',
      'createdBy: { role: { eq: VIEWER } }',
      'project: { slug: { eq: "one" } }',
      'project: { archivedAt: { eq: null }, not: { slug: { eq: "one" } } }',
      'parent: { status: { eq: DONE } }',
      'parent: { parent: { tags: { contains: "odd" } } }',
    ),
    quoted.map((value) => `title: { startsWith: ${value} }`),
    fc.constantFrom('dueDate: { before: "P7D" }', 'dueDate: { after: "-P40W" }', 'createdAt: { after: "-PT1H" }'),
    fc.constantFrom('tags: { contains: "ODD" }', 'tags: { in: ["t1", "zed"] }', 'tags: { nin: ["t2"] }'),
    fc
      .tuple(fc.constantFrom('gt', 'gte', 'lt', 'lte', 'eq', 'neq'), date)
      .map(([by, at]) => `dueDate: { ${by}: ${at} }`),
    fc.constantFrom(
      'projectId: { eq: null }',
      'assigneeId: { neq: null }',
      'number: { lte: 9 }',
      'dueDate: { eq: null }',
    ),
  ),
  Project: fc.oneof(
    quoted.map((value) => `name: { contains: ${value} }`),
    fc.constantFrom(
      'slug: { eq: null }',
      'slug: { neq: "one" }',
      'archivedAt: { neq: null }',
      'archivedAt: { eq: null }',
    ),
  ),
  User: fc.oneof(
    quoted.map((value) => `name: { contains: ${value} }`),
    fc.constantFrom(
      'role: { eq: OWNER }',
      'role: { in: [OWNER, MEMBER] }',
      'role: { neq: VIEWER }',
      'email: { contains: "EXAMPLE" }',
    ),
  ),
  Comment: fc.oneof(
    quoted.map((value) => `body: { contains: ${value} }`),
    fc.constantFrom('parentId: { eq: null }', 'deletedAt: { neq: null }', 'createdById: { eq: null }'),
  ),
  Label: fc.oneof(
    fc.constantFrom('"T"', '"zed"', '"odd"').map((value) => `name: { contains: ${value} }`),
    fc.constantFrom('name: { in: ["t1", "Zed"] }', 'description: { eq: null }', 'createdById: { neq: null }'),
  ),
  State: fc.oneof(
    quoted.map((value) => `name: { contains: ${value} }`),
    fc.constantFrom('category: { eq: DONE }', 'slug: { in: ["done", "to-do"] }', 'category: { nin: [TODO] }'),
  ),
  TimeEntry: fc.oneof(
    date.map((at) => `startedAt: { gte: ${at} }`),
    fc.constantFrom('endedAt: { eq: null }', 'userId: { neq: null }'),
  ),
  ApiKey: fc.constantFrom(
    'status: { eq: ACTIVE }',
    'status: { nin: [REVOKED] }',
    'scope: { eq: "tasks:read" }',
    'scope: { neq: "admin:*" }',
    'environment: { eq: TEST }',
    'environment: { in: [LIVE, TEST] }',
    'expiresAt: { eq: null }',
    'revokedAt: { neq: null }',
    'name: { contains: "ADMIN" }',
  ),
  Alert: fc.constantFrom('kind: { eq: KEY_LEAKED }', 'keyId: { neq: null }', 'kind: { neq: NEW_NETWORK }'),
  AuditEvent: fc.constantFrom(
    'action: { contains: "task" }',
    'targetType: { eq: "Task" }',
    'actorKeyId: { neq: null }',
    'targetId: { eq: null }',
  ),
};
function filterOf(type: Type): fc.Arbitrary<string> {
  const { filter } = fc.letrec<{ filter: string }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 2 },
      FILTERS[type],
      fc
        .array(tie('filter'), { minLength: 0, maxLength: 3 })
        .map((all) => `and: [${all.map((one) => `{ ${one} }`).join()}]`),
      fc
        .array(tie('filter'), { minLength: 1, maxLength: 3 })
        .map((all) => `or: [${all.map((one) => `{ ${one} }`).join()}]`),
      tie('filter').map((one) => `not: { ${one} }`),
    ),
  }));
  return filter;
}

const LISTS: Record<Type, string> = {
  ...{ Task: 'tasks', Project: 'projects', User: 'users', ApiKey: 'apiKeys', Comment: 'comments' },
  ...{ Alert: 'alerts', AuditEvent: 'auditLog', Label: 'labels', State: 'states', TimeEntry: 'timeEntries' },
};
function listOf(type: Type): fc.Arbitrary<string> {
  const page = fc.oneof(
    fc.integer({ min: 0, max: 12 }).map((first) => `first: ${first}`),
    fc.integer({ min: 0, max: 12 }).map((last) => `last: ${last}`),
    fc
      .tuple(fc.nat(5), fc.nat(40))
      .map(([first, offset]) => `first: ${first}${isPlain(type) ? '' : `, offset: ${offset}`}`),
    fc
      .tuple(fc.nat(5), fc.nat(99))
      .map(([first, index]) => `first: ${first}, after: ${JSON.stringify(cursors[index % cursors.length])}`),
    fc
      .tuple(fc.nat(5), fc.nat(99))
      .map(([last, index]) => `last: ${last}, before: ${JSON.stringify(cursors[index % cursors.length])}`),
    fc.constantFrom('first: -1', 'first: 5000', 'first: 1, last: 1', 'first: $count', ''),
  );
  const order = fc.array(
    fc.tuple(
      fc.constantFrom(...ORDERS[type], ...(ORDERS[type].length > 0 ? [] : [''])),
      fc.constantFrom('ASC', 'DESC'),
    ),
    { maxLength: 3 },
  );
  const parts = fc.array(
    fc.oneof(
      selection(type, 2).map((fields) => `nodes { ${fields} }`),
      selection(type, 1).map((fields) => `edges { cursor node { ${fields} } }`),
      selection(type, 1).map((fields) => `edges { __typename e: cursor n: node { ${fields} } }`),
      fc.constantFrom(
        'totalCount',
        'pageInfo { hasNextPage hasPreviousPage startCursor endCursor }',
        'pageInfo { x: endCursor __typename }',
        '__typename',
      ),
    ),
    { minLength: 1, maxLength: 3 },
  );
  return fc
    .record({ page, order: fc.option(order), filter: fc.option(filterOf(type)), search: fc.option(quoted), parts })
    .map(({ page: rows, order: by, filter, search, parts: shown }) => {
      const args = [
        rows,
        by &&
          ORDERS[type].length > 0 &&
          `orderBy: [${by.map(([field, direction]) => `{ field: ${field}, direction: ${direction} }`).join()}]`,
        filter && `filter: { ${filter} }`,
        search && !isPlain(type) && type !== 'TimeEntry' && `search: ${search}`,
        type === 'Project' && shown.length > 2 && 'includeArchived: true',
      ].filter(Boolean);
      return `${LISTS[type]}${args.length > 0 ? `(${args.join(', ')})` : ''} { ${shown.join(' ')} }`;
    });
}
const rowOf = (type: Type): fc.Arbitrary<string> => {
  const name = type.toLowerCase() as 'task' | 'project' | 'user';
  return fc
    .tuple(fc.nat(99), selection(type, 2))
    .map(([index, fields]) => `${name}(id: ${JSON.stringify(ids[name][index % ids[name].length])}) { ${fields} }`);
};
const types: Type[] = ['Task', 'Task', 'Project', 'User'];
const others: Type[] = ['ApiKey', 'Alert', 'AuditEvent', 'Comment', 'Label', 'TimeEntry'];
const rootField = () => fc.oneof(...types.map(listOf), ...types.map(rowOf), ...others.map(listOf));
const fragment = (type: Type) =>
  `fragment Of${type} on ${type} { ...Inner${type} } fragment Inner${type} on ${type} { id ${{ Task: 'title tags', Alert: 'kind', AuditEvent: 'action', Comment: 'body', TimeEntry: 'note' }[type as string] ?? 'name'} }`;

function operationOf(fields: readonly string[]): string {
  const body = fields.map((field, index) => `f${index}: ${field}`).join('\n');
  const used = (Object.keys(COLUMNS) as Type[]).filter((type) => body.includes(`...Of${type}`));
  const variables = ['$yes: Boolean = true', '$no: Boolean = false', '$count: Int'].filter((variable) =>
    body.includes(variable.split(':')[0] ?? ''),
  );
  return `query Q${variables.length > 0 ? `(${variables.join(', ')})` : ''} { ${body} } ${used.map(fragment).join(' ')}`;
}

/** Selections of one place that would have to be merged, and cannot: those are refused before they run. */
function isValid(document: string): boolean {
  return server.services.documents.of(document).errors === undefined;
}

describe('a plan', () => {
  it('answers what the reference answers, errors included', { timeout: TIMEOUT }, async () => {
    const seed = Number(process.env['PLAN_SEED'] ?? Date.now() % 1_000_000);
    process.stderr.write(`plans: seed ${seed}, ${RUNS} documents\n`);
    planned = 0;
    const document = fc.array(rootField(), { minLength: 1, maxLength: 3 }).map(operationOf);
    const variables = fc.record({ count: fc.constantFrom(1, 3, null), yes: fc.constantFrom(true, false) });
    await fc.assert(
      fc.asyncProperty(document, variables, async (text, values) => {
        fc.pre(isValid(text));
        await compare(text, values);
      }),
      { numRuns: RUNS, seed, endOnFailure: process.env['PLAN_SHRINK'] === undefined },
    );
    expect(planned).toBeGreaterThan(RUNS * 0.9);
  });

  it('leaves out what a narrower key may not see, as the reference does', { timeout: TIMEOUT }, async () => {
    const document = fc.array(rootField(), { minLength: 1, maxLength: 2 }).map(operationOf);
    await fc.assert(
      fc.asyncProperty(
        document,
        fc.constantFrom('tasks:read', 'tasks:read users:read', 'projects:read'),
        async (text, scopes) => {
          fc.pre(isValid(text));
          await compare(text, {}, { scopes });
        },
      ),
      { numRuns: Math.ceil(RUNS / 3), endOnFailure: process.env['PLAN_SHRINK'] === undefined },
    );
  });

  it('reads the rows of the projects that a key is bound to, as the reference does', { timeout: TIMEOUT }, async () => {
    const document = fc.array(rootField(), { minLength: 1, maxLength: 2 }).map(operationOf);
    planned = 0;
    await fc.assert(
      fc.asyncProperty(document, fc.subarray([0, 1, 2]), async (text, indexes) => {
        fc.pre(isValid(text));
        const projects = indexes.map((index) => ids.project[index] ?? '');
        await compare(text, {}, { projects });
      }),
      { numRuns: Math.ceil(RUNS / 2), endOnFailure: process.env['PLAN_SHRINK'] === undefined },
    );
    expect(planned).toBeGreaterThan(RUNS * 0.4);
  });

  it('keeps for nobody what depends on who asks', { timeout: TIMEOUT }, async () => {
    const lists = (['Task', 'Project', 'User'] as const).map(listOf);
    const document = fc.array(fc.oneof(...lists), { minLength: 1, maxLength: 2 }).map(operationOf);
    const asking = fc.record({
      scopes: fc.constantFrom('admin:*', 'admin:*', 'tasks:read users:read'),
      projects: fc.option(fc.subarray([0, 1, 2]), { nil: undefined }),
      user: fc.option(fc.constantFrom(0, 1, 2), { nil: undefined }),
    });
    const ofEach = [
      ...['{ tasks(first: 100) { nodes { id } } }', '{ projects(first: 100) { totalCount } }'],
      '{ tasks(first: 100, filter: { or: [{ isMine: true }, { project: { name: { contains: "a" } } }] }) { nodes { id } } }',
      '{ users(first: 100, filter: { me: true }) { nodes { id } } }',
    ];
    const texts = fc.oneof(document, fc.constantFrom(...ofEach));
    await fc.assert(
      fc.asyncProperty(texts, fc.array(asking, { minLength: 2, maxLength: 4 }), async (text, keys) => {
        fc.pre(isValid(text));
        for (const { scopes, projects, user } of keys) {
          const key = { scopes, projects: projects?.map((index) => ids.project[index] ?? '') };
          await compare(text, {}, { ...key, userId: user === undefined ? null : ids.user[user] });
        }
      }),
      { numRuns: Math.ceil(RUNS / 3), endOnFailure: process.env['PLAN_SHRINK'] === undefined },
    );
  });

  it('reads rows of its own tenant alone', async () => {
    const { data } = await server.gql(
      '{ tasks(first: 100) { totalCount nodes { id } } users(first: 100) { nodes { id } } }',
    );
    const tenant = { workspaceId: server.workspace.id, environment: 'LIVE' } as const;
    expect(data.tasks.totalCount).toBe(await server.system.task.count({ where: tenant }));
    const own = await server.system.user.findMany({ where: tenant, select: { id: true } });
    expect(new Set(data.users.nodes.map(({ id }: { id: string }) => id))).toEqual(new Set(own.map(({ id }) => id)));
  });

  it('is none for what it does not read, which runs as ever', async () => {
    const context = await contextOf();
    const { schema } = server.services.documents;
    for (const text of [
      '{ viewer { environment } }',
      '{ tasks { nodes { activity { totalCount } } } }',
      '{ alerts { nodes { key { name } } } }',
      '{ __proto__: tasks(first: 1) { nodes { constructor: title __proto__: id } } }',
    ]) {
      const document = server.services.documents.of(text);
      if (document.errors) throw new GraphQLError(text);
      const operation = document.operation();
      expect(operation && (await runPlan(schema, operation.without([]), {}, context)), text).toBeUndefined();
      expect((await server.gql(text)).errors).toBeUndefined();
    }
  });
});
