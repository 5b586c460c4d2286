/**
 * What the analysis says of an operation, held against what happens: over documents of the whole schema, made at random,
 * with keys of many scopes and projects. The reference is graphql-js with scope-auth at every field, and no gate before it.
 */
import { randomUUID } from 'node:crypto';
import {
  defaultFieldResolver,
  type ExecutionResult,
  execute,
  type FieldNode,
  type GraphQLError,
  type GraphQLResolveInfo,
  isObjectType,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiKey } from '#prisma/client.js';
import { type Principal, principalOf } from '../src/auth/principal.js';
import { ApiError } from '../src/errors.js';
import { createContext } from '../src/graphql/context.js';
import { schema } from '../src/graphql/schema/schema.js';
import { Plans } from '../src/keys/plans.js';
import type { Operation } from '../src/operations/document.js';
import { outermostDenied } from '../src/operations/selectedFields.js';
import { scopeSet } from '../src/scopes/scope.js';
import { fillTenant } from './support/factories.js';
import { type DocumentOptions, randomDocument, randomFrom } from './support/randomDocuments.js';
import { startTestServer, type TestServer } from './support/server.js';

const RUNS = Number(process.env['REACH_RUNS'] ?? 300);
const SEED = Number(process.env['REACH_SEED'] ?? Date.now() % 1_000_000);

const SCOPE_SETS = [
  [],
  ['tasks:read'],
  ['tasks:read', 'projects:read'],
  ['tasks:write', 'users:read'],
  ['projects:*', 'users:read'],
  ['keys:read', 'audit:read'],
  ['tasks:*', 'projects:*', 'users:*', 'keys:*'],
  ['admin:*'],
];

/** What stands in rows of other projects alone. */
const OUTSIDE = 'Zzoutside';
/** Figures that change while they are asked for, and what may be asked for a few times a minute. */
const VOLATILE = new Set([
  ...['Query.rateLimit', 'Query.keyReview', 'Query.auditLog', 'Query.alerts', 'Query.requiredScopes'],
  ...['ApiKey.usage', 'ApiKey.unusedScopes', 'ApiKey.networks', 'ApiKey.operationSets'],
  ...['ApiKey.lastUsedAt', 'ApiKey.lastUsedIp', 'ApiKey.lastUsedUserAgent'],
  ...['ApiKey.requestsToday', 'ApiKey.requestsThisMonth'],
]);

let server: TestServer;
let inside: Awaited<ReturnType<typeof fillTenant>>;
let outside: Awaited<ReturnType<typeof fillTenant>>;
let outsideTexts: string[];
let options: DocumentOptions;

