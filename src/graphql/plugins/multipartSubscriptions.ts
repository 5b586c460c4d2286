/**
 * Subscriptions as Apollo's clients ask for them, over multipart HTTP
 * (www.apollographql.com/docs/graphos/routing/operations/subscriptions/multipart-protocol): a part for each event, and an
 * empty one now and then, so that no proxy takes the connection for dead.
 */
import { type ExecutionResult, GraphQLError } from 'graphql';
import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { Context } from '../context.js';

const BOUNDARY = 'graphql';
const CONTENT_TYPE = `multipart/mixed;boundary="${BOUNDARY}";subscriptionSpec=1.0`;
/** Milliseconds. */
const HEARTBEAT = 5000;

export const multipartSubscriptions: Plugin<Context> = {
  onResultProcess({ request, result, setResultProcessor }) {
    if (Array.isArray(result)) {
      for (const [index, one] of result.entries()) if (isAsyncIterable(one)) result[index] = outOfBatch(one);
      return;
    }
    if (!isAsyncIterable(result) || !asksForMultipart(request.headers.get('accept') ?? '')) return;
    setResultProcessor(
      (events, { Response: ResponseOf }) =>
        new ResponseOf(partsOf(events as AsyncIterable<ExecutionResult>), {
          headers: { 'content-type': CONTENT_TYPE, 'cache-control': 'no-cache' },
        }),
      'multipart/mixed',
    );
  },
};

/** An answer of several operations has no place for one that goes on. */
function outOfBatch(events: AsyncIterable<unknown>): ExecutionResult {
  void events[Symbol.asyncIterator]().return?.();
  const message = 'A subscription is sent by itself, not together with other operations.';
  return { errors: [new GraphQLError(message, { extensions: { code: 'BAD_REQUEST' } })] };
}

function asksForMultipart(accept: string): boolean {
  return /multipart\/mixed\s*;[^,]*subscriptionspec\s*=\s*"?1\.0/i.test(accept);
}

function partsOf(events: AsyncIterable<ExecutionResult>): ReadableStream<Uint8Array> {
  const iterator = events[Symbol.asyncIterator]();
  const bytes = new TextEncoder();
  let heartbeat: NodeJS.Timeout;
  return new ReadableStream({
    start(controller) {
      const send = (value: object) => controller.enqueue(bytes.encode(part(value)));
      controller.enqueue(bytes.encode(`--${BOUNDARY}`));
      send({});
      heartbeat = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) send({});
      }, HEARTBEAT).unref();
    },
    async pull(controller) {
      const { done, value } = await iterator.next().catch((error: unknown) => {
        clearInterval(heartbeat);
        throw error;
      });
      if (!done) return controller.enqueue(bytes.encode(part({ payload: shown(value) })));
      clearInterval(heartbeat);
      controller.enqueue(bytes.encode('--\r\n'));
      controller.close();
    },
    async cancel() {
      clearInterval(heartbeat);
      await iterator.return?.();
    },
  });
}

/** With the boundary that follows it: clients take a part for whole when that has come. */
const part = (value: object) =>
  `\r\ncontent-type: application/json; charset=utf-8\r\n\r\n${JSON.stringify(value)}\r\n--${BOUNDARY}`;

/** Without what is meant for the response's head. */
function shown({ errors, ...rest }: ExecutionResult): object {
  if (!errors) return rest;
  return {
    ...rest,
    errors: errors.map((error) => {
      const { extensions, ...shownError } = error.toJSON();
      const { http: _http, ...others } = extensions ?? {};
      return { ...shownError, extensions: others };
    }),
  };
}
