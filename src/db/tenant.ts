/**
 * Isolation, in one place. A tenant database is a Prisma client that adds the workspace, and the environments that it
 * reaches, to every query and row, and refuses what it cannot bind: raw SQL, nested writes, models of no workspace.
 * Ids of other rows (a task's project, its assignee) must exist in the same workspace and environment.
 * It writes within a unit of work alone (unitOfWork.ts).
 */
import { LRUCache } from 'lru-cache';
import type { Environment, PrismaClient } from '#prisma/client.js';
import type { ProjectBound } from '../audit/entry.js';
import { notFound } from '../errors.js';
import { AsyncValue } from './asyncValue.js';
import { MODELS } from './datamodel.js';
import {
  mustBeImplied,
  mustStayWithin,
  noteProjects,
  projectColumn,
  projectCondition,
  tasksOf,
  toldProjects,
} from './projectReach.js';
import { conjunctsOf } from './taggedTasks.js';

export interface Tenant {
  readonly workspaceId: string;
  readonly environment: Environment;
}

/**
 * Whose rows a client reaches. `tenant`: of one environment. `keys`: the same, and API keys with what belongs to them of
 * both environments, for an administrator of live. `workspace`: of both environments, for changes of keys.
 */
export type Reach = Tenant & {
  readonly kind?: 'tenant' | 'keys' | 'workspace';
  /** Of these, the rows of some projects alone. */
  readonly bound?: ProjectBound | undefined;
};

/** The same for the same rows. */
export function nameOfReach({ kind = 'tenant', workspaceId, environment, bound }: Reach): string {
  const name = `${kind}:${kind === 'workspace' ? '' : environment}:${workspaceId}`;
  return bound ? `${name}:${bound.keyId}:${bound.projects.join()}` : name;
}

/** The client without what could leave its tenant. */
export type TenantTransaction = Omit<
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
>;
export type TenantDatabase = TenantTransaction & {
  /** For units of work alone. */
  $transaction<T>(
    run: (transaction: TenantTransaction) => Promise<T>,
    options?: { readonly timeout?: number },
  ): Promise<T>;
};

const BOTH: readonly Environment[] = ['LIVE', 'TEST'];
const KEY_MODELS = new Set([
  ...['ApiKey', 'ApiKeyLastUse', 'ApiKeyUsage', 'ApiKeyNetwork'],
  ...['KeyOperationSet', 'KeyOperation', 'ScopeGrant', 'KeyTightening'],
]);

/** Foreign keys that no caller can name: they come from the context, or from a row just written beside. */
const SERVER_SET_COLUMNS = new Set([
  ...['createdById', 'createdByKeyId', 'successorId', 'User.personId', 'TaskTag.taskId', 'TaskTag.labelId'],
  // One of the states of the project, which were read for it.
  'Task.stateId',
  'TrashRow.itemId',
  ...['Notification.taskId', 'Notification.userId', 'Notification.senderId', 'TimeEntry.userId'],
]);

interface ModelShape {
  readonly hasEnvironment: boolean;
  readonly hasWorkspace: boolean;
  /** field -> what it refers to */
  readonly relations: ReadonlyMap<string, { readonly model: string; readonly isList: boolean }>;
  /** column -> the model it refers to */
  readonly foreignKeys: ReadonlyMap<string, string>;
}

const models: ReadonlyMap<string, ModelShape> = new Map(
  Object.entries(MODELS).map(([name, model]) => {
    const columns = new Set(model.fields.map((field) => field.name));
    const relations = model.fields.filter((field) => field.kind === 'object');
    return [
      name,
      {
        hasWorkspace: columns.has('workspaceId'),
        hasEnvironment: columns.has('environment'),
        relations: new Map(relations.map(({ name, type, isList }) => [name, { model: type, isList }])),
        foreignKeys: new Map(
          relations.flatMap((field) =>
            (field.relationFromFields ?? [])
              .filter((column) => !SERVER_SET_COLUMNS.has(column) && !SERVER_SET_COLUMNS.has(`${name}.${column}`))
              .map((column) => [column, field.type] as const),
          ),
        ),
      },
    ];
  }),
);

const MAX_TENANTS = 1000;

/** The transaction that is open: what it checks, it checks inside, for a second connection could wait for it for ever. */
const openTransaction = new AsyncValue<TenantTransaction>();
const unbound = new AsyncValue<true>();

