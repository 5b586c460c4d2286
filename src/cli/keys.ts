/** `taskgate keys`: thin over src/keys. Works on the database itself, with the operator's rights. */
import { Command, InvalidArgumentError } from 'commander';
import type { ApiKey, Environment as KeyEnvironment } from '#prisma/client.js';
import { readConfig } from '../config.js';
import { type Database, migrateDatabase, openDatabase } from '../db/database.js';
import { ApiError, notFound } from '../errors.js';
import type { Actor } from '../events/audit.js';
import { keyStatus, list, unbounded } from '../keys/apiKey.js';
import { bootstrap, DEFAULT_WORKSPACE } from '../keys/bootstrap.js';
import { Keys } from '../keys/keys.js';
import type { Environment } from './program.js';

interface Session {
  readonly database: Database;
  readonly keys: Keys;
  actor(environment: KeyEnvironment): Actor;
}

export function keysCommand(environment: Environment): Command {
  const command = new Command('keys').description('create, list and revoke API keys').exitOverride();
  command.addCommand(createCommand(environment));
  command.addCommand(listCommand(environment));
  command.addCommand(revokeCommand(environment));
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
    .option('--allowed-ips <list>', 'comma-separated CIDR blocks', listOption)
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

function revokeCommand(environment: Environment): Command {
  return new Command('revoke')
    .description('end a key for good')
    .argument('<id>', 'the id of the key, key_...')
    .option('--reason <text>', 'for the audit log', 'revoked')
    .option('--workspace <slug>', 'whose key it is', DEFAULT_WORKSPACE)
    .option('--json', 'print JSON')
    .exitOverride()
    .action(async (id: string, options) =>
      withDatabase(environment, options.workspace, async ({ database, keys, actor }) => {
        const row = await database.system.apiKey.findUnique({ where: { id }, select: { environment: true } });
        if (!row) throw notFound('API key', id);
        const revoked = await keys.revoke(actor(row.environment), id, options.reason);
        if (options.json) print(present(revoked));
        else process.stdout.write(`Key ${id} is revoked.\n`);
      }),
    );
}

async function withDatabase(
  environment: Environment,
  slug: string,
  run: (session: Session) => Promise<void>,
): Promise<void> {
  const config = readConfig(environment);
  await migrateDatabase(config);
  const database = await openDatabase(config);
  try {
    const firstKey = await bootstrap(database, config);
    if (firstKey !== undefined) process.stderr.write(`This is the first admin key, shown once:\n\n  ${firstKey}\n\n`);
    const workspace = await database.system.workspace.findUnique({ where: { slug } });
    if (!workspace) throw new ApiError('NOT_FOUND', `No workspace ${JSON.stringify(slug)}.`);
    const owners = await database.system.user.findMany({ where: { workspaceId: workspace.id, role: 'OWNER' } });
    await run({
      database,
      keys: new Keys(database),
      actor: (keyEnvironment) => ({
        workspaceId: workspace.id,
        environment: keyEnvironment,
        keyId: null,
        userId: owners.find((owner) => owner.environment === keyEnvironment)?.id ?? null,
        ip: null,
        userAgent: 'taskgate command line',
        requestId: null,
      }),
    });
  } finally {
    await database.close();
  }
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
    expiresAt: row.expiresAt,
    revokedAt: row.revokedAt,
    createdAt: row.createdAt,
  };
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function environmentOption(value: string): KeyEnvironment {
  const name = value.toUpperCase();
  if (name !== 'LIVE' && name !== 'TEST') throw new InvalidArgumentError('It must be live or test.');
  return name;
}

function listOption(value: string): string[] {
  return value.split(/[\s,]+/).filter(Boolean);
}

function dateOption(value: string): Date {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) throw new InvalidArgumentError('It must be a date such as 2027-01-31T00:00:00Z.');
  return date;
}
