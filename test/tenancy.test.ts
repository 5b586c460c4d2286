/** Nothing of another workspace or environment can be seen or touched, by any query or mutation. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serverActor } from '../src/audit/entry.js';
import type { Unit } from '../src/db/unitOfWork.js';
import { createWorkspace, type fillTenant } from './support/factories.js';
import { startTestServer, type TestServer } from './support/server.js';

type Side = {
  workspaceId: string;
  environment: 'LIVE' | 'TEST';
  key: string;
  apiKeyId: string;
  grantId: string;
} & Awaited<ReturnType<typeof fillTenant>>;

let server: TestServer;
let sides: Side[];

beforeAll(async () => {
  server = await startTestServer();
  const first = await createWorkspace(server);
  const second = await createWorkspace(server);
  sides = [first, second].flatMap(({ workspace, live, test }) =>
    [live, test].map(({ apiKey, ...rest }) => ({
      ...rest,
      workspaceId: workspace.id,
      environment: apiKey.environment,
      apiKeyId: apiKey.id,
      grantId: '',
    })),
  );
  for (const side of sides) {
    const { workspaceId, environment, apiKeyId: keyId } = side;
    const asked = { workspaceId, environment, keyId, scopes: 'tasks:read', reason: 'x', minutes: 1 };
    side.grantId = (await server.system.scopeGrant.create({ data: asked })).id;
  }
});
afterAll(() => server.stop());

/** Every place that takes the id of a row, with a foreign id in it and own ids elsewhere. */
function attempts(own: Side, foreign: Side): [string, string, object][] {
  const q = (field: string, id: string): [string, string, object] => [
    `Query.${field}`,
    `query ($id: ID!) { ${field}(id: $id) { id } }`,
    { id },
  ];
  const m = (field: string, type: string, input: object): [string, string, object] => [
    `Mutation.${field} ${Object.keys(input).join(' ')}`,
    `mutation ($input: ${type}Input!) { ${field}(input: $input) { __typename } }`,
    { input },
  ];
  return [
    q('task', foreign.taskId),
    q('project', foreign.projectId),
    q('user', foreign.userId),
    q('apiKey', foreign.apiKeyId),
    q('node', foreign.taskId),
    q('node', foreign.projectId),
    q('node', foreign.userId),
    q('node', foreign.relationshipId),
    q('comment', foreign.commentId),
    q('node', foreign.commentId),
    m('createComment', 'CreateComment', { taskId: foreign.taskId, body: 'x' }),
    m('createComment', 'CreateComment', { taskId: own.taskId, body: 'x', parentId: foreign.commentId }),
    m('updateComment', 'UpdateComment', { id: foreign.commentId, body: 'taken' }),
    m('deleteComment', 'DeleteComment', { id: foreign.commentId }),
    q('label', foreign.labelId),
    q('node', foreign.labelId),
    m('addLabel', 'AddLabel', { id: foreign.labelId, taskId: own.taskId }),
    m('addLabel', 'AddLabel', { id: own.labelId, taskId: foreign.taskId }),
    m('removeLabel', 'RemoveLabel', { id: foreign.labelId, taskId: own.taskId }),
    m('removeLabel', 'RemoveLabel', { id: own.labelId, taskId: foreign.taskId }),
    m('createLabel', 'CreateLabel', { name: 'x', taskId: foreign.taskId }),
    m('updateLabel', 'UpdateLabel', { id: foreign.labelId, name: 'taken' }),
    m('deleteLabel', 'DeleteLabel', { id: foreign.labelId }),
    m('deleteLabel', 'DeleteLabel', { id: own.labelId, intoId: foreign.labelId }),
    q('state', foreign.stateId),
    q('node', foreign.stateId),
    m('createState', 'CreateState', { projectId: foreign.projectId, name: 'x' }),
    m('updateState', 'UpdateState', { id: foreign.stateId, name: 'taken' }),
    m('deleteState', 'DeleteState', { id: foreign.stateId }),
    m('deleteState', 'DeleteState', { id: own.stateId, intoId: foreign.stateId }),
    m('reorderStates', 'ReorderStates', { projectId: foreign.projectId, stateIds: [own.stateId] }),
    m('reorderStates', 'ReorderStates', { projectId: own.projectId, stateIds: [foreign.stateId] }),
    m('createTask', 'CreateTask', { title: 'x', stateId: foreign.stateId }),
    m('createTask', 'CreateTask', { title: 'x', projectId: own.projectId, stateId: foreign.stateId }),
    m('createTasks', 'CreateTasks', { tasks: [{ title: 'x', stateId: foreign.stateId }] }),
    m('updateTask', 'UpdateTask', { id: own.taskId, stateId: foreign.stateId }),
    m('updateTasks', 'UpdateTasks', { ids: [own.taskId], stateId: foreign.stateId }),
    m('moveTask', 'MoveTask', { id: own.taskId, stateId: foreign.stateId }),
    ...(['Task', 'Project', 'Label', 'Comment'] as const).flatMap((name) => {
      const id = foreign.trashed[name.toUpperCase() as keyof Side['trashed']];
      return [m(`restore${name}`, `Restore${name}`, { id }), m(`purge${name}`, `Purge${name}`, { id })];
    }),
    q('timeEntry', foreign.timeEntryId),
    q('node', foreign.timeEntryId),
    m('createTimeEntry', 'CreateTimeEntry', { taskId: foreign.taskId, endedAt: '2030-01-01T00:00:00Z' }),
    m('updateTimeEntry', 'UpdateTimeEntry', { id: foreign.timeEntryId, note: 'taken' }),
    m('deleteTimeEntry', 'DeleteTimeEntry', { id: foreign.timeEntryId }),
    q('node', foreign.apiKeyId),
    m('createTask', 'CreateTask', { title: 'x', parentId: foreign.taskId }),
    m('updateTask', 'UpdateTask', { id: own.taskId, parentId: foreign.taskId }),
    m('importTasks', 'ImportTasks', { format: 'CSV', content: 'title\nx', projectId: foreign.projectId }),
    m('createTasks', 'CreateTasks', { tasks: [{ title: 'x', projectId: foreign.projectId }] }),
    m('createTasks', 'CreateTasks', { tasks: [{ title: 'x', assigneeId: foreign.userId }] }),
    m('updateTasks', 'UpdateTasks', { ids: [foreign.taskId], status: 'DONE' }),
    m('updateTasks', 'UpdateTasks', { ids: [own.taskId], assigneeId: foreign.userId }),
    m('updateTasks', 'UpdateTasks', { ids: [own.taskId], addLabelIds: [foreign.labelId] }),
    m('updateTasks', 'UpdateTasks', { ids: [own.taskId], removeLabelIds: [foreign.labelId] }),
    m('deleteTasks', 'DeleteTasks', { ids: [own.taskId, foreign.taskId] }),
    m('moveTask', 'MoveTask', { id: foreign.taskId }),
    m('moveTask', 'MoveTask', { id: own.taskId, beforeId: foreign.taskId }),
    m('moveTask', 'MoveTask', { id: own.taskId, projectId: foreign.projectId }),
    m('createTask', 'CreateTask', { title: 'x', projectId: foreign.projectId }),
    m('createTask', 'CreateTask', { title: 'x', assigneeId: foreign.userId }),
    m('updateTask', 'UpdateTask', { id: foreign.taskId, title: 'taken' }),
    m('updateTask', 'UpdateTask', { id: own.taskId, projectId: foreign.projectId }),
    m('updateTask', 'UpdateTask', { id: own.taskId, assigneeId: foreign.userId }),
    m('deleteTask', 'DeleteTask', { id: foreign.taskId }),
    m('updateProject', 'UpdateProject', { id: foreign.projectId, name: 'taken' }),
    m('archiveProject', 'ArchiveProject', { id: foreign.projectId }),
    m('deleteProject', 'DeleteProject', { id: foreign.projectId }),
    m('createTaskRelationship', 'CreateTaskRelationship', {
      type: 'RELATES_TO',
      taskId: own.taskId,
      targetTaskId: foreign.taskId,
    }),
    m('createTaskRelationship', 'CreateTaskRelationship', {
      type: 'RELATES_TO',
      taskId: foreign.taskId,
      targetTaskId: own.taskId,
    }),
    m('updateTaskRelationship', 'UpdateTaskRelationship', { id: foreign.relationshipId, type: 'DUPLICATES' }),
    m('updateTaskRelationship', 'UpdateTaskRelationship', { id: own.relationshipId, targetTaskId: foreign.taskId }),
    m('deleteTaskRelationship', 'DeleteTaskRelationship', { id: foreign.relationshipId }),
    m('updateUser', 'UpdateUser', { id: foreign.userId, name: 'taken' }),
    m('deleteUser', 'DeleteUser', { id: foreign.userId }),
    m('revokeApiKey', 'RevokeApiKey', { id: foreign.apiKeyId }),
    m('updateApiKey', 'UpdateApiKey', { id: foreign.apiKeyId, name: 'taken' }),
    m('rotateApiKey', 'RotateApiKey', { id: foreign.apiKeyId }),
    m('createApiKey', 'CreateApiKey', { name: 'x', scopes: [], projects: [foreign.projectId] }),
    m('createApiKey', 'CreateApiKey', { name: 'x', scopes: [], actsAs: foreign.userId }),
    m('updateApiKey', 'UpdateApiKey', { id: own.apiKeyId, projects: [foreign.projectId] }),
    m('lockApiKey', 'LockApiKey', { id: foreign.apiKeyId, documents: ['{ viewer { environment } }'] }),
    m('tightenApiKey', 'TightenApiKey', { id: foreign.apiKeyId }),
    m('loosenApiKey', 'LoosenApiKey', { id: foreign.apiKeyId }),
    m('approveGrant', 'ApproveGrant', { id: foreign.grantId }),
    m('denyGrant', 'DenyGrant', { id: foreign.grantId }),
    m('revokeInvitation', 'RevokeInvitation', { id: foreign.invitationId }),
    q('oauthApp', foreign.oauthAppId),
    q('node', foreign.oauthAppId),
    m('updateOauthApp', 'UpdateOauthApp', { id: foreign.oauthAppId, name: 'taken' }),
    m('rotateOauthAppSecret', 'RotateOauthAppSecret', { id: foreign.oauthAppId }),
    m('deleteOauthApp', 'DeleteOauthApp', { id: foreign.oauthAppId }),
    m('endGrant', 'EndGrant', { id: foreign.grantId }),
  ];
}

