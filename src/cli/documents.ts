/** `taskgate documents`: the GraphQL documents that run by their hash, and alone where PERSISTED_ONLY is set. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { MAX_DOCUMENTS, TrustedDocuments } from '../documents/trustedDocuments.js';
import { ApiError } from '../errors.js';
import { DEFAULT_WORKSPACE } from '../keys/bootstrap.js';
import { printable } from './printable.js';
import type { ProcessVariables } from './processVariables.js';
import { environmentOption, print, withWorkspace } from './session.js';
import { documentsInManifest } from './sources/manifest.js';

/** Commands that ask nothing of GraphQL do not wait for it. */
async function loadGraphQL() {
  const { schema } = await import('../graphql/schema/schema.js');
  const { readTrustedDocument } = await import('../operations/trustedDocument.js');
  const read = (text: string) => readTrustedDocument(schema, text);
  const present = (text: string) => {
    const { hash, operations, scopes } = read(text);
    return { hash, operations: operations.filter((name) => name !== undefined), scopes };
  };
  return { read, present };
}

interface GivenDocument {
  readonly where: string;
  readonly text: string;
  /** In a manifest. */
  readonly id?: string;
}

function documentsIn(file: string, content: string): GivenDocument[] {
  const manifest = documentsInManifest(content);
  return manifest?.map(({ id, text }) => ({ where: `${file}, ${id}`, text, id })) ?? [{ where: file, text: content }];
}

/** Says of which file an error is. */
function telling<T>(where: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof ApiError ? new ApiError(error.code, `${where}: ${error.message}`, error.details) : error;
  }
}

type Presented = ReturnType<Awaited<ReturnType<typeof loadGraphQL>>['present']>;

export function documentsCommand(variables: ProcessVariables): Command {
  const command = new Command('documents')
    .description('the GraphQL documents that run by their hash, and alone where PERSISTED_ONLY is set')
    .exitOverride();
  const shared = (name: string) =>
    new Command(name)
      .option('--environment <environment>', 'live or test', environmentOption, 'LIVE')
      .option('--workspace <slug>', 'whose documents', DEFAULT_WORKSPACE)
      .option('--json', 'print JSON')
      .exitOverride();
  const show = (documents: readonly Presented[], json: boolean) => {
    if (json) return print(documents);
    for (const { hash, operations, scopes } of documents) {
      process.stdout.write(`${hash}  ${operations.join(',') || '(no name)'}  ${scopes.join(',') || '(no scopes)'}\n`);
    }
    if (documents.length === 0) process.stdout.write('No documents.\n');
  };

  command.addCommand(
    shared('add')
      .description('trust the documents in these files: one a file, or a manifest of persisted documents')
      .argument('<files...>', 'GraphQL documents, and manifests by hash in JSON; - for standard input')
      .action(async (files: string[], options) => {
        const found = files.flatMap((file) => documentsIn(file, readFileSync(file === '-' ? 0 : file, 'utf8')));
        const { read, present } = await loadGraphQL();
        const given = found.map(({ where, text, id }) =>
          telling(where, () => {
            const document = read(text);
            if (id === undefined || id.replace(/^sha256:/, '') === document.hash) return document;
            throw new ApiError(
              'BAD_USER_INPUT',
              'the name is not the SHA-256 of the text; have the manifest made with that',
            );
          }),
        );
        await withWorkspace(variables, options.workspace, true, async ({ database, units, actor }) => {
          const documents = new TrustedDocuments(database.system, units);
          const who = actor(options.environment);
          for (const document of given) await documents.add(who, document);
          show(
            given.map(({ text }) => present(text)),
            options.json,
          );
        });
      }),
  );
  command.addCommand(
    shared('list')
      .description('list the documents, newest first')
      .action(async (options) =>
        withWorkspace(variables, options.workspace, false, async ({ database, actor }) => {
          const { present } = await loadGraphQL();
          const db = database.forTenant(actor(options.environment));
          const rows = await db.trustedDocument.findMany({ orderBy: { createdAt: 'desc' }, take: MAX_DOCUMENTS });
          show(
            rows.map(({ text }) => present(text)),
            options.json,
          );
        }),
      ),
  );
  command.addCommand(
    shared('remove')
      .description('stop trusting a document')
      .argument('<hash>', 'its SHA-256')
      .action(async (hash: string, options) =>
        withWorkspace(variables, options.workspace, false, async ({ database, units, actor }) => {
          await new TrustedDocuments(database.system, units).remove(actor(options.environment), hash);
          if (options.json) print({ removedHash: hash });
          else process.stdout.write(`Removed ${printable(hash)}. Running servers follow within seconds.\n`);
        }),
      ),
  );
  return command;
}
