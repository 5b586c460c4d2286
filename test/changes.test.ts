/** A change is whole or not at all, and whoever made it hears of it, whatever fails beside it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serverActor } from '../src/audit/entry.js';
import { readingFor } from '../src/db/reader.js';
import { createWorkspace } from './support/factories.js';
import { type GraphQLAnswer, startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const codesOf = ({ errors }: GraphQLAnswer) => errors?.map((error) => error.extensions['code']);
const DELETE_USER =
  'mutation ($id: ID!, $revokeKeys: Boolean) { deleteUser(input: { id: $id, revokeKeys: $revokeKeys }) { revokedKeys } }';
const DEMOTE = 'mutation ($id: ID!) { updateUser(input: { id: $id, role: MEMBER }) { user { id } } }';

/** A workspace of its own, with owners whose keys it lists. */
async function ownersOf(count: number) {
  const { workspace, live } = await createWorkspace(server);
  const tenant = { workspaceId: workspace.id, environment: 'LIVE' as const };
  const { system } = server;
  const made = await system.user.count({ where: { ...tenant, role: 'OWNER' } });
  for (let i = made; i < count; i += 1) {
    await system.user.create({
      data: { ...tenant, email: `o${i}-${workspace.id}@example.com`, name: 'O', role: 'OWNER' },
    });
  }
  const owners = await system.user.findMany({ where: { ...tenant, role: 'OWNER' }, orderBy: { id: 'asc' } });
  for (const { id } of owners.slice(count)) await system.user.update({ where: { id }, data: { role: 'MEMBER' } });
  return { tenant, key: live.key, userId: live.userId, owners: owners.slice(0, count) };
}

describe('of owners', () => {
  it('the last one is not removed, and then no key of theirs has died', async () => {
    const { tenant, key, owners } = await ownersOf(1);
    const id = owners[0]?.id as string;
    const actor = { ...tenant, keyId: null, userId: id, ip: null, userAgent: null, requestId: null };
    const keys = [];
    for (let i = 0; i < 3; i += 1) {
      keys.push(await server.services.keys.create(actor, 'operator', { name: 'theirs', scopes: [] }));
    }
    expect(codesOf(await server.gql(DELETE_USER, { id, revokeKeys: true }, key))).toEqual(['CONFLICT']);
    for (const { key } of keys)
      expect((await server.gql('{ viewer { environment } }', {}, key)).errors).toBeUndefined();
    expect(await server.system.apiKey.count({ where: { createdById: id, revokedAt: { not: null } } })).toBe(0);
    expect(await server.system.auditEvent.count({ where: { ...tenant, action: 'api_key.revoke' } })).toBe(0);
  });

  it('one who goes takes their keys along, in one change', async () => {
    const { tenant, key } = await ownersOf(2);
    const user = await server.system.user.create({
      data: { ...tenant, email: `going-${tenant.workspaceId}@example.com`, name: 'G' },
    });
    const actor = { ...tenant, keyId: null, userId: user.id, ip: null, userAgent: null, requestId: null };
    const theirs = await server.services.keys.create(actor, 'operator', { name: 'theirs', scopes: [] });
    const { data } = await server.gql(DELETE_USER, { id: user.id, revokeKeys: true }, key);
    expect(data.deleteUser.revokedKeys).toBe(1);
    expect(codesOf(await server.gql('{ viewer { environment } }', {}, theirs.key))).toEqual(['UNAUTHENTICATED']);
  });

  it('who made the administrator of the sandbox goes, while live has one', async () => {
    const own = await startTestServer();
    const sandbox = await own.createKey(['admin:*'], 'TEST');
    const owner = await own.system.user.findFirstOrThrow({ where: { environment: 'TEST' } });
    const tenant = { workspaceId: own.workspace.id, environment: 'TEST' as const };
    await own.system.user.create({ data: { ...tenant, email: 'second@example.com', name: 'S', role: 'OWNER' } });
    const remover = await own.key(['users:delete', 'keys:delete', 'admin:*'], 'TEST');
    const { data, errors } = await own.gql(DELETE_USER, { id: owner.id, revokeKeys: true }, remover);
    expect([errors, data?.deleteUser.revokedKeys]).toEqual([undefined, 2]);
    expect(codesOf(await own.gql('{ viewer { environment } }', {}, sandbox.key))).toEqual(['UNAUTHENTICATED']);
    await own.stop();
  });

  it.each([
    ['demoted', DEMOTE],
    ['removed', DELETE_USER],
  ])('six who are %s at once leave one', async (_name, document) => {
    const { tenant, key, owners } = await ownersOf(6);
    const answers = await Promise.all(owners.map(({ id }) => server.gql(document, { id }, key)));
    const left = await server.system.user.count({ where: { ...tenant, role: 'OWNER' } });
    expect([left, answers.flatMap((answer) => codesOf(answer) ?? [])]).toEqual([1, ['CONFLICT']]);
  });
});

