/** Which keys may do something, and by which of their grants. */

import { setImmediate } from 'node:timers/promises';
import type { TenantDatabase } from '../db/tenant.js';
import { closest, grantsFor, type Requirement, type ScopeSet, satisfies } from '../scopes/scope.js';
import { KEYS } from './apiKey.js';
import { authorityOf, listOf, type StoredKey, scopesWith } from './authority.js';
import type { RateLimits } from './plans.js';
import { timedGrants } from './scopeGrants.js';
import { withBonds } from './storedKeys.js';

const BATCH = 500;

/** Scopes do not depend on the plan. */
const ANY_PLAN: RateLimits = { perMinute: 1, perHour: null };

export interface KeyAccess {
  readonly key: StoredKey;
  /** Of the key, those that allow it. */
  readonly grants: readonly string[];
}

/** What is asked for: what it needs, and where it is an operation, which one. */
export interface Wanted {
  readonly requirements: readonly Requirement[];
  /** The hash of its normal form. */
  readonly operation?: string | undefined;
}

type Reader = Pick<TenantDatabase, 'apiKey' | 'user' | 'keyOperationSet' | 'keyOperation' | 'scopeGrant'>;

/** The keys that may do it now, oldest first. */
export async function keysThatCan(db: Reader, wanted: Wanted, now: Date, where: object = {}): Promise<KeyAccess[]> {
  const found: KeyAccess[] = [];
  for (let after = ''; ; ) {
    const working = { revokedAt: null, OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] };
    const inGrace = { OR: [{ graceEndsAt: null }, { graceEndsAt: { gt: now } }] };
    const rows = await db.apiKey.findMany({
      where: { AND: [working, inGrace, KEYS, { id: { gt: after } }, where] },
      orderBy: { id: 'asc' },
      take: BATCH,
    });
    for (const key of await withBonds(db, rows, now)) {
      if (allows(key, authorityOf(key, ANY_PLAN).scopes, wanted))
        found.push({ key, grants: grantsThatAllow(key, wanted) });
    }
    after = rows.at(-1)?.id ?? '';
    if (rows.length < BATCH) return found;
    await setImmediate();
  }
}

/** What a key holds now, with what it was granted for a while. */
export async function scopesNow(db: Reader, key: StoredKey, now: Date): Promise<ScopeSet> {
  const grants = await timedGrants(db, key, now);
  return scopesWith(
    key,
    grants.flatMap(({ scopes }) => scopes),
  );
}

/** Whether a key that is locked runs it, and a key with these scopes sees all of it. */
export function allows({ lock }: StoredKey, held: ScopeSet, { requirements, operation }: Wanted): boolean {
  if (lock && operation !== undefined && !lock.has(operation)) return false;
  return requirements.every((requirement) => satisfies(held, requirement));
}

function grantsThatAllow({ scopes }: StoredKey, { requirements }: Wanted): string[] {
  const grants = listOf(scopes);
  const held = new Set(grants);
  const needed = requirements.flatMap((requirement) => closest(new Set(), requirement).required);
  const allowing = new Set(needed.flatMap((scope) => grantsFor(scope).filter((grant) => held.has(grant))));
  return grants.filter((grant) => allowing.has(grant));
}
