/**
 * The life of an API key. Knows nothing of HTTP or GraphQL; both are thin over it, and so is the command line. What may
 * be done is decided in rules.ts; here it is done, each change as one unit of work. Changes of keys of one workspace go on
 * one after another, and ask for the caller anew, so that a key that is being ended or narrowed gives nothing any more.
 */
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import type { ApiKey, Environment } from '#prisma/client.js';
import { type Actor, changesBetween, serverActor } from '../audit/entry.js';
import { withoutBinding } from '../db/tenant.js';
import { nextVersion, type Unit, type UnitOfWork } from '../db/unitOfWork.js';
import { ApiError, badInput, notFound, UNAUTHENTICATED_MESSAGE } from '../errors.js';
import { check, expectVersion, text } from '../input.js';
import { keyStatus } from './apiKey.js';
import { authorityOf, boundsOf, type KeyBounds, listOf, type Narrowing, reachesEnvironment } from './authority.js';
import { displayPrefix, generateKey, hashKey } from './format.js';
import type { Plans } from './plans.js';
import {
  type Bound,
  decideChange,
  decideGrant,
  decideRenewal,
  type KeyChange,
  type KeyGrant,
  type KeyRequest,
  mayChange,
  mayRevoke,
  outOfReach,
  type Policy,
} from './rules.js';

/** Seconds. */
const MAX_GRACE = 30 * 86_400;
/** Where a rotation does not say it. */
export const DEFAULT_GRACE = 86_400;
/** Keys of a workspace that work at once, so that all that one key made can be ended by one change. */
const MAX_KEYS = 10_000;
const BATCH = 5000;
const reasonRule = z.object({ reason: text(0, 200).nullish() });

/** Whose authority bounds a change: a key, perhaps by one of its access tokens, or the operator at the command line. */
export type Caller = 'operator' | { readonly keyId: string; readonly token?: Narrowing | undefined };

export interface MintedKey {
  readonly apiKey: ApiKey;
  /** Shown once, stored nowhere. */
  readonly key: string;
}

export interface Revocation {
  readonly apiKey: ApiKey;
  /** Keys that were ended by it; those that had ended before are not counted. */
  readonly revoked: number;
}

/** What is remembered of a key that was ended, or, with bounds, narrowed to those. */
export interface KeyLoss {
  readonly hash: string;
  readonly at: Date;
  readonly bounds?: KeyBounds;
}

interface RevocationOptions {
  /** For the audit log and the key's page. */
  readonly reason?: string | null | undefined;
  /** Also the keys that it made, and those that they made. */
  readonly descendants?: boolean | null | undefined;
  readonly expectedUpdatedAt?: Date | null | undefined;
}

/** A change of keys under way: the caller and the plan as they are now. */
interface KeyUnit {
  readonly unit: Unit;
  readonly bound: Bound;
  readonly policy: Policy;
  /** The environments whose keys the caller reaches. */
  readonly environments: readonly Environment[];
}

export class ApiKeyService {
  /** @param remember keeps what keys lost beside the database, so that a restored backup gives nothing back */
  constructor(
    private readonly units: UnitOfWork,
    private readonly plans: Plans,
    private readonly remember: (losses: readonly KeyLoss[]) => void = () => {},
  ) {}

