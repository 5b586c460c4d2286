/**
 * Pages of a list. Every list takes `limit` with `page`, `offset` or `cursor`, whichever its clients know; the answer leads
 * on by `Link` (RFC 8288), with the query as it was sent, and by `X-Next-Cursor`.
 */
import { z } from 'zod';
import { badParameters } from '../errors.js';
import { MAX_OFFSET, MAX_PAGE } from '../operations/pageLimits.js';
import { integer, optionalInteger } from './shapes.js';

export interface PageQuery {
  readonly limit: number;
  readonly page?: number | undefined;
  readonly offset?: number | undefined;
  readonly cursor?: string | undefined;
}

/** What the core answers of a list. */
export interface CorePage<Row = unknown> {
  readonly nodes: readonly Row[];
  readonly totalCount: number;
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

/** What a stored operation asks of a list. */
export const PAGE = 'totalCount pageInfo { hasNextPage endCursor }';

/** @param most the rows of one answer; more than the core gives at once are gathered */
export function pageQuery(most: number, usual = most) {
  return {
    limit: integer(1, most, usual),
    page: optionalInteger(1, MAX_OFFSET),
    offset: optionalInteger(0, MAX_OFFSET),
    cursor: z.string().optional(),
  };
}

/** Where a page begins: by number, or after a cursor, which carries the number along for clients that are told it. */
export interface PageStart {
  readonly offset: number;
  readonly after: string | undefined;
}

/** @throws ApiError for two ways to say where the page begins */
export function startOf({ limit, page, offset, cursor }: PageQuery): PageStart {
  const ways = Object.entries({ page, offset, cursor }).filter(([, value]) => value !== undefined);
  if (ways.length > 1) {
    const names = ways.map(([name]) => name);
    throw badParameters({
      [names.at(-1) ?? '']: [`must not be given together with ${names.slice(0, -1).join(' and ')}`],
    });
  }
  if (cursor === undefined) {
    const first = offset ?? ((page ?? 1) - 1) * limit;
    if (first > MAX_OFFSET)
      throw badParameters({ page: [`leads beyond row ${MAX_OFFSET}, further than pages by number go`] });
    return { offset: first, after: undefined };
  }
  const [, number, after] = /^(\d{1,9})\.(.+)$/.exec(cursor) ?? [];
  return after === undefined ? { offset: 0, after: cursor } : { offset: Number(number), after };
}

/** The arguments of the core's list for rows that begin there. */
export function pageVariables({ offset, after }: PageStart, limit: number) {
  const first = Math.min(limit, MAX_PAGE);
  return after === undefined ? { first, ...(offset > 0 && { offset }) } : { first, after };
}

export function pagination({ totalCount, nodes, pageInfo }: CorePage, query: PageQuery) {
  const { offset } = startOf(query);
  // After a cursor the number is that of the rows as they were when it was given.
  const hasMore = query.cursor === undefined ? offset + nodes.length < totalCount : pageInfo.hasNextPage;
  return { total: totalCount, limit: query.limit, offset, hasMore };
}

/**
 * @param usual how the documented client goes on where it did not say: `Link` leads by cursor, or by offset
 */
export function pageHeaders(
  { totalCount, pageInfo, nodes }: CorePage,
  query: PageQuery,
  url: URL,
  usual: 'cursor' | 'offset' = 'cursor',
): Record<string, string> {
  const { limit, page, cursor } = query;
  const { offset } = startOf(query);
  const next = `${offset + nodes.length}.${pageInfo.endCursor}`;
  const more = pageInfo.hasNextPage && pageInfo.endCursor !== null;
  const last = Math.max(0, Math.ceil(totalCount / limit) - 1);
  const way =
    cursor !== undefined ? 'cursor' : page !== undefined ? 'page' : query.offset !== undefined ? 'offset' : usual;
  const to = (index: number) => (way === 'page' ? { limit, page: index + 1 } : { limit, offset: index * limit });
  const here = offset / limit;
  const links =
    way === 'cursor'
      ? { ...(more && { next: { cursor: next } }) }
      : {
          ...(offset + nodes.length < totalCount && {
            next: way === 'page' ? to(here + 1) : { limit, offset: offset + limit },
          }),
          ...(offset > 0 && {
            prev:
              way === 'page'
                ? to(Math.min(last, here - 1))
                : { limit, offset: Math.min(last * limit, Math.max(0, offset - limit)) },
          }),
          first: to(0),
          last: to(last),
        };
  return {
    ...(usual === 'cursor' && { 'x-total-count': String(totalCount) }),
    ...(more && { 'x-next-cursor': next }),
    ...linkHeader(url, links),
  };
}

/** Rows of a list that the core answers whole. */
const MOST_WHOLE = 1000;

/** Of a page after which there is none. */
export const END = { hasNextPage: false, endCursor: null };

/** Cursors of lists that are cut here lead to rows by their number. */
const CUT = 'row';

/** What a route takes whose rows are cut here. */
export const cutQuery = (most = MOST_WHOLE, usual = most) => pageQuery(most, usual);

/** The number of the first row. @throws ApiError for what is not a cursor of such a list */
export function cutStart(query: PageQuery): number {
  const { offset, after } = startOf(query);
  if (after !== undefined && after !== CUT) throw badParameters({ cursor: ['is not a cursor of this list'] });
  return offset;
}

/** The rows of the page. @param rows as far as they are known: to its end at least */
export function cut<Row>(rows: readonly Row[], query: PageQuery): Row[] {
  const start = cutStart(query);
  return rows.slice(start, start + query.limit);
}

/** @param totalCount of all pages */
export function cutHeaders(totalCount: number, query: PageQuery, url: URL): Record<string, string> {
  const start = cutStart(query);
  const shown = Math.min(query.limit, Math.max(0, totalCount - start));
  const hasNextPage = shown > 0 && start + shown < totalCount;
  const pageInfo = hasNextPage ? { hasNextPage, endCursor: CUT } : END;
  return pageHeaders({ totalCount, pageInfo, nodes: Array.from({ length: shown }) }, query, url);
}

/** Characters: clients take a limited amount of headers, and the links repeat the whole query. */
const MAX_LINK = 4096;

/** @param pages by relation: the parameters that the page differs in */
function linkHeader(url: URL, pages: Readonly<Record<string, Readonly<Record<string, string | number>>>>) {
  const links = Object.entries(pages).map(([relation, parameters]) => {
    const target = new URL(url);
    for (const [name, value] of Object.entries(parameters)) target.searchParams.set(name, String(value));
    return `<${target.href}>; rel="${relation}"`;
  });
  const link = links.join(', ');
  return links.length > 0 && link.length <= MAX_LINK ? { link } : {};
}
