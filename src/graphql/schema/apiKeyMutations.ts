/** Making, changing, rotating and ending API keys: thin over src/keys. */
import { z } from 'zod';
import { callerOf } from '../../auth/principal.js';
import { badInput } from '../../errors.js';
import { check, given, required } from '../../input.js';
import { DEFAULT_GRACE } from '../../keys/apiKeyService.js';
import type { KeyChange } from '../../keys/rules.js';
import { ApiKey, EnvironmentEnum } from './apiKey.js';
import { builder, expectedUpdatedAt, rowField } from './builder.js';
import { KeyOperationsInput, keyOperations, OperationReport } from './keyOperations.js';

const neverNull = z.looseObject({
  name: required(z.string()).optional(),
  scopes: required(z.array(z.string())).optional(),
  autoRenew: required(z.boolean()).optional(),
});

const RateLimitInput = builder.inputType('KeyRateLimitInput', {
  fields: (t) => ({ perMinute: t.int(), perHour: t.int() }),
});

const apiKeyField = (t: object) => rowField<{ apiKey: { id: string } }>(t, 'apiKey', ApiKey, ({ apiKey }) => apiKey.id);

builder.relayMutationField(
  'createApiKey',
  {
    inputFields: (t) => ({
      name: t.string({ required: true, description: '1 to 100 characters.' }),
      description: t.string({ description: 'Up to 500 characters.' }),
      scopes: t.stringList({
        description:
          'Such as tasks:read or tasks:*; an empty list allows nothing. Left out: exactly what the operations need.',
      }),
      operations: t.field({ type: KeyOperationsInput }),
      projects: t.idList({
        description: 'The projects that it sees and changes, and no others. By default as the calling key; null: all.',
      }),
      actsAs: t.id({
        description:
          'A user: what the key makes is theirs, and it may do no more than they. By default as the calling key.',
      }),
      environment: t.field({ type: EnvironmentEnum, description: "By default the calling key's." }),
      expiresAt: t.field({ type: 'DateTime', description: 'By default as the calling key; null: never.' }),
      autoRenew: t.boolean({
        defaultValue: false,
        description: 'Extend by the same term before it lapses (enterprise plan; not by a key that itself expires).',
      }),
      allowedIps: t.stringList({ description: 'CIDR blocks or addresses. By default as the calling key.' }),
      rateLimit: t.field({ type: RateLimitInput }),
    }),
  },
  {
    nullable: true,
    rateLimit: { max: 10, window: 60, countsSuccesses: true },
    description: 'Makes a key, with no more reach than the calling one. `key` is shown this once.',
    authScopes: { scope: 'keys:write' },
    grantScopes: ['self'],
    resolve: async (_root, { input }, context, { schema }) => {
      const { rateLimit, operations: asked, scopes, actsAs, ...request } = input;
      const operations = await keyOperations(asked, context, schema);
      const made = await context.services.keys.create(context.actor, callerOf(context.principal), {
        ...request,
        ...(scopes && { scopes }),
        ...(operations && { operations }),
        ...(actsAs !== undefined && { actsAsId: actsAs }),
        ...(rateLimit && { ratePerMinute: rateLimit.perMinute, ratePerHour: rateLimit.perHour }),
      });
      return { ...made, operations: operations?.operations ?? null };
    },
  },
  {
    outputFields: (t) => ({
      key: t.exposeString('key', { description: 'The key itself. It is not stored and cannot be shown again.' }),
      operations: t.field({
        type: [OperationReport],
        nullable: true,
        description: 'The operations that it was made for, and what each needs.',
        extensions: { size: 100 },
        resolve: ({ operations }) => (operations ? [...operations] : null),
      }),
      ...apiKeyField(t),
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
      projects: t.idList({ description: 'Replaces the projects that it is bound to; null: all.' }),
      actsAs: t.id({ description: 'The user as whom it acts; null: nobody.' }),
      locked: t.boolean({
        description: 'false: it runs any operation again, within its scopes. `lockApiKey` locks it.',
      }),
      expiresAt: t.field({ type: 'DateTime', description: 'null: never.' }),
      autoRenew: t.boolean(),
      allowedIps: t.stringList({ description: 'Replaces the allow-list; null: any address.' }),
      rateLimit: t.field({ type: RateLimitInput, description: 'Changes what is given; null: as the plan has it.' }),
      keepFractions: t.boolean({
        description: 'An expiresAt that is the present one but for the fraction of its second leaves it as it is.',
      }),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description:
      'Changes what is given of a key that works. The key as it was, and as it becomes, must lie within the calling one.',
    authScopes: { scope: 'keys:write' },
    grantScopes: ['self'],
    resolve: async (
      _root,
      { input: { id, rateLimit, expectedUpdatedAt, keepFractions, actsAs, locked, ...input } },
      { services, actor, principal },
    ) => {
      if (locked) throw badInput({ locked: ['must be false; lockApiKey locks a key'] });
      const change = given({
        ...check(neverNull, input),
        ...(actsAs !== undefined && { actsAsId: actsAs }),
        ...(locked === false && { lock: null }),
        ...(keepFractions && { keepFractions }),
        ...(rateLimit === null && { ratePerMinute: null, ratePerHour: null }),
        ...(rateLimit && { ratePerMinute: rateLimit.perMinute, ratePerHour: rateLimit.perHour }),
      });
      const caller = callerOf(principal);
      return { apiKey: await services.keys.update(actor, caller, id, change as KeyChange, expectedUpdatedAt) };
    },
  },
  {
    outputFields: (t) => ({
      ...apiKeyField(t),
    }),
  },
);

builder.relayMutationField(
  'rotateApiKey',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      gracePeriod: t.int({
        defaultValue: DEFAULT_GRACE,
        description: 'Seconds that the old key goes on working; 0: it ends at once.',
      }),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description:
      "Makes a successor with the same reach and expiry, which goes on with the old key's limits. `key` is shown this once.",
    authScopes: { scope: 'keys:write' },
    grantScopes: ['self'],
    rateLimit: { max: 10, window: 60, countsSuccesses: true },
    resolve: (_root, { input: { id, gracePeriod, expectedUpdatedAt } }, { services, actor, principal }) =>
      services.keys.rotate(actor, callerOf(principal), id, gracePeriod ?? DEFAULT_GRACE, expectedUpdatedAt),
  },
  {
    outputFields: (t) => ({
      key: t.exposeString('key', { description: 'The key itself. It is not stored and cannot be shown again.' }),
      ...apiKeyField(t),
    }),
  },
);

builder.relayMutationField(
  'revokeApiKey',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      reason: t.string({ description: 'For the audit log. Up to 200 characters.' }),
      descendants: t.boolean({
        defaultValue: false,
        description: 'Also the keys that it made, and those that they made: all of them, or none.',
      }),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description:
      'Ends a key for good, at once. keys:delete ends any key of the environment, keys:write those within the calling one, and a key may always end itself. Revoking it again changes nothing.',
    authScopes: { $any: { scope: 'keys:delete', $all: { scope: 'keys:write' }, ownKey: 'input.id' } },
    grantScopes: ['self'],
    resolve: (_root, { input: { id, ...options } }, { services, actor, principal }) =>
      services.keys.revoke(actor, callerOf(principal), id, options),
  },
  {
    outputFields: (t) => ({
      ...apiKeyField(t),
      revokedKeys: t.int({
        description: 'How many keys were ended, this one included; none, if they were before.',
        resolve: ({ revoked }) => revoked,
      }),
    }),
  },
);
