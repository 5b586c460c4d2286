/** What a new or changed key must satisfy: the rules of its fields, and no reach beyond the caller's. */
import { z } from 'zod';
import type { Environment } from '#prisma/client.js';
import { ApiError, badInput } from '../errors.js';
import { isSameSecond, rate } from '../input.js';
import type { RoleName } from '../scopes/roles.js';
import { closest, parseGrants, scopeSet } from '../scopes/scope.js';
import { isStorableDate } from '../storable.js';
import { type Authority, authorityOf, type Excess, excessOf, isSubset, listOf, type StoredKey } from './authority.js';
import { normalizeBlock } from './network.js';
import type { OperationLock } from './operationLock.js';
import { ENTERPRISE, type Plan } from './plans.js';

/** Whose authority bounds a change. The operator has the database anyway, and is bound by the plan alone. */
export type Bound = Authority | 'operator';

/** What the caller asks for. Left out: taken over from the caller where it is bounded; null: none, if that is allowed. */
export interface KeyRequest {
  readonly name: string;
  readonly description?: string | null | undefined;
  /** Left out: what the operations need. */
  readonly scopes?: readonly string[] | undefined;
  readonly environment?: Environment | null | undefined;
  /** Ids of the projects that it is bound to. */
  readonly projects?: readonly string[] | null | undefined;
  /** The user as whom it acts. */
  readonly actsAsId?: string | null | undefined;
  readonly operations?: KeyOperations | undefined;
  readonly expiresAt?: Date | null | undefined;
  readonly autoRenew?: boolean | null | undefined;
  readonly allowedIps?: readonly string[] | null | undefined;
  readonly ratePerMinute?: number | null | undefined;
  readonly ratePerHour?: number | null | undefined;
}

/** Operations that a key is made for. */
export interface KeyOperations {
  readonly operations: readonly NewOperation[];
  /** Whether it runs nothing else. */
  readonly lock: boolean;
}

export interface NewOperation {
  /** SHA-256 of its normal form, and of its text, in hexadecimal. */
  readonly hash: string;
  readonly textHash: string;
  readonly name: string;
  readonly text: string;
  readonly scopes: readonly string[];
  readonly pins: Readonly<Record<string, unknown>>;
}

/** A request whose user and operations are known. */
export interface ResolvedRequest extends Omit<KeyRequest, 'actsAsId' | 'operations'> {
  readonly actsAs: { readonly id: string; readonly role: RoleName | null } | null;
  readonly lock: OperationLock | null;
  /** The fewest scopes that the operations run with; null: none are given. */
  readonly needed: readonly string[] | null;
}

/** What may be changed of a key; left out: as it is. */
export type KeyChange = Partial<Omit<KeyRequest, 'environment' | 'operations'>> & {
  /** Null: it is not locked any more. */
  readonly lock?: OperationLock | null | undefined;
  /** An expiry that is the key's but for the fraction of its second leaves it as it is. */
  readonly keepFractions?: boolean;
};

/** What the rules depend on beside the request. */
export interface Policy {
  readonly now: Date;
  readonly plan: Plan;
}

/** A request that passed, as the columns of the key's row. */
export interface KeyGrant {
  readonly name: string;
  readonly description: string | null;
  readonly scopes: string;
  readonly projectIds: string | null;
  readonly actsAsId: string | null;
  readonly isLocked: boolean;
  readonly environment: Environment;
  readonly expiresAt: Date | null;
  readonly autoRenew: boolean;
  readonly termSeconds: number | null;
  readonly allowedIps: string | null;
  readonly ratePerMinute: number | null;
  readonly ratePerHour: number | null;
}

/** Projects that a key is bound to; more is hardly a bound. */
const MOST_PROJECTS = 50;

