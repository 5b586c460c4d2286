/**
 * Whether a request with a cookie was sent by a page of this server, and by no other (cross-site request forgery). A browser says
 * where a request comes from (Fetch Metadata, Origin), and no page can make it say otherwise; what is no browser says nothing, and
 * has no cookie that somebody else could use.
 */
import type { Context } from 'hono';

export function isSameOrigin(c: Context): boolean {
  const site = c.req.header('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const origin = c.req.header('origin');
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === c.req.header('host')?.toLowerCase();
}
