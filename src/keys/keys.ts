/**
 * The life of an API key. Knows nothing of HTTP or GraphQL; both are thin over it, and so is the command line.
 * Each change is one transaction: the row, its audit event and the epoch that tells other processes to look again.
 */
import { v7 as uuidv7 } from 'uuid';
import type { ApiKey, Environment, PrismaClient } from '#prisma/client.js';
import type { Database } from '../db/database.js';
import type { TenantTransaction } from '../db/tenant.js';
import { ApiError, badInput, notFound } from '../errors.js';
import { type Actor, changesBetween, recordAudit } from '../events/audit.js';
import { raiseAlert } from './alerts.js';
import { type Bounds, keyStatus } from './apiKey.js';
import { displayPrefix, generateKey, hashKey } from './format.js';
import {
  type Circumstances,
  decideChange,
  decideGrant,
  type KeyChange,
  type KeyGrant,
  type KeyRequest,
} from './rules.js';

export const KEY_EPOCH = 'api_keys';

/** Seconds. */
const MAX_GRACE = 30 * 86_400;

/** Neither revoked nor rotated: asked again in the statement that writes, so that a change made meanwhile is not undone. */
const STILL_CURRENT = { revokedAt: null, rotatedAt: null };

export interface MintedKey {
  readonly apiKey: ApiKey;
  /** Shown once, stored nowhere. */
  readonly key: string;
}

/** Told of every change of a key, after it was committed and before the caller hears of it. */
export type KeyChangeListener = (keyId: string) => void;

export class Keys {
  readonly #listeners = new Set<KeyChangeListener>();

  constructor(private readonly database: Database) {}

  onChange(listener: KeyChangeListener): void {
    this.#listeners.add(listener);
  }

