/** Pages and their parts, which never change while the server runs: compressed once, and validated by their tag. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { Context } from 'hono';

/** What is no page may load nothing and stand in none. */
export const NOTHING_ALLOWED = "default-src 'none'; frame-ancestors 'none'";

/** @param allowed what a page may load beside its own data: `script-src 'self'` */
export function pagePolicy(...allowed: readonly string[]): string {
  return [NOTHING_ALLOWED, ...allowed, "connect-src 'self'", "base-uri 'none'", "form-action 'none'"].join('; ');
}

export interface Asset {
  /** Compressed with gzip. */
  readonly body: Uint8Array<ArrayBuffer>;
  readonly plain: () => string | Promise<string>;
  readonly headers: Readonly<Record<string, string>>;
}

/** @param policy of a page */
export function assetOf(plain: string, type: string, policy?: string): Asset {
  const headers = {
    'content-type': type,
    'cache-control': 'no-cache',
    // Weak: the same of both encodings.
    etag: `W/"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
    vary: 'accept-encoding',
    ...(policy !== undefined && { 'content-security-policy': policy }),
  };
  return { body: new Uint8Array(gzipSync(plain)), plain: () => plain, headers };
}

export async function sendAsset(c: Context, { body, plain, headers }: Asset): Promise<Response> {
  if (c.req.header('if-none-match') === headers['etag']) return c.body(null, 304, headers);
  const zipped = /\bgzip\b/.test(c.req.header('accept-encoding') ?? '');
  return zipped ? c.body(body, 200, { ...headers, 'content-encoding': 'gzip' }) : c.body(await plain(), 200, headers);
}
