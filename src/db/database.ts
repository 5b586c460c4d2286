/** Opens the database that DATABASE_URL names, after bringing it up to date. */
import type { PrismaClient } from '#prisma/client.js';
import { applyMigrations, isUpToDate } from './migrate.js';
import { type PoolOptions, postgresqlAdapter, postgresqlMigrationAdapter, withAdvisoryLock } from './postgresql.js';
import type { Provider } from './provider.js';
import { withReplica } from './replica.js';
import { sqliteAdapter, sqliteMigrationAdapter } from './sqlite.js';
import { type Tenant, type TenantDatabase, tenantDatabases } from './tenant.js';

export interface Database {
  readonly provider: Provider;
  /** Sees every workspace: for authentication, bootstrap, the command line and counting. Never given to a resolver. */
  readonly system: PrismaClient;
  readonly forTenant: (tenant: Tenant) => TenantDatabase;
  close(): Promise<void>;
}

export interface DatabaseOptions extends PoolOptions {
  readonly provider: Provider;
  readonly databaseUrl: string;
  readonly replicaUrl?: string | undefined;
  /** Called with each SQL statement that runs. */
  readonly onQuery?: (sql: string) => void;
}

export async function migrateDatabase({ provider, databaseUrl }: DatabaseOptions): Promise<string[]> {
  if (provider === 'sqlite') return applyMigrations(provider, sqliteMigrationAdapter(databaseUrl));
  const adapter = postgresqlMigrationAdapter(databaseUrl);
  if (await isUpToDate(provider, adapter)) return [];
  return withAdvisoryLock(databaseUrl, () => applyMigrations(provider, adapter));
}

export async function openDatabase({
  provider,
  databaseUrl,
  replicaUrl,
  onQuery,
  ...pool
}: DatabaseOptions): Promise<Database> {
  const log = onQuery ? [{ emit: 'event' as const, level: 'query' as const }] : [];
  let system: PrismaClient;
  if (provider === 'sqlite') {
    const generated = await import('./generated/sqlite/client.js');
    system = new generated.PrismaClient({ adapter: sqliteAdapter(databaseUrl), log }) as unknown as PrismaClient;
  } else {
    const generated = await import('./generated/postgresql/client.js');
    const primary = postgresqlAdapter(databaseUrl, pool);
    const adapter = replicaUrl === undefined ? primary : withReplica(primary, postgresqlAdapter(replicaUrl, pool));
    system = new generated.PrismaClient({ adapter, log }) as unknown as PrismaClient;
  }
  if (onQuery) {
    const listen = system.$on.bind(system) as (event: 'query', listener: (event: { query: string }) => void) => void;
    listen('query', (event) => onQuery(event.query));
  }
  await system.$connect();
  return { provider, system, forTenant: tenantDatabases(system), close: () => system.$disconnect() };
}
