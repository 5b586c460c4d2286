// Taskgate as it is served, in a process of its own.
import { readConfig } from '../dist/config.js';
import { startServer } from '../dist/server.js';

const config = readConfig({
  PORT: '0',
  DATABASE_URL: `file:${process.argv[2]}`,
  LOG_LEVEL: 'warn',
  AUTH_FAILURE_LIMIT: '1000000',
  DEFAULT_PLAN: 'enterprise',
});
const server = await startServer(config);
process.send(Number(new URL(server.url).port));
process.on('message', () => {
  globalThis.gc?.();
  process.send(process.memoryUsage().heapUsed);
});