/** For statements of src/db that concern no tenant, within the transaction of one: locks, change counters. */
export function withoutBinding<T>(run: () => PromiseLike<T>): Promise<T> {
  return unbound.run(true, async () => run());
}

/** Gives each tenant its client; made once, and kept while it is in use. */
export function tenantDatabases(client: PrismaClient): (reach: Reach) => TenantDatabase {
  const cache = new LRUCache<string, TenantDatabase>({ max: MAX_TENANTS });
  return (reach) => {
    const name = nameOfReach(reach);
    let database = cache.get(name);
    if (!database) {
      const { kind = 'tenant', workspaceId, environment, bound } = reach;
      database = bind(client, { kind, workspaceId, environment, bound });
      cache.set(name, database);
    }
    return database;
  };
}

/**
 * The rows of a model that satisfy a condition and are within reach, as a Prisma `where`: what the tenant client asks.
 * @throws Error for a model of no workspace
 */
export function boundWhere(reach: Reach, model: string, where: object): Args {
  const shape = models.get(model);
  if (!shape?.hasWorkspace || !shape.hasEnvironment) throw new Error(`${model} cannot be bound to a workspace`);
  return bindArguments(model, shape, 'findMany', { where }, reach)['where'] as Args;
}

function environmentsOf(model: string, { kind, environment }: Reach): readonly Environment[] {
  if (kind === 'workspace' || (kind === 'keys' && KEY_MODELS.has(model))) return BOTH;
  return [environment];
}

type Args = Record<string, unknown>;

const WRITES = new Set(
  ['create', 'update', 'delete'].flatMap((verb) => [verb, `${verb}Many`, `${verb}ManyAndReturn`]).concat('upsert'),
);

const ANSWERS_ROWS = /^(?:find\w+|create|update|upsert|delete|\w+AndReturn)$/;

function bind(client: PrismaClient, reach: Reach): TenantDatabase {
  const extended = client.$extends({
    name: 'tenant',
    query: {
      async $allOperations({ model, operation, args, query }) {
        if (unbound.get()) return query(args);
        const shape = model === undefined ? undefined : models.get(model);
        if (!model || !shape?.hasWorkspace || !shape.hasEnvironment) {
          throw new Error(`${model ?? 'raw'}.${operation} cannot be bound to a workspace and an environment`);
        }
        const open = openTransaction.get();
        if (!open && WRITES.has(operation)) throw new Error(`${model}.${operation} outside of a unit of work`);
        const bound = bindArguments(model, shape, operation, (args ?? {}) as Args, reach);
        await checkForeignKeys(open ?? (extended as unknown as TenantTransaction), shape, bound);
        if (!reach.bound) return query(bound);
        const column = projectColumn(model);
        if (column && ANSWERS_ROWS.test(operation)) {
          const selected = bound['select'] as Args | undefined;
          const rows = await query(selected ? { ...bound, select: { ...selected, [column]: true } } : bound);
          noteProjects([rows].flat().map((row) => (row as Args | null)?.[column]));
          return rows;
        }
        // What a change reads for itself is said by its entries in the audit log.
        if (open) return query(bound);
        const tasks = tasksOf(model);
        if (tasks.length > 0 && ANSWERS_ROWS.test(operation)) {
          const rows = await query(tasks.reduce(withTask, bound));
          const tasksIn = [rows].flat().flatMap((row) => tasks.map((name) => (row as Args | null)?.[name]));
          noteProjects(tasksIn.map((task) => (task as Args | null | undefined)?.['projectId']));
          return rows;
        }
        const answer = await query(bound);
        const isNothing = answer === 0 || answer === null || (Array.isArray(answer) && answer.length === 0);
        const all = conjunctsOf(((args as Args | undefined)?.['where'] as Args | undefined) ?? {});
        if (!isNothing) noteProjects(toldProjects(model, all, reach.bound));
        return answer;
      },
    },
  });
  const transaction = extended.$transaction.bind(extended) as unknown as TenantDatabase['$transaction'];
  const inside: TenantDatabase['$transaction'] = (run, options) =>
    transaction((tx) => openTransaction.run(tx, () => run(tx)), options);
  // Defined, not assigned: an assignment would reach the client below.
  return Object.create(extended, { $transaction: { value: inside } }) as TenantDatabase;
}

