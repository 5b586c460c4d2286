/** What is checked of a document before it may run: that there is one, well-formed, valid and not too large. */
import { type DocumentNode, GraphQLError, Kind, visit } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { hasBadText, isStorable } from '../../db/text.js';
import { OPERATION_LIMITS } from '../../limits/operationLimits.js';
import { checkInputs, checkShape, depthOf, tooMuch } from '../../operations/cost.js';
import type { Context } from '../context.js';
import { badRequest, located } from '../errors.js';

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
    if (params === null || typeof params !== 'object') throw badRequest('Each operation must be a JSON object.');
    const length = typeof params.query === 'string' ? params.query.length : 0;
    if (length > OPERATION_LIMITS.characters) throw tooMuch('characters', length);
    const depth = depthOf(params.variables);
    if (depth > OPERATION_LIMITS.variableDepth) throw tooMuch('variableDepth', depth);
  },
  onValidate({ params: { documentAST }, setResult }) {
    const error = checkShape(documentAST) ?? checkInputs(documentAST, undefined);
    if (error) setResult([error]);
  },
};
