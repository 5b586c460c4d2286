/** POST /graphql as most clients send it, answered before the application (src/http/direct.ts). */
import type { GraphQL } from '../graphql/yoga.js';
import { LARGE_BODY } from '../limits/meter.js';
import { isJson } from './body.js';
import type { PlainForm } from './direct.js';

const PATH = '/graphql';

/** POST /graphql with one query or mutation. */
export function plainGraphQL(graphql: GraphQL): PlainForm {
  return ({ method, url, headers }) => {
    if (method !== 'POST' || url !== PATH || !isJson(headers['content-type'])) return undefined;
    const bytes = Number(headers['content-length']);
    if (!(bytes > 0 && bytes < LARGE_BODY)) return undefined;
    return {
      path: PATH,
      route: PATH,
      bytes,
      answer(body, context) {
        const form = graphql.formOf(headers.accept);
        return form === undefined ? undefined : graphql.answer(body, form, context);
      },
    };
  };
}
