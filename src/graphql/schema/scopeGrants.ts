/** Scopes for a while: asked for by the key that lacks them, decided by another. */
import { callerOf } from '../../auth/principal.js';
import { listOf } from '../../keys/authority.js';
import { GRANT_STATUSES, type GrantStatus, grantStatus, whereGrantStatus } from '../../keys/scopeGrants.js';
import { ApiKey } from './apiKey.js';
import { builder, rowField } from './builder.js';
import { enumFilter } from './filters.js';
import { type ListArgs, rowTable } from './rowTable.js';
import { Viewer } from './viewer.js';

const ScopeGrantStatus = builder.enumType('ScopeGrantStatus', {
  values: {
    PENDING: { description: 'Nobody has decided.' },
    ACTIVE: { description: 'The key has the scopes, until it ends.' },
    ENDED: {},
    DENIED: {},
    LAPSED: { description: 'Nobody decided within seven days.' },
  } as const satisfies Record<GrantStatus, object>,
});

const havingStatus = (statuses: readonly string[]) => {
  const now = new Date();
  return {
    OR: GRANT_STATUSES.filter((status) => statuses.includes(status)).map((status) => whereGrantStatus(status, now)),
  };
};

const table = rowTable('ScopeGrant', {
  columns: {
    id: {},
    keyId: { filter: true },
    status: {
      hidden: true,
      filter: { type: enumFilter('ScopeGrantStatusFilter', ScopeGrantStatus), having: havingStatus },
    },
    reason: {},
    minutes: { description: 'For which the scopes were asked.' },
    createdAt: { filter: true },
    decidedAt: {},
    decidedByKeyId: { description: 'The key that decided; null: nobody yet, or the command line.' },
    endsAt: { description: 'Approved: when it lapses, or was ended.' },
  },
});

const ScopeGrant = builder.prismaObject('ScopeGrant', {
  description: 'Scopes that a key asked for, for a while.',
  select: { id: true },
  authScopes: { $any: { scope: 'keys:read', $granted: 'self' } },
  fields: (t) => ({
    ...table.fields(t),
    scopes: t.stringList({ select: { scopes: true }, resolve: ({ scopes }) => listOf(scopes) }),
    status: t.field({
      type: ScopeGrantStatus,
      select: { createdAt: true, decidedAt: true, endsAt: true },
      resolve: (grant, _args, { services }) => grantStatus(grant, services.clock()),
    }),
    apiKey: t.relation('key', { type: ApiKey, nullable: true, authScopes: { scope: 'keys:read' } }),
  }),
});

const ScopeGrantEdge = builder.edgeObject({ name: 'ScopeGrantEdge', type: ScopeGrant });
const ScopeGrantConnection = builder.connectionObject(
  { name: 'ScopeGrantConnection', type: ScopeGrant },
  ScopeGrantEdge,
);

builder.queryField('scopeGrants', (t) =>
  t.connection(
    {
      type: ScopeGrant,
      nullable: true,
      description: 'Newest first.',
      authScopes: { scope: 'keys:read' },
      args: { filter: t.arg({ type: table.filterInput() }) },
      ...table.listField((args: ListArgs, context) => table.list(args, context)),
    },
    ScopeGrantConnection,
    ScopeGrantEdge,
  ),
);

const MOST_OWN = 20;

builder.objectField(Viewer, 'grants', (t) =>
  t.prismaField({
    type: [ScopeGrant],
    description: `What the key asked for, the latest first; the ${MOST_OWN} latest.`,
    extensions: { cost: 5, size: 5 },
    resolve: (query, { keyId }, _args, { db }) =>
      db.scopeGrant.findMany({ ...query, where: { keyId }, orderBy: { createdAt: 'desc' }, take: MOST_OWN }),
  }),
);

/** Requests for scopes a minute: each is an alert to people. */
const ASKED_A_MINUTE = 10;
const grantField = (t: object) => rowField(t, 'scopeGrant', ScopeGrant);

builder.relayMutationField(
  'requestScopes',
  {
    inputFields: (t) => ({
      scopes: t.stringList({ required: true, description: 'Which the calling key lacks.' }),
      reason: t.string({ required: true, description: 'For those who decide. 1 to 500 characters.' }),
      minutes: t.int({ required: true, description: 'From the approval on; at most a day.' }),
    }),
  },
  {
    nullable: true,
    description:
      'Asks for scopes for a while. Any key may ask; a key whose authority covers them decides. They lapse by themselves, and are handed on to no other key.',
    grantScopes: ['self'],
    rateLimit: { max: ASKED_A_MINUTE, window: 60 },
    resolve: (_root, { input }, { services, actor, principal }) =>
      services.scopeGrants.request(actor, principal.keyId, input),
  },
  { outputFields: (t) => grantField(t) },
);

builder.relayMutationField(
  'approveGrant',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      minutes: t.int({ description: 'Fewer than were asked for.' }),
    }),
  },
  {
    nullable: true,
    description: 'Gives a key what it asked for, from now on.',
    authScopes: { scope: 'keys:write' },
    grantScopes: ['self'],
    resolve: (_root, { input: { id, minutes } }, { services, actor, principal }) =>
      services.scopeGrants.approve(actor, callerOf(principal), id, minutes),
  },
  { outputFields: (t) => grantField(t) },
);

builder.relayMutationField(
  'denyGrant',
  { inputFields: (t) => ({ id: t.id({ required: true }) }) },
  {
    nullable: true,
    description: 'Refuses a key what it asked for.',
    authScopes: { scope: 'keys:write' },
    grantScopes: ['self'],
    resolve: (_root, { input: { id } }, { services, actor, principal }) =>
      services.scopeGrants.deny(actor, callerOf(principal), id),
  },
  { outputFields: (t) => grantField(t) },
);

builder.relayMutationField(
  'endGrant',
  { inputFields: (t) => ({ id: t.id({ required: true }) }) },
  {
    nullable: true,
    description: 'Takes back what was granted, at once.',
    authScopes: { scope: 'keys:write' },
    grantScopes: ['self'],
    resolve: (_root, { input: { id } }, { services, actor, principal }) =>
      services.scopeGrants.end(actor, callerOf(principal), id),
  },
  { outputFields: (t) => grantField(t) },
);
