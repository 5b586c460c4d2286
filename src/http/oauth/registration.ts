/**
 * POST /api/auth/oauth2/register (RFC 7591), where the operator has it: an application is registered by a program. The key of an
 * administrator is the initial access token (3), for an application that anybody could register would be one that nobody knows.
 */
import { z } from 'zod';
import { APP_SCOPES } from '../../apps/appService.js';
import { callerOf, mustAdminister } from '../../auth/principal.js';
import { ApiError } from '../../errors.js';
import type { Services } from '../../graphql/context.js';
import { hasBadText } from '../../storable.js';
import { announcedBytes, isJson, readJson } from '../body.js';
import type { RunKeyed } from '../gateway.js';

const METHODS = ['client_secret_basic', 'client_secret_post', 'none'] as const;

/** What others than these name, is left out of the answer, as 2 has it. */
const metadata = z.object({
  client_name: z.string(),
  redirect_uris: z.array(z.string()),
  token_endpoint_auth_method: z.enum(METHODS).default('client_secret_basic'),
  grant_types: z.array(z.enum(['authorization_code', 'refresh_token'])).optional(),
  response_types: z.array(z.literal('code')).optional(),
  scope: z.string().optional(),
});

export function registrationEndpoint({ apps, clock }: Services): RunKeyed {
  return async (c, context) => {
    const { meter, principal, actor } = context;
    await meter.begin(false, announcedBytes(c) ?? 0);
    if (c.req.method !== 'POST') {
      throw new ApiError('METHOD_NOT_ALLOWED', 'Send a POST request.', { allow: 'POST' });
    }
    mustAdminister(principal);
    if (!isJson(c.req.header('content-type')))
      throw new ApiError('UNSUPPORTED_MEDIA_TYPE', 'Send JSON, as application/json.');
    const parsed = metadata.safeParse(await readJson(c, context));
    const refuse = (error: string, description: string) => c.json({ error, error_description: description }, 400);
    if (!parsed.success || hasBadText(parsed.data)) {
      const [issue] = parsed.error?.issues ?? [];
      const isUri = issue?.path[0] === 'redirect_uris';
      const words = issue
        ? `${issue.path.join('.') || 'The body'}: ${issue.message}`
        : 'It has text that cannot be stored.';
      return refuse(isUri ? 'invalid_redirect_uri' : 'invalid_client_metadata', words);
    }
    const { client_name: name, redirect_uris: redirectUris, token_endpoint_auth_method: method, scope } = parsed.data;
    const scopes = scope?.split(' ').filter(Boolean) ?? APP_SCOPES.filter((one) => one.endsWith(':read'));
    try {
      const input = { name, redirectUris, scopes };
      const { id, clientSecret } = await apps.create(actor, callerOf(principal), input, method !== 'none');
      const secret = clientSecret !== null && { client_secret: clientSecret, client_secret_expires_at: 0 };
      c.header('cache-control', 'no-store');
      return c.json(
        {
          ...{ client_id: id, ...secret, client_id_issued_at: Math.floor(clock().getTime() / 1000) },
          ...{ client_name: name.trim(), redirect_uris: redirectUris, token_endpoint_auth_method: method },
          ...{ grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] },
          scope: scopes.join(' '),
        },
        201,
      );
    } catch (error) {
      const fields = error instanceof ApiError && (error.details['fields'] as Record<string, string[]> | undefined);
      if (!fields) throw error;
      const names: Record<string, string> = { name: 'client_name', redirectUris: 'redirect_uris', scopes: 'scope' };
      const words = Object.entries(fields).map(
        ([field, problems]) => `${names[field] ?? field} ${problems.join('; ')}`,
      );
      return refuse('redirectUris' in fields ? 'invalid_redirect_uri' : 'invalid_client_metadata', words.join('; '));
    }
  };
}