  /**
   * The new row, and the key itself: shown once, stored nowhere.
   * @throws BAD_USER_INPUT for a field that breaks its rule; FORBIDDEN for what the caller does not hold itself
   */
  async create(actor: Actor, caller: Caller, request: KeyRequest): Promise<MintedKey> {
    return this.#change(actor, caller, async ({ unit, bound, policy }) => {
      const grant = decideGrant({ environment: actor.environment, ...given(request) }, bound, policy);
      await keepRoom(unit);
      const key = generateKey(grant.environment);
      const createdById = await userIn(unit, grant.environment);
      const apiKey = await unit.tx.apiKey.create({ data: newRow(key, grant, { ...unit.actor, userId: createdById }) });
      unit.audit({ ...about(apiKey, 'create'), changes: changesBetween({}, grant) });
      return { apiKey, key };
    });
  }

  /**
   * Changes what is given of a key that still works.
   * @param expected when the caller saw it last; a key that was changed since is not changed
   * @throws CONFLICT when it was revoked, has expired, was rotated or changed; FORBIDDEN when it lies beyond the caller
   */
  async update(actor: Actor, caller: Caller, id: string, change: KeyChange, expected?: Date | null): Promise<ApiKey> {
    return this.#change(actor, caller, async (context) => {
      const { unit, bound, policy } = context;
      const before = await findChangeable(context, id);
      expectVersion(before, expected);
      const { environment: _environment, ...data } = decideChange(before, change, bound, policy);
      const changes = changesBetween(before, data);
      const changed = Object.fromEntries(Object.entries(data).filter(([field]) => field in changes));
      const apiKey = await unit.tx.apiKey.update({
        where: { id },
        data: { ...changed, updatedAt: nextVersion(before, unit.now) },
      });
      unit.audit({ ...about(before, 'update'), changes });
      if (Object.keys(boundsOf(apiKey)).some((field) => field in changes)) {
        unit.afterCommit(() => this.remember([{ hash: before.hash, at: unit.now, bounds: boundsOf(apiKey) }]));
      }
      return apiKey;
    });
  }

  /**
   * Makes a successor with the same name, scopes, limits, allow-list and expiry, which goes on with the old key's limit
   * windows. The old key works until the grace period ends, or until its own expiry if that is sooner. Of two rotations
   * at once one wins.
   * @param gracePeriod seconds, 0 to 30 days; 0 ends the old key at once
   */
  async rotate(
    actor: Actor,
    caller: Caller,
    id: string,
    gracePeriod: number,
    expected?: Date | null,
  ): Promise<MintedKey> {
    if (!Number.isInteger(gracePeriod) || gracePeriod < 0 || gracePeriod > MAX_GRACE) {
      throw badInput({ gracePeriod: [`must be from 0 to ${MAX_GRACE} seconds`] });
    }
    return this.#change(actor, caller, async (context) => {
      const { unit, bound, policy } = context;
      const old = await findChangeable(context, id);
      expectVersion(old, expected);
      const grant = decideChange(old, {}, bound, policy);
      const key = generateKey(old.environment);
      const apiKey = await unit.tx.apiKey.create({
        data: {
          ...newRow(key, grant, { ...unit.actor, userId: old.createdById }),
          lineageId: old.lineageId ?? old.id,
        },
      });
      await unit.tx.apiKey.update({
        where: { id },
        data: {
          rotatedAt: unit.now,
          graceEndsAt: new Date(unit.now.getTime() + gracePeriod * 1000),
          successorId: apiKey.id,
          autoRenew: false,
          updatedAt: nextVersion(old, unit.now),
        },
      });
      unit.audit({
        ...about(old, 'rotate'),
        changes: { successorId: { to: apiKey.id }, gracePeriod: { to: gracePeriod } },
      });
      unit.afterCommit(() => this.remember([{ hash: old.hash, at: unit.now }]));
      return { apiKey, key };
    });
  }

  /**
   * Ends a key for good. Once this has answered, this process accepts it no more. Revoking twice changes nothing.
   * @throws FORBIDDEN when it lies beyond the caller, or one of its descendants does; CONFLICT for the last admin key
   */
  async revoke(actor: Actor, caller: Caller, id: string, options: RevocationOptions = {}): Promise<Revocation> {
    const { reason } = check(reasonRule, { reason: options.reason });
    const end = async (context: KeyUnit) => {
      const target = await find(context, id);
      expectVersion(target, options.expectedUpdatedAt);
      const descendants = options.descendants ? await descendantsOf(context, target) : [];
      const revoked = await this.#end(context, caller, [target, ...descendants], reason);
      const apiKey = await context.unit.tx.apiKey.findUniqueOrThrow({ where: { id } });
      return { apiKey, revoked };
    };
    return this.#change(actor, caller, end, options.descendants === true);
  }

  /**
   * Ends every key that a user made and that is not ended yet, within a change that has more to it.
   * @returns how many
   */
  async revokeOfUser(unit: Unit, caller: Caller, userId: string): Promise<number> {
    const context = await this.#context(unit, caller);
    const rows = await unit.tx.apiKey.findMany({ where: { createdById: userId, revokedAt: null } });
    return this.#end(context, caller, rows, 'its user was removed');
  }

  /** Ends keys whose holder sent them: the key itself is the proof. @returns how many */
  async revokeLeaked(actor: Actor, row: ApiKey, reason: string): Promise<number> {
    return this.#change(actor, 'operator', async (context) => this.#end(context, 'operator', [row], reason));
  }

  /** Extends a key that renews itself, if it is due; undefined when it is not, or another process was faster. */
  async renew({ id, workspaceId, environment }: ApiKey): Promise<ApiKey | undefined> {
    const actor = serverActor({ workspaceId, environment }, 'auto-renewal');
    return this.#change(actor, 'operator', async ({ unit, policy }) => {
      const key = await unit.tx.apiKey.findUnique({ where: { id } });
      const expiresAt = key ? decideRenewal(key, policy) : undefined;
      if (!key || !expiresAt) return undefined;
      unit.audit({ ...about(key, 'renew'), changes: { expiresAt: { from: key.expiresAt, to: expiresAt } } });
      return unit.tx.apiKey.update({ where: { id }, data: { expiresAt, updatedAt: nextVersion(key, unit.now) } });
    });
  }

  async #end(context: KeyUnit, caller: Caller, keys: readonly ApiKey[], reason?: string | null): Promise<number> {
    const { unit, bound, policy, environments } = context;
    const callingKeyId = caller === 'operator' || caller.token ? null : caller.keyId;
    for (const key of keys) {
      if (!environments.includes(key.environment)) {
        throw new ApiError(
          'FORBIDDEN',
          'Keys of the other environment would end too, which the calling key does not reach.',
        );
      }
      if (mayRevoke(key, bound, callingKeyId, policy.plan)) continue;
      if (caller !== 'operator' && key.id === caller.keyId) {
        throw new ApiError('FORBIDDEN', 'An access token does not end its key. The key itself does.');
      }
      throw outOfReach();
    }
    const live = keys.filter(({ revokedAt }) => revokedAt === null);
    if (bound !== 'operator') await keepAnAdministrator(context, live, callingKeyId);
    for (let at = 0; at < live.length; at += BATCH) {
      const ids = live.slice(at, at + BATCH).map(({ id }) => id);
      await unit.tx.apiKey.updateMany({
        where: { id: { in: ids } },
        data: { revokedAt: unit.now, revokedReason: reason ?? 'revoked', updatedAt: unit.now },
      });
    }
    for (const key of live) unit.audit({ ...about(key, 'revoke'), changes: { reason: { to: reason ?? 'revoked' } } });
    unit.keysChanged();
    unit.afterCommit(() => this.remember(live.map(({ hash }) => ({ hash, at: unit.now }))));
    return live.length;
  }

  async #change<T>(actor: Actor, caller: Caller, run: (context: KeyUnit) => Promise<T>, long = false): Promise<T> {
    return this.units.run(
      actor,
      async (unit) => {
        const result = await run(await this.#context(unit, caller));
        unit.keysChanged();
        return result;
      },
      { reach: 'workspace', long },
    );
  }

  async #context(unit: Unit, caller: Caller): Promise<KeyUnit> {
    const plan = this.plans.of(await unit.lockWorkspace());
    const policy = { now: unit.now, plan };
    if (caller === 'operator') return { unit, policy, bound: caller, environments: ['LIVE', 'TEST'] };
    const row = await unit.tx.apiKey.findUnique({ where: { id: caller.keyId } });
    const status = row ? keyStatus(row, unit.now) : 'REVOKED';
    if (!row || status === 'REVOKED' || status === 'EXPIRED') {
      throw new ApiError('UNAUTHENTICATED', UNAUTHENTICATED_MESSAGE);
    }
    const bound = authorityOf(row, plan, caller.token);
    const environments = (['LIVE', 'TEST'] as const).filter((environment) => reachesEnvironment(bound, environment));
    return { unit, policy, bound, environments };
  }
}

