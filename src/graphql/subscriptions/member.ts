/** One stream of a subscription: the answers that wait for its client, within bounds, until it ends. */
import { type ExecutionResult, GraphQLError } from 'graphql';
import type { Principal } from '../../auth/principal.js';
import { ApiError } from '../../errors.js';
import type { Context } from '../context.js';

/** Answers that wait for one client. */
const MOST_WAITING = 1000;

/** Why a key may no longer have a subscription; undefined: it may. */
export type RefusalFor = (principal: Principal) => Error | undefined;

/** What one event is answered with, and its size. */
export interface Answer {
  readonly result: ExecutionResult;
  readonly bytes: number;
}

export class Member {
  readonly #results: Answer[] = [];
  #bytes = 0;
  readonly #stop: () => void;
  #wake: () => void = () => {};
  #hasEnded = false;

  constructor(
    readonly context: Context,
    private readonly refusalFor: RefusalFor,
    private readonly onLeave: () => void,
  ) {
    this.#stop = context.session.onChange((principal) => this.look(principal));
  }

  push(answer: Answer): void {
    if (this.#hasEnded) return;
    const { length } = this.#results;
    const { largest } = this.context.services.answerMemory;
    if (length >= MOST_WAITING || (length > 0 && this.#bytes + answer.bytes > largest) || !this.#hold(answer.bytes)) {
      this.end(tooManyWaiting());
    } else {
      this.#results.push(answer);
    }
    this.#wake();
  }

  /** Counts bytes that wait for the client with all that wait for its key. @returns whether there is room for them */
  #hold(bytes: number): boolean {
    const { services, principal } = this.context;
    this.#bytes += bytes;
    try {
      services.answerMemory.take(principal.lineageId, bytes);
      return true;
    } catch {
      return false;
    }
  }

  #drop(): void {
    this.#results.length = 0;
    this.#hold(-this.#bytes);
  }

  /** @param principal what its key is now; undefined: it may not be used any more */
  look(principal: Principal | undefined): void {
    const refusal = principal ? this.refusalFor(principal) : keyEnded();
    if (refusal) this.end(refusal);
  }

  /** The error is the last event of the stream. Events that wait are dropped: the key may have lost the right to see them. */
  end(error?: unknown): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#drop();
    if (error !== undefined) this.#results.push({ result: { errors: [asGraphQLError(error)] }, bytes: 0 });
    this.#stop();
    this.onLeave();
    this.#wake();
  }

  /** Not a generator: one that was never started would not run its cleanup. */
  results(): AsyncIterableIterator<ExecutionResult, undefined> {
    const next = async (): Promise<IteratorResult<ExecutionResult, undefined>> => {
      for (;;) {
        const answer = this.#results.shift();
        if (answer) {
          this.#hold(-answer.bytes);
          return { done: false, value: answer.result };
        }
        if (this.#hasEnded) return { done: true, value: undefined };
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    };
    const stop = async () => {
      this.end();
      this.#results.length = 0;
      return { done: true as const, value: undefined };
    };
    return { next, return: stop, throw: stop, [Symbol.asyncIterator]: () => this.results() };
  }
}

export function asGraphQLError(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) return error;
  const originalError = error instanceof Error ? error : new Error(String(error));
  return new GraphQLError(originalError.message, { originalError });
}

function keyEnded(): ApiError {
  return new ApiError('UNAUTHENTICATED', 'The API key of this subscription may not be used any more.');
}

export function tooManyWaiting(): ApiError {
  return new ApiError('SERVICE_UNAVAILABLE', 'Too many events wait for this subscription; read them faster.', {
    retryAfter: 1,
  });
}
