/** API keys in the schema: thin over src/keys. */
import { containsText } from '../../db/text.js';
import { badInput, notFound } from '../../errors.js';
import { KEY_STATUSES, KEYS, keyStatus, whereStatus } from '../../keys/apiKey.js';
import { listOf } from '../../keys/authority.js';
import { dayOf, KeyUsage, MAX_NAMES, since, unusedGrants } from '../../keys/usage.js';
import { GRANTABLE, grantsFor, SCOPES, scopeSet } from '../../scopes/scope.js';
import { mentions } from '../connections/filter.js';
import { OFFSET_DESCRIPTION } from '../connections/keyset.js';
import { builder } from './builder.js';
import { enumFilter } from './filters.js';
import { Node } from './node.js';
import { OauthApp } from './oauthApp.js';
import { type ListArgs, rowTable } from './rowTable.js';
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
  description: 'Requests that the key and its successors may make; null: as the plan has it, which is the ceiling.',
  fields: (t) => ({
    perMinute: t.exposeInt('perMinute', { nullable: true }),
    perHour: t.exposeInt('perHour', { nullable: true }),
  }),
});

export const Count = builder.objectRef<{ name: string; count: number }>('NamedCount').implement({
  fields: (t) => ({ name: t.exposeString('name'), count: t.exposeInt('count') }),
});
const DayCount = builder.objectRef<{ day: string; count: number }>('DayCount').implement({
  fields: (t) => ({ day: t.exposeString('day', { description: 'UTC, YYYY-MM-DD' }), count: t.exposeInt('count') }),
});
const SCOPES_COUNT = Object.keys(SCOPES).length;
/** Each of these fields asks the database once more for each key. */
const QUERY_COST = 5;

