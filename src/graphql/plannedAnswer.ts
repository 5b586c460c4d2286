/** Operations that have a plan, answered as Yoga would answer them, without it. */
import type { ExecutionResult, GraphQLSchema } from 'graphql';
import type { Logger } from 'pino';
import type { AdmittedOperation } from './admittedOperation.js';
import type { Context } from './context.js';
import { toGraphQLError } from './maskError.js';
import { admitOperation } from './operationGate.js';
import type { PlainRequest } from './plainRequest.js';
import { type PlanAnswer, runPlan } from './plans/plan.js';
import { costReport } from './plugins/metering.js';
import { asServiceUnavailable, codeOf, refusal, withoutSuggestions } from './plugins/refusals.js';

export interface Reference {
  readonly schema: GraphQLSchema;
  readonly logger: Logger;
  /** Runs what has no plan. */
  readonly run: (
    operation: PlainRequest['operation'],
    variables: PlainRequest['variables'],
    context: Context,
  ) => Promise<ExecutionResult>;
}

/** A result without errors, with its data as JSON text. */
export interface DataText {
  readonly text: string;
  readonly extensions: Readonly<Record<string, unknown>>;
}

/** @returns the data as it was written where there are no errors, else the result that says so */
export async function runPlanned(
  { operation, variables }: PlainRequest,
  context: Context,
  { schema, logger, run }: Reference,
): Promise<DataText | ExecutionResult> {
  const admitted = await admitOperation(operation, variables, context);
  if ('refused' in admitted) return { errors: admitted.refused };
  const { executable, variables: permitted, release } = admitted;
  let answer: PlanAnswer | undefined;
  try {
    if (!context.services.database.hasReplica) {
      answer = await runPlan(schema, executable, permitted, context);
    }
  } catch (error) {
    release();
    throw error;
  }
  // What has no plan is under way until it has been run.
  if (!answer) return run(operation, permitted, { ...context, admitted });
  release();
  return shown(answer, admitted, context, operation.type, logger);
}

function shown(
  { data, errors: failed, isAnswered }: PlanAnswer,
  { errors: left, cost, limits }: AdmittedOperation,
  { use, services }: Context,
  type: PlainRequest['operation']['type'],
  logger: Logger,
): DataText | ExecutionResult {
  const tooLarge = data === undefined ? undefined : use.budget.countText(data);
  const errors = tooLarge
    ? [refusal(tooLarge)]
    : [...left, ...withoutSuggestions(left, asServiceUnavailable(isAnswered, failed))];
  services.metrics.operation(type, codeOf(errors));
  const extensions = { cost: costReport(cost, limits) };
  if (data !== undefined && errors.length === 0) return { text: data, extensions };
  const masked = errors.map((error) => toGraphQLError(error, logger));
  if (tooLarge) return { errors: masked };
  return { ...(data !== undefined && { data: JSON.parse(data) }), errors: masked, extensions };
}
