/** What a new or changed key must satisfy: the rules of its fields, and no reach beyond its giver. */
import { z } from 'zod';
import type { ApiKey, Environment } from '#prisma/client.js';
import { ApiError, badInput } from '../errors.js';
import { closest, parseGrants, scopeSet, within } from '../scopes/scope.js';
import { type Bounds, list } from './apiKey.js';
import { blockWithin, normalizeBlock } from './network.js';

/** What the caller asks for. Left out: taken over from the giver where it is bounded; null: none, if that is allowed. */
export interface KeyRequest {
  readonly name: string;
  readonly description?: string | null | undefined;
  readonly scopes: readonly string[];
  readonly environment?: Environment | null | undefined;
  readonly expiresAt?: Date | null | undefined;
  readonly autoRenew?: boolean | null | undefined;
  readonly allowedIps?: readonly string[] | null | undefined;
  readonly ratePerMinute?: number | null | undefined;
  readonly ratePerHour?: number | null | undefined;
}

/** What may be changed of a key; left out: as it is. */
export type KeyChange = Partial<Omit<KeyRequest, 'environment'>>;

/** What the rules depend on beside the request. */
export interface Circumstances {
  readonly now: Date;
  /** The workspace's; autoRenew takes enterprise. */
  readonly plan: string;
}

/** A request that passed: ready to be written. */
export interface KeyGrant {
  readonly name: string;
  readonly description: string | null;
  readonly scopes: readonly string[];
  readonly environment: Environment;
  readonly expiresAt: Date | null;
  readonly autoRenew: boolean;
  readonly allowedIps: readonly string[] | null;
  readonly ratePerMinute: number | null;
  readonly ratePerHour: number | null;
}

const rate = z.number().int().min(1, 'must be at least 1').max(10_000_000, 'must be at most 10000000').nullish();
const fields = z.object({
  name: z.string().trim().min(1, 'must not be empty').max(100, 'must have at most 100 characters'),
  description: z.string().trim().max(500, 'must have at most 500 characters').nullish(),
  scopes: z.array(z.string()).max(50, 'must have at most 50 entries'),
  allowedIps: z
    .array(z.string())
    .min(1, 'must not be empty; null allows any address')
    .max(100, 'must have at most 100 entries')
    .nullish(),
  ratePerMinute: rate,
  ratePerHour: rate,
});

/**
 * @throws BAD_USER_INPUT for a field that breaks its rule; FORBIDDEN for anything the giver does not hold itself
 */
export function decideGrant(request: KeyRequest, giver: Bounds, { now, plan }: Circumstances): KeyGrant {
  const parsed = fields.safeParse(request);
  if (!parsed.success) throw badInput(byCallersField(z.flattenError(parsed.error).fieldErrors));
  const { name, description } = parsed.data;
  const scopes = parseGrants(request.scopes);
  const allowedIps = request.allowedIps === undefined ? giver.allowedIps : parseBlocks(request.allowedIps);
  const expiresAt = request.expiresAt === undefined ? giver.expiresAt : request.expiresAt;
  if (expiresAt !== null && expiresAt <= now) throw badInput({ expiresAt: ['must lie in the future'] });
  const autoRenew = request.autoRenew ?? false;
  if (autoRenew && plan !== 'enterprise') throw badInput({ autoRenew: ['takes the enterprise plan'] });
  if (autoRenew && expiresAt === null) throw badInput({ autoRenew: ['takes an expiresAt'] });
  const grant: KeyGrant = {
    name,
    description: description || null,
    scopes,
    environment: request.environment ?? giver.environment,
    expiresAt,
    autoRenew,
    allowedIps,
    ratePerMinute: request.ratePerMinute === undefined ? giver.ratePerMinute : request.ratePerMinute,
    ratePerHour: request.ratePerHour === undefined ? giver.ratePerHour : request.ratePerHour,
  };
  refuseEscalation(grant, giver);
  return grant;
}

/**
 * The key as it would be after the change: it must satisfy the rules of a new one, and lie within its giver whole, so
 * that nobody prolongs or widens what is beyond them.
 */
export function decideChange(key: ApiKey, change: KeyChange, giver: Bounds, circumstances: Circumstances): KeyGrant {
  const kept = <T>(wanted: T | undefined, current: T): T => (wanted === undefined ? current : wanted);
  return decideGrant(
    {
      name: change.name ?? key.name,
      description: kept(change.description, key.description),
      scopes: change.scopes ?? list(key.scopes),
      environment: key.environment,
      expiresAt: kept(change.expiresAt, key.expiresAt),
      autoRenew: kept(change.autoRenew, key.autoRenew),
      allowedIps: kept(change.allowedIps, key.allowedIps === null ? null : list(key.allowedIps)),
      ratePerMinute: kept(change.ratePerMinute, key.ratePerMinute),
      ratePerHour: kept(change.ratePerHour, key.ratePerHour),
    },
    giver,
    circumstances,
  );
}

/** @throws FORBIDDEN when the grant reaches beyond its giver in any dimension */
function refuseEscalation(grant: Omit<KeyGrant, 'name' | 'description' | 'autoRenew'>, giver: Bounds): void {
  const admin = giver.scopes.has('admin:*');
  if (grant.environment !== giver.environment && !(admin && giver.environment === 'LIVE')) {
    throw beyond(`A ${giver.environment} key without admin:* cannot give a ${grant.environment} key.`);
  }
  const wanted = scopeSet(grant.scopes);
  if (!within(wanted, giver.scopes)) {
    const { missing } = closest(giver.scopes, [[...wanted]]);
    throw new ApiError(
      'FORBIDDEN',
      `A key can give only scopes that it holds itself; missing: ${missing.join(', ')}.`,
      {
        missingScopes: missing,
      },
    );
  }
  if (giver.expiresAt !== null && (grant.expiresAt === null || grant.expiresAt > giver.expiresAt)) {
    throw beyond(`A key cannot give a later expiry than its own, ${giver.expiresAt.toISOString()}.`);
  }
  const outer = giver.allowedIps;
  if (outer !== null && !grant.allowedIps?.every((inner) => outer.some((block) => blockWithin(inner, block)))) {
    throw beyond('A key cannot give a wider IP allow-list than its own.');
  }
  for (const limit of ['ratePerMinute', 'ratePerHour'] as const) {
    const most = giver[limit];
    const wantedRate = grant[limit];
    if (most !== null && !admin && (wantedRate === null || wantedRate > most)) {
      throw beyond(`A key cannot give a higher rate limit than its own, ${most}.`);
    }
  }
}

/** Callers know both numbers under one name. */
function byCallersField(
  problems: Readonly<Record<string, readonly string[] | undefined>>,
): Record<string, readonly string[]> {
  const fields: Record<string, readonly string[]> = {};
  for (const [field, texts = []] of Object.entries(problems)) {
    const rateField = /^ratePer(Minute|Hour)$/.exec(field)?.[1];
    if (rateField) fields['rateLimit'] = texts.map((text) => `per${rateField} ${text}`);
    else fields[field] = texts;
  }
  return fields;
}

function beyond(message: string): ApiError {
  return new ApiError('FORBIDDEN', message);
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
