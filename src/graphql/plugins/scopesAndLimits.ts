/** What is checked of an operation before it runs: its scopes, its cost, and the limits of its key. */
import { type ExecutionResult, type GraphQLError, getVariableValues, OperationTypeNode } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { Principal } from '../../auth/principal.js';
import { readingFor } from '../../db/reader.js';
import { readingFromReplica } from '../../db/replica.js';
import { ApiError, serviceBusy } from '../../errors.js';
import { SECRET_PATTERN } from '../../keys/format.js';
import { OPERATION_LIMITS, requestsOf } from '../../limits/operationLimits.js';
import type { Operation } from '../../operations/document.js';
import { atSameLocation, tooMuch } from '../../operations/documentErrors.js';
import { unmask } from '../../operations/mask.js';
import { forbiddenErrors, outermostDenied, type SelectedField } from '../../operations/selectedFields.js';
import { closest, satisfies } from '../../scopes/scope.js';
import type { Context } from '../context.js';
import { runPlan } from '../plans/plan.js';
import type { Subscriptions } from '../subscriptions/subscriptions.js';
import { costReport } from './metering.js';
import { asServiceUnavailable, codeOf, limited, notAcceptable, refusal } from './refusals.js';

/**
 * Compares what the operation needs with what the key holds, before anything runs. A mutation or subscription that
 * lacks a scope is refused whole; a query runs without the fields that it may not see. scope-auth asks again at the
 * fields, so this one is about telling all at once and about reaching no database.
 */
