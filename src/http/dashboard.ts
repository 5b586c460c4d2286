/** The dashboard: files that the build made of dashboard/, sent as they are. Its page is the same for all of its addresses. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Context, Hono } from 'hono';
import type { HttpEnvironment } from './environment.js';
import { pagePolicy, sendAsset } from './page.js';

const require = createRequire(import.meta.url);
const unzip = promisify(gunzip);

/** Its pages; what stands behind them is the page's own matter. */
const PAGES = [
  '/',
  '/sign-in',
  '/sign-up',
  '/invitation',
  '/tasks',
  '/board',
  '/projects',
  '/trash',
  '/settings',
  '/oauth/authorize',
];

const POLICY = pagePolicy(
  "script-src 'self'",
  // The component library puts its variables into a style element.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
);

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

interface BuiltFile {
  readonly etag: string;
}

/** @returns how to show the page at an address that is none, which it says itself */
export function mountDashboard(app: Hono<HttpEnvironment>): (c: Context) => Promise<Response> {
  let files: Promise<Readonly<Record<string, BuiltFile>>> | undefined;
  const built = () => {
    files ??= readFile(require.resolve('#pages/dashboard/files.json'), 'utf8').then(
      (text) => JSON.parse(text) as Record<string, BuiltFile>,
    );
    return files;
  };
  const send = async (c: Context, name: string, headers: Readonly<Record<string, string>>) => {
    const { etag = '' } = (await built())[name] ?? {};
    const body = await readFile(require.resolve(`#pages/dashboard/${name}.gz`));
    const type = TYPES[path.extname(name)] ?? 'application/octet-stream';
    return sendAsset(c, {
      body: new Uint8Array(body),
      plain: async () => (await unzip(body)).toString(),
      headers: { 'content-type': type, etag, vary: 'accept-encoding', ...headers },
    });
  };
  const page = (c: Context) =>
    send(c, 'index.html', { 'cache-control': 'no-cache', 'content-security-policy': POLICY });
  for (const where of PAGES) {
    app.get(where, page);
    if (where !== '/') app.get(`${where}/*`, page);
  }
  app.get('/assets/*', async (c, next) => {
    const name = c.req.path.slice(1);
    // Their names have the digest of what they hold.
    if (!Object.hasOwn(await built(), name)) return next();
    return send(c, name, { 'cache-control': 'public, max-age=31536000, immutable' });
  });
  return async (c) => {
    const text = await unzip(await readFile(require.resolve('#pages/dashboard/index.html.gz')));
    const headers = {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': POLICY,
    };
    return c.body(text.toString(), 404, headers);
  };
}
