/** Errors that a request fails with as a whole, and what is noted of those in its answer. */
import { type ExecutionResult, GraphQLError } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import { databaseError } from '../../db/databaseError.js';
import { ApiError, type ErrorCode, HTTP_STATUS } from '../../errors.js';
import { limitReached } from '../../limits/meter.js';
import type { RateLimitResult } from '../../limits/slidingWindow.js';
import { atSameLocation } from '../../operations/documentErrors.js';
import type { Context } from '../context.js';

/** The request fails as a whole. */
export function refusal({ code, message, details }: ApiError): GraphQLError {
  const { retryAfter } = details;
  const headers = retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) };
  return new GraphQLError(message, { extensions: { code, ...details, http: { status: HTTP_STATUS[code], headers } } });
}

/** Nothing has run yet; Yoga finds no form for the answer and says 406. */
export function notAcceptable(): GraphQLError {
  return new GraphQLError('The client takes no form of this answer.', {
    extensions: { code: 'NOT_ACCEPTABLE', http: { status: 406 } },
  });
}

export function limited({ retryAfter }: RateLimitResult): GraphQLError {
  return refusal(limitReached(retryAfter));
}

const AWAY = 'SERVICE_UNAVAILABLE';

/**
 * Where nothing was answered because the database is away, the request fails as a whole, and says so by its status.
 * @param answered whether any root field has a value
 */
export function asServiceUnavailable(answered: boolean, errors: readonly GraphQLError[]): readonly GraphQLError[] {
  if (answered || errors.length === 0) return errors;
  // What a resolver threw; its code is put on later.
  const away = errors
    .map(({ originalError }) => databaseError(originalError))
    .find((failure) => failure?.code === AWAY);
  if (!away) return errors;
  return errors.map((error) => atSameLocation(error, away.message, refusal(away).extensions));
}

/** `ok`, or the code of the first error. */
export function codeOf([first]: readonly GraphQLError[]): string {
  if (!first) return 'ok';
  const { originalError, extensions } = first;
  const known = originalError instanceof ApiError ? originalError : databaseError(originalError);
  return String(known?.code ?? extensions['code'] ?? 'INTERNAL_SERVER_ERROR');
}

/**
 * Errors of an operation of which the key may not see all: those of variables suggest what may belong to what it does not see.
 * @param left what was left out
 */
export function withoutSuggestions(left: readonly GraphQLError[], errors: readonly GraphQLError[]) {
  if (left.length === 0) return errors;
  return errors.map((error) =>
    error.path ? error : atSameLocation(error, error.message.replace(SUGGESTION, ''), error.extensions),
  );
}
const SUGGESTION = / Did you mean .*\?$/s;

/** Notes the codes of all errors in an answer, for the log; one code has one status. */
export function noteErrors({ data, errors = [] }: ExecutionResult, { use }: Context): void {
  for (const { extensions } of errors) {
    const code = String(extensions?.['code']);
    use.errors.add(code);
    // Nothing was run: application/json gets it with status 200 all the same (GraphQL over HTTP, 6.4).
    if (data === undefined && extensions && extensions['http'] === undefined) {
      const status = HTTP_STATUS[code as ErrorCode] ?? HTTP_STATUS.BAD_USER_INPUT;
      Object.assign(extensions, { http: { status, spec: true } });
    }
    // Wherever it was found: Yoga answers application/json with 200 for what it takes for an invalid document.
    if (extensions && code === 'COST_LIMIT_EXCEEDED') Object.assign(extensions, { http: { status: 400 } });
  }
}

export const errorNotes: Plugin<Context> = {
  onResultProcess({ result, serverContext }) {
    for (const one of [result].flat()) {
      if (!isAsyncIterable(one)) noteErrors(one as ExecutionResult, serverContext as unknown as Context);
    }
  },
};
