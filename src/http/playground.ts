/** GraphiQL, whole, from the package: nothing is loaded from elsewhere. */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';

const FIRST_QUERY = `# Put your API key into the headers below, then run this.
query Tasks {
  viewer {
    environment
    scopes
  }
  tasks(first: 10) {
    totalCount
    nodes {
      number
      title
      status
      project {
        name
      }
    }
  }
}
`;

export interface Page {
  /** HTML, compressed with gzip, which every browser takes. */
  readonly body: Uint8Array<ArrayBuffer>;
  readonly etag: string;
  readonly contentSecurityPolicy: string;
}

let page: Page | undefined;

/** Rendered on first use; the policy allows the page's own inline scripts by hash, and no other. */
export function playground(): Page {
  if (page) return page;
  const html = renderGraphiQL({
    title: 'Taskgate',
    defaultQuery: FIRST_QUERY,
    headers: JSON.stringify({ Authorization: 'Bearer sk_live_...' }, null, 2),
    defaultEditorToolsVisibility: 'headers',
    shouldPersistHeaders: false,
  } as Parameters<typeof renderGraphiQL>[0]);
  const hashes = [...html.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map(
    ([, script = '']) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`,
  );
  const contentSecurityPolicy = [
    "default-src 'none'",
    `script-src ${hashes.join(' ')} blob:`,
    "style-src 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "connect-src 'self'",
    'worker-src blob: data:',
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  page = {
    body: new Uint8Array(gzipSync(html)),
    etag: `"${createHash('sha256').update(html).digest('base64url').slice(0, 22)}"`,
    contentSecurityPolicy,
  };
  return page;
}
