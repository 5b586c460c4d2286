/** Reads what a route takes from a request; reports all that is wrong with it at once, by field. */
import type { z } from 'zod';
import { ApiError, badInput, badParameters } from '../errors.js';
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
    query: route.query ? parse(route.query, queryOf(url), badParameters) : {},
    body: route.body ? parse(route.body, jsonOf(route, contentType, body), badInput) : {},
  };
}

type Problems = Readonly<Record<string, readonly string[]>>;

function parse(schema: z.ZodType, value: object, refuse: (problems: Problems) => ApiError): unknown {
  const result = schema.safeParse(value, { error: describe });
  const problems: Record<string, string[]> = {};
  const add = (field: string, problem: string) => {
    problems[field] = [...(problems[field] ?? []), problem];
  };
  for (const issue of result.error?.issues ?? []) {
    const [field = 'body', ...deeper] = issue.path.map(String);
    add(
      field,
      [...deeper.map((part) => (/^\d+$/.test(part) ? `entry ${Number(part) + 1}` : part)), issue.message].join(' '),
    );
  }
  // Fields that the route does not know are not looked at, whatever is in them.
  for (const [field, content] of Object.entries(result.data ?? {})) {
    if (hasBadText(content)) add(field, 'must be well-formed Unicode, without the character U+0000');
  }
  if (Object.keys(problems).length > 0) throw refuse(problems);
  return result.data;
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

const KINDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
};

/** In the words of the callers; a rule's own message stands before this. */
function describe(issue: z.core.$ZodRawIssue): string | undefined {
  const missing = issue.input === undefined;
  if (issue.code === 'invalid_type')
    return missing ? 'is required' : `must be ${KINDS[issue.expected] ?? issue.expected}`;
  if (issue.code === 'invalid_value') return missing ? 'is required' : `must be one of ${issue.values.join(', ')}`;
  return undefined;
}
