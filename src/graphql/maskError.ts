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
    const { code, fields: told } = original.extensions;
    if (code !== undefined && (code !== 'BAD_USER_INPUT' || told !== undefined)) return error as GraphQLError;
    const { message } = error as GraphQLError;
    const fields = fieldsOf(message);
    if (code !== undefined)
      return atSameLocation(error, message, { ...original.extensions, ...(fields && { fields }) });
    // A variable of the wrong type, or an operation that is not there.
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

/** What GraphQL says of a variable that it cannot read. */
const OF_VARIABLE = /^Variable "\$(\w+)" (got invalid value )?/;
/** A field that is not there, or not known: of the value that is named. */
const FIELD = /^Field "(\w+)" /;
const PLACE = ' at "';

/**
 * The value is in the message, as its caller wrote it: nothing is looked for but from the end.
 * @returns what is wrong with which field of the input, or with which variable
 */
function fieldsOf(message: string): Record<string, string[]> | undefined {
  const [before, variable = '', isWrong] = OF_VARIABLE.exec(message) ?? [];
  if (before === undefined) return undefined;
  if (isWrong === undefined) return { [variable]: [message.slice(before.length)] };
  const end = message.lastIndexOf('; ');
  if (end < 0) return undefined;
  const problem = message.slice(end + 2);
  const at = message.lastIndexOf(PLACE, end);
  const path = at < 0 || message[end - 1] !== '"' ? '' : message.slice(at + PLACE.length, end - 1);
  const place = path.startsWith(variable) ? path.slice(variable.length).replace(/^\./, '') : '';
  const [, field] = FIELD.exec(problem) ?? [];
  const name = [place, field ?? ''].filter(Boolean).join('.');
  return { [name === '' ? variable : name]: [problem] };
}
