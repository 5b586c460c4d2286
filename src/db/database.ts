/** Opens, migrates and inspects the database that DATABASE_URL names. */
import { existsSync } from 'node:fs';
import { DriverAdapterError, type SqlDriverAdapter, type SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import type { PrismaClient } from '#prisma/client.js';
import { type InsertingTransaction, inTransaction } from './insertions.js';
import { measured, type OnStatement } from './measured.js';
import { applyMigrations, stateOf } from './migrate.js';
import type { PoolOptions } from './postgresql.js';
import type { Provider } from './provider.js';
import { RecentTexts } from './recentTexts.js';
import { withReplica } from './replica.js';
import { type RowConnection, Rows } from './rows.js';
import { sqliteAdapter, sqliteFile, sqliteMigrationAdapter } from './sqlite.js';
import type { DatabaseState } from './state.js';
import { type TakeNumber, takesNumberBefore } from './taskNumbers.js';
import { type Reach, type TenantDatabase, tenantDatabases } from './tenant.js';
import { TextIndex } from './textIndex.js';

export interface Database {
  readonly provider: Provider;
  /** Sees every workspace: for authentication, bootstrap, the command line and counting. Never given to a resolver. */
  readonly system: PrismaClient;
  readonly forTenant: (reach: Reach) => TenantDatabase;
  /** Where numbers of tasks are taken before the transaction. */
  readonly takeTaskNumber: TakeNumber | undefined;
  readonly hasReplica: boolean;
  /** Reads of plans, which need no client between them and the database. */
  readonly rows: Rows;
  readonly texts: TextIndex;
  readonly recentTexts: RecentTexts;
  /** For units of work: a transaction on the driver. */
  readonly inTransaction: <T>(run: (transaction: InsertingTransaction) => Promise<T>) => Promise<T>;
  close(): Promise<void>;
}

export interface DatabaseOptions extends PoolOptions {
  readonly provider: Provider;
  readonly databaseUrl: string;
  readonly replicaUrl?: string | undefined;
  /** Whether reads of SQLite that may take long go to threads of their own; for servers. */
  readonly readThreads?: boolean;
  /** Called with the time of each statement. */
  readonly onStatement?: OnStatement | undefined;
  /** Called with each SQL statement that runs. */
  readonly onQuery?: (sql: string) => void;
}

/** Loaded where it is the database. */
const postgresql = () => import('./postgresql.js');

const migrationAdapter = async ({ provider, databaseUrl }: DatabaseOptions) =>
  provider === 'sqlite'
    ? sqliteMigrationAdapter(databaseUrl)
    : (await postgresql()).postgresqlMigrationAdapter(databaseUrl);

/** What the database holds; a file that is not there is not made. */
export async function readDatabaseState(options: DatabaseOptions): Promise<DatabaseState> {
  if (options.provider === 'sqlite' && !existsSync(sqliteFile(options.databaseUrl))) return { kind: 'empty' };
  return stateOf(options.provider, await migrationAdapter(options));
}

export async function migrateDatabase(options: DatabaseOptions): Promise<string[]> {
  const { provider, databaseUrl } = options;
  const adapter = await migrationAdapter(options);
  if (provider === 'sqlite') return applyMigrations(provider, adapter);
  if ((await readDatabaseState(options)).kind === 'current') return [];
  const { withAdvisoryLock } = await postgresql();
  return withAdvisoryLock(databaseUrl, () => applyMigrations(provider, adapter));
}

export async function openDatabase({
  provider,
  databaseUrl,
  replicaUrl,
  readThreads = false,
  onQuery,
  onStatement = () => {},
  ...pool
}: DatabaseOptions): Promise<Database> {
  let isClosed = false;
  /** The client would connect again for whatever comes after the end. */
  const endable = (factory: SqlDriverAdapterFactory): SqlDriverAdapterFactory => ({
    ...factory,
    async connect() {
      if (isClosed) throw new DriverAdapterError({ kind: 'ConnectionClosed' });
      return factory.connect();
    },
  });
  const log = onQuery ? [{ emit: 'event' as const, level: 'query' as const }] : [];
  const connect = async (adapter: SqlDriverAdapterFactory) => {
    let connection: (SqlDriverAdapter & RowConnection) | undefined;
    const { PrismaClient: Client } =
      provider === 'sqlite'
        ? await import('./generated/sqlite/client.js')
        : ((await import(
            './generated/postgresql/client.js'
          )) as unknown as typeof import('./generated/sqlite/client.js'));
    const factory = measured(endable(adapter), onStatement);
    const kept: SqlDriverAdapterFactory = {
      ...factory,
      async connect() {
        const made = await factory.connect();
        connection ??= made;
        return made;
      },
    };
    const client = new Client({ adapter: kept, log }) as unknown as PrismaClient;
    if (onQuery) {
      const listen = client.$on.bind(client) as (event: 'query', listener: (event: { query: string }) => void) => void;
      listen('query', (event) => onQuery(event.query));
    }
    await client.$connect();
    const connected = () => {
      if (!connection || isClosed) throw new DriverAdapterError({ kind: 'ConnectionClosed' });
      return connection;
    };
    return { client, connected };
  };
  const primary = async () =>
    provider === 'sqlite'
      ? sqliteAdapter(databaseUrl, { ...pool, threads: readThreads })
      : (await postgresql()).postgresqlAdapter(databaseUrl, pool);
  const system = await connect(await primary());
  // What decides about keys must not be late, so it has a client of its own that knows no replica.
  const tenants =
    replicaUrl === undefined
      ? system
      : await connect(withReplica(await primary(), (await postgresql()).postgresqlAdapter(replicaUrl, pool)));
  return {
    provider,
    system: system.client,
    forTenant: tenantDatabases(tenants.client),
    takeTaskNumber: takesNumberBefore(provider, system.connected),
    hasReplica: replicaUrl !== undefined,
    rows: new Rows(provider, tenants.connected, onQuery),
    texts: new TextIndex(provider, tenants.connected, onQuery),
    recentTexts: new RecentTexts(provider, tenants.connected, onQuery),
    inTransaction: async (run) => inTransaction(system.connected(), provider, onQuery ?? (() => {}), run),
    async close() {
      isClosed = true;
      await system.client.$disconnect();
      await tenants.client.$disconnect();
    },
  };
}
