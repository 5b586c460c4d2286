/**
 * Scopes for a while: a key asks for what it lacks, and says why; another key whose authority covers it approves. What is granted
 * lapses by itself, and is handed on to no other key: the authority of the key stays what it was.
 */

import { z } from 'zod';
import type { ApiKey, PrismaClient, ScopeGrant } from '#prisma/client.js';
import type { Actor } from '../audit/entry.js';
import type { Unit, UnitOfWork } from '../db/unitOfWork.js';
import { ApiError, badInput, notFound } from '../errors.js';
import { newId } from '../ids.js';
import { check, required, text } from '../input.js';
import { parseGrants, type Scope, scopeSet } from '../scopes/scope.js';
import { raiseAlert } from './alerts.js';
import { keyStatus } from './apiKey.js';
import { authorityOf, excessOf, listOf, type StoredKey, scopesWith } from './authority.js';
import { aboutKey, type Caller, findKey, type KeyUnit, KeyUnits, noteGiven } from './keyUnit.js';
import type { Plans } from './plans.js';
import { outOfReach } from './rules.js';

const MOST_MINUTES = 24 * 60;
/** Requests of one key that wait for a decision. */
const MOST_PENDING = 10;
/** Milliseconds after which a request that nobody decided is no more. */
const LASTS = 7 * 86_400_000;
/** Who gets these for a moment could keep them for good. */
const NOT_FOR_A_WHILE: readonly Scope[] = ['admin:*', 'keys:write', 'keys:delete', 'users:write', 'users:delete'];

export const GRANT_STATUSES = ['PENDING', 'ACTIVE', 'ENDED', 'DENIED', 'LAPSED'] as const;
export type GrantStatus = (typeof GRANT_STATUSES)[number];

type GrantTimes = Pick<ScopeGrant, 'createdAt' | 'decidedAt' | 'endsAt'>;

/** LAPSED: nobody decided in time. */
export function grantStatus({ createdAt, decidedAt, endsAt }: GrantTimes, now: Date): GrantStatus {
  if (decidedAt === null) return now.getTime() - createdAt.getTime() < LASTS ? 'PENDING' : 'LAPSED';
  if (endsAt === null) return 'DENIED';
  return endsAt > now ? 'ACTIVE' : 'ENDED';
}

/** The grants that `grantStatus` gives this status, as a Prisma `where`. */
export function whereGrantStatus(status: GrantStatus, now: Date): object {
  const since = new Date(now.getTime() - LASTS);
  switch (status) {
    case 'PENDING':
      return { decidedAt: null, createdAt: { gt: since } };
    case 'LAPSED':
      return { decidedAt: null, createdAt: { lte: since } };
    case 'DENIED':
      return { decidedAt: { not: null }, endsAt: null };
    case 'ACTIVE':
      return { endsAt: { gt: now } };
    case 'ENDED':
      return { endsAt: { lte: now } };
  }
}

const rules = z.object({
  reason: required(text(1, 500)),
  minutes: z
    .number()
    .int()
    .min(1, 'must be at least 1')
    .max(MOST_MINUTES, `must be at most ${MOST_MINUTES}, which is a day`),
});

interface NewRequest {
  readonly scopes: readonly string[];
  readonly reason: string;
  readonly minutes: number;
}

/** The scopes that a key has for a while, as they are now. */
export async function timedGrants(
  system: Pick<PrismaClient, 'scopeGrant'>,
  { id, grantsUntil }: Pick<ApiKey, 'id' | 'grantsUntil'>,
  now: Date,
) {
  // Few keys have any, and each look-up of a key asks.
  if (grantsUntil === null || grantsUntil <= now) return [];
  const grants = await system.scopeGrant.findMany({
    where: { keyId: id, ...whereGrantStatus('ACTIVE', now) },
    select: { scopes: true, endsAt: true },
  });
  return grants.flatMap(({ scopes, endsAt }) => (endsAt ? { scopes: listOf(scopes), endsAt } : []));
}

