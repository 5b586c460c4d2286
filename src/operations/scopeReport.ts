/** Which scopes a document needs, before it is run. */
import type { GraphQLSchema } from 'graphql';
import { badInput } from '../errors.js';
import { OPERATION_LIMITS } from '../limits/operationLimits.js';
import { compileDocument, type InvalidDocument } from './document.js';

/** A document may have several operations, and is not run. */
const MAX_TOKENS = 5000;

/**
 * What the one operation of a document needs, or the one of this name.
 * @param errorsOf what is said of one that is not valid
 * @throws BAD_USER_INPUT for a document that cannot run, or has no such operation
 */
export function explainDocument(
  schema: GraphQLSchema,
  text: string,
  operationName?: string | null,
  errorsOf = (document: InvalidDocument) => document.errorsFor(schema),
) {
  const most = OPERATION_LIMITS.characters;
  if (text.length > most) throw badInput({ document: [`must have at most ${most} characters`] });
  const document = compileDocument(schema, text, MAX_TOKENS);
  if (document.errors) throw badInput({ document: [errorsOf(document)[0]?.message ?? 'is not valid'] });
  const operation = document.operation(operationName);
  if (!operation) throw badInput({ operationName: ['must name one operation of the document'] });
  return { operation, scopes: operation.scopes, fields: operation.neededFields, executable: operation.without([]) };
}
