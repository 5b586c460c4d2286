// Taskgate as it is served, in a process of its own.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { readConfig } from '../dist/config.js';
import { startServer } from '../dist/server/listen.js';

const config = readConfig({
  PORT: '0',
  DATABASE_URL: /^postgres/.test(process.argv[2]) ? process.argv[2] : `file:${process.argv[2]}`,
  LOG_LEVEL: 'warn',
  AUTH_FAILURE_LIMIT: '1000000',
  DEFAULT_PLAN: 'enterprise',
});
const server = await startServer(config);
process.send(Number(new URL(server.url).port));
// What it holds when the garbage is gone, and the longest that it did nothing else since it was asked last.
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
process.on('message', (what) => {
  if (what === 'memory') globalThis.gc?.();
  process.send({ memory: process.memoryUsage().heapUsed / 1e6, held: delay.max / 1e6 });
  delay.reset();
});
