// Taskgate as it is served, in a process of its own.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { serve } from './serve.mjs';

const [, , database] = process.argv;
const port = await serve({
  DATABASE_URL: /^postgres/.test(database) ? database : `file:${database}`,
  LOG_LEVEL: 'warn',
});
process.send(port);
// What it holds when the garbage is gone, and the longest that it did nothing else since it was asked last.
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();
process.on('message', (what) => {
  if (what === 'memory') globalThis.gc?.();
  process.send({ memory: process.memoryUsage().heapUsed / 1e6, held: delay.max / 1e6 });
  delay.reset();
});
