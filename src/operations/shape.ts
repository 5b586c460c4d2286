/** Whether the form of a document is too large, before its validation, whose rules take longest for just those. */
import {
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLError,
  Kind,
  type SelectionSetNode,
  visit,
} from 'graphql';
import { OPERATION_LIMITS } from '../limits/operationLimits.js';
import { tooMuch } from './documentErrors.js';
import { fragmentsOf, spreadBy } from './fragments.js';

interface Shape {
  readonly depth: number;
  readonly introspectionDepth: number;
  readonly aliases: number;
  /** Fields at the first level, fragments spread out. */
  readonly fields: number;
}

/** The first limit that the document's form breaks; asked before it is validated, which costs more. */
export function shapeExcess(document: DocumentNode): GraphQLError | undefined {
  let directives = 0;
  let literal = 0;
  let deepest = 0;
  const repeats = new Map<string, number>();
  const nested = {
    enter() {
      literal += 1;
      deepest = Math.max(deepest, literal);
    },
    leave() {
      literal -= 1;
    },
  };
  let typeNames = 0;
  visit(document, {
    SelectionSet({ selections }) {
      // Clients add it to each, where it is compared with itself alone.
      const count = selections.filter((one) => one.kind === Kind.FIELD && one.name.value === '__typename').length;
      typeNames += (count * (count - 1)) / 2;
    },
    Directive() {
      directives += 1;
    },
    Field({ name, alias }) {
      const key = (alias ?? name).value;
      repeats.set(key, (repeats.get(key) ?? 0) + 1);
    },
    ObjectValue: nested,
    ListValue: nested,
  });
  if (deepest > OPERATION_LIMITS.variableDepth) return tooMuch('variableDepth', deepest);
  if (directives > OPERATION_LIMITS.directives) return tooMuch('directives', directives);
  repeats.delete('__typename');
  const pairs = [...repeats.values()].reduce((sum, count) => sum + (count * (count - 1)) / 2, typeNames);
  if (pairs > OPERATION_LIMITS.fieldPairs) return tooMuch('fieldPairs', pairs);
  const fragments = fragmentsOf(document);
  const spreads = spreadsIn(document, fragments);
  if (spreads > OPERATION_LIMITS.spreads) return tooMuch('spreads', spreads);
  const known = new Map<string, Shape>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    const shape = shapeOf(definition.selectionSet, fragments, known, new Set());
    if (shape.depth > OPERATION_LIMITS.depth) return tooMuch('depth', shape.depth);
    if (shape.introspectionDepth > OPERATION_LIMITS.introspectionDepth) {
      return tooMuch('introspectionDepth', shape.introspectionDepth);
    }
    if (shape.aliases > OPERATION_LIMITS.aliases) return tooMuch('aliases', shape.aliases);
    if (shape.fields > OPERATION_LIMITS.rootFields) return tooMuch('rootFields', shape.fields);
  }
  return undefined;
}

/** How often definitions are gone through, by each of the operations; no further than the limit. */
function spreadsIn(document: DocumentNode, fragments: ReadonlyMap<string, FragmentDefinitionNode>): number {
  const known: Parameters<typeof spreadBy>[2] = new Map();
  let count = 0;
  for (const operation of document.definitions) {
    if (operation.kind !== Kind.OPERATION_DEFINITION) continue;
    for (const _definition of spreadBy(operation, fragments, known)) {
      count += 1;
      if (count > OPERATION_LIMITS.spreads) return count;
    }
  }
  return count;
}

function shapeOf(
  selections: SelectionSetNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  known: Map<string, Shape>,
  open: ReadonlySet<string>,
): Shape {
  let [depth, introspectionDepth, aliases, fields] = [0, 0, 0, 0];
  for (const selection of selections.selections) {
    if (selection.kind === Kind.FIELD) {
      fields += 1;
      if (selection.alias) aliases += 1;
      const below = selection.selectionSet ? shapeOf(selection.selectionSet, fragments, known, open) : undefined;
      aliases += below?.aliases ?? 0;
      // Only these two fields lead into the schema; what a fragment or an alias is called does not matter.
      const meta = selection.name.value === '__schema' || selection.name.value === '__type';
      if (meta) introspectionDepth = Math.max(introspectionDepth, 1 + (below?.depth ?? 0));
      else depth = Math.max(depth, 1 + (below?.depth ?? 0));
      introspectionDepth = Math.max(introspectionDepth, below?.introspectionDepth ?? 0);
      continue;
    }
    const shape =
      selection.kind === Kind.INLINE_FRAGMENT
        ? shapeOf(selection.selectionSet, fragments, known, open)
        : fragmentShape(selection.name.value, fragments, known, open);
    depth = Math.max(depth, shape.depth);
    introspectionDepth = Math.max(introspectionDepth, shape.introspectionDepth);
    aliases += shape.aliases;
    fields += shape.fields;
  }
  return { depth, introspectionDepth, aliases, fields };
}

function fragmentShape(
  name: string,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  known: Map<string, Shape>,
  open: ReadonlySet<string>,
): Shape {
  const before = known.get(name);
  const fragment = fragments.get(name);
  // A circle, or a fragment that is not there: validation will say so.
  if (before || !fragment || open.has(name))
    return before ?? { depth: 0, introspectionDepth: 0, aliases: 0, fields: 0 };
  const shape = shapeOf(fragment.selectionSet, fragments, known, new Set([...open, name]));
  known.set(name, shape);
  return shape;
}
