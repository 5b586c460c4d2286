import path from 'node:path';
import { Command } from 'commander';
import { takeBackAccess } from '../accounts/restoredAccess.js';
import { readConfig } from '../config.js';
import { backUp, restore } from '../db/backup.js';
import { type DatabaseOptions, migrateDatabase, openDatabase, readDatabaseState } from '../db/database.js';
import { repair } from '../db/repairs.js';
import { sqliteFile } from '../db/sqlite.js';
import { MARKS, obstacleOf, refuseUnfit } from '../db/state.js';
import { ApiError } from '../errors.js';
import { findRevivals, type Revival, recordRestore } from '../keys/revival.js';
import { printable } from './printable.js';
import type { ProcessVariables } from './processVariables.js';
import { progressBar } from './progress.js';
import { print } from './session.js';

export function backupCommand(variables: ProcessVariables): Command {
  return new Command('backup')
    .description('copy the SQLite database into a file, while the server runs')
    .argument('<file>', 'where to; it must not be there yet')
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (file: string, { json }: { json?: boolean }) => {
      const from = fileOf(variables, `pg_dump --format=custom --file=${file} "$DATABASE_URL"`);
      const bar = progressBar();
      const { bytes } = await backUp(
        from,
        file,
        ({ done, total }) => bar.update('pages', done, total),
        atInterrupt,
      ).finally(() => bar.stop());
      process.stdout.write(
        json
          ? `${JSON.stringify({ file: path.resolve(file), bytes })}\n`
          : `Backed up ${from} to ${file} (${bytes} bytes).\n`,
      );
    });
}

export function restoreCommand(variables: ProcessVariables): Command {
  return new Command('restore')
    .description('put a backup in the place of the SQLite database, which is kept beside it. Stop the server first')
    .argument('<file>', 'a backup')
    .option('--keep-revived', 'let keys work again that were revoked, rotated or narrowed after the backup was taken')
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (file: string, { json, keepRevived = false }: { json?: boolean; keepRevived?: boolean }) => {
      const to = fileOf(variables, `pg_restore --clean --if-exists --dbname="$DATABASE_URL" ${file}`);
      const config = readConfig(variables);
      const now = new Date();
      let revivals: Revival[] = [];
      let knowsMembers = true;
      const prepare: Parameters<typeof restore>[2] = async (copy, old) => {
        const options = { provider: 'sqlite', databaseUrl: `file:${copy}` } as const;
        await mustBeOurs(file, options);
        // A backup may be older than the program.
        await migrateDatabase(options);
        const database = await openDatabase(options);
        try {
          // What a restore has set aside is served again by restoring it.
          await database.system.changeCounter.deleteMany({ where: { name: MARKS.replaced } });
          await refuseUnfit(database.system);
          await repair(database.system);
          revivals = await findRevivals(database.system, { file: to, database: old }, config.plans, now);
          await recordRestore(database.system, revivals, !keepRevived, path.basename(file), now);
          knowsMembers = await takeBackAccess(database.system, { file: to, database: old }, now);
        } finally {
          await database.close();
        }
      };
      const kept = await restore(file, to, prepare, now, atInterrupt);
      const keys = revivals.map(({ key, since }) => ({
        id: key.id,
        name: key.name,
        was: 'revokedAt' in since ? 'ended' : 'narrowed',
      }));
      if (json) return print({ file: to, kept: kept ?? null, keys, revived: keepRevived });
      process.stdout.write(`Restored ${to}.${kept === undefined ? '' : ` What was there is ${kept}.`}\n`);
      if (!knowsMembers) {
        process.stdout.write(
          'What was there could not be read: people who were removed since may sign in again, with the passwords of the backup.\n',
        );
      }
      if (keys.length === 0) return;
      process.stdout.write(
        keepRevived
          ? 'These keys were ended or narrowed after the backup was taken, and WORK AGAIN as they did then:\n'
          : 'These keys were ended or narrowed after the backup was taken, and are so again (--keep-revived leaves them):\n',
      );
      for (const { id, name, was } of keys) process.stdout.write(`  ${id}  ${was.padEnd(8)}  ${printable(name)}\n`);
    });
}

/** Ctrl-C leaves nothing half done behind. */
function atInterrupt(clear: () => void): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => {
      clear();
      process.exit(code);
    });
  }
}

/** @throws ApiError for a database of another program, of a newer version, or one that is not whole */
async function mustBeOurs(file: string, options: DatabaseOptions): Promise<void> {
  const state = await readDatabaseState(options);
  const obstacle = obstacleOf(state);
  if (!obstacle && state.kind !== 'empty') return;
  const reason = obstacle?.message ?? 'It is empty.';
  throw new ApiError('BAD_USER_INPUT', `${file} is no backup of Taskgate that can be restored. ${reason}`);
}

/** @param instead what to do on PostgreSQL, which has tools of its own */
function fileOf(variables: ProcessVariables, instead: string): string {
  const { provider, databaseUrl } = readConfig(variables);
  if (provider !== 'sqlite') {
    throw new ApiError('BAD_USER_INPUT', `This is for SQLite. PostgreSQL has tools of its own:\n\n  ${instead}\n`);
  }
  return sqliteFile(databaseUrl);
}
