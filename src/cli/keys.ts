/** `taskgate keys`: thin over src/keys. Works on the database itself, with the operator's rights. */
import { Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import type { ApiKey } from '#prisma/client.js';
import type { Actor } from '../audit/entry.js';
import { notFound } from '../errors.js';
import { keyStatus } from '../keys/apiKey.js';
import { DEFAULT_GRACE } from '../keys/apiKeyService.js';
import { listOf } from '../keys/authority.js';
import { DEFAULT_WORKSPACE } from '../keys/bootstrap.js';
import { displayPrefix } from '../keys/format.js';
import { lookUp, scanPath } from '../keys/leaks.js';
import { dayOf, KeyUsage, since, unusedGrants } from '../keys/usage.js';
import { printable } from './printable.js';
import type { ProcessVariables } from './processVariables.js';
import {
  environmentOption,
  numberOption,
  print,
  type WorkspaceSession,
  withDatabase,
  withWorkspace,
} from './session.js';

export function keysCommand(variables: ProcessVariables): Command {
  const command = new Command('keys')
    .description('create, show, change, rotate and revoke API keys, and find them in files')
    .exitOverride();
  command.addCommand(createCommand(variables));
  command.addCommand(listCommand(variables));
  command.addCommand(showCommand(variables));
  command.addCommand(updateCommand(variables));
  command.addCommand(rotateCommand(variables));
  command.addCommand(revokeCommand(variables));
  command.addCommand(scanCommand(variables));
  return command;
}

function createCommand(variables: ProcessVariables): Command {
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
      withWorkspace(variables, options.workspace, true, async ({ keys, actor }) => {
        const { apiKey, key } = await keys.create(actor(options.environment), 'operator', options);
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

function listCommand(variables: ProcessVariables): Command {
  return new Command('list')
    .description('list keys, newest first; a key itself is never shown again')
    .option('--environment <environment>', 'live or test', environmentOption, 'LIVE')
    .option('--workspace <slug>', 'whose keys', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (options) =>
      withWorkspace(variables, options.workspace, false, async ({ database, actor }) => {
        const rows = await database
          .forTenant(actor(options.environment))
          .apiKey.findMany({ orderBy: [{ createdAt: 'desc' }, { id: 'desc' }] });
        if (options.json) return print(rows.map(present));
        for (const row of rows) {
          process.stdout.write(
            `${row.id}  ${keyStatus(row, new Date()).padEnd(8)} ${row.prefix}  ${printable(row.name)}  ${row.scopes}\n`,
          );
        }
        if (rows.length === 0) process.stdout.write('No keys.\n');
      }),
    );
}

function showCommand(variables: ProcessVariables): Command {
  return new Command('show')
    .description('show a key with its usage; the key itself is never shown again')
    .argument('<id>', 'the id of the key, key_...')
    .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (id: string, options) =>
      withKey(variables, options.workspace, id, async ({ row, database, actor }) => {
        const db = database.forTenant(actor);
        const lastUse = await db.apiKeyLastUse.findUnique({ where: { keyId: id } });
        const usage = new KeyUsage(db, id, { gte: since(90) });
        const unusedScopes = unusedGrants(row.scopes, new Set((await usage.by('scope')).map(({ name }) => name)));
        const today = await new KeyUsage(db, id, { gte: dayOf(new Date()) }).total();
        const shown = {
          ...present(row),
          lastUsedAt: lastUse?.at ?? null,
          lastUsedIp: lastUse?.ip ?? null,
          requestsToday: today,
          requestsLast90Days: await usage.total(),
          unusedScopes,
        };
        if (options.json) return print(shown);
        for (const [name, value] of Object.entries(shown)) {
          const text = Array.isArray(value) ? value.join(' ') : value instanceof Date ? value.toISOString() : value;
          process.stdout.write(`${name.padEnd(19)} ${printable(String(text ?? '-'))}\n`);
        }
      }),
    );
}

function updateCommand(variables: ProcessVariables): Command {
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
      withKey(variables, workspace, id, async ({ keys, actor }) => {
        const updated = await keys.update(actor, 'operator', id, {
          ...change,
          expiresAt: noneAsNull(change.expiresAt),
          allowedIps: noneAsNull(change.allowedIps),
        });
        if (json) print(present(updated));
        else process.stdout.write(`Key ${id} is changed.\n`);
      }),
    );
}

function rotateCommand(variables: ProcessVariables): Command {
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

function scanCommand(variables: ProcessVariables): Command {
  return new Command('scan')
    .description(
      'find keys in files, by their form and checksum, and say which of them work; ends with 1 when one does',
    )
    .argument('<path...>', 'files, or folders with all below them')
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (paths: string[], options) =>
      withDatabase(variables, false, async ({ database }) => {
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
            process.stdout.write(`${printable(file)}:${line}  ${prefix}  ${status}${id ? `  ${id}` : ''}\n`);
          }
          process.stdout.write(report.length === 0 ? 'No keys found.\n' : `${report.length} found.\n`);
        }
        if (report.some(({ status }) => status === 'active' || status === 'rotated')) process.exitCode = 1;
      }),
    );
}

function revokeCommand(variables: ProcessVariables): Command {
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

/** Finds the key in either environment and acts there. */
async function withKey(
  variables: ProcessVariables,
  slug: string,
  id: string,
  run: (session: Omit<WorkspaceSession, 'actor'> & { row: ApiKey; actor: Actor }) => Promise<void>,
): Promise<void> {
  await withWorkspace(variables, slug, false, async (session) => {
    const row = await session.database.system.apiKey.findUnique({ where: { id } });
    if (!row || row.workspaceId !== session.workspace.id) throw notFound('API key', id);
    await run({ ...session, row, actor: session.actor(row.environment) });
  });
}

function present(row: ApiKey) {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    prefix: row.prefix,
    environment: row.environment.toLowerCase(),
    scopes: listOf(row.scopes),
    status: keyStatus(row, new Date()).toLowerCase(),
    allowedIps: row.allowedIps === null ? null : listOf(row.allowedIps),
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

const ISO_DATE = z.union([z.iso.datetime({ offset: true }), z.iso.date()]);

function dateOption(value: string): Date {
  const date = ISO_DATE.safeParse(value);
  if (!date.success) throw new InvalidArgumentError('It must be a date such as 2027-01-31T00:00:00Z.');
  return new Date(date.data);
}

/** Commander takes null of a parser for an empty text. */
const NONE = Symbol('none');
const noneAsNull = <T>(value: T | typeof NONE | undefined) => (value === NONE ? null : value);

function expiryOption(value: string): Date | typeof NONE {
  return value === 'never' ? NONE : dateOption(value);
}

function allowListOption(value: string): string[] | typeof NONE {
  return value === 'any' ? NONE : listOption(value);
}
