import { Command, InvalidArgumentError } from 'commander';
import { copyDatabase } from '../db/copy.js';
import { migrateDatabase, openDatabase } from '../db/database.js';
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
      const [source, target] = [await open(from), await open(to)];
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

async function open(databaseUrl: string) {
  const options = { provider: providerOf(databaseUrl) ?? 'sqlite', databaseUrl } as const;
  await migrateDatabase(options);
  return openDatabase(options);
}

function urlOption(value: string): string {
  if (providerOf(value) === undefined) throw new InvalidArgumentError('It must be file:... or postgresql://...');
  return value;
}
