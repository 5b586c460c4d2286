/** What is checked of an operation before it runs: its scopes, its cost, and the limits of its key. */
import {
  type DocumentNode,
  type ExecutionResult,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
} from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { Context } from '../auth/context.js';
import { databaseError } from '../db/failure.js';
import { readingFromReplica } from '../db/replica.js';
import { type ApiError, HTTP_STATUS, rateLimited, serviceBusy } from '../errors.js';
import { OPERATION_LIMITS, requestsOf } from '../limits/operationLimits.js';
import type { Decision } from '../limits/slidingWindow.js';
import { closest } from '../scopes/scope.js';
import {
  type Analysis,
  analyse,
  type FieldUse,
  forbiddenErrors,
  maskFields,
  reportable,
  unmask,
  unsatisfied,
} from './analysis.js';
import { costOf, tooMuch } from './cost.js';
import { located } from './errors.js';

/**
 * Compares what the operation needs with what the key holds, before anything runs. A mutation or subscription that
 * lacks a scope is refused whole; a query runs without the fields that it may not see. scope-auth asks again at the
 * fields, so this one is about telling all at once and about reaching no database.
 */
export const operationCheck: Plugin<Context> = {
  async onExecute({ args, executeFn, setExecuteFn, setResultAndStopExecution }) {
    const analysis = analyse(args.schema, args.document, args.operationName);
    // Without one, execution says that the operation is not there.
    if (!analysis) return undefined;
    const { principal, services, use } = args.contextValue;
    const { scopes } = principal;
    const refused = unsatisfied(analysis, scopes);
    const errors =
      refused.length === 0 ? [] : forbiddenErrors(reportable(refused, scopes, analysis.operation.operation), scopes);
    const nothingLeft = analysis.fields.every((use) => use.parent !== undefined || refused.includes(use));
    const whole = analysis.operation.operation !== OperationTypeNode.QUERY;
    if (refused.length > 0 && whole) {
      setResultAndStopExecution({ errors });
      return undefined;
    }
    const masked = refused.length > 0 ? maskFields(args.document, refused) : args.document;
    const cost = costOf(
      args.schema,
      masked,
      masked === args.document ? analysis.operation : operationOf(masked, analysis),
      args.variableValues ?? {},
    );
    if (cost > OPERATION_LIMITS.cost) {
      setResultAndStopExecution({ errors: [tooMuch('cost', cost)] });
      return undefined;
    }
    // A refusal costs no quota.
    const charged = use.counts === 'request' ? 1 : requestsOf(cost);
    const requests = refused.length > 0 && nothingLeft ? 0 : charged;
    const decision = await charge(args.contextValue, requests);
    if (!decision.allowed) {
      setResultAndStopExecution({ errors: [limited(decision)] });
      return undefined;
    }
    const entered = await services.executionGate.enter();
    if (entered && use.ended) services.executionGate.leave();
    if (!entered || use.ended) {
      // Nothing ran, so nothing is charged.
      await charge(args.contextValue, -requests);
      setResultAndStopExecution({ errors: [refusal(serviceBusy())] });
      return undefined;
    }
    use.running += 1;
    noteUse(args.contextValue, analysis, new Set(refused));
    args.document = masked;
    if (!whole && services.database.hasReplica) {
      setExecuteFn((...parameters) => readingFromReplica(() => executeFn(...parameters)));
    }
    return {
      onExecuteDone({ result, setResult }) {
        if (isAsyncIterable(result)) return;
        const { data, errors: others = [], extensions, ...rest } = result as ExecutionResult;
        const all = [...errors, ...asAWhole(data, others)];
        setResult({
          ...(data !== undefined && { data: (refused.length > 0 ? unmask(data) : data) as Record<string, unknown> }),
          ...rest,
          ...(all.length > 0 && { errors: all }),
          extensions: { ...extensions, cost: costReport(cost, decision) },
        });
      },
    };
  },
  async onSubscribe({ args, setResultAndStopExecution }) {
    const analysis = analyse(args.schema, args.document, args.operationName);
    if (!analysis) return;
    const { principal } = args.contextValue;
    const refused = unsatisfied(analysis, principal.scopes);
    if (refused.length > 0) {
      setResultAndStopExecution({ errors: forbiddenErrors(refused, principal.scopes) });
      return;
    }
    const decision = await charge(args.contextValue, 1);
    if (!decision.allowed) {
      setResultAndStopExecution({ errors: [limited(decision)] });
      return;
    }
    noteUse(args.contextValue, analysis, new Set());
  },
};

/** Counts the operation and the scopes that it used: of alternatives, the one that the key holds. */
function noteUse({ use, principal }: Context, { operation, fields }: Analysis, refused: ReadonlySet<FieldUse>): void {
  use.operations.push(operation.name?.value ?? 'anonymous');
  for (const field of fields) {
    if (refused.has(field)) continue;
    for (const scope of closest(principal.scopes, field.requirement).required) use.scopes.add(scope);
  }
}

async function charge({ principal, services, use }: Context, requests: number): Promise<Decision> {
  const { keyLimits, keyWatch } = services;
  const decision = await keyLimits.consume(principal, requests);
  use.limits = decision;
  const widest = decision.windows.at(-1);
  if (widest && requests > 0) keyWatch.limits(principal, widest, decision.allowed);
  return decision;
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

/** The request fails as a whole. */
function refusal({ code, message, details }: ApiError): GraphQLError {
  const { retryAfter } = details;
  const http = { status: HTTP_STATUS[code], headers: { 'Retry-After': String(retryAfter) } };
  return new GraphQLError(message, {
    extensions: { code, ...(retryAfter !== undefined && { retryAfter }), http },
  });
}

function limited({ retryAfter }: Decision): GraphQLError {
  return refusal(rateLimited(`Rate limit exceeded. Try again in ${retryAfter} seconds.`, retryAfter));
}

/** `requested` in points; what remains is of the widest window, in requests. */
function costReport(cost: number, { windows }: Decision) {
  const widest = windows.at(-1);
  return { requested: cost, remaining: widest?.remaining ?? null, resetAt: widest?.resetAt ?? null };
}

/** The same operation in the masked document. */
function operationOf(document: DocumentNode, { operation }: Analysis): OperationDefinitionNode {
  const same = document.definitions.find(
    (definition) => definition.kind === Kind.OPERATION_DEFINITION && definition.name?.value === operation.name?.value,
  );
  return same?.kind === Kind.OPERATION_DEFINITION ? same : operation;
}
