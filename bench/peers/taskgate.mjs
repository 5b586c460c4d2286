// Taskgate as it is served.
import { serve } from '../serve.mjs';

const [, , url, cache = '64'] = process.argv;
const port = await serve({ DATABASE_URL: url, RESPONSE_CACHE_MB: cache });
// With the bench it ends.
process.on('disconnect', () => process.exit());
process.send(port);
