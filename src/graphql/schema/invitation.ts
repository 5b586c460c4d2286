/** Invitations: how people come to sign in as users of a workspace. */
import { callerOf } from '../../auth/principal.js';
import { builder, rowField } from './builder.js';
import { type ListArgs, rowTable } from './rowTable.js';
import { RoleEnum } from './user.js';

const table = rowTable('Invitation', {
  columns: {
    id: { filter: true },
    email: { filter: true },
    role: { type: RoleEnum },
    createdById: {},
    createdByKeyId: {},
    createdAt: { filter: true },
    expiresAt: { filter: true },
    acceptedAt: { filter: true },
    revokedAt: { filter: true },
  },
});

const Invitation = builder.prismaObject('Invitation', {
  description:
    'That somebody may sign in, as a user of the role, through a link that was shown once. Invitations are of the live environment.',
  select: { id: true },
  authScopes: { $any: { scope: 'users:write', $granted: 'self' } },
  fields: (t) => table.fields(t),
});

const InvitationEdge = builder.edgeObject({ name: 'InvitationEdge', type: Invitation });
const InvitationConnection = builder.connectionObject(
  { name: 'InvitationConnection', type: Invitation },
  InvitationEdge,
);

builder.queryField('invitations', (t) =>
  t.connection(
    {
      type: Invitation,
      nullable: true,
      description: 'Newest first.',
      authScopes: { scope: 'users:write' },
      args: { filter: t.arg({ type: table.filterInput() }) },
      ...table.listField((args: ListArgs, context) => table.list(args, context)),
    },
    InvitationConnection,
    InvitationEdge,
  ),
);

builder.relayMutationField(
  'inviteUser',
  {
    inputFields: (t) => ({
      email: t.string({ required: true, description: 'Whose account it will be.' }),
      role: t.field({ type: RoleEnum, required: true }),
    }),
  },
  {
    nullable: true,
    description:
      'Makes an invitation for a week; 60 a minute. The caller must hold what the role gives, for all projects and without end. One that was open for the same email ends.',
    rateLimit: { max: 60, window: 60 },
    authScopes: { scope: 'users:write' },
    grantScopes: ['self'],
    resolve: (_root, { input }, { services, actor, principal }) =>
      services.invitations.invite(actor, callerOf(principal), input),
  },
  {
    outputFields: (t) => ({
      ...rowField(t, 'invitation', Invitation),
      emailed: t.exposeBoolean('emailed', { description: 'Whether the link is sent by e-mail too.' }),
      token: t.exposeString('token', { description: 'The link is /invitation# and this. Shown once.' }),
    }),
  },
);

builder.relayMutationField(
  'revokeInvitation',
  { inputFields: (t) => ({ id: t.id({ required: true }) }) },
  {
    nullable: true,
    description: 'Takes an invitation back, so that its link opens nothing; again changes nothing.',
    authScopes: { scope: 'users:write' },
    grantScopes: ['self'],
    resolve: (_root, { input }, { services, actor, principal }) =>
      services.invitations.revoke(actor, callerOf(principal), input.id),
  },
  { outputFields: (t) => rowField(t, 'invitation', Invitation) },
);
