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
import { fragmentsOf, spreadBy } from './fragments.js';

/** The operation with the fragments that it spreads, by name. */
export function normalForm(document: DocumentNode, operation: OperationDefinitionNode): string {
  const [, ...fragments] = spreadBy(operation, fragmentsOf(document));
  const nameOf = ({ name }: OperationDefinitionNode | FragmentDefinitionNode) => name?.value ?? '';
  fragments.sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
  return [operation, ...fragments].map(written).join('\n');
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
