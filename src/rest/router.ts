/** Gives the rows of the table their paths: what is there, what may be sent to it, and what it answers. */
import type { Door } from '../http/app.js';
import { allowed, methodNotAllowed, refuse } from '../http/refusal.js';
import { plainReads } from './plainReads.js';
import type { Route } from './route.js';
import { routes } from './routes.js';
import { parameterName, runRoute } from './run.js';

export function mountRoutes({ app, graphql, keyed, limitBody, urlOf, addressOf, takePlain }: Door): void {
  const patterns = byPattern();
  takePlain(
    plainReads(
      patterns.map(([, rows]) => rows),
      graphql,
      addressOf,
    ),
  );
  for (const [pattern, rows] of patterns) {
    const handlers = new Map(
      rows.map((row) => [row.method.toUpperCase(), keyed(runRoute(row, readerOf(row), graphql, urlOf))]),
    );
    const allow = allowed([...handlers.keys()]);
    app.all(pattern, limitBody, (c) => {
      const { method } = c.req;
      if (method === 'OPTIONS') return c.body(null, 204, { allow });
      c.set('route', rows[0]?.path ?? pattern);
      const handler = handlers.get(method === 'HEAD' ? 'GET' : method);
      if (handler) return handler(c as never);
      return refuse(c, methodNotAllowed(method, allow));
    });
  }
}

/** Rows of one path together. Paths that are written out come before those with a part that varies. */
function byPattern(): [string, Route[]][] {
  const patterns = new Map<string, Route[]>();
  for (const row of routes) {
    let index = 0;
    const pattern = row.path.replace(/\{\w+\}/g, () => {
      index += 1;
      return `:${parameterName(index - 1)}`;
    });
    patterns.set(pattern, [...(patterns.get(pattern) ?? []), row]);
  }
  return [...patterns].sort(([a], [b]) => a.split(':').length - b.split(':').length);
}

/** The route that shows the row which this one changes. */
function readerOf({ method, path, of }: Route): Route | undefined {
  if (method === 'get' || of === null || (method === 'post' && of === undefined)) return undefined;
  return routes.find((row) => row.method === 'get' && row.path === (of ?? path));
}
