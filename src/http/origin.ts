import type { Context } from 'hono';

/** Who sent a request, from where: what alerts and audit entries say of it. */
export interface Origin {
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly requestId: string;
}

export function originOf(c: Context): Origin {
  return { ip: c.get('ip'), userAgent: c.req.header('user-agent') ?? null, requestId: c.get('requestId') };
}
