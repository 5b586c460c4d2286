/** An answer on its way out: validated by its tag, compressed where the client takes it. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { type BrotliOptions, brotliCompress, gzip, constants as zlib } from 'node:zlib';
import type { Context as HttpContext } from 'hono';
import { accepts } from 'hono/accepts';

export interface JsonAnswer {
  readonly status: number;
  /** JSON; empty where there is none. */
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What stays the same while only figures change that come and go by themselves; by default the body. */
  readonly version?: string;
}

/** Bytes below which compression does not pay. */
const SMALL = 1024;
const brotli = promisify<string, BrotliOptions, Uint8Array>(brotliCompress);
const compressors: Readonly<Record<string, (body: string) => Promise<Uint8Array>>> = {
  // The quality that costs about what gzip does.
  br: (body) => brotli(body, { params: { [zlib.BROTLI_PARAM_QUALITY]: 4 } }),
  gzip: promisify<string, Uint8Array>(gzip),
};

export async function send(c: HttpContext, outcome: JsonAnswer): Promise<Response> {
  const { status, body, headers } = outcome;
  const all: Record<string, string> = { 'cache-control': 'private, no-cache', vary: 'accept-encoding', ...headers };
  if (status === 204) return new Response(null, { status, headers: all });
  const encoding = body.length < SMALL ? 'identity' : encodingOf(c);
  const isRead = c.req.method === 'GET' || c.req.method === 'HEAD';
  if (isRead && status === 200) {
    const tag = tagOf(outcome);
    all['etag'] = encoding === 'identity' ? `"${tag}"` : `"${tag}~${encoding}"`;
    if (tagsIn(c.req.header('if-none-match')).some((known) => known === '*' || known === tag)) {
      return new Response(null, { status: 304, headers: all });
    }
  }
  all['content-type'] ??= 'application/json';
  const compress = compressors[encoding];
  if (!compress) return new Response(body, { status, headers: all });
  all['content-encoding'] = encoding;
  return new Response((await compress(body)) as Uint8Array<ArrayBuffer>, { status, headers: all });
}

/**
 * The tag of an answer, strong (RFC 9110 8.8.1), before its encoding is named in it: of the version, and of the body
 * where that says more.
 */
function tagOf({ body, version }: JsonAnswer): string {
  return version === undefined ? digest(body) : `${digest(version)}.${digest(body)}`;
}

/** Whether a change may be made that is for this version of a row alone (If-Match). */
export function isMatch(ifMatch: string, outcome: JsonAnswer): boolean {
  const version = digest(outcome.version ?? outcome.body);
  return tagsIn(ifMatch).some((known) => known === '*' || known.split('.', 1)[0] === version);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 27);
}

/** Tags as we gave them, without what proxies and encodings add: `W/"x"` of one that compresses is our `"x"`. */
function tagsIn(header: string | undefined): string[] {
  return (header ?? '')
    .split(',')
    .map((tag) => tag.trim().replace(/^W\//, '').replace(/^"|"$/g, '').replace(/~\w+$/, ''))
    .filter(Boolean);
}

function encodingOf(c: HttpContext): string {
  return accepts(c, { header: 'Accept-Encoding', supports: Object.keys(compressors), default: 'identity' });
}
