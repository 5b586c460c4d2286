import { Command } from 'commander';
import { readConfig } from '../config.js';
import { migrateDatabase } from '../db/database.js';
import type { ProcessVariables } from './processVariables.js';

export function migrateCommand(variables: ProcessVariables): Command {
  return new Command('migrate')
    .description('bring the database up to date; `serve` does the same at its start')
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (options: { json?: boolean }) => {
      const applied = await migrateDatabase(readConfig(variables));
      if (options.json) process.stdout.write(`${JSON.stringify({ applied })}\n`);
      else
        process.stdout.write(
          applied.length === 0 ? 'The database is up to date.\n' : `Applied ${applied.join(', ')}.\n`,
        );
    });
}
