/** Yoga: from an authenticated HTTP request to an executed operation. Authentication has happened before (src/http). */
import type { ExecutionResult } from 'graphql';
import { createYoga } from 'graphql-yoga';
import type { Logger } from 'pino';
import { OPERATION_LIMITS } from '../limits/operationLimits.js';
import type { Operation } from '../operations/document.js';
import type { DocumentCache } from '../operations/documentCache.js';
import type { Variables } from '../operations/variables.js';
import type { Context } from './context.js';
import { toGraphQLError } from './maskError.js';
import { documentValidation, requestSizes } from './plugins/documentChecks.js';
import { metering } from './plugins/metering.js';
import { multipartSubscriptions } from './plugins/multipartSubscriptions.js';
import { noteErrors } from './plugins/refusals.js';
import { scopesAndLimits } from './plugins/scopesAndLimits.js';
import { trustedDocuments } from './plugins/trustedDocuments.js';
import { Subscriptions } from './subscriptions/subscriptions.js';

export interface GraphQL {
  /** GraphQL over HTTP. */
  fetch(request: Request, context: Context): Response | Promise<Response>;
  /** Runs an operation of the server's own with the same checks, limits and errors as one that came over HTTP. */
  run(operation: Operation, variables: Variables, context: Context): Promise<ExecutionResult>;
}

/** @param trustedOnly whether no other document runs over HTTP */
export function createGraphQL(documents: DocumentCache, logger: Logger, trustedOnly: boolean): GraphQL {
  const yoga = createHandler(documents, logger, trustedOnly);
  return {
    fetch: (request, context) => yoga.fetch(request, context),
    async run({ document, name }, variables, context) {
      const contextValue = { ...context, document };
      const { execute } = yoga.getEnveloped(contextValue as Parameters<typeof yoga.getEnveloped>[0]);
      return execute({
        schema: documents.schema,
        document: document.ast,
        operationName: name,
        variableValues: variables,
        contextValue,
      }) as Promise<ExecutionResult>;
    },
  };
}

function createHandler(documents: DocumentCache, logger: Logger, trustedOnly: boolean) {
  return createYoga<Context>({
    schema: documents.schema,
    graphqlEndpoint: '/graphql',
    graphiql: false,
    landingPage: false,
    cors: false,
    logging: false,
    multipart: false,
    // Documents are kept with all that is known of them (src/operations/documentCache.ts).
    parserAndValidationCache: false,
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
      metering,
      requestSizes,
      trustedDocuments(trustedOnly),
      documentValidation(documents),
      scopesAndLimits(new Subscriptions()),
      multipartSubscriptions,
      noteErrors,
    ],
  });
}
