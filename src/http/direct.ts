/**
 * POST /graphql as most clients send it, answered before the application that takes all forms of requests: with the same
 * authentication, limits, headers, figures and log, and with the application's own parts. What is otherwise is handed over.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Authenticator } from '../auth/authenticator.js';
import { readCredential } from '../auth/credential.js';
import type { Config } from '../config.js';
import { ApiError } from '../errors.js';
import { createContext, type Services } from '../graphql/context.js';
import type { GraphQL, JsonAnswer } from '../graphql/yoga.js';
import type { UsageRecorder } from '../keys/usage.js';
import { LARGE_BODY } from '../limits/meter.js';
import { type BegunRequest, handOver } from './begunRequests.js';
import { isJson } from './body.js';
import type { ClientAddress } from './clientAddress.js';
import { headersOf, LEFT, REQUEST_LIMIT, tooLate } from './gateway.js';
import { spokeTls } from './https.js';
import { errorAnswer, failureOf } from './refusal.js';
import { noteEnd, recordUse } from './requestEnd.js';

const PATH = '/graphql';

export interface DirectOptions {
  readonly config: Config;
  readonly services: Services;
  readonly authenticator: Authenticator;
  readonly graphql: GraphQL;
  readonly usage: UsageRecorder;
  readonly logger: Logger;
  readonly clientAddress: ClientAddress;
  /** Of every answer: names and values by turns. */
  readonly commonHeaders: () => readonly string[] | undefined;
}

/** @param otherwise asks the application */
export type DirectListener = (request: IncomingMessage, response: ServerResponse, otherwise: () => void) => void;

export function directGraphQL(options: DirectOptions): DirectListener {
  const { config, services, authenticator, graphql, clientAddress } = options;
  return (request, response, otherwise) => {
    const started = performance.now();
    const { headers, socket } = request;
    const forwardedProto = headers['x-forwarded-proto'] as string | undefined;
    if (!isPlain(request)) return otherwise();
    if (config.requireHttps && !spokeTls(socket, forwardedProto, config.trustProxy)) return otherwise();
    // Of a page of another origin.
    if (config.corsOrigins.length > 0 && headers.origin !== undefined) return otherwise();
    const common = options.commonHeaders();
    const form = graphql.formOf(headers.accept);
    const credential = readCredential(headers.authorization, headers['x-api-key'] as string | undefined);
    if (!common || form === undefined || credential.kind !== 'key') return otherwise();
    const ip = clientAddress(socket.remoteAddress, headers['x-forwarded-for'] as string | undefined);
    const principal = authenticator.known(credential.key, ip);
    if (!principal) return otherwise();
    const origin = { ip, userAgent: headers['user-agent'] ?? null, requestId: requestIdOf(headers['x-request-id']) };
    const session = authenticator.session(credential.key, ip);
    const context = createContext(principal, origin, session, services);
    const begun = { context, credential: credential.key };
    void new DirectRequest(request, response, begun, options, { started, common, form, otherwise }).run();
  };
}

interface Particulars {
  readonly started: number;
  readonly common: readonly string[];
  readonly form: string;
  readonly otherwise: () => void;
}

class DirectRequest {
  #isOver = false;

  constructor(
    private readonly request: IncomingMessage,
    private readonly response: ServerResponse,
    private readonly begun: BegunRequest,
    private readonly options: DirectOptions,
    private readonly particulars: Particulars,
  ) {}

  async run(): Promise<void> {
    const { context } = this.begun;
    try {
      await context.meter.prepay(Number(this.request.headers['content-length']));
    } catch {
      // It may ask for its limits alone, for which there is a rule of its own.
      return this.#handOver();
    }
    const timer = setTimeout(() => this.#refuse(tooLate()), REQUEST_LIMIT);
    this.response.once('close', () => this.#closed());
    try {
      await context.meter.turn();
      const body = await bodyOf(this.request);
      // Its client has left.
      if (!body) return;
      const answering = this.options.graphql.answer(textOf(body), this.particulars.form, context);
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
    handOver(this.request, this.begun, body);
    this.particulars.otherwise();
  }

  async #failed(error: unknown): Promise<void> {
    const { requestId } = this.begun.context.request;
    await this.#refuse(error instanceof ApiError ? error : failureOf(error, requestId, this.options.logger));
  }

  async #refuse(error: ApiError): Promise<void> {
    const { status, body, headers } = errorAnswer(PATH, error, this.begun.context.request.requestId);
    const answer = { status, body: JSON.stringify(body), headers: { ...headers, 'content-type': 'application/json' } };
    await this.#send(answer, error.code);
  }

  async #send({ status, headers, body }: JsonAnswer, refusal?: string): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    const { context } = this.begun;
    const all = [...this.particulars.common, 'x-request-id', context.request.requestId];
    for (const [name, value] of await headersOf(context)) all.push(name, value);
    for (const name in headers) all.push(name, headers[name] as string);
    all.push('content-length', String(Buffer.byteLength(body)));
    this.#end(status, refusal);
    if (this.response.closed || this.response.destroyed) return;
    this.response.writeHead(status, all);
    this.response.end(body);
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
    const { principal, request, use, services } = context;
    const { usage, logger } = this.options;
    use.ended = true;
    recordUse(usage, context, status);
    noteEnd(
      {
        requestId: request.requestId,
        method: 'POST',
        path: PATH,
        route: PATH,
        status,
        started: this.particulars.started,
        ip: request.ip,
        keyId: principal.keyId,
        refusal,
        context,
      },
      services.metrics,
      logger,
    );
  }
}

/** Headers that mean what the application finds out. */
const OTHERS = ['transfer-encoding', 'content-encoding', 'idempotency-key', 'expect', 'upgrade'];
/** Node takes the first of several; the application takes them together. */
const ONCE = new Set(['authorization', 'content-type', 'user-agent', 'x-request-id']);

function isPlain({ method, url, headers, rawHeaders }: IncomingMessage): boolean {
  if (method !== 'POST' || url !== PATH) return false;
  const length = Number(headers['content-length']);
  if (!(length > 0 && length < LARGE_BODY)) return false;
  if (!isJson(headers['content-type'])) return false;
  for (const name of OTHERS) if (headers[name] !== undefined) return false;
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
  return typeof given === 'string' && given !== '' && given.length <= 100 && !/[^\w\-=]/.test(given)
    ? given
    : randomUUID();
}

/** @returns undefined where the client leaves before it has sent all */
function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
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
