/**
 * What an operation costs, from its text, its variables and the schema: a field costs
 * nothing, an object 1, and a list multiplies what is below it by what it can return: `first` or `last`, the ids that were
 * given, or the size that it declares (`extensions: { size }`). A count of the rows of another row costs 1. What reads every row costs more, and a field, or a
 * field of a filter, that takes more than that declares it (`extensions: { cost }`). Fragments are measured once,
 * whatever their name and however often they are spread, so that measuring costs no more than the text is long.
 */
import {
  type DocumentNode,
  type FieldNode,
  type GraphQLField,
  type GraphQLInputType,
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
  OperationTypeNode,
  SchemaMetaFieldDef,
  type SelectionSetNode,
  TypeMetaFieldDef,
  valueFromASTUntyped,
  visit,
} from 'graphql';
import { fragmentsOf } from './fragments.js';
import { DEFAULT_PAGE } from './pageLimits.js';
import { defaultsOf, type Variables } from './variables.js';

/** A list that is no connection and does not say how long it may be is taken to hold so many. */
const LIST_SIZE = 10;
const ROWS_PER_POINT = 1000;
/** What reads every row: a search within texts, and a count of what a filter finds. */
const SCAN = 50;
/** An object of the schema's, which no database is asked for, and which is remembered as it was answered. */
const INTROSPECTED = 0.15;

/** A function of an operation's variables, which answers points; the document passed validation. */
export function costFunction(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): (variables: Variables) => number {
  if (countsRows(schema, operation)) return (variables) => costOf(schema, document, operation, variables);
  const names = countedVariables(document);
  const known = new Map<string, number>();
  return (variables) => {
    // One that is not given has its default, which one that is null has not.
    const values = JSON.stringify(names.map((name) => (name in variables ? [variables[name]] : [])));
    let cost = known.get(values);
    if (cost === undefined) {
      cost = costOf(schema, document, operation, variables);
      if (known.size >= MAX_KNOWN) known.clear();
      if (values.length <= MAX_VALUES) known.set(values, cost);
    }
    return cost;
  };
}

/** Values of the variables for which the cost is kept, and characters of those. */
const MAX_KNOWN = 20;
const MAX_VALUES = 500;

/** The arguments that cost depends on. */
const COUNTED = ['first', 'last', 'ids', 'filter', 'search', 'offset'] as const;
type Counted = (typeof COUNTED)[number] | 'input';

/** Rows that a change of many costs. */
export const CHANGED_ROW = 5;

/** How many rows a field changes, by its input (`extensions: { rows }`). */
type RowsOf = (input: Readonly<Record<string, unknown>>) => number;
const rowsOf = (field: GraphQLField<unknown, unknown> | undefined) =>
  (field?.extensions as { rows?: RowsOf } | undefined)?.rows;

/** Whether a field of the operation costs by the rows that it changes. */
function countsRows(schema: GraphQLSchema, operation: OperationDefinitionNode): boolean {
  if (operation.operation !== OperationTypeNode.MUTATION) return false;
  const fields = schema.getMutationType()?.getFields() ?? {};
  let counts = false;
  visit(operation, {
    Field: (node) => {
      if (rowsOf(fields[node.name.value])) counts = true;
      return false;
    },
    // What is spread there may be such a field.
    FragmentSpread: () => {
      counts = true;
    },
  });
  return counts;
}

/** The variables in arguments that cost depends on. */
function countedVariables(document: DocumentNode): string[] {
  const names = new Set<string>();
  visit(document, {
    Argument: (argument) => {
      if (!COUNTED.some((name) => name === argument.name.value)) return false;
      visit(argument, {
        Variable({ name }) {
          names.add(name.value);
        },
      });
      return false;
    },
  });
  return [...names];
}

function costOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Variables,
): number {
  const fragments = fragmentsOf(document);
  const known = new Map<string, number>();
  const values = { ...defaultsOf(operation), ...variables };
  const argumentOf = (field: FieldNode, name: Counted): unknown => {
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
        const name = `${selection.name.value} ${around.page} ${around.isFiltered} ${around.isWithinRows}`;
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
    const input = rowsOf(field) && (argumentOf(node, 'input') as { filter?: unknown } | undefined);
    const scans =
      containsIn(input?.filter) +
      containsIn(takes('filter') ? argumentOf(node, 'filter') : undefined) +
      (takes('search') ? wordsOf(argumentOf(node, 'search')) : 0);
    let total =
      declaredCost(field.extensions) +
      changedRows(field, input) * CHANGED_ROW +
      scans * SCAN +
      costOfFilters(field, { input, filter: takes('filter') ? argumentOf(node, 'filter') : undefined }) +
      (takes('offset') ? passedOver(argumentOf(node, 'offset')) : 0) +
      (node.name.value === 'totalCount' ? costOfCount(around) : 0);
    const named = getNamedType(field.type);
    if (!isCompositeType(named) || !node.selectionSet) return total;
    const isList = isListType(getNullableType(field.type));
    const size = takes('first')
      ? (numberOf(argumentOf(node, 'first')) ?? numberOf(argumentOf(node, 'last')))
      : undefined;
    // A connection hands its size on to its nodes and edges, the lists in it.
    const inner: Around = isList
      ? WITHIN_ROWS
      : {
          isWithinRows: around.isWithinRows,
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
  /** Whether it is there for each row of a list. */
  readonly isWithinRows: boolean;
}

const NOTHING_AROUND: Around = { page: undefined, isFiltered: false, isWithinRows: false };
const WITHIN_ROWS: Around = { ...NOTHING_AROUND, isWithinRows: true };

/** Of a list as a whole the database keeps it, or it is counted once. */
const costOfCount = ({ isFiltered, isWithinRows }: Around) => (isFiltered ? SCAN : Number(isWithinRows));
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
      if (name === 'contains' || name === 'startsWith') found += 1;
      else open.push(inner);
    }
  }
  return found;
}

/** What the fields of a field's filter declare: its own, or that of its input. */
function costOfFilters(
  { args }: GraphQLField<unknown, unknown>,
  { input, filter }: { readonly input: { readonly filter?: unknown } | undefined; readonly filter: unknown },
): number {
  const typeOf = (name: string) => args.find((argument) => argument.name === name)?.type;
  const inputType = getNamedType(typeOf('input'));
  const inner = isInputObjectType(inputType) ? inputType.getFields()['filter'] : undefined;
  return costOfInput(typeOf('filter'), filter) + costOfInput(inner?.type, input?.filter);
}

function costOfInput(type: GraphQLInputType | undefined, value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + costOfInput(type, one), 0);
  const named = type && getNamedType(type);
  if (!isInputObjectType(named)) return 0;
  const fields = named.getFields();
  return Object.entries(value).reduce((sum, [name, inner]) => {
    const field = fields[name];
    return field && inner != null ? sum + declaredCost(field.extensions) + costOfInput(field.type, inner) : sum;
  }, 0);
}

function changedRows(field: GraphQLField<unknown, unknown>, input: unknown): number {
  const rows = rowsOf(field);
  if (!rows || typeof input !== 'object' || input === null) return 0;
  const count = rows(input as Record<string, unknown>);
  return Number.isNaN(count) ? 0 : Math.max(0, count);
}

function declaredCost({ cost }: Readonly<Record<string, unknown>>): number {
  return typeof cost === 'number' ? cost : 0;
}

/** Rows that are passed over are read all the same. */
function passedOver(offset: unknown): number {
  return Math.max(0, Math.floor((numberOf(offset) ?? 0) / ROWS_PER_POINT));
}

/** Of the schema that was asked for last: a process has one. */
let introspected: { readonly schema: GraphQLSchema; readonly sizes: ReadonlyMap<string, number> } | undefined;

/** How many there are in each of the lists of introspection: of types exactly, of a type's parts on average. */
function introspectedSizes(schema: GraphQLSchema): ReadonlyMap<string, number> {
  if (introspected?.schema === schema) return introspected.sizes;
  const types = Object.values(schema.getTypeMap());
  const fields = types.flatMap((type) =>
    isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : [],
  );
  const count = (of: (type: GraphQLNamedType) => number) =>
    types.reduce((sum, type) => sum + of(type), 0) / types.length;
  const sizes = new Map([
    ['types', types.length],
    ['directives', schema.getDirectives().length],
    ['fields', fields.length / types.length],
    ['args', fields.reduce((sum, { args }) => sum + args.length, 0) / fields.length],
    ['inputFields', count((type) => (isInputObjectType(type) ? Object.keys(type.getFields()).length : 0))],
    ['enumValues', count((type) => (isEnumType(type) ? type.getValues().length : 0))],
    ['interfaces', count((type) => (isObjectType(type) ? type.getInterfaces().length : 0))],
    ['possibleTypes', count((type) => (isAbstractType(type) ? schema.getPossibleTypes(type).length : 0))],
  ]);
  introspected = { schema, sizes };
  return sizes;
}
