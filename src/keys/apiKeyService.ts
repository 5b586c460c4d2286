/**
 * The life of an API key. Knows nothing of HTTP or GraphQL; both are thin over it, and so is the command line. What may
 * be done is decided in rules.ts; here it is done, each change as one unit of work (keyUnit.ts).
 */

import { z } from 'zod';
import type { ApiKey, Environment } from '#prisma/client.js';
import { type Actor, changesBetween, serverActor } from '../audit/entry.js';
import { noteScopes } from '../db/reader.js';
import { withoutBinding } from '../db/tenant.js';
import { nextVersion, type Unit, type UnitOfWork } from '../db/unitOfWork.js';
import { ApiError, badInput } from '../errors.js';
import { newId } from '../ids.js';
import { check, expectVersion, text } from '../input.js';
import { keepAnAdministrator } from './administrators.js';
import { isOfApp, KEYS } from './apiKey.js';
import type { StoredKey } from './authority.js';
import { changeKey, mustBeThere, type Remember, userOf } from './changeKey.js';
import { displayPrefix, generateKey, hashKey } from './format.js';
import { aboutKey, type Caller, findChangeable, findKey, type KeyUnit, KeyUnits, noteGiven } from './keyUnit.js';
import { checkOperations, newLock, writeOperations } from './operationSets.js';
import type { Plans } from './plans.js';
import {
  decideChange,
  decideGrant,
  decideRenewal,
  type KeyChange,
  type KeyGrant,
  type KeyRequest,
  mayRevoke,
  outOfReach,
  type ResolvedRequest,
} from './rules.js';
import { lineageOf, withBonds } from './storedKeys.js';

/** Seconds. */
const MAX_GRACE = 30 * 86_400;
/** Where a rotation does not say it. */
export const DEFAULT_GRACE = 86_400;
/** Keys of a workspace that work at once, so that all that one key made can be ended by one change. */
const MAX_KEYS = 10_000;
const BATCH = 5000;
const reasonRule = z.object({ reason: text(0, 200).nullish() });

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

interface RevocationOptions {
  /** For the audit log and the key's page. */
  readonly reason?: string | null | undefined;
  /** Also the keys that it made, and those that they made. */
  readonly descendants?: boolean | null | undefined;
  readonly expectedUpdatedAt?: Date | null | undefined;
}

export class ApiKeyService {
  readonly units: KeyUnits;

  /** @param remember keeps what keys lost beside the database, so that a restored backup gives nothing back */
  constructor(
    units: UnitOfWork,
    plans: Plans,
    private readonly remember: Remember = () => {},
  ) {
    this.units = new KeyUnits(units, plans);
  }

  /**
   * The new row, and the key itself: shown once, stored nowhere.
   * @throws BAD_USER_INPUT for a field that breaks its rule; FORBIDDEN for what the caller does not hold itself
   */
  async create(actor: Actor, caller: Caller, request: KeyRequest): Promise<MintedKey> {
    const { operations } = request;
    if (operations) checkOperations(operations.operations);
    return this.units.run(actor, caller, async (context) => {
      const { unit, bound, policy } = context;
      const grant = decideGrant(await resolved(context, actor.environment, request), bound, policy);
      noteGiven(context, grant);
      await mustBeThere(unit, grant);
      await keepRoom(unit);
      const key = generateKey(grant.environment);
      const createdById = await userIn(unit, grant.environment);
      const apiKey = await unit.tx.apiKey.create({ data: newRow(key, grant, { ...unit.actor, userId: createdById }) });
      if (operations?.lock) await writeOperations(unit, apiKey, operations.operations, 1);
      const names = operations && { operations: { to: operations.operations.map(({ name }) => name) } };
      unit.audit({ ...aboutKey(apiKey, 'create'), changes: { ...changesBetween({}, grant), ...names } });
      return { apiKey, key };
    });
  }