const everything = `{
  tasks(first: 9) { totalCount nodes { id title tags state { id name } project { id name } assignee { id name } createdBy { id } relationships { id task { id } targetTask { id } } incomingRelationships { id } comments { totalCount nodes { id body } } labels { totalCount nodes { id name color } } timeEntries { totalCount nodes { id note } } parent { id } children { totalCount nodes { id } } } }
  comments(first: 10) { totalCount nodes { id body task { id } answers { totalCount } } }
  labels(first: 10) { totalCount nodes { id name tasks { totalCount nodes { id } } } }
  trash { tasks { totalCount nodes { id title } } projects { nodes { id } } labels { nodes { id } } comments { nodes { id } } }
  timeEntries(first: 10) { totalCount nodes { id note user { id } task { id } } }
  projects(first: 10) { totalCount nodes { id name states { totalCount nodes { id name order category tasks { totalCount nodes { id } } } } createdBy { id } tasks { totalCount nodes { id } } } }
  users(first: 10) { totalCount nodes { id email } }
  invitations(first: 10) { totalCount nodes { id email role } }
  oauthApps(first: 10) { totalCount nodes { id name redirectUris scopes } }
  apiKeys(first: 10) { totalCount nodes { id name createdBy { id } } }
}`;

async function snapshot(side: Side): Promise<string> {
  const { data, errors } = await server.gql(everything, {}, side.key);
  if (!data) throw new Error(JSON.stringify(errors));
  return JSON.stringify(data);
}

