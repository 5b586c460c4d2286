/** From a request to a route's answer: read, run the stored operation, reshape. */
import { ApiError } from '../errors.js';
import type { GraphQL } from '../graphql/yoga.js';
import type { KeyedContext, RunKeyed } from '../http/gateway.js';
import { once } from '../http/idempotency.js';
import { refusalOutcome } from '../http/refusal.js';
import { type Outcome, send } from '../http/send.js';
import { failureOf } from './failure.js';
import { readRequest } from './request.js';
import { parametersOf, type Route } from './route.js';

/** The parts of a path have names of their own in each row; the router knows them by their places. */
export const parameterName = (index: number): string => `p${index}`;

/** @param urlOf where the client sent the request to, for links */
export function runRoute(route: Route, graphql: GraphQL, urlOf: (c: KeyedContext) => URL): RunKeyed {
  const names = parametersOf(route);
  return async (c, context) => {
    const body = route.body === undefined ? '' : await readBody(c);
    const request = readRequest(route, {
      params: Object.fromEntries(names.map((name, index) => [name, c.req.param(parameterName(index)) ?? ''])),
      url: urlOf(c),
      contentType: c.req.header('content-type'),
      body,
      workspaceId: context.principal.workspaceId,
    });
    const variables = route.variables(request);
    context.use.counts = 'request';
    const run = async (): Promise<Outcome> => {
      const { data, errors } = await graphql.run(route.operation, variables, context);
      if (errors && errors.length > 0) return refusalOutcome(c, failureOf(errors, route));
      const headers = route.headers?.(data, request) ?? {};
      return {
        status: route.status,
        body: route.answer ? JSON.stringify(route.answer(data, request)) : '',
        headers: route.secret ? { ...headers, 'cache-control': 'no-store' } : headers,
      };
    };
    return send(c, route.method === 'post' ? await once(c, context, body, route.operation.scopes, run) : await run());
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws ApiError for what is compressed, or is no text: it would be stored as something else */
async function readBody(c: KeyedContext): Promise<string> {
  const encoding = c.req.header('content-encoding') ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', 'Send the body without a Content-Encoding.');
  }
  const bytes = await c.req.arrayBuffer();
  try {
    return utf8.decode(bytes);
  } catch {
    throw new ApiError('BAD_USER_INPUT', 'The body is not UTF-8.');
  }
}
