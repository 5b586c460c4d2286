/** Gives the application a port, and takes it away without losing a request. */
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, Server as NetServer } from 'node:net';
import { createSecureContext } from 'node:tls';
import { getRequestListener } from '@hono/node-server';
import { type Config, ConfigError } from '../config.js';
import { watchConnections } from '../http/connections.js';
import { answerBadRequest, answerBusy, badRequest, endConnection } from '../http/earlyAnswers.js';
import { isProbe } from '../http/probes.js';
import type { OpenStreams } from '../http/streams.js';
import { type App, type AppOptions, createApp } from './compose.js';
import { listenForMetrics, type MetricsServer } from './metricsServer.js';

/** Milliseconds. */
const HEADERS_TIMEOUT = 10_000;
/** For a whole request to arrive. Less than it may take to be answered, so that one that does not arrive is answered once. */
const REQUEST_TIMEOUT = 28_000;
/** How often slow requests are looked for. */
const CHECKING_INTERVAL = 1000;
const SHUTDOWN_LIMIT = 30_000;
/** How long a client may leave what it asked for unread. */
const STALLED_LIMIT = 30_000;
/** For those that name no host, which HTTP/1.0 allows. */
const DEFAULT_HOST = 'localhost';
/** A name or an address, and a port (RFC 9110 7.2). */
const HOST = /^(?:[\w.~-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

export interface RunningServer {
  readonly app: App;
  readonly url: string;
  /**
   * Stops accepting, finishes the requests in flight, then closes what they used.
   * @param lastRequests how long the open connections may bring one more request each, in milliseconds: a proxy may have
   * sent it before it hears of the end, and does not send it again elsewhere
   */
  stop(lastRequests?: number): Promise<void>;
}

/** @throws with the code EADDRINUSE or EACCES when the port cannot be had */
export async function startServer(config: Config, options: AppOptions = {}): Promise<RunningServer> {
  // Puts the server's light Request and Response in place, which everything made from here on uses.
  getRequestListener(() => new Response());
  const app = await createApp(config, options);
  const answer = getRequestListener(app.http.fetch, { hostname: DEFAULT_HOST, errorHandler: () => badRequest() });
  const { admission } = app.services;
  // Before anything is spent on the request: probes still get their answer.
  let isLeaving = false;
  const listener: RequestListener = (request, response) => {
    admission.noteArrival();
    if (isLeaving) response.setHeader('connection', 'close');
    const { host } = request.headers;
    if (host === undefined ? request.httpVersion !== '1.0' : !HOST.test(host)) {
      return answerBadRequest(response, 400);
    }
    if (admission.shouldShed() && !isProbe(request.url)) return answerBusy(request, response);
    app.http.direct(request, response, () => answer(request, response));
  };
  const timeouts = {
    headersTimeout: HEADERS_TIMEOUT,
    requestTimeout: REQUEST_TIMEOUT,
    connectionsCheckingInterval: CHECKING_INTERVAL,
    // Refused by the listener, in words.
    requireHostHeader: false,
  };
  const server = config.tls
    ? createHttpsServer(
        {
          ...timeouts,
          handshakeTimeout: HEADERS_TIMEOUT,
          ...certificateOf(config.tls),
        },
        listener,
      )
    : createHttpServer(timeouts, listener);
  server.on('connection', () => admission.noteArrival());
  const stopWatching = watchConnections(server, {
    isTls: config.tls !== undefined,
    most: config.maxConnections,
    stalled: STALLED_LIMIT,
  });
  server.on('checkExpectation', (_request, response) => answerBadRequest(response, 417));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const answered = endConnection(socket, error);
    app.logger.info({ ...answered, reason: error.code }, 'no request');
  });
  let metricsServer: MetricsServer | undefined;
  try {
    metricsServer = await listenForMetrics(config, () => app.services.metrics.text());
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(config.port, config.host, () => {
        server.off('error', reject);
        resolve();
      });
    });
  } catch (error) {
    stopWatching();
    await metricsServer?.close();
    await app.close();
    throw error;
  }
  app.startBackgroundWork();
  const { port } = server.address() as AddressInfo;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  return {
    app,
    url: `${config.tls ? 'https' : 'http'}://${host}:${port}`,
    async stop(lastRequests = 0) {
      isLeaving = true;
      await drain(server, app.streams, lastRequests);
      stopWatching();
      await metricsServer?.close();
      await app.close();
    },
  };
}

/** @throws ConfigError which names the variable */
function certificateOf({ certFile, keyFile }: NonNullable<Config['tls']>): { cert: Buffer; key: Buffer } {
  const read = (variable: string, file: string) => {
    try {
      return readFileSync(file);
    } catch (error) {
      throw new ConfigError(`${variable} names a file that cannot be read: ${(error as Error).message}`);
    }
  };
  const [cert, key] = [read('TLS_CERT_FILE', certFile), read('TLS_KEY_FILE', keyFile)];
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const reason = (error as Error).message;
    throw new ConfigError(`TLS_CERT_FILE and TLS_KEY_FILE must be a certificate and its key, in PEM: ${reason}`);
  }
  return { cert, key };
}

function drain(server: Server, streams: OpenStreams, lastRequests: number): Promise<void> {
  return new Promise((resolve) => {
    const patience = performance.now() + lastRequests;
    const closing = setInterval(() => {
      streams.end();
      // A connection that was busy a moment ago may be kept alive; once idle it is closed. What has come on one meanwhile is
      // read first.
      if (performance.now() >= patience) setImmediate(() => server.closeIdleConnections());
    }, 50);
    const limit = setTimeout(() => server.closeAllConnections(), SHUTDOWN_LIMIT);
    // Server.close() would close idle connections at once. Connections that are waiting to be accepted come first.
    setImmediate(() =>
      NetServer.prototype.close.call(server, () => {
        clearTimeout(limit);
        clearInterval(closing);
        resolve();
      }),
    );
  });
}
