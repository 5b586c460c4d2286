/** `taskgate keys create`: from scopes, or from the operations that the key will run. */
import { Command } from 'commander';
import { ApiError } from '../../errors.js';
import { DEFAULT_WORKSPACE } from '../../keys/bootstrap.js';
import type { KeyRequest } from '../../keys/rules.js';
import { scopeSet } from '../../scopes/scope.js';
import type { ProcessVariables } from '../processVariables.js';
import { environmentOption, numberOption, print, type WorkspaceSession, withWorkspace } from '../session.js';
import { hasSources, readSources, reportOf, type SourceOperations, sourceOptions } from '../sources/keyOperations.js';
import { dateOption, listOption } from './options.js';
import { projectsNamed, userNamed } from './rows.js';
import { present } from './show.js';

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
    .option('--projects <list>', 'the projects that it sees and changes, by id or slug', listOption)
    .option('--acts-as <user>', 'the user as whom it acts, by id or email')
    .option('--rate-per-minute <requests>', "its own limit instead of the plan's", numberOption)
    .option('--rate-per-hour <requests>', "its own limit instead of the plan's", numberOption)
    .option('--lock', 'it runs the operations alone that it is made for')
    .option('--dry-run', 'say what the operations need, and make no key')
    .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride();
  return sourceOptions(command).action(async ({ workspace, json, dryRun, lock, projects, actsAs, ...options }) => {
    if (!options.scopes && !hasSources(options)) {
      throw new ApiError(
        'BAD_USER_INPUT',
        'Give --scopes, or the operations that it is for: --from, --from-rest, --from-har, --from-log.',
      );
    }
    if (lock && !hasSources(options))
      throw new ApiError('BAD_USER_INPUT', '--lock takes operations: --from, --from-rest, --from-har, --from-log.');
    if (options.pin && !lock) throw new ApiError('BAD_USER_INPUT', '--pin is for a key that is locked: add --lock.');
    await withWorkspace(variables, workspace, true, async (session) => {
      const tenant = session.database.forTenant(session.actor(options.environment));
      const sources = hasSources(options) ? await readSources(options, await storedTexts(session)) : undefined;
      if (sources) checkSources(sources, lock === true);
      const request: KeyRequest = {
        ...keyFields(options),
        ...(sources && { scopes: options.scopes ?? scopesOf(sources), ...operationsOf(sources, lock === true) }),
        ...(projects && { projects: await projectsNamed(tenant, projects) }),
        ...(actsAs && { actsAsId: await userNamed(tenant, actsAs) }),
      };
      if (dryRun) return show(json, { scopes: request.scopes ?? [], operations: shown(sources) }, sources);
      const { apiKey, key } = await session.keys.create(session.actor(options.environment), 'operator', request);
      if (json) return print({ ...present(apiKey), key, ...(sources && { operations: shown(sources) }) });
      const place = `${options.environment.toLowerCase()}; ${apiKey.scopes || 'no scopes'}${apiKey.isLocked ? '; locked' : ''}`;
      process.stdout.write(
        `Key ${apiKey.id} (${place}).\n${sources ? reportOf(sources) : ''}` +
          `It is shown once; keep it in a safe place:\n\n  ${key}\n\n`,
      );
    });
  });
}

function keyFields(options: KeyRequest & Readonly<Record<string, unknown>>): KeyRequest {
  const { name, scopes, environment, description, expiresAt, autoRenew, allowedIps, ratePerMinute, ratePerHour } =
    options;
  const given = {
    name,
    scopes,
    environment,
    description,
    expiresAt,
    autoRenew,
    allowedIps,
    ratePerMinute,
    ratePerHour,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as unknown as KeyRequest;
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

interface Report {
  readonly scopes: readonly string[];
  readonly operations: readonly object[];
}

function show(json: boolean, report: Report, sources?: SourceOperations) {
  if (json) return print({ ...report, unknown: sources?.unknown ?? [] });
  process.stdout.write(`${report.scopes.join(',') || '(no scopes)'}\n${sources ? reportOf(sources) : ''}`);
}

/** Texts that the log may name by a hash: trusted documents, and what keys are locked to. */
async function storedTexts({ database, workspace }: WorkspaceSession): Promise<string[]> {
  const where = { workspaceId: workspace.id };
  const trusted = await database.system.trustedDocument.findMany({ where, select: { text: true } });
  const locked = await database.system.keyOperation.findMany({ where, select: { text: true }, take: 10_000 });
  return [...new Set([...trusted, ...locked].map(({ text }) => text))];
}
