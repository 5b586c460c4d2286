/**
 * Requests in the forms that most clients send, POST /graphql and reads of rows, answered before the application that takes
 * all forms of requests: with the same authentication, limits, headers, figures and log, and with the application's own
 * parts. What is otherwise is handed over.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Authenticator } from '../auth/authenticator.js';
import { readCredential } from '../auth/credential.js';
import type { Principal } from '../auth/principal.js';
import type { Config } from '../config.js';
import type { ApiError } from '../errors.js';
import { type Context, createContext, type Services } from '../graphql/context.js';
import { hasSecret } from '../keys/format.js';
import type { UsageRecorder } from '../keys/usage.js';
import { type BegunRequest, handOver } from './begunRequests.js';
import type { ClientAddress } from './clientAddress.js';
import { credentialRefusal, failedAuthentication } from './failedAuthentication.js';
import { headersOf, LEFT, REQUEST_LIMIT, tooLate } from './gateway.js';
import { spokeTls } from './https.js';
import { type Origin, userAgentOf } from './origin.js';
import { errorAnswer, failureOf } from './refusal.js';
import { type EndedRequest, noteEnd, recordUse } from './requestEnd.js';
import type { WireAnswer } from './send.js';

/** A request in a form that is known, and how it is answered. */
interface PlainRequest {
  readonly path: string;
  /** The path as a template. */
  readonly route: string;
  /** Of the body. */
  readonly bytes: number;
  /** @returns undefined for what is left to the application; nothing was charged or run then */
  answer(body: string, context: Context): Promise<PlainAnswer> | undefined;
}

export interface PlainAnswer extends WireAnswer {
  /** The code of the error that is all of it. */
  readonly refusal?: string;
}

/** @returns undefined for a request in any other form */
export type PlainForm = (request: IncomingMessage) => PlainRequest | undefined;

export interface DirectOptions {
  readonly config: Config;
  readonly services: Services;
  readonly authenticator: Authenticator;
  readonly forms: readonly PlainForm[];
  readonly usage: UsageRecorder;
  readonly logger: Logger;
  readonly clientAddress: ClientAddress;
  /** Of every answer: names and values by turns. */
  readonly commonHeaders: () => readonly string[] | undefined;
}

/** @param otherwise asks the application */
export type DirectListener = (request: IncomingMessage, response: ServerResponse, otherwise: () => void) => void;

export function directAnswers(options: DirectOptions): DirectListener {
  const { config, services, authenticator, forms, logger, clientAddress } = options;
  const failed = failedAuthentication(services, logger);
  return (request, response, otherwise) => {
    const started = performance.now();
    const plain = plainRequestOf(forms, request);
    if (!plain) return otherwise();
    const { headers, socket } = request;
    const forwardedProto = headers['x-forwarded-proto'] as string | undefined;
    if (config.requireHttps && !spokeTls(socket, forwardedProto, config.trustProxy)) return otherwise();
    // Of a page of another origin.
    if (config.corsOrigins.length > 0 && headers.origin !== undefined) return otherwise();
    const common = options.commonHeaders();
    const credential = readCredential(headers.authorization, headers['x-api-key'] as string | undefined);
    if (!common || credential.kind !== 'key') return otherwise();
    const { key } = credential;
    const ip = clientAddress(socket.remoteAddress, headers['x-forwarded-for'] as string | undefined);
    const origin = {
      ip,
      userAgent: userAgentOf(headers['user-agent']),
      requestId: requestIdOf(headers['x-request-id']),
    };
    const exchange: Exchange = { request, response, plain, origin, started, common, otherwise };
    const begin = (principal: Principal) => {
      const context = createContext(principal, origin, authenticator.session(key, ip), services);
      void new DirectRequest(exchange, { context, credential: key }, options).run();
    };
    const known = authenticator.known(key, ip);
    if (known) return begin(known);
    authenticator
      .authenticate(key, ip)
      .then(async (found) => {
        if (found.ok) return begin(found.principal);
        const refusal = credentialRefusal(key, await failed(found, origin));
        const answer = refusalAnswer(exchange, refusal);
        noteEnd(endOf(exchange, answer.status, { keyId: undefined, refusal: refusal.code }), services.metrics, logger);
        write(exchange, answer, []);
      })
      // What it could not be compared with, the application finds out as well, and says so.
      .catch(otherwise);
  };
}

