/**
 * A second PostgreSQL that follows the first. It is read by GraphQL queries alone: a mutation reads what it wrote, and
 * what decides about keys must not be late. Where its connection is lost, the first one answers.
 */
import type { SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { AsyncValue } from './asyncValue.js';
import { isConnectionLost } from './databaseError.js';

const mayBeLate = new AsyncValue<true>();

/** Runs with the replica for what it reads. */
export function readingFromReplica<T>(run: () => T): T {
  return mayBeLate.run(true, run);
}

/** Milliseconds in which a replica that failed is not asked again. */
const PAUSE = 1000;

export function withReplica(
  primary: SqlDriverAdapterFactory,
  replica: SqlDriverAdapterFactory,
): SqlDriverAdapterFactory {
  return {
    provider: primary.provider,
    adapterName: primary.adapterName,
    async connect() {
      const [first, second] = [await primary.connect(), await replica.connect()];
      const query = first.queryRaw.bind(first);
      const dispose = first.dispose.bind(first);
      let notBefore = 0;
      first.queryRaw = async (sql) => {
        const late = mayBeLate.get() === true && Date.now() >= notBefore && /^\s*select\b/i.test(sql.sql);
        if (!late) return query(sql);
        try {
          return await second.queryRaw(sql);
        } catch (error) {
          // What the replica refused or cancelled, the first one would have to do all over again.
          if (!isConnectionLost(error)) throw error;
          notBefore = Date.now() + PAUSE;
          return query(sql);
        }
      };
      first.dispose = async () => {
        await second.dispose();
        await dispose();
      };
      return first;
    },
  };
}
