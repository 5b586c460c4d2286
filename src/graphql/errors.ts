/** Every error that leaves the schema, in the form that callers rely on. */
import { GraphQLError } from 'graphql';
import { databaseError } from '../db/failure.js';
import { ApiError } from '../errors.js';
import type { Logger } from '../logger.js';

/** Errors of ours and of GraphQL pass; anything else is logged and masked. */
export function toGraphQLError(error: unknown, logger: Logger): GraphQLError {
  const original = error instanceof GraphQLError ? (error.originalError ?? error) : error;
  const known = original instanceof ApiError ? original : databaseError(original);
  if (known) return located(error, known.message, { code: known.code, ...known.details });
  if (original instanceof GraphQLError) {
    // Without a code: a variable of the wrong type, or an operation that is not there.
    if (original.extensions['code'] !== undefined) return error as GraphQLError;
    return located(error, original.message, { code: 'BAD_USER_INPUT', ...original.extensions });
  }
  logger.error({ err: original, path: error instanceof GraphQLError ? error.path : undefined }, 'request failed');
  return located(error, 'Something went wrong on our side. The request id leads to the log.', {
    code: 'INTERNAL_SERVER_ERROR',
  });
}

/** A request that cannot be understood, whatever is in the document. */
export function badRequest(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT', http: { status: 400 } } });
}

/** The same place in the document and the result, with another message and other extensions. */
export function located(error: unknown, message: string, extensions: Record<string, unknown>): GraphQLError {
  if (!(error instanceof GraphQLError)) return new GraphQLError(message, { extensions });
  const { nodes = null, source = null, positions = null, path = null } = error;
  return new GraphQLError(message, { nodes, source, positions, path, extensions });
}