  /** The new row, and the key itself: shown once, stored nowhere. */
  async create(actor: Actor, giver: Bounds, request: KeyRequest): Promise<MintedKey> {
    const grant = decideGrant(request, giver, await this.#circumstances(actor));
    const key = generateKey(grant.environment);
    const apiKey = await this.#change(actor, grant.environment, async (db, owner) => {
      const row = await db.apiKey.create({ data: newRow(key, grant, owner) });
      await recordAudit(db, owner, {
        action: 'api_key.create',
        targetType: 'ApiKey',
        targetId: row.id,
        changes: changesBetween({}, grant),
      });
      return row;
    });
    return { apiKey, key };
  }

  /**
   * Changes what is given of a key that still works.
   * @throws CONFLICT when it was revoked, has expired or was rotated; FORBIDDEN when it lies beyond the giver
   */
  async update(actor: Actor, giver: Bounds, id: string, change: KeyChange): Promise<ApiKey> {
    const circumstances = await this.#circumstances(actor);
    return this.#change(actor, actor.environment, async (db) => {
      const before = await findUsable(db, id, circumstances.now);
      const grant = decideChange(before, change, giver, circumstances);
      const data = {
        name: grant.name,
        description: grant.description,
        scopes: grant.scopes.join(' '),
        allowedIps: grant.allowedIps?.join(' ') ?? null,
        ratePerMinute: grant.ratePerMinute,
        ratePerHour: grant.ratePerHour,
        expiresAt: grant.expiresAt,
        autoRenew: grant.autoRenew,
      };
      const changes = changesBetween(before, data);
      const changed = Object.fromEntries(Object.entries(data).filter(([field]) => field in changes));
      if ('expiresAt' in changed) Object.assign(changed, { termSeconds: termOf(before.createdAt, grant.expiresAt) });
      const { count } = await db.apiKey.updateMany({ where: { id, ...STILL_CURRENT }, data: changed });
      if (count === 0) throw ended(id);
      await recordAudit(db, actor, { action: 'api_key.update', targetType: 'ApiKey', targetId: id, changes });
      return { ...before, ...changed };
    });
  }

  /**
   * Makes a successor with the same name, scopes, limits, allow-list and expiry. The old key works until the grace
   * period ends, or until its own expiry if that is sooner. Of two rotations at once one wins.
   * @param gracePeriod seconds, 0 to 30 days; 0 ends the old key at once
   */
  async rotate(actor: Actor, giver: Bounds, id: string, gracePeriod: number): Promise<MintedKey> {
    if (!Number.isInteger(gracePeriod) || gracePeriod < 0 || gracePeriod > MAX_GRACE) {
      throw badInput({ gracePeriod: [`must be from 0 to ${MAX_GRACE} seconds`] });
    }
    const circumstances = await this.#circumstances(actor);
    const { now } = circumstances;
    let key = '';
    const apiKey = await this.#change(actor, actor.environment, async (db) => {
      const old = await findUsable(db, id, now);
      const grant = decideChange(old, {}, giver, circumstances);
      key = generateKey(old.environment);
      const successor = await db.apiKey.create({
        data: {
          ...newRow(key, grant, { ...actor, userId: old.createdById }, now),
          termSeconds: old.termSeconds,
        },
      });
      const { count } = await db.apiKey.updateMany({
        where: { id, ...STILL_CURRENT },
        data: {
          rotatedAt: now,
          graceEndsAt: new Date(now.getTime() + gracePeriod * 1000),
          successorId: successor.id,
          autoRenew: false,
        },
      });
      if (count === 0) throw ended(id);
      await recordAudit(db, actor, {
        action: 'api_key.rotate',
        targetType: 'ApiKey',
        targetId: id,
        changes: { successorId: { to: successor.id }, gracePeriod: { to: gracePeriod } },
      });
      return successor;
    });
    return { apiKey, key };
  }

  /** Ends a key for good. Once this has answered, this process accepts it no more. Revoking twice changes nothing. */
  async revoke(actor: Actor, id: string, reason = 'revoked'): Promise<ApiKey> {
    return this.#change(actor, actor.environment, (db) => revokeRow(db, actor, id, reason));
  }

  /** Extends a key that renews itself; answers false when somebody else was faster or the key was changed. */
  async renew(key: ApiKey, expiresAt: Date): Promise<boolean> {
    const { workspaceId, environment, id } = key;
    const actor = {
      workspaceId,
      environment,
      keyId: null,
      userId: null,
      ip: null,
      userAgent: 'auto-renewal',
      requestId: null,
    };
    const { system } = this.database;
    const renewed = await this.database.forTenant(actor).$transaction(async (db) => {
      const { count } = await db.apiKey.updateMany({
        where: { id, ...STILL_CURRENT, autoRenew: true, expiresAt: key.expiresAt },
        data: { expiresAt },
      });
      if (count === 0) return false;
      const changes = { expiresAt: { from: key.expiresAt, to: expiresAt } };
      await recordAudit(db, actor, { action: 'api_key.renew', targetType: 'ApiKey', targetId: id, changes });
      return true;
    });
    if (!renewed) return false;
    await bumpEpoch(system);
    for (const listener of this.#listeners) listener(id);
    await raiseAlert(system, {
      ...key,
      kind: 'KEY_RENEWED',
      keyId: id,
      message: `The key ${key.name} was renewed and now expires on ${expiresAt.toISOString()}.`,
      occasion: expiresAt.toISOString(),
    });
    return true;
  }

  /** Ends every key that a user made and that is not ended yet; answers how many. */
  async revokeOfUser(actor: Actor, userId: string): Promise<number> {
    const rows = await this.database
      .forTenant(actor)
      .apiKey.findMany({ where: { createdById: userId, revokedAt: null }, select: { id: true } });
    for (const { id } of rows) await this.revoke(actor, id, 'its user was removed');
    return rows.length;
  }

  /** Runs one change in the environment it concerns, then tells the listeners. */
  async #change(
    actor: Actor,
    environment: Environment,
    run: (db: TenantTransaction, actor: Actor) => Promise<ApiKey>,
  ): Promise<ApiKey> {
    const owner = await this.#actorIn(actor, environment);
    const row = await this.database.forTenant(owner).$transaction(async (db) => run(db, owner));
    await bumpEpoch(this.database.system);
    for (const listener of this.#listeners) listener(row.id);
    return row;
  }

  async #circumstances(actor: Actor): Promise<Circumstances> {
    const { plan } = await this.database.system.workspace.findUniqueOrThrow({ where: { id: actor.workspaceId } });
    return { now: new Date(), plan };
  }

  /** The actor as seen in an environment: a live administrator acts in the sandbox as its user of the same address. */
  async #actorIn(actor: Actor, environment: Environment): Promise<Actor> {
    if (actor.environment === environment) return actor;
    if (actor.userId === null) return { ...actor, environment };
    const user = await this.database.forTenant(actor).user.findUnique({ where: { id: actor.userId } });
    if (!user) return { ...actor, environment, userId: null };
    const { workspaceId, email, name, role } = user;
    const twin = await this.database.forTenant({ workspaceId, environment }).user.upsert({
      where: { workspaceId_environment_email: { workspaceId, environment, email } },
      create: { workspaceId, environment, email, name, role },
      update: {},
    });
    return { ...actor, environment, userId: twin.id };
  }
}

