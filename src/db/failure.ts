import { ApiError } from '../errors.js';

/** What the database refuses for a reason that the caller can mend, or will not meet again in a moment. */
export function databaseError(error: unknown): ApiError | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  switch (code) {
    case 'P2002':
      return new ApiError('CONFLICT', 'There is such a row already.');
    case 'P2003':
    case 'P2025':
      return new ApiError('NOT_FOUND', 'A row that this refers to is not there any more.');
    case 'P1001':
    case 'P1002':
    case 'P1008':
    case 'P1017':
    case 'P2024':
    case 'P2028':
      return new ApiError('SERVICE_UNAVAILABLE', 'The database is busy or out of reach. Try again in a moment.', {
        retryAfter: 1,
      });
    default:
      return undefined;
  }
}
