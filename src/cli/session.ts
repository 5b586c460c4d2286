/** What the commands share that work on the database itself, with the operator's rights. */
import { InvalidArgumentError } from 'commander';
import type { Environment, PrismaClient, Workspace } from '#prisma/client.js';
import { type Actor, serverActor } from '../audit/entry.js';
import { type Config, readConfig } from '../config.js';
import { type Database, migrateDatabase, openDatabase, readDatabaseState } from '../db/database.js';
import { sqliteFile } from '../db/sqlite.js';
import { obstacleOf, refuseUnfit } from '../db/state.js';
import { UnitOfWork } from '../db/unitOfWork.js';
import { ApiError } from '../errors.js';
import { ApiKeyService } from '../keys/apiKeyService.js';
import { bootstrap } from '../keys/bootstrap.js';
import { rememberLosses } from '../keys/lossJournal.js';
import { OperationSets } from '../keys/operationSets.js';
import { ScopeGrants } from '../keys/scopeGrants.js';
import { Tightenings } from '../keys/tightening.js';
import type { ProcessVariables } from './processVariables.js';

export interface Session {
  readonly config: Config;
  readonly database: Database;
  readonly units: UnitOfWork;
  readonly keys: ApiKeyService;
  readonly operationSets: OperationSets;
  readonly tightenings: Tightenings;
  readonly scopeGrants: ScopeGrants;
}

export interface WorkspaceSession extends Session {
  readonly workspace: Workspace;
  actor(environment: Environment): Actor;
}

/**
 * Opens the database and closes it afterwards.
 * @param mayCreate whether a database that is not there is made, and an old one brought up to date; else that is refused
 */
export async function withDatabase(
  variables: ProcessVariables,
  mayCreate: boolean,
  run: (session: Session) => Promise<void>,
): Promise<void> {
  const config = readConfig(variables);
  if (mayCreate) await migrateDatabase(config);
  else await mustBeThere(config);
  const database = await openDatabase(config);
  const warn = (error: unknown) => process.stderr.write(`Afterwards: ${String(error)}\n`);
  try {
    await refuseUnfit(database.system);
    if (mayCreate) {
      const firstKey = await bootstrap(database, config);
      if (firstKey !== undefined) process.stderr.write(`This is the first admin key, shown once:\n\n  ${firstKey}\n\n`);
    }
    const units = new UnitOfWork(database, warn);
    const { plans } = config;
    const remember = rememberLosses(config, warn);
    await run({
      ...{ config, database, units },
      keys: new ApiKeyService(units, plans, remember),
      operationSets: new OperationSets(database.system, units, plans, remember),
      tightenings: new Tightenings(units, plans, remember),
      scopeGrants: new ScopeGrants(database.system, units, plans, warn),
    });
  } finally {
    await database.close();
  }
}

async function noWorkspace(system: PrismaClient, slug: string): Promise<string> {
  if ((await system.workspace.count()) > 0) return `No workspace ${JSON.stringify(slug)}.`;
  return 'The database has no workspace yet. The first start makes one: taskgate serve, or taskgate keys create.';
}

/** The same, within a workspace. */
export async function withWorkspace(
  variables: ProcessVariables,
  slug: string,
  mayCreate: boolean,
  run: (session: WorkspaceSession) => Promise<void>,
): Promise<void> {
  await withDatabase(variables, mayCreate, async (session) => {
    const { system } = session.database;
    const workspace = await system.workspace.findUnique({ where: { slug } });
    if (!workspace) throw new ApiError('NOT_FOUND', await noWorkspace(system, slug));
    const owners = await system.user.findMany({ where: { workspaceId: workspace.id, role: 'OWNER' } });
    await run({
      ...session,
      workspace,
      actor: (keyEnvironment) => ({
        ...serverActor({ workspaceId: workspace.id, environment: keyEnvironment }, 'taskgate command line'),
        userId: owners.find((owner) => owner.environment === keyEnvironment)?.id ?? null,
      }),
    });
  });
}

/** Nothing is made by a command that only looks: a name with a slip in it would be a new database with a key of its own. */
async function mustBeThere(config: Config): Promise<void> {
  const state = await readDatabaseState(config);
  const obstacle = obstacleOf(state);
  if (obstacle) throw obstacle;
  if (state.kind === 'empty') {
    const where = config.provider === 'sqlite' ? `at ${sqliteFile(config.databaseUrl)}` : 'of Taskgate there';
    throw new ApiError('NOT_FOUND', `There is no database ${where}. Check DATABASE_URL, or start the server first.`);
  }
  if (state.kind === 'behind') {
    throw new ApiError('CONFLICT', 'The database is of an older version. Run taskgate migrate, or start the server.');
  }
}

export function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function environmentOption(value: string): Environment {
  const name = value.toUpperCase();
  if (name !== 'LIVE' && name !== 'TEST') throw new InvalidArgumentError('It must be live or test.');
  return name;
}

export function numberOption(value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(value);
}
