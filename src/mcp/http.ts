/**
 * POST /mcp: the Model Context Protocol over streamable HTTP, without sessions, for clients of its revision 2026-07-28 and
 * of those before. It is one more door to the same operations: each request is authenticated, charged and bounded as at
 * /graphql, and each call of a tool goes through the same gate.
 */
import type { McpHttpHandler } from '@modelcontextprotocol/server';
import type { Door } from '../http/app.js';
import { announcedBytes, isJson, MAX_BATCH, readJson } from '../http/body.js';
import type { KeyedContext } from '../http/environment.js';
import type { RunKeyed } from '../http/gateway.js';
import { METADATA_PATH, protectedResource } from './metadata.js';

export function mountMcp({ app, graphql, keyed, limitBody, urlOf, corsOrigins, logger }: Door): void {
  let handler: Promise<McpHttpHandler> | undefined;
  /** Loaded with the first request: most servers never get one. */
  const handle: McpHttpHandler['fetch'] = async (...request) => {
    handler ??= import('./handler.js').then(({ mcpHandler }) => mcpHandler(graphql, logger));
    return whole(await (await handler).fetch(...request));
  };
  const run: RunKeyed = async (c, context) => {
    const { meter, principal } = context;
    await meter.begin(false, announcedBytes(c) ?? 0);
    await meter.turn();
    const { method, raw } = c.req;
    // What no request of the protocol is, the handler answers without its body.
    if (method !== 'POST' || !isJson(c.req.header('content-type'))) return handle(unread(c));
    const parsedBody = await readJson(c, context);
    if (parsedBody === undefined) return protocolError(-32700, 'The body is not valid JSON.');
    if (Array.isArray(parsedBody)) {
      if (parsedBody.length > MAX_BATCH) {
        return protocolError(-32600, `A batch has at most ${MAX_BATCH} messages.`);
      }
      // The first was charged with the request.
      await meter.chargeOrRefuse(Math.max(0, parsedBody.length - 1));
    }
    const { keyId, scopes } = principal;
    const authInfo = { token: '', clientId: keyId, scopes: [...scopes], extra: { context } };
    return handle(raw, { parsedBody, authInfo });
  };
  const door = keyed(run);
  app.all('/mcp', limitBody, async (c) => {
    c.set('route', '/mcp');
    if (!isOwnPage(c.req.header('origin'), corsOrigins)) {
      return protocolError(-32000, 'Pages of this origin may not call; CORS_ORIGINS names those that may.', 403);
    }
    const response = await door(c as never);
    if (response.status === 401) {
      const metadata = new URL(METADATA_PATH, urlOf(c));
      const challenge = response.headers.get('www-authenticate') ?? 'Bearer';
      const parameter = `resource_metadata="${metadata}"`;
      response.headers.set(
        'www-authenticate',
        challenge.includes(' ') ? `${challenge}, ${parameter}` : `${challenge} ${parameter}`,
      );
    }
    return response;
  });
  for (const path of ['/.well-known/oauth-protected-resource', METADATA_PATH]) {
    app.get(path, (c) => c.json(protectedResource(urlOf(c))));
  }
}

/**
 * The whole answer. Those to clients of earlier revisions are streams of one event; the request would count as ended before
 * its tool was called.
 */
async function whole(response: Response): Promise<Response> {
  const body = await response.text();
  const { status } = response;
  const headers = new Headers(response.headers);
  headers.set('cache-control', 'no-store');
  return new Response(body === '' ? null : body, { status, headers });
}

/** The request without its body. */
const unread = ({ req: { url, method, raw } }: KeyedContext) =>
  new Request(url, { method: method === 'HEAD' ? 'GET' : method, headers: raw.headers });

function protocolError(code: number, message: string, status = 400): Response {
  return Response.json({ jsonrpc: '2.0', id: null, error: { code, message } }, { status });
}

/** Of the machine itself, where tools for developers run. */
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Whether a request may come from a page of this origin; the protocol asks for it against DNS rebinding. */
function isOwnPage(origin: string | undefined, allowed: readonly string[]): boolean {
  if (origin === undefined || allowed.includes('*') || allowed.includes(origin)) return true;
  return URL.canParse(origin) && LOOPBACK.has(new URL(origin).hostname);
}
