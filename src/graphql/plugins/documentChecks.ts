/** What is checked before an operation may run: that there is a document, well-formed, valid and not too large. */
import { GraphQLError } from 'graphql';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import { OPERATION_LIMITS } from '../../limits/operationLimits.js';
import { BAD_TEXT, type Document } from '../../operations/document.js';
import type { DocumentCache } from '../../operations/documentCache.js';
import { badRequest, tooMuch } from '../../operations/documentErrors.js';
import { variablesExcess } from '../../operations/inputs.js';
import { badTextAt, hasBadText } from '../../storable.js';
import type { Context } from '../context.js';

/** The first limit that what was sent breaks, before anything is made of it. */
export function requestExcess(query: unknown, variables: unknown): GraphQLError | undefined {
  const length = typeof query === 'string' ? query.length : 0;
  if (length > OPERATION_LIMITS.characters) return tooMuch('characters', length);
  return variablesExcess(variables);
}

const NOT_JSON = new GraphQLError('"variables" and "extensions" must be JSON.', {
  extensions: { code: 'BAD_REQUEST', http: { status: 400 } },
});

const PARAMETERS = new Set(['query', 'variables', 'operationName', 'extensions', 'documentId']);

/** Clients send names of their own along, which mean nothing here. */
function withoutOthers(params: GraphQLParams): GraphQLParams {
  if (params === null || typeof params !== 'object') return params;
  const entries = Object.entries(params);
  return entries.every(([name]) => PARAMETERS.has(name))
    ? params
    : Object.fromEntries(entries.filter(([name]) => PARAMETERS.has(name)));
}

export const requestSizes: Plugin<Context> = {
  onRequestParse({ requestParser, setRequestParser }) {
    if (requestParser) {
      setRequestParser(async (request) => {
        try {
          const parsed = await requestParser(request);
          if (parsed instanceof Response) return parsed;
          return Array.isArray(parsed) ? parsed.map(withoutOthers) : withoutOthers(parsed);
        } catch (error) {
          // Of what an address or a form has as text.
          throw error instanceof SyntaxError ? NOT_JSON : error;
        }
      });
    }
    return {
      onRequestParseDone({ requestParserResult }) {
        const operations = Array.isArray(requestParserResult) ? requestParserResult.length : 1;
        if (operations > OPERATION_LIMITS.batch) throw tooMuch('batch', operations);
      },
    };
  },
  onParams({ params }) {
    if (params === null || typeof params !== 'object') throw badRequest('Each operation must be a JSON object.');
    const excess = requestExcess(params.query, params.variables);
    if (excess) throw excess;
  },
};

function errorsIn({ principal, services }: Context, document: Document): readonly GraphQLError[] {
  return document.errors ? services.introspection.errorsOf(document, principal.scopes) : [];
}

const MOST_NAMED = 5;

/** As errors of variables name them: of an object without the name of the variable. */
function fieldOf([variable = '', ...path]: readonly string[] = []): string {
  const named = path.slice(0, MOST_NAMED).map((name) => (/^\d+$/.test(name) ? `[${name}]` : `.${name}`));
  return path.length === 0 ? variable : named.join('').replace(/^\./, '');
}

/** What curl sends a body as, where nothing is said. */
const FORM = 'application/x-www-form-urlencoded';

function noQuery(contentType: string | null): GraphQLError {
  if (contentType?.startsWith(FORM)) {
    return badRequest(
      `The body came as a form (${FORM}) without a "query". For JSON, send the header Content-Type: application/json.`,
    );
  }
  return badRequest('The body must have a "query", the text of a GraphQL document.');
}

/** Each document is parsed, measured and validated once; what is known of it goes along in the context. */
export function documentValidation(documents: DocumentCache): Plugin<Context> {
  return {
    onParams({ params, request }) {
      if (params.query === undefined) throw noQuery(request.headers.get('content-type'));
      // Text that not both databases can store as it is.
      if (hasBadText(params.variables)) throw badRequest(BAD_TEXT, fieldOf(badTextAt(params.variables)));
    },
    onParse({ params: { source }, context, extendContext, setParsedDocument, setParseFn }) {
      const { meter } = context as unknown as Context;
      const document: Document = meter.reading(() => documents.of(String(source)));
      extendContext({ document } as object);
      if (document.ast) return setParsedDocument(document.ast);
      return setParseFn(() => {
        throw errorsIn(context as unknown as Context, document)[0];
      });
    },
    onValidate({ context, setResult }) {
      setResult(errorsIn(context as unknown as Context, (context as unknown as { document: Document }).document));
    },
  };
}
