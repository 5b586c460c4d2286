/** Whose key it is, the workspace and its members as Kaneo shows them, and what a user is told. */
import { z } from 'zod';
import { notFound } from '../../../errors.js';
import { type CorePage, cutQuery, PAGE, pageQuery } from '../../pages.js';
import { type RouteRequest, route } from '../../route.js';
import { type Moment, shownDate, shownId } from '../../shapes.js';
import { ALL, ownWorkspace } from './shapes.js';

interface CoreUser {
  readonly id: string;
  readonly name: string;
  readonly email: string;
  readonly role: string;
  readonly createdAt: Moment;
}
interface CoreWorkspace {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly createdAt: Moment;
}
interface CoreKey {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Moment;
  readonly updatedAt: Moment;
  readonly expiresAt: Moment | null;
}

const WORKSPACE = 'workspace { id name slug createdAt }';
const tag = 'Kaneo workspace';
const workspaceShape = {
  ...{ id: shownId, name: z.string(), slug: z.string(), createdAt: shownDate },
  ...{ logo: z.null(), metadata: z.null(), description: z.null() },
};
const showWorkspace = (workspace: CoreWorkspace) => ({ ...workspace, logo: null, metadata: null, description: null });

const KMember = z
  .object({ ...{ id: shownId, name: z.string(), email: z.string() }, image: z.null(), role: z.string() })
  .meta({ id: 'KaneoMember' });
const showRole = (role: string) => role.toLowerCase();

const MEMBERS = `users(first: $first, after: $after, offset: $offset) {
  nodes { id name email role createdAt } ${PAGE}
}`;
const PAGE_VARIABLES = '$first: Int, $after: String, $offset: Int';

const Session = z
  .object({
    session: z.object({
      ...{ id: shownId, userId: shownId, activeOrganizationId: shownId },
      ...{ createdAt: shownDate, updatedAt: shownDate, expiresAt: shownDate.nullable() },
    }),
    user: z.object({
      ...{ id: shownId, name: z.string(), email: z.string(), emailVerified: z.boolean(), image: z.null() },
      ...{ createdAt: shownDate, updatedAt: shownDate },
    }),
  })
  .meta({ id: 'KaneoSession' });

const KNotification = z
  .object({
    ...{ id: shownId, userId: shownId, title: z.string(), content: z.string().nullable() },
    type: z.enum(['task_assignee_changed', 'task_mention', 'due_date_reminder', 'info']),
    eventData: z.object({ kind: z.string(), senderId: shownId.nullable() }),
    ...{ isRead: z.boolean(), resourceId: shownId, resourceType: z.enum(['task']) },
    ...{ createdAt: shownDate, updatedAt: shownDate },
  })
  .meta({ id: 'KaneoNotification' });

interface CoreNotification {
  readonly id: string;
  readonly kind: keyof typeof NOTICES;
  readonly taskId: string;
  readonly senderId: string | null;
  readonly readAt: Moment | null;
  readonly createdAt: Moment;
  readonly task: { readonly title: string };
}
const NOTICES = {
  ASSIGNED: { type: 'task_assignee_changed', title: 'A task was assigned to you' },
  MENTIONED: { type: 'task_mention', title: 'You were mentioned' },
  COMMENTED: { type: 'info', title: 'A comment on a task of yours' },
  DUE: { type: 'due_date_reminder', title: 'A task of yours is due' },
  BLOCKED: { type: 'info', title: 'A task of yours is blocked' },
} as const;
const NOTIFICATION = 'id kind taskId senderId readAt createdAt task { title }';

const showNotification =
  (userId: string) =>
  ({ id, kind, taskId, senderId, readAt, createdAt, task }: CoreNotification) => ({
    ...{ id, userId, ...NOTICES[kind], content: task.title, eventData: { kind, senderId }, isRead: readAt !== null },
    ...{ resourceId: taskId, resourceType: 'task', createdAt, updatedAt: readAt ?? createdAt },
  });

