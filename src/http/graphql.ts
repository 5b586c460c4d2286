/** POST and GET /graphql: what the gateway lets in goes to Yoga; POST /graphql?doc vouches for a document. */
import { z } from 'zod';
import { ApiError, badInput } from '../errors.js';
import { type GraphQL, storeOperation } from '../graphql/yoga.js';
import { failureOf } from '../rest/failure.js';
import type { RunKeyed } from './gateway.js';
import { refuse } from './refusal.js';

export function runGraphQL(graphql: GraphQL): RunKeyed {
  const register = registerDocument(graphql);
  return async (c, context) => {
    if (c.req.method === 'POST' && c.req.query('doc') === '') return register(c, context);
    const response = await graphql.fetch(c.req.raw, context);
    if (response.status !== 415) return response;
    return refuse(c, new ApiError('UNSUPPORTED_MEDIA_TYPE', 'Send the operation as application/json.'));
  };
}

const registration = z.object({ query: z.string() });

/** { "query": "..." } -> 201 { data: { addTrustedDocument: { document: { hash, operations, scopes } } } } */
function registerDocument(graphql: GraphQL): RunKeyed {
  const operation = storeOperation(`mutation AddTrustedDocument($text: String!) {
    addTrustedDocument(input: { text: $text }) { document { hash operations scopes } }
  }`);
  return async (c, context) => {
    const body = registration.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success) throw badInput({ query: ['is required: the text of a GraphQL document, in a JSON object'] });
    const result = await graphql.run(operation, { text: body.data.query }, context);
    if (result.errors) throw failureOf(result.errors, { method: 'post', fields: { text: 'query' } });
    return c.json(result, 201);
  };
}