beforeAll(async () => {
  process.stderr.write(`reach: seed ${SEED}, ${RUNS} documents\n`);
  noteFields();
  server = await startTestServer();
  const { system, workspace } = server;
  inside = await fillTenant(system, workspace.id, 'LIVE');
  outside = await fillTenant(system, workspace.id, 'LIVE');
  await system.project.update({ where: { id: outside.projectId }, data: { name: OUTSIDE, slug: OUTSIDE } });
  for (const id of [outside.taskId, outside.otherTaskId]) {
    await system.task.update({ where: { id }, data: { title: `${OUTSIDE} ${id}`, description: OUTSIDE } });
  }
  await system.comment.update({ where: { id: outside.commentId }, data: { body: OUTSIDE } });
  await system.label.update({ where: { id: outside.labelId }, data: { name: OUTSIDE } });
  await system.taskTag.updateMany({ where: { labelId: outside.labelId }, data: { name: OUTSIDE } });
  await system.timeEntry.update({ where: { id: outside.timeEntryId }, data: { note: OUTSIDE } });
  await system.state.update({ where: { id: outside.stateId }, data: { name: OUTSIDE, slug: OUTSIDE } });
  for (const { taskId, otherTaskId } of [inside, outside]) {
    await system.task.update({ where: { id: otherTaskId }, data: { parentId: taskId } });
  }
  await system.taskRelationship.create({
    data: {
      ...{ workspaceId: workspace.id, environment: 'LIVE', type: 'RELATES_TO' },
      ...{ taskId: inside.taskId, targetTaskId: outside.taskId },
    },
  });
  outsideTexts = [outside.commentId, outside.projectId, outside.taskId, outside.otherTaskId, OUTSIDE];
  await system.trashItem.updateMany({ where: { projectId: outside.projectId }, data: { title: OUTSIDE } });
  outsideTexts.push(
    ...Object.values(outside.trashed),
    outside.stateId,
    outside.labelId,
    outside.timeEntryId,
    outside.notificationId,
  );
  const tasks = [inside.taskId, inside.otherTaskId, outside.taskId, outside.otherTaskId];
  const projects = [inside.projectId, outside.projectId];
  const row = await system.apiKey.findFirstOrThrow();
  const ids = [
    ...tasks,
    ...projects,
    inside.commentId,
    outside.commentId,
    ...Object.values(inside.trashed),
    ...Object.values(outside.trashed),
    inside.stateId,
    outside.stateId,
    inside.labelId,
    outside.labelId,
    inside.userId,
    row.id,
    randomUUID(),
  ];
  options = {
    without: VOLATILE,
    sharedFragments: true,
    values: {
      ...{ ID: ids, Boolean: [true, false], Int: [0, 1, 2, 3], Float: [0, 1], JSON: [1] },
      ...{ DateTime: ['2026-01-01T00:00:00Z', '2030-01-01T00:00:00Z'], String: ['Task', 'Project', OUTSIDE, 'x'] },
      ...{ first: [1, 2, 3], last: [1, 2], offset: [0, 1], days: [1, 30] },
      ...{ after: ['x'], before: ['x'] },
      ...{ scope: ['tasks:read', 'admin:*'], scopes: ['tasks:read'], field: ['Task.title'], operationName: ['Q'] },
      ...{ document: ['query Q { tasks { totalCount } }', '{ apiKeys { totalCount } }'] },
    },
  };
}, 60_000);
afterAll(() => server.stop());

