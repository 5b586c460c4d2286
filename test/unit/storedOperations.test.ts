/** The server's own operations, which are compiled when they are asked for: each fits the schema. */
import { expect, it } from 'vitest';
import { tools } from '../../src/mcp/tools.js';
import { routes } from '../../src/rest/routes.js';

it.each([...routes].map((route) => [`${route.method} ${route.path}`, route] as const))('%s', (_name, route) => {
  const { operation } = route;
  expect(operation.type).toBe(route.method === 'get' ? 'query' : 'mutation');
  expect(route.operation).toBe(operation);
});

it.each([...tools].map((tool) => [tool.name, tool] as const))('the tool %s', (_name, tool) => {
  expect(tool.operation.type).toBe(tool.listed.annotations?.readOnlyHint ? 'query' : 'mutation');
});
