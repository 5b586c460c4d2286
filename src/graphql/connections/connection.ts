/** From arguments to a Relay connection, for every list in the schema. */
import { queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
import type { Context } from '../context.js';
import { cursorColumns, type OrderBy, type PageArgs, pageOf, planPage } from './keyset.js';

interface ConnectionOptions<Row> {
  readonly args: PageArgs;
  readonly order: readonly OrderBy[];
  /** What the rows must satisfy, apart from the page. */
  readonly where: object;
  readonly context: Context;
  readonly info: GraphQLResolveInfo;
  readonly find: (query: never) => PromiseLike<readonly Row[]>;
  readonly count: (query: never) => PromiseLike<number>;
}

/** Loads one page with all that is selected below it; counts only when totalCount is asked for. */
export async function resolveConnection<Row extends object>(options: ConnectionOptions<Row>) {
  const { args, context, info, where } = options;
  const plan = planPage(args, options.order);
  const query = queryFromInfo({
    context,
    info,
    select: cursorColumns(plan),
    paths: [['nodes'], ['edges', 'node']],
  });
  const rows = await options.find({
    ...query,
    where: { AND: [where, ...plan.where] },
    orderBy: plan.orderBy,
    take: plan.take,
    ...(plan.skip > 0 && { skip: plan.skip }),
  } as never);
  return {
    ...pageOf(plan, args, rows),
    totalCount: async () => options.count({ where } as never),
  };
}
