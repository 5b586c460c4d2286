/** GET /openapi.json and GET /docs: the reference of the REST routes. The page is from the package, whole. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Context } from 'hono';
import type { Door } from '../http/app.js';
import { VERSION } from '../version.js';
import { openApiDocument } from './openapi.js';

const require = createRequire(import.meta.url);

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Taskgate: REST reference</title>
    <link rel="stylesheet" href="/docs/swagger-ui.css">
    <link rel="icon" href="data:,">
  </head>
  <body>
    <div id="reference"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/reference.js"></script>
  </body>
</html>
`;
const SCRIPT = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: false,
  validatorUrl: null,
});
`;
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

interface Asset {
  /** Compressed with gzip. */
  readonly body: Uint8Array<ArrayBuffer>;
  readonly plain: string;
  readonly type: string;
  readonly etag: string;
}

export function mountReference({ app }: Pick<Door, 'app'>): void {
  const files = {
    '/openapi.json': ['application/json', () => JSON.stringify(openApiDocument(VERSION), undefined, 2)],
    '/docs': ['text/html; charset=utf-8', () => PAGE],
    '/docs/reference.js': ['text/javascript; charset=utf-8', () => SCRIPT],
    '/docs/swagger-ui.css': ['text/css; charset=utf-8', () => fromPackage('swagger-ui.css')],
    '/docs/swagger-ui-bundle.js': ['text/javascript; charset=utf-8', () => fromPackage('swagger-ui-bundle.js')],
  } as const;
  for (const [where, [type, read]] of Object.entries(files)) {
    let asset: Asset | undefined;
    app.get(where, (c: Context) => {
      // Made on first use: most servers never show them.
      asset ??= assetOf(read(), type);
      return sendAsset(c, asset);
    });
  }
}

const fromPackage = (name: string) =>
  readFileSync(path.join(path.dirname(require.resolve('swagger-ui-dist/package.json')), name), 'utf8');

function assetOf(plain: string, type: string): Asset {
  const etag = `W/"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
  return { body: new Uint8Array(gzipSync(plain)), plain, type, etag };
}

function sendAsset(c: Context, { body, plain, type, etag }: Asset) {
  const headers = {
    'content-type': type,
    'cache-control': 'no-cache',
    etag,
    vary: 'accept-encoding',
    ...(type.startsWith('text/html') && { 'content-security-policy': POLICY }),
  };
  if (c.req.header('if-none-match') === etag) return c.body(null, 304, headers);
  const zipped = /\bgzip\b/.test(c.req.header('accept-encoding') ?? '');
  return zipped ? c.body(body, 200, { ...headers, 'content-encoding': 'gzip' }) : c.body(plain, 200, headers);
}
