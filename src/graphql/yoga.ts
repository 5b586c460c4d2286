/** Yoga: from an authenticated HTTP request to an executed operation. Authentication has happened before (src/http). */
import { type DocumentNode, type ExecutionResult, GraphQLError, Kind, OperationTypeNode, visit } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { Context, Services } from '../auth/context.js';
import type { Principal } from '../auth/principal.js';
import type { Logger } from '../http/logger.js';
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
import { located, toGraphQLError } from './errors.js';
import { schema } from './schema.js';

export function createGraphQL(logger: Logger) {
  return createYoga<Context>({
    schema,
    graphqlEndpoint: '/graphql',
    graphiql: false,
    landingPage: false,
    cors: false,
    logging: false,
    multipart: false,
    // src/http has limited it already.
    maxRequestBodySize: false,
    // The server's own classes (src/server.ts), which it sends without going through a stream.
    fetchAPI: { fetch, Request, Response, Headers, ReadableStream, TextEncoder, TextDecoder, URL, URLSearchParams },
    maskedErrors: {
      maskError: (error) => toGraphQLError(error, logger),
    },
    plugins: [errorCodes, wellFormed, scopeCheck],
  });
}

/** Errors found before execution get the codes that Apollo's clients know. */
const errorCodes: Plugin<Context> = {
  onParse:
    () =>
    ({ result, replaceParseResult }) => {
      if (result instanceof GraphQLError) replaceParseResult(withCode(result, 'GRAPHQL_PARSE_FAILED'));
    },
  onValidate:
    () =>
    ({ valid, result, setResult }) => {
      if (!valid) setResult(result.map((error) => withCode(error, 'GRAPHQL_VALIDATION_FAILED')));
    },
};

function withCode(error: GraphQLError, code: string): GraphQLError {
  return located(error, error.message, { code, ...error.extensions });
}

/** There is a document; and no U+0000, which PostgreSQL cannot store, so neither database is asked to. */
const wellFormed: Plugin<Context> = {
  onParams({ params }) {
    if (params.query === undefined) throw badRequest('The body must have a "query", the text of a GraphQL document.');
    if (hasNul(params.variables)) throw nulError();
  },
  onValidate({ params: { documentAST } }) {
    return ({ valid, setResult }) => {
      if (valid && literalHasNul(documentAST)) setResult([nulError()]);
    };
  },
};

function nulError(): GraphQLError {
  return badRequest('Text must not contain the character U+0000.');
}

function badRequest(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT', http: { status: 400 } } });
}

function hasNul(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0');
  if (value === null || typeof value !== 'object') return false;
  return Object.values(value).some(hasNul);
}

const checkedLiterals = new WeakMap<DocumentNode, boolean>();
function literalHasNul(document: DocumentNode): boolean {
  const known = checkedLiterals.get(document);
  if (known !== undefined) return known;
  let found = false;
  visit(document, {
    [Kind.STRING]: (node) => {
      if (node.value.includes('\0')) found = true;
    },
  });
  checkedLiterals.set(document, found);
  return found;
}

/**
 * Compares what the operation needs with what the key holds, before anything runs. A mutation or subscription that
 * lacks a scope is refused whole; a query runs without the fields that it may not see. scope-auth asks again at the
 * fields, so this one is about telling all at once and about reaching no database.
 */
const scopeCheck: Plugin<Context> = {
  async onExecute({ args, setResultAndStopExecution }) {
    const analysis = analyse(args.schema, args.document, args.operationName);
    // Without one, execution says that the operation is not there.
    if (!analysis) return undefined;
    const { principal, services } = args.contextValue;
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
    noteUse(args.contextValue, analysis, new Set(refused));
    // A refusal costs no quota.
    if (!(refused.length > 0 && nothingLeft)) {
      const limited = await charge(principal, services);
      if (limited) {
        setResultAndStopExecution({ errors: [limited] });
        return undefined;
      }
    }
    if (refused.length === 0) return undefined;
    args.document = maskFields(args.document, refused);
    return {
      onExecuteDone({ result, setResult }) {
        const { data, errors: others = [], ...rest } = result as ExecutionResult;
        setResult({ ...rest, data: unmask(data) as Record<string, unknown>, errors: [...errors, ...others] });
      },
    };
  },
  async onSubscribe({ args, setResultAndStopExecution }) {
    const analysis = analyse(args.schema, args.document, args.operationName);
    if (!analysis) return;
    const { principal, services } = args.contextValue;
    const refused = unsatisfied(analysis, principal.scopes);
    if (refused.length > 0) {
      setResultAndStopExecution({ errors: forbiddenErrors(refused, principal.scopes) });
      return;
    }
    noteUse(args.contextValue, analysis, new Set());
    const limited = await charge(principal, services);
    if (limited) setResultAndStopExecution({ errors: [limited] });
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

async function charge(principal: Principal, { keyLimits, keyWatch }: Services): Promise<GraphQLError | undefined> {
  const state = await keyLimits.consume(principal);
  const widest = state.windows.at(-1);
  if (widest) keyWatch.limits(principal, widest, state.allowed);
  if (state.allowed) return undefined;
  const { retryAfter } = state;
  return new GraphQLError(`Rate limit exceeded. Try again in ${retryAfter} seconds.`, {
    extensions: {
      code: 'RATE_LIMITED',
      retryAfter,
      http: { status: 429, headers: { 'Retry-After': String(retryAfter) } },
    },
  });
}
