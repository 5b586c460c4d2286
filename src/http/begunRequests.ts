/**
 * Requests that were begun before the application was asked (src/http/direct.ts) and turned out to be none of theirs: who asks
 * is known then, and the first operation may be paid for.
 */
import type { IncomingMessage } from 'node:http';
import type { Context } from '../graphql/context.js';

export interface BegunRequest {
  readonly context: Context;
  /** The key or token. */
  readonly credential: string;
}

const REQUEST_ID = 'x-request-id';

const begun = new WeakMap<IncomingMessage, BegunRequest>();

/** @param body as far as it was read: all of it, or nothing */
export function handOver(incoming: IncomingMessage, request: BegunRequest, body?: Buffer): void {
  begun.set(incoming, request);
  // Where the application looks for them.
  const { rawHeaders } = incoming;
  const known = rawHeaders.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === REQUEST_ID);
  const place = known < 0 ? rawHeaders.length : known;
  rawHeaders.splice(place, 2, REQUEST_ID, request.context.request.requestId);
  if (body) Object.assign(incoming, { rawBody: body });
}

export function begunRequest(incoming: IncomingMessage | undefined): BegunRequest | undefined {
  return incoming && begun.get(incoming);
}
