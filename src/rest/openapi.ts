/** OpenAPI 3.1 from the table of routes: the same rules that the requests are read by. */
import { z } from 'zod';
import { createDocument, type ZodOpenApiPathsObject, type ZodOpenApiResponseObject } from 'zod-openapi';
import { SCOPES } from '../scopes/scope.js';
import { parametersOf, type Route } from './route.js';
import { routes } from './routes.js';

const ErrorEnvelope = z
  .object({
    error: z.object({
      code: z.string(),
      message: z.string(),
      details: z.record(z.string(), z.unknown()).optional().meta({ description: 'By field, or the missing scopes.' }),
    }),
    message: z.string(),
    code: z.string().optional(),
    errors: z.record(z.string(), z.array(z.string())).optional().meta({ description: 'All problems, by field.' }),
    requestId: z.string(),
  })
  .meta({ id: 'Error' });

const failure = (description: string): ZodOpenApiResponseObject => ({
  description,
  content: { 'application/json': { schema: ErrorEnvelope } },
});

const DESCRIPTION = `Tasks and projects behind API keys. Every request carries a key, as \`Authorization: Bearer <key>\` or
\`x-api-key: <key>\`; what a key may do, its scopes say, and each operation names those it needs. POST requests take an
\`Idempotency-Key\`; answers to GET carry an \`ETag\`; every answer carries \`X-Request-Id\` and the limits of the key.
The same data, and more of it, is at \`/graphql\`.`;

/** @param version of the server */
export function openApiDocument(version: string) {
  const paths: Record<string, Record<string, unknown>> = {
    '/api/auth/oauth2/token': { post: TOKEN_OPERATION },
  };
  for (const row of routes) paths[row.path] = { ...paths[row.path], [row.method]: operationOf(row) };
  return createDocument({
    openapi: '3.1.0',
    info: { title: 'Taskgate', version, description: DESCRIPTION, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, { apiKey: [] }, { oauth2: [] }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    paths: paths as ZodOpenApiPathsObject,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API key, sk_live_... or sk_test_...' },
        apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
        oauth2: {
          type: 'oauth2',
          flows: { clientCredentials: { tokenUrl: '/api/auth/oauth2/token', scopes: { ...SCOPES } } },
        },
      },
    },
  });
}

function operationOf(route: Route) {
  const { method, path, summary, tag, operation, query, body, bodyOptional, status, answers } = route;
  const names = parametersOf(route);
  const header = { 'Idempotency-Key': z.string().max(255).optional() };
  const takes = names.length > 0 || query || method === 'post';
  const scopes = operation.scopes.map((scope) => `\`${scope}\``).join(' and ');
  return {
    operationId:
      method === 'patch' && path.startsWith('/api/') ? `${operation.name}ByPatch` : idOf(operation.name, path),
    summary,
    tags: [tag],
    description: scopes === '' ? 'Any key may ask.' : `Needs ${scopes}.`,
    ...(takes && {
      requestParams: {
        ...(names.length > 0 && { path: z.object(Object.fromEntries(names.map((name) => [name, z.string()]))) }),
        ...(query && { query }),
        ...(method === 'post' && { header: z.object(header) }),
      },
    }),
    ...(body && { requestBody: { required: !bodyOptional, content: { 'application/json': { schema: body } } } }),
    responses: {
      [status]: answers
        ? { description: summary, content: { 'application/json': { schema: answers } } }
        : { description: 'Done.' },
      ...(method === 'get' && { 304: { description: 'Not changed since the tag of If-None-Match.' } }),
      ...((names.length > 0 || body) && { 404: failure('There is no such row in the workspace of the key.') }),
      ...((body || query) && { 400: failure('Something is wrong with the request.') }),
      ...(body && path.startsWith('/v1/') && { 422: failure('A field is missing or wrong.') }),
      401: failure('The key is missing, invalid, expired or revoked.'),
      403: failure('The key lacks a scope; details say which.'),
      429: failure('The key, or the address, has reached its limit; Retry-After says how long.'),
      default: failure('What else may go wrong.'),
    },
  };
}

/** Several paths run the same operation; what is written out at the end of a path tells them apart. */
function idOf(name: string, path: string): string {
  const [, part = ''] = /\/(status|priority|assignee|due-date|title|description|unarchive)(?:\/|$)/.exec(path) ?? [];
  return part === '' ? name : `${name}_${part.replace('-', '_')}`;
}

const OAuthError = z.object({ error: z.string(), error_description: z.string() }).meta({ id: 'OAuthError' });
const oauthFailure = (description: string) => ({
  description,
  content: { 'application/json': { schema: OAuthError } },
});

const TOKEN_OPERATION = {
  operationId: 'CreateAccessToken',
  summary: 'Get an access token for an hour',
  tags: ['OAuth'],
  description:
    "The client-credentials flow (RFC 6749 4.4): HTTP Basic with a key's id and the key. The token dies with the key.",
  security: [],
  requestBody: {
    required: true,
    content: {
      'application/x-www-form-urlencoded': {
        schema: z.object({
          grant_type: z.literal('client_credentials'),
          scope: z.string().optional().meta({ description: 'Fewer scopes than the key holds, with spaces between.' }),
          client_id: z.string().optional(),
          client_secret: z.string().optional(),
        }),
      },
    },
  },
  responses: {
    200: {
      description: 'The token.',
      content: {
        'application/json': {
          schema: z
            .object({
              access_token: z.string(),
              token_type: z.literal('Bearer'),
              expires_in: z.int().meta({ description: 'Seconds.' }),
              scope: z.string(),
            })
            .meta({ id: 'AccessToken' }),
        },
      },
    },
    400: oauthFailure('invalid_request, unsupported_grant_type or invalid_scope.'),
    401: oauthFailure('invalid_client.'),
    429: oauthFailure('slow_down.'),
    default: failure('What else may go wrong.'),
  },
};
