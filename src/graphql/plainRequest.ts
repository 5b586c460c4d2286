/**
 * Requests as most clients send them: one query or mutation by its text, in JSON. What is checked of them is what Yoga's
 * plugins check of every request; whatever is found to be otherwise is left to Yoga, which answers it in all its forms.
 */
import { type GraphQLError, OperationTypeNode } from 'graphql';
import { bodyExcess } from '../limits/bodyExcess.js';
import type { Operation } from '../operations/document.js';
import { asksForLimitsAlone } from '../operations/limitsQuery.js';
import type { Variables } from '../operations/variables.js';
import { hasBadText } from '../storable.js';
import type { Context } from './context.js';
import { requestExcess } from './plugins/documentChecks.js';

export interface PlainRequest {
  readonly operation: Operation;
  readonly variables: Variables;
}

/** A request that cannot run, whoever sends it. */
export interface InvalidRequest {
  readonly errors: readonly GraphQLError[];
}

const PARAMETERS = new Set(['query', 'variables', 'operationName']);

/** @returns undefined for what is left to Yoga; nothing was charged or run then */
export function readPlainRequest(
  body: string,
  { principal, services: { documents, introspection } }: Pick<Context, 'principal' | 'services'>,
): PlainRequest | InvalidRequest | undefined {
  if (bodyExcess(body)) return undefined;
  const params = jsonObject(body);
  if (!params || Object.keys(params).some((name) => !PARAMETERS.has(name))) return undefined;
  const { query, variables = {}, operationName } = params;
  if (typeof query !== 'string' || asksForLimitsAlone(query)) return undefined;
  if (variables !== null && !isObject(variables)) return undefined;
  const excess = requestExcess(query, variables);
  if (excess) return { errors: [excess] };
  if (hasBadText(variables)) return undefined;
  // The name of none is left empty by some, which is the name of no operation.
  if (operationName != null && (typeof operationName !== 'string' || operationName === '')) return undefined;
  const document = documents.of(query);
  if (document.errors) return { errors: introspection.errorsOf(document, principal.scopes) };
  const operation = document.operation(operationName);
  if (!operation || operation.type === OperationTypeNode.SUBSCRIPTION) return undefined;
  return { operation, variables: variables ?? {} };
}

function jsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
