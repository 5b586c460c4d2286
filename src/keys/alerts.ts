/** Alerts: what an operator should look at, as a row and an audit event. They are read by the API; nothing is delivered. */
import type { PrismaClient } from '#prisma/client.js';
import { isUniqueViolation } from '../db/databaseError.js';
import type { Tenant } from '../db/tenant.js';

export const ALERT_KINDS = [
  'AUTHENTICATION_FAILURES',
  'NEW_NETWORK',
  'LIMIT_HIT',
  'QUOTA_80',
  'QUOTA_100',
  'KEY_EXPIRING',
  'KEY_RENEWED',
  'KEY_UNUSED',
  'KEY_LEAKED',
  'KEYS_GUESSED',
  'SCOPES_REQUESTED',
  'TOKEN_REUSED',
] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

export interface NewAlert extends Tenant {
  readonly kind: AlertKind;
  /** Null where it is about no key that there is. */
  readonly keyId: string | null;
  readonly message: string;
  /** What makes it the same alert: a second one with the same kind, key and occasion is not raised. */
  readonly occasion: string;
}

/** Tells once; answers whether it was new. */
export async function raiseAlert(system: PrismaClient, alert: NewAlert): Promise<boolean> {
  const { workspaceId, environment, kind, keyId, message } = alert;
  const tenant = { workspaceId, environment };
  const cause = `${kind} ${keyId ?? ''} ${alert.occasion}`;
  if ((await system.alert.findUnique({ where: { cause }, select: { id: true } })) !== null) return false;
  try {
    await system.$transaction([
      system.alert.create({ data: { ...tenant, kind, keyId, message, cause } }),
      system.auditEvent.create({
        data: {
          ...tenant,
          action: `alert.${kind.toLowerCase()}`,
          ...(keyId !== null && { targetType: 'ApiKey', targetId: keyId }),
          changes: { message },
        },
      }),
    ]);
    return true;
  } catch (error) {
    // Another process raised it at the same moment.
    if (isUniqueViolation(error)) return false;
    throw error;
  }
}
