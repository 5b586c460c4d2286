/** POST and GET /graphql: what passes the gateway goes to Yoga; POST /graphql?doc adds a trusted document. */
import { z } from 'zod';
import { ApiError, badInput } from '../errors.js';
import { apiErrorOf } from '../graphql/apiErrors.js';
import type { Accepts, Context } from '../graphql/context.js';
import { storeOperation } from '../graphql/storedOperation.js';
import type { GraphQL } from '../graphql/yoga.js';
import { LARGE_BODY } from '../limits/meter.js';
import { asksForLimitsAlone } from '../operations/limitsQuery.js';
import { admitBody, announcedBytes, isJson, jsonOf, refuseEncoded } from './body.js';
import type { KeyedContext } from './environment.js';
import type { RunKeyed } from './gateway.js';
import { once } from './idempotency.js';
import { refuse } from './refusal.js';
import type { JsonAnswer } from './send.js';

export function runGraphQL(graphql: GraphQL): RunKeyed {
  const register = registerDocument(graphql);
  return async (c, context) => {
    const isRegistration = c.req.method === 'POST' && c.req.query('doc') === '';
    await prepay(c, context, isRegistration);
    await context.meter.turn();
    refuseEncoded(c);
    context.use.accepts = acceptsOf(c.req.header('accept'));
    if (!context.use.accepts.results && !context.use.accepts.streams) throw NOT_ACCEPTABLE;
    if (isRegistration) return register(c, context);
    const isOnce = c.req.method === 'POST' && c.req.header('idempotency-key') !== undefined;
    const response = isOnce ? await runOnce(graphql, c, context) : await fetchFrom(graphql, c, context);
    const refusal = REFUSALS[response.status];
    return refusal ? refuse(c, refusal) : response;
  };
}

/** A large body is parsed when it is its turn, and not while it arrives. */
async function fetchFrom(graphql: GraphQL, c: KeyedContext, context: Context): Promise<Response> {
  const announced = announcedBytes(c);
  if (c.req.method !== 'POST') return graphql.fetch(c.req.raw, context);
  const body = await c.req.text();
  const isPlain =
    announced !== undefined &&
    announced < LARGE_BODY &&
    isJson(c.req.header('content-type')) &&
    !c.req.url.includes('?');
  const form = isPlain ? graphql.formOf(c.req.header('accept')) : undefined;
  const answer = form === undefined ? undefined : await graphql.answer(body, form, context);
  if (!answer) return fetchBody(graphql, c, context, body);
  return new Response(answer.body, { status: answer.status, headers: answer.headers });
}

async function fetchBody(graphql: GraphQL, c: KeyedContext, context: Context, body: string): Promise<Response> {
  const { url, headers } = c.req.raw;
  context.use.bodyRead = await admitBody(c, context, body);
  try {
    return await graphql.fetch(withBody(new Request(url, { method: 'POST', headers }), body, context), context);
  } finally {
    context.use.bodyRead?.();
  }
}

/** The request, with the body that was read of it: made into bytes and read again, a large one takes its time twice. */
function withBody(request: Request, body: string, { meter }: Context): Request {
  return Object.assign(request, {
    text: async () => body,
    json: async () => meter.reading(() => JSON.parse(body)),
  });
}

/** Bytes of a body that is read to see whether it asks for the limits alone. */
const MAX_LOOK = 2000;

/**
 * Before anything of the request is read; a key that has reached its limit may still ask for the limits.
 * @throws RATE_LIMITED
 */
async function prepay(c: KeyedContext, { meter }: Context, isRegistration: boolean): Promise<void> {
  try {
    await meter.prepay(announcedBytes(c) ?? 0);
  } catch (error) {
    if (isRegistration || (announcedBytes(c) ?? MAX_LOOK + 1) > MAX_LOOK) throw error;
    if (!asksForLimitsAlone(await queryOf(c)) || !(await meter.prepayLook())) throw error;
  }
}

