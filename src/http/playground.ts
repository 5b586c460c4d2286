/** GET /graphql in a browser: GraphiQL, a page that the build made (playgroundPage.ts). */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Context } from 'hono';
import { type Asset, sendAsset } from './page.js';

const require = createRequire(import.meta.url);
const unzip = promisify(gunzip);

/** Read each time that it is asked for: it is large, and most servers never show it. */
export async function sendPlayground(c: Context): Promise<Response> {
  const [body, headers] = await Promise.all([
    readFile(require.resolve('#pages/playground.html.gz')),
    readFile(require.resolve('#pages/playground.json'), 'utf8'),
  ]);
  const plain = async () => (await unzip(body)).toString();
  return sendAsset(c, { body: new Uint8Array(body), plain, headers: JSON.parse(headers) as Asset['headers'] });
}
