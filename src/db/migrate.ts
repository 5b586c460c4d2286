/**
 * Migrations, applied by Prisma's own engine in its WebAssembly build: no binary to download, no CLI at run time.
 * The history of each provider lies in prisma/migrations/<provider>/<timestamp>_<name>/migration.sql.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import {
  bindMigrationAwareSqlAdapterFactory,
  type SqlDriverAdapter,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';
import { PACKAGE_ROOT } from '../packageRoot.js';
import { isLocked } from './databaseError.js';
import type { Provider } from './provider.js';
import { type DatabaseState, databaseState, obstacleOf } from './state.js';

const require = createRequire(import.meta.url);
const PRISMA_FOLDER = path.join(PACKAGE_ROOT, 'prisma');
/** What migrations make by hand: SQLite's index of texts, with the tables that it keeps itself in. */
const FILTERS: Readonly<Record<Provider, bindings.SchemaFilter>> = {
  sqlite: {
    externalTables: ['TextTenant', 'CommentTextRow', ...['TaskText', 'CommentText'].flatMap(tablesOfIndex)],
    externalEnums: [],
  },
  postgresql: { externalTables: [], externalEnums: [] },
};

function tablesOfIndex(name: string): string[] {
  return [name, ...['config', 'data', 'docsize', 'idx'].map((part) => `${name}_${part}`)];
}

/** @public used by scripts/migration.mjs */
export const migrationsFolder = (provider: Provider): string => path.join(PRISMA_FOLDER, 'migrations', provider);

/**
 * Applies what is missing, in order, each whole or not at all; answers the names of the migrations that it applied.
 * @throws ApiError CONFLICT for a database of another program or a newer version
 */
export async function applyMigrations(
  provider: Provider,
  adapter: SqlMigrationAwareDriverAdapterFactory,
): Promise<string[]> {
  const limit = performance.now() + PATIENCE;
  for (;;) {
    try {
      return await applyMissing(provider, adapter);
    } catch (error) {
      // On PostgreSQL a lock has been waited for; on SQLite another process may be at it.
      if (provider !== 'sqlite' || !isLocked(String(error)) || performance.now() > limit) throw error;
    }
    await setTimeout(PAUSE);
  }
}

/** How long another process may take for its migration, and between two looks at it, in milliseconds. */
const PATIENCE = 10_000;
const PAUSE = 50;

async function applyMissing(provider: Provider, adapter: SqlMigrationAwareDriverAdapterFactory): Promise<string[]> {
  // The engine wants the database to itself, which a running server would not give.
  let state = await stateOf(provider, adapter);
  if (state.kind === 'unfinished' && migrationNames(provider).includes(state.migration)) {
    await settleUnfinished(adapter);
    state = await stateOf(provider, adapter);
  }
  const obstacle = obstacleOf(state);
  if (obstacle) throw obstacle;
  if (state.kind === 'current') return [];
  const whole: SqlMigrationAwareDriverAdapterFactory = {
    ...{ provider: adapter.provider, adapterName: adapter.adapterName },
    async connect() {
      const connection = await adapter.connect();
      runWhole(provider, connection);
      return connection;
    },
    connectToShadowDb: () => adapter.connectToShadowDb(),
  };
  return withEngine(provider, whole, async (engine) => {
    const { appliedMigrationNames } = await engine.applyMigrations({
      migrationsList: readMigrations(provider),
      filters: FILTERS[provider],
    });
    return appliedMigrationNames;
  });
}

/** What the database holds, beside the migrations that there are. */
export async function stateOf(
  provider: Provider,
  adapter: SqlMigrationAwareDriverAdapterFactory,
): Promise<DatabaseState> {
  return databaseState(provider, adapter, migrationNames(provider));
}

const migrationNames = (provider: Provider) =>
  readMigrations(provider).migrationDirectories.map(({ path: name }) => name);

const UNFINISHED = 'finished_at IS NULL AND rolled_back_at IS NULL';
/**
 * Said with the migration, in its transaction: that it was applied is known although the process dies before it says so. First, so that
 * PostgreSQL holds the row for as long as it goes on with the script of a process that has died.
 */
const APPLIED = `UPDATE _prisma_migrations SET applied_steps_count = 1 WHERE ${UNFINISHED}`;

/** What a process left that died in the middle of a migration: it was applied, or is to be applied again. */
async function settleUnfinished(adapter: SqlMigrationAwareDriverAdapterFactory): Promise<void> {
  const connection = await adapter.connect();
  try {
    await connection.executeScript(
      `DELETE FROM _prisma_migrations WHERE ${UNFINISHED} AND applied_steps_count = 0;
       UPDATE _prisma_migrations SET finished_at = started_at WHERE ${UNFINISHED};`,
    );
  } finally {
    await connection.dispose();
  }
}

