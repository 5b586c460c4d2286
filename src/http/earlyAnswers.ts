/** What a server says before its application is asked, in the same envelope: that it is busy, and what HTTP forbids. */
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { serviceBusy } from '../errors.js';
import { errorAnswer } from './refusal.js';

// Made once: its stack trace costs more than the answer.
const BUSY = serviceBusy();

export function answerBusy(request: IncomingMessage, response: ServerResponse): void {
  const requestId = randomUUID();
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const { status, body, headers } = errorAnswer(path, BUSY, requestId);
  answer(response, { status, body, headers, requestId });
}

/** @param status what the request breaks, by its status in HTTP */
export function answerBadRequest(response: ServerResponse, status: Violation): void {
  const requestId = randomUUID();
  answer(response, { status, body: bodyOf(status, requestId), headers: { connection: 'close' }, requestId });
}

/** The same, for what has no address that can be read. */
export function badRequest(): Response {
  const requestId = randomUUID();
  return Response.json(bodyOf(400, requestId), { status: 400, headers: { 'x-request-id': requestId } });
}

interface Answer {
  readonly status: number;
  readonly body: object;
  readonly headers: Readonly<Record<string, string>>;
  readonly requestId: string;
}

function answer(response: ServerResponse, { status, body, headers, requestId }: Answer): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'x-request-id': requestId,
  });
  response.end(text);
}

const VIOLATIONS = {
  400: 'The request is no HTTP that can be understood.',
  408: 'The request took too long to arrive.',
  413: 'The request is too large.',
  417: 'The expectation of the request cannot be met.',
  431: 'The headers of the request are too large.',
} as const;
export type Violation = keyof typeof VIOLATIONS;

const CODES: Readonly<Record<Violation, string>> = {
  400: 'BAD_REQUEST',
  408: 'REQUEST_TIMEOUT',
  413: 'PAYLOAD_TOO_LARGE',
  417: 'EXPECTATION_FAILED',
  431: 'HEADERS_TOO_LARGE',
};

function bodyOf(status: Violation, requestId: string): object {
  const message = VIOLATIONS[status];
  return { error: { code: CODES[status], message }, message, requestId };
}

/** For what is no request: there is a connection, and no response to write to. @returns the request id of the answer */
export function endConnection(socket: Duplex, error: NodeJS.ErrnoException): { status: Violation; requestId: string } {
  const status = STATUSES[error.code ?? ''] ?? 400;
  const requestId = randomUUID();
  // A client before its TLS handshake, or one that has left, cannot read an answer.
  if (!socket.writable || !/^(?:HPE_|ERR_HTTP_)/.test(error.code ?? '')) {
    socket.destroy();
  } else {
    const text = JSON.stringify(bodyOf(status, requestId));
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Connection: close',
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(text)}`,
      `X-Request-Id: ${requestId}`,
    ];
    socket.end(`${head.join('\r\n')}\r\n\r\n${text}`, () => socket.destroy());
  }
  return { status, requestId };
}

const STATUSES: Readonly<Record<string, Violation>> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** For a connection that is one too many; no request of it has been read. */
export const BUSY_CONNECTION = [
  'HTTP/1.1 503 Service Unavailable',
  'Retry-After: 1',
  'Connection: close',
  'Content-Length: 0',
  '\r\n',
].join('\r\n');
