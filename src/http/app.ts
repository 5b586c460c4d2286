/** The Hono application: what every request passes, and the routes that are not REST rows (src/rest). */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { cors } from 'hono/cors';
import { requestId } from 'hono/request-id';
import { matchedRoutes } from 'hono/route';
import { secureHeaders } from 'hono/secure-headers';
import type { Logger } from 'pino';
import type { Memberships } from '../accounts/memberships.js';
import type { RelyingParty, SignIn } from '../accounts/signIn.js';
import type { Authenticator } from '../auth/authenticator.js';
import type { Config } from '../config.js';
import { ApiError } from '../errors.js';
import type { Services } from '../graphql/context.js';
import { createGraphQL, type GraphQL } from '../graphql/yoga.js';
import { hasSecret } from '../keys/format.js';
import type { UsageRecorder } from '../keys/usage.js';
import type { AnswerBudget } from '../limits/answerMemory.js';
import { mountAccounts } from './accounts.js';
import { clientAddressFrom } from './clientAddress.js';
import { mountDashboard } from './dashboard.js';
import { directAnswers, type PlainForm } from './direct.js';
import type { HttpEnvironment } from './environment.js';
import { createGateway, type Gateway, MAX_BODY } from './gateway.js';
import { runGraphQL } from './graphql.js';
import { isSecure, requireHttps, spokeTls } from './https.js';
import { leakedKeys, readPublicKeys, revokeCredentials } from './leaks.js';
import { metricsEndpoint } from './metrics.js';
import { mountConsent } from './oauth/consent.js';
import { authorizationServer } from './oauth/metadata.js';
import { registrationEndpoint } from './oauth/registration.js';
import { tokenEndpoints } from './oauth/token.js';
import { NOTHING_ALLOWED } from './page.js';
import { mountPasskeys } from './passkeys.js';
import { plainGraphQL } from './plainGraphQL.js';
import { sendPlayground } from './playground.js';
import { allowed, failureOf, methodNotAllowed, refuse } from './refusal.js';
import { noteEnd } from './requestEnd.js';
import type { OpenStreams } from './streams.js';

/** What a page of another origin may read of an answer. */
const EXPOSED_HEADERS = [
  ...[
    'etag',
    'link',
    'x-total-count',
    'x-next-cursor',
    'x-request-id',
    'retry-after',
    'www-authenticate',
    'deprecation',
    'sunset',
  ],
  ...['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset', 'ratelimit', 'ratelimit-policy'],
  'idempotent-replayed',
];

export interface HttpOptions {
  readonly config: Config;
  readonly services: Services;
  readonly authenticator: Authenticator;
  readonly usage: UsageRecorder;
  readonly logger: Logger;
  readonly streams: OpenStreams;
  readonly signIn: SignIn;
  /** For whose pages passkeys are. */
  readonly party: RelyingParty;
  readonly memberships: Memberships;
  /** Answers whether what the server depends on is reachable. */
  readonly ready: () => Promise<boolean>;
  /** Other doors to the same operations. */
  readonly mounts: readonly ((door: Door) => void)[];
}

/** What a door of its own needs of this one. */
export interface Door {
  readonly app: Hono<HttpEnvironment>;
  readonly graphql: GraphQL;
  readonly keyed: Gateway;
  readonly limitBody: MiddlewareHandler;
  /** Where the client sent the request to: by TLS, if it spoke TLS to this server or to a proxy that is believed. */
  readonly urlOf: (c: Context) => URL;
  /** The same before the application; undefined where its headers name another host than an address would. */
  readonly addressOf: (request: IncomingMessage) => URL | undefined;
  /** Takes requests of a form that is answered before the application is asked. */
  readonly takePlain: (form: PlainForm) => void;
  /** Origins whose pages may call. */
  readonly corsOrigins: readonly string[];
  readonly logger: Logger;
}

