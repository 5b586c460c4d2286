/** What a user of a role may do at most, by keys that act as the user. The one table of what roles mean. */
export const ROLE_GRANTS = {
  OWNER: ['admin:*'],
  ADMIN: ['admin:*'],
  MANAGER: ['tasks:*', 'projects:*', 'users:read', 'users:write', 'keys:read', 'webhooks:*', 'audit:read'],
  MEMBER: ['tasks:*', 'projects:read', 'users:read'],
  VIEWER: ['tasks:read', 'projects:read', 'users:read'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type RoleName = keyof typeof ROLE_GRANTS;
