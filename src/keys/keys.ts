/**
 * The life of an API key. Knows nothing of HTTP or GraphQL; both are thin over it, and so is the command line.
 * Each change is one transaction: the row, its audit event and the epoch that tells other processes to look again.
 */
import { v7 as uuidv7 } from 'uuid';
import type { ApiKey, Environment, PrismaClient } from '#prisma/client.js';
import type { Database } from '../db/database.js';
import type { TenantTransaction } from '../db/tenant.js';
import { notFound } from '../errors.js';
import { type Actor, recordAudit } from '../events/audit.js';
import type { Bounds } from './apiKey.js';
import { displayPrefix, generateKey, hashKey } from './format.js';
import { decideGrant, type KeyGrant, type KeyRequest } from './rules.js';

export const KEY_EPOCH = 'api_keys';

/** Told of every change of a key, after it was committed and before the caller hears of it. */
export type KeyChangeListener = (keyId: string) => void;

export class Keys {
  readonly #listeners = new Set<KeyChangeListener>();

  constructor(private readonly database: Database) {}

  onChange(listener: KeyChangeListener): void {
    this.#listeners.add(listener);
  }

  /** The new row, and the key itself: shown once, stored nowhere. */
  async create(actor: Actor, giver: Bounds, request: KeyRequest): Promise<{ apiKey: ApiKey; key: string }> {
    const grant = decideGrant(request, giver, new Date());
    const key = generateKey(grant.environment);
    const apiKey = await this.#change(actor, grant.environment, async (db, owner) => {
      const row = await db.apiKey.create({ data: newRow(key, grant, owner) });
      await recordAudit(db, owner, {
        action: 'api_key.create',
        targetType: 'ApiKey',
        targetId: row.id,
        changes: { name: { to: row.name }, scopes: { to: grant.scopes }, environment: { to: row.environment } },
      });
      return row;
    });
    return { apiKey, key };
  }

  /** Ends a key for good. Once this has answered, this process accepts it no more. Revoking twice changes nothing. */
  async revoke(actor: Actor, id: string, reason = 'revoked'): Promise<ApiKey> {
    return this.#change(actor, actor.environment, async (db) => {
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
          changes: { status: { to: 'REVOKED' }, reason: { to: reason } },
        });
      }
      return row;
    });
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

export function newRow(key: string, grant: KeyGrant, actor: Actor) {
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
    createdById: actor.userId,
    createdByKeyId: actor.keyId,
  };
}
