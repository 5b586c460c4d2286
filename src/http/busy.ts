/** What a server says that has more to do than it can do in time, before it spends anything on the request. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { serviceBusy } from '../errors.js';
import { refusalOf } from './refusal.js';

// Made once: its stack trace costs more than the answer.
const BUSY = serviceBusy();

export function answerBusy(request: IncomingMessage, response: ServerResponse): void {
  const requestId = randomUUID();
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const { status, body, headers } = refusalOf(path, BUSY, requestId);
  const text = JSON.stringify(body);
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'x-request-id': requestId,
  });
  response.end(text);
}

/** For a connection that is one too many; no request of it has been read. */
export const BUSY_CONNECTION = [
  'HTTP/1.1 503 Service Unavailable',
  'Retry-After: 1',
  'Connection: close',
  'Content-Length: 0',
  '\r\n',
].join('\r\n');
