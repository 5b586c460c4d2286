/** What is checked of a document before it may run: that there is one, well-formed, valid and not too large. */
import { createHash } from 'node:crypto';
import { type DocumentNode, GraphQLError, Kind, visit } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import type { Context } from '../auth/context.js';
import { hasBadText, isStorable } from '../db/text.js';
import { OPERATION_LIMITS } from '../limits/operationLimits.js';
import { checkShape, depthOf, tooMuch } from './cost.js';
import { located } from './errors.js';

/** Errors found before execution get the codes that Apollo's clients know. */
export const errorCodes: Plugin<Context> = {
  onParse:
    () =>
    ({ result, replaceParseResult }) => {
      if (!(result instanceof GraphQLError)) return;
      const tooLong = /more that \d+ tokens/.test(result.message);
      replaceParseResult(
        tooLong ? tooMuch('tokens', OPERATION_LIMITS.tokens + 1) : withCode(result, 'GRAPHQL_PARSE_FAILED'),
      );
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

/** There is a document, and its text can be stored as it is by both databases. */
export const wellFormed: Plugin<Context> = {
  onParams({ params }) {
    if (params.query === undefined) throw badRequest('The body must have a "query", the text of a GraphQL document.');
    if (hasBadText(params.variables)) throw badText();
  },
  onValidate({ params: { documentAST } }) {
    return ({ valid, setResult }) => {
      if (valid && literalHasBadText(documentAST)) setResult([badText()]);
    };
  },
};

function badText(): GraphQLError {
  return badRequest('Text must be well-formed Unicode, without the character U+0000.');
}

function badRequest(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_USER_INPUT', http: { status: 400 } } });
}

const checkedLiterals = new WeakMap<DocumentNode, boolean>();
function literalHasBadText(document: DocumentNode): boolean {
  const known = checkedLiterals.get(document);
  if (known !== undefined) return known;
  let found = false;
  visit(document, {
    [Kind.STRING]: (node) => {
      if (!isStorable(node.value)) found = true;
    },
  });
  checkedLiterals.set(document, found);
  return found;
}

/** Before validation, whose rules take longest for just the documents that are too large. */
export const smallEnough: Plugin<Context> = {
  onParse({ parseFn, setParseFn }) {
    setParseFn((source, options) => parseFn(source, { ...options, maxTokens: OPERATION_LIMITS.tokens }));
  },
  onParams({ params }) {
    const depth = depthOf(params.variables);
    if (depth > OPERATION_LIMITS.variableDepth) throw tooMuch('variableDepth', depth);
  },
  onValidate({ params: { documentAST }, setResult }) {
    const error = checkShape(documentAST);
    if (error) setResult([error]);
  },
};

/** Documents kept by their hash, in characters of text. */
const REMEMBERED = 20_000_000;

/**
 * Automatic persisted queries, as Apollo's clients send them: the hash alone first, and with the text when the server
 * asks for it. A hash is of its text whoever sent it, so one key cannot give another a document.
 */
export function rememberedDocuments(): Plugin<Context> {
  const documents = new LRUCache<string, string>({ maxSize: REMEMBERED, sizeCalculation: (text) => text.length });
  return {
    onParams({ params, setParams }) {
      const persisted = params.extensions?.['persistedQuery'] as
        | { version?: unknown; sha256Hash?: unknown }
        | undefined;
      if (persisted === undefined || persisted === null) return;
      const { version, sha256Hash: hash } = persisted;
      if (version !== 1 || typeof hash !== 'string') throw badRequest('Unsupported version of persisted queries.');
      if (params.query === undefined) {
        const query = documents.get(hash);
        if (query === undefined) throw notRemembered();
        setParams({ ...params, query });
        return;
      }
      if (createHash('sha256').update(params.query).digest('hex') !== hash) {
        throw badRequest('The hash of the persisted query is not that of its text.');
      }
      documents.set(hash, params.query);
    },
  };
}

/** The message and the code that Apollo's clients wait for; they send the text then. */
function notRemembered(): GraphQLError {
  return new GraphQLError('PersistedQueryNotFound', {
    extensions: { code: 'PERSISTED_QUERY_NOT_FOUND', http: { status: 200 } },
  });
}
