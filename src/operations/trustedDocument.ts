import type { GraphQLSchema } from 'graphql';
import { badInput } from '../errors.js';
import { OPERATION_LIMITS } from '../limits/operationLimits.js';
import { hasBadText } from '../storable.js';
import { compileDocument, type ValidDocument } from './document.js';

/**
 * A document as it is given to be trusted.
 * @throws BAD_USER_INPUT for one that could not run
 */
export function readTrustedDocument(schema: GraphQLSchema, text: string) {
  const most = OPERATION_LIMITS.characters;
  if (text.length > most) throw badInput({ text: [`must have at most ${most} characters`] });
  if (hasBadText(text)) throw badInput({ text: ['must be well-formed Unicode, without the character U+0000'] });
  const document = compileDocument(schema, text);
  if (document.errors) throw badInput({ text: [document.errorsFor(schema)[0]?.message ?? 'is not valid'] });
  if (document.operations.length === 0) throw badInput({ text: ['must have an operation'] });
  return describeDocument(document);
}

export function describeDocument(document: ValidDocument) {
  const { hash, text, operations } = document;
  return {
    hash,
    text,
    /** By their names; one may have none. */
    operations: operations.map(({ name }) => name),
    /** The fewest that all of them run with. */
    scopes: [...new Set(operations.flatMap((operation) => operation.scopes))].sort(),
  };
}
