import { Command, InvalidArgumentError } from 'commander';
import { copyDatabase } from '../db/copy.js';
import { type Database, migrateDatabase, openDatabase, readDatabaseState } from '../db/database.js';
import { providerOf } from '../db/provider.js';
import { ApiError } from '../errors.js';
import { progressBar } from './progress.js';

export function copyCommand(): Command {
  return new Command('copy')
    .description('copy all data into a new database; interrupted, it goes on where it stopped. Stop the server first')
    .requiredOption('--from <url>', 'file:... or postgresql://...', urlOption)
    .requiredOption('--to <url>', 'file:... or postgresql://..., empty', urlOption)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async ({ from, to, json }: { from: string; to: string; json?: boolean }) => {
      if (from === to) throw new ApiError('BAD_USER_INPUT', 'Both are the same database.');
      const source = await openSource(from);
      const target = await openTarget(to);
      const bar = progressBar();
      try {
        const copied = await copyDatabase(source, target, ({ model, done, total }) => bar.update(model, done, total));
        bar.stop();
        if (json) process.stdout.write(`${JSON.stringify(copied)}\n`);
        else {
          for (const { model, rows, checksum } of copied) {
            process.stdout.write(`${model.padEnd(20)} ${String(rows).padStart(10)}  ${checksum}\n`);
          }
          process.stdout.write('Both sides have the same rows.\n');
        }
      } finally {
        bar.stop();
        await source.close();
        await target.close();
      }
    });
}

const optionsOf = (databaseUrl: string) => ({ provider: providerOf(databaseUrl) ?? 'sqlite', databaseUrl }) as const;

/** Nothing is made or changed there: a name with a slip in it would be a new, empty database. */
async function openSource(databaseUrl: string): Promise<Database> {
  const options = optionsOf(databaseUrl);
  if ((await readDatabaseState(options)).kind !== 'current') {
    throw new ApiError(
      'NOT_FOUND',
      `--from names no database of this version. Check the name, or run taskgate migrate on it.`,
    );
  }
  return openDatabase(options);
}

async function openTarget(databaseUrl: string): Promise<Database> {
  const options = optionsOf(databaseUrl);
  await migrateDatabase(options);
  return openDatabase(options);
}

function urlOption(value: string): string {
  if (providerOf(value) === undefined) throw new InvalidArgumentError('It must be file:... or postgresql://...');
  return value;
}
