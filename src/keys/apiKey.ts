/** What a stored key is and may be: pure decisions over its row. */
import type { ApiKey, Environment } from '#prisma/client.js';
import { type ScopeSet, scopeSet } from '../scopes/scope.js';
import { inBlocks } from './network.js';

export type KeyStatus = 'ACTIVE' | 'ROTATED' | 'EXPIRED' | 'REVOKED';

type Lifetime = Pick<ApiKey, 'revokedAt' | 'expiresAt' | 'graceEndsAt' | 'rotatedAt'>;

/** ROTATED: a successor exists and the grace period runs; the key still works. */
export function keyStatus(key: Lifetime, now: Date): KeyStatus {
  if (key.revokedAt !== null) return 'REVOKED';
  if (key.expiresAt !== null && key.expiresAt <= now) return 'EXPIRED';
  if (key.graceEndsAt !== null && key.graceEndsAt <= now) return 'EXPIRED';
  return key.rotatedAt === null ? 'ACTIVE' : 'ROTATED';
}

export type Refusal = 'missing' | 'malformed' | 'unknown' | 'revoked' | 'expired' | 'ip_not_allowed' | 'plain_http';

/** Why a key may not be used now from this address; undefined when it may. */
export function refusalOf(
  key: Lifetime & { allowedIps: string | null },
  ip: string | null,
  now: Date,
): Refusal | undefined {
  const status = keyStatus(key, now);
  if (status === 'REVOKED') return 'revoked';
  if (status === 'EXPIRED') return 'expired';
  if (key.allowedIps !== null && !inBlocks(ip, list(key.allowedIps))) return 'ip_not_allowed';
  return undefined;
}

/** Scopes and CIDR blocks are stored space-separated. */
export function list(stored: string | null): string[] {
  return stored === null || stored === '' ? [] : stored.split(' ');
}

/** What a key may hand on: nothing of a child may reach beyond it. */
export interface Bounds {
  readonly environment: Environment;
  readonly scopes: ScopeSet;
  readonly expiresAt: Date | null;
  readonly allowedIps: readonly string[] | null;
  readonly ratePerMinute: number | null;
  readonly ratePerHour: number | null;
}

/** The operator at the command line, who has the database anyway. */
export function unbounded(environment: Environment): Bounds {
  const scopes = scopeSet(['admin:*']);
  return { environment, scopes, expiresAt: null, allowedIps: null, ratePerMinute: null, ratePerHour: null };
}

/** Of the moments that there are. */
export function earliest(...moments: readonly (Date | null | undefined)[]): Date | null {
  const times = moments.flatMap((moment) => (moment ? [moment.getTime()] : []));
  return times.length > 0 ? new Date(Math.min(...times)) : null;
}

export function boundsOf(key: ApiKey): Bounds {
  return {
    environment: key.environment,
    scopes: scopeSet(list(key.scopes)),
    expiresAt: earliest(key.expiresAt, key.graceEndsAt),
    allowedIps: key.allowedIps === null ? null : list(key.allowedIps),
    ratePerMinute: key.ratePerMinute,
    ratePerHour: key.ratePerHour,
  };
}
