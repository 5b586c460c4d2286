/** Every error that leaves the schema, in the form that callers rely on. */
import { GraphQLError } from 'graphql';
import type { Logger } from 'pino';
import { databaseError } from '../db/databaseError.js';
import { ApiError } from '../errors.js';
import { atSameLocation } from '../operations/documentErrors.js';

/** Errors of ours and of GraphQL pass; anything else is logged and masked. */
export function toGraphQLError(error: unknown, logger: Logger): GraphQLError {
  const original = error instanceof GraphQLError ? (error.originalError ?? error) : error;
  const known = original instanceof ApiError ? original : databaseError(original);
  if (known) return atSameLocation(error, known.message, { code: known.code, ...known.details });
  if (original instanceof GraphQLError) {
    // Without a code: a variable of the wrong type, or an operation that is not there.
    if (original.extensions['code'] !== undefined) return error as GraphQLError;
    return atSameLocation(error, original.message, { code: 'BAD_USER_INPUT', ...original.extensions });
  }
  logger.error({ err: original, path: error instanceof GraphQLError ? error.path : undefined }, 'request failed');
  return atSameLocation(error, 'Something went wrong on our side. The request id leads to the log.', {
    code: 'INTERNAL_SERVER_ERROR',
  });
}
