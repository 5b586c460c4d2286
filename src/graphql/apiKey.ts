/** API keys in the schema: thin over src/keys. */
import { containsText } from '../db/text.js';
import { notFound } from '../errors.js';
import { keyStatus, list } from '../keys/apiKey.js';
import { builder } from './builder.js';
import { resolveConnection } from './connection.js';
import { compileFilter, DateTimeFilter, type Filter, IdFilter, StringFilter } from './filter.js';
import { Node } from './node.js';
import { User } from './user.js';

const NEWEST_FIRST = [{ column: { name: 'createdAt', kind: 'date' }, direction: 'desc' }] as const;

export const EnvironmentEnum = builder.enumType('Environment', {
  description: 'TEST is a sandbox with rows of its own.',
  values: ['LIVE', 'TEST'] as const,
});
const ApiKeyStatus = builder.enumType('ApiKeyStatus', {
  values: {
    ACTIVE: {},
    ROTATED: { description: 'Has a successor, and works until its grace period ends.' },
    EXPIRED: {},
    REVOKED: {},
  } as const,
});
const KeyRateLimit = builder.objectRef<{ perMinute: number | null; perHour: number | null }>('KeyRateLimit').implement({
  description: 'Requests that the key may make; null: as the plan has it.',
  fields: (t) => ({
    perMinute: t.exposeInt('perMinute', { nullable: true }),
    perHour: t.exposeInt('perHour', { nullable: true }),
  }),
});