/** Other processes see the new value and drop what they cached. */
async function bumpEpoch(system: PrismaClient): Promise<void> {
  await system.epoch.upsert({
    where: { name: KEY_EPOCH },
    create: { name: KEY_EPOCH, value: 1 },
    update: { value: { increment: 1 } },
  });
}

async function revokeRow(db: TenantTransaction, actor: Actor, id: string, reason: string): Promise<ApiKey> {
  const { count } = await db.apiKey.updateMany({
    where: { id, revokedAt: null },
    data: { revokedAt: new Date(), revokedReason: reason },
  });
  const row = await db.apiKey.findUnique({ where: { id } });
  if (!row) throw notFound('API key', id);
  if (count > 0) {
    await recordAudit(db, actor, {
      action: 'api_key.revoke',
      targetType: 'ApiKey',
      targetId: id,
      changes: { reason: { to: reason } },
    });
  }
  return row;
}

async function findUsable(db: TenantTransaction, id: string, now: Date): Promise<ApiKey> {
  const row = await db.apiKey.findUnique({ where: { id } });
  if (!row) throw notFound('API key', id);
  if (keyStatus(row, now) !== 'ACTIVE') throw ended(id);
  return row;
}

function ended(id: string): ApiError {
  return new ApiError('CONFLICT', `The API key ${id} was rotated or revoked, or has expired; it cannot be changed.`);
}

/** Seconds that auto-renewal extends a key by: the term that it was made for. */
/** The longest term that PostgreSQL's integer holds: 68 years. */
const LONGEST_TERM = 2_147_483_647;

function termOf(from: Date, expiresAt: Date | null): number | null {
  if (expiresAt === null) return null;
  return Math.min(LONGEST_TERM, Math.max(1, Math.round((expiresAt.getTime() - from.getTime()) / 1000)));
}

export function newRow(key: string, grant: KeyGrant, actor: Actor, now = new Date()) {
  return {
    id: `key_${uuidv7()}`,
    workspaceId: actor.workspaceId,
    environment: grant.environment,
    name: grant.name,
    description: grant.description,
    hash: hashKey(key),
    prefix: displayPrefix(key),
    scopes: grant.scopes.join(' '),
    allowedIps: grant.allowedIps?.join(' ') ?? null,
    ratePerMinute: grant.ratePerMinute,
    ratePerHour: grant.ratePerHour,
    expiresAt: grant.expiresAt,
    autoRenew: grant.autoRenew,
    termSeconds: termOf(now, grant.expiresAt),
    createdById: actor.userId,
    createdByKeyId: actor.keyId,
  };
}
