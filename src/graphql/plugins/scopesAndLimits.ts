/** The gate of operations (src/graphql/operationGate.ts), where Yoga runs them. */
import { isDeepStrictEqual } from 'node:util';
import { type ExecutionResult, GraphQLError, type GraphQLSchema, getVariableValues, OperationTypeNode } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { Principal } from '../../auth/principal.js';
import { readingFor } from '../../db/reader.js';
import { readingFromReplica } from '../../db/replica.js';
import { ApiError } from '../../errors.js';
import { OPERATION_LIMITS, requestsOf } from '../../limits/operationLimits.js';
import type { Executable, Operation } from '../../operations/document.js';
import { atSameLocation, tooMuch } from '../../operations/documentErrors.js';
import { unmask } from '../../operations/mask.js';
import { forbidden } from '../../operations/requirement.js';
import { forbiddenErrors } from '../../operations/selectedFields.js';
import type { Variables } from '../../operations/variables.js';
import { satisfies } from '../../scopes/scope.js';
import type { Context } from '../context.js';
import { admitOperation, noteUse, permittedByLock } from '../operationGate.js';
import { runPlan } from '../plans/plan.js';
import type { Subscriptions } from '../subscriptions/subscriptions.js';
import { costReport } from './metering.js';
import { asServiceUnavailable, codeOf, limited, notAcceptable, refusal, withoutSuggestions } from './refusals.js';

export const scopesAndLimits = (subscriptions: Subscriptions): Plugin<Context> => ({
  async onExecute({ args, executeFn, setExecuteFn, setResultAndStopExecution }) {
    const operation = operationIn(args.contextValue, args.operationName);
    // Without one, execution says that the operation is not there.
    if (!operation) return undefined;
    const { services, use } = args.contextValue;
    const variables = args.variableValues ?? {};
    const admitted = args.contextValue.admitted ?? (await admitOperation(operation, variables, args.contextValue));
    if ('refused' in admitted) {
      setResultAndStopExecution({ errors: admitted.refused });
      return undefined;
    }
    const { executable, variables: permitted, errors, cost, limits, release } = admitted;
    args.document = executable.document;
    args.schema = services.introspection.schemaFor(executable, args.contextValue.principal.scopes);
    args.variableValues = permitted as typeof args.variableValues;
    const readsReplica = operation.type === OperationTypeNode.QUERY && services.database.hasReplica;
    setExecuteFn(async (...parameters) => {
      try {
        const execute = async () =>
          (await planned(services.documents.schema, executable, permitted, args.contextValue)) ??
          executeFn(...parameters);
        const run = () => readingFor(args.contextValue.reader, execute);
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
        const answered = Object.values(data ?? {}).some((value) => value !== null);
        const all = tooLarge
          ? [refusal(tooLarge)]
          : [...errors, ...withoutSuggestions(errors, asServiceUnavailable(answered, others))];
        services.metrics.operation(operation.type, codeOf(all));
        if (tooLarge) return setResult({ errors: all });
        setResult({
          ...(data !== undefined && { data: (errors.length > 0 ? unmask(data) : data) as Record<string, unknown> }),
          ...rest,
          ...(all.length > 0 && { errors: all }),
          extensions: { ...extensions, cost: costReport(cost, limits) },
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
    const given = args.variableValues ?? {};
    const excess = operation.inputExcess(given);
    if (excess) return stop(excess);
    const permitted = permittedByLock(operation, given, context);
    if (permitted instanceof GraphQLError) return stop(permitted);
    const { variables } = permitted;
    const refusalFor = (now: Principal) => {
      const [missing] = forbiddenErrors(operation.deniedFields(now.scopes), now.scopes);
      return (
        missing ??
        deniedInput(operation, variables, now) ??
        changedReach(context, now) ??
        lockedOut(operation, given, variables, { ...context, principal: now })
      );
    };
    const { scopes, keyId } = context.principal;
    const denied = operation.deniedFields(scopes);
    if (denied.length > 0) return stop(...forbiddenErrors(denied, scopes));
    const input = deniedInput(operation, variables, context.principal);
    if (input) return stop(input);
    const cost = operation.without([]).cost(variables);
    if (cost > OPERATION_LIMITS.cost) return stop(tooMuch('cost', cost));
    const beyondKey = context.meter.excess(requestsOf(cost) - 1);
    if (beyondKey) return stop(refusal(beyondKey));
    const result = await context.meter.charge(requestsOf(cost) - 1);
    if (!result.allowed) return stop(limited(result));
    noteUse(context.use, operation, operation.reachFor(scopes, { keyId, variables }).scopes, permitted.used);
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

/** What is executed once is answered to all that ask the same, so that each must be let compare what is compared. */
function deniedInput(operation: Operation, variables: Variables, { scopes }: Principal): GraphQLError | undefined {
  const requirement = operation.requirementOf(variables);
  return satisfies(scopes, requirement) ? undefined : forbidden(scopes, 'A filter in the variables', requirement);
}

/** Which events a stream has depends on the projects of its key. */
function changedReach({ principal }: Context, now: Principal): ApiError | undefined {
  if (principal.bound?.projects.join() === now.bound?.projects.join()) return undefined;
  return new ApiError('FORBIDDEN', 'The projects of the key have changed. Subscribe again.');
}

/** @param running the variables with which it runs */
function lockedOut(operation: Operation, given: Variables, running: Variables, context: Context) {
  const permitted = permittedByLock(operation, given, context);
  if (permitted instanceof GraphQLError) return permitted;
  if (isDeepStrictEqual(permitted.variables, running)) return undefined;
  return new ApiError('FORBIDDEN', 'The key has other values for this operation since. Subscribe again.');
}

/** What a plan answers, as a result; nothing where there is none, or where it has been tried already. */
async function planned(
  schema: GraphQLSchema,
  executable: Executable,
  variables: Variables,
  context: Context,
): Promise<ExecutionResult | undefined> {
  if (context.admitted || context.services.database.hasReplica) return undefined;
  const answer = await runPlan(schema, executable, variables, context);
  if (!answer) return undefined;
  const { data, errors } = answer;
  return { ...(data !== undefined && { data: JSON.parse(data) }), ...(errors.length > 0 && { errors }) };
}

/** What is known of the operation; without that nothing runs, for nothing would check it. */
function operationIn({ document }: Context, name: string | null | undefined): Operation | undefined {
  if (!document) throw new Error('an operation was not prepared');
  return document.operation(name);
}
