/** From arguments to a Relay connection, for every list in the schema. */
import { queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
import type { Context } from '../context.js';
import { cursorColumns, type OrderBy, type PageArgs, pageOf, planPage } from './keyset.js';

/** A model of the tenant-bound client. */
interface Rows {
  findMany(query: object): PromiseLike<object[]>;
  count(query: object): PromiseLike<number>;
  aggregate(query: object): PromiseLike<{ readonly _sum: Readonly<Record<string, number | null>> }>;
}

/** A count that the database keeps: the sum of a column over the rows of a model that are within reach. */
export interface KeptCount {
  readonly model: string;
  readonly column: string;
}

/** Among which rows those of a list are. */
export interface Narrowed {
  readonly where: object;
  /** Whether these are the rows of the page, and no others. */
  readonly isPage?: boolean;
}

/** The rows that a list asks for, and the page of them. */
export interface List {
  /** As the datamodel has it. */
  readonly model: string;
  readonly args: PageArgs;
  readonly order: readonly OrderBy[];
  /** What the rows must satisfy, apart from the page. */
  readonly where: object;
  /** By default the rows that satisfy `where` are counted. */
  readonly count?: KeptCount | undefined;
  /**
   * Which rows an index has, of which those that satisfy `where` are some; undefined: it does not tell.
   * @param isForPage whether only the page is read: these may be its rows alone
   */
  readonly narrow?: ((isForPage?: boolean) => Promise<Narrowed | undefined>) | undefined;
  /**
   * Reads the rows of its page.
   * @param read reads them of those that satisfy a condition besides, or of all; undefined where the page is not sooner found so
   */
  readonly soon?: (<Row>(read: (within?: object) => Promise<Row[]>) => Promise<Row[]>) | undefined;
}

interface ConnectionOptions extends List {
  readonly context: Context;
  readonly info: GraphQLResolveInfo;
}

/** Loads one page with all that is selected below it; counts only when totalCount is asked for. */
export async function resolveConnection(options: ConnectionOptions) {
  const { model, args, order, context, info, count } = options;
  const narrowed = await options.narrow?.();
  const where = narrowed ? { AND: [options.where, narrowed.where] } : options.where;
  const rows = rowsOf(context, model);
  const plan = planPage(args, order);
  const query = queryFromInfo({
    context,
    info,
    select: cursorColumns(plan),
    paths: [['nodes'], ['edges', 'node']],
  });
  const found = await rows.findMany({
    ...query,
    where: { AND: [where, ...plan.where] },
    orderBy: plan.orderBy,
    take: plan.take,
    ...(plan.skip > 0 && { skip: plan.skip }),
  });
  return {
    ...pageOf(plan, args, found),
    totalCount: async () => (count ? sumOf(context, count) : rows.count({ where })),
  };
}

function rowsOf({ db }: Context, model: string): Rows {
  const rows = (db as unknown as Record<string, Rows>)[model.charAt(0).toLowerCase() + model.slice(1)];
  if (!rows) throw new Error(`no model ${model}`);
  return rows;
}

async function sumOf(context: Context, { model, column }: KeptCount): Promise<number> {
  const { _sum } = await rowsOf(context, model).aggregate({ _sum: { [column]: true } });
  return _sum[column] ?? 0;
}