/** Undefined where the caller gave null for what has no null. */
function given(request: KeyRequest): KeyRequest {
  const { environment, ...rest } = request;
  return environment ? { ...rest, environment } : rest;
}

const about = ({ id, environment }: Pick<ApiKey, 'id' | 'environment'>, verb: string) => ({
  action: `api_key.${verb}`,
  targetType: 'ApiKey',
  targetId: id,
  environment,
});

async function find({ unit, environments }: KeyUnit, id: string): Promise<ApiKey> {
  const row = await unit.tx.apiKey.findUnique({ where: { id } });
  if (!row || !environments.includes(row.environment)) throw notFound('API key', id);
  return row;
}

/** @throws FORBIDDEN before anything is said of a key beyond the caller; CONFLICT for one that does not work any more */
async function findChangeable(context: KeyUnit, id: string): Promise<ApiKey> {
  const row = await find(context, id);
  if (!mayChange(row, context.bound, context.policy.plan)) throw outOfReach();
  if (keyStatus(row, context.unit.now) !== 'ACTIVE') {
    throw new ApiError('CONFLICT', `The API key ${id} was rotated or revoked, or has expired; it cannot be changed.`);
  }
  return row;
}

/** @throws CONFLICT when the workspace has as many keys as it may */
async function keepRoom({ tx, now }: Unit): Promise<void> {
  const working = { revokedAt: null, OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] };
  if ((await tx.apiKey.count({ where: working })) < MAX_KEYS) return;
  throw new ApiError('CONFLICT', `The workspace has ${MAX_KEYS} keys that work. Revoke some that nobody uses.`);
}