  /**
   * Changes what is given of a key that still works.
   * @param expected when the caller saw it last; a key that was changed since is not changed
   * @throws CONFLICT when it was revoked, has expired, was rotated or changed; FORBIDDEN when it lies beyond the caller
   */
  async update(actor: Actor, caller: Caller, id: string, change: KeyChange, expected?: Date | null): Promise<ApiKey> {
    return this.units.run(actor, caller, async (context) => {
      const before = await findChangeable(context, id);
      expectVersion(before, expected);
      return changeKey(context, before, change, this.remember);
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
    return this.units.run(actor, caller, async (context) => {
      const { unit, bound, policy } = context;
      const old = await findChangeable(context, id);
      expectVersion(old, expected);
      if (isOfApp(old)) {
        throw new ApiError('CONFLICT', 'It is what an application holds, whose tokens are replaced every hour anyway.');
      }
      const grant = decideChange(old, {}, bound, policy);
      const key = generateKey(old.environment);
      const apiKey = await unit.tx.apiKey.create({
        data: {
          ...newRow(key, grant, { ...unit.actor, userId: old.createdById }),
          lineageId: lineageOf(old),
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
        ...aboutKey(old, 'rotate'),
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
      const target = await findKey(context, id);
      expectVersion(target, options.expectedUpdatedAt);
      const descendants = options.descendants ? await descendantsOf(context, target) : [];
      const revoked = await this.#end(context, caller, [target, ...descendants], reason);
      const apiKey = await context.unit.tx.apiKey.findUniqueOrThrow({ where: { id } });
      return { apiKey, revoked };
    };
    return this.units.run(actor, caller, end, options.descendants === true);
  }

  /**
   * Ends the keys of a user who is about to go, within the change in which that happens: those that act as the user, which
   * would hold nothing, and, where that is asked for, those that the user made.
   * @returns how many
   */
  async endOfUser(unit: Unit, caller: Caller, userId: string, made: boolean): Promise<number> {
    const context = await this.units.context(unit, caller);
    const { workspaceId } = unit.actor;
    const live = (where: object) =>
      unit.tx.apiKey.findMany({ where: { ...KEYS, workspaceId, ...where, revokedAt: null } });
    const acting = await withBonds(unit.tx, await live({ actsAsId: userId }), unit.now);
    if (caller !== 'operator') await keepAnAdministrator(context, acting, caller.keyId);
    // That a user may be removed is decided elsewhere, and their keys end with them.
    const reason = 'the user as whom it acted was removed';
    const { twins, namesakes } = await inSandbox(unit, userId);
    // Those are in the other environment, which the change does not reach otherwise.
    const ended =
      (await this.endWithin(context, acting, reason)) +
      (await withoutBinding(async () => {
        const rows = twins.length === 0 ? [] : await live({ actsAsId: { in: twins } });
        return this.endWithin(context, await withBonds(unit.tx, rows, unit.now), reason);
      }));
    if (!made) return ended;
    const theirs = { createdById: { in: [userId, ...twins, ...namesakes] } };
    const keys = await withoutBinding(async () => withBonds(unit.tx, await live(theirs), unit.now));
    return ended + (await withoutBinding(() => this.#end(context, caller, keys, 'its user was removed')));
  }

  /** Ends a key by the right of somebody whom nothing bounds: who holds it, whose it is, the operator. @returns how many */
  async end(actor: Actor, row: ApiKey, reason: string): Promise<number> {
    if (row.revokedAt !== null) return 0;
    return this.units.look(actor, 'operator', async (context) => {
      const { tx, now } = context.unit;
      const current = await tx.apiKey.findUnique({ where: { id: row.id } });
      return current ? this.endWithin(context, await withBonds(tx, [current], now), reason) : 0;
    });
  }

  /** The same of several, within a change that is under way and that decides it. */
  async endWithin(context: KeyUnit, keys: readonly StoredKey[], reason: string): Promise<number> {
    return this.#end({ ...context, bound: 'operator', environments: ['LIVE', 'TEST'] }, 'operator', keys, reason);
  }

  /** Extends a key that renews itself, if it is due; undefined when it is not, or another process was faster. */
  async renew({ id, workspaceId, environment }: ApiKey): Promise<ApiKey | undefined> {
    const actor = serverActor({ workspaceId, environment }, 'auto-renewal');
    return this.units.run(actor, 'operator', async ({ unit, policy }) => {
      const key = await unit.tx.apiKey.findUnique({ where: { id } });
      const expiresAt = key ? decideRenewal(key, policy) : undefined;
      if (!key || !expiresAt) return undefined;
      unit.audit({ ...aboutKey(key, 'renew'), changes: { expiresAt: { from: key.expiresAt, to: expiresAt } } });
      return unit.tx.apiKey.update({ where: { id }, data: { expiresAt, updatedAt: nextVersion(key, unit.now) } });
    });
  }

  async #end(context: KeyUnit, caller: Caller, keys: readonly StoredKey[], reason?: string | null): Promise<number> {
    const { unit, bound, policy, environments } = context;
    const callingKeyId = caller === 'operator' || caller.token ? null : caller.keyId;
    for (const key of keys) {
      if (!environments.includes(key.environment)) {
        throw new ApiError(
          'FORBIDDEN',
          'Keys of the other environment would end too, which the calling key does not reach.',
        );
      }
      if (mayRevoke(key, bound, callingKeyId, policy.plan)) {
        if (bound !== 'operator' && bound.scopes.has('keys:delete')) noteScopes(['keys:delete']);
        else noteGiven(context, key);
        continue;
      }
      if (caller !== 'operator' && key.id === caller.keyId) {
        throw new ApiError('FORBIDDEN', 'An access token does not end its key. The key itself does.');
      }
      throw outOfReach();
    }
    const live = keys.filter(({ revokedAt }) => revokedAt === null);
    if (live.length === 0) return 0;
    if (bound !== 'operator') await keepAnAdministrator(context, live, callingKeyId);
    for (let at = 0; at < live.length; at += BATCH) {
      const ids = live.slice(at, at + BATCH).map(({ id }) => id);
      await unit.tx.apiKey.updateMany({
        where: { id: { in: ids } },
        data: { revokedAt: unit.now, revokedReason: reason ?? 'revoked', updatedAt: unit.now },
      });
    }
    for (const key of live)
      unit.audit({ ...aboutKey(key, 'revoke'), changes: { reason: { to: reason ?? 'revoked' } } });
    unit.keysChanged();
    unit.afterCommit(() => this.remember(live.map(({ hash }) => ({ hash, at: unit.now }))));
    return live.length;
  }
}

/** The request with its user and its operations; what the caller acts as is taken over. */
async function resolved(
  { unit, key: callingKey, bound }: KeyUnit,
  usual: Environment,
  { environment, actsAsId, operations, ...request }: KeyRequest,
): Promise<ResolvedRequest> {
  const inherited = bound === 'operator' ? null : (callingKey?.actsAsId ?? null);
  return {
    ...request,
    environment: environment ?? usual,
    actsAs: await userOf(unit, actsAsId === undefined ? inherited : actsAsId),
    lock: operations?.lock ? newLock(operations.operations) : null,
    needed: operations ? [...new Set(operations.operations.flatMap(({ scopes }) => scopes))] : null,
  };
}

/**
 * Who a member is in the sandbox: as the person, and, where the person has not been there yet, as the user in whose name a key of theirs
 * made keys there (see userIn).
 */
async function inSandbox({ tx, actor }: Unit, userId: string): Promise<{ twins: string[]; namesakes: string[] }> {
  const user = await tx.user.findUnique({ where: { id: userId } });
  if (!user?.personId || user.environment !== 'LIVE') return { twins: [], namesakes: [] };
  const { personId, email } = user;
  const tenant = { workspaceId: actor.workspaceId, environment: 'TEST' as const };
  const found = await withoutBinding(() =>
    tx.user.findMany({ where: { ...tenant, OR: [{ personId }, { personId: null, email }] } }),
  );
  const idsOf = (users: typeof found) => users.map(({ id }) => id);
  return {
    twins: idsOf(found.filter((one) => one.personId !== null)),
    namesakes: idsOf(found.filter((one) => one.personId === null)),
  };
}

/**
 * Apart for what users let applications do, so that nobody uses up the room of the others.
 * @throws CONFLICT when the workspace has as many keys as it may
 */
export async function keepRoom({ tx, now }: Unit, kind: 'keys' | 'apps' = 'keys'): Promise<void> {
  const appId = kind === 'keys' ? null : { not: null };
  const working = { ...KEYS, appId, revokedAt: null, OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] };
  if ((await tx.apiKey.count({ where: working })) < MAX_KEYS) return;
  throw new ApiError('CONFLICT', `The workspace has ${MAX_KEYS} keys that work. Revoke some that nobody uses.`);
}

/** The keys that work and that a key made, and those that they made, wherever they are. */
async function descendantsOf({ unit }: KeyUnit, key: ApiKey): Promise<StoredKey[]> {
  const ids = await unit.descendantKeys(key, MAX_KEYS);
  const found: ApiKey[] = [];
  for (let at = 0; at < ids.length; at += BATCH) {
    found.push(...(await unit.tx.apiKey.findMany({ where: { ...KEYS, id: { in: ids.slice(at, at + BATCH) } } })));
  }
  return withBonds(unit.tx, found, unit.now);
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
    id: `key_${newId()}`,
    ...grant,
    workspaceId: actor.workspaceId,
    hash: hashKey(key),
    prefix: displayPrefix(key),
    createdById: actor.userId,
    createdByKeyId: actor.keyId,
  };
}
