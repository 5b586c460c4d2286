/** A real server on a port of its own, over a database of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Environment } from '#prisma/client.js';
import { readConfig } from '../../src/config.js';
import { migrateDatabase, openDatabase } from '../../src/db/database.js';
import { bootstrap } from '../../src/keys/bootstrap.js';
import { generateKey } from '../../src/keys/format.js';
import type { KeyRequest } from '../../src/keys/rules.js';
import { startServer } from '../../src/server/listen.js';
import { createLogger } from '../../src/server/logger.js';
import { createDatabase, serverUrl } from './postgresql.js';

export interface GraphQLAnswer {
  // What a test reads is known from its query.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  data?: any;
  errors?: { message: string; path?: (string | number)[]; extensions: Record<string, unknown> }[];
  extensions?: Record<string, unknown>;
}

export type TestServer = Awaited<ReturnType<typeof startTestServer>>;

/** A database of the server's own, of the provider that the vitest project stands for. */
async function newDatabase(folder: string): Promise<{ url: string; drop: () => Promise<void> }> {
  const template = process.env['TEST_POSTGRES_TEMPLATE'];
  if (!template) return { url: `file:${path.join(folder, 'test.db')}`, drop: async () => {} };
  return createDatabase(serverUrl(), template);
}

/** A clock that tests move; it goes on by itself as the machine's does. */
function movableClock() {
  let ahead = 0;
  return Object.assign(() => new Date(Date.now() + ahead), {
    /** @param milliseconds that pass at once */
    advance: (milliseconds: number) => {
      ahead += milliseconds;
    },
  });
}

export async function startTestServer(environment: Record<string, string> = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-test-'));
  const adminKey = generateKey('LIVE');
  const own = await newDatabase(folder);
  const config = readConfig({
    PORT: '0',
    DATABASE_URL: own.url,
    DATABASE_POOL_SIZE: '5',
    DEFAULT_PLAN: 'enterprise',
    AUTH_FAILURE_LIMIT: '100000',
    ...environment,
  });
  await migrateDatabase(config);
  const database = await openDatabase(config);
  await bootstrap(database, { ...config, bootstrapKey: adminKey });
  await database.close();

  const logLines: string[] = [];
  const queries: string[] = [];
  const logger = createLogger({ logLevel: 'debug' }, { write: (line) => void logLines.push(line) });
  const clock = movableClock();
  const server = await startServer(config, { logger, clock, onQuery: (sql) => void queries.push(sql) });
  const { system } = server.app.database;
  const workspace = await system.workspace.findFirstOrThrow();
  const url = `${server.url}/graphql`;

  /** Sends a body as it is, with a key. */
  const post = (body: string, key: string | undefined, headers: Record<string, string> = {}) =>
    fetch(url, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }), ...headers },
    });

  const gql = async (query: string, variables: object = {}, key: string = adminKey): Promise<GraphQLAnswer> =>
    (await post(JSON.stringify({ query, variables }), key)).json() as Promise<GraphQLAnswer>;

  /** As the command line makes one. */
  const createKey = async (
    scopes: string[],
    keyEnvironment: Environment = 'LIVE',
    request: Partial<KeyRequest> = {},
  ) => {
    const owner = await system.user.findFirst({ where: { workspaceId: workspace.id, environment: keyEnvironment } });
    const actor = {
      workspaceId: workspace.id,
      environment: keyEnvironment,
      keyId: null,
      userId: owner?.id ?? null,
      ip: null,
      userAgent: null,
      requestId: null,
    };
    return server.app.services.keys.create(actor, 'operator', { name: 'test', scopes, ...request });
  };

  let halted: Promise<void> | undefined;
  const halt = () => {
    halted ??= server.stop();
    return halted;
  };

  return {
    url,
    origin: server.url,
    folder,
    config,
    adminKey,
    workspace,
    system,
    services: server.app.services,
    clock,
    /** Writes what was counted of the keys' use. */
    flushUsage: () => server.app.usage.flush(),
    logLines,
    queries,
    post,
    gql,
    createKey,
    key: async (scopes: string[], keyEnvironment: Environment = 'LIVE') =>
      (await createKey(scopes, keyEnvironment)).key,
    /** Stops, and leaves the database where it is. */
    halt,
    async stop() {
      await halt();
      await own.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
