/**
 * Isolation, in one place. A tenant database is a Prisma client that adds workspace and environment to every query
 * and every row it writes, and refuses what it cannot bind: raw SQL, nested writes, and models of no workspace.
 * Ids of other rows (a task's project, its assignee) must exist in the same workspace and environment.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { LRUCache } from 'lru-cache';
import type { Environment, PrismaClient } from '#prisma/client.js';
import { notFound } from '../errors.js';
import { getDatamodel } from './generated/pothos.js';
import { type TakeNumber, takeNumberWithin } from './taskNumbers.js';

export interface Tenant {
  readonly workspaceId: string;
  readonly environment: Environment;
}

/** The client without what could leave its tenant. */
export type TenantDatabase = Omit<
  PrismaClient,
  | '$queryRaw'
  | '$queryRawUnsafe'
  | '$executeRaw'
  | '$executeRawUnsafe'
  | '$extends'
  | '$connect'
  | '$disconnect'
  | '$on'
  | '$transaction'
> & {
  $transaction<T>(run: (transaction: TenantTransaction) => Promise<T>): Promise<T>;
  /** A transaction that makes a task, with the number for it. */
  $numbered<T>(run: (transaction: TenantTransaction, number: number) => Promise<T>): Promise<T>;
};
export type TenantTransaction = Omit<TenantDatabase, '$transaction' | '$numbered'>;

/** Foreign keys that no caller can name: they come from the context, or from a row just written beside. */
const TRUSTED_KEYS = new Set(['createdById', 'createdByKeyId', 'successorId', 'TaskTag.taskId']);

interface ModelShape {
  readonly hasEnvironment: boolean;
  readonly hasWorkspace: boolean;
  readonly relations: ReadonlySet<string>;
  /** column -> the model it refers to */
  readonly foreignKeys: ReadonlyMap<string, string>;
}

const models: ReadonlyMap<string, ModelShape> = new Map(
  Object.entries(getDatamodel().datamodel.models).map(([name, model]) => {
    const columns = new Set(model.fields.map((field) => field.name));
    const relations = model.fields.filter((field) => field.kind === 'object');
    return [
      name,
      {
        hasWorkspace: columns.has('workspaceId'),
        hasEnvironment: columns.has('environment'),
        relations: new Set(relations.map((field) => field.name)),
        foreignKeys: new Map(
          relations.flatMap((field) =>
            (field.relationFromFields ?? [])
              .filter((column) => !TRUSTED_KEYS.has(column) && !TRUSTED_KEYS.has(`${name}.${column}`))
              .map((column) => [column, field.type] as const),
          ),
        ),
      },
    ];
  }),
);

/** What a request adds to each of its transactions, before they are committed. */
const lastStep = new AsyncLocalStorage<(tx: TenantTransaction) => Promise<void>>();

export function withLastStep<T>(step: (tx: TenantTransaction) => Promise<void>, run: () => Promise<T>): Promise<T> {
  return lastStep.run(step, run);
}

const MAX_TENANTS = 1000;

/** Gives each tenant its client; made once, and kept while it is in use. */
export function tenantDatabases(
  client: PrismaClient,
  takeNumber: TakeNumber | undefined,
): (tenant: Tenant) => TenantDatabase {
  const cache = new LRUCache<string, TenantDatabase>({ max: MAX_TENANTS });
  return (tenant) => {
    const name = `${tenant.environment}:${tenant.workspaceId}`;
    let database = cache.get(name);
    if (!database) {
      database = bind(client, tenant, takeNumber);
      cache.set(name, database);
    }
    return database;
  };
}

type Args = Record<string, unknown>;

