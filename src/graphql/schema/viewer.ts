/** Who is asking: the key, its workspace and its user. Needs no scope. */

import { listOf } from '../../keys/authority.js';
import type { Context } from '../context.js';
import { ApiKey, EnvironmentEnum } from './apiKey.js';
import { builder } from './builder.js';
import { User } from './user.js';

const Workspace = builder.prismaObject('Workspace', {
  description: 'The tenant: all that a key sees is of one workspace.',
  select: { id: true },
  fields: (t) => ({
    id: t.exposeID('id'),
    name: t.exposeString('name'),
    slug: t.exposeString('slug'),
    plan: t.exposeString('plan'),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

export const Viewer = builder.objectRef<Context['principal']>('Viewer').implement({
  description: 'The key behind the request.',
  fields: (t) => ({
    environment: t.field({ type: EnvironmentEnum, resolve: ({ environment }) => environment }),
    scopes: t.stringList({
      description: 'What the key is granted.',
      resolve: ({ apiKey }) => listOf(apiKey.scopes),
    }),
    userId: t.id({
      nullable: true,
      description: 'Of `user`, which takes users:read.',
      resolve: ({ userId }) => userId,
    }),
    apiKey: t.prismaField({
      type: ApiKey,
      resolve: (query, { keyId }, _args, { db }) => db.apiKey.findUniqueOrThrow({ ...query, where: { id: keyId } }),
    }),
    workspace: t.prismaField({
      type: Workspace,
      // The key's own workspace is no row of a workspace, so the tenant database does not serve it.
      resolve: (query, { workspaceId }, _args, { services }) =>
        services.database.system.workspace.findUniqueOrThrow({ ...query, where: { id: workspaceId } }),
    }),
    user: t.prismaField({
      type: User,
      nullable: true,
      resolve: (query, { userId }, _args, { db }) =>
        userId === null ? null : db.user.findUnique({ ...query, where: { id: userId } }),
    }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: Viewer,
    description: 'Who asks: the key, its scopes, its workspace and environment, and the user whom it acts for.',
    grantScopes: ['self'],
    resolve: (_root, _args, { principal }) => principal,
  }),
);
