/** The product API for API keys: /v1/api-keys in snake_case, and the limits of the calling key. */

import { z } from 'zod';
import { rate, text } from '../../input.js';
import { MAX_PAGE } from '../../operations/pageLimits.js';
import { type CorePage, PAGE, pageQuery } from '../pages.js';
import { type Route, route } from '../route.js';
import {
  atLeastOne,
  boolean,
  type Change,
  date,
  dateOrNull,
  type Moment,
  seconds,
  shownDate,
  shownId,
} from '../shapes.js';

const STATUSES = ['active', 'rotated', 'expired', 'revoked'] as const;
const summaryShape = { id: shownId, name: z.string(), created_at: shownDate, expires_at: shownDate.nullable() };
const permissionsShape = { permissions: z.array(z.string()) };
const KeySummary = z
  .object({
    ...summaryShape,
    prefix: z.string(),
    last_used: shownDate.nullable(),
    status: z.enum(STATUSES).optional(),
    revoked_at: shownDate.nullable().optional(),
  })
  .meta({ id: 'ApiKeySummary' });
const KeyDetails = z
  .object({
    ...summaryShape,
    ...permissionsShape,
    last_used: shownDate.nullable(),
    status: z.enum(STATUSES),
    revoked_at: shownDate.nullable(),
    environment: z.enum(['live', 'test']),
    rate_limit: z
      .object({ per_minute: z.int().nullable(), per_hour: z.int().nullable() })
      .meta({ description: "The key's own numbers; null: as the plan has them." }),
    usage: z.object({ requests_today: z.int(), requests_this_month: z.int() }),
  })
  .meta({ id: 'ApiKeyDetails' });
const NewKey = z
  .object({ ...summaryShape, ...permissionsShape, key: z.string().meta({ description: 'Shown this once.' }) })
  .meta({ id: 'CreatedApiKey' });

interface CoreRateLimit {
  readonly limit: number;
  readonly remaining: number;
  readonly resetAt: Moment;
}

interface CoreKey {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: readonly string[];
  readonly createdAt: Moment;
  readonly lastUsedAt: Moment | null;
  readonly updatedAt: Moment;
  readonly expiresAt: Moment | null;
  readonly status: Uppercase<(typeof STATUSES)[number]>;
  readonly revokedAt: Moment | null;
  readonly environment: 'LIVE' | 'TEST';
  readonly rateLimit: { readonly perMinute: number | null; readonly perHour: number | null };
  readonly requestsToday: number;
  readonly requestsThisMonth: number;
}

const CREATED = 'id name scopes createdAt expiresAt';
const STATE = 'status revokedAt';
const DETAILS = `${CREATED} ${STATE} updatedAt lastUsedAt requestsToday requestsThisMonth environment rateLimit { perMinute perHour }`;

const showCreated = ({ apiKey, key }: { apiKey: CoreKey; key: string }) => ({
  id: apiKey.id,
  key,
  name: apiKey.name,
  permissions: apiKey.scopes,
  created_at: seconds(apiKey.createdAt),
  expires_at: seconds(apiKey.expiresAt),
});
const showState = ({ status, revokedAt }: CoreKey) => ({
  status: status.toLowerCase(),
  revoked_at: seconds(revokedAt),
});
const showDetails = (key: CoreKey) => ({
  id: key.id,
  name: key.name,
  permissions: key.scopes,
  created_at: seconds(key.createdAt),
  last_used: seconds(key.lastUsedAt),
  expires_at: seconds(key.expiresAt),
  ...showState(key),
  environment: key.environment.toLowerCase(),
  rate_limit: { per_minute: key.rateLimit.perMinute, per_hour: key.rateLimit.perHour },
  usage: { requests_today: key.requestsToday, requests_this_month: key.requestsThisMonth },
});

/** Words that the documents use beside scopes. */
const WORDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['read', ['read']],
  ['write', ['write']],
  ['read/write', ['read', 'write']],
]);
/** What the words are about: the resources of the documents, and none that came later. */
const RESOURCES = ['tasks', 'projects', 'users'];

