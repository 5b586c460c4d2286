/** Access tokens of the client-credentials flow (RFC 6749 4.4): a key's reach, or less of it, for an hour. */
import type { TenantDatabase } from '../db/tenant.js';
import { ApiError } from '../errors.js';
import { type Actor, recordAudit } from '../events/audit.js';
import { list } from '../keys/apiKey.js';
import { generateToken, hashKey } from '../keys/format.js';
import { GRANTABLE, scopeSet, within } from '../scopes/scope.js';
import type { Principal } from './principal.js';

/** Seconds. */
const LIFETIME = 3600;

export interface IssuedToken {
  /** Shown this once. */
  readonly token: string;
  /** Seconds. */
  readonly expiresIn: number;
  readonly scopes: readonly string[];
}

/**
 * @param wanted scopes; undefined: all of the key's
 * @throws ApiError FORBIDDEN when the key does not hold them
 */
export async function issueToken(
  db: TenantDatabase,
  actor: Actor,
  { apiKey, scopes, keyId, workspaceId, environment }: Principal,
  wanted: readonly string[] | undefined,
  now = new Date(),
): Promise<IssuedToken> {
  const granted = [...new Set(wanted ?? list(apiKey.scopes))];
  const unknown = granted.some((scope) => !GRANTABLE.includes(scope));
  if (unknown || !within(scopeSet(granted), scopes)) {
    throw new ApiError('FORBIDDEN', 'The key does not hold the scopes that were asked for.');
  }
  const left = apiKey.expiresAt === null ? LIFETIME : (apiKey.expiresAt.getTime() - now.getTime()) / 1000;
  const expiresIn = Math.max(1, Math.min(LIFETIME, Math.floor(left)));
  const token = generateToken(environment);
  await db.$transaction(async (tx) => {
    await tx.accessToken.create({
      data: {
        ...{ hash: hashKey(token), keyId, workspaceId, environment, scopes: granted.join(' ') },
        expiresAt: new Date(now.getTime() + expiresIn * 1000),
      },
      select: { keyId: true },
    });
    await recordAudit(tx, actor, {
      action: 'api_key.token',
      targetType: 'ApiKey',
      targetId: keyId,
      changes: { scopes: { to: granted } },
    });
  });
  return { token, expiresIn, scopes: granted };
}
