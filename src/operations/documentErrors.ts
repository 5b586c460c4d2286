/** The errors of documents, with the codes that clients know. */
import { GraphQLError } from 'graphql';
import { OPERATION_LIMITS, type OperationLimit } from '../limits/operationLimits.js';

const WORDS: Record<OperationLimit, string> = {
  cost: 'costs',
  depth: 'is nested to depth',
  introspectionDepth: 'asks for introspection to depth',
  aliases: 'has this many aliases:',
  rootFields: 'has this many root fields:',
  fieldPairs: 'has this many pairs of fields with the same name:',
  spreads: 'and those beside it spread this many fragments:',
  tokens: 'has this many tokens:',
  characters: 'has this many characters:',
  directives: 'has this many directives:',
  variableDepth: 'has arguments or variables nested to depth',
  bodyNodes: 'came in a body with this many objects and lists:',
  batch: 'is one of this many in one request:',
  inputCharacters: 'has this many characters in its inputs, counting each use of a variable:',
  filterCharacters: 'has this many characters in its filters, counting each use of a variable:',
  filterNodes: 'has this many objects in its filters:',
  listValues: 'has this many values in its lists:',
};

export function tooMuch(limit: OperationLimit, actual: number): GraphQLError {
  const most = OPERATION_LIMITS[limit];
  return new GraphQLError(`The operation ${WORDS[limit]} ${actual}; the limit is ${most}.`, {
    extensions: { code: 'COST_LIMIT_EXCEEDED', what: limit, limit: most, actual, http: { status: 400 } },
  });
}

/**
 * A request that cannot be understood, whatever is in the document.
 * @param field of the variables, where it is wrong
 */
export function badRequest(message: string, field?: string): GraphQLError {
  const fields = field !== undefined && { fields: { [field.slice(0, LONGEST_FIELD)]: [message] } };
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT', ...fields, http: { status: 400 } } });
}
/** Characters of what a field is called, which the caller chose. */
const LONGEST_FIELD = 200;

/**
 * An error of a document that cannot run, whoever sends it. `spec`: application/json gets it with status 200 (GraphQL over
 * HTTP, 6.4.1).
 * @param code where the error has none
 */
export function ofDocument(error: GraphQLError, code: string): GraphQLError {
  const http = { status: 400, spec: true, ...(error.extensions['http'] as object | undefined) };
  return atSameLocation(error, error.message, { code, ...error.extensions, http });
}

/** The same place in the document and the result, with another message and other extensions. */
export function atSameLocation(error: unknown, message: string, extensions: Record<string, unknown>): GraphQLError {
  if (!(error instanceof GraphQLError)) return new GraphQLError(message, { extensions });
  const { nodes = null, source = null, positions = null, path = null } = error;
  return new GraphQLError(message, { nodes, source, positions, path, extensions });
}
