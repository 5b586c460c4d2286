/**
 * What an operation costs, and whether it is too large, from its text, its variables and the schema: a field costs
 * nothing, an object 1, and a list multiplies what is below it by what it can return: `first` or `last`, the ids that were
 * given, or the size that it declares (`extensions: { size }`). What reads every row costs more, and a field that takes
 * more than that declares it (`extensions: { cost }`). Fragments are measured once,
 * whatever their name and however often they are spread, so that measuring costs no more than the text is long.
 */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLField,
  type GraphQLInterfaceType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  print,
  SchemaMetaFieldDef,
  type SelectionSetNode,
  TypeMetaFieldDef,
  type VariableDefinitionNode,
  valueFromASTUntyped,
  visit,
} from 'graphql';
import { DEFAULT_PAGE } from '../graphql/connections/keyset.js';
import { OPERATION_LIMITS, type OperationLimit } from '../limits/operationLimits.js';
import { defaultsOf } from './analysis.js';
import { fragmentsOf } from './fragments.js';

/** A list that is no connection and does not say how long it may be is taken to hold so many. */
const LIST_SIZE = 10;
const ROWS_PER_POINT = 1000;
/** What reads every row: a search within texts, and a count of what a filter finds. */
const SCAN = 50;
/** An object of the schema's, which no database is asked for. */
const INTROSPECTED = 0.3;

