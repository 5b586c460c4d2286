/**
 * Limits of single fields, beside those of the key: declared at the field, asked through graphql-rate-limit, and counted
 * where all limits are. The library reads a list of times and then writes it, which loses calls that come at once; so its
 * store here counts while it is read, and answers as many times as make the library refuse what the counter refuses.
 */
import type { GraphQLResolveInfo } from 'graphql';
import { getGraphQLRateLimiter, type Identity, type Store } from 'graphql-rate-limit';
import { rateLimited } from '../errors.js';
import type { RateLimitResult, WindowCounter, WindowState } from './slidingWindow.js';

export interface FieldLimit {
  /** Calls in any `window`, per key and its successors. */
  readonly max: number;
  /** Seconds. */
  readonly window: number;
  /** A call that fails is given back. */
  readonly countsSuccesses?: true;
}

/** What the library hands from the caller to the store. */
interface Call {
  readonly identity: string;
  readonly limit: FieldLimit;
  result?: RateLimitResult;
}

export class FieldLimits {
  readonly #limiter: ReturnType<typeof getGraphQLRateLimiter>;

  constructor(private readonly counter: WindowCounter) {
    const store: Store = {
      getForIdentity: async ({ contextIdentity }: Identity) => {
        const call = contextIdentity as unknown as Call;
        call.result = await this.#take(call, 1);
        return call.result.allowed ? [] : Array<number>(call.limit.max).fill(Date.now());
      },
      setForIdentity: () => {},
    };
    this.#limiter = getGraphQLRateLimiter({ store, identifyContext: (call: Call) => call as unknown as string });
  }

  /**
   * @param lineageId of the key and its predecessors
   * @param onRefusal told of the window that refused
   * @returns how to give the call back
   * @throws RATE_LIMITED with `retryAfter` in seconds
   */
  async consume(
    lineageId: string,
    limit: FieldLimit,
    info: GraphQLResolveInfo,
    onRefusal: (window: WindowState) => void = () => {},
  ): Promise<() => Promise<unknown>> {
    const field = `${info.parentType.name}.${info.fieldName}`;
    const call: Call = { identity: `field:${lineageId} ${field}`, limit };
    const { max, window } = limit;
    const refusal = await this.#limiter(
      { parent: undefined, args: {}, context: call, info },
      { max, window: `${window}s` },
    );
    if (refusal === undefined) return () => this.#take(call, -1);
    const { retryAfter = window, decisive } = call.result ?? {};
    if (decisive) onRefusal(decisive);
    const words = `${field} may be called ${max} times in ${window} seconds. Try again in ${retryAfter} seconds.`;
    throw rateLimited(words, retryAfter);
  }

  async #take({ identity, limit: { max, window } }: Call, points: number): Promise<RateLimitResult> {
    return this.counter.take(identity, [{ name: 'field', length: window, limit: max }], points);
  }
}
