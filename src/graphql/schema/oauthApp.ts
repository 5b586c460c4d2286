/** Applications of others that users may let act as them (OAuth 2.1). */
import { callerOf } from '../../auth/principal.js';
import { notFound } from '../../errors.js';
import { listOf } from '../../keys/authority.js';
import { builder, expectedUpdatedAt, type InputFields, rowField } from './builder.js';
import { Node } from './node.js';
import { type ListArgs, rowTable } from './rowTable.js';

const table = rowTable('OauthApp', {
  columns: {
    id: { hidden: true, filter: true },
    name: { filter: true },
    description: {},
    createdById: {},
    createdByKeyId: {},
    createdAt: { filter: true },
    updatedAt: {},
  },
});

export const OauthApp = builder.prismaObject('OauthApp', {
  description:
    'An application of somebody else, by OAuth 2.1; its id is its client_id. What users let it do are API keys with its appId.',
  select: { id: true },
  interfaces: [Node],
  authScopes: { $any: { scope: 'keys:read', $granted: 'self' } },
  fields: (t) => ({
    ...table.fields(t),
    redirectUris: t.stringList({
      description: 'Where its users are sent back to.',
      select: { redirectUris: true },
      resolve: ({ redirectUris }) => listOf(redirectUris),
    }),
    scopes: t.stringList({
      description: 'The most that it may ask for.',
      select: { scopes: true },
      resolve: ({ scopes }) => listOf(scopes),
    }),
    isConfidential: t.boolean({
      description: 'Whether it keeps a secret, as one on a server can.',
      select: { secretHash: true },
      resolve: ({ secretHash }) => secretHash !== null,
    }),
  }),
});

const OauthAppEdge = builder.edgeObject({ name: 'OauthAppEdge', type: OauthApp });
const OauthAppConnection = builder.connectionObject({ name: 'OauthAppConnection', type: OauthApp }, OauthAppEdge);

builder.queryFields((t) => ({
  oauthApp: t.prismaField({
    type: OauthApp,
    nullable: true,
    description: 'By its id.',
    authScopes: { scope: 'keys:read' },
    args: { id: t.arg.id({ required: true }) },
    resolve: async (query, _root, { id }, { db }) => {
      const app = await db.oauthApp.findUnique({ ...query, where: { id } });
      if (!app) throw notFound('application', id);
      return app;
    },
  }),
  oauthApps: t.connection(
    {
      type: OauthApp,
      nullable: true,
      description: 'Newest first.',
      authScopes: { scope: 'keys:read' },
      args: { filter: t.arg({ type: table.filterInput() }) },
      ...table.listField((args: ListArgs, context) => table.list(args, context)),
    },
    OauthAppConnection,
    OauthAppEdge,
  ),
}));

const DESCRIPTIONS = {
  redirectUris:
    'At most 10: https, http on the machine itself (any port then), or a scheme like com.example.app:. Compared letter by letter.',
  scopes:
    'The most that it may ask for; none by which it could outlast its access (admin:*, keys:write, users:write and the like).',
} as const;

const given = (t: InputFields, required: boolean) => ({
  name: t.string({ required, description: 'What users are asked about.' }),
  description: t.string(),
  redirectUris: t.stringList({ required, description: DESCRIPTIONS.redirectUris }),
  scopes: t.stringList({ required, description: DESCRIPTIONS.scopes }),
});

builder.relayMutationField(
  'createOauthApp',
  {
    inputFields: (t) => ({
      ...given(t, true),
      isConfidential: t.boolean({
        defaultValue: true,
        description: 'Whether it keeps a secret; false for one in a browser, on a phone or at a command line.',
      }),
    }),
  },
  {
    nullable: true,
    description: 'Registers an application. What it can do, each user decides at /oauth/authorize.',
    authScopes: { scope: 'admin:*' },
    grantScopes: ['self'],
    resolve: (_root, { input: { isConfidential, ...input } }, { services, actor, principal }) =>
      services.apps.create(actor, callerOf(principal), input as never, isConfidential ?? true),
  },
  {
    outputFields: (t) => ({
      ...rowField(t, 'oauthApp', OauthApp),
      clientSecret: t.exposeString('clientSecret', {
        nullable: true,
        description: 'Shown once. Null: the application keeps none.',
      }),
    }),
  },
);

builder.relayMutationField(
  'updateOauthApp',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      ...given(t, false),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description: 'Changes an application. Scopes that it may not ask for any more, the access that it has loses too.',
    authScopes: { scope: 'admin:*' },
    grantScopes: ['self'],
    resolve: (_root, { input: { id, expectedUpdatedAt: expected, ...change } }, { services, actor, principal }) =>
      services.apps.update(actor, callerOf(principal), id, change as never, expected),
  },
  { outputFields: (t) => rowField(t, 'oauthApp', OauthApp) },
);

builder.relayMutationField(
  'rotateOauthAppSecret',
  { inputFields: (t) => ({ id: t.id({ required: true }) }) },
  {
    nullable: true,
    description: 'A new secret; the one before opens nothing any more. The access that users gave goes on.',
    authScopes: { scope: 'admin:*' },
    grantScopes: ['self'],
    resolve: (_root, { input }, { services, actor, principal }) =>
      services.apps.rotateSecret(actor, callerOf(principal), input.id),
  },
  {
    outputFields: (t) => ({
      ...rowField(t, 'oauthApp', OauthApp),
      clientSecret: t.exposeString('clientSecret', { nullable: true, description: 'Shown once.' }),
    }),
  },
);

builder.relayMutationField(
  'deleteOauthApp',
  { inputFields: (t) => ({ id: t.id({ required: true }) }) },
  {
    nullable: true,
    description: 'Removes an application, with all access that users gave it.',
    authScopes: { scope: 'admin:*' },
    resolve: (_root, { input }, { services, actor, principal }) =>
      services.apps.delete(actor, callerOf(principal), input.id),
  },
  {
    outputFields: (t) => ({
      id: t.exposeID('id'),
      ended: t.exposeInt('ended', { description: 'API keys that ended with it.' }),
    }),
  },
);