/** A script is one transaction. SQLite makes tables anew without foreign keys, which it leaves off between transactions alone. */
function runWhole(provider: Provider, connection: SqlDriverAdapter): void {
  const executeScript = connection.executeScript.bind(connection);
  connection.executeScript = async (script) => {
    // PostgreSQL takes several statements for one transaction.
    if (provider === 'postgresql') return executeScript(`${APPLIED};\n${script}`);
    await executeScript('PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE;');
    try {
      await executeScript(`${APPLIED};\n${script}\n;COMMIT;`);
    } catch (error) {
      await executeScript('ROLLBACK').catch(() => {});
      throw error;
    } finally {
      await executeScript('PRAGMA foreign_keys = ON;');
    }
  };
}

/**
 * The SQL that leads from the migrations to the schema; empty when they agree.
 * @param scratch a database that may be thrown away: the engine RESETS it to replay the history.
 */
export async function schemaDrift(provider: Provider, scratch: SqlMigrationAwareDriverAdapterFactory): Promise<string> {
  return withEngine(provider, scratch, async (engine) => {
    const { exitCode, stdout } = await engine.diff({
      from: { tag: 'migrations', ...readMigrations(provider) },
      to: { tag: 'schemaDatamodel', files: [schemaFile(provider)] },
      script: true,
      exitCode: true,
      filters: FILTERS[provider],
    });
    return exitCode === 0 ? '' : (stdout ?? '');
  });
}

async function withEngine<T>(
  provider: Provider,
  adapter: SqlMigrationAwareDriverAdapterFactory,
  use: (engine: bindings.SchemaEngine) => Promise<T>,
): Promise<T> {
  instantiate();
  const file = schemaFile(provider);
  const tracked = trackConnections(adapter);
  const engine = await bindings.SchemaEngine.new(
    { datamodels: [[file.path, file.content]] },
    () => {},
    bindMigrationAwareSqlAdapterFactory(tracked.factory),
  );
  try {
    return await use(engine);
  } finally {
    engine.free();
    await tracked.close();
  }
}

/** The engine leaves its connections open, on SQLite with an exclusive lock; they are closed here. */
function trackConnections(adapter: SqlMigrationAwareDriverAdapterFactory) {
  const open: SqlDriverAdapter[] = [];
  const track = async (connection: Promise<SqlDriverAdapter>) => {
    open.push(await connection);
    return connection;
  };
  const factory: SqlMigrationAwareDriverAdapterFactory = {
    provider: adapter.provider,
    adapterName: adapter.adapterName,
    connect: () => track(adapter.connect()),
    connectToShadowDb: () => track(adapter.connectToShadowDb()),
  };
  return { factory, close: () => Promise.allSettled(open.map((connection) => connection.dispose())) };
}

let instantiated = false;
function instantiate(): void {
  if (instantiated) return;
  const file = path.join(path.dirname(require.resolve('@prisma/schema-engine-wasm')), 'schema_engine_bg.wasm');
  const module = new WebAssembly.Module(readFileSync(file));
  const imports = { './schema_engine_bg.js': bindings };
  const { exports } = new WebAssembly.Instance(module, imports);
  bindings.__wbg_set_wasm(exports);
  (exports.__wbindgen_start as () => void)();
  instantiated = true;
}

function schemaFile(provider: Provider): bindings.SchemaContainer {
  const file = path.join(PRISMA_FOLDER, 'schema.prisma');
  const content = readFileSync(file, 'utf8').replace('provider = "sqlite"', `provider = "${provider}"`);
  const own = provider === 'postgresql' ? content.replaceAll('// postgresql: ', '') : content;
  return { path: 'schema.prisma', content: own };
}

function readMigrations(provider: Provider): bindings.MigrationList {
  const baseDir = migrationsFolder(provider);
  const names = existsSync(baseDir) ? readdirSync(baseDir).filter((name) => /^\d{14}_/.test(name)) : [];
  return {
    baseDir,
    lockfile: { path: 'migration_lock.toml', content: `provider = "${provider}"\n` },
    shadowDbInitScript: '',
    migrationDirectories: names.sort().map((name) => ({
      path: name,
      migrationFile: {
        path: 'migration.sql',
        content: { tag: 'ok', value: readFileSync(path.join(baseDir, name, 'migration.sql'), 'utf8') },
      },
    })),
  };
}
