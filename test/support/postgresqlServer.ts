/**
 * The PostgreSQL for all tests: the one at TEST_POSTGRES_URL or on the local default port; where none answers, one that is
 * started here and ends with the tests.
 */
import { hasPostgresPrograms, startPostgres } from './ownPostgresql.js';
import { postgresql, serverUrl } from './postgresql.js';

export default async function setup() {
  // Of the second vitest project, the server of the first one.
  if ((await postgresql()) !== undefined) return () => {};
  if (!hasPostgresPrograms) {
    process.stderr.write(`\n*** NOT TESTED: no PostgreSQL answers at ${serverUrl()}; nothing was tried on it. ***\n\n`);
    return () => {};
  }
  const own = await startPostgres();
  process.env['TEST_POSTGRES_URL'] = own.url;
  process.stderr.write(`PostgreSQL did not answer at its default address; the tests use one of their own.\n`);
  return own.stop;
}
