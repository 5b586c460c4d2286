/**
 * Every error that a caller may see. Anything else is a fault of ours: logged under the request id and answered as
 * INTERNAL_SERVER_ERROR.
 */
export type ErrorCode =
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'RATE_LIMITED'
  | 'BAD_USER_INPUT'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'COST_LIMIT_EXCEEDED'
  | 'SERVICE_UNAVAILABLE'
  | 'INTERNAL_SERVER_ERROR';

/** An error with a code, a message meant for the caller, and what else its `extensions` carry. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

/** Bad input, by field: `{ title: ["must not be empty"] }`. */
export function badInput(fields: Readonly<Record<string, readonly string[]>>): ApiError {
  const message = Object.entries(fields)
    .map(([field, problems]) => `${field} ${problems.join(', ')}`)
    .join('; ');
  return new ApiError('BAD_USER_INPUT', message, { fields });
}

/** The row is not there, or belongs to another workspace or environment: the caller cannot tell. */
export function notFound(kind: string, id: string): ApiError {
  return new ApiError('NOT_FOUND', `No ${kind} with id ${JSON.stringify(id.slice(0, 100))}.`);
}

export const UNAUTHENTICATED_MESSAGE = 'The API key is missing, invalid, expired or revoked.';
