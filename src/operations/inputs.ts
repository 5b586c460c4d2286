/** How much is in the inputs of an operation: counted before they are coerced, which takes longest for too many. */
import {
  type DefinitionNode,
  type DocumentNode,
  type GraphQLError,
  Kind,
  type NameNode,
  print,
  type VariableDefinitionNode,
  visit,
} from 'graphql';
import { OPERATION_LIMITS } from '../limits/operationLimits.js';
import { tooMuch } from './documentErrors.js';

interface InputSize {
  /** Items of lists, all added up. */
  values: number;
  /** Objects in filters, all added up. */
  filterNodes: number;
  /** Of all texts, and of the names of fields. */
  characters: number;
}

/** How often a variable is written in an operation and the fragments that it spreads. */
interface Uses {
  readonly all: number;
  readonly inFilters: number;
}
export type VariableUses = ReadonlyMap<string, Uses>;

/** What a document says of its inputs, whatever the variables. */
export interface WrittenInputs {
  readonly size: Readonly<InputSize>;
  /** The variables that are filters. */
  readonly filters: ReadonlySet<string>;
}

/** The first limit that the inputs of an operation break, written in the document or given as variables. */
export function inputExcess(
  written: WrittenInputs,
  variables?: Readonly<Record<string, unknown>> | null,
  uses: VariableUses = new Map(),
): GraphQLError | undefined {
  const size = { ...written.size };
  let [inputCharacters, filterCharacters] = [0, 0];
  for (const [name, value] of Object.entries(variables ?? {})) {
    size.characters = 0;
    measure(value, written.filters.has(name), size);
    const { all = 0, inFilters = 0 } = uses.get(name) ?? {};
    inputCharacters += size.characters * all;
    filterCharacters += size.characters * (written.filters.has(name) ? all : inFilters);
    if (size.values > OPERATION_LIMITS.listValues || size.filterNodes > OPERATION_LIMITS.filterNodes) break;
  }
  if (inputCharacters > OPERATION_LIMITS.inputCharacters) return tooMuch('inputCharacters', inputCharacters);
  if (filterCharacters > OPERATION_LIMITS.filterCharacters) return tooMuch('filterCharacters', filterCharacters);
  if (size.filterNodes > OPERATION_LIMITS.filterNodes) return tooMuch('filterNodes', size.filterNodes);
  if (size.values > OPERATION_LIMITS.listValues) return tooMuch('listValues', size.values);
  return undefined;
}

/** The same for variables alone, whatever the document: before anything else goes through all of them. */
export function variablesExcess(variables: unknown): GraphQLError | undefined {
  const size = { values: 0, filterNodes: 0, characters: 0 };
  measure(variables, false, size);
  if (size.values > OPERATION_LIMITS.listValues) return tooMuch('listValues', size.values);
  const depth = depthOf(variables);
  return depth > OPERATION_LIMITS.variableDepth ? tooMuch('variableDepth', depth) : undefined;
}

/** @param document which need not be valid */
export function writtenInputs(document: DocumentNode): WrittenInputs {
  const size = { values: 0, filterNodes: 0, characters: 0 };
  const filters = filterArguments();
  visit(document, {
    ...filters.visitor,
    VariableDefinition: {
      enter(definition) {
        if (isFilter(definition)) filters.around += 1;
      },
      leave(definition) {
        if (isFilter(definition)) filters.around -= 1;
      },
    },
    ListValue({ values }) {
      size.values += values.length;
    },
    ObjectValue() {
      if (filters.around > 0) size.filterNodes += 1;
    },
  });
  return { size, filters: filterVariables(document) };
}

/** While something is visited: how many arguments and fields that are called filter are around it. */
function filterArguments() {
  const state = { around: 0 };
  const counting = {
    enter({ name }: { readonly name: NameNode }) {
      if (name.value === 'filter') state.around += 1;
    },
    leave({ name }: { readonly name: NameNode }) {
      if (name.value === 'filter') state.around -= 1;
    },
  };
  return Object.assign(state, { visitor: { Argument: counting, ObjectField: counting } });
}

/** @param definitions of an operation, and of the fragments that it spreads */
export function variableUses(definitions: Iterable<DefinitionNode>): VariableUses {
  const uses = new Map<string, Uses>();
  const filters = filterArguments();
  for (const definition of definitions) {
    visit(definition, {
      // Where it is defined it is not used.
      VariableDefinition: () => false,
      ...filters.visitor,
      Variable({ name }) {
        const { all, inFilters } = uses.get(name.value) ?? { all: 0, inFilters: 0 };
        uses.set(name.value, { all: all + 1, inFilters: inFilters + (filters.around > 0 ? 1 : 0) });
      },
    });
  }
  return uses;
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
  const open: [item: unknown, isFilter: boolean][] = [[value, inFilter]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [item, isFilter] = next;
    if (typeof item === 'string') size.characters += item.length;
    if (typeof item !== 'object' || item === null) continue;
    if (Array.isArray(item)) size.values += item.length;
    else if (isFilter) size.filterNodes += 1;
    if (size.values > OPERATION_LIMITS.listValues || size.filterNodes > OPERATION_LIMITS.filterNodes) return;
    for (const [name, inner] of Object.entries(item)) {
      if (!Array.isArray(item)) size.characters += name.length;
      open.push([inner, isFilter || name === 'filter']);
    }
  }
}

/** How deep objects and lists lie within each other; no further than one beyond the limit. */
function depthOf(value: unknown, left: number = OPERATION_LIMITS.variableDepth + 1): number {
  if (value === null || typeof value !== 'object' || left === 0) return 0;
  let deepest = 0;
  // What JSON made has no properties but its own, and there may be very many.
  for (const name in value) deepest = Math.max(deepest, depthOf((value as Record<string, unknown>)[name], left - 1));
  return deepest + 1;
}
