/** What went wrong in an operation, as one error of the API. */
import type { GraphQLError } from 'graphql';
import { ApiError, badInput, badParameters, type ErrorCode, HTTP_STATUS } from '../errors.js';
import { limitReached } from '../limits/meter.js';

type Fields = Readonly<Record<string, readonly string[]>>;

interface Origin {
  readonly method: string;
  /** What the dialect calls the core's input fields; null: it has no such field. */
  readonly fields?: Readonly<Record<string, string | null>>;
}

/** The first of the errors, with the caller's names of fields. */
export function apiErrorOf(errors: readonly GraphQLError[], { method, fields: names = {} }: Origin): ApiError {
  const [first] = errors;
  const { code, fields, http: _http, ...details } = first?.extensions ?? {};
  if (!first || !isCode(code)) return new ApiError('INTERNAL_SERVER_ERROR', 'Something went wrong on our side.');
  // Nobody but If-Match expects a version here.
  if (code === 'CONFLICT' && details['expectedUpdatedAt'] !== undefined) {
    return new ApiError('PRECONDITION_FAILED', first.message);
  }
  if (fields) {
    const problems = Object.fromEntries(
      Object.entries(fields as Fields).flatMap(([field, found]) => {
        const name = names[field];
        return name === null ? [] : [[name ?? field, found] as const];
      }),
    );
    if (code !== 'BAD_USER_INPUT') {
      const known = Object.keys(problems).length > 0 && { fields: problems };
      return new ApiError(code, first.message, { ...details, ...known });
    }
    return method === 'get' ? badParameters(problems) : badInput(problems);
  }
  // No field of GraphQL means anything here.
  if (code === 'RATE_LIMITED') return limitReached(Number(details['retryAfter']));
  if (code === 'FORBIDDEN') {
    const missing = errors.flatMap((error) => (error.extensions['missingScopes'] as string[] | undefined) ?? []);
    if (missing.length === 0) return new ApiError(code, first.message, { ...details, reason: first.message });
    return new ApiError(code, first.message, { ...details, missingScopes: [...new Set(missing)] });
  }
  return new ApiError(code, first.message, details);
}

const isCode = (code: unknown): code is ErrorCode => typeof code === 'string' && code in HTTP_STATUS;
