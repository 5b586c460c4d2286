/** `taskgate keys`: thin over src/keys. Works on the database itself, with the operator's rights. */
import { Command, InvalidArgumentError } from 'commander';
import type { ApiKey } from '#prisma/client.js';
import { notFound } from '../errors.js';
import type { Actor } from '../events/audit.js';
import { keyStatus, list, unbounded } from '../keys/apiKey.js';
import { DEFAULT_WORKSPACE } from '../keys/bootstrap.js';
import { displayPrefix } from '../keys/format.js';
import { lookUp, scanPath } from '../keys/leaks.js';
import { dayOf, since, unusedGrants, usageReport } from '../keys/usage.js';
import type { Environment } from './program.js';
import { environmentOption, print, type Session, withDatabase } from './session.js';

export function keysCommand(environment: Environment): Command {
  const command = new Command('keys')
    .description('create, show, change, rotate and revoke API keys, and find them in files')
    .exitOverride();
  command.addCommand(createCommand(environment));
  command.addCommand(listCommand(environment));
  command.addCommand(showCommand(environment));
  command.addCommand(updateCommand(environment));
  command.addCommand(rotateCommand(environment));
  command.addCommand(revokeCommand(environment));
  command.addCommand(scanCommand(environment));
  return command;
}

function createCommand(environment: Environment): Command {
  return new Command('create')
    .description('make a key; it is shown once')
    .requiredOption('--name <name>', 'what the key is for')
    .requiredOption('--scopes <list>', 'comma-separated, such as tasks:read,projects:*', listOption)
    .option('--environment <environment>', 'live or test', environmentOption, 'LIVE')
    .option('--description <text>')
    .option('--expires-at <date>', 'ISO 8601, such as 2027-01-31T00:00:00Z', dateOption)
    .option('--auto-renew', 'extend by the same term before it lapses (enterprise plan)')
    .option('--allowed-ips <list>', 'comma-separated CIDR blocks', listOption)
    .option('--rate-per-minute <requests>', "its own limit instead of the plan's", numberOption)
    .option('--rate-per-hour <requests>', "its own limit instead of the plan's", numberOption)
    .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (options) =>
      withDatabase(environment, options.workspace, async ({ keys, actor }) => {
        const { apiKey, key } = await keys.create(actor(options.environment), unbounded(options.environment), options);
        if (options.json) print({ ...present(apiKey), key });
        else {
          process.stdout.write(
            `Key ${apiKey.id} (${options.environment.toLowerCase()}; ${apiKey.scopes || 'no scopes'}).\n` +
              `It is shown once; keep it in a safe place:\n\n  ${key}\n\n`,
          );
        }
      }),
    );
}

function listCommand(environment: Environment): Command {
  return new Command('list')
    .description('list keys, newest first; a key itself is never shown again')
    .option('--environment <environment>', 'live or test', environmentOption, 'LIVE')
    .option('--workspace <slug>', 'whose keys', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (options) =>
      withDatabase(environment, options.workspace, async ({ database, actor }) => {
        const rows = await database
          .forTenant(actor(options.environment))
          .apiKey.findMany({ orderBy: [{ createdAt: 'desc' }, { id: 'desc' }] });
        if (options.json) return print(rows.map(present));
        for (const row of rows) {
          process.stdout.write(
            `${row.id}  ${keyStatus(row, new Date()).padEnd(8)} ${row.prefix}  ${row.name}  ${row.scopes}\n`,
          );
        }
        if (rows.length === 0) process.stdout.write('No keys.\n');
      }),
    );
}

function showCommand(environment: Environment): Command {
  return new Command('show')
    .description('show a key with its usage; the key itself is never shown again')
    .argument('<id>', 'the id of the key, key_...')
    .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (id: string, options) =>
      withKey(environment, options.workspace, id, async ({ row, database, actor }) => {
        const db = database.forTenant(actor);
        const lastUse = await db.apiKeyLastUse.findUnique({ where: { keyId: id } });
        const rows = await db.apiKeyUsage.findMany({ where: { keyId: id, day: { gte: since(90) } } });
        const { total, byDay, byScope } = usageReport(rows);
        const unusedScopes = unusedGrants(row.scopes, new Set(byScope.map(({ name }) => name)));
        const today = byDay.find(({ day }) => day === dayOf(new Date()))?.count ?? 0;
        const shown = {
          ...present(row),
          lastUsedAt: lastUse?.at ?? null,
          lastUsedIp: lastUse?.ip ?? null,
          requestsToday: today,
          requestsLast90Days: total,
          unusedScopes,
        };
        if (options.json) return print(shown);
        for (const [name, value] of Object.entries(shown)) {
          const text = Array.isArray(value) ? value.join(' ') : value instanceof Date ? value.toISOString() : value;
          process.stdout.write(`${name.padEnd(19)} ${text ?? '-'}\n`);
        }
      }),
    );
}