const WORDS: Record<OperationLimit, string> = {
  cost: 'costs',
  depth: 'is nested to depth',
  introspectionDepth: 'asks for introspection to depth',
  aliases: 'has this many aliases:',
  rootFields: 'has this many root fields:',
  fieldPairs: 'has this many pairs of fields with the same name:',
  tokens: 'has this many tokens:',
  characters: 'has this many characters:',
  directives: 'has this many directives:',
  variableDepth: 'has arguments or variables nested to depth',
  bodyNodes: 'came in a body with this many objects and lists:',
  batch: 'is one of this many in one request:',
  filterNodes: 'has this many objects in its filters:',
  listValues: 'has this many values in its lists:',
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
  visit(document, {
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
  const pairs = [...repeats.values()].reduce((sum, count) => sum + (count * (count - 1)) / 2, 0);
  if (pairs > OPERATION_LIMITS.fieldPairs) return tooMuch('fieldPairs', pairs);
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
  const values = { ...defaultsOf(operation), ...variables };
  const argumentOf = (field: FieldNode, name: string): unknown => {
    const node = field.arguments?.find((argument) => argument.name.value === name)?.value;
    return node && valueFromASTUntyped(node, values);
  };

  const below = (selections: SelectionSetNode, typeName: string, around: Around): number => {
    const type = schema.getType(typeName);
    let total = 0;
    for (const selection of selections.selections) {
      if (selection.kind === Kind.FRAGMENT_SPREAD) {
        const fragment = fragments.get(selection.name.value);
        if (!fragment) continue;
        const name = `${selection.name.value} ${around.page} ${around.isFiltered}`;
        const cost = known.get(name) ?? below(fragment.selectionSet, fragment.typeCondition.name.value, around);
        known.set(name, cost);
        total += cost;
      } else if (selection.kind === Kind.INLINE_FRAGMENT) {
        total += below(selection.selectionSet, selection.typeCondition?.name.value ?? typeName, around);
      } else if (isObjectType(type) || isInterfaceType(type)) {
        total += costOfField(selection, type, around);
      }
    }
    return total;
  };

  const costOfField = (node: FieldNode, type: GraphQLObjectType | GraphQLInterfaceType, around: Around): number => {
    const field = type.getFields()[node.name.value] ?? META_FIELDS[node.name.value];
    if (!field) return 0;
    const takes = (name: string) => field.args.some((argument) => argument.name === name);
    const scans =
      containsIn(takes('filter') ? argumentOf(node, 'filter') : undefined) +
      (takes('search') ? wordsOf(argumentOf(node, 'search')) : 0);
    let total =
      declaredCost(field.extensions) +
      scans * SCAN +
      (takes('offset') ? passedOver(argumentOf(node, 'offset')) : 0) +
      (node.name.value === 'totalCount' && around.isFiltered ? SCAN : 0);
    const named = getNamedType(field.type);
    if (!isCompositeType(named) || !node.selectionSet) return total;
    const isList = isListType(getNullableType(field.type));
    const size = takes('first')
      ? (numberOf(argumentOf(node, 'first')) ?? numberOf(argumentOf(node, 'last')))
      : undefined;
    // A connection hands its size on to its nodes and edges, the lists in it.
    const inner: Around = isList
      ? NOTHING_AROUND
      : {
          page: takes('first') ? Math.max(0, size ?? DEFAULT_PAGE) : undefined,
          isFiltered: scans > 0 || isGiven(argumentOf(node, 'filter')),
        };
    const times = isList ? (around.page ?? listSize(schema, field, size, argumentOf(node, 'ids'))) : 1;
    const one = named.name.startsWith('__') ? INTROSPECTED : 1;
    total += times * (one + below(node.selectionSet, named.name, inner));
    return total;
  };

  const root = schema.getRootType(operation.operation);
  return root ? Math.ceil(below(operation.selectionSet, root.name, NOTHING_AROUND)) : 0;
}

/** What a connection says of the lists and the count in it. */
interface Around {
  /** The rows of its page; undefined outside of a connection. */
  readonly page: number | undefined;
  readonly isFiltered: boolean;
}

const NOTHING_AROUND: Around = { page: undefined, isFiltered: false };
const META_FIELDS: Readonly<Record<string, GraphQLField<unknown, unknown>>> = {
  __schema: SchemaMetaFieldDef,
  __type: TypeMetaFieldDef,
};

/** The rows of a list that is no connection: as many as are asked for, or as it may have at most. */
function listSize(
  schema: GraphQLSchema,
  field: GraphQLField<unknown, unknown>,
  asked: number | undefined,
  ids: unknown,
): number {
  if (Array.isArray(ids)) return ids.length;
  const usual = field.args.find(({ name }) => name === 'first')?.defaultValue;
  const { size } = field.extensions as { size?: unknown };
  return Math.max(
    0,
    asked ?? numberOf(usual) ?? numberOf(size) ?? introspectedSizes(schema).get(field.name) ?? LIST_SIZE,
  );
}

const numberOf = (value: unknown) => (typeof value === 'number' ? value : undefined);
const isGiven = (value: unknown) => typeof value === 'object' && value !== null && Object.keys(value).length > 0;
const wordsOf = (search: unknown) => (typeof search === 'string' ? search.split(/\s+/).filter(Boolean).length : 0);

/** How often a filter searches within texts, which reads every row. */
function containsIn(filter: unknown): number {
  let found = 0;
  const open = [filter];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, inner] of Object.entries(value)) {
      if (name === 'contains') found += 1;
      else open.push(inner);
    }
  }
  return found;
}

function declaredCost({ cost }: Readonly<Record<string, unknown>>): number {
  return typeof cost === 'number' ? cost : 0;
}

/** Rows that are passed over are read all the same. */
function passedOver(offset: unknown): number {
  return Math.max(0, Math.floor((numberOf(offset) ?? 0) / ROWS_PER_POINT));
}

const sizes = new WeakMap<GraphQLSchema, ReadonlyMap<string, number>>();

/** How many there are in each of the lists of introspection: of types exactly, of a type's parts on average. */
function introspectedSizes(schema: GraphQLSchema): ReadonlyMap<string, number> {
  let found = sizes.get(schema);
  if (found) return found;
  const types = Object.values(schema.getTypeMap());
  const fields = types.flatMap((type) =>
    isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : [],
  );
  const count = (of: (type: GraphQLNamedType) => number) =>
    types.reduce((sum, type) => sum + of(type), 0) / types.length;
  found = new Map([
    ['types', types.length],
    ['directives', schema.getDirectives().length],
    ['fields', fields.length / types.length],
    ['args', fields.reduce((sum, { args }) => sum + args.length, 0) / fields.length],
    ['inputFields', count((type) => (isInputObjectType(type) ? Object.keys(type.getFields()).length : 0))],
    ['enumValues', count((type) => (isEnumType(type) ? type.getValues().length : 0))],
    ['interfaces', count((type) => (isObjectType(type) ? type.getInterfaces().length : 0))],
    ['possibleTypes', count((type) => (isAbstractType(type) ? schema.getPossibleTypes(type).length : 0))],
  ]);
  sizes.set(schema, found);
  return found;
}