/** Scopes as they are; a word stands for its actions of the documented resources. */
function scopesOf(permissions: readonly string[]): string[] {
  return permissions.flatMap((permission) => {
    const actions = WORDS.get(permission.toLowerCase());
    return actions?.flatMap((action) => RESOURCES.map((resource) => `${resource}:${action}`)) ?? [permission];
  });
}

const list = z.array(z.string()).max(100, 'must have at most 100 entries');
const permissions = z.union([list, z.string().transform((word) => [word])], 'must be a list of scopes').meta({
  description: 'Scopes such as tasks:read, or the words Read, Write and Read/Write for tasks, projects and users.',
});
const body = {
  name: text(1, 100),
  permissions: permissions.optional(),
  description: text(0, 500).nullish(),
  expires_at: date.nullish(),
  allowed_ips: z.array(z.string()).nullish(),
  rate_limit: z
    .object({ per_minute: rate.nullish(), per_hour: rate.nullish() })
    .refine((limits) => Object.keys(limits).length > 0, 'must have per_minute or per_hour')
    .nullish()
    .meta({ description: "The key's own numbers, no more than the plan's; null: as the plan has them." }),
};
const fields = {
  scopes: 'permissions',
  expiresAt: 'expires_at',
  allowedIps: 'allowed_ips',
  rateLimit: 'rate_limit',
  gracePeriod: 'grace_period',
  after: 'cursor',
};

function keyInput({ permissions, expires_at, allowed_ips, rate_limit, ...rest }: Change<typeof body>) {
  return {
    name: rest.name,
    description: rest.description,
    ...(permissions && { scopes: scopesOf(permissions) }),
    expiresAt: dateOrNull(expires_at),
    allowedIps: allowed_ips,
    ...(rate_limit !== undefined && {
      rateLimit: rate_limit && { perMinute: rate_limit.per_minute, perHour: rate_limit.per_hour },
    }),
  };
}

