/**
 * What an operation costs, and whether it is too large, from its text, its variables and the schema: a field costs
 * nothing, an object 1, and a connection multiplies what is below it by `first` or `last`. A field that takes more than
 * that declares it (`extensions: { cost }`). Fragments are measured once,
 * whatever their name and however often they are spread, so that measuring costs no more than the text is long.
 */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isCompositeType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type ValueNode,
  visit,
} from 'graphql';
import { OPERATION_LIMITS, type OperationLimit } from '../limits/operationLimits.js';
import { fragmentsOf } from './fragments.js';
import { DEFAULT_PAGE } from './keyset.js';

/** A list that is no connection is taken to hold so many. */
const LIST_SIZE = 10;
const ROWS_PER_POINT = 1000;

const WORDS: Record<OperationLimit, string> = {
  cost: 'costs',
  depth: 'is nested to depth',
  introspectionDepth: 'asks for introspection to depth',
  aliases: 'has this many aliases:',
  rootFields: 'has this many root fields:',
  tokens: 'has this many tokens:',
  characters: 'has this many characters:',
  directives: 'has this many directives:',
  variableDepth: 'has variables nested to depth',
  batch: 'is one of this many in one request:',
};

export function tooMuch(limit: OperationLimit, actual: number): GraphQLError {
  const most = OPERATION_LIMITS[limit];
  return new GraphQLError(`The operation ${WORDS[limit]} ${actual}; the limit is ${most}.`, {
    extensions: { code: 'COST_LIMIT_EXCEEDED', what: limit, limit: most, actual, http: { status: 400 } },
  });
}

interface Shape {
  readonly depth: number;
  readonly introspectionDepth: number;
  readonly aliases: number;
  /** Fields at the first level, fragments spread out. */
  readonly fields: number;
}

const checked = new WeakMap<DocumentNode, GraphQLError | null>();

/** The first limit that the document's form breaks; known before it is validated, which costs more. */
export function checkShape(document: DocumentNode): GraphQLError | undefined {
  let error = checked.get(document);
  if (error === undefined) {
    error = firstExcess(document) ?? null;
    checked.set(document, error);
  }
  return error ?? undefined;
}

function firstExcess(document: DocumentNode): GraphQLError | undefined {
  let directives = 0;
  visit(document, {
    Directive() {
      directives += 1;
    },
  });
  if (directives > OPERATION_LIMITS.directives) return tooMuch('directives', directives);
  const fragments = fragmentsOf(document);
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

/** Points, for a document that passed validation. */
export function costOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>> | undefined,
): number {
  const fragments = fragmentsOf(document);
  const known = new Map<string, number>();
  const defaults = new Map(
    operation.variableDefinitions?.map((definition) => [definition.variable.name.value, definition.defaultValue]),
  );

  const numberOf = (node: ValueNode | undefined): number | undefined => {
    if (node?.kind === Kind.INT) return Number(node.value);
    if (node?.kind !== Kind.VARIABLE) return undefined;
    const given = variables?.[node.name.value];
    return typeof given === 'number' ? given : numberOf(defaults.get(node.name.value));
  };
  const lengthOf = (node: ValueNode | undefined): number | undefined => {
    if (node?.kind === Kind.LIST) return node.values.length;
    const given = node?.kind === Kind.VARIABLE ? variables?.[node.name.value] : undefined;
    return Array.isArray(given) ? given.length : undefined;
  };
  const argument = (field: FieldNode, name: string) => field.arguments?.find((arg) => arg.name.value === name)?.value;

  const below = (selections: SelectionSetNode, typeName: string, page: number): number => {
    const type = schema.getType(typeName);
    let total = 0;
    for (const selection of selections.selections) {
      if (selection.kind === Kind.FRAGMENT_SPREAD) {
        const fragment = fragments.get(selection.name.value);
        if (!fragment) continue;
        const name = `${selection.name.value} ${page}`;
        const cost = known.get(name) ?? below(fragment.selectionSet, fragment.typeCondition.name.value, page);
        known.set(name, cost);
        total += cost;
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        total += below(selection.selectionSet, selection.typeCondition?.name.value ?? typeName, page);
      } else if (isObjectType(type) || isInterfaceType(type)) {
        const field = type.getFields()[selection.name.value];
        if (!field) continue;
        total += declaredCost(field.extensions) + passedOver(numberOf(argument(selection, 'offset')));
        const named = getNamedType(field.type);
        if (!isCompositeType(named) || !selection.selectionSet) continue;
        const paged = field.args.some(({ name }) => name === 'first');
        const isList = isListType(getNullableType(field.type));
        const size = paged
          ? (numberOf(argument(selection, 'first')) ?? numberOf(argument(selection, 'last')) ?? DEFAULT_PAGE)
          : 0;
        // A connection hands its size on to its nodes and edges, the lists in it.
        const times = isList ? (page > 0 ? page : (lengthOf(argument(selection, 'ids')) ?? LIST_SIZE)) : 1;
        total += times * (1 + below(selection.selectionSet, named.name, Math.max(0, size)));
      }
    }
    return total;
  };
  const root = schema.getRootType(operation.operation);
  return root ? below(operation.selectionSet, root.name, 0) : 0;
}

function declaredCost({ cost }: Readonly<Record<string, unknown>>): number {
  return typeof cost === 'number' ? cost : 0;
}

/** Rows that are passed over are read all the same. */
function passedOver(offset = 0): number {
  return Math.max(0, Math.floor(offset / ROWS_PER_POINT));
}

/** How deep objects and lists lie within each other; without recursion, for it may be very deep. */
export function depthOf(value: unknown): number {
  let depth = 0;
  let level: unknown[] = [value];
  while (level.length > 0 && depth <= OPERATION_LIMITS.variableDepth + 1) {
    level = level.flatMap((item) => (item !== null && typeof item === 'object' ? Object.values(item) : []));
    depth += 1;
  }
  return depth - 1;
}
