/** A request that fails as a whole, in the words of the path that it was sent to. */
import type { Context as HttpContext } from 'hono';
import type { Logger } from 'pino';
import { databaseError } from '../db/databaseError.js';
import { ApiError, HTTP_STATUS } from '../errors.js';
import { envelopeOf, prefixOf } from './envelope.js';
import type { JsonAnswer } from './send.js';

export function errorAnswer(path: string, error: ApiError, requestId: string) {
  if (path !== '/graphql') return envelopeOf(prefixOf(path), error, requestId);
  const { code, message } = error;
  const { challenge = 'Bearer', ...details } = error.details;
  const { retryAfter } = details;
  const headers: Record<string, string> = {};
  if (retryAfter !== undefined) headers['retry-after'] = String(retryAfter);
  if (code === 'UNAUTHENTICATED') headers['www-authenticate'] = String(challenge);
  return { status: HTTP_STATUS[code], body: { errors: [{ message, extensions: { code, ...details } }] }, headers };
}

/** The same as an outcome, for what keeps or sends it later. */
export function refusalAnswer(c: HttpContext, error: ApiError): JsonAnswer {
  c.set('refusal', error.code);
  const { status, body, headers } = errorAnswer(c.req.path, error, c.get('requestId'));
  return { status, body: JSON.stringify(body), headers };
}

/** What is answered where something failed; what nobody expected is logged, and nothing of it is told. */
export function failureOf(error: unknown, requestId: string, logger: Logger): ApiError {
  const known = error instanceof ApiError ? error : databaseError(error);
  if (known) return known;
  logger.error({ err: error, requestId }, 'request failed');
  return new ApiError('INTERNAL_SERVER_ERROR', 'Something went wrong on our side.');
}

/** For the header Allow. @param methods that a path has handlers for */
export function allowed(methods: readonly string[]): string {
  return [...new Set([...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'])].join(', ');
}

export const methodNotAllowed = (method: string, allow: string): ApiError =>
  new ApiError('METHOD_NOT_ALLOWED', `${method} is not allowed here; ${allow} are.`, { allow });

export function refuse(c: HttpContext, error: ApiError): Response {
  // For the log.
  c.set('refusal', error.code);
  const { status, body, headers } = errorAnswer(c.req.path, error, c.get('requestId'));
  return c.json(body, status, headers);
}
