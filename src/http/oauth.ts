/**
 * POST /api/auth/oauth2/token: the client-credentials flow (RFC 6749 4.4) with a key's id as the client and the key as
 * its secret, by HTTP Basic or in the body. Errors are in that document's form.
 */
import type { Logger } from 'pino';
import { issueToken } from '../auth/accessTokens.js';
import type { Authenticator } from '../auth/authenticator.js';
import { ApiError } from '../errors.js';
import type { Services } from '../graphql/context.js';
import { parseKey } from '../keys/format.js';
import { limitHeaders } from '../limits/keyLimits.js';
import type { KeyedContext } from './environment.js';
import { failedAuthentication } from './failedAuthentication.js';
import { originOf } from './origin.js';

type OAuthError = 'invalid_request' | 'invalid_client' | 'invalid_scope' | 'unsupported_grant_type' | 'slow_down';

class OAuthFailure extends Error {
  constructor(
    readonly code: OAuthError,
    message: string,
    readonly status: 400 | 401 | 405 | 429 = 400,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

interface Client {
  readonly id: string;
  readonly secret: string;
}

export function tokenEndpoint(services: Services, authenticator: Authenticator, logger: Logger) {
  const failed = failedAuthentication(services, logger);
  return async (c: KeyedContext): Promise<Response> => {
    // RFC 6749 5.1
    c.header('cache-control', 'no-store');
    c.header('pragma', 'no-cache');
    try {
      if (c.req.method === 'OPTIONS') return c.body(null, 204, { allow: 'POST, OPTIONS' });
      if (c.req.method !== 'POST') {
        throw new OAuthFailure('invalid_request', 'Send a POST request.', 405, { allow: 'POST, OPTIONS' });
      }
      const form = await readForm(c);
      const client = readClient(c.req.header('authorization'), form);
      const grant = form.get('grant_type');
      if (grant === null) throw new OAuthFailure('invalid_request', 'grant_type is missing.');
      if (grant !== 'client_credentials') {
        throw new OAuthFailure('unsupported_grant_type', 'The only grant_type is client_credentials.');
      }
      return await grantToken(c, client, form.get('scope'));
    } catch (error) {
      if (!(error instanceof OAuthFailure)) throw error;
      const { code, message, status, headers } = error;
      return c.json({ error: code, error_description: message }, status, headers);
    }
  };

  async function grantToken(c: KeyedContext, client: Client, scope: string | null): Promise<Response> {
    const origin = originOf(c);
    // A token is no secret of a client: it would renew itself for ever.
    const proof = parseKey(client.secret)
      ? await authenticator.authenticate(client.secret, origin.ip)
      : ({ ok: false, reason: 'malformed' } as const);
    if (!proof.ok || proof.principal.keyId !== client.id) {
      const wait = await failed(proof.ok ? { reason: 'malformed' } : proof, origin);
      if (wait > 0) throw slowDown(`Too many failed authentications. Try again in ${wait} seconds.`, wait);
      throw invalidClient();
    }
    const { principal } = proof;
    c.set('principal', principal);
    const result = await services.keyLimits.consume(principal, 1);
    const limits = Object.fromEntries(limitHeaders(result, Date.now()));
    const { allowed, retryAfter } = result;
    if (!allowed) throw slowDown(`Rate limit exceeded. Try again in ${retryAfter} seconds.`, retryAfter, limits);
    const { workspaceId, environment, keyId, userId } = principal;
    const actor = { workspaceId, environment, keyId, userId, ...origin };
    const wanted = scope?.split(' ').filter(Boolean);
    try {
      const asked = wanted?.length ? wanted : undefined;
      const { token, expiresIn, scopes } = await issueToken(services.units, actor, principal, asked);
      const body = { access_token: token, token_type: 'Bearer', expires_in: expiresIn, scope: scopes.join(' ') };
      return c.json(body, 200, limits);
    } catch (error) {
      if (error instanceof ApiError && error.code === 'FORBIDDEN')
        throw new OAuthFailure('invalid_scope', error.message);
      throw error;
    }
  }
}

async function readForm(c: KeyedContext): Promise<URLSearchParams> {
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(c.req.header('content-type') ?? '')) {
    throw new OAuthFailure('invalid_request', 'Send the parameters as application/x-www-form-urlencoded.');
  }
  const form = new URLSearchParams(await c.req.text());
  for (const name of form.keys()) {
    if (form.getAll(name).length > 1) throw new OAuthFailure('invalid_request', 'A parameter is there twice.');
  }
  return form;
}

/** By HTTP Basic, each part form-encoded (RFC 6749 2.3.1), or in the body, and not both. */
function readClient(authorization: string | undefined, form: URLSearchParams): Client {
  const [id, secret] = [form.get('client_id'), form.get('client_secret')];
  const basic = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(authorization ?? '')?.[1];
  if (basic === undefined) {
    if (id === null || secret === null) throw invalidClient();
    return { id, secret };
  }
  if (secret !== null) throw new OAuthFailure('invalid_request', 'Authenticate in one way, not in two.');
  const [, user = '', password = ''] = /^([^:]*):(.*)$/s.exec(Buffer.from(basic, 'base64').toString()) ?? [];
  try {
    return { id: decodeURIComponent(user), secret: decodeURIComponent(password) };
  } catch {
    throw invalidClient();
  }
}

function invalidClient(): OAuthFailure {
  return new OAuthFailure('invalid_client', 'The client is unknown, or its secret is not the right one.', 401, {
    'www-authenticate': 'Basic realm="taskgate", charset="UTF-8"',
  });
}

function slowDown(message: string, seconds: number, headers: Readonly<Record<string, string>> = {}): OAuthFailure {
  return new OAuthFailure('slow_down', message, 429, { ...headers, 'retry-after': String(seconds) });
}