const KeyUsageType = builder.objectRef<KeyUsage>('KeyUsage').implement({
  fields: (t) => ({
    total: t.int({ extensions: { cost: QUERY_COST }, resolve: (usage) => usage.total() }),
    byDay: t.field({
      type: [DayCount],
      description: 'The last 400 days on which it was used.',
      extensions: { cost: QUERY_COST, size: 90 },
      resolve: (usage) => usage.byDay(),
    }),
    byOperation: t.field({
      type: [Count],
      description: 'The 200 names used most.',
      extensions: { cost: QUERY_COST, size: MAX_NAMES },
      resolve: (usage) => usage.by('operation'),
    }),
    byScope: t.field({
      type: [Count],
      extensions: { cost: QUERY_COST, size: SCOPES_COUNT },
      resolve: (usage) => usage.by('scope'),
    }),
    byStatus: t.field({
      type: [Count],
      extensions: { cost: QUERY_COST },
      resolve: (usage) => usage.by('status'),
    }),
    byNetwork: t.field({
      type: [Count],
      description: 'The 200 networks (IPv4 /24, IPv6 /48) that it was used from most.',
      extensions: { cost: QUERY_COST, size: MAX_NAMES },
      resolve: (usage) => usage.by('network'),
    }),
    byMissingScope: t.field({
      type: [Count],
      description: 'Requests that were refused for want of a scope, by the scope.',
      extensions: { cost: QUERY_COST, size: SCOPES_COUNT },
      resolve: (usage) => usage.by('missing'),
    }),
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

/** The keys that have one of these statuses now. */
const havingStatus = (statuses: readonly string[]) => {
  const now = new Date();
  return { OR: KEY_STATUSES.filter((status) => statuses.includes(status)).map((status) => whereStatus(status, now)) };
};

/** The keys that may do what one of these grants allows, by whichever grants they have it. */
const havingScope = (grants: readonly string[]) => ({
  OR: grants.map((grant) => {
    if (!GRANTABLE.includes(grant)) throw badInput({ filter: [`scope must be one of ${GRANTABLE.join(', ')}`] });
    return {
      AND: [...scopeSet([grant])].map((scope) => ({
        // No name of a grant is part of another's.
        OR: grantsFor(scope).map((held) => ({ scopes: { contains: held } })),
      })),
    };
  }),
});

const ScopeFilter = builder.inputType('ScopeFilter', {
  description: 'What a key may do, by whichever grants: tasks:read is held by tasks:* and admin:* too.',
  fields: (t) => ({
    eq: t.string({ description: 'Holds this scope.' }),
    neq: t.string({ description: 'Does not hold this scope.' }),
    in: t.stringList({ description: 'Holds one of these scopes.' }),
    nin: t.stringList({ description: 'Holds none of these scopes.' }),
    contains: t.string({ description: 'As eq.' }),
  }),
});

const table = rowTable('ApiKey', {
  columns: {
    id: { hidden: true, filter: true },
    name: { filter: true },
    description: {},
    prefix: { description: 'How the key begins.' },
    environment: {
      type: EnvironmentEnum,
      filter: {
        type: enumFilter('EnvironmentFilter', EnvironmentEnum),
        description: "By default the calling key's; an administrator of live sees the keys of the sandbox too.",
      },
    },
    status: { hidden: true, filter: { type: enumFilter('ApiKeyStatusFilter', ApiKeyStatus), having: havingStatus } },
    scope: { hidden: true, filter: { type: ScopeFilter, having: havingScope } },
    actsAsId: {
      description: 'The user as whom it acts: what it makes is theirs, and it may do no more than they.',
      filter: true,
    },
    isLocked: { description: 'Whether it runs the operations of its sets alone.' },
    expiresAt: { filter: true },
    autoRenew: { description: 'Is extended by its term before it lapses.' },
    rotatedAt: {},
    graceEndsAt: { description: 'A rotated key works until then, or until it expires.' },
    successorId: { description: 'The key that it was rotated to.' },
    appId: { description: 'The application that its user lets act as them: its tokens alone open it.', filter: true },
    revokedAt: { filter: true },
    revokedReason: {},
    createdById: {},
    createdByKeyId: { filter: true },
    createdAt: { filter: true },
    updatedAt: {},
  },
});

export const ApiKey = builder.prismaObject('ApiKey', {
  description: 'An API key. The key itself is shown once, when it is made.',
  select: { id: true },
  interfaces: [Node],
  // Whoever may ask for its own key was found to have asked for no other (src/operations/selectedFields.ts).
  authScopes: { $any: { scope: 'keys:read', $granted: 'self', ownKey: '' } },
  fields: (t) => ({
    ...table.fields(t),
    scopes: t.stringList({ select: { scopes: true }, resolve: (key) => listOf(key.scopes) }),
    projectIds: t.idList({
      nullable: true,
      description: 'The projects that it sees and changes; null: all, and what has no project.',
      select: { projectIds: true },
      resolve: (key) => (key.projectIds === null ? null : listOf(key.projectIds)),
    }),
    allowedIps: t.stringList({
      nullable: true,
      description: 'CIDR blocks that it may be used from; null: any address.',
      select: { allowedIps: true },
      resolve: (key) => (key.allowedIps === null ? null : listOf(key.allowedIps)),
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
      type: KeyUsageType,
      description: 'Requests by day, operation, scope and HTTP status. Days are UTC, both ends included.',
      args: {
        from: t.arg({ type: 'DateTime', description: 'By default 30 days ago.' }),
        to: t.arg({ type: 'DateTime', description: 'By default now.' }),
      },
      resolve: ({ id }, { from, to }, { db }) =>
        new KeyUsage(db, id, { gte: from ? dayOf(from) : since(30), lte: dayOf(to ?? new Date()) }),
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
        const used = await db.apiKeyUsage.groupBy({ by: ['value'], where });
        return unusedGrants(scopes, new Set(used.map(({ value }) => value)));
      },
    }),
    createdBy: t.relation('createdBy', { type: User, nullable: true, authScopes: { scope: 'users:read' } }),
    app: t.relation('app', {
      type: OauthApp,
      nullable: true,
      description: "Null for what is no application's, or of one that is deleted.",
      authScopes: { scope: 'keys:read' },
    }),
  }),
});

const ApiKeyEdge = builder.edgeObject({ name: 'ApiKeyEdge', type: ApiKey });
const ApiKeyConnection = builder.connectionObject({ name: 'ApiKeyConnection', type: ApiKey }, ApiKeyEdge);

builder.queryFields((t) => ({
  apiKey: t.prismaField({
    type: ApiKey,
    nullable: true,
    description: 'A key by its id. A key without keys:read may ask for itself.',
    authScopes: { $any: { scope: 'keys:read', ownKey: 'id' } },
    args: { id: t.arg.id({ required: true }) },
    resolve: async (query, _root, { id }, { db }) => {
      const key = await db.apiKey.findUnique({ ...query, where: { id, ...KEYS } });
      if (!key) throw notFound('API key', id);
      return key;
    },
  }),
  apiKeys: t.connection(
    {
      type: ApiKey,
      nullable: true,
      description:
        'The keys of the environment, newest first. An administrator of live asks for those of the sandbox by the filter.',
      authScopes: { scope: 'keys:read' },
      args: {
        filter: t.arg({ type: table.filterInput() }),
        expiringWithinDays: t.arg.int({ description: 'Only keys that still work and expire within these days.' }),
        search: t.arg.string({ description: 'Text that the name contains.' }),
        offset: t.arg.int({ description: OFFSET_DESCRIPTION }),
      },
      ...table.listField(
        ({ search, ...args }: ListArgs & { expiringWithinDays?: number | null | undefined }, context) =>
          table.list(args, context, {
            AND: [
              KEYS,
              mentions(args.filter, 'environment') ? {} : { environment: context.principal.environment },
              expiringWithin(args.expiringWithinDays),
              // As one text, not by its words.
              search ? containsText(context.services.database.provider, 'name', search) : {},
            ],
          }),
      ),
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
