/** `taskgate keys update | rotate | revoke`. */
import { Command } from 'commander';
import { DEFAULT_GRACE } from '../../keys/apiKeyService.js';
import { DEFAULT_WORKSPACE } from '../../keys/bootstrap.js';
import type { ProcessVariables } from '../processVariables.js';
import { numberOption, print } from '../session.js';
import { anyOrListOption, expiryOption, limitOption, listOption, noneAsNull } from './options.js';
import { projectsNamed, userNamed } from './rows.js';
import { present, withKey } from './show.js';

export function updateCommand(variables: ProcessVariables): Command {
  return new Command('update')
    .description('change what is given of a key')
    .argument('<id>', 'the id of the key, key_...')
    .option('--name <name>')
    .option('--description <text>')
    .option('--scopes <list>', 'replaces all scopes', listOption)
    .option('--expires-at <date>', 'ISO 8601, or never', expiryOption)
    .option('--auto-renew', 'extend by the same term before it lapses (enterprise plan)')
    .option('--no-auto-renew', 'let it expire')
    .option('--allowed-ips <list>', 'replaces the allow-list; any: any address', anyOrListOption)
    .option(
      '--projects <list>',
      'replaces the projects that it is bound to, by id, slug or key; any: all',
      anyOrListOption,
    )
    .option('--acts-as <user>', 'the user as whom it acts, by id or email; nobody: nobody')
    .option('--unlock', 'let it run any operation again, within its scopes')
    .option('--rate-per-minute <requests>', 'its own limit; plan: that of the plan', limitOption)
    .option('--rate-per-hour <requests>', 'its own limit; plan: that of the plan', limitOption)
    .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (id: string, { workspace, json, projects, actsAs, unlock, ...change }, command: Command) => {
      const isGiven = [projects, actsAs, unlock, ...Object.values(change)].some((value) => value !== undefined);
      if (!isGiven) command.error('error: name something to change; --help lists it');
      await withKey(variables, workspace, id, async ({ keys, actor, database }) => {
        const tenant = database.forTenant(actor);
        const named = noneAsNull(projects);
        const updated = await keys.update(actor, 'operator', id, {
          ...change,
          ...(named !== undefined && { projects: named === null ? null : await projectsNamed(tenant, named) }),
          ...(actsAs !== undefined && { actsAsId: actsAs === 'nobody' ? null : await userNamed(tenant, actsAs) }),
          ...(unlock && { lock: null }),
          expiresAt: noneAsNull(change.expiresAt),
          allowedIps: noneAsNull(change.allowedIps),
          ratePerMinute: noneAsNull(change.ratePerMinute),
          ratePerHour: noneAsNull(change.ratePerHour),
        });
        if (json) print(present(updated));
        else process.stdout.write(`Key ${id} is changed.\n`);
      });
    });
}

export function rotateCommand(variables: ProcessVariables): Command {
  return new Command('rotate')
    .description('make a successor; the old key works until its grace period ends')
    .argument('<id>', 'the id of the key, key_...')
    .option('--grace-period <seconds>', 'how long the old key works; 0: it ends at once', numberOption, DEFAULT_GRACE)
    .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (id: string, options) =>
      withKey(variables, options.workspace, id, async ({ keys, actor }) => {
        const { apiKey, key } = await keys.rotate(actor, 'operator', id, options.gracePeriod);
        if (options.json) print({ ...present(apiKey), key, predecessorId: id });
        else {
          process.stdout.write(
            `Key ${id} is followed by ${apiKey.id}, and works for ${options.gracePeriod} more seconds.\n` +
              `The new key is shown once; keep it in a safe place:\n\n  ${key}\n\n`,
          );
        }
      }),
    );
}

export function revokeCommand(variables: ProcessVariables): Command {
  return new Command('revoke')
    .description('end a key for good')
    .argument('<id>', 'the id of the key, key_...')
    .option('--reason <text>', 'for the audit log', 'revoked')
    .option('--descendants', 'also the keys that it made, and those that they made')
    .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (id: string, options) =>
      withKey(variables, options.workspace, id, async ({ keys, actor }) => {
        const { apiKey, revoked } = await keys.revoke(actor, 'operator', id, options);
        if (options.json) print({ ...present(apiKey), revokedKeys: revoked });
        else {
          const others = revoked > 1 ? `, and ${revoked - 1} more that it made` : '';
          process.stdout.write(`Key ${id} is revoked${others}.\n`);
        }
      }),
    );
}
