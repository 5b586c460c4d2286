/**
 * Which scopes a field needs, read from the static `authScopes` of the field and of the type it stands on, and from the fields of
 * the inputs that are written in it.
 */
import {
  type FieldNode,
  GraphQLError,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLObjectType,
  getNamedType,
  isInputObjectType,
  Kind,
  type ValueNode,
} from 'graphql';
import {
  both,
  closest,
  NOTHING_REQUIRED,
  type Requirement,
  type Scope,
  type ScopeSet,
  satisfies,
} from '../scopes/scope.js';

type ScopeMap = Readonly<Record<string, unknown>>;
interface PothosOptions {
  readonly authScopes?: ScopeMap;
  readonly grantScopes?: readonly string[];
}

const NOTHING_GRANTED: ReadonlySet<string> = new Set();
/** What is granted where a field names the calling key itself. */
const OWN_KEY = 'ownKey';
const OWN_KEY_GRANTED: ReadonlySet<string> = new Set([OWN_KEY]);

/**
 * @param granted what was granted to the object that the field stands on (`$granted` in the type's scopes)
 * @param isOwnKey whether the field, or the one that its object comes from, names the calling key itself
 */
export function requirementOf(
  type: GraphQLNamedType,
  field?: GraphQLField<unknown, unknown>,
  granted: ReadonlySet<string> = NOTHING_GRANTED,
  isOwnKey = false,
): Requirement {
  const ofOwn = isOwnKey ? OWN_KEY_GRANTED : NOTHING_GRANTED;
  const ofField = field ? fromMap(options(field).authScopes, ofOwn, `${type.name}.${field.name}`) : NOTHING_REQUIRED;
  const ofType = isOwnKey ? new Set([...granted, OWN_KEY]) : granted;
  return both(ofField, fromMap(options(type).authScopes, ofType, type.name));
}

/** The argument, as a path, by which a field may name the calling key itself; undefined: it has none. */
export function ownKeyArgument(field: GraphQLField<unknown, unknown>): string | undefined {
  const any = options(field).authScopes?.['$any'] as ScopeMap | undefined;
  return any?.[OWN_KEY] as string | undefined;
}

/** Whether the fields of a type may be seen of the calling key itself, whatever it holds. */
export function showsOwnKey(type: GraphQLNamedType): boolean {
  const any = options(type).authScopes?.['$any'] as ScopeMap | undefined;
  return any?.[OWN_KEY] !== undefined;
}

export function requirementOfField(type: GraphQLObjectType, fieldName: string): Requirement {
  return requirementOf(type, type.getFields()[fieldName]);
}

/**
 * Whether a key with these scopes may ask for a field somewhere: of an object that was granted to it, or of itself, where not of
 * every one.
 */
export function mayBeSeen(type: GraphQLNamedType, field: GraphQLField<unknown, unknown>, held: ScopeSet): boolean {
  return satisfies(held, fromMap(options(field).authScopes, OWN_KEY_GRANTED, `${type.name}.${field.name}`));
}

/** What a type or a field itself declares, without what stands around it; undefined: nothing. */
export function ownRequirement(element: GraphQLNamedType | GraphQLField<unknown, unknown>): Requirement | undefined {
  const map = options(element).authScopes;
  return map === undefined ? undefined : fromMap(map, NOTHING_GRANTED, element.name);
}

/** What it takes to give a field of an input, for what is answered tells something of what it is compared with. */
export function requirementOfInput({ extensions }: GraphQLInputField): Requirement {
  const scope = extensions['scope'] as Scope | undefined;
  return scope === undefined ? NOTHING_REQUIRED : [[scope]];
}

