/**
 * What is checked of an operation before it runs: its inputs, its scopes, its cost, the limits of its key, and whether there
 * is room for it. One gate for Yoga and for what is answered before it.
 */
import { GraphQLError, OperationTypeNode } from 'graphql';
import { serviceBusy } from '../errors.js';
import { SECRET_PATTERN } from '../keys/format.js';
import { decideLock } from '../keys/operationLock.js';
import type { UsedOperation } from '../keys/usage.js';
import { OPERATION_LIMITS, requestsOf } from '../limits/operationLimits.js';
import type { Operation } from '../operations/document.js';
import { tooMuch } from '../operations/documentErrors.js';
import { labelOf } from '../operations/keyOperations.js';
import { forbiddenErrors, outermostDenied } from '../operations/selectedFields.js';
import type { Variables } from '../operations/variables.js';
import type { Scope } from '../scopes/scope.js';
import type { AdmittedOperation, RefusedOperation } from './admittedOperation.js';
import type { Context } from './context.js';
import { codeOf, limited, notAcceptable, refusal } from './plugins/refusals.js';

/**
 * Compares what the operation needs with what the key holds, before anything runs. A mutation or subscription that
 * lacks a scope is refused whole; a query runs without the fields that it may not see. scope-auth asks again at the
 * fields, so this one is about telling all at once and about reaching no database.
 */
export async function admitOperation(
  operation: Operation,
  given: Variables,
  context: Context,
): Promise<AdmittedOperation | RefusedOperation> {
  const { principal, services, use, meter } = context;
  const { type } = operation;
  const refuse = (refused: readonly GraphQLError[]): RefusedOperation => {
    services.metrics.operation(type, codeOf(refused));
    return { refused };
  };
  if (!use.accepts.results) return refuse([notAcceptable()]);
  // Before they are coerced, which takes longest for those that are too many.
  const excess = operation.inputExcess(given);
  if (excess) return refuse([excess]);
  const permitted = permittedByLock(operation, given, context);
  if (permitted instanceof GraphQLError) return refuse([permitted]);
  const { variables } = permitted;
  const hidden = services.introspection.refusal(operation.without([]));
  if (hidden) return refuse([hidden]);
  const { scopes } = principal;
  const asking = { keyId: principal.keyId, variables };
  const reach = operation.reachFor(scopes, asking);
  const { denied } = reach;
  use.ownKey ||= reach.namesOwnKey;
  const errors = denied.length === 0 ? [] : forbiddenErrors(outermostDenied(denied, scopes, type), scopes);
  noteMissing(use, errors);
  if (denied.length > 0 && type !== OperationTypeNode.QUERY) return refuse(errors);
  const executable = operation.without(denied);
  const cost = executable.cost(variables);
  if (cost > OPERATION_LIMITS.cost) return refuse([tooMuch('cost', cost)]);
  // One request was charged before the operation was parsed.
  const further = use.counts === 'request' || reach.nothingLeft ? 0 : requestsOf(cost) - 1;
  const beyondKey = meter.excess(further);
  if (beyondKey) return refuse([refusal(beyondKey)]);
  const limits = await meter.charge(further);
  if (!limits.allowed) return refuse([limited(limits)]);
  // What has been read waits as an operation now.
  use.bodyRead?.();
  const release = await services.admission.acquire({ key: principal.lineageId, cost });
  if (!release || use.ended) {
    release?.();
    // That there is no room is not the caller's fault.
    await meter.giveBack(further + 1);
    return refuse([refusal(serviceBusy())]);
  }
  noteUse(use, operation, reach.scopes, permitted.used);
  use.mutates ||= type === OperationTypeNode.MUTATION;
  return { executable, variables, errors, cost, limits, release };
}

interface PermittedOperation {
  /** With those that the key has values of its own for. */
  readonly variables: Variables;
  /** Which operation of the key it is. */
  readonly used?: UsedOperation;
}

/** Whether a key that is locked to operations runs this one. @returns why not */
export function permittedByLock(
  operation: Operation,
  variables: Variables,
  { principal, services }: Pick<Context, 'principal' | 'services'>,
): PermittedOperation | GraphQLError {
  const lock = principal.authority.operations;
  if (!lock) return { variables };
  const name = labelOf(operation);
  const decision = decideLock(lock, operation.normalHash, name, variables, services.clock());
  if (decision.kind === 'permitted') {
    const { setId, hash } = decision.operation;
    return { variables: decision.variables, used: { setId, hash } };
  }
  const shown = shownName(name);
  if (decision.kind === 'pinned') {
    return notPermitted(`This key runs ${shown} with a value of its own for ${decision.variable}.`, {
      ...{ operation: shown, pinned: decision.variable },
    });
  }
  const { nearest } = decision;
  const hint = nearest === undefined ? '' : nearest === name ? ', as it is sent' : `; the nearest is ${nearest}`;
  return notPermitted(`This key is locked to operations, and ${shown} is none of them${hint}.`, {
    ...{ operation: shown, hash: operation.normalHash, nearest: nearest ?? null },
  });
}

/** Whether a key runs all of an operation, with variables that it may have. */
export function mayRun(operation: Operation, context: Pick<Context, 'principal' | 'services'>): boolean {
  if (permittedByLock(operation, {}, context) instanceof GraphQLError) return false;
  const { scopes, keyId } = context.principal;
  return operation.reachFor(scopes, { keyId, variables: {} }).denied.length === 0;
}

/** Why a key does not run an operation, whatever its variables are; none: that depends on them. */
export function refusalsOf(operation: Operation, { principal, services, use }: Context): readonly GraphQLError[] {
  const permitted = permittedByLock(operation, {}, { principal, services });
  if (permitted instanceof GraphQLError) return [permitted];
  const { scopes, keyId } = principal;
  const { denied } = operation.reachFor(scopes, { keyId, variables: {} });
  const errors = forbiddenErrors(outermostDenied(denied, scopes, operation.type), scopes);
  noteMissing(use, errors);
  return errors;
}

function notPermitted(message: string, details: Readonly<Record<string, unknown>>): GraphQLError {
  const extensions = { code: 'FORBIDDEN', requiredScopes: [], missingScopes: [], locked: true, ...details };
  return new GraphQLError(message, { extensions });
}

/** Clients do put keys into names. */
const shownName = (name: string) => name.replace(SECRET_PATTERN, '[redacted]').slice(0, NAME_LENGTH);

/** Characters of a name that are kept. */
const NAME_LENGTH = 100;

function noteMissing(use: Context['use'], errors: readonly GraphQLError[]): void {
  for (const { extensions } of errors) {
    for (const scope of extensions['missingScopes'] as readonly Scope[]) use.missing.add(scope);
  }
}

/** Counts the operation and the scopes that it used. */
export function noteUse(
  use: Context['use'],
  operation: Operation,
  scopes: Iterable<Scope>,
  used: UsedOperation | undefined,
): void {
  if (used) use.locked.push(used);
  use.ran.push(operation);
  // It is written to the log and to usage.
  use.operations.push(shownName(operation.name ?? 'anonymous'));
  for (const scope of scopes) use.scopes.add(scope);
}
