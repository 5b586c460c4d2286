/** What state a stored key is in: pure decisions over its row. */
import type { ApiKey } from '#prisma/client.js';
import { listOf } from './authority.js';
import { inBlocks } from './network.js';

export const KEY_STATUSES = ['ACTIVE', 'ROTATED', 'EXPIRED', 'REVOKED'] as const;
/** What is a key, and no person's sessions. */
export const KEYS = { isSession: false } as const;
/** What a user lets an application do: nothing opens it but the tokens of the application. */
export const APP_HASH = 'app:';
export const isOfApp = ({ hash }: Pick<ApiKey, 'hash'>): boolean => hash.startsWith(APP_HASH);
export type KeyStatus = (typeof KEY_STATUSES)[number];

type Lifetime = Pick<ApiKey, 'revokedAt' | 'expiresAt' | 'graceEndsAt' | 'rotatedAt'>;

/** ROTATED: a successor exists and the grace period runs; the key still works. */
export function keyStatus(key: Lifetime, now: Date): KeyStatus {
  if (key.revokedAt !== null) return 'REVOKED';
  if (key.expiresAt !== null && key.expiresAt <= now) return 'EXPIRED';
  if (key.graceEndsAt !== null && key.graceEndsAt <= now) return 'EXPIRED';
  return key.rotatedAt === null ? 'ACTIVE' : 'ROTATED';
}

/** The keys that `keyStatus` gives this status, as a Prisma `where`. */
export function whereStatus(status: KeyStatus, now: Date): object {
  const lasts = { AND: ['expiresAt', 'graceEndsAt'].map((end) => ({ OR: [{ [end]: null }, { [end]: { gt: now } }] })) };
  switch (status) {
    case 'REVOKED':
      return { revokedAt: { not: null } };
    case 'EXPIRED':
      return { revokedAt: null, OR: [{ expiresAt: { lte: now } }, { graceEndsAt: { lte: now } }] };
    case 'ACTIVE':
      return { revokedAt: null, rotatedAt: null, ...lasts };
    case 'ROTATED':
      return { revokedAt: null, rotatedAt: { not: null }, ...lasts };
  }
}

export type Refusal = 'missing' | 'malformed' | 'unknown' | 'revoked' | 'expired' | 'ip_not_allowed' | 'plain_http';

/** Why a key may not be used now from this address; undefined when it may. */
export function keyRefusal(
  key: Lifetime & { allowedIps: string | null },
  ip: string | null,
  now: Date,
): Refusal | undefined {
  const status = keyStatus(key, now);
  if (status === 'REVOKED') return 'revoked';
  if (status === 'EXPIRED') return 'expired';
  if (key.allowedIps !== null && !inBlocks(ip, listOf(key.allowedIps))) return 'ip_not_allowed';
  return undefined;
}
