/** The rows that every kind of the core's rows has in a dialect: create, get, change, remove. They differ in words alone. */

import type { z } from 'zod';
import { type Route, type RouteRequest, route } from './route.js';
import type { Moment } from './shapes.js';

interface ResourceOptions<Core> {
  /** Comes into the names of the operations: `V1` makes CreateV1Task. */
  readonly dialect: string;
  /** The core's type: `Task` */
  readonly type: string;
  readonly tag: string;
  /** Of one row: `/v1/tasks/{id}` */
  readonly path: string;
  /** The fields that are read of it. */
  readonly selection: string;
  readonly show: (row: Core, request: RouteRequest) => unknown;
  readonly answers: z.ZodType;
  /** What the dialect calls the core's input fields, for errors. */
  readonly fields?: Readonly<Record<string, string>>;
  /** It is found by what people call it, too: BRD-12. */
  readonly hasIdentifier?: true;
}

/** In capitals, as it is shown. */
const IDENTIFIER = /^(?:[A-Z][A-Z0-9]*-|#)\d+$/;

type Changing<Body> = Pick<Route, 'summary'> &
  Partial<Pick<Route, 'path' | 'of' | 'status' | 'method' | 'bodyOptional'>> & {
    readonly body: z.ZodType<Body>;
    readonly variables: (request: RouteRequest<unknown, Body>) => Record<string, unknown>;
  };

export function resource<Core extends { readonly updatedAt: Moment }>(options: ResourceOptions<Core>) {
  const { dialect, type, tag, path, selection, show, answers, fields, hasIdentifier } = options;
  const row = type.charAt(0).toLowerCase() + type.slice(1);
  const shown = { tag, answers, status: 200 as const };
  const answerOf = (field: string) => (data: Record<string, Record<string, Core>>, request: RouteRequest) =>
    show(data[field]?.[row] as Core, request);
  const changing = (verb: 'Create' | 'Update') => {
    const field = verb.toLowerCase() + type;
    return {
      ...shown,
      path,
      operation: `mutation ${verb}${dialect}${type}($input: ${verb}${type}Input!) {
        ${field}(input: $input) { ${row} { ${selection} } }
      }`,
      answer: answerOf(field),
      ...(fields && { fields }),
    };
  };
  const removing = (answered: string) => `mutation Delete${dialect}${type}($id: ID!, $expectedUpdatedAt: DateTime) {
    delete${type}(input: { id: $id, expectedUpdatedAt: $expectedUpdatedAt }) { ${answered} }
  }`;
  return {
    create: <Body>(row: Changing<Body>) => route({ method: 'post', ...changing('Create'), ...row }),
    get: (summary: string) =>
      route({
        method: 'get',
        path,
        summary,
        ...shown,
        ...(hasIdentifier
          ? {
              operation: `query Get${dialect}${type}($id: ID, $identifier: String) {
                ${row}(id: $id, identifier: $identifier) { ${selection} }
              }`,
              variables: ({ params: { id = '' } }: RouteRequest) => (IDENTIFIER.test(id) ? { identifier: id } : { id }),
            }
          : { operation: `query Get${dialect}${type}($id: ID!) { ${row}(id: $id) { ${selection} } }` }),
        answer: (data: Record<string, Core>, request) => show(data[row] as Core, request),
        version: (data) => (data[row] as Core).updatedAt,
      }),
    change: <Body>(row: Changing<Body>) => route({ method: 'patch', ...changing('Update'), ...row }),
    /** @param answered what is answered of it; nothing: 204 */
    remove: (summary: string, answered: Pick<Route, 'status' | 'answer' | 'answers'> = { status: 204 }) =>
      route({ method: 'delete', path, summary, tag, operation: removing(`deleted${type}Id`), ...answered }),
    /** The same, with the row as it was for an answer. */
    removeShown: (summary: string, options: Pick<Route, 'of'> = {}) =>
      route({
        ...options,
        method: 'delete',
        path,
        summary,
        ...shown,
        operation: removing(`${row} { ${selection} }`),
        answer: answerOf(`delete${type}`),
      }),
  };
}
