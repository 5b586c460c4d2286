/** POST and GET /graphql: what the gateway lets in goes to Yoga. */
import { ApiError } from '../errors.js';
import type { GraphQL } from '../graphql/yoga.js';
import type { RunKeyed } from './gateway.js';
import { refuse } from './refusal.js';

export function runGraphQL(graphql: GraphQL): RunKeyed {
  return async (c, context) => {
    const response = await graphql.fetch(c.req.raw, context);
    if (response.status !== 415) return response;
    return refuse(c, new ApiError('UNSUPPORTED_MEDIA_TYPE', 'Send the operation as application/json.'));
  };
}
