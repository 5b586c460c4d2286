/** `taskgate keys create`: from scopes, or from the operations that the key will run. */
import { Command } from 'commander';
import type { ApiKey, Environment } from '#prisma/client.js';
import { ApiError } from '../../errors.js';
import { given } from '../../input.js';
import { listOf } from '../../keys/authority.js';
import { DEFAULT_WORKSPACE } from '../../keys/bootstrap.js';
import type { KeyRequest } from '../../keys/rules.js';
import { parseGrants, scopeSet } from '../../scopes/scope.js';
import { printable } from '../printable.js';
import type { ProcessVariables } from '../processVariables.js';
import { environmentOption, numberOption, print, type WorkspaceSession, withWorkspace } from '../session.js';
import {
  hasSources,
  readSources,
  reportOf,
  SOURCES,
  type SourceOperations,
  type SourceOptions,
  sourceOptions,
} from '../sources/keyOperations.js';
import { dateOption, listOption } from './options.js';
import { projectsNamed, userNamed } from './rows.js';
import { present } from './show.js';

interface CreateOptions extends Omit<KeyRequest, 'environment' | 'actsAsId' | 'operations'>, SourceOptions {
  readonly environment: Environment;
  readonly actsAs?: string;
  readonly lock?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly workspace: string;
}

export function createCommand(variables: ProcessVariables): Command {
  const command = new Command('create')
    .description('make a key; it is shown once')
    .requiredOption('--name <name>', 'what the key is for')
    .option(
      '--scopes <list>',
      'comma-separated, such as tasks:read,projects:*; left out: what the operations need',
      listOption,
    )
    .option('--environment <environment>', 'live or test', environmentOption, 'LIVE')
    .option('--description <text>')
    .option('--expires-at <date>', 'ISO 8601, such as 2027-01-31T00:00:00Z', dateOption)
    .option('--auto-renew', 'extend by the same term before it lapses (enterprise plan)')
    .option('--allowed-ips <list>', 'comma-separated CIDR blocks', listOption)
    .option('--projects <list>', 'the projects that it sees and changes, by id, slug or key', listOption)
    .option('--acts-as <user>', 'the user as whom it acts, by id or email')
    .option('--rate-per-minute <requests>', "its own limit instead of the plan's", numberOption)
    .option('--rate-per-hour <requests>', "its own limit instead of the plan's", numberOption)
    .option('--lock', 'it runs the operations alone that it is made for')
    .option('--dry-run', 'say what the operations need, and make no key')
    .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride();
  return sourceOptions(command).action(async (options: CreateOptions) => {
    checkUsage(command, options);
    if (options.scopes) parseGrants(options.scopes);
    if (options.dryRun) return showNeeds(options, await sourcesOf(variables, options));
    await withWorkspace(variables, options.workspace, true, async (session) => {
      const sources = hasSources(options) ? await readSources(options, await storedTexts(session)) : undefined;
      if (sources) checkSources(sources, options.lock === true);
      const request = await requestOf(session, options, sources);
      const { apiKey, key } = await session.keys.create(session.actor(options.environment), 'operator', request);
      if (options.json) return print({ ...present(apiKey), key, ...(sources && { operations: shown(sources) }) });
      const scopes = apiKey.scopes || 'no scopes';
      const place = `${options.environment.toLowerCase()}; ${scopes}${await boundTo(session, apiKey)}${apiKey.isLocked ? '; locked' : ''}`;
      process.stdout.write(
        `Key ${apiKey.id} (${place}).\n${sources ? reportOf(sources) : ''}` +
          `It is shown once; keep it in a safe place:\n\n  ${key}\n\n`,
      );
    });
  });
}

/** The projects that it is bound to, as people call them. */
async function boundTo({ database, actor }: WorkspaceSession, { environment, projectIds }: ApiKey): Promise<string> {
  if (projectIds === null) return '';
  const where = { id: { in: listOf(projectIds) } };
  const projects = await database.forTenant(actor(environment)).project.findMany({ where, select: { name: true } });
  return `; in ${projects.map(({ name }) => printable(name)).join(', ')} alone`;
}

