/**
 * Limits of single fields, beside those of the key, counted by graphql-rate-limit. What it leaves open is closed here:
 * calls of one key to one field take turns (its store reads, then writes), the bucket is `Type.field` and not the
 * field's name alone, refused calls do not count, and what it remembers is bounded.
 */
import type { GraphQLResolveInfo } from 'graphql';
import { getGraphQLRateLimiter, type Identity, type Store } from 'graphql-rate-limit';
import { LRUCache } from 'lru-cache';
import { ApiError } from '../errors.js';

/** At most `max` calls in any `window` seconds, per key. */
export interface FieldLimit {
  readonly max: number;
  readonly window: number;
}

const MAX_IDENTITIES = 50_000;

class BoundedStore implements Store {
  readonly #calls = new LRUCache<string, readonly number[]>({ max: MAX_IDENTITIES });

  setForIdentity(identity: Identity, timestamps: readonly number[], windowMs = 0): void {
    this.#calls.set(identity.contextIdentity, timestamps, { ttl: windowMs });
  }

  getForIdentity(identity: Identity): readonly number[] {
    return this.#calls.get(identity.contextIdentity) ?? [];
  }

  oldest(contextIdentity: string): number | undefined {
    return this.#calls.get(contextIdentity)?.[0];
  }
}

export class FieldLimits {
  readonly #store = new BoundedStore();
  readonly #turns = new Map<string, Promise<void>>();
  readonly #limiter = getGraphQLRateLimiter({
    store: this.#store,
    identifyContext: (bucket: string) => bucket,
  });

  /** @throws RATE_LIMITED with `retryAfter` in seconds */
  async consume(keyId: string, limit: FieldLimit, info: GraphQLResolveInfo): Promise<void> {
    const coordinate = `${info.parentType.name}.${info.fieldName}`;
    const bucket = `${keyId} ${coordinate}`;
    const refused = await this.#inTurn(bucket, () =>
      this.#limiter(
        { parent: undefined, args: {}, context: bucket, info },
        { max: limit.max, window: `${limit.window}s`, uncountRejected: true },
      ),
    );
    if (refused === undefined) return;
    const since = this.#store.oldest(bucket) ?? Date.now();
    const retryAfter = Math.max(1, Math.ceil((since + limit.window * 1000 - Date.now()) / 1000));
    throw new ApiError(
      'RATE_LIMITED',
      `${coordinate} may be called ${limit.max} times in ${limit.window} seconds. Try again in ${retryAfter} seconds.`,
      { retryAfter },
    );
  }

  async #inTurn<T>(bucket: string, run: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(bucket) ?? Promise.resolve();
    const result = before.then(run);
    const turn = result.then(
      () => {},
      () => {},
    );
    this.#turns.set(bucket, turn);
    try {
      return await result;
    } finally {
      if (this.#turns.get(bucket) === turn) this.#turns.delete(bucket);
    }
  }
}