describe('a mutation that fails', () => {
  it('hides nothing of its neighbours: neither the secret of a key nor the id of a task', async () => {
    const answer = await server.gql(
      `mutation {
        made: createApiKey(input: { name: "kept", scopes: ["tasks:read"] }) { key apiKey { id name } }
        refused: createApiKey(input: { name: "", scopes: [] }) { key }
        task: createTask(input: { title: "kept" }) { task { id } }
        gone: deleteTask(input: { id: "none" }) { deletedTaskId }
      }`,
    );
    expect(codesOf(answer)).toEqual(['BAD_USER_INPUT', 'NOT_FOUND']);
    expect(answer.data).toMatchObject({
      made: { key: expect.stringMatching(/^sk_live_/), apiKey: { name: 'kept' } },
      refused: null,
      task: { task: { id: expect.any(String) } },
      gone: null,
    });
    expect((await server.gql('{ tasks { totalCount } }', {}, answer.data.made.key)).errors).toBeUndefined();
  });

  it('for what its answer would show fails before anything is made', async () => {
    const writer = await server.key(['keys:write', 'tasks:read', 'tasks:write']);
    const answer = await server.gql(
      `mutation {
        createApiKey(input: { name: "never", scopes: ["tasks:read"] }) { key }
        createTask(input: { title: "never" }) { task { id createdBy { email } } }
      }`,
      {},
      writer,
    );
    expect([answer.data, codesOf(answer)]).toEqual([undefined, ['FORBIDDEN']]);
    expect(await server.system.apiKey.count({ where: { name: 'never' } })).toBe(0);
    expect(await server.system.task.count({ where: { title: 'never' } })).toBe(0);
  });
});

