/**
 * What an operation needs, known before anything runs: the scopes of each of its fields, from the schema alone.
 * Computed once a document; compared with each key that sends it.
 */
import {
  type DocumentNode,
  type FieldNode,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  type SelectionSetNode,
  valueFromASTUntyped,
  visit,
} from 'graphql';
import { closest, NOTHING_REQUIRED, type Requirement, type ScopeSet, satisfies } from '../scopes/scope.js';
import { fragmentsOf } from './fragments.js';
import { forbidden, grantsOf, ownKeyArgument, ownRequirement, requirementOf, showsOwnKey } from './requirement.js';

/** A field as the document has it, with the first path on which it stands. */
export interface FieldUse {
  readonly node: FieldNode;
  readonly path: readonly string[];
  /** Type.field */
  readonly coordinate: string;
  /** What the field needs, and the type that it stands on. */
  readonly requirement: Requirement;
  /** What the field itself declares. */
  readonly own: Requirement;
  /** The field that it is selected in. */
  readonly parent: FieldUse | undefined;
  readonly inFragment: boolean;
  /** Where the calling key itself may be named: by which field's argument, and what the field needs then. */
  readonly ownKey: OwnKey | undefined;
}

interface OwnKey {
  readonly node: FieldNode;
  /** The argument, as a path: `id`, `input.id` */
  readonly argument: string;
  readonly requirement: Requirement;
}

export interface Analysis {
  readonly operation: OperationDefinitionNode;
  readonly fields: readonly FieldUse[];
}

const cache = new WeakMap<DocumentNode, Map<string, Analysis>>();

/**
 * @param document a document that passed validation
 * @returns undefined when it has no such operation, which execution reports
 */
export function analyse(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName?: string | null,
): Analysis | undefined {
  let analyses = cache.get(document);
  if (!analyses) {
    analyses = new Map();
    cache.set(document, analyses);
  }
  const name = operationName ?? '';
  let analysis = analyses.get(name);
  if (!analysis) {
    const operation = findOperation(document, operationName);
    if (!operation) return undefined;
    analysis = { operation, fields: collectFields(schema, document, operation) };
    analyses.set(name, analysis);
  }
  return analysis;
}

/** Who asks, and with which variables: what decides whether a field names the calling key itself. */
interface Asking {
  readonly keyId: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

/** All fields whose own requirement the key does not meet. */
export function unsatisfied(analysis: Analysis, held: ScopeSet, asking?: Asking): FieldUse[] {
  return analysis.fields.filter((use) => !satisfies(held, use.requirement) && !isOwn(analysis, use, held, asking));
}

/** Whether a field is answered because it names the calling key itself. */
export function isOwn({ operation }: Analysis, { ownKey }: FieldUse, held: ScopeSet, asking?: Asking): boolean {
  if (!ownKey || !asking || !satisfies(held, ownKey.requirement)) return false;
  const [name = '', ...path] = ownKey.argument.split('.');
  const argument = ownKey.node.arguments?.find((candidate) => candidate.name.value === name)?.value;
  if (!argument) return false;
  let value = valueFromASTUntyped(argument, { ...defaultsOf(operation), ...asking.variables });
  for (const field of path) value = (value as Record<string, unknown> | null | undefined)?.[field];
  return value === asking.keyId;
}

/** The defaults of an operation's variables. */
export function defaultsOf({ variableDefinitions = [] }: OperationDefinitionNode): Record<string, unknown> {
  return Object.fromEntries(
    variableDefinitions.flatMap(({ variable, defaultValue }) =>
      defaultValue ? [[variable.name.value, valueFromASTUntyped(defaultValue)]] : [],
    ),
  );
}

/**
 * The fields to report: not those below a field that is reported already. In a mutation, which is refused whole, also
 * those below that miss something more. What stands in a named fragment may be below in one place and not in another.
 */
export function reportable(uses: readonly FieldUse[], held: ScopeSet, kind: OperationTypeNode): FieldUse[] {
  const refused = new Set(uses);
  return uses.filter((use) => {
    const missing = new Set(closest(held, use.requirement).missing);
    let below = false;
    for (let above = use.parent; above; above = above.parent) {
      if (!refused.has(above)) continue;
      below = true;
      for (const scope of closest(held, above.requirement).missing) missing.delete(scope);
    }
    if (!below) return true;
    return missing.size > 0 && (kind !== OperationTypeNode.QUERY || use.inFragment);
  });
}

/** All scopes that are missing, with the path that needs each. */
export function forbiddenErrors(uses: readonly FieldUse[], held: ScopeSet) {
  return uses.map(({ coordinate, own, requirement, path }) =>
    forbidden(held, coordinate, satisfies(held, own) ? requirement : own, path),
  );
}

const MARK = '__forbidden_';

/**
 * The document with each of these fields replaced by `__typename` under a marked alias, so that nothing of it runs.
 * `unmask` turns the marks in the result into null.
 */
export function maskFields(document: DocumentNode, uses: readonly FieldUse[]): DocumentNode {
  const refused = new Set(uses);
  // Below a refused field nothing runs anyway; a fragment's field that names another key may be the calling one's elsewhere.
  const isBelowRefused = ({ ownKey, parent }: FieldUse) => {
    for (let above = ownKey && parent; above; above = above.parent) if (refused.has(above)) return true;
    return false;
  };
  const nodes = new Set<FieldNode>(uses.filter((use) => !isBelowRefused(use)).map((use) => use.node));
  return visit(document, {
    Field: (node) =>
      nodes.has(node)
        ? {
            kind: Kind.FIELD,
            name: { kind: Kind.NAME, value: '__typename' },
            alias: { kind: Kind.NAME, value: MARK + responseKey(node) },
            ...(node.directives && { directives: node.directives }),
          }
        : undefined,
  });
}

export function unmask(data: unknown): unknown {
  if (Array.isArray(data)) return data.map(unmask);
  if (data === null || typeof data !== 'object' || data instanceof Date) return data;
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) =>
      key.startsWith(MARK) ? [key.slice(MARK.length), null] : [key, unmask(value)],
    ),
  );
}

