/**
 * Whole documents of operations found in an app's sources: each with the fragments that it spreads, wherever those are, and without
 * what clients take out before they send it.
 */
import {
  type DefinitionNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  parse,
  print,
  type SelectionNode,
  visit,
} from 'graphql';
import { ApiError } from '../../errors.js';

/** A text with GraphQL in it, and where it was found. */
export interface FoundText {
  readonly text: string;
  /** For people: the file, and the line where that is known. */
  readonly where: string;
}

/** What files hold. */
export interface FoundInFiles {
  readonly texts: readonly FoundText[];
  /** Documents as they are sent, with all that they spread. */
  readonly whole: readonly FoundDocument[];
  /** Where GraphQL stands that is put together when the app runs, so that it is not known here. */
  readonly unreadable: readonly string[];
}

export interface FoundDocument {
  readonly document: string;
  readonly where: string;
}

/** Directives that are for the client alone; a field that is `@client` is not asked of the server. */
const OF_CLIENTS = new Set(['connection', 'nonreactive', 'unmask', 'defer', '_relayPagination', 'relay', 'live']);

/** @throws ApiError that says where a text is none, or what it spreads is not found */
export function wholeDocuments(texts: readonly FoundText[]): FoundDocument[] {
  const problems: string[] = [];
  const fragments = new Map<string, FragmentDefinitionNode>();
  const operations: { readonly definition: OperationDefinitionNode; readonly where: string }[] = [];
  for (const { text, where } of texts) {
    for (const definition of definitionsIn(text, where, problems)) {
      if (definition.kind === Kind.OPERATION_DEFINITION) operations.push({ definition, where });
      if (definition.kind !== Kind.FRAGMENT_DEFINITION) continue;
      const known = fragments.get(definition.name.value);
      if (known && print(known) !== print(definition)) {
        problems.push(`${where}: there is another fragment ${definition.name.value}, which is not the same`);
      }
      fragments.set(definition.name.value, definition);
    }
  }
  const found = operations.map(({ definition, where }) => {
    const spread = spreadBy(definition, fragments, where, problems);
    return { document: [definition, ...spread].map((node) => print(node)).join('\n\n'), where };
  });
  if (problems.length > 0) throw new ApiError('BAD_USER_INPUT', problems.slice(0, 20).join('\n'));
  return found;
}

function definitionsIn(text: string, where: string, problems: string[]): readonly DefinitionNode[] {
  if (text.trim() === '') return [];
  try {
    return ofServer(parse(text)).definitions;
  } catch (error) {
    const line = error instanceof GraphQLError ? error.locations?.[0]?.line : undefined;
    problems.push(`${where}: ${(error as Error).message}${line ? ` (line ${line} of the text)` : ''}`);
    return [];
  }
}

/** What of a document is sent to the server. */
function ofServer(document: DocumentNode): DocumentNode {
  const left = visit(document, {
    SelectionSet(node) {
      const selections = node.selections.filter((selection) => !isOfClient(selection));
      return selections.length === node.selections.length ? undefined : { ...node, selections };
    },
    Directive: (node) => (OF_CLIENTS.has(node.name.value) ? null : undefined),
  });
  if (left === document) return document;
  // Nothing is sent where all is the client's, nor variables that only that had.
  const definitions = left.definitions.filter(
    (definition) => definition.kind !== Kind.OPERATION_DEFINITION || definition.selectionSet.selections.length > 0,
  );
  return { ...left, definitions: definitions.map(withoutUnused) };
}

function withoutUnused(definition: DefinitionNode): DefinitionNode {
  if (definition.kind !== Kind.OPERATION_DEFINITION) return definition;
  const used = new Set<string>();
  let spreads = false;
  visit(definition, {
    VariableDefinition: () => false,
    Variable: ({ name }) => void used.add(name.value),
    FragmentSpread: () => {
      spreads = true;
    },
  });
  // What fragments use is not known here.
  if (spreads) return definition;
  const kept = (definition.variableDefinitions ?? []).filter(({ variable }) => used.has(variable.name.value));
  return { ...definition, variableDefinitions: kept };
}

const isOfClient = ({ directives }: SelectionNode) => directives?.some(({ name }) => name.value === 'client') ?? false;

function spreadBy(
  operation: OperationDefinitionNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  where: string,
  problems: string[],
): FragmentDefinitionNode[] {
  const spread = new Map<string, FragmentDefinitionNode>();
  const open: DefinitionNode[] = [operation];
  for (let definition = open.pop(); definition; definition = open.pop()) {
    visit(definition, {
      FragmentSpread({ name: { value } }) {
        if (spread.has(value)) return;
        const fragment = fragments.get(value);
        if (!fragment) {
          problems.push(`${where}: the fragment ${value} is in none of the files`);
          return;
        }
        spread.set(value, fragment);
        open.push(fragment);
      },
    });
  }
  return [...spread.values()];
}