export function createHttpApp(options: HttpOptions) {
  const { config, services, authenticator, usage, logger, streams, ready, mounts, signIn } = options;
  const app = new Hono<HttpEnvironment>();

  const { metrics } = services;
  const clientAddress = clientAddressFrom(config.trustProxy);
  const { trustProxy } = config;
  const keyed = createGateway({ services, authenticator, usage, logger, signIn, trustProxy });

  app.use(requestId({ limitLength: 100 }));
  app.use(async (c, next) => {
    const started = performance.now();
    const socket = c.env.incoming?.socket;
    // It is written to the log.
    if (hasSecret(c.get('requestId'))) c.set('requestId', randomUUID());
    c.set('ip', clientAddress(socket?.remoteAddress, c.req.header('x-forwarded-for')));
    await next();
    // A response that GraphQL made has only its own headers.
    c.res.headers.set('x-request-id', c.get('requestId'));
    streams.watch(c.res, c.env.outgoing);
    releaseWhenSent(c.env.outgoing, c.var.context?.use.budget);
    const { route = routeOf(c), refusal, context } = c.var;
    noteEnd(
      {
        requestId: c.get('requestId'),
        method: c.req.method,
        path: c.req.path,
        route,
        status: c.res.status,
        started,
        ip: c.get('ip'),
        keyId: c.get('principal')?.keyId,
        refusal,
        context,
      },
      metrics,
      logger,
    );
  });
  for (const handler of commonHandlers(config)) app.use(handler);
  if (config.requireHttps) {
    const { keyMonitor } = services;
    app.use(requireHttps({ authenticator, keyMonitor, trustProxy: config.trustProxy }));
  }

  app.get('/metrics', keyed(metricsEndpoint(services)));
  app.get('/health/live', (c) => c.json({ status: 'ok' }));
  app.get('/health/ready', async (c) =>
    (await ready()) ? c.json({ status: 'ok' }) : c.json({ status: 'unavailable' }, 503),
  );

  app.get('/graphql', async (c, next) => {
    if (c.req.header('upgrade')?.toLowerCase() === 'websocket') {
      return refuse(c, new ApiError('NOT_ACCEPTABLE', NO_WEBSOCKETS));
    }
    // The page keeps its query in the address, by which it is opened again; programs send their key.
    const hasKey = ['authorization', 'x-api-key', 'x-taskgate-workspace'].some(
      (name) => c.req.header(name) !== undefined,
    );
    const hasQuery = c.req.query('query') !== undefined;
    const wantsPage = hasQuery ? !hasKey && namesPageFirst(c) : c.req.header('accept')?.includes('text/html');
    return wantsPage ? sendPlayground(c) : next();
  });

  const graphql = createGraphQL(services.documents, logger, config.trustedOnly);
  app.all('/graphql', limitBody, keyed(runGraphQL(graphql), 'members'));
  const page = mountDashboard(app);
  const oauth = tokenEndpoints({ config, services, authenticator, logger });
  app.all('/api/auth/oauth2/token', limitForm, oauth.token);
  app.all('/api/auth/oauth2/revoke', limitForm, oauth.revoke);
  if (config.oauthRegistration) {
    app.all('/api/auth/oauth2/register', limitBody, keyed(registrationEndpoint(services)));
  }
  const urlOf = (c: Context) => {
    const url = new URL(c.req.url);
    url.protocol = isSecure(c, config.trustProxy) ? 'https:' : 'http:';
    return url;
  };
  mountAccounts(app, { ...options, limitBody: limitForm, urlOf });
  mountPasskeys(app, { ...options, limitBody: limitForm });
  mountConsent(app, { ...options, limitBody: limitForm, urlOf });
  app.get('/.well-known/oauth-authorization-server', (c) =>
    c.json(authorizationServer(urlOf(c), config.oauthRegistration)),
  );
  const forms = [plainGraphQL(graphql)];
  const door: Door = {
    app,
    graphql,
    keyed,
    limitBody,
    urlOf,
    addressOf(request) {
      const { host, 'x-forwarded-proto': forwarded } = request.headers;
      const isTls = spokeTls(request.socket, forwarded as string | undefined, config.trustProxy);
      const address = `${isTls ? 'https' : 'http'}://${host}${request.url}`;
      const url = URL.canParse(address) ? new URL(address) : undefined;
      return url?.host === host ? url : undefined;
    },
    takePlain: (form) => forms.push(form),
    corsOrigins: config.corsOrigins,
    logger,
  };
  for (const mount of mounts) mount(door);

  app.post('/credentials/revoke', limitBody, revokeCredentials(services));
  if (config.leakReportKeysFile !== undefined) {
    const publicKeys = readPublicKeys(config.leakReportKeysFile);
    app.post('/security/leaked-keys', limitBody, leakedKeys(services, publicKeys, config.leakReportRevoke));
  }

  const allowedAt = (path: string): string | undefined => {
    const methods = app.routes.filter((one) => one.path === path && one.method !== 'ALL').map(({ method }) => method);
    return methods.length === 0 ? undefined : allowed(methods);
  };
  app.notFound((c) => {
    const wantsPage = namesPageFirst(c);
    // What is an API tells programs, whatever they take.
    const isProgram = /^\/(?:api|v\d+|graphql|mcp|assets|credentials|security|\.well-known)(?:\/|$)/.test(c.req.path);
    const isRead = c.req.method === 'GET' || c.req.method === 'HEAD';
    if (wantsPage && isRead && !isProgram) return page(c);
    const allow = allowedAt(c.req.path);
    if (allow !== undefined && c.req.method === 'OPTIONS') return c.body(null, 204, { allow });
    if (allow !== undefined) return refuse(c, methodNotAllowed(c.req.method, allow));
    return refuse(c, new ApiError('NOT_FOUND', `There is no ${c.req.path} here.`));
  });
  app.onError((error, c) => refuse(c, failureOf(error, c.get('requestId'), logger)));
  let common: string[] | undefined;
  void commonHeaders(config).then((headers) => {
    common = headers;
  });
  return {
    fetch: app.fetch,
    /** Asked before the application. */
    direct: directAnswers({
      ...{ config, services, authenticator, forms, usage, logger, clientAddress },
      commonHeaders: () => common,
    }),
  };
}

