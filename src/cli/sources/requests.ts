/** What was really called: requests of a HAR file, of our own log, and routes of the REST shim, as the operations that they are. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ApiError } from '../../errors.js';
import { type DescribedOperation, describeOperation } from '../../operations/keyOperations.js';
import type { Route } from '../../rest/route.js';
import type { FoundText } from './documents.js';
import { fromCaller } from './folder.js';
import { jsonOf } from './json.js';

/** Operations of the server's own, by the route or the tool that runs them. */
export interface StoredOperations {
  /** @throws ApiError NOT_FOUND for what is no route */
  ofRoute(route: string): DescribedOperation;
  /** @throws ApiError NOT_FOUND for what is no tool */
  ofTool(name: string): DescribedOperation;
  /** Undefined: there is no such route. */
  match(method: string, path: string): DescribedOperation | undefined;
  named(name: string): DescribedOperation | undefined;
}

/** Routes are named as the reference has them: `GET /v1/tasks`, `PATCH /v1/tasks/{id}`. */
export async function storedOperations(): Promise<StoredOperations> {
  const [{ routes }, { tools, toolsByName }] = await Promise.all([
    import('../../rest/routes.js'),
    import('../../mcp/tools.js'),
  ]);
  const operationOf = (route: Route) => describeOperation(route.operation);
  const patterns = routes.map((route) => ({ route, pattern: patternOf(route.path) }));
  const match = (method: string, path: string) => {
    const found = patterns
      .filter(({ route, pattern }) => route.method === method.toLowerCase() && pattern.test(path))
      // A path that is written out comes before one with a part that varies.
      .sort((a, b) => a.route.path.split('{').length - b.route.path.split('{').length)[0];
    return found && operationOf(found.route);
  };
  return {
    match,
    ofTool(name) {
      const tool = toolsByName.get(name);
      if (tool) return describeOperation(tool.operation);
      throw new ApiError(
        'NOT_FOUND',
        `There is no tool ${JSON.stringify(name.slice(0, 100))}; docs/mcp.md lists them.`,
      );
    },
    ofRoute(text) {
      const [method = '', path = ''] = text.trim().split(/\s+/);
      const exact = routes.find((route) => route.method === method.toLowerCase() && route.path === path.split('?')[0]);
      const found = exact ? operationOf(exact) : match(method, path.split('?')[0] ?? '');
      if (found) return found;
      throw new ApiError('NOT_FOUND', `There is no route ${JSON.stringify(text.slice(0, 100))}; /docs lists them.`);
    },
    named(name) {
      const found = [...routes, ...tools].find(({ operation }) => operation.name === name);
      return found && describeOperation(found.operation);
    },
  };
}

const patternOf = (path: string) => new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`);

/** What requests asked for. */
export interface CalledOperations {
  /** GraphQL, by its text. */
  readonly texts: FoundText[];
  readonly rest: DescribedOperation[];
  /** Requests of which the text is not known: a hash, or a name. */
  readonly unknown: string[];
}

const har = z.object({
  log: z.object({
    entries: z.array(
      z.object({
        request: z.object({
          method: z.string(),
          url: z.string(),
          postData: z.object({ text: z.string().optional() }).optional(),
        }),
      }),
    ),
  }),
});
const parameters = z.object({
  query: z.string().optional(),
  operationName: z.string().nullish(),
  documentId: z.string().optional(),
});

/** @throws ApiError for a file that is no HAR */
export async function requestsInHar(file: string): Promise<CalledOperations> {
  const read = har.safeParse(jsonOf(readFileSync(fromCaller(file), 'utf8')));
  if (!read.success) throw new ApiError('BAD_USER_INPUT', `${file} is no HAR file.`);
  const stored = await storedOperations();
  const called: CalledOperations = { texts: [], rest: [], unknown: [] };
  for (const { request } of read.data.log.entries) {
    const url = URL.canParse(request.url) ? new URL(request.url) : undefined;
    if (!url) continue;
    if (url.pathname !== '/graphql') {
      const operation = stored.match(request.method, url.pathname);
      if (operation) called.rest.push(operation);
    } else if (request.method === 'POST') {
      for (const one of [jsonOf(request.postData?.text ?? '')].flat()) note(one, file, called);
    } else if (url.searchParams.has('query')) {
      note(Object.fromEntries(url.searchParams), file, called);
    }
  }
  return called;
}

function note(body: unknown, file: string, called: CalledOperations): void {
  const read = parameters.safeParse(body);
  if (!read.success) return;
  const { query, operationName, documentId } = read.data;
  if (query !== undefined) called.texts.push({ text: query, where: file });
  else called.unknown.push(operationName ?? documentId ?? 'a document by its hash');
}

const logLine = z.object({
  msg: z.literal('request'),
  method: z.string(),
  path: z.string(),
  status: z.number(),
  keyId: z.string().optional(),
  operations: z.array(z.string()).optional(),
  hashes: z.array(z.string()).optional(),
  scopes: z.array(z.string()).optional(),
});

interface LoggedOperation {
  readonly name: string;
  /** The beginning of the hash of its normal form; undefined: the line is of a version that did not log it. */
  readonly hash: string | undefined;
}

export interface LoggedUse {
  readonly operations: readonly LoggedOperation[];
  readonly scopes: ReadonlySet<string>;
  readonly requests: number;
}

/**
 * What the log of requests says that keys did.
 * @param keyId of one key; undefined: of all
 * @throws ApiError for a file that has no line of the log
 */
export function requestsInLog(file: string, keyId: string | undefined): LoggedUse {
  const operations = new Map<string, LoggedOperation>();
  const scopes = new Set<string>();
  let [requests, lines] = [0, 0];
  for (const line of readFileSync(fromCaller(file), 'utf8').split('\n')) {
    const read = logLine.safeParse(jsonOf(line));
    if (!read.success) continue;
    lines += 1;
    const { data } = read;
    if (data.keyId === undefined || (keyId !== undefined && data.keyId !== keyId)) continue;
    requests += 1;
    for (const scope of data.scopes ?? []) scopes.add(scope);
    for (const [index, name] of (data.operations ?? []).entries()) {
      const hash = data.hashes?.[index];
      operations.set(`${name} ${hash}`, { name, hash });
    }
  }
  if (lines === 0) throw new ApiError('BAD_USER_INPUT', `${file} has no line of the request log.`);
  return { operations: [...operations.values()], scopes, requests };
}
