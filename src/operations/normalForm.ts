/**
 * An operation as it is known whatever it was written like: without comments, formatting and the order of definitions, and
 * without `__typename`, which clients add to each selection by themselves.
 */
import {
  type DocumentNode,
  type FragmentDefinitionNode,
  Kind,
  type OperationDefinitionNode,
  print,
  type SelectionNode,
  visit,
} from 'graphql';
import { fragmentsOf } from './fragments.js';

/** The operation with the fragments that it spreads, by name. */
export function normalForm(document: DocumentNode, operation: OperationDefinitionNode): string {
  return spreadBy(document, operation).map(written).join('\n');
}

/** The operation, and the fragments that it spreads, by name. */
export function spreadBy(
  document: DocumentNode,
  operation: OperationDefinitionNode,
): (OperationDefinitionNode | FragmentDefinitionNode)[] {
  const fragments = fragmentsOf(document);
  const spread = new Map<string, FragmentDefinitionNode>();
  const open: (OperationDefinitionNode | FragmentDefinitionNode)[] = [operation];
  for (let definition = open.pop(); definition; definition = open.pop()) {
    visit(definition, {
      FragmentSpread({ name }) {
        const fragment = fragments.get(name.value);
        if (!fragment || spread.has(name.value)) return;
        spread.set(name.value, fragment);
        open.push(fragment);
      },
    });
  }
  const names = [...spread.keys()].sort();
  return [operation, ...names.map((name) => spread.get(name) ?? operation)];
}

function written(definition: OperationDefinitionNode | FragmentDefinitionNode): string {
  const plain = visit(definition, {
    SelectionSet(node) {
      const selections = node.selections.filter((selection) => !isTypename(selection));
      // What selects nothing else is no selection without it.
      return selections.length === 0 ? undefined : { ...node, selections };
    },
    // Quoted as a block or not, a text is the same.
    StringValue: (node) => (node.block ? { ...node, block: false } : undefined),
  });
  return print(plain);
}

/** Under its own name and on no condition. */
function isTypename(selection: SelectionNode): boolean {
  return (
    selection.kind === Kind.FIELD &&
    selection.name.value === '__typename' &&
    !selection.alias &&
    !selection.directives?.length
  );
}
