/** A credential that does not work, wherever it was sent: counted by reason and address, logged, and reported to the key's workspace. */
import type { Logger } from 'pino';
import type { Principal } from '../auth/principal.js';
import { ApiError, rateLimited, UNAUTHENTICATED_MESSAGE } from '../errors.js';
import type { Services } from '../graphql/context.js';
import type { Refusal } from '../keys/apiKey.js';
import { addressOf } from '../limits/addressLimits.js';
import type { Origin } from './origin.js';

type Failed = (
  failure: { readonly reason: Refusal; readonly principal?: Principal | undefined },
  origin: Origin,
) => Promise<number>;

/** @returns a function that answers the seconds to wait when the address has failed too often, else 0 */
export function failedAuthentication(
  { metrics, keyMonitor, addressLimits }: Pick<Services, 'metrics' | 'keyMonitor' | 'addressLimits'>,
  logger: Logger,
): Failed {
  return async ({ reason, principal }, origin) => {
    metrics.authenticationFailed(reason);
    logger.info({ requestId: origin.requestId, reason, keyId: principal?.keyId }, 'refused');
    if (principal) keyMonitor.refused(principal, reason, origin);
    const wait = await addressLimits.failed(origin.ip);
    if (wait > 0 && reason === 'unknown') {
      const address = addressOf(origin.ip);
      keyMonitor.guessed(address);
      logger.warn({ address }, 'keys that nobody has are tried');
    }
    return wait;
  };
}

/**
 * What is answered to a credential that does not work. A client with a token is asked to get another one (RFC 6750 3.1),
 * judged by the token's form alone.
 * @param wait seconds, of an address that has failed too often
 */
export function credentialRefusal(credential: string, wait: number): ApiError {
  if (wait > 0) return rateLimited(`Too many failed authentications. Try again in ${wait} seconds.`, wait);
  const challenge = /^at_(?:live|test)_/.test(credential) ? 'Bearer error="invalid_token"' : 'Bearer';
  return new ApiError('UNAUTHENTICATED', UNAUTHENTICATED_MESSAGE, { challenge });
}