export const people = [
  route({
    method: 'get',
    path: '/api/auth/get-session',
    summary: 'Whose key it is: of its user, or of itself where it has none that it may see',
    tag,
    operation: `query GetKaneoSession {
      viewer { userId apiKey { id name createdAt updatedAt expiresAt } ${WORKSPACE} }
    }`,
    status: 200,
    answer: ({ viewer: { apiKey, userId, workspace } }: { viewer: Viewer }) => ({
      session: {
        ...{ id: apiKey.id, userId: userId ?? apiKey.id, activeOrganizationId: workspace.id },
        ...{ createdAt: apiKey.createdAt, updatedAt: apiKey.updatedAt, expiresAt: apiKey.expiresAt },
      },
      user: {
        ...{ id: userId ?? apiKey.id, name: apiKey.name, email: '', emailVerified: true, image: null },
        ...{ createdAt: apiKey.createdAt, updatedAt: apiKey.updatedAt },
      },
    }),
    answers: Session,
  }),
  route({
    method: 'get',
    path: '/api/auth/organization/list',
    summary: 'The workspace of the key, in a list',
    tag,
    query: z.object(cutQuery()),
    isWhole: true,
    operation: `query ListKaneoOrganizations { viewer { ${WORKSPACE} } }`,
    status: 200,
    answer: ({ viewer: { workspace } }: { viewer: { workspace: CoreWorkspace } }) => [showWorkspace(workspace)],
    answers: z.array(z.object(workspaceShape).meta({ id: 'KaneoWorkspace' })),
  }),
  route({
    method: 'get',
    path: '/api/auth/organization/get-full-organization',
    summary: 'The workspace of the key, with its members, up to 1,000',
    tag,
    operation: `query GetKaneoOrganization {
      viewer { ${WORKSPACE} }
      users(first: 1000) { nodes { id name email role createdAt } }
    }`,
    status: 200,
    answer: ({
      viewer: { workspace },
      users,
    }: {
      viewer: Pick<Viewer, 'workspace'>;
      users: { nodes: CoreUser[] };
    }) => ({
      ...showWorkspace(workspace),
      members: users.nodes.map(({ id, name, email, role, createdAt }) => ({
        ...{ id, userId: id, organizationId: workspace.id, role: showRole(role), createdAt },
        user: { id, name, email, image: null },
      })),
      invitations: [],
      teams: [],
    }),
    answers: z
      .object({
        ...workspaceShape,
        members: z.array(
          z.object({
            ...{ id: shownId, userId: shownId, organizationId: shownId, role: z.string(), createdAt: shownDate },
            user: z.object({ id: shownId, name: z.string(), email: z.string(), image: z.null() }),
          }),
        ),
        invitations: z.array(z.never()),
        teams: z.array(z.never()),
      })
      .meta({ id: 'KaneoFullWorkspace' }),
  }),
  route({
    method: 'get',
    path: '/api/workspace/{id}/members',
    summary: 'List the users of the workspace, newest first',
    tag,
    query: z.object(pageQuery(ALL)),
    operation: `query ListKaneoMembers(${PAGE_VARIABLES}) { ${MEMBERS} }`,
    variables: (request: RouteRequest<unknown>) => {
      ownWorkspace(request.params['id'], request, true);
      return {};
    },
    status: 200,
    answer: ({ users }: { users: CorePage<CoreUser> }) =>
      users.nodes.map(({ id, name, email, role }) => ({ id, name, email, image: null, role: showRole(role) })),
    answers: z.array(KMember),
    list: { page: ({ users }) => users },
    fields: { after: 'cursor' },
  }),
  route({
    method: 'get',
    path: '/api/notification',
    summary: "List the notifications of the key's user, newest first",
    tag,
    query: z.object(pageQuery(ALL)),
    operation: `query ListKaneoNotifications(${PAGE_VARIABLES}) {
      viewer { userId notifications(first: $first, after: $after, offset: $offset) { nodes { ${NOTIFICATION} } ${PAGE} } }
    }`,
    status: 200,
    answer: ({ viewer }: { viewer: { userId: string | null; notifications: CorePage<CoreNotification> } }) =>
      viewer.notifications.nodes.map(showNotification(viewer.userId ?? '')),
    answers: z.array(KNotification),
    list: { page: ({ viewer }) => viewer.notifications },
    fields: { after: 'cursor' },
  }),
  route({
    method: 'patch',
    path: '/api/notification/{id}/read',
    summary: 'Mark a notification as read',
    tag,
    of: null,
    operation: `mutation ReadKaneoNotification($ids: [ID!]!) {
      markNotificationsRead(input: { ids: $ids }) { userId notifications { ${NOTIFICATION} } }
    }`,
    variables: ({ params }) => ({ ids: [params['id']] }),
    status: 200,
    answer: ({ markNotificationsRead: { userId, notifications } }: Marked, { params }) => {
      const [notification] = notifications;
      if (!notification) throw notFound('notification', params['id'] ?? '');
      return showNotification(userId)(notification);
    },
    answers: KNotification,
  }),
  route({
    method: 'patch',
    path: '/api/notification/read-all',
    summary: 'Mark all notifications as read, up to 1,000',
    tag,
    of: null,
    operation: 'mutation ReadKaneoNotifications { markNotificationsRead(input: {}) { marked } }',
    status: 200,
    answer: ({ markNotificationsRead: { marked } }: { markNotificationsRead: { marked: number } }) => ({
      success: true,
      count: marked,
    }),
    answers: z.object({ success: z.boolean(), count: z.int() }).meta({ id: 'KaneoMarked' }),
  }),
];

interface Viewer {
  readonly userId: string | null;
  readonly apiKey: CoreKey;
  readonly workspace: CoreWorkspace;
}
interface Marked {
  readonly markNotificationsRead: { readonly userId: string; readonly notifications: readonly CoreNotification[] };
}