function findOperation(document: DocumentNode, name?: string | null): OperationDefinitionNode | undefined {
  const operations = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  if (name) return operations.find((operation) => operation.name?.value === name);
  return operations.length === 1 ? operations[0] : undefined;
}

function collectFields(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode): FieldUse[] {
  const fragments = fragmentsOf(document);
  const fields: FieldUse[] = [];
  // A fragment is read once for what was granted to the object it stands on, so that fragments of fragments cost no more
  // than their text. Masking replaces a field of a fragment wherever the fragment is used, which is right: what a field
  // needs depends on its type only. Where a grant makes a difference, the fragment's fields are listed for both, and
  // the stricter wins.
  const seen = new Set<string>();

  /** `granted` holds for the object that the selections stand on, `grants` for what their fields return. */
  const walk = (
    selections: SelectionSetNode,
    type: GraphQLCompositeType,
    granted: ReadonlySet<string>,
    grants: ReadonlySet<string>,
    path: readonly string[],
    parent: FieldUse | undefined,
    inFragment: boolean,
    own: { node: FieldNode; argument: string } | undefined,
  ): void => {
    for (const selection of selections.selections) {
      if (selection.kind === Kind.FIELD) {
        const field = fieldOf(type, selection.name.value);
        if (!field) continue;
        const argument = ownKeyArgument(field);
        const named = argument === undefined ? (showsOwnKey(type) ? own : undefined) : { node: selection, argument };
        const use: FieldUse = {
          node: selection,
          path: [...path, responseKey(selection)],
          coordinate: `${type.name}.${field.name}`,
          requirement: requirementOf(type, field, granted),
          own: ownRequirement(field) ?? NOTHING_REQUIRED,
          parent,
          inFragment,
          ownKey: named && { ...named, requirement: requirementOf(type, field, granted, true) },
        };
        fields.push(use);
        const inner = getNamedType(field.type);
        if (selection.selectionSet && isCompositeType(inner)) {
          const below = argument === undefined ? undefined : named;
          walk(selection.selectionSet, inner, grants, grantsOf(field), use.path, use, inFragment, below);
        }
        continue;
      }
      const fragment = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value) : selection;
      if (!fragment) continue;
      if (fragment.kind === Kind.FRAGMENT_DEFINITION) {
        const visit = `${fragment.name.value} ${[...granted].join(' ')} ${[...grants].join(' ')} ${own?.node.loc?.start}`;
        if (seen.has(visit)) continue;
        seen.add(visit);
      }
      const condition = fragment.typeCondition ? schema.getType(fragment.typeCondition.name.value) : type;
      const named = inFragment || fragment.kind === Kind.FRAGMENT_DEFINITION;
      if (isCompositeType(condition)) walk(fragment.selectionSet, condition, granted, grants, path, parent, named, own);
    }
  };

  const root = schema.getRootType(operation.operation);
  if (root) walk(operation.selectionSet, root, new Set(), new Set(), [], undefined, false, undefined);
  return fields;
}

function fieldOf(type: GraphQLCompositeType, name: string): GraphQLField<unknown, unknown> | undefined {
  return isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
}

function responseKey(node: FieldNode): string {
  return node.alias?.value ?? node.name.value;
}