function bind(client: PrismaClient, tenant: Tenant, takeNumber: TakeNumber | undefined): TenantDatabase {
  // What an open transaction checks, it checks inside: a second connection could wait for the first for ever.
  const open = new AsyncLocalStorage<TenantTransaction>();
  const extended = client.$extends({
    name: 'tenant',
    query: {
      async $allOperations({ model, operation, args, query }) {
        const shape = model === undefined ? undefined : models.get(model);
        if (!model || !shape?.hasWorkspace || !shape.hasEnvironment) {
          throw new Error(`${model ?? 'raw'}.${operation} cannot be bound to a workspace and an environment`);
        }
        const bound = bindArguments(shape, operation, (args ?? {}) as Args, tenant);
        const reader = open.getStore() ?? (extended as unknown as TenantTransaction);
        await checkForeignKeys(reader, shape, bound);
        return query(bound);
      },
    },
  });
  const transaction = extended.$transaction.bind(extended) as unknown as TenantDatabase['$transaction'];
  const bound: TenantDatabase['$transaction'] = (run) =>
    transaction((tx) =>
      open.run(tx, async () => {
        const result = await run(tx);
        await lastStep.getStore()?.(tx);
        return result;
      }),
    );
  const numbered: TenantDatabase['$numbered'] = async (run) => {
    const number = await takeNumber?.(tenant);
    return bound(async (tx) => run(tx, number ?? (await takeNumberWithin(tx, tenant))));
  };
  // Defined, not assigned: an assignment would reach the client below.
  return Object.create(extended, { $transaction: { value: bound }, $numbered: { value: numbered } }) as TenantDatabase;
}

function bindArguments(shape: ModelShape, operation: string, args: Args, tenant: Tenant): Args {
  const bound: Args = { ...args };
  const { workspaceId, environment } = tenant;
  const own = (data: unknown) => ({ ...writable(shape, data), workspaceId, environment });
  switch (operation) {
    case 'create':
      bound['data'] = own(args['data']);
      return bound;
    case 'createMany':
    case 'createManyAndReturn':
      bound['data'] = (Array.isArray(args['data']) ? args['data'] : [args['data']]).map(own);
      return bound;
    case 'upsert':
      bound['create'] = own(args['create']);
      bound['update'] = writable(shape, args['update']);
      break;
    case 'update':
    case 'updateMany':
    case 'updateManyAndReturn':
      bound['data'] = writable(shape, args['data']);
      break;
    case 'findUnique':
    case 'findUniqueOrThrow':
    case 'findFirst':
    case 'findFirstOrThrow':
    case 'findMany':
    case 'count':
    case 'aggregate':
    case 'groupBy':
    case 'delete':
    case 'deleteMany':
      break;
    default:
      throw new Error(`${operation} cannot be bound to a workspace`);
  }
  bound['where'] = { ...(args['where'] as Args | undefined), workspaceId, environment };
  return bound;
}

/** Data without the columns that say whose row it is. A nested write would escape the binding, so it is refused. */
function writable(shape: ModelShape, data: unknown): Args {
  const { workspaceId: _workspace, environment: _environment, ...rest } = data as Args;
  for (const field of Object.keys(rest)) {
    if (shape.relations.has(field)) throw new Error(`nested write to ${field} cannot be bound to a workspace`);
  }
  return rest;
}

async function checkForeignKeys(reader: TenantTransaction, shape: ModelShape, args: Args): Promise<void> {
  for (const [column, model] of shape.foreignKeys) {
    const ids = new Set<string>();
    for (const data of [args['data'], args['create'], args['update']].flat()) {
      const value = (data as Args | undefined)?.[column];
      if (typeof value === 'string') ids.add(value);
    }
    for (const id of ids) {
      const delegate = (reader as unknown as Record<string, { count(args: Args): Promise<number> }>)[lowerFirst(model)];
      // Bound to the tenant like every other query.
      if ((await delegate?.count({ where: { id } })) !== 1) throw notFound(words(model), id);
    }
  }
}

const lowerFirst = (name: string) => name.charAt(0).toLowerCase() + name.slice(1);
const words = (model: string) => (model === 'ApiKey' ? 'API key' : lowerFirst(model));
