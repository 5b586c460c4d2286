/**
 * Every error that a caller may see, with its HTTP status where the whole request fails by it. Anything else is a fault
 * of ours: logged under the request id and answered as INTERNAL_SERVER_ERROR.
 */
export const HTTP_STATUS = {
  BAD_USER_INPUT: 400,
  COST_LIMIT_EXCEEDED: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  HTTPS_REQUIRED: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  NOT_ACCEPTABLE: 406,
  CONFLICT: 409,
  PRECONDITION_FAILED: 412,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  IDEMPOTENCY_KEY_REUSED: 422,
  RATE_LIMITED: 429,
  INTERNAL_SERVER_ERROR: 500,
  SERVICE_UNAVAILABLE: 503,
} as const;
export type ErrorCode = keyof typeof HTTP_STATUS;

/** An error with a code, a message meant for the caller, and what else its `extensions` carry. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    // An answer, not a fault: where it was made is told to nobody, and takes longer to find out than the rest of it.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Bad input, by field: `{ title: ["must not be empty"] }`. */
export function badInput(fields: Readonly<Record<string, readonly string[]>>): ApiError {
  const message = Object.entries(fields)
    // What is no rule of ours begins as a sentence does.
    .map(([field, problems]) => `${field}${/^[A-Z]/.test(problems[0] ?? '') ? ':' : ''} ${problems.join(', ')}`)
    .join('; ');
  return new ApiError('BAD_USER_INPUT', message, { fields });
}

/** Bad parameters of an address. They are answered with 400, where bad fields of a body may be 422. */
export function badParameters(parameters: Readonly<Record<string, readonly string[]>>): ApiError {
  return new ApiError('BAD_USER_INPUT', badInput(parameters).message, { parameters });
}

/** The row is not there, or belongs to another workspace or environment: the caller cannot tell. */
export function notFound(kind: string, id: string): ApiError {
  return new ApiError('NOT_FOUND', `No ${kind} with id ${JSON.stringify(id.slice(0, 100))}.`);
}

/** @param retryAfter in seconds */
export function rateLimited(message: string, retryAfter: number): ApiError {
  return new ApiError('RATE_LIMITED', message, { retryAfter });
}

/** There is more to do than can be done in time. */
export function serviceBusy(): ApiError {
  return new ApiError('SERVICE_UNAVAILABLE', 'The server is busy. Try again in a moment.', { retryAfter: 1 });
}

export const UNAUTHENTICATED_MESSAGE = 'The API key is missing, invalid, expired or revoked.';