/** What every answer passes on its way out. */
function commonHandlers(config: Config): MiddlewareHandler[] {
  const handlers: MiddlewareHandler[] = [
    // A page sets a policy of its own; everything else may load nothing.
    async (c, next) => {
      await next();
      if (!c.res.headers.has('content-security-policy')) {
        c.res.headers.set('content-security-policy', NOTHING_ALLOWED);
      }
    },
    secureHeaders({
      crossOriginResourcePolicy: 'same-origin',
      referrerPolicy: 'no-referrer',
      strictTransportSecurity: config.requireHttps || config.tls ? 'max-age=31536000; includeSubDomains' : false,
    }),
  ];
  if (config.corsOrigins.length === 0) return handlers;
  return [
    ...handlers,
    cors({
      origin: config.corsOrigins.includes('*') ? '*' : [...config.corsOrigins],
      allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      allowHeaders: [
        'authorization',
        'x-api-key',
        'content-type',
        'idempotency-key',
        'if-match',
        'if-none-match',
        'x-request-id',
        ...['mcp-protocol-version', 'mcp-method', 'mcp-name', 'mcp-session-id'],
      ],
      exposeHeaders: EXPOSED_HEADERS,
      maxAge: 600,
    }),
  ];
}

/** The headers that they give an answer, where no page of another origin asks: names and values by turns. */
async function commonHeaders(config: Config): Promise<string[]> {
  const app = new Hono();
  for (const handler of commonHandlers(config)) app.use(handler);
  app.get('/', (c) => c.body(null));
  return [...(await app.request('/')).headers].flat();
}

/** A body of announced length is judged by that; node reads no further. One in chunks is counted as it comes. */
function limitBodyTo(bytes: number): MiddlewareHandler {
  const tooLarge = (c: Context) =>
    refuse(c, new ApiError('PAYLOAD_TOO_LARGE', `The body is larger than ${bytes} bytes.`));
  const count = bodyLimit({
    maxSize: bytes,
    // What is left of the body is not read, so nothing can follow it.
    onError: (c) => {
      c.header('connection', 'close');
      return tooLarge(c);
    },
  });
  return (c, next) => {
    const length = c.req.header('content-length');
    if (length === undefined || c.req.header('transfer-encoding') !== undefined) return count(c, next);
    return Number(length) > bytes ? Promise.resolve(tooLarge(c)) : next();
  };
}

const limitBody = limitBodyTo(MAX_BODY);
/** Of what nobody pays for: a form or an object of a few fields. */
const limitForm = limitBodyTo(64 * 1024);

function releaseWhenSent(outgoing: ServerResponse | undefined, budget: AnswerBudget | undefined): void {
  if (!outgoing || outgoing.closed) budget?.release();
  else if (budget) outgoing.once('close', () => budget.release());
}

/** The route that answered, where it has no template of its own: its path. */
function routeOf(c: Context): string {
  return matchedRoutes(c).findLast(({ path }) => !path.includes('*'))?.path ?? 'none';
}

const NO_WEBSOCKETS =
  'There are no WebSockets here. Subscriptions are server-sent events: send the operation by POST and accept text/event-stream.';

/** As browsers do. */
const namesPageFirst = (c: Context): boolean => /^\s*text\/html\b(?!\s*;\s*q=0)/i.test(c.req.header('accept') ?? '');
