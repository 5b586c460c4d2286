/** `taskgate keys diff`: what one key may do and another may not. */

import { Command } from 'commander';
import { notFound } from '../../errors.js';
import { KEYS } from '../../keys/apiKey.js';
import { type Authority, authorityOf } from '../../keys/authority.js';
import { DEFAULT_WORKSPACE } from '../../keys/bootstrap.js';
import { withBonds } from '../../keys/storedKeys.js';
import type { ProcessVariables } from '../processVariables.js';
import { print, withWorkspace } from '../session.js';
import { pinsOf } from './rows.js';

export function diffCommand(variables: ProcessVariables): Command {
  return new Command('diff')
    .description('what one key may do and the other may not')
    .argument('<a>', 'the id of a key, key_...')
    .argument('<b>', 'the id of another')
    .option('--workspace <slug>', 'whose keys they are', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (a: string, b: string, { workspace: slug, json }) =>
      withWorkspace(variables, slug, false, async ({ config, database, workspace }) => {
        const rows = await database.system.apiKey.findMany({
          where: { ...KEYS, id: { in: [a, b] }, workspaceId: workspace.id },
        });
        const keys = await withBonds(database.system, rows, new Date());
        const plan = config.plans.of(workspace);
        const of = (id: string) => {
          const key = keys.find((one) => one.id === id);
          if (!key) throw notFound('API key', id);
          return aspectsOf(authorityOf(key, plan));
        };
        const [first, second] = [of(a), of(b)];
        const differences = Object.keys(first).flatMap((aspect) => {
          const [inA, inB] = [first[aspect] ?? [], second[aspect] ?? []];
          const onlyA = inA.filter((value) => !inB.includes(value));
          const onlyB = inB.filter((value) => !inA.includes(value));
          return onlyA.length + onlyB.length > 0 ? [{ aspect, onlyA, onlyB }] : [];
        });
        if (json) return print(differences);
        for (const { aspect, onlyA, onlyB } of differences) {
          for (const value of onlyA) process.stdout.write(`- ${aspect} ${value}\n`);
          for (const value of onlyB) process.stdout.write(`+ ${aspect} ${value}\n`);
        }
        if (differences.length === 0) process.stdout.write('They may do the same.\n');
      }),
    );
}

/** Each as the texts that it consists of. */
function aspectsOf(authority: Authority): Record<string, string[]> {
  const { environment, scopes, projects, actsAs, operations, expiresAt, renewalTerm, allowedIps, limits } = authority;
  return {
    environment: [environment.toLowerCase()],
    scope: [...scopes],
    project: projects === null ? ['any'] : [...projects],
    user: [actsAs ?? 'nobody'],
    operation:
      operations === null
        ? ['any']
        : [...operations.values()].flatMap(([one]) =>
            one ? `${one.name} ${one.hash.slice(0, 12)}${pinsOf(one.pins)}` : [],
          ),
    expires: [expiresAt?.toISOString() ?? 'never'],
    renewal: [renewalTerm === null ? 'none' : `every ${renewalTerm} s`],
    address: allowedIps === null ? ['any'] : [...allowedIps],
    limit: [`${limits.perMinute} a minute`, `${limits.perHour ?? 'any number'} an hour`],
  };
}
