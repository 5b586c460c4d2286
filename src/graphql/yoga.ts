/** Yoga: from an authenticated HTTP request to an executed operation. Authentication has happened before (src/http). */
import type { ExecutionResult } from 'graphql';
import { createYoga, processRegularResult } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { Operation } from '../operations/document.js';
import type { DocumentCache } from '../operations/documentCache.js';
import type { Variables } from '../operations/variables.js';
import type { Context } from './context.js';
import { toGraphQLError } from './maskError.js';
import { readPlainRequest } from './plainRequest.js';
import { type DataText, runPlanned } from './plannedAnswer.js';
import { documentValidation, requestSizes } from './plugins/documentChecks.js';
import { metering } from './plugins/metering.js';
import { multipartSubscriptions } from './plugins/multipartSubscriptions.js';
import { errorNotes, noteErrors } from './plugins/refusals.js';
import { scopesAndLimits } from './plugins/scopesAndLimits.js';
import { trustedDocuments } from './plugins/trustedDocuments.js';
import { Subscriptions } from './subscriptions/subscriptions.js';

export interface GraphQL {
  /** GraphQL over HTTP. */
  fetch(request: Request, context: Context): Response | Promise<Response>;
  /** Runs an operation of the server's own with the same checks, limits and errors as one that came over HTTP. */
  run(operation: Operation, variables: Variables, context: Context): Promise<ExecutionResult>;
  /** The same; the data is text where it was written as text. */
  runAsText(operation: Operation, variables: Variables, context: Context): Promise<DataText | ExecutionResult>;
  /** In which form a client gets its answers, by what it accepts; undefined where that is not known yet. */
  formOf(accept: string | undefined): string | undefined;
  /**
   * Answers a request that has been read, as `fetch` would.
   * @param form of the answer
   * @returns undefined for what is left to `fetch`; nothing was charged or run then
   */
  answer(body: string, form: string, context: Context): Promise<JsonAnswer> | undefined;
}

/** An answer that is whole. */
interface JsonAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** @param trustedOnly whether no other document runs over HTTP */
export function createGraphQL(documents: DocumentCache, logger: Logger, trustedOnly: boolean): GraphQL {
  // The server's own classes (src/server/listen.ts), which it sends without going through a stream.
  const fetchAPI = {
    fetch,
    Request,
    Response,
    Headers,
    ReadableStream,
    TextEncoder,
    TextDecoder,
    URL,
    URLSearchParams,
  };
  const yoga = createHandler(documents, logger, trustedOnly, fetchAPI);
  /** In which form Yoga answers, by what the client accepts. */
  const forms = new LRUCache<string, string>({ max: MAX_FORMS });
  const execute: GraphQL['run'] = async ({ document, name }, variables, context) => {
    const contextValue = { ...context, document };
    const enveloped = yoga.getEnveloped(contextValue as Parameters<typeof yoga.getEnveloped>[0]);
    return enveloped.execute({
      schema: documents.schema,
      document: document.ast,
      operationName: name,
      variableValues: variables,
      contextValue,
    }) as Promise<ExecutionResult>;
  };
  const reference = { schema: documents.schema, logger, run: execute };
  const runAsText: GraphQL['runAsText'] = (operation, variables, context) =>
    runPlanned({ operation, variables }, context, reference);
  return {
    async fetch(request, context) {
      const response = await yoga.fetch(request, context);
      const [form] = FORM.exec(response.headers.get('content-type') ?? '') ?? [];
      const accept = request.headers.get('accept') ?? '';
      if (form !== undefined && accept.length <= MAX_ACCEPT) forms.set(accept, form);
      return response;
    },
    runAsText,
    async run(operation, variables, context) {
      const answer = await runAsText(operation, variables, context);
      if (!('text' in answer)) return answer;
      return { data: JSON.parse(answer.text) as Record<string, unknown>, extensions: answer.extensions };
    },
    formOf: (accept = '') => (trustedOnly ? undefined : forms.get(accept)),
    answer(body, form, context) {
      const request = context.meter.reading(() => readPlainRequest(body, context));
      if (!request) return undefined;
      return (async () => {
        await context.meter.begin();
        const answer = 'errors' in request ? { errors: request.errors } : await runPlanned(request, context, reference);
        if ('text' in answer) {
          const body = `{"data":${answer.text},"extensions":${JSON.stringify(answer.extensions)}}`;
          return { status: 200, headers: contentType(form), body };
        }
        noteErrors(answer, context);
        const response = processRegularResult(answer as never, fetchAPI as never, form as never) as Response;
        const headers = Object.fromEntries(response.headers);
        delete headers['content-length'];
        return { status: response.status, headers, body: await response.text() };
      })();
    },
  };
}

const contentType = (form: string) => ({ 'content-type': `${form}; charset=utf-8` });

const FORM = /^application\/(?:graphql-response\+)?json/;
/** Values of Accept that are known, and characters of one. */
const MAX_FORMS = 100;
const MAX_ACCEPT = 300;

function createHandler(documents: DocumentCache, logger: Logger, trustedOnly: boolean, fetchAPI: object) {
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
    // Limited by `requestSizes`, in words of ours.
    batching: { limit: Number.MAX_SAFE_INTEGER },
    // src/http has limited it already.
    maxRequestBodySize: false,
    fetchAPI,
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
      errorNotes,
    ],
  });
}