const fields = z.object({
  name: z.string().trim().min(1, 'must not be empty').max(100, 'must have at most 100 characters'),
  description: z.string().trim().max(500, 'must have at most 500 characters').nullish(),
  scopes: z.array(z.string()).max(50, 'must have at most 50 entries').optional(),
  projects: z.array(z.string()).max(MOST_PROJECTS, `must have at most ${MOST_PROJECTS} entries`).nullish(),
  allowedIps: z
    .array(z.string())
    .min(1, 'must not be empty; null allows any address')
    .max(100, 'must have at most 100 entries')
    .nullish(),
  ratePerMinute: rate.nullish(),
  ratePerHour: rate.nullish(),
});

/**
 * @param kept what a change leaves as it is; a rule that is stricter than when that was written does not stand in its way
 * @throws BAD_USER_INPUT for a field that breaks its rule; FORBIDDEN for anything that reaches beyond the caller
 */
export function decideGrant(request: ResolvedRequest, bound: Bound, policy: Policy, kept?: StoredKey): KeyGrant {
  const { now, plan } = policy;
  const parsed = fields.safeParse(request);
  if (!parsed.success) throw badInput(byCallersField(z.flattenError(parsed.error).fieldErrors));
  const { name, description } = parsed.data;
  const caller = bound === 'operator' ? undefined : bound;
  const scopes = grantsOf(request);
  const projects = request.projects === undefined ? (caller?.projects ?? null) : request.projects;
  // They are kept in one text, with spaces between.
  if ([...(projects ?? [])].some((id) => !/^\S+$/.test(id))) throw badInput({ projects: ['must be ids of projects'] });
  const inherited = caller?.allowedIps ?? null;
  const allowedIps = request.allowedIps === undefined ? inherited : parseBlocks(request.allowedIps);
  const expiresAt = request.expiresAt === undefined ? (caller?.expiresAt ?? null) : request.expiresAt;
  if (expiresAt !== null && !isStorableDate(expiresAt)) {
    throw badInput({ expiresAt: ['must be a date in the years 1 to 9999, UTC'] });
  }
  if (expiresAt !== null && expiresAt <= now) throw badInput({ expiresAt: ['must lie in the future'] });
  const autoRenew = request.autoRenew ?? false;
  if (autoRenew && plan.name !== ENTERPRISE && !kept?.autoRenew) {
    throw badInput({ autoRenew: [`takes the ${ENTERPRISE} plan`] });
  }
  if (autoRenew && expiresAt === null) throw badInput({ autoRenew: ['takes an expiresAt'] });
  const isSameExpiry = kept !== undefined && kept.expiresAt?.getTime() === expiresAt?.getTime();
  const grant: KeyGrant = {
    name,
    description: description || null,
    scopes: scopes.join(' '),
    projectIds: projects === null ? null : [...new Set(projects)].sort().join(' '),
    actsAsId: request.actsAs?.id ?? null,
    isLocked: request.lock !== null,
    environment: request.environment ?? caller?.environment ?? 'LIVE',
    expiresAt,
    autoRenew,
    termSeconds: isSameExpiry ? kept.termSeconds : termOf(now, expiresAt),
    allowedIps: allowedIps?.join(' ') ?? null,
    ratePerMinute: rateOf(request.ratePerMinute, caller?.ownLimits.perMinute, plan.perMinute),
    ratePerHour: rateOf(request.ratePerHour, caller?.ownLimits.perHour, plan.perHour),
  };
  const limits = {
    perMinute: limitOf(grant.ratePerMinute, kept?.ratePerMinute, plan.perMinute),
    perHour: limitOf(grant.ratePerHour, kept?.ratePerHour, plan.perHour),
  };
  if (caller) {
    const { lock, actsAs } = request;
    const row = { ...grant, lock, role: actsAs?.role ?? null, graceEndsAt: null, rotatedAt: null };
    const made = { ...authorityOf(row, plan), limits };
    const excess = excessOf(made, caller);
    if (excess) throw beyond(excess, caller, grant);
  }
  const over = [
    ...(limits.perMinute > plan.perMinute ? [`perMinute must be at most ${plan.perMinute}`] : []),
    ...(limits.perHour !== null && plan.perHour !== null && limits.perHour > plan.perHour
      ? [`perHour must be at most ${plan.perHour}`]
      : []),
  ];
  if (over.length > 0) throw badInput({ rateLimit: over.map((text) => `${text}, as the plan ${plan.name} has it`) });
  return grant;
}

