/** What is checked of an operation before it runs: its scopes, its cost, and the limits of its key. */
import {
  type DocumentNode,
  type ExecutionResult,
  GraphQLError,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
} from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { Principal } from '../../auth/principal.js';
import { databaseError } from '../../db/failure.js';
import { readingFor } from '../../db/reader.js';
import { readingFromReplica } from '../../db/replica.js';
import { ApiError, HTTP_STATUS, serviceBusy } from '../../errors.js';
import { SECRET_PATTERN } from '../../keys/format.js';
import { limitReached } from '../../limits/meter.js';
import { OPERATION_LIMITS, requestsOf } from '../../limits/operationLimits.js';
import type { RateLimitResult } from '../../limits/slidingWindow.js';
import {
  type Analysis,
  analyse,
  type FieldUse,
  forbiddenErrors,
  isOwn,
  maskFields,
  reportable,
  unmask,
  unsatisfied,
} from '../../operations/analysis.js';
import { checkInputs, costOf, tooMuch } from '../../operations/cost.js';
import { closest, satisfies } from '../../scopes/scope.js';
import type { Context } from '../context.js';
import { located } from '../errors.js';
import { asksForLimitsAlone } from '../schema/rateLimit.js';
import type { Subscriptions } from '../subscriptions.js';

/**
 * Compares what the operation needs with what the key holds, before anything runs. A mutation or subscription that
 * lacks a scope is refused whole; a query runs without the fields that it may not see. scope-auth asks again at the
 * fields, so this one is about telling all at once and about reaching no database.
 */
export const operationCheck = (subscriptions: Subscriptions): Plugin<Context> => ({
  async onExecute({ args, executeFn, setExecuteFn, setResultAndStopExecution }) {
    const analysis = analyse(args.schema, args.document, args.operationName);
    // Without one, execution says that the operation is not there.
    if (!analysis) return undefined;
    const { principal, services, use, meter } = args.contextValue;
    const { operation: type } = analysis.operation;
    const stop = (errors: readonly GraphQLError[]) => {
      services.metrics.operation(type, codeOf(errors));
      setResultAndStopExecution({ errors });
      return undefined;
    };
    if (!use.accepts.results) return stop([notAcceptable()]);
    // Before they are coerced, which takes longest for those that are too many.
    const excess = checkInputs(args.document, args.variableValues);
    if (excess) return stop([excess]);
    const { scopes } = principal;
    const asking = { keyId: principal.keyId, variables: args.variableValues ?? {} };
    const refused = unsatisfied(analysis, scopes, asking);
    use.ownKey ||= analysis.fields.some((field) => isOwn(analysis, field, scopes, asking));
    const errors =
      refused.length === 0 ? [] : forbiddenErrors(reportable(refused, scopes, analysis.operation.operation), scopes);
    const nothingLeft = analysis.fields.every((use) => use.parent !== undefined || refused.includes(use));
    const whole = analysis.operation.operation !== OperationTypeNode.QUERY;
    if (refused.length > 0 && whole) return stop(errors);
    const masked = refused.length > 0 ? maskFields(args.document, refused) : args.document;
    const cost = costOf(
      args.schema,
      masked,
      masked === args.document ? analysis.operation : operationOf(masked, analysis),
      args.variableValues ?? {},
    );
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
    noteUse(args.contextValue, analysis, new Set(refused));
    use.mutates ||= type === OperationTypeNode.MUTATION;
    args.document = masked;
    const readsReplica = !whole && services.database.hasReplica;
    const reader = { id: principal.keyId, isGone: () => use.ended, take: use.budget.read };
    setExecuteFn(async (...parameters) => {
      try {
        const run = () => readingFor(reader, () => executeFn(...parameters));
        return await (readsReplica ? readingFromReplica(run) : run());
      } finally {
        release();
      }
    });
    return {
      onExecuteDone({ result: executed, setResult }) {
        if (isAsyncIterable(executed)) return;
        const { data, errors: others = [], extensions, ...rest } = executed as ExecutionResult;
        const tooLarge = use.budget.tell(data);
        const all = tooLarge ? [refusal(tooLarge)] : [...errors, ...asAWhole(data, others)];
        services.metrics.operation(type, codeOf(all));
        if (tooLarge) return setResult({ errors: all });
        setResult({
          ...(data !== undefined && { data: (refused.length > 0 ? unmask(data) : data) as Record<string, unknown> }),
          ...rest,
          ...(all.length > 0 && { errors: all }),
          extensions: { ...extensions, cost: costReport(cost, result) },
        });
      },
    };
  },
  async onSubscribe({ args, setSubscribeFn, setResultAndStopExecution }) {
    const { schema, document, contextValue: context } = args;
    const analysis = analyse(schema, document, args.operationName);
    if (!analysis) return;
    const stop = (...errors: GraphQLError[]) => {
      context.services.metrics.operation('subscription', codeOf(errors));
      setResultAndStopExecution({ errors });
    };
    if (!context.use.accepts.streams) return stop(notAcceptable());
    const variables = args.variableValues ?? {};
    const excess = checkInputs(document, variables);
    if (excess) return stop(excess);
    const refusalFor = ({ scopes }: Principal) => forbiddenErrors(unsatisfied(analysis, scopes), scopes)[0];
    const refused = unsatisfied(analysis, context.principal.scopes);
    if (refused.length > 0) return stop(...forbiddenErrors(refused, context.principal.scopes));
    const { operation } = analysis;
    const cost = costOf(schema, document, operation, variables);
    if (cost > OPERATION_LIMITS.cost) return stop(tooMuch('cost', cost));
    const result = await context.meter.charge(requestsOf(cost) - 1);
    if (!result.allowed) return stop(limited(result));
    noteUse(context, analysis, new Set());
    context.services.metrics.operation('subscription', 'ok');
    setSubscribeFn(async () => {
      const coerced = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
      if (coerced.errors) return { errors: coerced.errors };
      try {
        context.use.isStream = true;
        return subscriptions.open(
          { schema, document, operation, variables: coerced.coerced, cost, refusalFor },
          context,
        );
      } catch (error) {
        return { errors: [error instanceof ApiError ? refusal(error) : located(error, String(error), {})] };
      }
    });
  },
});