/** What a value of a variable needs, which need not be of the type. */
export function requirementOfValue(input: GraphQLInputType, value: unknown): Requirement {
  let requirement = NOTHING_REQUIRED;
  const open: [GraphQLInputType, unknown][] = [[input, value]];
  for (let next = open.pop(); next; next = open.pop()) {
    const [of, inner] = next;
    if (Array.isArray(inner)) for (const item of inner) open.push([of, item]);
    const type = getNamedType(of);
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner) || !isInputObjectType(type)) continue;
    for (const [name, given] of Object.entries(inner)) {
      const field = Object.hasOwn(type.getFields(), name) ? type.getFields()[name] : undefined;
      if (!field || given === null || given === undefined) continue;
      requirement = both(requirement, requirementOfInput(field));
      open.push([field.type, given]);
    }
  }
  return requirement;
}

/** What the arguments need that are written in the document; of variables, each run sees to it. */
export function requirementOfArguments(
  field: GraphQLField<unknown, unknown>,
  { arguments: given }: FieldNode,
): Requirement {
  let requirement = NOTHING_REQUIRED;
  const open: [GraphQLInputType, ValueNode][] = [];
  for (const { name, value } of given ?? []) {
    const argument = field.args.find((candidate) => candidate.name === name.value);
    if (argument) open.push([argument.type, value]);
  }
  for (let next = open.pop(); next; next = open.pop()) {
    const [input, value] = next;
    if (value.kind === Kind.LIST) for (const item of value.values) open.push([input, item]);
    const type = getNamedType(input);
    if (value.kind !== Kind.OBJECT || !isInputObjectType(type)) continue;
    for (const { name, value: inner } of value.fields) {
      const inputField = type.getFields()[name.value];
      if (!inputField || inner.kind === Kind.NULL) continue;
      requirement = both(requirement, requirementOfInput(inputField));
      open.push([inputField.type, inner]);
    }
  }
  return requirement;
}

/**
 * What a field grants to the objects that the fields of its answer return: createTask to the task of its payload.
 * (One level further than scope-auth's manual says: with runScopesOnType the plugin looks there.)
 */
export function grantsOf(field: GraphQLField<unknown, unknown>): ReadonlySet<string> {
  const grants = options(field).grantScopes;
  return grants ? new Set(grants) : NOTHING_GRANTED;
}

/** One FORBIDDEN error: what was asked for, what it takes, what is missing. */
export function forbidden(
  held: ScopeSet,
  coordinate: string,
  requirement: Requirement,
  path?: readonly string[],
): GraphQLError {
  const { required, missing } = closest(held, requirement);
  return new GraphQLError(`${coordinate} needs the scope ${missing.join(' and ')}.`, {
    ...(path && { path: [...path] }),
    extensions: { code: 'FORBIDDEN', requiredScopes: required, missingScopes: missing },
  });
}

function options(element: { extensions: Readonly<Record<string, unknown>> }): PothosOptions {
  return (element.extensions['pothosOptions'] ?? {}) as PothosOptions;
}

/** All entries of the map together. A map that cannot be read without running it is a fault in the schema. */
function fromMap(map: ScopeMap | undefined, granted: ReadonlySet<string>, where: string): Requirement {
  if (map === undefined) return NOTHING_REQUIRED;
  if (typeof map !== 'object') throw new Error(`${where}: authScopes must be a static map`);
  return Object.entries(map)
    .map(([name, value]) => fromEntry(name, value, granted, where))
    .reduce(both, NOTHING_REQUIRED);
}

function fromEntry(name: string, value: unknown, granted: ReadonlySet<string>, where: string): Requirement {
  switch (name) {
    case 'scope':
      return [typeof value === 'string' ? [value as Scope] : (value as readonly Scope[])];
    case '$granted':
      return granted.has(value as string) ? NOTHING_REQUIRED : [];
    case OWN_KEY:
      return granted.has(OWN_KEY) ? NOTHING_REQUIRED : [];
    case '$all':
      return fromMap(value as ScopeMap, granted, where);
    case '$any': {
      const alternatives = Object.entries(value as ScopeMap).flatMap(([key, inner]) =>
        fromEntry(key, inner, granted, where),
      );
      return alternatives.some((alternative) => alternative.length === 0) ? NOTHING_REQUIRED : alternatives;
    }
    default:
      throw new Error(`${where}: authScopes has no ${name}`);
  }
}
