/** Operations that a key is made for, read from documents: what each is known by, and what it needs. */
import {
  coerceInputValue,
  type GraphQLInputType,
  type GraphQLSchema,
  getNullableType,
  isInputObjectType,
  Kind,
  type OperationDefinitionNode,
  print,
} from 'graphql';
import { badInput } from '../errors.js';
import type { Scope } from '../scopes/scope.js';
import { compileDocument, hashOf, type InvalidDocument, type Operation } from './document.js';
import type { FieldNeed } from './neededScopes.js';

export interface DescribedOperation {
  /** SHA-256 of the normal form, in hexadecimal. */
  readonly hash: string;
  /** SHA-256 of the text, in hexadecimal. */
  readonly textHash: string;
  readonly name: string;
  readonly text: string;
  readonly scopes: readonly Scope[];
  /** The fields that need scopes. */
  readonly fields: readonly FieldNeed[];
  /** Of its variables, by their names. */
  readonly variables: ReadonlyMap<string, GraphQLInputType>;
}

/** A value that a variable must have, or a part of one: `input.projectId`. */
export interface Pin {
  readonly variable: string;
  readonly value: unknown;
  /** Of the operation of this name; by default of each that has the variable. */
  readonly operation?: string | null | undefined;
}

/** Tokens of one document: it may have many operations, and is not run. */
const MAX_TOKENS = 20_000;

/**
 * All operations of some documents; each once, however often it is there.
 * @param pause what is waited for between two operations
 * @param errorsOf what is said of one that is not valid
 * @throws BAD_USER_INPUT that names the document and what is wrong with it
 */
export async function describeOperations(
  schema: GraphQLSchema,
  documents: readonly string[],
  pause: () => Promise<void> = async () => {},
  errorsOf = (document: InvalidDocument) => document.errorsFor(schema),
): Promise<DescribedOperation[]> {
  const found = new Map<string, DescribedOperation>();
  const problems: string[] = [];
  for (const [index, text] of documents.entries()) {
    const document = compileDocument(schema, text, MAX_TOKENS);
    if (document.errors) {
      const { message = 'is not valid', locations } = errorsOf(document)[0] ?? {};
      const line = locations?.[0] ? ` (line ${locations[0].line})` : '';
      problems.push(`the document ${documents.length > 1 ? `${index + 1} ` : ''}cannot run: ${message}${line}`);
      continue;
    }
    for (const operation of document.eachOperation()) {
      await pause();
      const described = describeOperation(operation);
      if (!found.has(described.hash)) found.set(described.hash, described);
    }
  }
  if (problems.length > 0) throw badInput({ documents: problems.slice(0, 20) });
  return [...found.values()];
}

export function describeOperation(operation: Operation): DescribedOperation {
  const { document, scopes, neededFields, normalHash } = operation;
  const isAlone = document.ast.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION).length === 1;
  // One of several is kept by itself, so that it can be named by the hash of its text.
  const text = isAlone ? document.text : operation.normalText;
  return {
    ...{ hash: normalHash, textHash: hashOf(text), name: labelOf(operation), text },
    ...{ scopes, fields: neededFields, variables: operation.variableTypes() },
  };
}

const MOST_LABEL = 100;

/** Its name, or what it asks for first. */
export function labelOf({ name, definition }: Pick<Operation, 'name' | 'definition'>): string {
  return (name ?? `${definition.operation} ${firstField(definition)}`).slice(0, MOST_LABEL);
}

function firstField({ selectionSet }: OperationDefinitionNode): string {
  const [first] = selectionSet.selections;
  if (!first) return '';
  return first.kind === Kind.FIELD ? first.name.value : print(first).slice(0, MOST_LABEL);
}

/**
 * The operations with the values that their variables must have.
 * @throws BAD_USER_INPUT for a variable that no operation has, and for a value that it cannot have
 */
export function pinned<Of extends Pick<DescribedOperation, 'name' | 'variables'>>(
  operations: readonly Of[],
  pins: readonly Pin[],
): (Of & { pins: Record<string, unknown> })[] {
  const problems: string[] = [];
  const used = operations.map(() => ({}) as Record<string, unknown>);
  for (const { variable, value, operation } of pins) {
    if (!PATH.test(variable)) {
      problems.push(`${JSON.stringify(variable.slice(0, 60))} must be a variable, or a part of one: input.projectId`);
      continue;
    }
    const [root = ''] = variable.split('.');
    let isUsed = false;
    for (const [index, { name, variables }] of operations.entries()) {
      if ((operation != null && operation !== name) || !variables.has(root)) continue;
      isUsed = true;
      const own = used[index] ?? {};
      const other = Object.keys(own).find((one) => isWithin(one, variable) || isWithin(variable, one));
      const problem = other === undefined ? pinProblem(variable, value, variables) : `is pinned twice in ${name}`;
      if (problem !== undefined) problems.push(`${variable} ${problem}`);
      own[variable] = value;
    }
    if (isUsed) continue;
    const names = operations.map(({ name }) => name);
    if (operation == null) problems.push(`no operation has a variable ${root}`);
    else if (names.includes(operation)) problems.push(`${operation} has no variable ${root}`);
    else problems.push(`there is no operation ${operation}; there are ${names.slice(0, 10).join(', ') || 'none'}`);
  }
  if (problems.length > 0) throw badInput({ pins: problems });
  return operations.map((operation, index) => ({ ...operation, pins: used[index] ?? {} }));
}

/** Whether a path is the other one, or leads to a part of it. */
const isWithin = (inner: string, outer: string) => inner === outer || inner.startsWith(`${outer}.`);

/** Why an operation with such a pin would never run. */
function pinProblem(
  path: string,
  value: unknown,
  variables: ReadonlyMap<string, GraphQLInputType>,
): string | undefined {
  const [root = '', ...names] = path.split('.');
  let type = variables.get(root);
  for (const [index, name] of names.entries()) {
    const above = type && getNullableType(type);
    if (!isInputObjectType(above)) return `is no part of ${[root, ...names.slice(0, index)].join('.')}: ${above}`;
    type = above.getFields()[name]?.type;
    if (!type) return `is no field of ${above}`;
  }
  let problem: string | undefined;
  if (type) {
    coerceInputValue(value, type, (_path, _value, error) => {
      problem ??= `cannot have this value: ${error.message}`;
    });
  }
  return problem;
}

/** A variable, and names of input fields. */
const PATH = /^(?!__)[_A-Za-z]\w{0,99}(\.(?!__)[_A-Za-z]\w{0,99}){0,5}$/;
