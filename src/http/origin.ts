import type { Context } from 'hono';
import { SECRET_PATTERN } from '../keys/format.js';

/** Who sent a request, from where: what alerts and audit entries say of it. */
export interface Origin {
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly requestId: string;
}

export function originOf(c: Context): Origin {
  return { ip: c.get('ip'), userAgent: userAgentOf(c.req.header('user-agent')), requestId: c.get('requestId') };
}

/** It is written to the audit log and to usage, and somebody will put a key there. */
export function userAgentOf(header: string | undefined): string | null {
  return header?.replace(SECRET_PATTERN, '[redacted]') ?? null;
}