describe('what is going on elsewhere', () => {
  const DELETE_PROJECT = 'mutation ($id: ID!) { deleteProject(input: { id: $id }) { deletedProjectId } }';
  const MOVE = 'mutation ($input: UpdateTaskInput!) { updateTask(input: $input) { task { projectId updatedAt } } }';

  it('a move that was acknowledged is not undone by the deletion of the project that the task left', async () => {
    for (let round = 0; round < 3; round += 1) {
      const { live, workspace } = await createWorkspace(server);
      const tenant = { workspaceId: workspace.id, environment: 'LIVE' as const };
      const to = await server.system.project.create({ data: { ...tenant, name: 'Q' } });
      const ids = Array.from({ length: 120 }, (_, i) => `${workspace.id}-${i}`);
      await server.system.task.createMany({
        data: ids.map((id, i) => ({ ...tenant, id, number: 1000 + i, title: 'T', projectId: live.projectId })),
      });
      const deletion = server.gql(DELETE_PROJECT, { id: live.projectId }, live.key);
      const moves = await Promise.all(
        ids.slice(0, 40).map((id) => server.gql(MOVE, { input: { id, projectId: to.id } }, live.key)),
      );
      expect((await deletion).errors).toBeUndefined();
      const moved = ids.filter((_, index) => moves[index] && !moves[index].errors);
      expect(moved.length).toBeGreaterThan(0);
      expect(await server.system.task.count({ where: { id: { in: moved }, projectId: to.id } })).toBe(moved.length);
      const events = await server.system.auditEvent.findMany({
        where: { targetId: { in: moved }, action: 'task.update' },
      });
      const last = new Map(events.sort((a, b) => +a.createdAt - +b.createdAt).map((event) => [event.targetId, event]));
      for (const event of last.values()) expect(event.changes).toMatchObject({ projectId: { to: to.id } });
      expect(await server.system.task.count({ where: { projectId: live.projectId } })).toBe(0);
    }
  });

  it.each([1, 2, 3, 4, 5, 6])('changes that lock each other out in turn all end, and none fails (%i)', async () => {
    const { live } = await createWorkspace(server);
    const RELATE =
      'mutation ($input: UpdateTaskRelationshipInput!) { updateTaskRelationship(input: $input) { taskRelationship { id } } }';
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => [
        server.gql(RELATE, { input: { id: live.relationshipId, type: i % 2 ? 'BLOCKS' : 'RELATES_TO' } }, live.key),
        server.gql(MOVE, { input: { id: live.taskId, projectId: live.projectId, assigneeId: live.userId } }, live.key),
        server.gql(MOVE, { input: { id: live.otherTaskId, projectId: null } }, live.key),
      ]).flat(),
    );
    expect(answers.flatMap((answer) => codesOf(answer) ?? [])).toEqual([]);
    const [project, user] = await Promise.all([
      server.gql(DELETE_PROJECT, { id: live.projectId }, live.key),
      server.gql(DELETE_USER, { id: live.userId }, live.key),
      server.gql(MOVE, { input: { id: live.taskId, title: 'x' } }, live.key),
    ]);
    expect([project?.errors, user?.errors]).toEqual([undefined, undefined]);
  });

  it('a project with many tasks goes, and others are answered meanwhile', async () => {
    const { data } = await server.gql('mutation { createProject(input: { name: "many" }) { project { id } } }');
    const { id } = data.createProject.project;
    const tenant = { workspaceId: server.workspace.id, environment: 'LIVE' as const, projectId: id };
    const rows = Array.from({ length: 1500 }, (_, i) => ({ ...tenant, number: 500_000 + i, title: 'm' }));
    await server.system.task.createMany({ data: rows });
    let isDone = false;
    const deleted = server
      .gql('mutation ($id: ID!) { deleteProject(input: { id: $id }) { deletedProjectId } }', { id })
      .then((answer) => {
        isDone = true;
        return answer;
      });
    let answers = 0;
    while (!isDone) {
      expect((await fetch(`${server.origin}/health/live`)).status).toBe(200);
      answers += 1;
    }
    expect((await deleted).errors).toBeUndefined();
    // One would be answered before it, and one after it, if it held the process.
    expect(answers).toBeGreaterThan(5);
  });

  it('who made many rows goes in time, and the rows are later versions', async () => {
    const { live, workspace } = await createWorkspace(server);
    const tenant = { workspaceId: workspace.id, environment: 'LIVE' as const };
    const ahead = new Date(Date.now() + 60_000);
    for (let at = 0; at < 20_000; at += 1000) {
      await server.system.task.createMany({
        data: Array.from({ length: 1000 }, (_, i) => ({
          ...{ ...tenant, number: 10_000 + at + i, title: 'T', createdById: live.userId, updatedAt: ahead },
        })),
      });
    }
    expect((await server.gql(DELETE_USER, { id: live.userId }, live.key)).errors).toBeUndefined();
    const where = { workspaceId: workspace.id, number: { gte: 10_000 } };
    expect(await server.system.task.count({ where: { ...where, createdById: null, updatedAt: { gt: ahead } } })).toBe(
      20_000,
    );
    const [event] = await server.system.auditEvent.findMany({
      where: { targetId: live.userId, action: 'user.delete' },
    });
    expect(event?.changes).toMatchObject({ createdTasks: { from: 20_002, to: 0 } });
  });
});