export const ApiKey = builder.prismaObject('ApiKey', {
  description: 'An API key. The key itself is shown once, when it is made.',
  select: { id: true },
  interfaces: [Node],
  authScopes: { $any: { scope: 'keys:read', $granted: 'self' } },
  fields: (t) => ({
    name: t.exposeString('name'),
    description: t.exposeString('description', { nullable: true }),
    prefix: t.exposeString('prefix', { description: 'How the key begins.' }),
    environment: t.expose('environment', { type: EnvironmentEnum }),
    scopes: t.stringList({ select: { scopes: true }, resolve: (key) => list(key.scopes) }),
    allowedIps: t.stringList({
      nullable: true,
      description: 'CIDR blocks that it may be used from; null: any address.',
      select: { allowedIps: true },
      resolve: (key) => (key.allowedIps === null ? null : list(key.allowedIps)),
    }),
    rateLimit: t.field({
      type: KeyRateLimit,
      select: { ratePerMinute: true, ratePerHour: true },
      resolve: (key) => ({ perMinute: key.ratePerMinute, perHour: key.ratePerHour }),
    }),
    status: t.field({
      type: ApiKeyStatus,
      select: { revokedAt: true, expiresAt: true, graceEndsAt: true, rotatedAt: true },
      resolve: (key) => keyStatus(key, new Date()),
    }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', nullable: true }),
    revokedAt: t.expose('revokedAt', { type: 'DateTime', nullable: true }),
    createdBy: t.relation('createdBy', { type: User, nullable: true, authScopes: { scope: 'users:read' } }),
    createdById: t.exposeID('createdById', { nullable: true }),
    createdByKeyId: t.exposeID('createdByKeyId', { nullable: true }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
  }),
});

const ApiKeyEdge = builder.edgeObject({ name: 'ApiKeyEdge', type: ApiKey });
const ApiKeyConnection = builder.connectionObject({ name: 'ApiKeyConnection', type: ApiKey }, ApiKeyEdge);

const filterFields = {
  id: { column: 'id' },
  name: { column: 'name' },
  expiresAt: { column: 'expiresAt', nullable: true },
  revokedAt: { column: 'revokedAt', nullable: true },
  createdAt: { column: 'createdAt' },
};
const ApiKeyFilter = builder.inputRef<Filter>('ApiKeyFilter').implement({
  fields: (t) => ({
    id: t.field({ type: IdFilter }),
    name: t.field({ type: StringFilter }),
    expiresAt: t.field({ type: DateTimeFilter }),
    revokedAt: t.field({ type: DateTimeFilter }),
    createdAt: t.field({ type: DateTimeFilter }),
    and: t.field({ type: [ApiKeyFilter] }),
    or: t.field({ type: [ApiKeyFilter] }),
    not: t.field({ type: ApiKeyFilter }),
  }),
});

builder.queryFields((t) => ({
  apiKey: t.prismaField({
    type: ApiKey,
    nullable: true,
    authScopes: { scope: 'keys:read' },
    args: { id: t.arg.id({ required: true }) },
    resolve: async (query, _root, { id }, { db }) => {
      const key = await db.apiKey.findUnique({ ...query, where: { id } });
      if (!key) throw notFound('API key', id);
      return key;
    },
  }),
  apiKeys: t.connection(
    {
      type: ApiKey,
      nullable: true,
      description: 'The keys of the environment, newest first.',
      authScopes: { scope: 'keys:read' },
      args: {
        filter: t.arg({ type: ApiKeyFilter }),
        search: t.arg.string({ description: 'Text that the name contains.' }),
      },
      resolve: (_root, args, context, info) => {
        const { provider } = context.services.database;
        return resolveConnection({
          args,
          context,
          info,
          order: NEWEST_FIRST,
          where: {
            AND: [
              compileFilter(filterFields, args.filter, provider),
              args.search ? { name: containsText(provider, args.search) } : {},
            ],
          },
          find: (query) => context.db.apiKey.findMany(query),
          count: (query) => context.db.apiKey.count(query),
        });
      },
    },
    ApiKeyConnection,
    ApiKeyEdge,
  ),
}));

const RateLimitInput = builder.inputType('KeyRateLimitInput', {
  fields: (t) => ({ perMinute: t.int(), perHour: t.int() }),
});

builder.relayMutationField(
  'createApiKey',
  {
    inputFields: (t) => ({
      name: t.string({ required: true, description: '1 to 100 characters.' }),
      description: t.string({ description: 'Up to 500 characters.' }),
      scopes: t.stringList({
        required: true,
        description: 'Such as tasks:read or tasks:*. None given: nothing is allowed.',
      }),
      environment: t.field({ type: EnvironmentEnum, description: "By default the calling key's." }),
      expiresAt: t.field({ type: 'DateTime', description: 'By default as the calling key; null: never.' }),
      allowedIps: t.stringList({ description: 'CIDR blocks or addresses. By default as the calling key.' }),
      rateLimit: t.field({ type: RateLimitInput }),
    }),
  },
  {
    rateLimit: { max: 10, window: 60 },
    description: 'Makes a key, with no more reach than the calling one. `key` is shown this once.',
    authScopes: { scope: 'keys:write' },
    grantScopes: ['self'],
    resolve: async (_root, { input }, context) => {
      const { rateLimit, ...request } = input;
      const { apiKey, key } = await context.services.keys.create(context.actor, context.principal.bounds, {
        ...request,
        ...(rateLimit && { ratePerMinute: rateLimit.perMinute, ratePerHour: rateLimit.perHour }),
      });
      return { apiKey, key };
    },
  },
  {
    outputFields: (t) => ({
      key: t.exposeString('key', { description: 'The key itself. It is not stored and cannot be shown again.' }),
      apiKey: t.prismaField({
        type: ApiKey,
        // The key may be of the other environment: an administrator of live makes keys of the sandbox.
        resolve: (query, { apiKey }, _args, { services }) =>
          services.database.forTenant(apiKey).apiKey.findUniqueOrThrow({ ...query, where: { id: apiKey.id } }),
      }),
    }),
  },
);

builder.relayMutationField(
  'revokeApiKey',
  { inputFields: (t) => ({ id: t.id({ required: true }) }) },
  {
    description: 'Ends a key for good, at once. Revoking it again changes nothing.',
    authScopes: { $any: { scope: 'keys:delete', $all: { scope: 'keys:write' } } },
    grantScopes: ['self'],
    resolve: async (_root, { input: { id } }, context) => ({
      apiKey: await context.services.keys.revoke(context.actor, id),
    }),
  },
  {
    outputFields: (t) => ({
      apiKey: t.prismaField({
        type: ApiKey,
        // The key may be of the other environment: an administrator of live makes keys of the sandbox.
        resolve: (query, { apiKey }, _args, { services }) =>
          services.database.forTenant(apiKey).apiKey.findUniqueOrThrow({ ...query, where: { id: apiKey.id } }),
      }),
    }),
  },
);