/** Before anything is read or made. @throws CommanderError */
function checkUsage(command: Command, { scopes, lock, pin, ...sources }: CreateOptions): void {
  const isMade = hasSources(sources);
  if (!scopes && !isMade) command.error(`error: give --scopes, or the operations that it is for: ${SOURCES}`);
  if (lock && !isMade) command.error(`error: --lock takes operations: ${SOURCES}`);
  if (pin && !lock) command.error('error: --pin is for a key that is locked: add --lock');
}

/** For a run that makes nothing: no database either, unless a log is read, whose operations it may know. */
async function sourcesOf(variables: ProcessVariables, options: CreateOptions): Promise<SourceOperations | undefined> {
  if (!hasSources(options)) return undefined;
  let stored: readonly string[] = [];
  if (options.fromLog) {
    await withWorkspace(variables, options.workspace, false, async (session) => {
      stored = await storedTexts(session);
    });
  }
  const sources = await readSources(options, stored);
  checkSources(sources, options.lock === true);
  return sources;
}

async function requestOf(
  session: WorkspaceSession,
  options: CreateOptions,
  sources: SourceOperations | undefined,
): Promise<KeyRequest> {
  const { environment, lock, projects, actsAs } = options;
  const tenant = session.database.forTenant(session.actor(environment));
  return {
    ...keyFields(options),
    ...(sources && { scopes: options.scopes ?? scopesOf(sources), ...operationsOf(sources, lock === true) }),
    ...(projects && { projects: await projectsNamed(tenant, projects) }),
    ...(actsAs !== undefined && { actsAsId: await userNamed(tenant, actsAs) }),
  };
}

function keyFields(options: CreateOptions): KeyRequest {
  const { name, environment, scopes, description, expiresAt, autoRenew, allowedIps, ratePerMinute, ratePerHour } =
    options;
  const fields = { scopes, description, expiresAt, autoRenew, allowedIps, ratePerMinute, ratePerHour };
  return { name, environment, ...given(fields) };
}

function checkSources({ operations, scopes, unknown }: SourceOperations, lock: boolean): void {
  if (operations.length === 0 && scopes.length === 0) throw new ApiError('NOT_FOUND', 'No operation was found there.');
  if (!lock || unknown.length === 0) return;
  throw new ApiError(
    'BAD_USER_INPUT',
    `The key would not run what is not known by its text: ${unknown.join(', ')}. Add the documents by --from.`,
  );
}

/** What the operations need, and what else the log says was used. */
function scopesOf({ operations, scopes }: SourceOperations): string[] {
  const needed = new Set([...operations.flatMap((operation) => operation.scopes), ...scopes]);
  const { size } = scopeSet(needed);
  return size === 0 ? [] : [...needed].sort();
}

const operationsOf = ({ operations }: SourceOperations, lock: boolean) =>
  operations.length > 0 ? { operations: { operations, lock } } : {};

const shown = (sources: SourceOperations | undefined) =>
  sources?.operations.map(({ name, hash, scopes, pins }) => ({ name, hash, scopes, pins })) ?? [];

function showNeeds({ json, ...options }: CreateOptions, sources: SourceOperations | undefined): void {
  const scopes = options.scopes ?? (sources ? scopesOf(sources) : []);
  if (json) print({ scopes, operations: shown(sources), unknown: sources?.unknown ?? [] });
  else process.stdout.write(`${scopes.join(',') || '(no scopes)'}\n${sources ? reportOf(sources) : ''}`);
}

/** Texts that the log may name by a hash: trusted documents, and what keys are locked to. */
async function storedTexts({ database, workspace }: WorkspaceSession): Promise<string[]> {
  const where = { workspaceId: workspace.id };
  const trusted = await database.system.trustedDocument.findMany({ where, select: { text: true } });
  const locked = await database.system.keyOperation.findMany({ where, select: { text: true }, take: 10_000 });
  return [...new Set([...trusted, ...locked].map(({ text }) => text))];
}
