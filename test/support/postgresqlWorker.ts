/** Tells the test servers of this project which database to copy; without a server nothing is run. */
import { beforeEach, inject } from 'vitest';

const template = inject('postgresTemplate');
if (template === undefined) beforeEach((context) => context.skip('PostgreSQL does not answer'));
else process.env['TEST_POSTGRES_TEMPLATE'] = template;
