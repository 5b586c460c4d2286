/** `taskgate documents`: the GraphQL documents that run by their hash, and alone where PERSISTED_ONLY is set. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { schema } from '../graphql/schema.js';
import { addDocument, MAX_DOCUMENTS, operationsOf, removeDocument, scopesOf } from '../graphql/trustedDocument.js';
import { DEFAULT_WORKSPACE } from '../keys/bootstrap.js';
import type { Environment } from './program.js';
import { environmentOption, print, withDatabase } from './session.js';

export function documentsCommand(environment: Environment): Command {
  const command = new Command('documents')
    .description('the GraphQL documents that run by their hash, and alone where PERSISTED_ONLY is set')
    .exitOverride();
  const shared = (name: string) =>
    new Command(name)
      .option('--environment <environment>', 'live or test', environmentOption, 'LIVE')
      .option('--workspace <slug>', 'whose documents', DEFAULT_WORKSPACE)
      .option('--json', 'print JSON')
      .exitOverride();
  const present = ({ hash, text }: { hash: string; text: string }) => ({
    hash,
    operations: operationsOf(text).filter((name) => name !== undefined),
    scopes: scopesOf(schema, text),
  });
  const show = (documents: readonly ReturnType<typeof present>[], json: boolean) => {
    if (json) return print(documents);
    for (const { hash, operations, scopes } of documents) {
      process.stdout.write(`${hash}  ${operations.join(',') || '(no name)'}  ${scopes.join(',') || '(no scopes)'}\n`);
    }
    if (documents.length === 0) process.stdout.write('No documents.\n');
  };

  command.addCommand(
    shared('add')
      .description('vouch for the documents in these files, one a file')
      .argument('<files...>', 'GraphQL documents; - for standard input')
      .action(async (files: string[], options) => {
        const texts = files.map((file) => readFileSync(file === '-' ? 0 : file, 'utf8'));
        await withDatabase(environment, options.workspace, async ({ database, actor }) => {
          const who = actor(options.environment);
          const added = [];
          for (const text of texts) added.push(await addDocument(database.forTenant(who), who, schema, text));
          show(added.map(present), options.json);
        });
      }),
  );
  command.addCommand(
    shared('list')
      .description('list the documents, newest first')
      .action(async (options) =>
        withDatabase(environment, options.workspace, async ({ database, actor }) => {
          const db = database.forTenant(actor(options.environment));
          const rows = await db.trustedDocument.findMany({ orderBy: { createdAt: 'desc' }, take: MAX_DOCUMENTS });
          show(rows.map(present), options.json);
        }),
      ),
  );
  command.addCommand(
    shared('remove')
      .description('vouch for a document no longer')
      .argument('<hash>', 'its SHA-256')
      .action(async (hash: string, options) =>
        withDatabase(environment, options.workspace, async ({ database, actor }) => {
          const who = actor(options.environment);
          await removeDocument(database.forTenant(who), who, hash);
          if (options.json) print({ removedHash: hash });
          else process.stdout.write(`Removed ${hash}. Running servers follow within seconds.\n`);
        }),
      ),
  );
  return command;
}
