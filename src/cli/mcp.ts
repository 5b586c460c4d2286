/**
 * `taskgate mcp`: the tools of a server's /mcp over standard input and output, for desktop clients that start a process. It
 * reaches no database: what the key in its environment may do, the server decides.
 */
import { once } from 'node:events';
import type { Client } from '@modelcontextprotocol/client';
import type { Server } from '@modelcontextprotocol/server';
import { Command } from 'commander';
import { readConfig } from '../config.js';
import { ApiError, badInput } from '../errors.js';
import { VERSION } from '../version.js';
import { localAddress } from './address.js';
import type { ProcessVariables } from './processVariables.js';

const NAME = { name: 'taskgate', title: 'Taskgate', version: VERSION };

export function mcpCommand(variables: ProcessVariables): Command {
  return new Command('mcp')
    .description('serve the tools of a server to a desktop client, over standard input and output (docs/mcp.md)')
    .option('--url <url>', 'of the server; by default the one of this configuration')
    .addHelpText('after', '\nThe key is in TASKGATE_KEY.')
    .exitOverride()
    .action(async ({ url }: { url?: string }) => {
      const key = variables['TASKGATE_KEY'];
      if (!key) throw badInput({ TASKGATE_KEY: ['must hold the key of the client'] });
      const endpoint = endpointOf(url ?? ownAddress(variables));
      const upstream = await connect(endpoint, key);
      // Loaded by this command alone: it takes longer than all others to start.
      const sdk = await import('@modelcontextprotocol/server');
      const { serveStdio } = await import('@modelcontextprotocol/server/stdio');
      serveStdio(() => forwardingTo(upstream, sdk));
      // The client ends by closing its end.
      await once(process.stdin, 'close');
      await upstream.close();
    });
}

function ownAddress(variables: ProcessVariables): string {
  const { tls, host, port } = readConfig(variables);
  return `${tls ? 'https' : 'http'}://${localAddress(host)}:${port}`;
}

/** @throws BAD_USER_INPUT */
function endpointOf(url: string): URL {
  if (!/^https?:/.test(url) || !URL.canParse(url))
    throw badInput({ url: ['must be an address such as https://tasks.example.com'] });
  return new URL('/mcp', url);
}

/** @throws UNAUTHENTICATED, SERVICE_UNAVAILABLE */
async function connect(endpoint: URL, key: string): Promise<Client> {
  const { Client, StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
  const client = new Client(NAME, { versionNegotiation: { mode: 'auto' } });
  const headers = { authorization: `Bearer ${key}` };
  try {
    await client.connect(new StreamableHTTPClientTransport(endpoint, { requestInit: { headers } }));
  } catch (error) {
    const status = (error as { data?: { status?: number } }).data?.status;
    if (status === 401)
      throw new ApiError('UNAUTHENTICATED', `${endpoint.origin} does not know the key in TASKGATE_KEY.`);
    const reason = error instanceof Error ? error.message : String(error);
    throw new ApiError('SERVICE_UNAVAILABLE', `${endpoint} cannot be reached: ${reason}`);
  }
  return client;
}

function forwardingTo(upstream: Client, sdk: { readonly Server: typeof Server }): Server {
  const instructions = upstream.getInstructions();
  const server = new sdk.Server(NAME, {
    capabilities: { tools: {} },
    ...(instructions !== undefined && { instructions }),
  });
  server.setRequestHandler('tools/list', ({ params }) => upstream.listTools(params));
  server.setRequestHandler('tools/call', ({ params: { name, arguments: given } }) =>
    upstream.callTool({ name, ...(given && { arguments: given }) }),
  );
  return server;
}
