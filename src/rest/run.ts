/** From a request to a route's answer: read, run the stored operation, reshape. */

import { setImmediate } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { ApiError, HTTP_STATUS } from '../errors.js';
import { apiErrorOf } from '../graphql/apiErrors.js';
import type { Context } from '../graphql/context.js';
import { refusalsOf } from '../graphql/operationGate.js';
import type { GraphQL } from '../graphql/yoga.js';
import { admitBody, announcedBytes, readBody, readingWith } from '../http/body.js';
import type { KeyedContext } from '../http/environment.js';
import type { RunKeyed } from '../http/gateway.js';
import { once } from '../http/idempotency.js';
import { refusalAnswer } from '../http/refusal.js';
import { isMatch, type JsonAnswer, send } from '../http/send.js';
import { MAX_PAGE } from '../operations/pageLimits.js';
import { cut, cutHeaders, END, type PageQuery, pageHeaders, pageVariables, startOf } from './pages.js';
import { readRequest } from './request.js';
import { parametersOf, type Route, type RouteRequest } from './route.js';
import type { Moment } from './shapes.js';

/** The parts of a path have names of their own in each row; the router knows them by their places. */
export const parameterName = (index: number): string => `p${index}`;

/** Refusals that the caller can mend or wait out, after which the same request should run. */
const PASSING = new Set([401, 403, 429]);

/** What the request is refused with for its content. */
const WRONG_REQUEST = new Set([400, 415, 422]);

type Variables = Record<string, unknown>;

/**
 * @param reader the route that shows what this one changes
 * @param urlOf where the client sent the request to, for links
 */
export function runRoute(
  route: Route,
  reader: Route | undefined,
  graphql: GraphQL,
  urlOf: (c: KeyedContext) => URL,
): RunKeyed {
  const names = parametersOf(route);
  const changesRow = route.method !== 'get' && (route.method !== 'post' || route.of !== undefined);
  const isUntagged = changesRow && !reader;
  return async (c, context) => {
    context.use.counts = 'request';
    await context.meter.begin(route.isLook, announcedBytes(c) ?? 0);
    await context.meter.turn();
    const read = async () => {
      const body = route.body === undefined ? '' : await readBody(c, context);
      const bodyRead = route.body === undefined ? undefined : await admitBody(c, context, body);
      const request = readingWith(bodyRead, context, () =>
        readRequest(route, {
          params: Object.fromEntries(names.map((name, index) => [name, c.req.param(parameterName(index)) ?? ''])),
          url: urlOf(c),
          contentType: c.req.header('content-type'),
          body,
          workspaceId: context.principal.workspaceId,
        }),
      );
      return { body, request, variables: route.variables(request) };
    };
    const { body, request, variables } = await allowedFirst(read, route, context);
    const run = async (): Promise<JsonAnswer> => {
      try {
        const ifMatch = c.req.header('if-match');
        if (ifMatch !== undefined && isUntagged && ifMatch.trim() !== '*') throw untagged();
        const expected =
          ifMatch === undefined || !reader ? undefined : await expectMatch(ifMatch, reader, request, graphql, context);
        return await runRead(route, expecting(route, variables, expected), request, graphql, context);
      } catch (error) {
        if (error instanceof ApiError) return refusalAnswer(c, error);
        throw error;
      }
    };
    if (route.method !== 'post') return send(c, await run());
    const isFinal = ({ status }: JsonAnswer) => status < 500 && !PASSING.has(status);
    return send(c, await once(c, context, { body, isFinal }, run));
  };
}

/** Reads a request. @throws ApiError of what is wrong with it; who may not make it at all is told that first */
export async function allowedFirst<T>(read: () => T | Promise<T>, route: Route, context: Context): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof ApiError) || !WRONG_REQUEST.has(HTTP_STATUS[error.code])) throw error;
    const refused = refusalsOf(route.operation, context);
    throw refused.length > 0 ? apiErrorOf(refused, route) : error;
  }
}

/** What a route answers to a request that was read. @throws ApiError in the words of the dialect */
export async function runRead(
  route: Route,
  variables: Variables,
  request: RouteRequest,
  graphql: GraphQL,
  context: Context,
): Promise<JsonAnswer> {
  if (!route.list) return answerOf(route, await load(route, variables, graphql, context), request);
  const loaded = await loadFirst(route, variables, request, graphql, context);
  const name = typeof loaded === 'string' ? nameOf(route, request, loaded) : undefined;
  const known = name === undefined ? undefined : shownPages.get(name);
  if (known) return known;
  const data = typeof loaded === 'string' ? JSON.parse(loaded) : loaded;
  const isWhole = await loadOthers(route, data, variables, request, graphql, context);
  const answer = await answerOf(route, data, request);
  if (name !== undefined && isWhole) shownPages.set(name, answer);
  return answer;
}

/**
 * Pages as they were shown, by the request and the data: lists are asked for again and again, and to show one takes longer than
 * to read it.
 */
const shownPages = new LRUCache<string, JsonAnswer>({
  maxSize: 4 * 1024 * 1024,
  sizeCalculation: ({ body }, name) => body.length + name.length,
});
/** Characters of the data of one. */
const MAX_SHOWN = 32 * 1024;

/** @returns undefined for what is too large, or another one each time */
function nameOf({ path, isTimed }: Route, { url, workspaceId }: RouteRequest, data: string): string | undefined {
  return isTimed || data.length > MAX_SHOWN ? undefined : `${path} ${workspaceId} ${url.href} ${data}`;
}

