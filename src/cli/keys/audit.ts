/** `taskgate keys audit | tighten | loosen`: what keys could do without. */
import { Command, InvalidArgumentError } from 'commander';
import { DEFAULT_WORKSPACE } from '../../keys/bootstrap.js';
import { type ReviewedKey, reviewKeys } from '../../keys/keyReview.js';
import { REVIEW_CODES, RISKS, type Risk } from '../../keys/review.js';
import type { Tightened } from '../../keys/tightening.js';
import { VERSION } from '../../version.js';
import { printable } from '../printable.js';
import type { ProcessVariables } from '../processVariables.js';
import { environmentOption, numberOption, print, withWorkspace } from '../session.js';
import { present, withKey } from './show.js';

const USUAL_DAYS = 90;

export function auditCommand(variables: ProcessVariables): Command {
  return new Command('audit')
    .description('what keys could do without, those first that should be looked at; with --fail-on it ends with 1')
    .option('--days <number>', 'whose use is looked at', numberOption, USUAL_DAYS)
    .option('--fail-on <risk>', 'low, medium or high: end with 1 where a key has this risk or a higher one', riskOption)
    .option('--environment <environment>', 'live or test', environmentOption, 'LIVE')
    .option('--workspace <slug>', 'whose keys', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .option('--sarif', 'print SARIF 2.1.0, for code hosts')
    .exitOverride()
    .action(async ({ days, failOn, environment, workspace: slug, json, sarif }) =>
      withWorkspace(variables, slug, false, async ({ config, database, workspace, actor }) => {
        const options = { days, now: new Date(), plan: config.plans.of(workspace) };
        const reviewed = await reviewKeys(database.forTenant(actor(environment)), options, { environment });
        if (sarif) print(sarifOf(reviewed));
        else if (json) print(reviewed.map(shown));
        else process.stdout.write(reviewed.map(written).join('') || 'No keys.\n');
        if (failOn !== undefined && reviewed.some(({ risk }) => RISKS.indexOf(risk) >= RISKS.indexOf(failOn))) {
          process.exitCode = 1;
        }
      }),
    );
}

function riskOption(value: string): Risk {
  const risk = RISKS.find((one) => one === value.toUpperCase() && one !== 'NONE');
  if (!risk) throw new InvalidArgumentError('It must be low, medium or high.');
  return risk;
}

function shown({ key, risk, score, reasons, proposal, use }: ReviewedKey) {
  const { requests, lastUsedAt } = use;
  return { ...present(key), risk: risk.toLowerCase(), score, reasons, proposal, requests, lastUsedAt };
}

function written({ key, risk, score, reasons, proposal }: ReviewedKey): string {
  const lines = [
    `${risk.padEnd(6)} ${String(score).padStart(3)}  ${key.id}  ${key.prefix}  ${printable(key.name)}`,
    ...reasons.map(({ message }) => `            ${message}`),
    ...(proposal.scopes ? [`            keep the scopes ${proposal.scopes.join(',') || '(none)'}`] : []),
    ...(proposal.projects ? [`            keep the projects ${proposal.projects.join(',')}`] : []),
    ...(proposal.allowedIps ? [`            allow ${proposal.allowedIps.join(',')}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

const LEVELS: Readonly<Record<Risk, string>> = { NONE: 'none', LOW: 'note', MEDIUM: 'warning', HIGH: 'error' };

/** SARIF 2.1.0 (OASIS): a rule a reason, a result for each reason of each key. */
function sarifOf(reviewed: readonly ReviewedKey[]) {
  const rules = Object.entries(REVIEW_CODES).map(([id, text]) => ({ id, shortDescription: { text } }));
  const results = reviewed.flatMap(({ key, risk, reasons }) =>
    reasons.map(({ code, message }) => ({
      ruleId: code,
      level: LEVELS[risk],
      message: { text: `${key.name} (${key.prefix}): ${message}` },
      locations: [
        {
          physicalLocation: { artifactLocation: { uri: `keys/${key.id}` } },
          logicalLocations: [{ name: key.name, fullyQualifiedName: key.id, kind: 'resource' }],
        },
      ],
      partialFingerprints: { key: `${key.id}/${code}` },
    })),
  );
  const driver = { name: 'taskgate keys audit', version: VERSION, rules };
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver }, results }],
  };
}

export function tightenCommand(variables: ProcessVariables): Command {
  return new Command('tighten')
    .description('take back what a key did not use; loosen gives it back within seven days')
    .argument('<id>', 'the id of the key, key_...')
    .option('--days <number>', 'whose use is looked at', numberOption, USUAL_DAYS)
    .option('--allow-list', 'also let it be used from the one network alone that it was used from')
    .option('--dry-run', 'say what would be taken, and change nothing')
    .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (id: string, { days, allowList, dryRun, workspace, json }) =>
      withKey(variables, workspace, id, async ({ tightenings, actor }) => {
        const parts = ['SCOPES', 'PROJECTS', ...(allowList ? (['ALLOW_LIST'] as const) : [])] as const;
        const tightened = await tightenings.tighten(actor, 'operator', id, { days, dryRun: dryRun === true, parts });
        show(json, tightened, tightened.applied ? `Key ${id} is tightened.` : 'Nothing was changed.');
      }),
    );
}

export function loosenCommand(variables: ProcessVariables): Command {
  return new Command('loosen')
    .description('give back what was taken from a key last, within seven days')
    .argument('<id>', 'the id of the key, key_...')
    .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (id: string, { workspace, json }) =>
      withKey(variables, workspace, id, async ({ tightenings, actor }) => {
        show(json, await tightenings.loosen(actor, 'operator', id), `Key ${id} has back what was taken.`);
      }),
    );
}

function show(json: boolean, { apiKey, before, after, applied }: Tightened, message: string) {
  if (json) return print({ ...present(apiKey), before, after, applied });
  const line = (name: string, of: readonly string[] | null) =>
    `${name} ${of === null ? 'any' : of.join(',') || '(none)'}\n`;
  process.stdout.write(
    `${line('scopes before ', before.scopes)}${line('scopes after  ', after.scopes)}` +
      `${line('projects after', after.projects)}${line('addresses after', after.allowedIps)}${message}\n`,
  );
}
