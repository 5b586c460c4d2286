/**
 * A change of keys under way: one unit of work over both environments, in which changes of one workspace go on one after
 * another, and ask for the caller anew, so that a key that is being ended or narrowed gives nothing any more.
 */
import type { ApiKey, Environment } from '#prisma/client.js';
import type { Actor } from '../audit/entry.js';
import { seesKey } from '../db/projectReach.js';
import { noteScopes } from '../db/reader.js';
import type { Unit, UnitOfWork } from '../db/unitOfWork.js';
import { ApiError, notFound, UNAUTHENTICATED_MESSAGE } from '../errors.js';
import { scopeSet } from '../scopes/scope.js';
import { keyStatus } from './apiKey.js';
import { authorityOf, listOf, type Narrowing, reachesEnvironment, type StoredKey } from './authority.js';
import type { Plans } from './plans.js';
import { type Bound, mayChange, outOfReach, type Policy } from './rules.js';
import { withBonds } from './storedKeys.js';

/** Whose authority bounds a change: a key, perhaps by one of its access tokens, or the operator at the command line. */
export type Caller = 'operator' | { readonly keyId: string; readonly token?: Narrowing | undefined };

export interface KeyUnit {
  readonly unit: Unit;
  /** The calling key; undefined: the operator. */
  readonly key: StoredKey | undefined;
  readonly bound: Bound;
  readonly policy: Policy;
  /** The environments whose keys the caller reaches. */
  readonly environments: readonly Environment[];
}

export class KeyUnits {
  constructor(
    private readonly units: UnitOfWork,
    private readonly plans: Plans,
  ) {}

  /** A change of keys, which all processes hear of. @param long it may touch many rows */
  async run<T>(actor: Actor, caller: Caller, run: (context: KeyUnit) => Promise<T>, long = false): Promise<T> {
    return this.units.run(
      actor,
      async (unit) => {
        const result = await run(await this.context(unit, caller));
        unit.keysChanged();
        return result;
      },
      { reach: 'workspace', long },
    );
  }

  /** The same for what changes no key. */
  async look<T>(actor: Actor, caller: Caller, run: (context: KeyUnit) => Promise<T>): Promise<T> {
    return this.units.run(actor, async (unit) => run(await this.context(unit, caller)), { reach: 'workspace' });
  }

  /** @throws UNAUTHENTICATED when the calling key may not be used any more */
  async context(unit: Unit, caller: Caller): Promise<KeyUnit> {
    const plan = this.plans.of(await unit.lockWorkspace());
    const policy = { now: unit.now, plan };
    if (caller === 'operator') {
      return { unit, key: undefined, policy, bound: caller, environments: ['LIVE', 'TEST'] };
    }
    const row = await unit.tx.apiKey.findUnique({ where: { id: caller.keyId } });
    const status = row ? keyStatus(row, unit.now) : 'REVOKED';
    if (!row || status === 'REVOKED' || status === 'EXPIRED') {
      throw new ApiError('UNAUTHENTICATED', UNAUTHENTICATED_MESSAGE);
    }
    const key = await bonded(unit, row);
    const bound = authorityOf(key, plan, caller.token);
    const environments = (['LIVE', 'TEST'] as const).filter((environment) => reachesEnvironment(bound, environment));
    return { unit, key, policy, bound, environments };
  }
}

/** @throws NOT_FOUND for a key that the caller does not see */
export async function findKey({ unit, environments, key, bound }: KeyUnit, id: string): Promise<StoredKey> {
  const row = await unit.tx.apiKey.findUnique({ where: { id } });
  const isSeen =
    row &&
    // Sessions end by signing out, or with their user.
    !row.isSession &&
    environments.includes(row.environment) &&
    (!key || bound === 'operator' || bound.projects === null || seesKey({ keyId: key.id, projects: [] }, row));
  if (!isSeen) throw notFound('API key', id);
  return bonded(unit, row);
}

/** @throws FORBIDDEN before anything is said of a key beyond the caller; CONFLICT for one that does not work any more */
export async function findChangeable(context: KeyUnit, id: string): Promise<StoredKey> {
  const key = await findKey(context, id);
  if (!mayChange(key, context.bound, context.policy.plan)) throw outOfReach();
  noteGiven(context, key);
  if (keyStatus(key, context.unit.now) !== 'ACTIVE') {
    throw new ApiError('CONFLICT', `The API key ${id} was rotated or revoked, or has expired; it cannot be changed.`);
  }
  return key;
}

/**
 * Tells that the caller took what another key holds, or comes to hold, for nobody gives, changes or ends more than they hold. What it
 * does to itself takes nothing of it.
 */
export function noteGiven(
  { key: caller, bound }: KeyUnit,
  { id, scopes }: { readonly id?: string; readonly scopes: string },
) {
  if (bound !== 'operator' && (id === undefined || id !== caller?.id)) noteScopes(scopeSet(listOf(scopes)));
}

async function bonded(unit: Unit, row: ApiKey): Promise<StoredKey> {
  const [key] = await withBonds(unit.tx, [row], unit.now);
  return key as StoredKey;
}

/** What an audit entry says of a change of a key. */
export const aboutKey = ({ id, environment }: Pick<ApiKey, 'id' | 'environment'>, verb: string) => ({
  ...{ action: `api_key.${verb}`, targetType: 'ApiKey', targetId: id, environment },
});
