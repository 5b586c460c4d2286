import path from 'node:path';
import { Command } from 'commander';
import { readConfig } from '../config.js';
import { backUp, restore } from '../db/backup.js';
import { migrateDatabase } from '../db/database.js';
import { sqliteFile } from '../db/sqlite.js';
import { ApiError } from '../errors.js';
import type { Environment } from './program.js';
import { progressBar } from './progress.js';

export function backupCommand(environment: Environment): Command {
  return new Command('backup')
    .description('copy the SQLite database into a file, while the server runs')
    .argument('<file>', 'where to; it must not be there yet')
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (file: string, { json }: { json?: boolean }) => {
      const from = fileOf(environment, `pg_dump --format=custom --file=${file} "$DATABASE_URL"`);
      const bar = progressBar();
      const { bytes } = await backUp(from, file, ({ done, total }) => bar.update('pages', done, total)).finally(() =>
        bar.stop(),
      );
      process.stdout.write(
        json
          ? `${JSON.stringify({ file: path.resolve(file), bytes })}\n`
          : `Backed up ${from} to ${file} (${bytes} bytes).\n`,
      );
    });
}

export function restoreCommand(environment: Environment): Command {
  return new Command('restore')
    .description('put a backup in the place of the SQLite database, which is kept beside it. Stop the server first')
    .argument('<file>', 'a backup')
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (file: string, { json }: { json?: boolean }) => {
      const to = fileOf(environment, `pg_restore --clean --if-exists --dbname="$DATABASE_URL" ${file}`);
      const kept = await restore(file, to);
      // A backup may be older than the program.
      await migrateDatabase(readConfig(environment));
      process.stdout.write(
        json
          ? `${JSON.stringify({ file: to, kept: kept ?? null })}\n`
          : `Restored ${to}.${kept === undefined ? '' : ` What was there is ${kept}.`}\n`,
      );
    });
}

/** @param instead what to do on PostgreSQL, which has tools of its own */
function fileOf(environment: Environment, instead: string): string {
  const { provider, databaseUrl } = readConfig(environment);
  if (provider !== 'sqlite') {
    throw new ApiError('BAD_USER_INPUT', `This is for SQLite. PostgreSQL has tools of its own:\n\n  ${instead}\n`);
  }
  return sqliteFile(databaseUrl);
}
