/**
 * Limits of single fields, beside those of the key, counted by graphql-rate-limit. What it leaves open is closed here:
 * calls of one key to one field take turns, and a shared store takes no write that another process came in between of
 * (the library reads, then writes), the bucket is `Type.field` and not the
 * field's name alone, refused calls do not count, and what it remembers is bounded.
 */
import type { GraphQLResolveInfo } from 'graphql';
import { getGraphQLRateLimiter } from 'graphql-rate-limit';
import { rateLimited } from '../errors.js';
import { ChangedMeanwhile, type FieldStore } from './fieldStore.js';

/** At most `max` calls in any `window` seconds, per key. */
export interface FieldLimit {
  readonly max: number;
  readonly window: number;
}

/** How often a call is tried again that another process came in between of. */
const ATTEMPTS = 50;

export class FieldLimits {
  readonly #turns = new Map<string, Promise<void>>();
  readonly #limiter: ReturnType<typeof getGraphQLRateLimiter>;

  constructor(private readonly store: FieldStore) {
    this.#limiter = getGraphQLRateLimiter({ store, identifyContext: (bucket: string) => bucket });
  }

  /** @throws RATE_LIMITED with `retryAfter` in seconds */
  async consume(keyId: string, limit: FieldLimit, info: GraphQLResolveInfo): Promise<void> {
    const coordinate = `${info.parentType.name}.${info.fieldName}`;
    const bucket = `${keyId} ${coordinate}`;
    const refused = await this.#inTurn(bucket, () => this.#call(bucket, limit, info));
    if (refused === undefined) return;
    const since = this.store.oldest(bucket) ?? Date.now();
    const retryAfter = Math.max(1, Math.ceil((since + limit.window * 1000 - Date.now()) / 1000));
    throw rateLimited(
      `${coordinate} may be called ${limit.max} times in ${limit.window} seconds. Try again in ${retryAfter} seconds.`,
      retryAfter,
    );
  }

  async #call(bucket: string, { max, window }: FieldLimit, info: GraphQLResolveInfo): Promise<string | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#limiter(
          { parent: undefined, args: {}, context: bucket, info },
          { max, window: `${window}s`, uncountRejected: true },
        );
      } catch (error) {
        if (!(error instanceof ChangedMeanwhile) || attempt === ATTEMPTS) throw error;
      }
    }
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