export const scopesAndLimits = (subscriptions: Subscriptions): Plugin<Context> => ({
  async onExecute({ args, executeFn, setExecuteFn, setResultAndStopExecution }) {
    const operation = operationIn(args.contextValue, args.operationName);
    // Without one, execution says that the operation is not there.
    if (!operation) return undefined;
    const { principal, services, use, meter } = args.contextValue;
    const { type } = operation;
    const variables = args.variableValues ?? {};
    const stop = (errors: readonly GraphQLError[]) => {
      services.metrics.operation(type, codeOf(errors));
      setResultAndStopExecution({ errors });
      return undefined;
    };
    if (!use.accepts.results) return stop([notAcceptable()]);
    // Before they are coerced, which takes longest for those that are too many.
    const excess = operation.inputExcess(variables);
    if (excess) return stop([excess]);
    const { scopes } = principal;
    const asking = { keyId: principal.keyId, variables };
    const denied = operation.deniedFields(scopes, asking);
    use.ownKey ||= operation.namesOwnKey(scopes, asking);
    const errors = denied.length === 0 ? [] : forbiddenErrors(outermostDenied(denied, scopes, type), scopes);
    const nothingLeft = operation.fields.every((field) => field.parent !== undefined || denied.includes(field));
    const whole = type !== OperationTypeNode.QUERY;
    if (denied.length > 0 && whole) return stop(errors);
    const executable = operation.without(denied);
    const cost = executable.cost(variables);
    if (cost > OPERATION_LIMITS.cost) return stop([tooMuch('cost', cost)]);
    // One request was charged before the operation was parsed.
    const further = use.counts === 'request' || nothingLeft ? 0 : requestsOf(cost) - 1;
    const result = await meter.charge(further);
    if (!result.allowed) return stop([limited(result)]);
    // What has been read waits as an operation now.
    use.bodyRead?.();
    const release = await services.admission.acquire({ key: principal.lineageId, cost });
    if (!release || use.ended) {
      release?.();
      // That there is no room is not the caller's fault.
      await meter.giveBack(further + 1);
      return stop([refusal(serviceBusy())]);
    }
    noteUse(args.contextValue, operation, new Set(denied));
    use.mutates ||= type === OperationTypeNode.MUTATION;
    args.document = executable.document;
    const readsReplica = !whole && services.database.hasReplica;
    const reader = { id: principal.keyId, isGone: () => use.ended, take: use.budget.read };
    setExecuteFn(async (...parameters) => {
      try {
        const plan = { schema: args.schema, ...executable, variables, context: args.contextValue };
        const execute = async () =>
          (readsReplica || whole ? undefined : await runPlan(plan)) ?? executeFn(...parameters);
        const run = () => readingFor(reader, execute);
        return await (readsReplica ? readingFromReplica(run) : run());
      } finally {
        release();
      }
    });
    return {
      onExecuteDone({ result: executed, setResult }) {
        if (isAsyncIterable(executed)) return;
        const { data, errors: others = [], extensions, ...rest } = executed as ExecutionResult;
        const tooLarge = use.budget.count(data);
        const all = tooLarge ? [refusal(tooLarge)] : [...errors, ...asServiceUnavailable(data, others)];
        services.metrics.operation(type, codeOf(all));
        if (tooLarge) return setResult({ errors: all });
        setResult({
          ...(data !== undefined && { data: (denied.length > 0 ? unmask(data) : data) as Record<string, unknown> }),
          ...rest,
          ...(all.length > 0 && { errors: all }),
          extensions: { ...extensions, cost: costReport(cost, result) },
        });
      },
    };
  },
  async onSubscribe({ args, setSubscribeFn, setResultAndStopExecution }) {
    const { contextValue: context } = args;
    const operation = operationIn(context, args.operationName);
    if (!operation) return;
    const stop = (...errors: GraphQLError[]) => {
      context.services.metrics.operation('subscription', codeOf(errors));
      setResultAndStopExecution({ errors });
    };
    if (!context.use.accepts.streams) return stop(notAcceptable());
    const variables = args.variableValues ?? {};
    const excess = operation.inputExcess(variables);
    if (excess) return stop(excess);
    const refusalFor = ({ scopes }: Principal) => forbiddenErrors(operation.deniedFields(scopes), scopes)[0];
    const denied = operation.deniedFields(context.principal.scopes);
    if (denied.length > 0) return stop(...forbiddenErrors(denied, context.principal.scopes));
    const cost = operation.without([]).cost(variables);
    if (cost > OPERATION_LIMITS.cost) return stop(tooMuch('cost', cost));
    const result = await context.meter.charge(requestsOf(cost) - 1);
    if (!result.allowed) return stop(limited(result));
    noteUse(context, operation, new Set());
    context.services.metrics.operation('subscription', 'ok');
    setSubscribeFn(async () => {
      const definitions = operation.definition.variableDefinitions ?? [];
      const coerced = getVariableValues(args.schema, definitions, variables);
      if (coerced.errors) return { errors: coerced.errors };
      try {
        context.use.isStream = true;
        const subscription = { schema: args.schema, operation, variables: coerced.coerced, cost, refusalFor };
        return subscriptions.open(subscription, context);
      } catch (error) {
        return { errors: [error instanceof ApiError ? refusal(error) : atSameLocation(error, String(error), {})] };
      }
    });
  },
});

/** Characters of a name that are kept. */
const NAME_LENGTH = 100;

/** Counts the operation and the scopes that it used: of alternatives, the one that the key holds. */
function noteUse(
  { use, principal }: Context,
  { name = 'anonymous', fields }: Operation,
  denied: ReadonlySet<SelectedField>,
): void {
  // It is written to the log and to usage; clients do put keys into names.
  use.operations.push(name.replace(SECRET_PATTERN, '[redacted]').slice(0, NAME_LENGTH));
  for (const field of fields) {
    if (denied.has(field) || !satisfies(principal.scopes, field.requirement)) continue;
    for (const scope of closest(principal.scopes, field.requirement).required) use.scopes.add(scope);
  }
}

/** What is known of the operation; without that nothing runs, for nothing would check it. */
function operationIn({ document }: Context, name: string | null | undefined): Operation | undefined {
  if (!document) throw new Error('an operation was not prepared');
  return document.operation(name);
}
