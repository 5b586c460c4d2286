/** The protocol's own part: versions, messages and forms of answers are the SDK's. */
import { createMcpHandler, type McpHttpHandler, Server } from '@modelcontextprotocol/server';
import type { Logger } from 'pino';
import type { Context } from '../graphql/context.js';
import type { GraphQL } from '../graphql/yoga.js';
import { VERSION } from '../version.js';
import { callTool, toolsFor } from './call.js';

const INSTRUCTIONS =
  'Tasks and projects of one workspace. You see the tools that your API key may call. ' +
  'Where you lack a scope, ask for it with request_scopes.';

/** The context of a request comes with its `authInfo`. */
export function mcpHandler(graphql: GraphQL, logger: Logger): McpHttpHandler {
  return createMcpHandler(({ authInfo }) => serverFor(authInfo?.extra?.['context'] as Context, graphql), {
    // There is nothing to listen for: a key's tools are what they are when it asks.
    maxSubscriptions: 0,
    onerror: (error) => logger.debug({ err: error }, 'MCP request refused'),
  });
}

/** One request's. */
function serverFor(context: Context, graphql: GraphQL): Server {
  const server = new Server(
    { name: 'taskgate', title: 'Taskgate', version: VERSION },
    { capabilities: { tools: {} }, instructions: INSTRUCTIONS },
  );
  server.setRequestHandler('tools/list', () => ({ tools: toolsFor(context).map(({ listed }) => listed) }));
  server.setRequestHandler('tools/call', ({ params }) =>
    callTool(params.name, params.arguments ?? {}, graphql, context),
  );
  return server;
}