/** A request and its response, with what is known of them before anything runs. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly plain: PlainRequest;
  readonly origin: Origin;
  readonly started: number;
  readonly common: readonly string[];
  readonly otherwise: () => void;
}

class DirectRequest {
  #isOver = false;

  constructor(
    private readonly exchange: Exchange,
    private readonly begun: BegunRequest,
    private readonly options: DirectOptions,
  ) {}

  async run(): Promise<void> {
    const { context } = this.begun;
    const { request, response, plain } = this.exchange;
    try {
      await context.meter.prepay(plain.bytes);
    } catch {
      // It may ask for its limits alone, for which there is a rule of its own.
      return this.#handOver();
    }
    if (response.closed) return this.#closed();
    const timer = setTimeout(() => this.#refuse(tooLate()), REQUEST_LIMIT);
    response.once('close', () => this.#closed());
    try {
      await context.meter.turn();
      const body = plain.bytes === 0 ? NO_BODY : await bodyOf(request);
      // Its client has left.
      if (!body) return;
      const answering = plain.answer(textOf(body), context);
      if (!answering) {
        this.#isOver = true;
        return this.#handOver(body);
      }
      await this.#send(await answering);
    } catch (error) {
      await this.#failed(error);
    } finally {
      clearTimeout(timer);
    }
  }

  #handOver(body?: Buffer): void {
    handOver(this.exchange.request, this.begun, body);
    this.exchange.otherwise();
  }

  async #failed(error: unknown): Promise<void> {
    await this.#refuse(failureOf(error, this.exchange.origin.requestId, this.options.logger));
  }

  async #refuse(error: ApiError): Promise<void> {
    await this.#send(refusalAnswer(this.exchange, error));
  }

  async #send(answer: PlainAnswer): Promise<void> {
    if (this.#isOver) return;
    // Without them where they cannot be told.
    const limits = await headersOf(this.begun.context, answer.status).catch(() => []);
    if (this.#isOver) return;
    this.#isOver = true;
    this.#end(answer.status, answer.refusal);
    write(this.exchange, answer, limits);
  }

  /** The answer was sent, or will not be. */
  #closed(): void {
    const { use } = this.begun.context;
    if (!this.#isOver) {
      this.#isOver = true;
      this.#end(LEFT);
    }
    use.budget.release();
  }

  #end(status: number, refusal?: string): void {
    const { context } = this.begun;
    const { usage, logger } = this.options;
    context.use.ended = true;
    recordUse(usage, context, status);
    const ended = endOf(this.exchange, status, { keyId: context.principal.keyId, refusal, context });
    noteEnd(ended, context.services.metrics, logger);
  }
}

const NO_BODY = Buffer.alloc(0);

type Outcome = Pick<EndedRequest, 'keyId' | 'refusal'> & { readonly context?: Context };

function endOf({ request, plain, origin, started }: Exchange, status: number, outcome: Outcome): EndedRequest {
  const { path, route } = plain;
  const { requestId, ip } = origin;
  return {
    requestId,
    method: String(request.method),
    path,
    route,
    status,
    started,
    ip,
    context: undefined,
    ...outcome,
  };
}

function refusalAnswer({ plain, origin }: Exchange, error: ApiError): PlainAnswer {
  const { status, body, headers } = errorAnswer(plain.path, error, origin.requestId);
  return {
    status,
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    refusal: error.code,
  };
}

/** @param limits more headers */
function write(
  { response, common, origin }: Exchange,
  { status, headers, body }: PlainAnswer,
  limits: readonly (readonly [string, string])[],
): void {
  if (response.closed || response.destroyed) return;
  const all = [...common, 'x-request-id', origin.requestId];
  for (const [name, value] of limits) all.push(name, value);
  for (const name in headers) {
    const value = headers[name] as string;
    const known = name === 'vary' ? common.findIndex((other) => other.toLowerCase() === name) : -1;
    if (known < 0) all.push(name, value);
    else all[known + 1] = `${value}, ${common[known + 1]}`;
  }
  if (body === null) {
    response.writeHead(status, all).end();
    return;
  }
  const bytes = Buffer.byteLength(body);
  all.push('content-length', String(bytes));
  response.writeHead(status, all);
  // Of ASCII alone, which is copied as it is: for other text three times the room is taken.
  if (bytes === body.length) response.end(body, 'latin1');
  else response.end(body);
}

/** Headers that mean what the application finds out. */
const OTHERS = ['transfer-encoding', 'content-encoding', 'idempotency-key', 'expect', 'upgrade'];
/** Node takes the first of several; the application takes them together. */
const ONCE = new Set(['authorization', 'content-type', 'user-agent', 'x-request-id']);

function plainRequestOf(forms: readonly PlainForm[], request: IncomingMessage): PlainRequest | undefined {
  for (const form of forms) {
    const plain = form(request);
    if (plain) return hasPlainHeaders(request) ? plain : undefined;
  }
  return undefined;
}

function hasPlainHeaders({ headers, rawHeaders }: IncomingMessage): boolean {
  for (const name of OTHERS) if (headers[name] !== undefined) return false;
  // All of them once, as most clients send them.
  if (rawHeaders.length === 2 * Object.keys(headers).length) return true;
  let once = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase();
    if (ONCE.has(name)) once += 1;
  }
  for (const name of ONCE) if (headers[name] !== undefined) once -= 1;
  return once === 0;
}

/** As the application takes it from a client, or a new one. */
function requestIdOf(given: string | string[] | undefined): string {
  return typeof given === 'string' &&
    given !== '' &&
    given.length <= 100 &&
    !/[^\w\-=]/.test(given) &&
    !hasSecret(given)
    ? given
    : randomUUID();
}

/** @returns undefined where the client leaves before it has sent all */
function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    if (request.destroyed) return resolve(undefined);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
    request.once('error', () => resolve(undefined));
    request.once('close', () => resolve(undefined));
  });
}

/** Without a byte order mark, as the application reads it. */
function textOf(body: Buffer): string {
  const text = body.toString();
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
