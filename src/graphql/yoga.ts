/** Yoga: from an authenticated HTTP request to an executed operation. Authentication has happened before (src/http). */
import { createYoga } from 'graphql-yoga';
import type { Context } from '../auth/context.js';
import type { Logger } from '../http/logger.js';
import { OPERATION_LIMITS } from '../limits/operationLimits.js';
import { errorCodes, rememberedDocuments, smallEnough, wellFormed } from './documentPlugins.js';
import { toGraphQLError } from './errors.js';
import { operationCheck } from './operationPlugin.js';
import { schema } from './schema.js';

export type GraphQL = ReturnType<typeof createGraphQL>;

export function createGraphQL(logger: Logger) {
  return createYoga<Context>({
    schema,
    graphqlEndpoint: '/graphql',
    graphiql: false,
    landingPage: false,
    cors: false,
    logging: false,
    multipart: false,
    batching: { limit: OPERATION_LIMITS.batch },
    // src/http has limited it already.
    maxRequestBodySize: false,
    // The server's own classes (src/server.ts), which it sends without going through a stream.
    fetchAPI: { fetch, Request, Response, Headers, ReadableStream, TextEncoder, TextDecoder, URL, URLSearchParams },
    maskedErrors: {
      maskError: (error) => toGraphQLError(error, logger),
    },
    plugins: [smallEnough, rememberedDocuments(), wellFormed, errorCodes, operationCheck],
  });
}
