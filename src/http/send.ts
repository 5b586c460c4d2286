/** An answer on its way out: validated by its tag, compressed where the client takes it. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { type BrotliOptions, brotliCompress, gzip, constants as zlib } from 'node:zlib';
import type { Context as HttpContext } from 'hono';
import { accepts } from 'hono/accepts';

export interface Outcome {
  readonly status: number;
  /** JSON; empty where there is none. */
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Bytes below which compression does not pay. */
const SMALL = 1024;
const brotli = promisify<string, BrotliOptions, Uint8Array>(brotliCompress);
const compressors: Readonly<Record<string, (body: string) => Promise<Uint8Array>>> = {
  // The quality that costs about what gzip does.
  br: (body) => brotli(body, { params: { [zlib.BROTLI_PARAM_QUALITY]: 4 } }),
  gzip: promisify<string, Uint8Array>(gzip),
};

export async function send(c: HttpContext, { status, body, headers }: Outcome): Promise<Response> {
  const all: Record<string, string> = { 'cache-control': 'private, no-cache', vary: 'accept-encoding', ...headers };
  if (status === 204) return new Response(null, { status, headers: all });
  const isRead = c.req.method === 'GET' || c.req.method === 'HEAD';
  if (isRead && status === 200) {
    all['etag'] = tagOf(body);
    if (matches(c.req.header('if-none-match'), all['etag'])) return new Response(null, { status: 304, headers: all });
  }
  all['content-type'] = 'application/json';
  const encoding = body.length < SMALL ? 'identity' : encodingOf(c);
  const compress = compressors[encoding];
  if (!compress) return new Response(body, { status, headers: all });
  all['content-encoding'] = encoding;
  return new Response((await compress(body)) as Uint8Array<ArrayBuffer>, { status, headers: all });
}

/** Weak (RFC 9110 8.8.1): the same for every encoding of the body. */
function tagOf(body: string): string {
  return `W/"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`;
}

function matches(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const known = ifNoneMatch.split(',').map((item) => item.trim().replace(/^W\//, ''));
  return known.includes('*') || known.includes(tag.replace(/^W\//, ''));
}

function encodingOf(c: HttpContext): string {
  return accepts(c, { header: 'Accept-Encoding', supports: Object.keys(compressors), default: 'identity' });
}