export const v1Keys: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/api-keys',
    summary: 'List API keys, newest first',
    tag: 'V1 API keys',
    query: z.object({ include_revoked: boolean.optional(), ...pageQuery(MAX_PAGE) }),
    operation: `query ListKeys($first: Int, $after: String, $offset: Int, $filter: ApiKeyFilter) {
      apiKeys(first: $first, after: $after, offset: $offset, filter: $filter) {
        nodes { id name prefix lastUsedAt createdAt expiresAt ${STATE} } ${PAGE}
      }
    }`,
    variables: ({ query: { include_revoked } }) => (include_revoked ? {} : { filter: { status: { neq: 'REVOKED' } } }),
    status: 200,
    answer: ({ apiKeys }: { apiKeys: CorePage<CoreKey> }, { query: { include_revoked } }) => ({
      data: apiKeys.nodes.map((key) => ({
        id: key.id,
        name: key.name,
        prefix: key.prefix,
        last_used: seconds(key.lastUsedAt),
        created_at: seconds(key.createdAt),
        expires_at: seconds(key.expiresAt),
        ...(include_revoked && showState(key)),
      })),
    }),
    answers: z.object({ data: z.array(KeySummary) }),
    list: { page: ({ apiKeys }) => apiKeys },
    fields,
  }),
  route({
    method: 'post',
    path: '/v1/api-keys',
    summary: 'Create an API key, with no more reach than the calling one',
    tag: 'V1 API keys',
    body: z.object({ ...body, environment: z.enum(['live', 'test']).optional() }).meta({ id: 'NewApiKey' }),
    operation: `mutation CreateKey($input: CreateApiKeyInput!) {
      createApiKey(input: $input) { key apiKey { ${CREATED} } }
    }`,
    variables: ({ body: { environment, ...rest } }) => ({
      input: { scopes: [], ...keyInput(rest), ...(environment && { environment: environment.toUpperCase() }) },
    }),
    status: 201,
    answer: ({ createApiKey }: { createApiKey: { apiKey: CoreKey; key: string } }) => showCreated(createApiKey),
    answers: NewKey,
    fields,
    secret: true,
  }),
  route({
    method: 'get',
    path: '/v1/api-keys/{id}',
    summary: 'Get an API key with its use',
    tag: 'V1 API keys',
    operation: `query GetKey($id: ID!) { apiKey(id: $id) { ${DETAILS} } }`,
    status: 200,
    answer: ({ apiKey }: { apiKey: CoreKey }) => showDetails(apiKey),
    answers: KeyDetails,
    version: ({ apiKey }) => apiKey.updatedAt,
    stable: ({ last_used: _, usage: __, ...rest }: ReturnType<typeof showDetails>) => rest,
  }),
  route({
    method: 'patch',
    path: '/v1/api-keys/{id}',
    summary: 'Change what is given of an API key',
    tag: 'V1 API keys',
    body: atLeastOne(body),
    operation: `mutation UpdateKey($input: UpdateApiKeyInput!) { updateApiKey(input: $input) { apiKey { ${DETAILS} } } }`,
    variables: ({ params, body }) => ({ input: { ...keyInput(body), ...params, keepFractions: true } }),
    status: 200,
    answer: ({ updateApiKey: { apiKey } }: { updateApiKey: { apiKey: CoreKey } }) => showDetails(apiKey),
    answers: KeyDetails,
    fields,
  }),
  route({
    method: 'delete',
    path: '/v1/api-keys/{id}',
    summary: 'Revoke an API key, for good and at once',
    tag: 'V1 API keys',
    operation: `mutation RevokeKey($id: ID!, $expectedUpdatedAt: DateTime) {
      revokeApiKey(input: { id: $id, expectedUpdatedAt: $expectedUpdatedAt }) { apiKey { id } }
    }`,
    status: 200,
    answer: (_data: unknown, { params }) => ({ id: params['id'], deleted: true }),
    answers: z.object({ id: shownId, deleted: z.literal(true) }).meta({ id: 'RevokedApiKey' }),
  }),
  route({
    method: 'post',
    path: '/v1/api-keys/{id}/rotate',
    of: '/v1/api-keys/{id}',
    summary: 'Make a successor; the old key works on for the grace period',
    tag: 'V1 API keys',
    body: z.object({
      grace_period: z
        .int()
        .min(0, 'must not be negative')
        .max(2_592_000, 'must be at most 30 days, 2592000')
        .optional()
        .meta({
          description: 'Seconds; by default a day, and 0 ends the old key at once.',
        }),
    }),
    bodyOptional: true,
    operation: `mutation RotateKey($input: RotateApiKeyInput!) {
      rotateApiKey(input: $input) { key apiKey { ${CREATED} } }
    }`,
    variables: ({ params, body: { grace_period } }) => ({ input: { ...params, gracePeriod: grace_period } }),
    status: 201,
    answer: ({ rotateApiKey }: { rotateApiKey: { apiKey: CoreKey; key: string } }) => showCreated(rotateApiKey),
    answers: NewKey,
    fields,
    secret: true,
  }),
  route({
    method: 'get',
    path: '/v1/rate-limit',
    summary: 'How the calling key stands, in its widest window',
    tag: 'V1 limits',
    operation: 'query GetRateLimit { rateLimit { limit remaining resetAt } }',
    isLook: true,
    status: 200,
    answer: ({ rateLimit: { limit, remaining, resetAt } }: { rateLimit: CoreRateLimit }) => {
      const reset = Math.ceil(new Date(resetAt).getTime() / 1000);
      return { limit, remaining, reset, reset_at: seconds(new Date(reset * 1000)) };
    },
    answers: z
      .object({
        limit: z.int(),
        remaining: z.int(),
        reset: z.int().meta({ description: 'Seconds since 1970.' }),
        reset_at: shownDate,
      })
      .meta({ id: 'RateLimit' }),
  }),
];