/**
 * The key as it would be after the change: it must satisfy the rules of a new one. As it was and as it becomes, it must
 * lie within the caller whole, so that no caller prolongs, widens, weakens or ends what is beyond its own reach.
 */
export function decideChange(
  key: StoredKey,
  { actsAs, ...change }: Omit<KeyChange, 'actsAsId'> & { readonly actsAs?: ResolvedRequest['actsAs'] | undefined },
  bound: Bound,
  policy: Policy,
): KeyGrant {
  if (!mayChange(key, bound, policy.plan)) throw outOfReach();
  const kept = <T>(wanted: T | undefined, current: T): T => (wanted === undefined ? current : wanted);
  return decideGrant(
    {
      name: change.name ?? key.name,
      description: kept(change.description, key.description),
      scopes: change.scopes ?? listOf(key.scopes),
      needed: null,
      projects: kept(change.projects, key.projectIds === null ? null : listOf(key.projectIds)),
      actsAs: kept(actsAs, key.actsAsId === null ? null : { id: key.actsAsId, role: key.role }),
      lock: kept(change.lock, key.lock),
      environment: key.environment,
      expiresAt:
        change.keepFractions && isSameSecond(change.expiresAt, key.expiresAt)
          ? key.expiresAt
          : kept(change.expiresAt, key.expiresAt),
      autoRenew: kept(change.autoRenew, key.autoRenew),
      allowedIps: kept(change.allowedIps, key.allowedIps === null ? null : listOf(key.allowedIps)),
      ratePerMinute: kept(change.ratePerMinute, key.ratePerMinute),
      ratePerHour: kept(change.ratePerHour, key.ratePerHour),
    },
    bound,
    policy,
    key,
  );
}

/** Whether the key as it is lies within the caller. */
export function mayChange(key: StoredKey, bound: Bound, plan: Plan): boolean {
  return bound === 'operator' || isSubset(authorityOf(key, plan), bound);
}

/** A key of the caller's environment may be ended with keys:delete, by a key that may change it, and by itself. */
export function mayRevoke(key: StoredKey, bound: Bound, callingKeyId: string | null, plan: Plan): boolean {
  if (bound === 'operator') return true;
  if (bound.scopes.has('keys:delete') || key.id === callingKeyId) return true;
  return bound.scopes.has('keys:write') && mayChange(key, bound, plan);
}

/** When a key that renews itself is prolonged to; undefined: it is not, or not yet. */
export function decideRenewal(
  { autoRenew, expiresAt, termSeconds, rotatedAt, revokedAt }: Omit<StoredKey, 'role' | 'lock'>,
  { now, plan }: Policy,
): Date | undefined {
  if (!autoRenew || plan.name !== ENTERPRISE || rotatedAt !== null || revokedAt !== null) return undefined;
  if (expiresAt === null || expiresAt <= now || !termSeconds) return undefined;
  const term = termSeconds * 1000;
  const isDue = expiresAt.getTime() - now.getTime() <= Math.min(RENEWAL_LEAD, term / 2);
  return isDue ? new Date(expiresAt.getTime() + term) : undefined;
}

/** A key is renewed a day before it lapses, or half its term if that is shorter. Milliseconds. */
const RENEWAL_LEAD = 86_400_000;
/** The longest term that PostgreSQL's integer holds: 68 years. */
const LONGEST_TERM = 2_147_483_647;

/** Seconds that auto-renewal extends a key by: the time that it was given. */
function termOf(from: Date, expiresAt: Date | null): number | null {
  if (expiresAt === null) return null;
  return Math.min(LONGEST_TERM, Math.max(1, Math.round((expiresAt.getTime() - from.getTime()) / 1000)));
}

