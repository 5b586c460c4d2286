import { createRequire } from 'node:module';
import { defineConfig } from 'vitest/config';

const require = createRequire(import.meta.url);

/** What asks no database, or brings those that it asks: once is enough. */
const WITHOUT_DATABASE = [
  'test/unit/**',
  ...[
    'backup',
    'bus',
    'command',
    'connections',
    'deploy',
    'docs',
    'copy',
    'dashboard',
    'https',
    'layers',
    'migrations',
    'mint',
    'operator',
    'playground',
    'reads',
  ].map(toFile),
  ...['postgresql', 'processes', 'redis', 'sqlite', 'topology'].map(toFile),
];
function toFile(name: string): string {
  return `test/${name}.test.ts`;
}

export default defineConfig({
  resolve: {
    // The file that Node itself takes, so that tests and libraries share one copy of graphql.
    alias: [{ find: /^graphql$/, replacement: require.resolve('graphql') }],
  },
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: { name: 'sqlite', include: ['test/**/*.test.ts'], globalSetup: ['test/support/postgresqlServer.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'postgresql',
          include: ['test/**/*.test.ts'],
          exclude: WITHOUT_DATABASE,
          globalSetup: ['test/support/postgresqlServer.ts', 'test/support/postgresqlProject.ts'],
          setupFiles: ['test/support/postgresqlWorker.ts'],
        },
      },
    ],
  },
});
