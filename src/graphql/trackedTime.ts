/** How long tasks were worked on, of all that one request asks for by one statement. */
import DataLoader from 'dataloader';
import type { Context } from './context.js';

const loaders = new WeakMap<Context, DataLoader<string, number>>();

/** Seconds, by the id of the task. */
export function trackedSeconds(context: Context): DataLoader<string, number> {
  let loader = loaders.get(context);
  if (!loader) {
    loader = new DataLoader(async (ids) => {
      const sums = await sumsOf(context, ids);
      return ids.map((id) => sums.get(id) ?? 0);
    });
    loaders.set(context, loader);
  }
  return loader;
}

async function sumsOf({ db }: Context, ids: readonly string[]): Promise<Map<string, number>> {
  const where = { taskId: { in: [...ids] }, seconds: { not: null } };
  const sums = await db.timeEntry.groupBy({ by: ['taskId'], where, _sum: { seconds: true } });
  return new Map(sums.map(({ taskId, _sum }) => [taskId, _sum.seconds ?? 0]));
}
