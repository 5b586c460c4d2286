/** The operations that a key is to be made for, from all places that the command line names. */
import { type Command, InvalidArgumentError } from 'commander';
import { ApiError } from '../../errors.js';
import type { NewOperation } from '../../keys/rules.js';
import type { DescribedOperation, Pin } from '../../operations/keyOperations.js';
import { progressBar } from '../progress.js';
import { wholeDocuments } from './documents.js';
import { textsInFiles } from './files.js';
import { requestsInHar, requestsInLog, storedOperations } from './requests.js';

export interface SourceOptions {
  readonly from?: readonly string[];
  readonly fromRest?: readonly string[];
  readonly fromMcp?: readonly string[];
  readonly fromHar?: readonly string[];
  readonly fromLog?: readonly string[];
  /** Of which key the log is read. */
  readonly ofKey?: string;
  readonly pin?: readonly Pin[];
}

export interface SourceOperations {
  readonly operations: readonly (DescribedOperation & NewOperation)[];
  /** Scopes that the log says were used, beyond those of the operations. */
  readonly scopes: readonly string[];
  /** What was called, and is known by its name alone. */
  readonly unknown: readonly string[];
}

/** The options that name places. */
export function sourceOptions(command: Command): Command {
  return command
    .option(
      '--from <patterns...>',
      'files with GraphQL: .graphql, gql and graphql templates, gql() in Python, manifests of persisted documents',
    )
    .option('--from-rest <routes...>', "routes, such as 'GET /v1/tasks'")
    .option('--from-mcp <tools...>', 'tools of the Model Context Protocol, such as list_tasks')
    .option('--from-har <files...>', 'requests that a browser or a proxy recorded')
    .option('--from-log <files...>', 'the log of requests of this server')
    .option('--of-key <id>', 'read the log for this key alone')
    .option('--pin <values...>', 'what a variable is, whatever the client says: input.projectId=ID', pinOption);
}

export const hasSources = ({ from, fromRest, fromMcp, fromHar, fromLog }: SourceOptions): boolean =>
  [from, fromRest, fromMcp, fromHar, fromLog].some((one) => one !== undefined);

/** The options that name operations, for messages. */
export const SOURCES = '--from, --from-rest, --from-mcp, --from-har, --from-log';

/**
 * @param stored texts that the server knows, for what the log names by a hash
 * @throws ApiError that says where something is wrong
 */
export async function readSources(options: SourceOptions, stored: readonly string[] = []): Promise<SourceOperations> {
  const [{ schema }, { describeOperations, pinned }] = await Promise.all([
    import('../../graphql/schema/schema.js'),
    import('../../operations/keyOperations.js'),
  ]);
  const bar = progressBar();
  const inFiles = options.from && (await textsInFiles(options.from, (done, total) => bar.update('files', done, total)));
  const texts = [...(inFiles?.texts ?? [])];
  bar.stop();
  const own = await storedOperations();
  const found: DescribedOperation[] = [
    ...(options.fromRest ?? []).map(own.ofRoute),
    ...(options.fromMcp ?? []).map(own.ofTool),
  ];
  const unknown = (inFiles?.unreadable ?? []).map((where) => `what ${where} puts together`);
  for (const file of options.fromHar ?? []) {
    const called = await requestsInHar(file);
    for (const { text, where } of called.texts) {
      try {
        found.push(...(await describeOperations(schema, [text])));
      } catch (error) {
        // Of another server, most likely, which pages ask too.
        if (!(error instanceof ApiError)) throw error;
        unknown.push(`a document in ${where} that does not run here`);
      }
    }
    found.push(...called.rest);
    unknown.push(...called.unknown);
  }
  const documents = [...wholeDocuments(texts), ...(inFiles?.whole ?? [])];
  found.push(...(await describing(documents, (document) => describeOperations(schema, [document]))));
  const scopes = new Set<string>();
  if (options.fromLog) {
    const known = [...found, ...(await describeOperations(schema, [...stored]))];
    for (const file of options.fromLog) {
      const used = requestsInLog(file, options.ofKey);
      for (const scope of used.scopes) scopes.add(scope);
      for (const { name, hash } of used.operations) {
        const operation =
          (hash === undefined ? undefined : known.find((one) => one.hash.startsWith(hash))) ?? own.named(name);
        if (operation) found.push(operation);
        else unknown.push(name);
      }
    }
  }
  const unique = [...new Map(found.map((operation) => [operation.hash, operation])).values()];
  unique.sort((a, b) => a.name.localeCompare(b.name));
  return { operations: pinned(unique, options.pin ?? []), scopes: [...scopes].sort(), unknown: [...new Set(unknown)] };
}

async function describing(
  documents: readonly { readonly document: string; readonly where: string }[],
  describe: (document: string) => Promise<DescribedOperation[]>,
): Promise<DescribedOperation[]> {
  const found: DescribedOperation[] = [];
  const problems: string[] = [];
  for (const { document, where } of documents) {
    try {
      found.push(...(await describe(document)));
    } catch (error) {
      problems.push(`${where}: ${(error as Error).message}`);
    }
  }
  if (problems.length > 0) throw new ApiError('BAD_USER_INPUT', problems.slice(0, 20).join('\n'));
  return found;
}

/** `variable=value`, `Operation:variable=value`; the value is JSON, or a text. */
function pinOption(text: string, before: readonly Pin[] | undefined): readonly Pin[] {
  if (!text.includes('=')) throw new InvalidArgumentError('It must be NAME=VALUE.');
  const [, operation, variable = '', value = ''] = /^(?:([^:=]+):)?([^=]+)=([\s\S]*)$/.exec(text) ?? [];
  return [...(before ?? []), { variable, value: jsonOr(value), ...(operation && { operation }) }];
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Says what each operation needs. */
export function reportOf({ operations, scopes, unknown }: SourceOperations): string {
  const width = Math.max(0, ...operations.map(({ name }) => name.length));
  return [
    ...operations.map(({ name, scopes: own }) => `  ${name.padEnd(width)}  ${own.join(' ') || '(no scopes)'}`),
    ...(scopes.length > 0 ? [`  used, by the log: ${scopes.join(' ')}`] : []),
    ...(unknown.length > 0 ? [`  not known by its text: ${unknown.join(', ')}`] : []),
    '',
  ].join('\n');
}
