import { type DocumentNode, type FragmentDefinitionNode, Kind, type OperationDefinitionNode, visit } from 'graphql';

type Definition = OperationDefinitionNode | FragmentDefinitionNode;
type Fragments = ReadonlyMap<string, FragmentDefinitionNode>;

/** The fragments of a document by their names. */
export function fragmentsOf(document: DocumentNode): Map<string, FragmentDefinitionNode> {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition);
  }
  return fragments;
}

/**
 * An operation, and each of the fragments that it spreads, one below another.
 * @param known the names that a definition spreads, for several operations of a document
 */
export function* spreadBy(
  operation: OperationDefinitionNode,
  fragments: Fragments,
  known = new Map<Definition, ReadonlySet<string>>(),
): Generator<Definition, void> {
  const seen = new Set<string>();
  const open: Definition[] = [operation];
  for (let definition = open.pop(); definition; definition = open.pop()) {
    yield definition;
    const names = known.get(definition) ?? namesIn(definition);
    known.set(definition, names);
    for (const name of names) {
      const fragment = fragments.get(name);
      if (!fragment || seen.has(name)) continue;
      seen.add(name);
      open.push(fragment);
    }
  }
}

function namesIn(definition: Definition): Set<string> {
  const names = new Set<string>();
  visit(definition, {
    FragmentSpread({ name }) {
      names.add(name.value);
    },
  });
  return names;
}
