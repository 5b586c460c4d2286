import { callerOf } from '../../auth/principal.js';
import { notFound } from '../../errors.js';
import { resolveConnection } from '../connections/connection.js';
import {
  compileFilter,
  DateTimeFilter,
  type Filter,
  IdFilter,
  StringFilter,
  searchWhere,
} from '../connections/filter.js';
import { OFFSET_DESCRIPTION, type OrderBy } from '../connections/keyset.js';
import { OrderDirection, orderOf } from '../connections/order.js';
import { builder, expectedUpdatedAt } from './builder.js';
import { Node } from './node.js';

const RoleEnum = builder.enumType('Role', {
  description: 'What a user is in the workspace.',
  values: ['OWNER', 'ADMIN', 'MANAGER', 'MEMBER', 'VIEWER'] as const,
});

export const User = builder.prismaObject('User', {
  description: 'A person of the workspace. The sandbox has users of its own.',
  select: { id: true },
  interfaces: [Node],
  authScopes: { $any: { scope: 'users:read', $granted: 'self' } },
  fields: (t) => ({
    email: t.exposeString('email'),
    name: t.exposeString('name'),
    role: t.expose('role', { type: RoleEnum }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
  }),
});

const UserEdge = builder.edgeObject({ name: 'UserEdge', type: User });
const UserConnection = builder.connectionObject({ name: 'UserConnection', type: User }, UserEdge);

const filterFields = {
  id: { column: 'id' },
  email: { column: 'email', folded: true },
  name: { column: 'name' },
  role: { column: 'role' },
  createdAt: { column: 'createdAt' },
};
const RoleFilter = builder.inputType('RoleFilter', {
  fields: (t) => ({
    eq: t.field({ type: RoleEnum }),
    neq: t.field({ type: RoleEnum }),
    in: t.field({ type: [RoleEnum] }),
    nin: t.field({ type: [RoleEnum] }),
  }),
});
const UserFilter = builder.inputRef<Filter>('UserFilter').implement({
  fields: (t) => ({
    id: t.field({ type: IdFilter }),
    email: t.field({ type: StringFilter }),
    name: t.field({ type: StringFilter }),
    role: t.field({ type: RoleFilter }),
    createdAt: t.field({ type: DateTimeFilter }),
    and: t.field({ type: [UserFilter] }),
    or: t.field({ type: [UserFilter] }),
    not: t.field({ type: UserFilter }),
  }),
});

const columns = {
  createdAt: { name: 'createdAt', kind: 'date' },
  name: { name: 'name', kind: 'string' },
  email: { name: 'email', kind: 'string' },
} as const satisfies Record<string, OrderBy['column']>;
const UserOrder = builder.inputType('UserOrder', {
  fields: (t) => ({
    field: t.field({
      type: builder.enumType('UserOrderField', {
        values: { CREATED_AT: { value: 'createdAt' }, NAME: { value: 'name' }, EMAIL: { value: 'email' } } as const,
      }),
      required: true,
    }),
    direction: t.field({ type: OrderDirection, required: true, defaultValue: 'asc' }),
  }),
});

builder.queryFields((t) => ({
  user: t.prismaField({
    type: User,
    nullable: true,
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
      authScopes: { scope: 'users:read' },
      args: {
        filter: t.arg({ type: UserFilter }),
        search: t.arg.string({ description: 'Words that the name or the email contains.' }),
        orderBy: t.arg({ type: [UserOrder] }),
        offset: t.arg.int({ description: OFFSET_DESCRIPTION }),
      },
      resolve: (_root, args, context, info) => {
        const { provider } = context.services.database;
        return resolveConnection({
          args,
          context,
          info,
          order: orderOf(columns, args.orderBy),
          where: {
            AND: [
              compileFilter(filterFields, args.filter, provider),
              ...searchWhere(args.search, ['name', 'email'], provider),
            ],
          },
          find: (query) => context.db.user.findMany(query),
          count: (query) => context.db.user.count(query),
        });
      },
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
      services.users.create(actor, principal.scopes, input),
  },
  {
    outputFields: (t) => ({
      user: t.prismaField({
        type: User,
        nullable: true,
        resolve: (query, { id }, _args, { db }) => db.user.findUniqueOrThrow({ ...query, where: { id } }),
      }),
    }),
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
      services.users.update(actor, principal.scopes, input),
  },
  {
    outputFields: (t) => ({
      user: t.prismaField({
        type: User,
        nullable: true,
        resolve: (query, { id }, _args, { db }) => db.user.findUniqueOrThrow({ ...query, where: { id } }),
      }),
    }),
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
    resolve: async (_root, { input: { id, revokeKeys, expectedUpdatedAt } }, { services, actor, principal }) => {
      const options = { id, revokeKeys: revokeKeys === true, expectedUpdatedAt };
      const revokedKeys = await services.users.delete(actor, principal.scopes, callerOf(principal), options);
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
