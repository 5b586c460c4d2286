/** The two databases Taskgate runs on, distinguished by DATABASE_URL. */
export type Provider = 'sqlite' | 'postgresql';

/** `file:...` is SQLite, `postgres://` or `postgresql://` PostgreSQL; anything else is undefined. */
export function providerOf(databaseUrl: string): Provider | undefined {
  if (databaseUrl.startsWith('file:')) return 'sqlite';
  if (/^postgres(ql)?:\/\//.test(databaseUrl)) return 'postgresql';
  return undefined;
}