/** Characters of a name that are kept. */
const NAME_LENGTH = 100;

/** Counts the operation and the scopes that it used: of alternatives, the one that the key holds. */
function noteUse({ use, principal }: Context, { operation, fields }: Analysis, refused: ReadonlySet<FieldUse>): void {
  // It goes to the log and the counts of use; somebody will put a key there.
  const name = operation.name?.value ?? 'anonymous';
  use.operations.push(name.replace(SECRET_PATTERN, '[redacted]').slice(0, NAME_LENGTH));
  for (const field of fields) {
    if (refused.has(field) || !satisfies(principal.scopes, field.requirement)) continue;
    for (const scope of closest(principal.scopes, field.requirement).required) use.scopes.add(scope);
  }
}

const AWAY = 'SERVICE_UNAVAILABLE';

/** Where nothing was answered because the database is away, the request fails as a whole, and says so by its status. */
function asAWhole(data: ExecutionResult['data'], errors: readonly GraphQLError[]): readonly GraphQLError[] {
  const answered = Object.values(data ?? {}).some((value) => value !== null);
  // What a resolver threw; its code is put on later.
  const away = errors
    .map(({ originalError }) => databaseError(originalError))
    .find((failure) => failure?.code === AWAY);
  if (answered || !away) return errors;
  return errors.map((error) => located(error, away.message, refusal(away).extensions));
}

/** `ok`, or the code of the first error. */
function codeOf([first]: readonly GraphQLError[]): string {
  if (!first) return 'ok';
  const { originalError, extensions } = first;
  const known = originalError instanceof ApiError ? originalError : databaseError(originalError);
  return String(known?.code ?? extensions['code'] ?? 'INTERNAL_SERVER_ERROR');
}

/** Notes the codes of all errors in the answer, for the log; one code has one status. */
export const outcomes: Plugin<Context> = {
  onResultProcess({ result, serverContext }) {
    const { use } = serverContext as unknown as Context;
    for (const one of [result].flat()) {
      if (isAsyncIterable(one)) continue;
      for (const { extensions } of one.errors ?? []) {
        use.errors.add(String(extensions?.['code']));
        // Wherever it was found: Yoga answers application/json with 200 for what it takes for an invalid document.
        if (extensions?.['code'] === 'COST_LIMIT_EXCEEDED') Object.assign(extensions, { http: { status: 400 } });
      }
    }
  },
};

/** The request fails as a whole. */
function refusal({ code, message, details }: ApiError): GraphQLError {
  const { retryAfter } = details;
  const headers = retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) };
  return new GraphQLError(message, { extensions: { code, ...details, http: { status: HTTP_STATUS[code], headers } } });
}

/** Nothing has run yet; Yoga finds no form for the answer and says 406. */
function notAcceptable(): GraphQLError {
  return new GraphQLError('The client takes no form of this answer.', {
    extensions: { code: 'NOT_ACCEPTABLE', http: { status: 406 } },
  });
}

function limited({ retryAfter }: RateLimitResult): GraphQLError {
  return refusal(limitReached(retryAfter));
}

/** Before an operation is parsed it is charged one request. */
export const metering: Plugin<Context> = {
  async onParams({ params, context }) {
    const { meter } = context as unknown as Context;
    try {
      await meter.begin(asksForLimitsAlone((params as { query?: unknown } | null)?.query));
    } catch (error) {
      throw error instanceof ApiError ? refusal(error) : error;
    }
  },
};

/** In requests, of the widest window; `points` are what the requests were reckoned from. */
function costReport(points: number, { decisive: { remaining, resetAfter } }: RateLimitResult) {
  const resetAt = new Date(Date.now() + resetAfter);
  return { unit: 'requests', requested: requestsOf(points), remaining, resetAt, points };
}

/** The same operation in the masked document. */
function operationOf(document: DocumentNode, { operation }: Analysis): OperationDefinitionNode {
  const same = document.definitions.find(
    (definition) => definition.kind === Kind.OPERATION_DEFINITION && definition.name?.value === operation.name?.value,
  );
  return same?.kind === Kind.OPERATION_DEFINITION ? same : operation;
}