/** The keys that work and that a key made, and those that they made, wherever they are. */
async function descendantsOf({ unit }: KeyUnit, key: ApiKey): Promise<ApiKey[]> {
  const ids = await unit.descendantKeys(key, MAX_KEYS);
  const found: ApiKey[] = [];
  for (let at = 0; at < ids.length; at += BATCH) {
    found.push(...(await unit.tx.apiKey.findMany({ where: { id: { in: ids.slice(at, at + BATCH) } } })));
  }
  return found;
}

/**
 * @param callingKeyId the key that may end itself
 * @throws CONFLICT when no key that lasts as long as those that end could manage the workspace any more
 */
async function keepAnAdministrator(
  { unit, policy }: KeyUnit,
  ending: readonly ApiKey[],
  callingKeyId: string | null,
): Promise<void> {
  const { tx, now, actor } = unit;
  const isAdmin = ({ scopes }: Pick<ApiKey, 'scopes'>) => listOf(scopes).includes('admin:*');
  const affected = ending.filter((key) => isAdmin(key) && key.id !== callingKeyId);
  if (affected.length === 0) return;
  // In both environments, whatever the change reaches: the sandbox is managed by the administrators of live as well.
  const admins = await withoutBinding(() =>
    tx.apiKey.findMany({
      where: {
        workspaceId: actor.workspaceId,
        scopes: { contains: 'admin:*' },
        ...{ revokedAt: null, rotatedAt: null, OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] },
      },
    }),
  );
  const gone = new Set(ending.map(({ id }) => id));
  const left = admins.filter((key) => isAdmin(key) && !gone.has(key.id));
  const end = (key: ApiKey) => {
    const { expiresAt, renewalTerm } = authorityOf(key, policy.plan);
    return expiresAt === null || renewalTerm !== null ? Number.POSITIVE_INFINITY : expiresAt.getTime();
  };
  const isKept = affected.every((key) =>
    left.some((other) => end(other) >= end(key) && (other.environment === 'LIVE' || key.environment === 'TEST')),
  );
  if (isKept) return;
  throw new ApiError(
    'CONFLICT',
    'This is the last key with admin:* that lasts, and the workspace could not be managed without it. It ends by itself, or by the command on the server (taskgate keys revoke).',
  );
}

/** The actor's user in an environment: an administrator of live acts in the sandbox as its user of the same address. */
async function userIn({ tx, actor }: Unit, environment: Environment): Promise<string | null> {
  if (actor.userId === null || actor.environment === environment) return actor.userId;
  const user = await tx.user.findUnique({ where: { id: actor.userId } });
  if (!user) return null;
  const { workspaceId, email, name, role } = user;
  const twin = await tx.user.upsert({
    where: { workspaceId_environment_email: { workspaceId, environment, email } },
    create: { workspaceId, environment, email, name, role },
    update: {},
  });
  return twin.id;
}

export function newRow(key: string, grant: KeyGrant, actor: Pick<Actor, 'workspaceId' | 'userId' | 'keyId'>) {
  return {
    id: `key_${uuidv7()}`,
    ...grant,
    workspaceId: actor.workspaceId,
    hash: hashKey(key),
    prefix: displayPrefix(key),
    createdById: actor.userId,
    createdByKeyId: actor.keyId,
  };
}
