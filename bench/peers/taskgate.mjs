// Taskgate as it is served.
import { readConfig } from '../../dist/config.js';
import { startServer } from '../../dist/server/listen.js';

const [url, cache = '64'] = process.argv.slice(2);
const server = await startServer(
  readConfig({
    PORT: '0',
    DATABASE_URL: url,
    AUTH_FAILURE_LIMIT: '1000000',
    DEFAULT_PLAN: 'enterprise',
    RESPONSE_CACHE_MB: cache,
  }),
);
// With the bench it ends.
process.on('disconnect', () => process.exit());
process.send(Number(new URL(server.url).port));