function updateCommand(environment: Environment): Command {
  return new Command('update')
    .description('change what is given of a key')
    .argument('<id>', 'the id of the key, key_...')
    .option('--name <name>')
    .option('--description <text>')
    .option('--scopes <list>', 'replaces all scopes', listOption)
    .option('--expires-at <date>', 'ISO 8601, or never', expiryOption)
    .option('--auto-renew', 'extend by the same term before it lapses (enterprise plan)')
    .option('--no-auto-renew', 'let it expire')
    .option('--allowed-ips <list>', 'replaces the allow-list; any: any address', allowListOption)
    .option('--rate-per-minute <requests>', "its own limit instead of the plan's", numberOption)
    .option('--rate-per-hour <requests>', "its own limit instead of the plan's", numberOption)
    .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (id: string, { workspace, json, ...change }) =>
      withKey(environment, workspace, id, async ({ row, keys, actor }) => {
        const updated = await keys.update(actor, unbounded(row.environment), id, change);
        if (json) print(present(updated));
        else process.stdout.write(`Key ${id} is changed.\n`);
      }),
    );
}

function rotateCommand(environment: Environment): Command {
  return new Command('rotate')
    .description('make a successor; the old key works until its grace period ends')
    .argument('<id>', 'the id of the key, key_...')
    .option('--grace-period <seconds>', 'how long the old key works; 0: it ends at once', numberOption, 86_400)
    .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (id: string, options) =>
      withKey(environment, options.workspace, id, async ({ row, keys, actor }) => {
        const { apiKey, key } = await keys.rotate(actor, unbounded(row.environment), id, options.gracePeriod);
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

function scanCommand(environment: Environment): Command {
  return new Command('scan')
    .description(
      'find keys in files, by their form and checksum, and say which of them work; ends with 1 when one does',
    )
    .argument('<path...>', 'files, or folders with all below them')
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (paths: string[], options) =>
      withDatabase(environment, DEFAULT_WORKSPACE, async ({ database }) => {
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
            process.stdout.write(`${file}:${line}  ${prefix}  ${status}${id ? `  ${id}` : ''}\n`);
          }
          process.stdout.write(report.length === 0 ? 'No keys found.\n' : `${report.length} found.\n`);
        }
        if (report.some(({ status }) => status === 'active' || status === 'rotated')) process.exitCode = 1;
      }),
    );
}

function revokeCommand(environment: Environment): Command {
  return new Command('revoke')
    .description('end a key for good')
    .argument('<id>', 'the id of the key, key_...')
    .option('--reason <text>', 'for the audit log', 'revoked')
    .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (id: string, options) =>
      withKey(environment, options.workspace, id, async ({ keys, actor }) => {
        const revoked = await keys.revoke(actor, id, options.reason);
        if (options.json) print(present(revoked));
        else process.stdout.write(`Key ${id} is revoked.\n`);
      }),
    );
}

/** Finds the key in either environment and acts there. */
async function withKey(
  environment: Environment,
  slug: string,
  id: string,
  run: (session: Omit<Session, 'actor'> & { row: ApiKey; actor: Actor }) => Promise<void>,
): Promise<void> {
  await withDatabase(environment, slug, async ({ database, keys, actor }) => {
    const row = await database.system.apiKey.findUnique({ where: { id } });
    if (!row || row.workspaceId !== actor(row.environment).workspaceId) throw notFound('API key', id);
    await run({ database, keys, row, actor: actor(row.environment) });
  });
}

function present(row: ApiKey) {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    prefix: row.prefix,
    environment: row.environment.toLowerCase(),
    scopes: list(row.scopes),
    status: keyStatus(row, new Date()).toLowerCase(),
    allowedIps: row.allowedIps === null ? null : list(row.allowedIps),
    ratePerMinute: row.ratePerMinute,
    ratePerHour: row.ratePerHour,
    expiresAt: row.expiresAt,
    autoRenew: row.autoRenew,
    graceEndsAt: row.graceEndsAt,
    successorId: row.successorId,
    revokedAt: row.revokedAt,
    createdAt: row.createdAt,
  };
}

function listOption(value: string): string[] {
  return value.split(/[\s,]+/).filter(Boolean);
}

function dateOption(value: string): Date {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) throw new InvalidArgumentError('It must be a date such as 2027-01-31T00:00:00Z.');
  return date;
}

function expiryOption(value: string): Date | null {
  return value === 'never' ? null : dateOption(value);
}

function allowListOption(value: string): string[] | null {
  return value === 'any' ? null : listOption(value);
}

function numberOption(value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(value);
}
