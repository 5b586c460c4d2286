// Taskgate in this process, as the command serves it.
import { createServer } from 'node:net';

/** @param values variables of the environment @returns the port */
export async function serve(values) {
  const port = await freePort();
  Object.assign(process.env, {
    PORT: String(port),
    AUTH_FAILURE_LIMIT: '1000000',
    DEFAULT_PLAN: 'enterprise',
    ...values,
  });
  process.argv.splice(2, process.argv.length, 'serve');
  await import('../dist/main.js');
  return port;
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
