import { callerOf } from '../../auth/principal.js';
import { notFound } from '../../errors.js';
import { OFFSET_DESCRIPTION } from '../connections/keyset.js';
import { oneRow } from '../plans/source.js';
import { builder, expectedUpdatedAt, rowField } from './builder.js';
import { chargeUser } from './charges.js';
import { enumFilter } from './filters.js';
import { Node } from './node.js';
import { type ListArgs, rowTable } from './rowTable.js';

export const RoleEnum = builder.enumType('Role', {
  description: 'What a user is in the workspace.',
  values: ['OWNER', 'ADMIN', 'MANAGER', 'MEMBER', 'VIEWER'] as const,
});

const table = rowTable('User', {
  search: ['name', 'email'],
  columns: {
    id: { hidden: true, filter: true },
    email: { filter: { folded: true }, order: true },
    name: { filter: true, order: true },
    role: { type: RoleEnum, filter: { type: enumFilter('RoleFilter', RoleEnum) } },
    me: {
      hidden: true,
      filter: {
        ...{ type: 'Boolean', description: 'Whether it is the user as whom the key acts.' },
        holds: ({ userId, onDependence }) => {
          onDependence();
          return { id: { in: userId === null ? [] : [userId] } };
        },
      },
    },
    createdAt: { filter: true, order: true },
    updatedAt: {},
  },
});

export const User = builder.prismaObject('User', {
  description: 'A person of the workspace. The sandbox has users of its own.',
  select: { id: true },
  interfaces: [Node],
  authScopes: { $any: { scope: 'users:read', $granted: 'self' } },
  fields: (t) => ({
    ...table.fields(t),
    canSignIn: t.boolean({
      description: 'Whether somebody has an account as this user. Of users of the live environment.',
      select: { personId: true },
      resolve: ({ personId }) => personId !== null,
    }),
  }),
});

const UserEdge = builder.edgeObject({ name: 'UserEdge', type: User });
const UserConnection = builder.connectionObject({ name: 'UserConnection', type: User }, UserEdge);

builder.queryFields((t) => ({
  user: t.prismaField({
    type: User,
    ...oneRow('User', 'user'),
    nullable: true,
    description: 'By its id.',
    authScopes: { scope: 'users:read' },
    args: { id: t.arg.id({ required: true }) },
    resolve: async (query, _root, { id }, { db }) => {
      const user = await db.user.findUnique({ ...query, where: { id } });
      if (!user) throw notFound('user', id);
      return user;
    },
  }),
  users: t.connection(
    {
      type: User,
      nullable: true,
      description: 'The users of the workspace in the environment of the key, newest first where no order is given.',
      authScopes: { scope: 'users:read' },
      args: {
        filter: t.arg({ type: table.filterInput() }),
        search: t.arg.string({ description: 'Words that the name or the email contains.' }),
        orderBy: t.arg({ type: [table.orderInput()] }),
        offset: t.arg.int({ description: OFFSET_DESCRIPTION }),
      },
      ...table.listField((args: ListArgs, context) => table.list(args, context)),
    },
    UserConnection,
    UserEdge,
  ),
}));

builder.relayMutationField(
  'createUser',
  {
    inputFields: (t) => ({
      email: t.string({ required: true }),
      name: t.string({ required: true }),
      role: t.field({ type: RoleEnum, defaultValue: 'MEMBER' }),
    }),
  },
  {
    nullable: true,
    description: 'Adds a user. OWNER and ADMIN take admin:*.',
    authScopes: { scope: 'users:write' },
    grantScopes: ['self'],
    resolve: (_root, { input }, { services, actor, principal }) =>
      services.users.create(actor, principal.authority.scopes, input),
  },
  {
    outputFields: (t) => rowField(t, 'user', User),
  },
);

builder.relayMutationField(
  'updateUser',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      email: t.string(),
      name: t.string(),
      role: t.field({ type: RoleEnum }),
      keepRole: t.field({
        type: [RoleEnum],
        description: 'Where the user has one of these roles, it stays: for clients that know fewer.',
      }),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description: 'Changes what is given of a user. A user who is OWNER or ADMIN, or becomes one, takes admin:*.',
    authScopes: { scope: 'users:write' },
    grantScopes: ['self'],
    resolve: (_root, { input }, { services, actor, principal }) =>
      services.users.update(actor, principal.authority.scopes, callerOf(principal), input),
  },
  {
    outputFields: (t) => rowField(t, 'user', User),
  },
);

builder.relayMutationField(
  'deleteUser',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      revokeKeys: t.boolean({
        defaultValue: false,
        description: 'Also revokes the keys that they made; takes keys:delete.',
      }),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description:
      'Removes a user. Their tasks stay, unassigned; keys that they made stay too, for a key belongs to the workspace.',
    authScopes: { scope: 'users:delete' },
    resolve: async (_root, { input: { id, revokeKeys, expectedUpdatedAt } }, context) => {
      const { services, actor, principal } = context;
      await chargeUser(context, id);
      const options = { id, revokeKeys: revokeKeys === true, expectedUpdatedAt };
      const revokedKeys = await services.users.delete(actor, principal.authority.scopes, callerOf(principal), options);
      return { deletedUserId: id, revokedKeys };
    },
  },
  {
    outputFields: (t) => ({
      deletedUserId: t.exposeID('deletedUserId'),
      revokedKeys: t.exposeInt('revokedKeys', { description: 'How many keys were revoked with the user.' }),
    }),
  },
);
