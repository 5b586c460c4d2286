/**
 * Access of people that a backup would bring back: sessions and invitations that have ended since, members who were removed or have
 * a lesser role, passwords that were changed, tokens and secrets of applications that were replaced. Taken back in the copy, before
 * it is served.
 */
import { existsSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import type { OauthApp, Prisma, PrismaClient } from '#prisma/client.js';
import { plainAuditRow, serverActor } from '../audit/entry.js';
import { APP_HASH } from '../keys/apiKey.js';
import type { Replaced } from '../keys/revival.js';
import { ROLE_GRANTS, type RoleName } from '../scopes/roles.js';
import { scopeSet } from '../scopes/scope.js';

interface Present {
  /** By the id of their user. */
  readonly members: ReadonlyMap<string, { readonly personId: string; readonly role: RoleName }>;
  /** By the id of the method. */
  readonly passwords: ReadonlyMap<string, string>;
  readonly passkeys: ReadonlySet<string>;
  /** Of applications by their id, what others could use that was taken back. */
  readonly apps: ReadonlyMap<string, Pick<OauthApp, 'secretHash' | 'redirectUris' | 'scopes'>>;
}

/**
 * @param system the copy of the backup
 * @returns whether what the replaced database knows of its members could be taken over; else those whom it had removed may sign in
 * again, and passwords are those of the backup
 */
export async function takeBackAccess(system: PrismaClient, replaced: Replaced, now: Date): Promise<boolean> {
  const present = readPresent(replaced);
  await system.$transaction(async (tx) => {
    await tx.signInSession.deleteMany();
    // So that no cookie that was signed before fits a session to come.
    await tx.serverSecret.deleteMany();
    // Those that were replaced since would be good again; users are asked once more.
    await tx.oauthCode.deleteMany();
    await tx.oauthRefreshToken.deleteMany();
    const access = { hash: { startsWith: APP_HASH }, revokedAt: null };
    await tx.accessToken.deleteMany({ where: { key: access } });
    await endAccess(tx, access, now);
    await tx.invitation.updateMany({ where: { acceptedAt: null, revokedAt: null }, data: { revokedAt: now } });
    if (!present) return;
    for (const { id, personId, role } of await tx.user.findMany({ where: { personId: { not: null } } })) {
      const member = present.members.get(id);
      if (member?.personId !== personId) await tx.user.update({ where: { id }, data: { personId: null } });
      else if (isLess(member.role, role)) await tx.user.update({ where: { id }, data: { role: member.role } });
    }
    for (const { id, password } of await tx.signInMethod.findMany()) {
      const later = present.passwords.get(id);
      if (later !== undefined && later !== password) {
        await tx.signInMethod.update({ where: { id }, data: { password: later } });
      }
    }
    for (const { id } of await tx.passkey.findMany({ select: { id: true } })) {
      if (!present.passkeys.has(id)) await tx.passkey.delete({ where: { id } });
    }
    for (const { id } of await tx.oauthApp.findMany({ select: { id: true } })) {
      const later = present.apps.get(id);
      if (later) await tx.oauthApp.update({ where: { id }, data: later });
      else await tx.oauthApp.delete({ where: { id } });
    }
  });
  return present !== undefined;
}

/** Their tokens are gone: users are asked again. */
async function endAccess(
  tx: Pick<PrismaClient, 'apiKey' | 'auditEvent'>,
  where: Prisma.ApiKeyWhereInput,
  now: Date,
): Promise<void> {
  const revokedReason = 'the database was restored from a backup';
  const rows = await tx.apiKey.findMany({ where, select: { id: true, workspaceId: true, environment: true } });
  await tx.apiKey.updateMany({ where, data: { revokedAt: now, revokedReason } });
  const changes = { reason: { to: revokedReason } };
  const about = { action: 'api_key.revoke', targetType: 'ApiKey', changes };
  await tx.auditEvent.createMany({
    data: rows.map(({ id, ...tenant }) =>
      plainAuditRow(serverActor(tenant, 'taskgate restore'), { ...about, targetId: id }, now),
    ),
  });
}

function isLess(role: RoleName, than: RoleName): boolean {
  const [inner, outer] = [scopeSet(ROLE_GRANTS[role]), scopeSet(ROLE_GRANTS[than])];
  return role !== than && [...inner].every((scope) => outer.has(scope));
}

/** undefined where the database is not there, cannot be read, or is older than accounts. */
function readPresent({ file, database: open }: Replaced): Present | undefined {
  if (!open && !existsSync(file)) return undefined;
  let database = open;
  try {
    database ??= new Sqlite(file, { readonly: true });
    const users = database.prepare('SELECT "id", "personId", "role" FROM "User" WHERE "personId" IS NOT NULL').all();
    const methods = database.prepare('SELECT "id", "password" FROM "SignInMethod" WHERE "password" IS NOT NULL').all();
    const rowsOf = (table: string, columns: string) => {
      // A database of an earlier version has none.
      const isThere = database?.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(table) !== undefined;
      return isThere ? (database?.prepare(`SELECT ${columns} FROM "${table}"`).all() ?? []) : [];
    };
    const apps = rowsOf('OauthApp', '"id", "secretHash", "redirectUris", "scopes"') as OauthApp[];
    const passkeys = rowsOf('Passkey', '"id"') as { id: string }[];
    return {
      passkeys: new Set(passkeys.map(({ id }) => id)),
      apps: new Map(apps.map(({ id, ...app }) => [id, app])),
      members: new Map((users as { id: string; personId: string; role: RoleName }[]).map((one) => [one.id, one])),
      passwords: new Map((methods as { id: string; password: string }[]).map((one) => [one.id, one.password])),
    };
  } catch {
    return undefined;
  } finally {
    if (!open) database?.close();
  }
}
