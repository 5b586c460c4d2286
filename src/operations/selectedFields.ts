/**
 * What an operation needs, known before anything runs: the scopes of each of its fields, from the schema alone. Pure: made
 * once an operation (src/operations/document.ts), and compared with each key that sends it.
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
} from 'graphql';
import { both, closest, NOTHING_REQUIRED, type Requirement, type ScopeSet, satisfies } from '../scopes/scope.js';
import { fragmentsOf } from './fragments.js';
import {
  forbidden,
  grantsOf,
  ownKeyArgument,
  ownRequirement,
  requirementOf,
  requirementOfArguments,
  showsOwnKey,
} from './requirement.js';
import type { Variables } from './variables.js';

/** A field as the document has it, with the first path on which it stands. */
export interface SelectedField {
  readonly node: FieldNode;
  readonly path: readonly string[];
  /** Type.field */
  readonly coordinate: string;
  /** What the field needs, and the type that it stands on. */
  readonly requirement: Requirement;
  /** What the field itself declares. */
  readonly own: Requirement;
  /** The field that it is selected in. */
  readonly parent: SelectedField | undefined;
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

/** Who asks, and with which variables: what decides whether a field names the calling key itself. */
export interface Asking {
  readonly keyId: string;
  readonly variables: Variables;
  readonly defaults: Variables;
}

/** All fields whose own requirement the key does not meet. */
export function deniedFields(fields: readonly SelectedField[], held: ScopeSet, asking?: Asking): SelectedField[] {
  return fields.filter((field) => !satisfies(held, field.requirement) && !isOwn(field, held, asking));
}

/** Whether a field is answered because it names the calling key itself. */
export function isOwn({ ownKey }: SelectedField, held: ScopeSet, asking?: Asking): boolean {
  if (!ownKey || !asking || !satisfies(held, ownKey.requirement)) return false;
  const [name = '', ...path] = ownKey.argument.split('.');
  const argument = ownKey.node.arguments?.find((candidate) => candidate.name.value === name)?.value;
  if (!argument) return false;
  let value = valueFromASTUntyped(argument, { ...asking.defaults, ...asking.variables });
  for (const field of path) value = (value as Record<string, unknown> | null | undefined)?.[field];
  return value === asking.keyId;
}

/**
 * The fields to report: not those below a field that is reported already. In a mutation, which is refused whole, also
 * those below that miss something more. What stands in a named fragment may be below in one place and not in another.
 */
export function outermostDenied(
  denied: readonly SelectedField[],
  held: ScopeSet,
  kind: OperationTypeNode,
): SelectedField[] {
  const all = new Set(denied);
  return denied.filter((use) => {
    const missing = new Set(closest(held, use.requirement).missing);
    let below = false;
    for (let above = use.parent; above; above = above.parent) {
      if (!all.has(above)) continue;
      below = true;
      for (const scope of closest(held, above.requirement).missing) missing.delete(scope);
    }
    if (!below) return true;
    return missing.size > 0 && (kind !== OperationTypeNode.QUERY || use.inFragment);
  });
}

/** All scopes that are missing, with the path that needs each; of what is selected twice there is one answer, and one error. */
export function forbiddenErrors(denied: readonly SelectedField[], held: ScopeSet) {
  const places = new Map(denied.map((field) => [`${field.path.join('.')} ${field.coordinate}`, field]));
  return [...places.values()].map(({ coordinate, own, requirement, path }) =>
    forbidden(held, coordinate, satisfies(held, own) ? requirement : own, path),
  );
}

/** @param document which passed validation */
export function selectedFields(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): SelectedField[] {
  const fragments = fragmentsOf(document);
  const fields: SelectedField[] = [];
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
    parent: SelectedField | undefined,
    inFragment: boolean,
    own: { node: FieldNode; argument: string } | undefined,
  ): void => {
    for (const selection of selections.selections) {
      if (selection.kind === Kind.FIELD) {
        const field = fieldOf(type, selection.name.value);
        if (!field) continue;
        const argument = ownKeyArgument(field);
        const named = argument === undefined ? (showsOwnKey(type) ? own : undefined) : { node: selection, argument };
        const ofArguments = requirementOfArguments(field, selection);
        const selected: SelectedField = {
          node: selection,
          path: [...path, responseKey(selection)],
          coordinate: `${type.name}.${field.name}`,
          requirement: both(requirementOf(type, field, granted), ofArguments),
          own: both(ownRequirement(field) ?? NOTHING_REQUIRED, ofArguments),
          parent,
          inFragment,
          ownKey: named && { ...named, requirement: both(requirementOf(type, field, granted, true), ofArguments) },
        };
        fields.push(selected);
        const inner = getNamedType(field.type);
        if (selection.selectionSet && isCompositeType(inner)) {
          const below = argument === undefined ? undefined : named;
          walk(selection.selectionSet, inner, grants, grantsOf(field), selected.path, selected, inFragment, below);
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

export function responseKey(node: FieldNode): string {
  return node.alias?.value ?? node.name.value;
}
