/** GET /openapi.json and GET /docs: the reference of the REST routes. The page is from the package, whole. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Context } from 'hono';
import type { Door } from '../http/app.js';
import { type Asset, assetOf, pagePolicy, sendAsset } from '../http/page.js';
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
const POLICY = pagePolicy("script-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data:");

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
      asset ??= assetOf(read(), type, type.startsWith('text/html') ? POLICY : undefined);
      return sendAsset(c, asset);
    });
  }
}

const fromPackage = (name: string) =>
  readFileSync(path.join(path.dirname(require.resolve('swagger-ui-dist/package.json')), name), 'utf8');