describe('with an id of another workspace or environment', () => {
  it('every query and mutation says NOT_FOUND, and changes nothing on either side', async () => {
    for (const own of sides) {
      for (const foreign of sides.filter((side) => side !== own)) {
        const before = [await snapshot(own), await snapshot(foreign)];
        for (const [name, document, variables] of attempts(own, foreign)) {
          // An administrator of live manages the keys of the sandbox.
          const manages = own.workspaceId === foreign.workspaceId && own.environment === 'LIVE';
          const ofKeys = [foreign.apiKeyId, foreign.grantId].some((id) => JSON.stringify(variables).includes(id));
          if (manages && ofKeys) continue;
          const { data, errors } = await server.gql(document, variables, own.key);
          expect(
            errors?.map((error) => error.extensions['code']),
            name,
          ).toEqual(['NOT_FOUND']);
          expect(
            Object.values(data ?? {}).every((value) => value === null),
            name,
          ).toBe(true);
        }
        const list = await server.gql(
          'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }',
          { ids: [own.taskId, foreign.taskId] },
          own.key,
        );
        expect(list.data.nodes).toEqual([{ id: own.taskId }, null]);
        expect([await snapshot(own), await snapshot(foreign)]).toEqual(before);
      }
    }
  });

  it('the attempts cover every root field that takes an id', async () => {
    const { schema } = await import('../src/graphql/schema/schema.js');
    const [own, foreign] = sides as [Side, Side];
    const tried = new Set(attempts(own, foreign).map(([name]) => name.split(' ')[0]));
    const taking: string[] = [];
    for (const type of [schema.getQueryType(), schema.getMutationType()]) {
      for (const field of Object.values(type?.getFields() ?? {})) {
        const text = field.args.map((arg) => `${arg.name}: ${arg.type}`).join();
        const input = schema.getType(
          field.args
            .find((arg) => arg.name === 'input')
            ?.type.toString()
            .replace(/!/g, '') ?? '',
        );
        const fields = input && 'getFields' in input ? Object.values(input.getFields()).map((f) => String(f.type)) : [];
        if (/\bid: ID/.test(text) || fields.some((name) => name.startsWith('ID')))
          taking.push(`${type?.name}.${field.name}`);
      }
    }
    expect(taking.filter((name) => !tried.has(name))).toEqual([]);
  });

  it('a filter by a foreign id matches nothing', async () => {
    const [own, foreign] = sides as [Side, Side];
    const { data } = await server.gql(
      'query ($p: ID, $t: ID) { a: tasks(filter: { projectId: { eq: $p } }) { totalCount } b: tasks(filter: { or: [{ id: { eq: $t } }, { not: { id: { neq: $t } } }] }) { totalCount } }',
      { p: foreign.projectId, t: foreign.taskId },
      own.key,
    );
    expect(data).toEqual({ a: { totalCount: 0 }, b: { totalCount: 0 } });
  });
});