/** The arguments, with the project of a task of each row. @param relation by which the row has it */
function withTask(args: Args, relation: string): Args {
  const part = args['select'] ? 'select' : 'include';
  const wanted = args[part] as Args | undefined;
  const task = wanted?.[relation];
  const inner = (typeof task === 'object' && task !== null ? task : {}) as Args;
  const isWhole = task === true || (task !== undefined && !inner['select']);
  const selected = isWhole ? task : { ...inner, select: { ...(inner['select'] as Args | undefined), projectId: true } };
  return { ...args, [part]: { ...wanted, [relation]: selected } };
}

function bindArguments(model: string, shape: ModelShape, operation: string, args: Args, reach: Reach): Args {
  const { workspaceId, bound: projects } = reach;
  const environments = environmentsOf(model, reach);
  const bound: Args = projects ? boundSelection(model, shape, args, projects) : { ...args };
  const [only] = environments.length === 1 ? environments : [];
  const own = (data: unknown) => {
    if (projects) mustStayWithin(projects, model, data as Args, true);
    return { ...writable(shape, data), workspaceId, environment: only ?? stated(data) };
  };
  const changed = (data: unknown) => {
    if (projects) mustStayWithin(projects, model, data as Args, false);
    return writable(shape, data);
  };
  const stated = (data: unknown): Environment => {
    const environment = (data as { environment?: Environment }).environment;
    if (environment === undefined || !environments.includes(environment)) throw new Error('of which environment?');
    return environment;
  };
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
      bound['update'] = changed(args['update']);
      break;
    case 'update':
    case 'updateMany':
    case 'updateManyAndReturn':
      bound['data'] = changed(args['data']);
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
  const where = args['where'] as Args | undefined;
  const conditions = [
    ...(only ? [] : [{ environment: { in: environments } }]),
    ...(projects ? [projectCondition(model, projects)] : []),
  ];
  bound['where'] = {
    ...where,
    workspaceId,
    ...(only && { environment: only }),
    ...(conditions.length > 0 && { AND: [where?.['AND'] ?? [], ...conditions].flat() }),
  };
  return bound;
}

/** What is selected of related rows, within the projects as well; workspace and environment are those of the row. */
function boundSelection(model: string, shape: ModelShape, args: Args, projects: ProjectBound): Args {
  const bound: Args = { ...args };
  for (const part of ['select', 'include'] as const) {
    const selected = args[part] as Args | undefined;
    if (!selected) continue;
    bound[part] = Object.fromEntries(
      Object.entries(selected).map(([field, wanted]) => {
        if (field === '_count' && wanted) return [field, boundCounts(shape, wanted as Args | true, projects)];
        const relation = shape.relations.get(field);
        if (!relation || !wanted) return [field, wanted];
        if (!relation.isList) mustBeImplied(model, field, relation.model);
        const other = models.get(relation.model);
        if (!other) throw new Error(`no model ${relation.model}`);
        const inner = boundSelection(relation.model, other, wanted === true ? {} : (wanted as Args), projects);
        if (!relation.isList) return [field, Object.keys(inner).length > 0 ? inner : true];
        return [
          field,
          { ...inner, where: { AND: [inner['where'] ?? {}, projectCondition(relation.model, projects)] } },
        ];
      }),
    );
  }
  return bound;
}

function boundCounts(shape: ModelShape, counts: Args | true, projects: ProjectBound): Args {
  const selected = counts === true ? undefined : (counts['select'] as Args | undefined);
  if (!selected) throw new Error('which related rows are counted?');
  return {
    select: Object.fromEntries(
      Object.entries(selected).map(([field, wanted]) => {
        const relation = shape.relations.get(field);
        if (!relation || !wanted) return [field, wanted];
        const where = wanted === true ? {} : ((wanted as Args)['where'] ?? {});
        return [field, { where: { AND: [where, projectCondition(relation.model, projects)] } }];
      }),
    ),
  };
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
      if ((await delegate?.count({ where: { id } })) !== 1) throw notFoundRow(model, id);
    }
  }
}

const lowerFirst = (name: string) => name.charAt(0).toLowerCase() + name.slice(1);
/** @param model as the datamodel has it */
export const notFoundRow = (model: string, id: string) => notFound(words(model), id);

/** The rows of the same tenant that a new row refers to, as far as a caller can name them. */
export function referredTo(model: string, row: Args): { model: string; id: string }[] {
  return [...(models.get(model)?.foreignKeys ?? [])].flatMap(([column, other]) => {
    const id = row[column];
    return typeof id === 'string' ? [{ model: other, id }] : [];
  });
}

const words = (model: string) => (model === 'ApiKey' ? 'API key' : lowerFirst(model));
