/** Reads what a route takes from a request; reports all that is wrong with it at once, by field. */
import { ApiError, badParameters } from '../errors.js';
import { readValues } from '../input.js';
import { hasBadText } from '../storable.js';
import type { Route, RouteRequest } from './route.js';

export interface RawRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly url: URL;
  readonly contentType: string | undefined;
  readonly body: string;
  readonly workspaceId: string;
}

/** @throws ApiError that names each wrong parameter or field */
export function readRequest(route: Route, { params, url, contentType, body, workspaceId }: RawRequest): RouteRequest {
  if (hasBadText(params)) throw new ApiError('NOT_FOUND', 'No such row.');
  return {
    params,
    url,
    workspaceId,
    query: route.query ? readValues(route.query, queryOf(url), 'body', badParameters) : {},
    body: route.body ? readValues(route.body, jsonOf(route, contentType, body), 'body') : {},
  };
}

/** A parameter that is there more than once is a list. Empty means not given, as forms and templates send it. */
function queryOf(url: URL): Record<string, string> {
  const query: Record<string, string> = {};
  for (const [name, value] of url.searchParams) {
    if (value !== '') query[name] = name in query ? `${query[name]},${value}` : value;
  }
  return query;
}

function jsonOf({ bodyOptional }: Route, contentType: string | undefined, body: string): object {
  if (bodyOptional && body === '') return {};
  if (!/^application\/(?:[^;\s]+\+)?json\s*(?:;|$)/i.test(contentType ?? '')) {
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', 'Send the body as application/json.');
  }
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new ApiError('BAD_USER_INPUT', body === '' ? 'The body is empty.' : 'The body is not valid JSON.');
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new ApiError('BAD_USER_INPUT', 'The body must be a JSON object.');
  }
  return value;
}
