/** Idempotency-Key on requests that make something: sent again, they answer what they answered first. */

import type { Principal } from '../auth/principal.js';
import { type Claim, fingerprintOf } from '../db/idempotency.js';
import { ApiError, badInput } from '../errors.js';
import type { Context } from '../graphql/context.js';
import { hasSecret } from '../keys/format.js';
import type { KeyedContext } from './environment.js';
import type { JsonAnswer } from './send.js';

const MOST_CHARACTERS = 255;

interface Once {
  /** The body of the request. */
  readonly body: string;
  /** Whether the same request is to be answered the same again, although nothing was changed. */
  readonly isFinal: (outcome: JsonAnswer) => boolean;
}

/** What the caller may do, as a text: what it got is not for a key that may do something else. */
function reachOf({ scopes, bound, authority: { actsAs, operations } }: Principal): string {
  const sets = operations && [...new Set([...operations.values()].flat().map(({ setId }) => setId))].sort();
  return JSON.stringify([[...scopes].sort(), bound?.projects, actsAs, sets]);
}

/** The path and the parameters, in whichever order they came. */
function addressOf(c: KeyedContext): string {
  const { searchParams } = new URL(c.req.url);
  searchParams.sort();
  return searchParams.size === 0 ? c.req.path : `${c.req.path}?${searchParams}`;
}

/**
 * Runs the request, or answers what it answered before. What was changed is never run again; what changed nothing is kept
 * where it is final.
 * @param run what it answers; a response in place of an outcome is a stream, which is not kept
 * @throws ApiError BAD_USER_INPUT when the key came with another request, CONFLICT while the first one runs
 */
export async function once<T extends JsonAnswer | Response>(
  c: KeyedContext,
  { principal, use, services: { idempotency } }: Context,
  { body, isFinal }: Once,
  run: () => Promise<T>,
): Promise<T | JsonAnswer> {
  const idempotencyKey = c.req.header('idempotency-key');
  if (idempotencyKey === undefined) return run();
  if (idempotencyKey === '' || idempotencyKey.length > MOST_CHARACTERS) {
    throw badInput({ 'Idempotency-Key': [`must have 1 to ${MOST_CHARACTERS} characters`] });
  }
  if (hasSecret(idempotencyKey)) {
    throw badInput({
      'Idempotency-Key': ['must be no API key, for it is stored; take a random text for each request'],
    });
  }
  const { keyId, workspaceId, environment } = principal;
  const claim: Claim = {
    ...{ keyId, workspaceId, environment, idempotencyKey },
    credential: c.get('credential') ?? '',
    reach: reachOf(principal),
    fingerprint: fingerprintOf(c.req.method, addressOf(c), body),
  };
  const claimed = await idempotency.claim(claim);
  switch (claimed.kind) {
    case 'answered': {
      const { status, headers, body } = claimed.answer;
      const refusal = use.budget.count(body);
      if (refusal) throw refusal;
      return { status, body, headers: { ...headers, 'idempotent-replayed': 'true' } };
    }
    case 'other_request':
      throw new ApiError('IDEMPOTENCY_KEY_REUSED', 'The Idempotency-Key was sent with another request before.');
    case 'running':
      throw new ApiError('CONFLICT', 'The first request with this Idempotency-Key is still running.', {
        retryAfter: 1,
      });
    case 'answer_not_kept':
      throw new ApiError(
        'CONFLICT',
        'The first request with this Idempotency-Key was carried out, but its answer is not at hand.',
      );
    case 'first':
  }
  const held = { claim, since: claimed.since };
  try {
    const { result, changed } = await idempotency.runWithClaim(held, run);
    if (result instanceof Response) await idempotency.release(held);
    else if (changed) await idempotency.keepIfPossible(held, result);
    else if (isFinal(result)) await idempotency.keep(held, result);
    else await idempotency.release(held);
    return result;
  } catch (error) {
    await idempotency.release(held).catch(() => {});
    throw error;
  }
}
