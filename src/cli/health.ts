/** `taskgate health`: asks the server of this configuration whether it is ready, as a container's probe. */
import { get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';
import { Command } from 'commander';
import { readConfig } from '../config.js';
import { ApiError } from '../errors.js';
import { localAddress } from './address.js';
import type { ProcessVariables } from './processVariables.js';

/** Milliseconds. */
const PATIENCE = 3000;

export function healthCommand(variables: ProcessVariables): Command {
  return new Command('health')
    .description('ask the server of this configuration whether it is ready; ends with 1 when it is not')
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async ({ json }: { json?: boolean }) => {
      const config = readConfig(variables);
      const url = `${config.tls ? 'https' : 'http'}://${localAddress(config.host)}:${config.port}/health/ready`;
      const status = await statusOf(url);
      if (status !== 200) throw new ApiError('SERVICE_UNAVAILABLE', `${url} answers ${status ?? 'nothing'}.`);
      process.stdout.write(json ? '{"status":"ok"}\n' : 'The server is ready.\n');
    });
}

/** Undefined where there is no answer. The certificate is for the name that clients use, and is not verified here. */
function statusOf(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const options = { timeout: PATIENCE, rejectUnauthorized: false };
    const request = (url.startsWith('https:') ? getHttps : getHttp)(url, options, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined));
  });
}
