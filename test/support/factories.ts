import { randomUUID } from 'node:crypto';
import type { Environment, PrismaClient } from '#prisma/client.js';
import { DEFAULT_STATES } from '../../src/tasks/states.js';
import type { TestServer } from './server.js';

/** A second workspace with one of everything in each environment, and an admin key for each. */
export async function createWorkspace(server: TestServer) {
  const { system } = server;
  const workspace = await system.workspace.create({ data: { name: 'Other', slug: randomUUID(), plan: 'enterprise' } });
  const live = await fillTenant(system, workspace.id, 'LIVE');
  const test = await fillTenant(system, workspace.id, 'TEST');
  const keyOf = async (environment: Environment, userId: string) => {
    const actor = {
      workspaceId: workspace.id,
      environment,
      keyId: null,
      userId,
      ip: null,
      userAgent: null,
      requestId: null,
    };
    return server.services.keys.create(actor, 'operator', { name: 'admin', scopes: ['admin:*'] });
  };
  return {
    workspace,
    live: { ...live, ...(await keyOf('LIVE', live.userId)) },
    test: { ...test, ...(await keyOf('TEST', test.userId)) },
  };
}

export async function fillTenant(system: PrismaClient, workspaceId: string, environment: Environment) {
  const tenant = { workspaceId, environment };
  const mark = `${environment}-${workspaceId}`;
  const user = await system.user.create({
    data: { ...tenant, email: `${randomUUID()}@example.com`, name: `User ${mark}`, role: 'OWNER' },
  });
  await system.user.create({
    data: { ...tenant, email: `${randomUUID()}@example.com`, name: `Second owner ${mark}`, role: 'OWNER' },
  });
  const project = await system.project.create({ data: { ...tenant, name: `Project ${mark}`, createdById: user.id } });
  const states = DEFAULT_STATES.map((state, order) => ({ ...tenant, ...state, order, projectId: project.id }));
  await system.state.createMany({ data: states });
  const state = await system.state.findFirstOrThrow({ where: { projectId: project.id, slug: 'to-do' } });
  const counter = await system.taskCounter.upsert({
    where: { workspaceId_environment: tenant },
    create: { ...tenant, lastNumber: 2 },
    update: { lastNumber: { increment: 2 } },
  });
  const tasks = [];
  for (const index of [0, 1]) {
    tasks.push(
      await system.task.create({
        data: {
          ...tenant,
          number: counter.lastNumber - index,
          title: `Task ${mark}`,
          projectId: project.id,
          stateId: state.id,
          assigneeId: user.id,
          createdById: user.id,
        },
      }),
    );
  }
  const [task, other] = tasks as [(typeof tasks)[0], (typeof tasks)[0]];
  const tag = { name: `tag-${mark}-${task.number}`, key: `tag-${mark}-${task.number}`.toLowerCase() };
  const label = await system.label.create({ data: { ...tenant, ...tag, color: '#123456', createdById: user.id } });
  await system.taskTag.create({ data: { ...tenant, taskId: task.id, labelId: label.id, ...tag } });
  const relationship = await system.taskRelationship.create({
    data: { ...tenant, type: 'BLOCKS', taskId: task.id, targetTaskId: other.id },
  });
  const comment = await system.comment.create({
    data: { ...tenant, taskId: task.id, body: `Comment ${mark}`, createdById: user.id },
  });
  const timeEntry = await system.timeEntry.create({
    data: {
      ...tenant,
      taskId: task.id,
      userId: user.id,
      note: `Time ${mark}`,
      startedAt: new Date(),
      endedAt: new Date(),
    },
  });
  const notification = await system.notification.create({
    data: { ...tenant, taskId: task.id, userId: user.id, kind: 'ASSIGNED' },
  });
  const trashed = await Promise.all(
    (['TASK', 'PROJECT', 'LABEL', 'COMMENT'] as const).map(async (kind) => {
      const id = randomUUID();
      const item = { id, ...tenant, kind, title: `Trash ${mark}`, projectId: project.id, content: {} };
      const expiresAt = new Date(Date.now() + 86_400_000);
      await system.trashItem.create({ data: { ...item, deletedAt: new Date(), expiresAt } });
      return [kind, id] as const;
    }),
  );
  const invitation = await system.invitation.create({
    data: {
      ...{ ...tenant, email: `${randomUUID()}@example.com`, role: 'MEMBER', hash: randomUUID() },
      expiresAt: new Date(Date.now() + 86_400_000),
    },
  });
  const app = await system.oauthApp.create({
    data: {
      ...{ id: `app_${randomUUID()}`, ...tenant, name: `App ${mark}` },
      ...{ redirectUris: 'https://app.example/back', scopes: 'tasks:read' },
    },
  });
  return {
    oauthAppId: app.id,
    invitationId: invitation.id,
    trashed: Object.fromEntries(trashed) as Record<'TASK' | 'PROJECT' | 'LABEL' | 'COMMENT', string>,
    commentId: comment.id,
    labelId: label.id,
    timeEntryId: timeEntry.id,
    notificationId: notification.id,
    userId: user.id,
    projectId: project.id,
    stateId: state.id,
    taskId: task.id,
    otherTaskId: other.id,
    relationshipId: relationship.id,
  };
}