async function answerOf(route: Route, data: unknown, request: RouteRequest): Promise<JsonAnswer> {
  const query = request.query as PageQuery;
  const whole = route.answer?.(data, request);
  const rows = route.isWhole ? (whole as readonly unknown[]) : undefined;
  const answer = rows ? cut(rows, query) : whole;
  const page = route.list?.page(data, query);
  return {
    status: route.status,
    body: route.answer ? await inParts(answer) : '',
    headers: {
      ...(page && pageHeaders(page, query, request.url, route.list?.usual)),
      ...(rows && cutHeaders(rows.length, query, request.url)),
      ...route.headers?.(data, request),
      ...(route.secret && { 'cache-control': 'no-store' }),
    },
    ...(route.stable && { version: JSON.stringify(route.stable(answer as never)) }),
  };
}

/** Rows that are written before others have their turn. */
const PART = 250;

/** JSON, with a long list at the top or one level below written in parts. */
async function inParts(answer: unknown): Promise<string> {
  if (Array.isArray(answer)) {
    if (answer.length <= PART) return JSON.stringify(answer);
    const parts: string[] = [];
    for (let at = 0; at < answer.length; at += PART) {
      parts.push(JSON.stringify(answer.slice(at, at + PART)).slice(1, -1));
      await setImmediate();
    }
    return `[${parts.join()}]`;
  }
  if (answer === null || typeof answer !== 'object' || !Object.values(answer).some(isLong))
    return JSON.stringify(answer);
  const fields: string[] = [];
  for (const [name, value] of Object.entries(answer)) {
    if (value !== undefined) fields.push(`${JSON.stringify(name)}:${await inParts(value)}`);
  }
  return `{${fields.join()}}`;
}

const isLong = (value: unknown) => Array.isArray(value) && value.length > PART;

/** @throws ApiError in the words of the dialect */
async function load(route: Route, variables: Variables, graphql: GraphQL, context: Context): Promise<unknown> {
  const loaded = await loadAsText(route, variables, graphql, context);
  return typeof loaded === 'string' ? JSON.parse(loaded) : loaded;
}

/** @returns the data, or its JSON text */
async function loadAsText(route: Route, variables: Variables, graphql: GraphQL, context: Context): Promise<unknown> {
  const answer = await graphql.runAsText(route.operation, variables, context);
  if ('text' in answer) return answer.text;
  const { data, errors } = answer;
  if (errors && errors.length > 0) throw apiErrorOf(errors, route);
  return data;
}

/** Rows of a list of many that are asked for at once: each time a large operation, and others have their turns between. */
const PORTION = 300;

const portionOf = ({ limit }: PageQuery) => (limit > MAX_PAGE ? PORTION : MAX_PAGE);

/** As many rows as were asked for, or as the core gives at once. @returns the data, or its JSON text */
function loadFirst(
  route: Route,
  variables: Variables,
  request: RouteRequest,
  graphql: GraphQL,
  context: Context,
): Promise<unknown> {
  const query = request.query as PageQuery;
  const wanted = query.limit + (route.list?.beyond ?? 0);
  const first = pageVariables(startOf(query), Math.min(wanted, portionOf(query)));
  return loadAsText(route, { ...variables, ...first }, graphql, context);
}

/**
 * The rows that were asked for beyond those, which are put to them; each further thousand is a request too.
 * @returns whether there were none
 */
async function loadOthers(
  route: Route,
  data: unknown,
  variables: Variables,
  request: RouteRequest,
  graphql: GraphQL,
  context: Context,
): Promise<boolean> {
  const query = request.query as PageQuery;
  const pageOf = (data: unknown) => route.list?.page(data, query) ?? { nodes: [], totalCount: 0, pageInfo: END };
  const portion = portionOf(query);
  const rows = [...pageOf(data).nodes];
  const before = rows.length;
  let { pageInfo } = pageOf(data);
  let paid = MAX_PAGE;
  while (rows.length < query.limit && pageInfo.hasNextPage && pageInfo.endCursor !== null) {
    if (rows.length >= paid) {
      await context.meter.chargeOrRefuse(1);
      paid += MAX_PAGE;
    }
    const start = { offset: 0, after: pageInfo.endCursor };
    const page = pageVariables(start, Math.min(query.limit - rows.length, portion));
    const next = pageOf(await load(route, { ...variables, ...page }, graphql, context));
    rows.push(...next.nodes);
    pageInfo = next.pageInfo;
  }
  Object.assign(pageOf(data), { nodes: rows, pageInfo });
  return rows.length === before;
}

/**
 * Whether the row is what the caller saw (RFC 9110 13.1.1).
 * @returns when the row that was compared was changed last, so that the change can be for that one alone
 * @throws ApiError PRECONDITION_FAILED, or what reading the row fails with
 */
async function expectMatch(
  ifMatch: string,
  reader: Route,
  request: RouteRequest,
  graphql: GraphQL,
  context: Context,
): Promise<Moment | undefined> {
  const data = await load(reader, reader.variables({ ...request, query: {}, body: {} }), graphql, context);
  if (isMatch(ifMatch, await answerOf(reader, data, request))) return reader.version?.(data);
  throw changedSince();
}

/** The variables of a change that is for one version of its row alone. */
function expecting({ operation }: Route, variables: Variables, expectedUpdatedAt: Moment | undefined): Variables {
  if (!expectedUpdatedAt) return variables;
  if (!operation.variables.has('input')) {
    return operation.variables.has('expectedUpdatedAt') ? { ...variables, expectedUpdatedAt } : variables;
  }
  return { ...variables, input: { ...(variables['input'] as object), expectedUpdatedAt } };
}

/** Better refused than made to a row that is not the one that was meant. */
function untagged(): ApiError {
  return new ApiError('PRECONDITION_FAILED', 'What is changed here has no ETag: send it without If-Match.');
}

function changedSince(): ApiError {
  return new ApiError('PRECONDITION_FAILED', 'It was changed since you read it. Read it again.');
}
