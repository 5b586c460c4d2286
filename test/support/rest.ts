/** Calls the REST routes, and holds every answer to what the OpenAPI document says of it. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'vitest';
import { openApiDocument } from '../../src/rest/openapi.js';
import type { TestServer } from './server.js';

export const document = JSON.parse(JSON.stringify(openApiDocument('test'))) as {
  paths: Record<string, Record<string, { responses: Record<string, { content?: object }> }>>;
};

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema(document, 'openapi');

const pointer = (...parts: string[]) => parts.map((part) => part.replace(/~/g, '~0').replace(/\//g, '~1')).join('/');

/** The documented path that a path is an example of; one without parts that vary goes first. */
function templateOf(path: string): string | undefined {
  const [plain = ''] = path.split('?');
  const templates = Object.keys(document.paths).sort((a, b) => a.split('{').length - b.split('{').length);
  return templates.find((template) => new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`).test(plain));
}

/** Fails unless the document knows the answer. */
function expectDocumented(method: string, path: string, status: number, body: unknown): void {
  const template = templateOf(path);
  const operation = document.paths[template ?? '']?.[method.toLowerCase()];
  if (template === undefined || operation === undefined) throw new Error(`${method} ${path} is not documented`);
  const name = operation.responses[status] ? String(status) : 'default';
  if (status < 400) expect(name, `${method} ${template} answers ${status}`).toBe(String(status));
  if (!operation.responses[name]?.content) {
    expect(body, `${method} ${template} has no body`).toBeUndefined();
    return;
  }
  const place = pointer('paths', template, method.toLowerCase(), 'responses', name, 'content', 'application/json');
  const validate = ajv.getSchema(`openapi#/${place}/schema`);
  if (!validate) throw new Error(`no schema at ${place}`);
  if (!validate(body)) {
    throw new Error(`${method} ${path} ${status}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(body)}`);
  }
}

export interface RestAnswer {
  readonly status: number;
  readonly headers: Headers;
  // What a test reads is known from its route.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly body: any;
  readonly text: string;
}

export interface RestCall {
  readonly key?: string | undefined;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

export function restClient(server: TestServer) {
  return async (method: string, path: string, { key, body, headers = {} }: RestCall = {}): Promise<RestAnswer> => {
    const response = await fetch(`${server.origin}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key ?? server.adminKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed = text === '' ? undefined : JSON.parse(text);
    if (response.status !== 304) expectDocumented(method, path, response.status, parsed);
    return { status: response.status, headers: response.headers, body: parsed, text };
  };
}