/** The scopes that are asked for, or those that the operations need. @throws BAD_USER_INPUT */
function grantsOf({ scopes, needed }: ResolvedRequest): string[] {
  if (!scopes && !needed) throw badInput({ scopes: ['must be given, unless there are operations'] });
  if (!scopes) return [...new Set(needed)].sort();
  const grants = parseGrants(scopes);
  const held = scopeSet(grants);
  const missing = [...scopeSet(needed ?? [])].filter((scope) => !held.has(scope));
  if (missing.length > 0) throw badInput({ scopes: [`must cover what the operations need: ${missing.join(', ')}`] });
  return grants;
}

/** The key's own number: what was asked for, or the caller's own, as far as the plan has it. */
function rateOf(asked: number | null | undefined, callers: number | null | undefined, plans: number | null) {
  if (asked !== undefined) return asked;
  return callers == null ? null : Math.min(callers, plans ?? callers);
}

/** What the number comes to; one that is kept comes to no more than the plan has. */
function limitOf(own: number | null, kept: number | null | undefined, plan: number): number;
function limitOf(own: number | null, kept: number | null | undefined, plan: number | null): number | null;
function limitOf(own: number | null, kept: number | null | undefined, plan: number | null): number | null {
  if (own === null) return plan;
  return own === kept && plan !== null ? Math.min(own, plan) : own;
}

function beyond(excess: Excess, caller: Authority, grant: KeyGrant): ApiError {
  switch (excess.of) {
    case 'environment':
      return forbidden(
        grant.environment === 'LIVE'
          ? 'A TEST key cannot give a LIVE key.'
          : 'A LIVE key without admin:* cannot give a TEST key.',
      );
    case 'scopes': {
      const { missing } = closest(caller.scopes, [excess.missing]);
      return forbidden(`A key can give only scopes that it holds itself; missing: ${missing.join(', ')}.`, {
        missingScopes: missing,
      });
    }
    case 'projects':
      return forbidden('A key that is bound to projects gives only keys that are bound to some of them.');
    case 'user':
      return forbidden(
        caller.actsAs === null
          ? 'A key that acts as a user is given and changed by an administrator, or by a key that acts as the same user.'
          : 'A key that acts as a user gives only keys that act as the same user.',
      );
    case 'operations':
      return forbidden('A key that is locked to operations gives only keys that are locked to some of them.');
    case 'expiry':
      return forbidden(`A key cannot give a later expiry than its own, ${caller.expiresAt?.toISOString()}.`);
    case 'renewal':
      return forbidden('A key that expires can give auto-renewal only if it renews itself, by no longer a term.');
    case 'addresses':
      return forbidden('A key cannot give a wider IP allow-list than its own.');
    case 'perMinute':
    case 'perHour': {
      const window = excess.of === 'perMinute' ? 'minute' : 'hour';
      return forbidden(`A key cannot give a higher rate limit than its own, ${excess.most} a ${window}.`);
    }
  }
}

/** Says nothing of what the other key may do. */
export function outOfReach(): ApiError {
  return forbidden('This key reaches further than the calling one, which may not change it.');
}

function forbidden(message: string, details: Readonly<Record<string, unknown>> = {}): ApiError {
  return new ApiError('FORBIDDEN', message, details);
}

/** Callers know both numbers under one name. */
function byCallersField(
  problems: Readonly<Record<string, readonly string[] | undefined>>,
): Record<string, readonly string[]> {
  const fields: Record<string, string[]> = {};
  for (const [field, texts = []] of Object.entries(problems)) {
    const rateField = /^ratePer(Minute|Hour)$/.exec(field)?.[1];
    const name = rateField ? 'rateLimit' : field;
    fields[name] = [...(fields[name] ?? []), ...texts.map((text) => (rateField ? `per${rateField} ${text}` : text))];
  }
  return fields;
}

function parseBlocks(input: readonly string[] | null): string[] | null {
  if (input === null) return null;
  const problems: string[] = [];
  const blocks = input.flatMap((text) => {
    const block = normalizeBlock(text);
    if (block === undefined)
      problems.push(`has ${JSON.stringify(text.slice(0, 60))}, which is no address or CIDR block`);
    return block ?? [];
  });
  if (problems.length > 0) throw badInput({ allowedIps: problems });
  return [...new Set(blocks)];
}
