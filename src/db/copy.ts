/**
 * All data of one database into another, whichever the providers. Rows go over in the order of what refers to what, in
 * batches that are whole or not there, so that a copy that was interrupted goes on where it stopped. At the end both
 * sides are counted and summed.
 */
import { createHash } from 'node:crypto';
import type { PrismaClient } from '#prisma/client.js';
import { ApiError } from '../errors.js';
import type { Database } from './database.js';
import { MODELS } from './datamodel.js';
import { MARKS } from './state.js';

const BATCH = 500;
/** The last digits of the sum of all rows' digests. */
const MODULUS = 1n << 128n;

type Row = Record<string, unknown>;

interface Delegate {
  count(): Promise<number>;
  findMany(args: object): Promise<Row[]>;
  createMany(args: object): Promise<unknown>;
  deleteMany(args: object): Promise<unknown>;
  update(args: object): Promise<unknown>;
  upsert(args: object): Promise<unknown>;
}

interface Model {
  readonly name: string;
  readonly columns: readonly string[];
  readonly json: ReadonlySet<string>;
  readonly keys: readonly string[];
  readonly refersTo: readonly string[];
  /** Columns that refer to the same model: written when all rows are there. */
  readonly own: readonly string[];
}

export interface CopyProgress {
  readonly model: string;
  readonly done: number;
  readonly total: number;
}

export interface CopiedModel {
  readonly model: string;
  readonly rows: number;
  /** The same on both sides. */
  readonly checksum: string;
}

/** @throws ApiError CONFLICT when the target holds data of its own, or when both sides differ at the end */
export async function copyDatabase(
  source: Database,
  target: Database,
  onProgress: (progress: CopyProgress) => void,
): Promise<CopiedModel[]> {
  const mark = await target.system.changeCounter.findUnique({ where: { name: MARKS.copying } });
  if (!mark) {
    if ((await target.system.workspace.count()) > 0) {
      throw new ApiError('CONFLICT', 'The target is not empty. Copy into a new database.');
    }
    await target.system.changeCounter.create({ data: { name: MARKS.copying, value: 1 } });
  }
  const models = inOrder(readModels().filter(({ name }) => !DERIVED.has(name)));
  for (const model of models) await copyModel(model, source.system, target.system, onProgress);
  const copied: CopiedModel[] = [];
  for (const model of models) copied.push(await compare(model, source.system, target.system));
  await target.system.changeCounter.delete({ where: { name: MARKS.copying } });
  return copied;
}

function readModels(): Model[] {
  return Object.entries(MODELS).map(([name, model]) => {
    const scalars = model.fields.filter((field) => field.kind !== 'object');
    const relations = model.fields.filter((field) => (field.relationFromFields ?? []).length > 0);
    return {
      name,
      columns: scalars.map((field) => field.name),
      json: new Set(scalars.filter((field) => field.type === 'Json').map((field) => field.name)),
      keys: model.primaryKey?.fields ?? scalars.filter((field) => field.isId).map((field) => field.name),
      refersTo: relations.filter((field) => field.type !== name).map((field) => field.type),
      own: relations.filter((field) => field.type === name).flatMap((field) => field.relationFromFields ?? []),
    };
  });
}

/** The copy's own mark stands there already. */
const KEPT = new Set(['ChangeCounter']);
/** Rows that the database makes by itself as others come. */
const DERIVED = new Set(['TaskCount']);

/** What is referred to before what refers to it; last, what is there already. */
function inOrder(models: readonly Model[]): Model[] {
  const ordered: Model[] = [];
  const visit = (model: Model) => {
    if (ordered.includes(model)) return;
    for (const name of model.refersTo) {
      const other = models.find((candidate) => candidate.name === name);
      if (other) visit(other);
    }
    ordered.push(model);
  };
  for (const model of models) visit(model);
  return [...ordered.filter(({ name }) => !KEPT.has(name)), ...ordered.filter(({ name }) => KEPT.has(name))];
}

const table = (client: PrismaClient, { name }: Model): Delegate =>
  (client as unknown as Record<string, Delegate>)[name.charAt(0).toLowerCase() + name.slice(1)] as Delegate;

