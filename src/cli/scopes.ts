import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { SCOPES } from '../scopes/scope.js';

export function scopesCommand(): Command {
  const command = new Command('scopes').description('what scopes there are, and what a document needs').exitOverride();
  command.addCommand(
    new Command('list')
      .description('every scope and what it allows')
      .option('--json', 'print JSON')
      .exitOverride()
      .action((options: { json?: boolean }) => {
        if (options.json) process.stdout.write(`${JSON.stringify(SCOPES)}\n`);
        else for (const [scope, text] of Object.entries(SCOPES)) process.stdout.write(`${scope.padEnd(16)} ${text}\n`);
      }),
  );
  command.addCommand(
    new Command('explain')
      .description('the fewest scopes that a GraphQL document runs with, and which field needs which')
      .argument('<file>', 'a file with the document; - for standard input')
      .option('--operation <name>', 'which operation, where the document has several')
      .option('--json', 'print JSON')
      .exitOverride()
      .action(async (file: string, options: { json?: boolean; operation?: string }) => {
        // Commands that ask nothing of GraphQL do not wait for it.
        const [{ schema }, { explainDocument }] = await Promise.all([
          import('../graphql/schema/schema.js'),
          import('../operations/scopeReport.js'),
        ]);
        const text = readFileSync(file === '-' ? 0 : file, 'utf8');
        const { scopes, fields } = explainDocument(schema, text, options.operation);
        if (options.json) process.stdout.write(`${JSON.stringify({ scopes, fields })}\n`);
        else {
          process.stdout.write(`${scopes.join(',') || '(none)'}\n`);
          for (const { path, anyOf } of fields) {
            process.stdout.write(`  ${path.join('.')}: ${anyOf.map((scopes) => scopes.join(' and ')).join(', or ')}\n`);
          }
        }
      }),
  );
  return command;
}
