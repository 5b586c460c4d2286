/** Reads of rows as most clients send them, answered before the application that takes all forms (src/http/direct.ts). */
import type { IncomingMessage } from 'node:http';
import { ApiError } from '../errors.js';
import type { Context } from '../graphql/context.js';
import type { GraphQL } from '../graphql/yoga.js';
import type { PlainAnswer, PlainForm } from '../http/direct.js';
import { errorAnswer } from '../http/refusal.js';
import { wireAnswer } from '../http/send.js';
import { readRequest } from './request.js';
import type { Route } from './route.js';
import { allowedFirst, runRead } from './run.js';

/** A path without anything that could be written in another way, and a query. */
const PLAIN = /^((?:\/[\w-]+)+)(?:\?[^#]*)?$/;

/** The parts of a path: each a text, or the name of what stands there. */
type Parts = readonly (string | { readonly name: string })[];

/**
 * @param patterns the rows of each path, in the order in which paths are looked for
 * @param addressOf where the client sent the request to; undefined where that cannot be told from it
 */
export function plainReads(
  patterns: Iterable<readonly Route[]>,
  graphql: GraphQL,
  addressOf: (request: IncomingMessage) => URL | undefined,
): PlainForm {
  const rows = [...patterns].map((routes) => {
    const route = routes.find(({ method }) => method === 'get');
    return { route, parts: partsOf(routes[0]?.path ?? '') };
  });
  return (incoming) => {
    const { method, url = '', headers } = incoming;
    if (method !== 'GET' || Number(headers['content-length'] ?? 0) !== 0) return undefined;
    const path = PLAIN.exec(url)?.[1];
    if (path === undefined) return undefined;
    const given = path.split('/');
    const { route, parts } = rows.find((row) => matches(row.parts, given)) ?? NO_ROW;
    // What asks for limits alone has a rule of its own.
    if (!route || route.isLook) return undefined;
    return {
      path,
      route: route.path,
      bytes: 0,
      answer(_body, context) {
        const address = addressOf(incoming);
        return address && answerTo(route, paramsOf(parts, given), address, incoming, graphql, context);
      },
    };
  };
}

const NO_ROW = { route: undefined, parts: [] };

const partsOf = (path: string): Parts =>
  path.split('/').map((part) => {
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    return name === undefined ? part : { name };
  });

function matches(parts: Parts, given: readonly string[]): boolean {
  return (
    parts.length === given.length && parts.every((part, index) => typeof part === 'object' || part === given[index])
  );
}

function paramsOf(parts: Parts, given: readonly string[]): Record<string, string> {
  const params: Record<string, string> = {};
  for (const [index, part] of parts.entries()) if (typeof part === 'object') params[part.name] = given[index] ?? '';
  return params;
}

async function answerTo(
  route: Route,
  params: Record<string, string>,
  url: URL,
  { method = '', headers }: IncomingMessage,
  graphql: GraphQL,
  context: Context,
): Promise<PlainAnswer> {
  const { meter, use, principal, request } = context;
  use.counts = 'request';
  await meter.begin();
  const { workspaceId } = principal;
  const read = () => {
    const given = { params, url, contentType: undefined, body: '', workspaceId };
    const asked = meter.reading(() => readRequest(route, given));
    return { asked, variables: route.variables(asked) };
  };
  const { asked, variables } = await allowedFirst(read, route, context);
  const asking = {
    method,
    acceptEncoding: headers['accept-encoding'] as string | undefined,
    ifNoneMatch: headers['if-none-match'],
  };
  try {
    return await wireAnswer(await runRead(route, variables, asked, graphql, context), asking);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const { status, body, headers: more } = errorAnswer(url.pathname, error, request.requestId);
    return {
      ...(await wireAnswer({ status, body: JSON.stringify(body), headers: more }, asking)),
      refusal: error.code,
    };
  }
}
