/**
 * GraphiQL, whole, from the package: nothing is loaded from elsewhere. Made by the build (scripts/pages.mjs), because the package
 * takes 30 MB of memory that no server gets back.
 */
import { createHash } from 'node:crypto';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import { type Asset, assetOf, pagePolicy } from './page.js';

const FIRST_QUERY = `# Put your API key into the headers below, or sign in to the dashboard (/) first.
# Then run this:
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

/**
 * What GraphiQL does not do by itself. It opens an empty tab on each visit after the first, unless it finds the query of
 * the last one; it asks for the schema before there is a key, which can only be refused; and it does not ask again when
 * the key has been put in.
 */
const AROUND = `(() => {
  const KEY = /(?:sk|at)_(?:live|test)_[0-9A-Za-z]{49}/;
  try {
    const { tabs, activeTabIndex } = JSON.parse(localStorage.getItem('graphiql:tabState'));
    const { query, variables } = tabs[activeTabIndex];
    if (query) localStorage.setItem('graphiql:query', query);
    if (variables) localStorage.setItem('graphiql:variables', variables);
    else localStorage.removeItem('graphiql:variables');
  } catch {
    localStorage.removeItem('graphiql:tabState');
  }
  const send = window.fetch.bind(window);
  // Of whoever has signed in to the dashboard: their session, in the workspace and environment that they chose there.
  const place = (name) => localStorage.getItem('taskgate:' + name);
  const isMember = () => Boolean(place('workspace'));
  const withSession = (options, headers) => {
    headers.delete('authorization');
    headers.set('x-taskgate-workspace', place('workspace'));
    headers.set('x-taskgate-environment', place('environment') ?? 'live');
    return { ...options, headers };
  };
  let loadedWith;
  window.fetch = async (address, options) => {
    const headers = new Headers(options?.headers);
    const hasKey = KEY.test(headers.get('authorization') ?? '') || KEY.test(headers.get('x-api-key') ?? '');
    if (!String(options?.body).includes('IntrospectionQuery')) {
      return send(address, isMember() && !hasKey ? withSession(options, headers) : options);
    }
    const [key] = KEY.exec(headers.get('authorization') ?? '') ?? KEY.exec(headers.get('x-api-key') ?? '') ?? [];
    if (key) {
      loadedWith = key;
      return send(address, options);
    }
    if (isMember()) return send(address, withSession(options, headers));
    const message = 'Put your API key into the headers below, or sign in; the schema is loaded then.';
    return new Response(JSON.stringify({ errors: [{ message }] }), { headers: { 'content-type': 'application/json' } });
  };
  // What is in the editor, to the page that makes keys. GraphiQL writes it to tabState when it has started, and 0.6
  // seconds after each change: there is nothing to hand over before, and a click soon after a change waits for it.
  const KEPT_AFTER_MS = 1_000;
  let changedAt = -KEPT_AFTER_MS;
  for (const kind of ['keydown', 'input', 'paste']) {
    document.addEventListener(kind, (event) => { changedAt = event.timeStamp; }, true);
  }
  const offerKey = () => {
    const toolbar = document.querySelector('.graphiql-toolbar');
    if (!toolbar || !isMember() || document.getElementById('make-key')) return;
    if (!localStorage.getItem('graphiql:tabState')) return;
    const link = document.createElement('a');
    Object.assign(link, { id: 'make-key', href: '/settings/api-keys/new', textContent: 'Make a key for this' });
    link.title = 'Generate an API key that runs this operation and nothing else';
    link.style.cssText = 'font-size: 12px; line-height: 1.3; text-align: center; padding: 4px 0; color: inherit';
    const handOver = () => {
      try {
        const { tabs, activeTabIndex } = JSON.parse(localStorage.getItem('graphiql:tabState'));
        sessionStorage.setItem('taskgate:operations', tabs[activeTabIndex].query ?? '');
      } catch {
        sessionStorage.removeItem('taskgate:operations');
      }
    };
    link.onclick = (event) => {
      const wait = changedAt + KEPT_AFTER_MS - event.timeStamp;
      if (wait <= 0) return handOver();
      event.preventDefault();
      setTimeout(() => { handOver(); location.assign(link.href); }, wait);
    };
    toolbar.append(link);
  };
  setInterval(offerKey, 500);
  // GraphiQL takes up what is typed a moment later, and asks for one schema at a time: a few tries for each key.
  let [seen, tries] = [undefined, 0];
  setInterval(() => {
    const text = document.querySelector('.graphiql-editor-tools, .graphiql-editor-tool')?.parentElement?.textContent;
    const [key] = KEY.exec(text ?? '') ?? [];
    if (key !== seen) [seen, tries] = [key, 0];
    if (!key || key === loadedWith || tries === 10) return;
    tries += 1;
    document.querySelector('button[aria-label^="Re-fetch GraphQL schema"]')?.click();
  }, 500);
})();`;

/** The policy allows the page's own inline scripts by hash, and no other. */
export function playgroundPage(): Asset {
  const plain = renderGraphiQL({
    title: 'Taskgate',
    defaultQuery: FIRST_QUERY,
    headers: JSON.stringify({ Authorization: 'Bearer sk_live_...' }, null, 2),
    defaultEditorToolsVisibility: 'headers',
    shouldPersistHeaders: false,
  } as Parameters<typeof renderGraphiQL>[0]);
  const html = plain.replace('</head>', () => `<script>${AROUND}</script></head>`);
  const hashes = [...html.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map(
    ([, script = '']) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`,
  );
  const policy = pagePolicy(
    `script-src ${hashes.join(' ')} blob:`,
    "style-src 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    'worker-src blob: data:',
  );
  return assetOf(html, 'text/html; charset=utf-8', policy);
}