async function copyModel(
  model: Model,
  source: PrismaClient,
  target: PrismaClient,
  onProgress: (progress: CopyProgress) => void,
): Promise<void> {
  const [from, to] = [table(source, model), table(target, model)];
  const total = await from.count();
  if (KEPT.has(model.name)) {
    for await (const rows of batches(model, from)) {
      for (const row of rows) await to.upsert({ where: uniqueOf(model, row), create: row, update: row });
    }
    onProgress({ model: model.name, done: total, total });
    return;
  }
  let after: Row | undefined;
  let done = await to.count();
  if (done > 0 && done < total) {
    if (model.keys.length === 1) {
      [after] = await to.findMany({ orderBy: model.keys.map((key) => ({ [key]: 'desc' })), take: 1 });
    } else {
      // Texts are not in the same order everywhere, so there is no place to go on from.
      await to.deleteMany({});
      done = 0;
    }
  }
  if (done < total) {
    for await (const rows of batches(model, from, after)) {
      await to.createMany({ data: rows.map((row) => insertable(model, row)) });
      done += rows.length;
      onProgress({ model: model.name, done, total });
    }
  }
  for (const column of model.own) {
    for await (const rows of batches(model, from)) {
      for (const row of rows.filter((candidate) => candidate[column] !== null)) {
        await to.update({ where: uniqueOf(model, row), data: { [column]: row[column], ...timestamps(row) } });
      }
    }
  }
  onProgress({ model: model.name, done: total, total });
}

/** An update would set it to now. */
const timestamps = (row: Row) => ('updatedAt' in row ? { updatedAt: row['updatedAt'] } : {});

function uniqueOf({ keys }: Model, row: Row): object {
  const values = Object.fromEntries(keys.map((key) => [key, row[key]]));
  return keys.length === 1 ? values : { [keys.join('_')]: values };
}

/** Without what is null, which is null anyway, and without columns that refer to rows that may not be there yet. */
function insertable({ own }: Model, row: Row): Row {
  return Object.fromEntries(Object.entries(row).filter(([column, value]) => value !== null && !own.includes(column)));
}

async function* batches({ keys }: Model, delegate: Delegate, after?: Row): AsyncGenerator<Row[]> {
  let last = after;
  for (;;) {
    const rows = await delegate.findMany({
      ...(last && { where: { OR: keys.map((key, index) => beyond(keys.slice(0, index), key, last ?? {})) } }),
      orderBy: keys.map((key) => ({ [key]: 'asc' })),
      take: BATCH,
    });
    if (rows.length === 0) return;
    yield rows;
    last = rows.at(-1);
  }
}

function beyond(equal: readonly string[], key: string, last: Row): object {
  // Prisma compares no enum; of these two, both databases have LIVE first.
  const further = key === 'environment' ? { in: last[key] === 'LIVE' ? ['TEST'] : [] } : { gt: last[key] };
  return { ...Object.fromEntries(equal.map((name) => [name, last[name]])), [key]: further };
}

async function compare(model: Model, source: PrismaClient, target: PrismaClient): Promise<CopiedModel> {
  const [from, to] = [await summed(model, table(source, model)), await summed(model, table(target, model))];
  if (from.rows !== to.rows || from.checksum !== to.checksum) {
    throw new ApiError(
      'CONFLICT',
      `${model.name} differs: ${from.rows} rows there, ${to.rows} here. Was the source written to meanwhile? Copy into a new database.`,
    );
  }
  return { model: model.name, ...from };
}

/** Whatever the order: the digests of all rows, added. */
async function summed(model: Model, delegate: Delegate): Promise<{ rows: number; checksum: string }> {
  let sum = 0n;
  let count = 0;
  for await (const rows of batches(model, delegate)) {
    for (const row of rows) {
      if (model.name === 'ChangeCounter' && row['name'] === MARKS.copying) continue;
      const digest = createHash('sha256').update(canonical(row)).digest('hex');
      sum = (sum + BigInt(`0x${digest}`)) % MODULUS;
      count += 1;
    }
  }
  return { rows: count, checksum: sum.toString(16).padStart(32, '0') };
}

/** JSON with the names in order, as PostgreSQL keeps them in one of its own; it has no word for infinities. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, item: unknown) => {
    if (typeof item === 'number' && !Number.isFinite(item)) return `number ${item}`;
    return item !== null && typeof item === 'object' && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item;
  });
}