/** What was written of a document's inputs, before it is known to be valid. */
const inputs = new WeakMap<DocumentNode, Readonly<InputSize>>();

interface InputSize {
  /** Items of lists, all added up. */
  values: number;
  /** Objects in filters, all added up. */
  filterNodes: number;
}

/** The first limit that the inputs of an operation break, written in the document or given as variables. */
export function checkInputs(
  document: DocumentNode,
  variables: Readonly<Record<string, unknown>> | null | undefined,
): GraphQLError | undefined {
  let written = inputs.get(document);
  if (!written) {
    written = writtenInputs(document);
    inputs.set(document, written);
  }
  const size = { ...written };
  const filters = filterVariables(document);
  for (const [name, value] of Object.entries(variables ?? {})) {
    measure(value, filters.has(name), size);
    if (size.values > OPERATION_LIMITS.listValues || size.filterNodes > OPERATION_LIMITS.filterNodes) break;
  }
  if (size.filterNodes > OPERATION_LIMITS.filterNodes) return tooMuch('filterNodes', size.filterNodes);
  if (size.values > OPERATION_LIMITS.listValues) return tooMuch('listValues', size.values);
  return undefined;
}

function writtenInputs(document: DocumentNode): InputSize {
  const size = { values: 0, filterNodes: 0 };
  let inFilter = 0;
  visit(document, {
    Argument: {
      enter({ name }) {
        if (name.value === 'filter') inFilter += 1;
      },
      leave({ name }) {
        if (name.value === 'filter') inFilter -= 1;
      },
    },
    VariableDefinition: {
      enter(definition) {
        if (isFilter(definition)) inFilter += 1;
      },
      leave(definition) {
        if (isFilter(definition)) inFilter -= 1;
      },
    },
    ListValue({ values }) {
      size.values += values.length;
    },
    ObjectValue() {
      if (inFilter > 0) size.filterNodes += 1;
    },
  });
  return size;
}

/** The variables that are filters, by the names of their types. */
function filterVariables(document: DocumentNode): ReadonlySet<string> {
  const names = new Set<string>();
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    for (const variable of definition.variableDefinitions ?? []) {
      if (isFilter(variable)) names.add(variable.variable.name.value);
    }
  }
  return names;
}

const isFilter = ({ type }: VariableDefinitionNode) => /Filter\b/.test(print(type));

/** Without recursion, and no further than a limit goes. */
function measure(value: unknown, inFilter: boolean, size: InputSize): void {
  const open = [value];
  while (open.length > 0) {
    const item = open.pop();
    if (typeof item !== 'object' || item === null) continue;
    if (Array.isArray(item)) size.values += item.length;
    else if (inFilter) size.filterNodes += 1;
    if (size.values > OPERATION_LIMITS.listValues || size.filterNodes > OPERATION_LIMITS.filterNodes) return;
    for (const inner of Object.values(item)) open.push(inner);
  }
}

/** How deep objects and lists lie within each other; without recursion, for it may be very deep. */
export function depthOf(value: unknown): number {
  let depth = 0;
  let level: unknown[] = [value];
  while (level.length > 0 && depth <= OPERATION_LIMITS.variableDepth + 1) {
    const next: unknown[] = [];
    for (const item of level) {
      if (item !== null && typeof item === 'object') for (const inner of Object.values(item)) next.push(inner);
    }
    level = next;
    depth += 1;
  }
  return depth - 1;
}
