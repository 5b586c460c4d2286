/** Yoga: from an authenticated HTTP request to an executed operation. Authentication has happened before (src/http). */
import { type DocumentNode, type ExecutionResult, Kind, parse, validate } from 'graphql';
import { createYoga } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import { OPERATION_LIMITS } from '../limits/operationLimits.js';
import type { Logger } from '../logger.js';
import { scopesOfDocument } from '../operations/scopeReport.js';
import type { Context } from './context.js';
import { toGraphQLError } from './errors.js';
import { errorCodes, smallEnough, wellFormed } from './plugins/documentChecks.js';
import { multipartSubscriptions } from './plugins/multipartSubscriptions.js';
import { metering, operationCheck, outcomes } from './plugins/operationCheck.js';
import { persistedDocuments } from './plugins/trustedDocuments.js';
import { schema } from './schema/schema.js';
import { Subscriptions } from './subscriptions.js';

/** An operation of the server's own: parsed and validated once. */
export interface StoredOperation {
  readonly document: DocumentNode;
  readonly name: string;
  /** The names of its variables. */
  readonly variables: ReadonlySet<string>;
  /** The fewest that it runs with. */
  readonly scopes: readonly string[];
}

/** @throws Error when the operation does not fit the schema, which is a fault in the program */
export function storeOperation(text: string): StoredOperation {
  const document = parse(text);
  const errors = validate(schema, document);
  const [operation] = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  if (errors.length > 0 || !operation?.name) throw new Error(`${errors.join('\n') || 'no named operation'} in ${text}`);
  const variables = new Set(operation.variableDefinitions?.map(({ variable }) => variable.name.value));
  return { document, name: operation.name.value, variables, scopes: scopesOfDocument(schema, document) };
}

export interface GraphQL {
  /** GraphQL over HTTP. */
  fetch(request: Request, context: Context): Response | Promise<Response>;
  /** Runs an operation of the server's own with the same checks, limits and errors as one that came over HTTP. */
  run(
    operation: StoredOperation,
    variables: Readonly<Record<string, unknown>>,
    context: Context,
  ): Promise<ExecutionResult>;
}

/** @param trustedOnly whether no other document runs over HTTP */
export function createGraphQL(logger: Logger, trustedOnly: boolean): GraphQL {
  const yoga = createHandler(logger, trustedOnly);
  return {
    fetch: (request, context) => yoga.fetch(request, context),
    async run({ document, name }, variables, context) {
      const { execute } = yoga.getEnveloped(context as Parameters<typeof yoga.getEnveloped>[0]);
      return execute({
        schema,
        document,
        operationName: name,
        variableValues: variables,
        contextValue: context,
      }) as Promise<ExecutionResult>;
    },
  };
}

/**
 * Documents that are kept parsed, in bytes: with all that is known of one (its validity, scopes, cost, shape) it takes
 * about this many times its text, as measured.
 */
const BYTES_OF_CHARACTER = 100;
const REMEMBERED = {
  maxSize: 64 * 1024 * 1024,
  sizeCalculation: (_value: unknown, text: string) => 1 + text.length * BYTES_OF_CHARACTER,
};

function createHandler(logger: Logger, trustedOnly: boolean) {
  return createYoga<Context>({
    schema,
    graphqlEndpoint: '/graphql',
    graphiql: false,
    landingPage: false,
    cors: false,
    logging: false,
    multipart: false,
    parserAndValidationCache: {
      documentCache: new LRUCache<string, DocumentNode>(REMEMBERED),
      errorCache: new LRUCache<string, Error>(REMEMBERED),
    },
    extraParamNames: ['documentId'],
    batching: { limit: OPERATION_LIMITS.batch },
    // src/http has limited it already.
    maxRequestBodySize: false,
    // The server's own classes (src/server/listen.ts), which it sends without going through a stream.
    fetchAPI: { fetch, Request, Response, Headers, ReadableStream, TextEncoder, TextDecoder, URL, URLSearchParams },
    maskedErrors: {
      maskError: (error) => toGraphQLError(error, logger),
    },
    plugins: [
      ...[
        metering,
        smallEnough,
        persistedDocuments(trustedOnly),
        wellFormed,
        errorCodes,
        operationCheck(new Subscriptions()),
      ],
      multipartSubscriptions,
      outcomes,
    ],
  });
}
