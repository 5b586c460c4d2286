import { z } from 'zod';
import type { Role } from '#prisma/client.js';
import type { Context } from '../auth/context.js';
import type { TenantTransaction } from '../db/tenant.js';
import { ApiError, notFound } from '../errors.js';
import { changesBetween, recordAudit } from '../events/audit.js';
import type { Scope } from '../scopes/scope.js';
import { builder } from './builder.js';
import { resolveConnection } from './connection.js';
import { compileFilter, DateTimeFilter, type Filter, IdFilter, StringFilter, searchWhere } from './filter.js';
import { check, given, required, text } from './input.js';
import { OFFSET_DESCRIPTION, type OrderBy } from './keyset.js';
import { Node } from './node.js';
import { OrderDirection, orderOf } from './order.js';

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
  email: { column: 'email' },
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

const email = z
  .string()
  .trim()
  .toLowerCase()
  .max(254, 'must have at most 254 characters')
  .pipe(z.email('must be an email address'));
const rules = z.object({ email: required(email), name: required(text(1, 100)), role: required(z.string()) });
const changeable = rules.partial();

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
    description: 'Adds a user. OWNER and ADMIN take admin:*.',
    authScopes: { scope: 'users:write' },
    grantScopes: ['self'],
    resolve: async (_root, { input }, context) => {
      const role = input.role ?? 'MEMBER';
      const data = check(rules, { ...input, role });
      mayAssign(context, role);
      const { workspaceId, environment } = context.principal;
      const user = await context.db.$transaction(async (tx) => {
        await checkEmail(tx, data.email);
        const row = await tx.user.create({
          data: { workspaceId, environment, email: data.email, name: data.name, role },
        });
        await recordAudit(tx, context.actor, {
          action: 'user.create',
          targetType: 'User',
          targetId: row.id,
          changes: changesBetween({}, { email: row.email, name: row.name, role }),
        });
        return row;
      });
      return { id: user.id };
    },
  },
  {
    outputFields: (t) => ({
      user: t.prismaField({
        type: User,
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
    }),
  },
  {
    description: 'Changes what is given of a user. A user who is OWNER or ADMIN, or becomes one, takes admin:*.',
    authScopes: { scope: 'users:write' },
    grantScopes: ['self'],
    resolve: async (_root, { input: { id, keepRole, ...input } }, context) => {
      const data = given(check(changeable, input)) as { email?: string; name?: string; role?: Role };
      await context.db.$transaction(async (tx) => {
        const before = await tx.user.findUnique({ where: { id } });
        if (!before) throw notFound('user', id);
        mayAssign(context, before.role);
        if (keepRole?.some((role) => role === before.role)) delete data.role;
        if (data.role) {
          mayAssign(context, data.role);
          if (data.role !== 'OWNER') await keepAnOwner(tx, before);
        }
        if (data.email !== undefined && data.email !== before.email) await checkEmail(tx, data.email);
        await tx.user.update({ where: { id }, data });
        const changes = changesBetween(before, data);
        await recordAudit(tx, context.actor, { action: 'user.update', targetType: 'User', targetId: id, changes });
      });
      return { id };
    },
  },
  {
    outputFields: (t) => ({
      user: t.prismaField({
        type: User,
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
    }),
  },
  {
    description:
      'Removes a user. Their tasks stay, unassigned; keys that they made stay too, for a key belongs to the workspace.',
    authScopes: { scope: 'users:delete' },
    resolve: async (_root, { input: { id, revokeKeys } }, context) => {
      if (revokeKeys && !REVOKERS.some((scope) => context.principal.scopes.has(scope))) throw needs('keys:delete');
      // Before the user goes, for with the user goes what says whose keys they are.
      const known = await context.db.user.findUnique({ where: { id }, select: { role: true } });
      if (!known) throw notFound('user', id);
      mayAssign(context, known.role);
      const revokedKeys = revokeKeys ? await context.services.keys.revokeOfUser(context.actor, id) : 0;
      await context.db.$transaction(async (tx) => {
        const before = await tx.user.findUnique({ where: { id } });
        if (!before) throw notFound('user', id);
        mayAssign(context, before.role);
        await keepAnOwner(tx, before);
        await tx.user.delete({ where: { id } });
        await recordAudit(tx, context.actor, {
          action: 'user.delete',
          targetType: 'User',
          targetId: id,
          changes: { email: { from: before.email }, name: { from: before.name }, role: { from: before.role } },
        });
      });
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

/** Who holds users:write alone must not make owners, or touch one. */
function mayAssign({ principal }: Context, role: Role): void {
  if ((role === 'OWNER' || role === 'ADMIN') && !principal.scopes.has('admin:*')) throw needs('admin:*');
}

const REVOKERS = ['keys:delete', 'keys:write'] as const;

function needs(scope: Scope): ApiError {
  return new ApiError('FORBIDDEN', `This takes the scope ${scope}.`, {
    requiredScopes: [scope],
    missingScopes: [scope],
  });
}

async function keepAnOwner(tx: Pick<Context['db'], 'user'>, user: { id: string; role: Role }): Promise<void> {
  if (user.role !== 'OWNER') return;
  const others = await tx.user.count({ where: { role: 'OWNER', id: { not: user.id } } });
  if (others === 0) throw new ApiError('CONFLICT', 'The last owner of a workspace must stay one.');
}

/** @throws CONFLICT that says what is taken; the unique index says the same of two at once, in fewer words */
async function checkEmail(tx: TenantTransaction, email: string): Promise<void> {
  const taken = await tx.user.findFirst({ where: { email }, select: { id: true } });
  if (!taken) return;
  throw new ApiError('CONFLICT', 'There is a user with this email already.', { fields: { email: ['is taken'] } });
}
