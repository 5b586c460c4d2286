import { Command } from 'commander';
import { keyStatus } from '../../keys/apiKey.js';
import { displayPrefix } from '../../keys/format.js';
import { lookUp, scanPath } from '../../keys/leaks.js';
import { printable } from '../printable.js';
import type { ProcessVariables } from '../processVariables.js';
import { print, withDatabase } from '../session.js';

export function scanCommand(variables: ProcessVariables): Command {
  return new Command('scan')
    .description(
      'find keys in files, by their form and checksum, and say which of them work; ends with 1 when one does',
    )
    .argument('<path...>', 'files, or folders with all below them')
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (paths: string[], options) =>
      withDatabase(variables, false, async ({ database }) => {
        const found = paths.flatMap(scanPath);
        const rows = await lookUp(database.system, [...new Set(found.map(({ key }) => key))]);
        const now = new Date();
        const report = found.map(({ key, file, line }) => {
          const row = rows.get(key);
          const status = row ? keyStatus(row, now).toLowerCase() : 'unknown';
          return { file, line, prefix: displayPrefix(key), status, id: row?.id ?? null };
        });
        if (options.json) print(report);
        else {
          for (const { file, line, prefix, status, id } of report) {
            process.stdout.write(`${printable(file)}:${line}  ${prefix}  ${status}${id ? `  ${id}` : ''}\n`);
          }
          process.stdout.write(report.length === 0 ? 'No keys found.\n' : `${report.length} found.\n`);
        }
        if (report.some(({ status }) => status === 'active' || status === 'rotated')) process.exitCode = 1;
      }),
    );
}
