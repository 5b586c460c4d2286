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

/** What of a request decides in which form it is answered. */
export interface Asked {
  readonly method: string;
  readonly acceptEncoding: string | undefined;
  readonly ifNoneMatch: string | undefined;
}

/** An answer as it goes over the wire. */
export interface WireAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** null: none, of this status. */
  readonly body: string | Uint8Array | null;
}

export async function wireAnswer(outcome: JsonAnswer, asked: Asked): Promise<WireAnswer> {
  const { status, body, headers } = outcome;
  const all: Record<string, string> = { 'cache-control': 'private, no-cache', vary: 'accept-encoding', ...headers };
  if (status === 204) return { status, headers: all, body: null };
  const encoding = body.length < SMALL ? 'identity' : encodingOf(asked.acceptEncoding);
  const isRead = asked.method === 'GET' || asked.method === 'HEAD';
  if (isRead && status === 200) {
    const tag = tagOf(outcome);
    all['etag'] = encoding === 'identity' ? `"${tag}"` : `"${tag}~${encoding}"`;
    if (tagsIn(asked.ifNoneMatch).some((known) => known === '*' || known === tag)) {
      return { status: 304, headers: all, body: null };
    }
  }
  all['content-type'] ??= 'application/json';
  const compress = compressors[encoding];
  if (!compress) return { status, headers: all, body };
  all['content-encoding'] = encoding;
  return { status, headers: all, body: await compress(body) };
}

export async function send(c: HttpContext, outcome: JsonAnswer): Promise<Response> {
  const asked: Asked = {
    method: c.req.method,
    acceptEncoding: c.req.header('accept-encoding'),
    ifNoneMatch: c.req.header('if-none-match'),
  };
  const { status, headers, body } = await wireAnswer(outcome, asked);
  return new Response(body as string | Uint8Array<ArrayBuffer> | null, { status, headers });
}

/**
 * The tag of an answer, strong (RFC 9110 8.8.1), before its encoding is named in it: of the version, and of the body
 * where that says more.
 */
function tagOf(outcome: JsonAnswer): string {
  let tag = tags.get(outcome);
  if (tag === undefined) {
    const { body, version } = outcome;
    tag = version === undefined ? digest(body) : `${digest(version)}.${digest(body)}`;
    tags.set(outcome, tag);
  }
  return tag;
}

/** Of answers that are given more than once. */
const tags = new WeakMap<JsonAnswer, string>();

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

/** @param accepted Accept-Encoding */
function encodingOf(accepted: string | undefined): string {
  if (accepted === undefined) return 'identity';
  // All that it asks of a request.
  const asking = { req: { header: () => accepted } } as unknown as HttpContext;
  return accepts(asking, { header: 'Accept-Encoding', supports: Object.keys(compressors), default: 'identity' });
}
