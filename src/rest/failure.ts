/** What went wrong in a stored operation, in the words of the dialect. */
import type { GraphQLError } from 'graphql';
import { ApiError, badInput, type ErrorCode, HTTP_STATUS } from '../errors.js';

type Fields = Readonly<Record<string, readonly string[]>>;

/** @param names what the dialect calls the core's input fields */
export function failureOf(errors: readonly GraphQLError[], names: Readonly<Record<string, string>> = {}): ApiError {
  const [first] = errors;
  const { code, fields, http: _http, ...details } = first?.extensions ?? {};
  if (!first || !isCode(code)) return new ApiError('INTERNAL_SERVER_ERROR', 'Something went wrong on our side.');
  if (code === 'BAD_USER_INPUT' && fields) {
    const own = Object.entries(fields as Fields).map(([field, problems]) => [names[field] ?? field, problems] as const);
    return badInput(Object.fromEntries(own));
  }
  if (code === 'FORBIDDEN') {
    const missing = errors.flatMap((error) => (error.extensions['missingScopes'] as string[] | undefined) ?? []);
    return new ApiError(code, first.message, { ...details, missingScopes: [...new Set(missing)] });
  }
  return new ApiError(code, first.message, details);
}

const isCode = (code: unknown): code is ErrorCode => typeof code === 'string' && code in HTTP_STATUS;