/** Ends what a key was granted for a while, within a change of it. */
export async function endGrants(unit: Unit, key: ApiKey): Promise<void> {
  if (key.grantsUntil === null || key.grantsUntil <= unit.now) return;
  const where = { keyId: key.id, ...whereGrantStatus('ACTIVE', unit.now) };
  const grants = await unit.tx.scopeGrant.findMany({ where });
  await unit.tx.scopeGrant.updateMany({ where, data: { endsAt: unit.now } });
  for (const grant of grants) note(unit, key, 'end_grant', grant, {});
}

export class ScopeGrants {
  readonly #units: KeyUnits;

  constructor(
    private readonly system: PrismaClient,
    units: UnitOfWork,
    plans: Plans,
    private readonly onError: (error: unknown) => void,
  ) {
    this.#units = new KeyUnits(units, plans);
  }

  /**
   * Asks, for the calling key.
   * @throws BAD_USER_INPUT for what it has, or what is not given for a while; CONFLICT where too many requests wait
   */
  async request(actor: Actor, keyId: string, input: NewRequest): Promise<ScopeGrant> {
    const { reason, minutes } = check(rules, { reason: input.reason, minutes: input.minutes });
    const scopes = parseGrants(input.scopes);
    return this.#units.look(actor, { keyId }, async ({ unit, key }) => {
      if (!key) throw new Error('a key asks for itself');
      mustBeWorthAsking(key, scopes);
      const pending = { keyId, ...whereGrantStatus('PENDING', unit.now) };
      if ((await unit.tx.scopeGrant.count({ where: pending })) >= MOST_PENDING) {
        throw new ApiError(
          'CONFLICT',
          `${MOST_PENDING} requests of this key wait for a decision. Wait for one of them.`,
        );
      }
      const { workspaceId, environment } = key;
      const grant = await unit.tx.scopeGrant.create({
        data: {
          ...{ id: newId(), workspaceId, environment, keyId, reason, minutes },
          ...{ scopes: scopes.join(' '), createdAt: unit.now },
        },
      });
      const changes = {
        grant: { to: grant.id },
        scopes: { to: scopes },
        minutes: { to: minutes },
        reason: { to: reason },
      };
      unit.audit({ ...aboutKey(key, 'request_scopes'), changes });
      unit.afterCommit(() => this.#tell(key, grant));
      return grant;
    });
  }

  /**
   * Grants what was asked for, from now on.
   * @param minutes fewer than were asked for
   * @throws FORBIDDEN where the key would reach beyond the caller; CONFLICT for one that was decided already
   */
  async approve(actor: Actor, caller: Caller, id: string, minutes?: number | null): Promise<ScopeGrant> {
    return this.#units.run(actor, caller, async (context) => {
      const { unit } = context;
      const { grant, key } = await findPending(context, id);
      if (minutes != null && !(minutes >= 1 && minutes <= grant.minutes)) {
        throw badInput({ minutes: [`must be from 1 to ${grant.minutes}`] });
      }
      const endsAt = new Date(unit.now.getTime() + (minutes ?? grant.minutes) * 60_000);
      const decided = { decidedAt: unit.now, decidedByKeyId: unit.actor.keyId, endsAt };
      const approved = await unit.tx.scopeGrant.update({ where: { id }, data: decided });
      if (!key.grantsUntil || key.grantsUntil < endsAt) {
        await unit.tx.apiKey.update({ where: { id: key.id }, data: { grantsUntil: endsAt } });
      }
      note(unit, key, 'approve_grant', grant, { endsAt: { to: endsAt } });
      return approved;
    });
  }

  /** Refuses what was asked for. @throws as `approve` */
  async deny(actor: Actor, caller: Caller, id: string): Promise<ScopeGrant> {
    return this.#units.run(actor, caller, async (context) => {
      const { unit } = context;
      const { grant, key } = await findPending(context, id);
      const decided = { decidedAt: unit.now, decidedByKeyId: unit.actor.keyId };
      const denied = await unit.tx.scopeGrant.update({ where: { id }, data: decided });
      note(unit, key, 'deny_grant', grant, {});
      return denied;
    });
  }

  /** Ends what was granted, at once; a key may end its own. */
  async end(actor: Actor, caller: Caller, id: string): Promise<ScopeGrant> {
    return this.#units.run(actor, caller, async (context) => {
      const { unit } = context;
      const { grant, key } = await find(context, id);
      if (caller === 'operator' || key.id !== caller.keyId) mustCover(context, key, grant);
      if (grantStatus(grant, unit.now) !== 'ACTIVE') throw new ApiError('CONFLICT', 'The grant is not in force.');
      const ended = await unit.tx.scopeGrant.update({ where: { id }, data: { endsAt: unit.now } });
      note(unit, key, 'end_grant', grant, {});
      return ended;
    });
  }

  #tell(key: StoredKey, { id, scopes, minutes, reason }: ScopeGrant): void {
    const { workspaceId, environment, name } = key;
    const message = `The key ${name} asks for ${scopes} for ${minutes} minutes: ${reason}`;
    const alert = { workspaceId, environment, kind: 'SCOPES_REQUESTED' as const, keyId: key.id, message, occasion: id };
    void raiseAlert(this.system, alert).catch(this.onError);
  }
}