/** The fields that were resolved, whether they were answered or refused: of the context that asks for it. */
type Noting = { reached?: Set<FieldNode> };
function noteFields(): void {
  for (const type of Object.values(schema.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    for (const field of Object.values(type.getFields())) {
      const { resolve = defaultFieldResolver } = field;
      field.resolve = (source, args, context: Noting, info: GraphQLResolveInfo) => {
        for (const node of info.fieldNodes) context.reached?.add(node);
        return resolve(source, args, context, info);
      };
    }
  }
}

const keys = new Map<string, Promise<{ key: string; row: ApiKey }>>();
function keyOf(scopes: readonly string[], projects: readonly string[] | undefined) {
  const name = `${scopes.join(' ')}|${projects?.join(' ')}`;
  let made = keys.get(name);
  if (!made) {
    made = server.createKey([...scopes], 'LIVE', projects ? { projects } : {}).then(async ({ key, apiKey }) => ({
      ...{ key, row: await server.system.apiKey.findUniqueOrThrow({ where: { id: apiKey.id } }) },
    }));
    keys.set(name, made);
  }
  return made;
}

const principalFor = (row: ApiKey): Principal =>
  principalOf({ ...row, role: null, lock: null }, new Plans().of({ ...server.workspace, plan: 'enterprise' }));

function contextOf(principal: Principal) {
  const session = { id: '', current: async () => principal, onChange: () => () => {} };
  return createContext(principal, { requestId: 'x', ip: null, userAgent: null }, session, server.services);
}

interface Reference {
  readonly result: ExecutionResult;
  readonly reached: ReadonlySet<FieldNode>;
  /** Fields that scope-auth refused, or their filters. */
  readonly refused: ReadonlySet<FieldNode>;
}

async function runReference(operation: Operation, principal: Principal): Promise<Reference> {
  const reached = new Set<FieldNode>();
  const result = (await execute({
    ...{ schema, document: operation.document.ast, operationName: operation.name },
    contextValue: { ...contextOf(principal), reached },
  })) as ExecutionResult;
  const refused = new Set<FieldNode>();
  for (const error of result.errors ?? []) {
    const { originalError } = error;
    const isRefused =
      originalError instanceof ApiError &&
      isMissingScope({ extensions: { ...originalError.details, code: originalError.code } });
    if (isMissingScope(error) || isRefused) for (const node of error.nodes ?? []) refused.add(node as FieldNode);
  }
  return { result, reached, refused };
}

const isMissingScope = ({ extensions }: Pick<GraphQLError, 'extensions'>) =>
  extensions['code'] === 'FORBIDDEN' && ((extensions['missingScopes'] as string[] | undefined)?.length ?? 0) > 0;

/** Documents that may run: random ones that contradict themselves, or cost too much, are left out. */
function operations(kind: 'query' | 'mutation', count: number, first = SEED): { text: string; operation: Operation }[] {
  const found: { text: string; operation: Operation }[] = [];
  for (let seed = first; found.length < count; seed += 1) {
    if (seed > first + 20 * count) throw new Error('few of the documents are valid');
    const text = randomDocument(schema, kind, randomFrom(seed), options);
    const document = server.services.documents.of(text);
    const operation = document.errors ? undefined : document.operation();
    if (!operation || operation.inputExcess({}) || operation.without([]).cost({}) > 5000) continue;
    found.push({ text, operation });
  }
  return found;
}

const at = (path: readonly (string | number)[] | undefined) =>
  (path ?? []).filter((part) => typeof part === 'string').join('.');

describe('the scopes of an operation', () => {
  it('are missing exactly where the analysis says so, by a plan and by the reference', {
    timeout: 900_000,
  }, async () => {
    let [refusals, compared] = [0, 0];
    for (const [index, { text, operation }] of operations('query', RUNS).entries()) {
      const scopes = SCOPE_SETS[index % SCOPE_SETS.length] ?? [];
      const projects = [undefined, [inside.projectId], []][index % 3];
      const { key, row } = await keyOf(scopes, projects);
      const principal = principalFor(row);
      const { denied } = operation.reachFor(principal.scopes, { keyId: row.id, variables: {} });
      const where = `${text}\nwith ${scopes.join(' ')}`;

      const { result, reached, refused } = await runReference(operation, principal);
      // A fragment that is used for the calling key itself and for others is masked once: the stricter use decides.
      const strict = operation.fields.filter((field) => !denied.includes(field)).map(({ node }) => node);
      const certain = denied.map(({ node }) => node).filter((node) => !strict.includes(node));
      const expected = new Set(certain.filter((node) => reached.has(node)));
      if (certain.length < denied.length) {
        for (const node of refused)
          expect(
            denied.map((field) => field.node),
            where,
          ).toContain(node);
        continue;
      }
      expect([...refused].map(nameOf).sort(), where).toEqual([...expected].map(nameOf).sort());
      refusals += refused.size;

      const answer = await server.gql(text, {}, key);
      const reported = (answer.errors ?? []).filter(isMissingScope as never);
      const outermost = outermostDenied(denied, principal.scopes, operation.type);
      expect(reported.map(({ path }) => at(path)).sort(), where).toEqual(outermost.map(({ path }) => at(path)).sort());
      expect(answer.errors?.map(({ extensions }) => extensions['code']) ?? [], where).not.toContain(
        'INTERNAL_SERVER_ERROR',
      );
      if (answer.data !== undefined) {
        expect(answer.data, where).toEqual(JSON.parse(JSON.stringify(result.data)));
        compared += 1;
      }
    }
    expect(refusals).toBeGreaterThan(RUNS / 10);
    expect(compared).toBeGreaterThan(RUNS * 0.9);
  });

  it('suffice in the smallest set that is named, and in no proper subset of it', { timeout: 900_000 }, async () => {
    let subsets = 0;
    for (const { text, operation } of operations('query', RUNS, SEED + 1_000_000)) {
      const { scopes } = operation;
      const { key, row } = await keyOf(scopes, undefined);
      const { refused } = await runReference(operation, principalFor(row));
      expect([...refused].map(nameOf), text).toEqual([]);
      const { errors = [] } = await server.gql(text, {}, key);
      expect(errors.filter(isMissingScope as never), text).toEqual([]);
      // Whatever holds less holds no more than one of these.
      for (const left of scopes) {
        const fewer = scopes.filter((scope) => scope !== left);
        const smaller = await keyOf(fewer, undefined);
        const answer = await server.gql(text, {}, smaller.key);
        const missing = (answer.errors ?? []).filter(isMissingScope as never);
        expect(missing.length, `${text}\nwith ${fewer.join(' ')}`).toBeGreaterThan(0);
        expect(operation.deniedFields(scopeSet(fewer)).length).toBeGreaterThan(0);
        subsets += 1;
      }
    }
    expect(subsets).toBeGreaterThan(RUNS / 2);
  });
});

describe('a key that is bound to projects', () => {
  it('is told nothing of a row of another, and nothing that depends on one', { timeout: 900_000 }, async () => {
    const all = operations('query', RUNS, SEED + 2_000_000);
    const scopes = ['tasks:*', 'projects:*', 'users:read', 'keys:read', 'audit:read'];
    const bound = [await keyOf(scopes, [inside.projectId]), await keyOf(['admin:*'], [inside.projectId])];
    const answers = async () => {
      const seen: unknown[] = [];
      for (const [index, { text, operation }] of all.entries()) {
        const { key, row } = bound[index % bound.length] as (typeof bound)[0];
        const { data, errors } = await server.gql(text, {}, key);
        const { result } = await runReference(operation, principalFor(row));
        const both = JSON.stringify({ data, errors, result });
        // The caller may name what it does not see.
        const echoed = (errors ?? []).map(({ message }) => message).join(' ');
        for (const secret of outsideTexts) {
          if (!text.includes(secret) || !echoed.includes(secret))
            expect(both.includes(secret), `${secret} in ${text}`).toBe(false);
        }
        // Those of one level come in the order in which they end.
        const refused = (errors ?? []).map((error) => JSON.stringify(error)).sort();
        seen.push(JSON.parse(JSON.stringify({ text, data, refused, reference: result.data })));
      }
      return seen;
    };
    const before = await answers();
    const { system, workspace } = server;
    const tenant = { workspaceId: workspace.id, environment: 'LIVE' } as const;
    const third = await system.project.create({ data: { ...tenant, name: 'Project', createdById: inside.userId } });
    for (let number = 1001; number < 1004; number += 1) {
      const task = await system.task.create({ data: { ...tenant, number, title: 'Task', projectId: third.id } });
      const ends = { taskId: task.id, targetTaskId: inside.taskId };
      await system.taskRelationship.create({ data: { ...tenant, ...ends, type: 'RELATES_TO' } });
    }
    await system.task.update({
      where: { id: outside.otherTaskId },
      data: { title: 'Task again', assigneeId: inside.userId, status: 3 },
    });
    await system.task.delete({ where: { id: outside.taskId } });
    expect(await answers()).toEqual(before);
  });
});

describe('the scopes of a mutation', () => {
  it('decide of a mutation before anything of it runs', { timeout: 900_000 }, async () => {
    let [refusals, ran] = [0, 0];
    const count = Math.ceil(RUNS / 5);
    for (const [index, { text, operation }] of operations('mutation', count).entries()) {
      const scopes = SCOPE_SETS[index % SCOPE_SETS.length] ?? [];
      const { key, row } = await keyOf(scopes, undefined);
      const principal = principalFor(row);
      const { denied } = operation.reachFor(principal.scopes, { keyId: row.id, variables: {} });
      if (denied.length > 0) {
        // What the server itself notes of mutations before is no part of it.
        const done = () => server.system.auditEvent.count({ where: { actorKeyId: row.id } });
        const before = await done();
        const { data, errors = [] } = await server.gql(text, {}, key);
        expect([data, errors.length > 0 && errors.every(isMissingScope as never)], text).toEqual([undefined, true]);
        const outermost = outermostDenied(denied, principal.scopes, operation.type);
        expect(errors.map(({ path }) => at(path)).sort()).toEqual(outermost.map(({ path }) => at(path)).sort());
        expect(await done()).toBe(before);
        refusals += 1;
      } else {
        ran += 1;
        const { errors = [] } = await server.gql(text, {}, key);
        const below = errors.filter((error) => isMissingScope(error as never) && (error.path ?? []).length > 1);
        expect(below, text).toEqual([]);
      }
    }
    expect([refusals > 0, ran > 0]).toEqual([true, true]);
  });
});

const nameOf = ({ name, alias, loc }: FieldNode) => `${alias?.value ?? ''}:${name.value}@${loc?.start}`;
