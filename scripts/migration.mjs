// npm run db:migration -- NAME: makes a new migration for both providers from prisma/schema.prisma.
// PostgreSQL's is diffed on a throw-away database of the server at MIGRATION_POSTGRES_URL
// (default: postgresql://postgres@127.0.0.1:5432/postgres). Needs a build (`npm run build`).
import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { migrationsFolder, schemaDrift } from '../dist/modules/db/migrate.js';
import { postgresqlCatalogueAdapter } from '../dist/modules/db/postgresql.js';
import { sqliteMigrationAdapter } from '../dist/modules/db/sqlite.js';

const name = process.argv[2];
if (!name || !/^[a-z0-9_]+$/.test(name)) {
  console.error('usage: npm run db:migration -- NAME   (NAME in lower case, digits and underscores)');
  process.exit(2);
}
const timestamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);

const scratchFile = path.join(tmpdir(), `taskgate-migration-${randomUUID()}.db`);
write('sqlite', await schemaDrift('sqlite', sqliteMigrationAdapter(`file:${scratchFile}`)));
for (const suffix of ['', '-wal', '-shm']) rmSync(scratchFile + suffix, { force: true });

const serverUrl = process.env.MIGRATION_POSTGRES_URL ?? 'postgresql://postgres@127.0.0.1:5432/postgres';
const server = new pg.Client({ connectionString: serverUrl });
await server.connect();
const scratch = `taskgate_migration_${Date.now()}`;
await server.query(`CREATE DATABASE ${scratch}`);
try {
  const url = new URL(serverUrl);
  url.pathname = `/${scratch}`;
  write('postgresql', await schemaDrift('postgresql', postgresqlCatalogueAdapter(url.href)));
} finally {
  await server.query(`DROP DATABASE ${scratch} WITH (FORCE)`);
  await server.end();
}

/** @param {'sqlite' | 'postgresql'} provider @param {string} sql */
function write(provider, sql) {
  if (sql === '') {
    console.log(`${provider}: schema and migrations agree, nothing to write`);
    return;
  }
  const folder = path.join(migrationsFolder(provider), `${timestamp}_${name}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'migration.sql'), sql);
  console.log(`${provider}: ${path.relative(process.cwd(), folder)}/migration.sql`);
}
