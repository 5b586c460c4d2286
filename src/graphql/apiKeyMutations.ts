/** Making, changing, rotating and ending API keys: thin over src/keys. */
import { z } from 'zod';
import type { KeyChange } from '../keys/rules.js';
import { ApiKey, EnvironmentEnum } from './apiKey.js';
import { builder } from './builder.js';
import { check, given, required } from './input.js';

const neverNull = z.looseObject({
  name: required(z.string()).optional(),
  scopes: required(z.array(z.string())).optional(),
  autoRenew: required(z.boolean()).optional(),
});

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
      autoRenew: t.boolean({
        defaultValue: false,
        description: 'Extend by the same term before it lapses (enterprise plan).',
      }),
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
  'updateApiKey',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      name: t.string(),
      description: t.string(),
      scopes: t.stringList({ description: 'Replaces all scopes.' }),
      expiresAt: t.field({ type: 'DateTime', description: 'null: never.' }),
      autoRenew: t.boolean(),
      allowedIps: t.stringList({ description: 'Replaces the allow-list; null: any address.' }),
      rateLimit: t.field({ type: RateLimitInput }),
    }),
  },
  {
    description: 'Changes what is given of a key that works. The key as it becomes must lie within the calling one.',
    authScopes: { scope: 'keys:write' },
    grantScopes: ['self'],
    resolve: async (_root, { input: { id, rateLimit, ...input } }, { services, actor, principal }) => {
      const change = given({
        ...check(neverNull, input),
        ...(rateLimit !== undefined && {
          ratePerMinute: rateLimit?.perMinute ?? null,
          ratePerHour: rateLimit?.perHour ?? null,
        }),
      });
      return { apiKey: await services.keys.update(actor, principal.bounds, id, change as KeyChange) };
    },
  },
  {
    outputFields: (t) => ({
      apiKey: t.prismaField({
        type: ApiKey,
        resolve: (query, { apiKey }, _args, { db }) =>
          db.apiKey.findUniqueOrThrow({ ...query, where: { id: apiKey.id } }),
      }),
    }),
  },
);

builder.relayMutationField(
  'rotateApiKey',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      gracePeriod: t.int({
        defaultValue: 86_400,
        description: 'Seconds that the old key goes on working; 0: it ends at once.',
      }),
    }),
  },
  {
    description: 'Makes a successor with the same reach and expiry. `key` is shown this once.',
    authScopes: { scope: 'keys:write' },
    grantScopes: ['self'],
    rateLimit: { max: 10, window: 60 },
    resolve: (_root, { input: { id, gracePeriod } }, { services, actor, principal }) =>
      services.keys.rotate(actor, principal.bounds, id, gracePeriod ?? 86_400),
  },
  {
    outputFields: (t) => ({
      key: t.exposeString('key', { description: 'The key itself. It is not stored and cannot be shown again.' }),
      apiKey: t.prismaField({
        type: ApiKey,
        resolve: (query, { apiKey }, _args, { db }) =>
          db.apiKey.findUniqueOrThrow({ ...query, where: { id: apiKey.id } }),
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
