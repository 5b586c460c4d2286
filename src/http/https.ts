/** Plain HTTP where HTTPS is required is refused before its key is looked at; afterwards the key is flagged. */
import type { Context, MiddlewareHandler } from 'hono';
import type { Authenticator } from '../auth/authenticator.js';
import { readCredential } from '../auth/credential.js';
import { ApiError } from '../errors.js';
import type { KeyMonitor } from '../keys/keyMonitor.js';
import { inBlocks } from '../keys/network.js';
import { envelopeOf, prefixOf } from './envelope.js';
import type { HttpEnvironment } from './environment.js';
import { originOf } from './origin.js';
import { isProbe } from './probes.js';

interface HttpsOptions {
  readonly authenticator: Authenticator;
  readonly keyMonitor: KeyMonitor;
  /** Proxies whose X-Forwarded-Proto is believed. */
  readonly trustProxy: readonly string[];
}

interface Socket {
  readonly remoteAddress?: string | undefined;
  readonly encrypted?: boolean;
}

/** Whether the client spoke TLS, to this server or to a proxy that is believed. */
export function isSecure(c: Context<HttpEnvironment>, trustProxy: readonly string[]): boolean {
  return spokeTls(c.env.incoming?.socket, c.req.header('x-forwarded-proto'), trustProxy);
}

/** @param forwarded X-Forwarded-Proto */
export function spokeTls(
  socket: Socket | undefined,
  forwarded: string | undefined,
  trustProxy: readonly string[],
): boolean {
  if (socket?.encrypted === true) return true;
  const scheme = forwarded?.split(',').at(-1)?.trim();
  return scheme === 'https' && inBlocks(socket?.remoteAddress ?? null, trustProxy);
}

export function requireHttps({
  authenticator,
  keyMonitor,
  trustProxy,
}: HttpsOptions): MiddlewareHandler<HttpEnvironment> {
  return async (c, next) => {
    if (isSecure(c, trustProxy) || isProbe(c.req.path)) return next();
    const credential = readCredential(c.req.header('authorization'), c.req.header('x-api-key'));
    const origin = originOf(c);
    if (credential.kind === 'key') {
      // After the answer: a key that crossed the network in the clear should be rotated.
      setImmediate(() => {
        authenticator.authenticate(credential.key, origin.ip).then(
          ({ principal }) => principal && keyMonitor.refused(principal, 'plain_http', origin),
          () => {},
        );
      });
    }
    const error = new ApiError('HTTPS_REQUIRED', 'HTTPS is required. A key sent over plain HTTP should be rotated.');
    const { status, body } = envelopeOf(prefixOf(c.req.path), error, c.get('requestId'));
    // Both forms where a GraphQL client may read it, because the client is not known yet.
    const errors = [{ message: error.message, extensions: { code: error.code } }];
    return c.json(c.req.path === '/graphql' ? { ...body, errors } : body, status);
  };
}