describe('a list', () => {
  it('shows the rows of its own workspace and environment only', async () => {
    for (const own of sides) {
      const seen = await snapshot(own);
      for (const foreign of sides.filter((side) => side !== own)) {
        for (const id of [
          foreign.taskId,
          foreign.projectId,
          foreign.userId,
          foreign.apiKeyId,
          foreign.relationshipId,
        ]) {
          expect(seen).not.toContain(id);
        }
      }
      expect(seen).toContain(own.taskId);
    }
  });
});

describe('the tenant database', () => {
  const change = <T>({ workspaceId, environment }: Side, run: (tx: Unit['tx']) => Promise<T>) =>
    server.services.units.run(serverActor({ workspaceId, environment }, 'test'), ({ tx }) => run(tx));

  it('refuses what it cannot bind', async () => {
    const [own] = sides as [Side];
    const db = server.services.database.forTenant(own) as unknown as Record<string, never> & typeof server.system;
    await expect(db.$queryRaw`SELECT 1`).rejects.toThrow('cannot be bound');
    await expect(db.$executeRawUnsafe('SELECT 1')).rejects.toThrow('cannot be bound');
    await expect(db.workspace.findMany()).rejects.toThrow('cannot be bound');
    await expect(db.changeCounter.findMany()).rejects.toThrow('cannot be bound');
    const { workspaceId, environment } = own;
    const data = { number: 9, title: 'x', workspaceId, environment };
    await expect(db.task.create({ data })).rejects.toThrow('outside of a unit of work');
    const nested = change(own, (tx) => tx.task.create({ data: { ...data, tags: { create: [] } } }));
    await expect(nested).rejects.toThrow('nested write');
  });

  it('overrules a workspace or environment given in a query', async () => {
    const [own, foreign] = sides as [Side, Side];
    const db = server.services.database.forTenant(own);
    const where = { workspaceId: foreign.workspaceId, environment: foreign.environment };
    const rows = await db.task.findMany({ where });
    expect(new Set(rows.map((row) => `${row.workspaceId} ${row.environment}`))).toEqual(
      new Set([`${own.workspaceId} ${own.environment}`]),
    );
    await change(own, (tx) => tx.task.updateMany({ where: { id: own.taskId }, data: where }));
    expect(await server.system.task.findUnique({ where: { id: own.taskId } })).toMatchObject({
      workspaceId: own.workspaceId,
    });
  });
});
