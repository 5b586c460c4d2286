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
    const fields = fieldsOf((error as GraphQLError).message);
    return atSameLocation(error, original.message, {
      ...{ code: 'BAD_USER_INPUT', ...(fields && { fields }) },
      ...original.extensions,
    });
  }
  logger.error({ err: original, path: error instanceof GraphQLError ? error.path : undefined }, 'request failed');
  return atSameLocation(error, 'Something went wrong on our side. The request id leads to the log.', {
    code: 'INTERNAL_SERVER_ERROR',
  });
}

/** What cannot be read of a variable, as GraphQL says it: with the value, which may be a secret, and with the place in it. */
const WITHIN = /^Variable "\$\w+" got invalid value .* at "\w+\.?([^"]+)"; (.+)$/s;
const WHOLE = /^Variable "\$(\w+)" got invalid value .*; (.+)$/s;
const LEFT_OUT = /^Variable "\$(\w+)" (of .+)$/s;
/** A field that is not there, or not known: of the value that is named. */
const FIELD = /^Field "(\w+)" /;

/** @returns what is wrong with which field of the input, or with which variable */
function fieldsOf(message: string): Record<string, string[]> | undefined {
  const left = LEFT_OUT.exec(message);
  if (left) return { [left[1] ?? '']: [left[2] ?? ''] };
  const within = WITHIN.exec(message);
  const [, place = '', problem = ''] = within ?? WHOLE.exec(message) ?? [];
  const [, field] = FIELD.exec(problem) ?? [];
  if (field !== undefined) return { [within ? `${place}.${field}` : field]: [problem] };
  return place === '' ? undefined : { [place]: [problem] };
}
