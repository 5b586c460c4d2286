/** All keys that work, each with what it was used for, by risk. Read in batches, between which others have their turn. */

import { setImmediate } from 'node:timers/promises';
import type { ApiKey } from '#prisma/client.js';
import type { TenantDatabase } from '../db/tenant.js';
import { badInput } from '../errors.js';
import { KEYS } from './apiKey.js';
import { authorityOf, type StoredKey } from './authority.js';
import type { Plan } from './plans.js';
import { type KeyUse, type Review, reviewKey } from './review.js';
import { lineageOf, withBonds } from './storedKeys.js';
import { since } from './usage.js';

/** Of whose use is looked at. */
export const MOST_DAYS = 400;
/** Keys of one batch. */
const BATCH = 200;
/** Keys that are looked at: as many as a workspace has that work. */
const MOST = 10_000;

export interface ReviewedKey extends Review {
  readonly key: StoredKey;
  readonly use: KeyUse;
}

type Reader = Pick<
  TenantDatabase,
  'apiKey' | 'apiKeyUsage' | 'apiKeyLastUse' | 'user' | 'keyOperationSet' | 'keyOperation'
>;

interface Options {
  readonly days: number;
  readonly now: Date;
  readonly plan: Plan;
}

/**
 * Those with the most to say first.
 * @param where which keys, besides that they work
 * @throws BAD_USER_INPUT for days that are none
 */
export async function reviewKeys(db: Reader, options: Options, where: object = {}): Promise<ReviewedKey[]> {
  const { now, days } = options;
  if (!Number.isInteger(days) || days < 1 || days > MOST_DAYS) {
    throw badInput({ days: [`must be from 1 to ${MOST_DAYS}`] });
  }
  const working = { revokedAt: null, OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] };
  const reviewed: ReviewedKey[] = [];
  for (let after = ''; reviewed.length < MOST; ) {
    const rows = await db.apiKey.findMany({
      where: {
        AND: [
          working,
          KEYS,
          { OR: [{ graceEndsAt: null }, { graceEndsAt: { gt: now } }] },
          { id: { gt: after } },
          where,
        ],
      },
      orderBy: { id: 'asc' },
      take: BATCH,
    });
    reviewed.push(...(await reviewBatch(db, rows, options)));
    after = rows.at(-1)?.id ?? '';
    if (rows.length < BATCH) break;
    await setImmediate();
  }
  return reviewed.sort((a, b) => b.score - a.score || (a.key.id < b.key.id ? -1 : 1));
}

async function reviewBatch(db: Reader, rows: readonly ApiKey[], { days, now, plan }: Options): Promise<ReviewedKey[]> {
  const keys = await withBonds(db, rows, now);
  const keyIds = keys.map(({ id }) => id);
  const from = since(days, now);
  const where = { keyId: { in: keyIds }, day: { gte: from } };
  const named = await db.apiKeyUsage.groupBy({
    by: ['keyId', 'dimension', 'value'],
    where: { ...where, dimension: { in: ['scope', 'project', 'network'] } },
  });
  const totals = await db.apiKeyUsage.groupBy({
    by: ['keyId'],
    where: { ...where, dimension: 'total' },
    _sum: { count: true },
    _max: { count: true },
  });
  const lastUses = await db.apiKeyLastUse.findMany({
    where: { keyId: { in: keyIds } },
    select: { keyId: true, at: true },
  });
  const ran = await operationsThatRan(db, keys, new Date(`${from}T00:00:00Z`));
  return keys.map((key) => {
    const names = (dimension: string) =>
      new Set(named.flatMap((one) => (one.keyId === key.id && one.dimension === dimension ? one.value : [])));
    const total = totals.find(({ keyId }) => keyId === key.id);
    const use: KeyUse = {
      requests: total?._sum.count ?? 0,
      busiestDay: total?._max.count ?? 0,
      ...{ scopes: names('scope'), projects: names('project'), networks: names('network') },
      lastUsedAt: lastUses.find(({ keyId }) => keyId === key.id)?.at ?? null,
      operations: ran.get(lineageOf(key)) ?? new Set(),
    };
    return { key, use, ...reviewKey(key, authorityOf(key, plan), use, { days, now }) };
  });
}

/** By lineage, the hashes of operations that ran. */
async function operationsThatRan(
  db: Reader,
  keys: readonly StoredKey[],
  from: Date,
): Promise<Map<string, Set<string>>> {
  const lineages = keys.filter(({ lock }) => lock !== null).map(lineageOf);
  const ran = new Map<string, Set<string>>();
  if (lineages.length === 0) return ran;
  const sets = await db.keyOperationSet.findMany({
    where: { lineageId: { in: lineages } },
    select: { id: true, lineageId: true },
  });
  const rows = await db.keyOperation.findMany({
    where: { setId: { in: sets.map(({ id }) => id) }, lastUsedAt: { gte: from } },
    select: { setId: true, hash: true },
  });
  const lineageOfSet = new Map(sets.map(({ id, lineageId }) => [id, lineageId]));
  for (const { setId, hash } of rows) {
    const lineage = lineageOfSet.get(setId) ?? '';
    ran.set(lineage, (ran.get(lineage) ?? new Set()).add(hash));
  }
  return ran;
}