function mustBeWorthAsking(key: StoredKey, scopes: readonly string[]): void {
  const asked = scopeSet(scopes);
  const never = NOT_FOR_A_WHILE.filter((scope) => asked.has(scope));
  const problems: string[] = [];
  if (asked.size === 0) problems.push('must name a scope');
  if (never.length > 0) problems.push(`has what is not given for a while: ${never.join(', ')}`);
  const has = authorityOf(key, NO_PLAN).scopes;
  if (asked.size > 0 && [...asked].every((scope) => has.has(scope))) problems.push('are held by the key already');
  const reached = scopesWith(key, scopes);
  const useless = [...asked].filter((scope) => !reached.has(scope));
  if (useless.length > 0 && never.length === 0) {
    const by = key.isLocked ? 'operations that it is locked to' : key.actsAsId ? 'role of its user' : 'projects';
    problems.push(`has what the ${by} would not let the key use: ${useless.join(', ')}`);
  }
  if (problems.length > 0) throw badInput({ scopes: problems });
}

/** Scopes do not depend on it. */
const NO_PLAN = { perMinute: 1, perHour: null };

async function find(context: KeyUnit, id: string): Promise<{ grant: ScopeGrant; key: StoredKey }> {
  const grant = await context.unit.tx.scopeGrant.findUnique({ where: { id } });
  if (!grant) throw notFound('scope grant', id);
  try {
    return { grant, key: await findKey(context, grant.keyId) };
  } catch (error) {
    throw error instanceof ApiError && error.code === 'NOT_FOUND' ? notFound('scope grant', id) : error;
  }
}

async function findPending(context: KeyUnit, id: string) {
  const found = await find(context, id);
  mustCover(context, found.key, found.grant);
  const { now } = context.unit;
  const status = grantStatus(found.grant, now);
  if (status !== 'PENDING') throw new ApiError('CONFLICT', `The request is decided, or has lapsed (${status}).`);
  const keyIs = keyStatus(found.key, now);
  if (keyIs === 'REVOKED' || keyIs === 'EXPIRED') throw new ApiError('CONFLICT', 'The key that asked has ended.');
  return found;
}

/** @throws FORBIDDEN unless the key, as it is and with what it asks for, lies within the caller */
function mustCover(context: KeyUnit, key: StoredKey, { scopes }: ScopeGrant): void {
  const { bound, policy, key: callingKey } = context;
  if (bound === 'operator') return;
  if (callingKey?.id === key.id) throw new ApiError('FORBIDDEN', 'Another key decides what this one asks for.');
  const wider = { ...key, scopes: [...new Set([...listOf(key.scopes), ...listOf(scopes)])].join(' ') };
  const excess = excessOf(authorityOf(key, policy.plan), bound) ?? excessOf(authorityOf(wider, policy.plan), bound);
  if (excess) throw outOfReach();
  noteGiven(context, wider);
}

function note(unit: Unit, key: ApiKey, verb: string, { id, scopes }: ScopeGrant, changes: object): void {
  unit.audit({ ...aboutKey(key, verb), changes: { grant: { to: id }, scopes: { to: listOf(scopes) }, ...changes } });
}