async function queryOf(c: KeyedContext): Promise<unknown> {
  if (c.req.method === 'GET') return c.req.query('query');
  try {
    // Read from a copy: the request is read again by what runs it.
    return ((await c.req.raw.clone().json()) as { query?: unknown } | null)?.query;
  } catch {
    return undefined;
  }
}

/** In which forms the client takes answers; asked before anything runs, for what has run cannot be refused any more. */
function acceptsOf(accept: string | undefined): Accepts {
  if (accept === undefined || accept.trim() === '') return { results: true, streams: true };
  const types = accept
    .toLowerCase()
    .split(',')
    .map((type) => type.trim())
    .filter((type) => !/;\s*q=0(\.0*)?\s*(;|$)/.test(type));
  const takes = (pattern: RegExp) => types.some((type) => pattern.test(type));
  const anything = takes(/^\*\/\*/);
  const events = takes(/^text\/(event-stream|\*)/);
  return {
    results: anything || events || takes(/^application\/(json|graphql-response\+json|\*)/),
    streams: anything || events || takes(/^multipart\/mixed\s*;.*subscriptionspec\s*=\s*"?1\.0/),
  };
}

const NOT_ACCEPTABLE = new ApiError(
  'NOT_ACCEPTABLE',
  'Accept application/json or application/graphql-response+json; for a subscription text/event-stream, or multipart/mixed;subscriptionSpec=1.0.',
);

/** What Yoga says with a status alone. */
const REFUSALS: Readonly<Record<number, ApiError>> = {
  406: NOT_ACCEPTABLE,
  415: new ApiError('UNSUPPORTED_MEDIA_TYPE', 'Send the operation as application/json.'),
};

/** Sent again, the operation answers what it answered first; what changed nothing and failed may be sent again. */
async function runOnce(graphql: GraphQL, c: KeyedContext, context: Context): Promise<Response> {
  const body = await c.req.text();
  const run = async (): Promise<JsonAnswer | Response> => {
    const response = await fetchBody(graphql, c, context, body);
    // A subscription goes on; any other answer is whole, in whichever form.
    if (context.use.isStream) return response;
    const type = response.headers.get('content-type') ?? 'application/json';
    return { status: response.status, body: await response.text(), headers: { 'content-type': type } };
  };
  // A query is run again: what it would answer again may be large, and old.
  const isFinal = ({ status, body: answer, headers: { 'content-type': type = '' } }: JsonAnswer) =>
    context.use.mutates &&
    status === 200 &&
    /^application\/(graphql-response\+)?json\b/.test(type) &&
    !hasErrors(answer);
  const outcome = await once(c, context, { body, isFinal }, run);
  if (outcome instanceof Response) return outcome;
  return new Response(outcome.body, { status: outcome.status, headers: outcome.headers });
}

function hasErrors(answer: string): boolean {
  const results = [JSON.parse(answer)].flat() as { errors?: unknown }[];
  return results.some(({ errors }) => errors !== undefined);
}

const registration = z.object({ query: z.string() });

/** { "query": "..." } -> 201 { data: { addTrustedDocument: { document: { hash, operations, scopes } } } } */
function registerDocument(graphql: GraphQL): RunKeyed {
  const operation = storeOperation(`mutation AddTrustedDocument($text: String!) {
    addTrustedDocument(input: { text: $text }) { document { hash operations scopes } }
  }`);
  return async (c, context) => {
    const text = await c.req.text();
    const body = registration.safeParse(jsonOf(text));
    if (!body.success) throw badInput({ query: ['is required: the text of a GraphQL document, in a JSON object'] });
    const run = async (): Promise<JsonAnswer> => {
      const result = await graphql.run(operation, { text: body.data.query }, context);
      if (result.errors) throw apiErrorOf(result.errors, { method: 'post', fields: { text: 'query' } });
      return { status: 201, body: JSON.stringify(result), headers: { 'content-type': 'application/json' } };
    };
    const { status, body: answer, headers } = await once(c, context, { body: text, isFinal: () => true }, run);
    return new Response(answer, { status, headers });
  };
}