describe('what goes changes its tasks visibly', () => {
  const stored = (id: string) => server.system.task.findUniqueOrThrow({ where: { id } });
  const events = (targetId: string) =>
    server.system.auditEvent.findMany({ where: { targetId, action: 'task.update' }, orderBy: { createdAt: 'asc' } });

  it('a project', async () => {
    const { live, workspace } = await createWorkspace(server);
    const before = await stored(live.taskId);
    await server.gql(
      'mutation ($id: ID!) { deleteProject(input: { id: $id }) { deletedProjectId } }',
      { id: live.projectId },
      live.key,
    );
    const after = await stored(live.taskId);
    expect(after.projectId).toBeNull();
    expect(after.updatedAt.getTime()).toBeGreaterThan(before.updatedAt.getTime());
    for (const id of [live.taskId, live.otherTaskId]) {
      const [event] = await events(id);
      expect(event?.changes).toEqual({ projectId: { from: live.projectId, to: null } });
      expect(event?.workspaceId).toBe(workspace.id);
    }
  });

  it('a user, also as the maker of projects and relationships', async () => {
    const { live } = await createWorkspace(server);
    const before = await stored(live.taskId);
    const { errors } = await server.gql(DELETE_USER, { id: live.userId }, live.key);
    expect(errors).toBeUndefined();
    const after = await stored(live.taskId);
    expect([after.assigneeId, after.createdById]).toEqual([null, null]);
    expect(after.updatedAt.getTime()).toBeGreaterThan(before.updatedAt.getTime());
    expect((await events(live.taskId))[0]?.changes).toEqual({
      assigneeId: { from: live.userId, to: null },
    });
    const project = await server.system.project.findUniqueOrThrow({ where: { id: live.projectId } });
    expect(project.createdById).toBeNull();
    expect(project.updatedAt.getTime()).toBeGreaterThan(project.createdAt.getTime());
  });

  it('leaves no trace where it fails half way', async () => {
    const { live } = await createWorkspace(server);
    // The last thing that is written of a change is its audit entry.
    await server.system.$executeRawUnsafe('ALTER TABLE "AuditEvent" RENAME TO "Away"');
    const { errors } = await server.gql(
      'mutation ($id: ID!) { deleteProject(input: { id: $id }) { deletedProjectId } }',
      { id: live.projectId },
      live.key,
    );
    await server.system.$executeRawUnsafe('ALTER TABLE "Away" RENAME TO "AuditEvent"');
    expect(errors).toHaveLength(1);
    expect((await stored(live.taskId)).projectId).toBe(live.projectId);
    expect(await server.system.project.count({ where: { id: live.projectId } })).toBe(1);
  });
});

describe('what a change sets off', () => {
  it('goes on when the request that made it has ended', async () => {
    const actor = serverActor({ workspaceId: server.workspace.id, environment: 'LIVE' }, 'test');
    const gone = { id: 'key', isGone: () => true, take: () => {} };
    let found: Promise<unknown> | undefined;
    await readingFor(gone, () =>
      server.services.units.run(actor, async (unit) => {
        unit.afterCommit(() => {
          found = server.system.workspace.count();
        });
      }),
    );
    expect(await found).toBeGreaterThan(0);
    await expect(readingFor(gone, async () => server.system.workspace.count())).rejects.toThrow();
  });
});

describe('a version', () => {
  it('is a later one with each change, of the tags alone too, and two within a millisecond', async () => {
    const { data } = await server.gql('mutation { createTask(input: { title: "V" }) { task { id updatedAt } } }');
    const { id } = data.createTask.task;
    const change = 'mutation ($input: UpdateTaskInput!) { updateTask(input: $input) { task { updatedAt } } }';
    const versions = [data.createTask.task.updatedAt];
    for (const tags of [['a'], ['b'], [], ['b']]) {
      versions.push((await server.gql(change, { input: { id, tags } })).data.updateTask.task.updatedAt);
    }
    const both = await server.gql(
      `mutation ($id: ID!) {
        a: updateTask(input: { id: $id, title: "1" }) { task { updatedAt } }
        b: updateTask(input: { id: $id, title: "2" }) { task { updatedAt } }
      }`,
      { id },
    );
    versions.push(both.data.a.task.updatedAt, both.data.b.task.updatedAt);
    expect(versions).toEqual([...new Set(versions)].sort());
  });
});
