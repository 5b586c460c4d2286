/** Links to other pages (RFC 8288), with the query as it was sent. */

/** @param pages by relation: the parameters that the page differs in */
function linkHeader(url: URL, pages: Readonly<Record<string, Readonly<Record<string, string | number>>>>) {
  const links = Object.entries(pages).map(([relation, parameters]) => {
    const target = new URL(url);
    for (const [name, value] of Object.entries(parameters)) target.searchParams.set(name, String(value));
    return `<${target.href}>; rel="${relation}"`;
  });
  return links.length > 0 ? { link: links.join(', ') } : {};
}

export interface CursorPage {
  readonly totalCount: number;
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

/** The next page by cursor, and how many rows there are on all. */
export function cursorHeaders({ totalCount, pageInfo }: CursorPage, url: URL): Record<string, string> {
  const next = pageInfo.hasNextPage && pageInfo.endCursor !== null;
  return {
    'x-total-count': String(totalCount),
    ...(next && linkHeader(url, { next: { cursor: pageInfo.endCursor ?? '' } })),
  };
}

interface OffsetPage {
  readonly limit: number;
  readonly offset: number;
}

export function pagination(total: number, { limit, offset }: OffsetPage, rows: number) {
  return { total, limit, offset, hasMore: offset + rows < total };
}

export function offsetHeaders(total: number, { limit, offset }: OffsetPage, url: URL): Record<string, string> {
  const last = Math.max(0, Math.floor((total - 1) / limit) * limit);
  return linkHeader(url, {
    ...(offset + limit < total && { next: { limit, offset: offset + limit } }),
    ...(offset > 0 && { prev: { limit, offset: Math.min(last, Math.max(0, offset - limit)) } }),
    first: { limit, offset: 0 },
    last: { limit, offset: last },
  });
}
