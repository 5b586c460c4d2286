/** Idempotency-Key on requests that make something: sent again, they answer what they answered first. */
import type { Context } from '../auth/context.js';
import { type Claim, fingerprintOf } from '../db/idempotency.js';
import { ApiError, badInput } from '../errors.js';
import type { Scope } from '../scopes/scope.js';
import type { KeyedContext } from './gateway.js';
import type { Outcome } from './send.js';

const MOST_CHARACTERS = 255;
/** Refusals that the caller can mend or wait out, after which the same request should run. */
const PASSING = new Set([401, 403, 429]);

/**
 * @param scopes what the request needs: one that is going to be refused claims nothing
 * @throws ApiError BAD_USER_INPUT when the key came with another request, CONFLICT while the first one runs
 */
export async function once(
  c: KeyedContext,
  context: Context,
  body: string,
  scopes: readonly string[],
  run: () => Promise<Outcome>,
): Promise<Outcome> {
  const idempotencyKey = c.req.header('idempotency-key');
  if (idempotencyKey === undefined) return run();
  if (idempotencyKey === '' || idempotencyKey.length > MOST_CHARACTERS) {
    throw badInput({ 'Idempotency-Key': [`must have 1 to ${MOST_CHARACTERS} characters`] });
  }
  const { principal, services } = context;
  const { idempotency, keyLimits } = services;
  const { keyId, workspaceId, environment } = principal;
  const { windows } = await keyLimits.peek(principal);
  const refused =
    scopes.some((scope) => !principal.scopes.has(scope as Scope)) || windows.some(({ remaining }) => remaining < 1);
  if (refused) return run();
  const claim: Claim = {
    ...{ keyId, workspaceId, environment, idempotencyKey },
    credential: c.get('credential') ?? '',
    fingerprint: fingerprintOf(c.req.method, c.req.path, body),
  };
  const claimed = await idempotency.claim(claim);
  // Whoever runs the request is charged there; asking again is a request too.
  if (claimed.kind !== 'first') context.use.limits = await keyLimits.consume(principal, 1);
  switch (claimed.kind) {
    case 'answered': {
      const { status, headers, body } = claimed.answer;
      return { status, body, headers: { ...headers, 'idempotent-replayed': 'true' } };
    }
    case 'other_request':
      throw new ApiError('IDEMPOTENCY_KEY_REUSED', 'The Idempotency-Key was sent with another request before.');
    case 'running':
      throw new ApiError('CONFLICT', 'The first request with this Idempotency-Key is still running.', {
        retryAfter: 1,
      });
    case 'answer_lost':
      throw new ApiError(
        'CONFLICT',
        'The first request with this Idempotency-Key was carried out, but its answer is not at hand.',
      );
    case 'first':
  }
  try {
    const outcome = await idempotency.marking(claim, run);
    if (outcome.status < 500 && !PASSING.has(outcome.status)) await idempotency.keep(claim, outcome);
    else await idempotency.release(claim);
    return outcome;
  } catch (error) {
    await idempotency.release(claim).catch(() => {});
    throw error;
  }
}
