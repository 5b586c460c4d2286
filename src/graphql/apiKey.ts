/** API keys in the schema: thin over src/keys. */
import { containsText } from '../db/text.js';
import { badInput, notFound } from '../errors.js';
import { keyStatus, list } from '../keys/apiKey.js';
import { dayOf, since, type UsageReport, unusedGrants, usageReport } from '../keys/usage.js';
import { builder } from './builder.js';
import { resolveConnection } from './connection.js';
import { compileFilter, DateTimeFilter, type Filter, IdFilter, StringFilter } from './filter.js';
import { Node } from './node.js';
import { NEWEST_FIRST } from './order.js';
import { User } from './user.js';

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

const Count = builder.objectRef<{ name: string; count: number }>('NamedCount').implement({
  fields: (t) => ({ name: t.exposeString('name'), count: t.exposeInt('count') }),
});
const DayCount = builder.objectRef<{ day: string; count: number }>('DayCount').implement({
  fields: (t) => ({ day: t.exposeString('day', { description: 'UTC, YYYY-MM-DD' }), count: t.exposeInt('count') }),
});
const KeyUsage = builder.objectRef<UsageReport>('KeyUsage').implement({
  fields: (t) => ({
    total: t.exposeInt('total'),
    byDay: t.field({ type: [DayCount], resolve: ({ byDay }) => [...byDay] }),
    byOperation: t.field({ type: [Count], resolve: ({ byOperation }) => [...byOperation] }),
    byScope: t.field({ type: [Count], resolve: ({ byScope }) => [...byScope] }),
    byStatus: t.field({ type: [Count], resolve: ({ byStatus }) => [...byStatus] }),
  }),
});

const LAST_USE = { lastUse: true } as const;
const firstOfMonth = () => `${dayOf(new Date()).slice(0, 8)}01`;
const thisMonth = () =>
  ({
    usage: { where: { dimension: 'total', day: { gte: firstOfMonth() } }, select: { day: true, count: true } },
  }) as const;
const sumFrom = (rows: readonly { day: string; count: number }[], from: string) =>
  rows.reduce((sum, row) => (row.day >= from ? sum + row.count : sum), 0);

/** Each of these fields asks the database once more for each key. */
const QUERY_COST = 5;

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
    autoRenew: t.exposeBoolean('autoRenew', { description: 'Is extended by its term before it lapses.' }),
    rotatedAt: t.expose('rotatedAt', { type: 'DateTime', nullable: true }),
    graceEndsAt: t.expose('graceEndsAt', {
      type: 'DateTime',
      nullable: true,
      description: 'A rotated key works until then, or until it expires.',
    }),
    successorId: t.exposeID('successorId', { nullable: true, description: 'The key that it was rotated to.' }),
    revokedReason: t.exposeString('revokedReason', { nullable: true }),
    lastUsedAt: t.field({
      type: 'DateTime',
      nullable: true,
      select: LAST_USE,
      resolve: (key) => key.lastUse?.at ?? null,
    }),
    lastUsedIp: t.string({ nullable: true, select: LAST_USE, resolve: (key) => key.lastUse?.ip ?? null }),
    lastUsedUserAgent: t.string({ nullable: true, select: LAST_USE, resolve: (key) => key.lastUse?.userAgent ?? null }),
    requestsToday: t.int({
      description: 'Since midnight, UTC.',
      select: thisMonth,
      resolve: (key) => sumFrom(key.usage, dayOf(new Date())),
    }),
    requestsThisMonth: t.int({
      description: 'Since the first of the month, UTC.',
      select: thisMonth,
      resolve: (key) => sumFrom(key.usage, firstOfMonth()),
    }),
    usage: t.field({
      type: KeyUsage,
      description: 'Requests by day, operation, scope and HTTP status. Days are UTC, both ends included.',
      args: {
        from: t.arg({ type: 'DateTime', description: 'By default 30 days ago.' }),
        to: t.arg({ type: 'DateTime', description: 'By default now.' }),
      },
      extensions: { cost: QUERY_COST },
      resolve: async ({ id }, { from, to }, { db }) => {
        const day = { gte: from ? dayOf(from) : since(30), lte: dayOf(to ?? new Date()) };
        return usageReport(await db.apiKeyUsage.findMany({ where: { keyId: id, day } }));
      },
    }),
    unusedScopes: t.stringList({
      description: 'Granted scopes of which nothing was used in these days: what the key could do without.',
      args: { days: t.arg.int({ defaultValue: 90 }) },
      extensions: { cost: QUERY_COST },
      select: { scopes: true },
      resolve: async ({ id, scopes }, { days }, { db }) => {
        const span = days ?? 90;
        if (span < 1 || span > 3650) throw badInput({ days: ['must be from 1 to 3650'] });
        const where = { keyId: id, dimension: 'scope', day: { gte: since(span) } };
        const used = await db.apiKeyUsage.findMany({ where, select: { value: true } });
        return unusedGrants(scopes, new Set(used.map(({ value }) => value)));
      },
    }),
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
        expiringWithinDays: t.arg.int({ description: 'Only keys that still work and expire within these days.' }),
        search: t.arg.string({ description: 'Text that the name contains.' }),
      },
      resolve: (_root, args, context, info) => {
        const { provider } = context.services.database;
        return resolveConnection({
          args,
          context,
          info,
          order: [NEWEST_FIRST],
          where: {
            AND: [
              compileFilter(filterFields, args.filter, provider),
              expiringWithin(args.expiringWithinDays),
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

/** Keys that work now and will have expired that many days from now. */
function expiringWithin(days: number | null | undefined): object {
  if (days == null) return {};
  if (days < 1 || days > 3650) throw badInput({ expiringWithinDays: ['must be from 1 to 3650'] });
  const now = Date.now();
  return { revokedAt: null, rotatedAt: null, expiresAt: { gt: new Date(now), lte: new Date(now + days * 86_400_000) } };
}
