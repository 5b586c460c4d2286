/** The line for a shell that runs an operation with a key. */
import { Kind, type OperationDefinitionNode, parse, type TypeNode } from '@0no-co/graphql.web';

const ANY = '{ viewer { scopes environment } }';

/** @param document what a locked key runs; undefined: the key runs anything within its scopes */
export function curlLine(key: string, document?: string): string {
  const body = JSON.stringify(document === undefined ? { query: ANY } : requestOf(document));
  // In single quotes nothing is special but the quote itself (POSIX shells).
  const quoted = body.replaceAll("'", `'\\''`);
  return `curl ${window.location.origin}/graphql -H 'Authorization: Bearer ${key}' -H 'Content-Type: application/json' -d '${quoted}'`;
}

/** The first operation of the document that needs the fewest variables, with values that fit their types. */
function requestOf(document: string): object {
  let operations: OperationDefinitionNode[] = [];
  try {
    operations = parse(document).definitions.filter((one) => one.kind === Kind.OPERATION_DEFINITION);
  } catch {
    return { query: document };
  }
  const queries = operations.filter(({ operation }) => operation === 'query');
  const [first] = (queries.length > 0 ? queries : operations).sort(
    (a, b) => requiredOf(a).length - requiredOf(b).length,
  );
  if (!first) return { query: document };
  const variables = Object.fromEntries(
    requiredOf(first).map(({ variable, type }) => [variable.name.value, exampleOf(type)]),
  );
  return {
    query: document,
    ...(operations.length > 1 && first.name && { operationName: first.name.value }),
    ...(Object.keys(variables).length > 0 && { variables }),
  };
}

const requiredOf = ({ variableDefinitions = [] }: OperationDefinitionNode) =>
  variableDefinitions.filter(({ type, defaultValue }) => type.kind === Kind.NON_NULL_TYPE && !defaultValue);

function exampleOf(type: TypeNode): unknown {
  if (type.kind === Kind.NON_NULL_TYPE) return exampleOf(type.type);
  if (type.kind === Kind.LIST_TYPE) return [];
  switch (type.name.value) {
    case 'Int':
    case 'Float':
      return 10;
    case 'Boolean':
      return true;
    case 'DateTime':
      return new Date().toISOString();
    case 'String':
    case 'ID':
      return 'replace me';
    default:
      return {};
  }
}
