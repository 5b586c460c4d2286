/**
 * Access of people that a backup would bring back: sessions and invitations that have ended since, members who were removed or have
 * a lesser role, passwords that were changed, tokens and secrets of applications that were replaced. Taken back in the copy, before
 * it is served.
 */
import { existsSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import type { PrismaClient } from '#prisma/client.js';
import type { Replaced } from '../keys/revival.js';
import { ROLE_GRANTS, type RoleName } from '../scopes/roles.js';
import { scopeSet } from '../scopes/scope.js';

interface Present {
  /** By the id of their user. */
  readonly members: ReadonlyMap<string, { readonly personId: string; readonly role: RoleName }>;
  /** By the id of the method. */
  readonly passwords: ReadonlyMap<string, string>;
  readonly passkeys: ReadonlySet<string>;
  /** By the id of the application. */
  readonly secrets: ReadonlyMap<string, string | null>;
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
    for (const { id, secretHash } of await tx.oauthApp.findMany()) {
      const later = present.secrets.get(id);
      if (later === undefined) await tx.oauthApp.delete({ where: { id } });
      else if (later !== secretHash) await tx.oauthApp.update({ where: { id }, data: { secretHash: later } });
    }
  });
  return present !== undefined;
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
    const apps = rowsOf('OauthApp', '"id", "secretHash"');
    const passkeys = rowsOf('Passkey', '"id"') as { id: string }[];
    return {
      passkeys: new Set(passkeys.map(({ id }) => id)),
      secrets: new Map((apps as { id: string; secretHash: string | null }[]).map((one) => [one.id, one.secretHash])),
      members: new Map((users as { id: string; personId: string; role: RoleName }[]).map((one) => [one.id, one])),
      passwords: new Map((methods as { id: string; password: string }[]).map((one) => [one.id, one.password])),
    };
  } catch {
    return undefined;
  } finally {
    if (!open) database?.close();
  }
}
