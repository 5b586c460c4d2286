/** POST and GET /graphql: authenticate, execute, then tell limits and count the use. */
import type { Context as HttpContext } from 'hono';
import type { Authenticator } from '../auth/authenticator.js';
import { createContext, type Services } from '../auth/context.js';
import { readCredential } from '../auth/credential.js';
import type { Principal } from '../auth/principal.js';
import { type ErrorCode, UNAUTHENTICATED_MESSAGE } from '../errors.js';
import { createGraphQL } from '../graphql/yoga.js';
import { keyStatus } from '../keys/apiKey.js';
import type { UsageRecorder } from '../keys/usage.js';
import { limitHeaders } from '../limits/keyLimits.js';
import type { Logger } from './logger.js';

/** Milliseconds. */
const REQUEST_LIMIT = 30_000;

export interface Variables {
  requestId: string;
  ip: string | null;
  principal?: Principal;
}

interface GraphQLOptions {
  readonly services: Services;
  readonly authenticator: Authenticator;
  readonly usage: UsageRecorder;
  readonly logger: Logger;
}

export function graphqlHandler({ services, authenticator, usage, logger }: GraphQLOptions) {
  const yoga = createGraphQL(logger);

  return async (c: HttpContext<{ Variables: Variables }>): Promise<Response> => {
    const credential = readCredential(c.req.header('authorization'), c.req.header('x-api-key'));
    if (credential.kind === 'conflict') {
      return c.json(
        graphqlError('BAD_USER_INPUT', 'Authorization and x-api-key hold different keys. Send one of them.'),
        400,
      );
    }
    const key = credential.kind === 'key' ? credential.key : '';
    const ip = c.get('ip');
    const request = { id: c.get('requestId'), ip, userAgent: c.req.header('user-agent') ?? null };
    const result = key === '' ? ({ ok: false, reason: 'missing' } as const) : await authenticator.authenticate(key, ip);
    if (!result.ok) {
      const { reason, principal } = result;
      logger.info({ requestId: request.id, reason, keyId: principal?.keyId }, 'refused');
      if (principal) services.keyWatch.refused(principal, reason, { ...request, requestId: request.id });
      const wait = await services.authFailures.count(ip);
      if (wait > 0) {
        c.header('retry-after', String(wait));
        return c.json(
          graphqlError('RATE_LIMITED', `Too many failed authentications. Try again in ${wait} seconds.`),
          429,
        );
      }
      c.header('www-authenticate', 'Bearer');
      return c.json(graphqlError('UNAUTHENTICATED', UNAUTHENTICATED_MESSAGE), 401);
    }
    const { principal } = result;
    c.set('principal', principal);
    const context = createContext(principal, request, authenticator.session(key, ip), services);
    let response: Response;
    try {
      response = await inTime(yoga.fetch(c.req.raw, context), () =>
        c.json(graphqlError('SERVICE_UNAVAILABLE', 'The request took too long.'), 503, { 'retry-after': '1' }),
      );
    } finally {
      for (; context.use.running > 0; context.use.running -= 1) services.executionGate.leave();
    }
    if (response.status === 415) {
      response = c.json(graphqlError('UNSUPPORTED_MEDIA_TYPE', 'Send the operation as application/json.'), 415);
    }
    const { windows } = context.use.limits ?? (await services.keyLimits.peek(principal));
    for (const [name, value] of limitHeaders(windows)) response.headers.set(name, value);
    tellRotation(response.headers, principal);
    usage.record({
      key: principal.apiKey,
      operations: context.use.operations,
      scopes: context.use.scopes,
      status: response.status,
      ip,
      userAgent: request.userAgent,
    });
    return response;
  };
}

/** The answer, or another one when it takes longer than a request may. PostgreSQL cancels its statement as late. */
async function inTime(answer: Response | Promise<Response>, late: () => Response): Promise<Response> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      answer,
      new Promise<Response>((resolve) => {
        timer = setTimeout(() => resolve(late()), REQUEST_LIMIT);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

/** A rotated key says so while it lasts (RFC 9745), and until when (RFC 8594). */
function tellRotation(headers: Headers, { apiKey }: Principal): void {
  if (apiKey.rotatedAt === null || apiKey.graceEndsAt === null || keyStatus(apiKey, new Date()) !== 'ROTATED') return;
  const { expiresAt, graceEndsAt, rotatedAt } = apiKey;
  const end = expiresAt !== null && expiresAt < graceEndsAt ? expiresAt : graceEndsAt;
  headers.set('Deprecation', `@${Math.floor(rotatedAt.getTime() / 1000)}`);
  headers.set('Sunset', end.toUTCString());
}

export function graphqlError(code: ErrorCode | 'PAYLOAD_TOO_LARGE' | 'UNSUPPORTED_MEDIA_TYPE', message: string) {
  return { errors: [{ message, extensions: { code } }] };
}
