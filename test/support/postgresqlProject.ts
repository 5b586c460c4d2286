/** For the vitest project "postgresql": a migrated database that each test server copies. */
import type { TestProject } from 'vitest/node';
import { migrateDatabase } from '../../src/db/database.js';
import { createDatabase, DEFAULT_SERVER, postgresql } from './postgresql.js';

declare module 'vitest' {
  interface ProvidedContext {
    postgresTemplate: string | undefined;
  }
}

export default async function setup(project: TestProject) {
  if ((await postgresql()) === undefined) {
    process.stderr.write('\n*** NOT TESTED: nothing of the project "postgresql" was run. ***\n\n');
    project.provide('postgresTemplate', undefined);
    return () => {};
  }
  const template = await createDatabase(DEFAULT_SERVER);
  await migrateDatabase({ provider: 'postgresql', databaseUrl: template.url });
  project.provide('postgresTemplate', template.name);
  return template.drop;
}
