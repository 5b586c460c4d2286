/** For the vitest project "postgresql": a migrated database that each test server copies. */
import type { TestProject } from 'vitest/node';
import { migrateDatabase } from '../../src/db/database.js';
import { createDatabase, postgresql } from './postgresql.js';

declare module 'vitest' {
  interface ProvidedContext {
    postgresTemplate: string | undefined;
  }
}

export default async function setup(project: TestProject) {
  const server = await postgresql();
  if (server === undefined) {
    project.provide('postgresTemplate', undefined);
    return () => {};
  }
  const template = await createDatabase(server);
  await migrateDatabase({ provider: 'postgresql', databaseUrl: template.url });
  project.provide('postgresTemplate', template.name);
  return template.drop;
}
