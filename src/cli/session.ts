/** What the commands share that work on the database itself, with the operator's rights. */
import { InvalidArgumentError } from 'commander';
import type { Environment as KeyEnvironment } from '#prisma/client.js';
import { readConfig } from '../config.js';
import { type Database, migrateDatabase, openDatabase } from '../db/database.js';
import { ApiError } from '../errors.js';
import type { Actor } from '../events/audit.js';
import { bootstrap } from '../keys/bootstrap.js';
import { Keys } from '../keys/keys.js';
import type { Environment } from './program.js';

export interface Session {
  readonly database: Database;
  readonly keys: Keys;
  actor(environment: KeyEnvironment): Actor;
}

/** Opens the database, brought up to date, and closes it afterwards. */
export async function withDatabase(
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

export function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function environmentOption(value: string): KeyEnvironment {
  const name = value.toUpperCase();
  if (name !== 'LIVE' && name !== 'TEST') throw new InvalidArgumentError('It must be live or test.');
  return name;
}
