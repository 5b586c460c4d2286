/**
 * A route is a row: a method and a path, a stored GraphQL operation, how its variables come from the request, and how
 * its data becomes the body. What may be asked, by whom and how often, the operation's fields say.
 */

import type { z } from 'zod';
import { type StoredOperation, storeOperation } from '../graphql/storedOperation.js';
import type { CorePage, PageQuery } from './pages.js';
import type { Moment } from './shapes.js';

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

export interface RouteRequest<Query = unknown, Body = unknown> {
  /** The parts of the path that are in braces. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  /** The workspace of the calling key. */
  readonly workspaceId: string;
  /** Where the request was sent to, for links to other pages. */
  readonly url: URL;
}

/** A list, whose page the request says; `variables` need not. */
interface List<Data> {
  /** Where the page stands in the data. */
  readonly page: (data: Data, query: PageQuery) => CorePage;
  /** Rows to ask the core for beyond those of the page. */
  readonly beyond?: number;
  /** Which way its documented client goes on: by cursor where nothing is said. */
  readonly usual?: 'offset';
}

export interface Route<Query = unknown, Body = unknown, Data = unknown> {
  readonly method: Method;
  /** As OpenAPI writes it: /api/tasks/{id} */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly query?: z.ZodType<Query>;
  readonly body?: z.ZodType<Body>;
  /** The body may be left out. */
  readonly bodyOptional?: true;
  readonly operation: StoredOperation;
  readonly variables: (request: RouteRequest<Query, Body>) => Record<string, unknown>;
  readonly status: 200 | 201 | 204;
  /** The body; none where the status is 204. */
  readonly answer?: (data: Data, request: RouteRequest<Query, Body>) => unknown;
  readonly answers?: z.ZodType;
  readonly headers?: (data: Data, request: RouteRequest<Query, Body>) => Record<string, string>;
  /** It asks for the limits alone, which is free within bounds. */
  readonly isLook?: true;
  readonly list?: List<Data>;
  /** A list that the core answers whole, of which the page is cut (`cutQuery`). */
  readonly isWhole?: true;
  /** Its answer tells when it was made. */
  readonly isTimed?: true;
  /** When the one row that is answered was changed last, for changes that are for this version alone (If-Match). */
  readonly version?: (data: Data) => Moment;
  /** What of the answer stays the same while its figures come and go; by default all of it. */
  readonly stable?: (answer: never) => unknown;
  /** The path of the row that is changed, where it is not the route's own; null: no route shows that alone, and a change with If-Match is refused. */
  readonly of?: string | null;
  /** What the dialect calls the core's input fields, for errors; null: it has no such field. */
  readonly fields?: Readonly<Record<string, string | null>>;
  /** The answer holds a secret, so no cache may keep it. */
  readonly secret?: true;
}

/** The names of the parts of a path that are in braces. */
export const parametersOf = ({ path }: Pick<Route, 'path'>): string[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);

type Row<Query, Body, Data> = Omit<Route<Query, Body, Data>, 'operation' | 'variables'> & {
  /** The text of the operation; its name is the route's id. */
  readonly operation: string;
  readonly variables?: Route<Query, Body, Data>['variables'];
};

/** By default the path's parts are the variables. */
export function route<Query, Body, Data>(row: Row<Query, Body, Data>): Route {
  const variables: Route['variables'] = ({ params }) => params;
  let operation: StoredOperation | undefined;
  const made = {
    variables,
    ...row,
    // Compiled when it is asked for: all of them take a tenth of the time that a start takes.
    get operation() {
      operation ??= storeOperation(row.operation);
      return operation;
    },
  };
  return made as unknown as Route;
}
