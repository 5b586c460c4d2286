/** The product API for API keys: /v1/api-keys in snake_case, and the limits of the calling key. */
import { z } from 'zod';
import { text } from '../graphql/input.js';
import { GRANTABLE } from '../scopes/scope.js';
import { type CursorPage, cursorHeaders } from './pages.js';
import { type Route, route } from './route.js';
import { atLeastOne, type Change, cursorPage, date, dateOrNull, shownDate, shownId } from './shapes.js';

const summaryShape = { id: shownId, name: z.string(), created_at: shownDate, expires_at: shownDate.nullable() };
const permissionsShape = { permissions: z.array(z.string()) };
const KeySummary = z
  .object({ ...summaryShape, prefix: z.string(), last_used: shownDate.nullable() })
  .meta({ id: 'ApiKeySummary' });
const KeyDetails = z
  .object({
    ...summaryShape,
    ...permissionsShape,
    last_used: shownDate.nullable(),
    usage: z.object({ requests_today: z.int(), requests_this_month: z.int() }),
  })
  .meta({ id: 'ApiKeyDetails' });
const NewKey = z
  .object({ ...summaryShape, ...permissionsShape, key: z.string().meta({ description: 'Shown this once.' }) })
  .meta({ id: 'CreatedApiKey' });

interface CoreKey {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly requestsToday: number;
  readonly requestsThisMonth: number;
}

const CREATED = 'id name scopes createdAt expiresAt';
const DETAILS = `${CREATED} lastUsedAt requestsToday requestsThisMonth`;

const showCreated = ({ apiKey, key }: { apiKey: CoreKey; key: string }) => ({
  id: apiKey.id,
  key,
  name: apiKey.name,
  permissions: apiKey.scopes,
  created_at: apiKey.createdAt,
  expires_at: apiKey.expiresAt,
});
const showDetails = (key: CoreKey) => ({
  id: key.id,
  name: key.name,
  permissions: key.scopes,
  created_at: key.createdAt,
  last_used: key.lastUsedAt,
  expires_at: key.expiresAt,
  usage: { requests_today: key.requestsToday, requests_this_month: key.requestsThisMonth },
});

/** Words that the documents use beside scopes. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  read: ['read'],
  write: ['write'],
  'read/write': ['read', 'write'],
};

/** Scopes as they are; a word stands for its actions of every resource. */
function scopesOf(permissions: readonly string[]): string[] {
  return permissions.flatMap((permission) => {
    const actions = WORDS[permission.toLowerCase()];
    return actions ? GRANTABLE.filter((scope) => actions.includes(scope.slice(scope.indexOf(':') + 1))) : [permission];
  });
}

const list = z.array(z.string()).max(100, 'must have at most 100 entries');
const permissions = z.union([list, z.string().transform((word) => [word])], 'must be a list of scopes').meta({
  description: 'Scopes such as tasks:read, or the words Read, Write and Read/Write for all resources.',
});
const body = {
  name: text(1, 100),
  permissions: permissions.optional(),
  description: text(0, 500).nullish(),
  expires_at: date.nullish(),
  allowed_ips: z.array(z.string()).nullish(),
};
const fields = {
  scopes: 'permissions',
  expiresAt: 'expires_at',
  allowedIps: 'allowed_ips',
  gracePeriod: 'grace_period',
  after: 'cursor',
};

function keyInput({ permissions, expires_at, allowed_ips, ...rest }: Change<typeof body>) {
  return {
    name: rest.name,
    description: rest.description,
    ...(permissions && { scopes: scopesOf(permissions) }),
    expiresAt: dateOrNull(expires_at),
    allowedIps: allowed_ips,
  };
}

export const v1Keys: readonly Route[] = [
  route({
    method: 'get',
    path: '/v1/api-keys',
    summary: 'List API keys, newest first',
    tag: 'V1 API keys',
    query: z.object(cursorPage),
    operation: `query ListKeys($first: Int, $after: String) {
      apiKeys(first: $first, after: $after) {
        nodes { id name prefix lastUsedAt createdAt expiresAt } totalCount pageInfo { hasNextPage endCursor }
      }
    }`,
    variables: ({ query: { limit, cursor } }) => ({ first: limit, after: cursor }),
    status: 200,
    answer: ({ apiKeys }: { apiKeys: CursorPage & { nodes: CoreKey[] } }) => ({
      data: apiKeys.nodes.map((key) => ({
        id: key.id,
        name: key.name,
        prefix: key.prefix,
        last_used: key.lastUsedAt,
        created_at: key.createdAt,
        expires_at: key.expiresAt,
      })),
    }),
    answers: z.object({ data: z.array(KeySummary) }),
    headers: ({ apiKeys }, { url }) => cursorHeaders(apiKeys, url),
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
  }),
  route({
    method: 'patch',
    path: '/v1/api-keys/{id}',
    summary: 'Change what is given of an API key',
    tag: 'V1 API keys',
    body: atLeastOne(body),
    operation: `mutation UpdateKey($input: UpdateApiKeyInput!) { updateApiKey(input: $input) { apiKey { ${DETAILS} } } }`,
    variables: ({ params, body }) => ({ input: { ...keyInput(body), ...params } }),
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
    operation: 'mutation RevokeKey($id: ID!) { revokeApiKey(input: { id: $id }) { apiKey { id } } }',
    status: 204,
  }),
  route({
    method: 'post',
    path: '/v1/api-keys/{id}/rotate',
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
    status: 200,
    answer: ({ rateLimit }: { rateLimit: { limit: number; remaining: number; resetAt: Date } }) => ({
      limit: rateLimit.limit,
      remaining: rateLimit.remaining,
      reset: Math.ceil(rateLimit.resetAt.getTime() / 1000),
      reset_at: rateLimit.resetAt,
    }),
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
