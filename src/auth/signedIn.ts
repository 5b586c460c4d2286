/** A person's session, used in one of their workspaces: a principal as a key is. */
import { hash } from 'node:crypto';
import type { ApiKey, Environment, PrismaClient } from '#prisma/client.js';
import { hashOfToken } from '../accounts/hashedTokens.js';
import { isUniqueViolation } from '../db/databaseError.js';
import { newId } from '../ids.js';

/** What a session's cookie, and the headers beside it, name. */
export interface SignedIn {
  /** Of the session, after its signature was found to be good. */
  readonly token: string;
  readonly workspaceId: string;
  readonly environment: Environment;
}

/** What it is cached by; of no key. */
export const idOf = ({ token, workspaceId, environment }: SignedIn): string =>
  `session:${hash('sha256', token, 'hex')} ${workspaceId} ${environment}`;

export const isSession = (id: string): boolean => id.startsWith('session:');

type Reader = Pick<PrismaClient, 'signInSession' | 'user' | 'apiKey'>;

/**
 * The row by which the sessions of the person in that workspace are counted, limited and named in the audit log: one for the user,
 * in each environment. It opens nothing by itself, and holds nothing: what a session may do, its user's role says (storedKeys.ts).
 * @returns undefined for a session that has ended, or of somebody who is not in the workspace
 */
export async function sessionRow(
  system: Reader,
  { token, workspaceId, environment }: SignedIn,
  now: Date,
): Promise<ApiKey | undefined> {
  const session = await system.signInSession.findUnique({ where: { token: hashOfToken(token) } });
  if (!session || session.expiresAt <= now) return undefined;
  const member = await system.user.findFirst({ where: { workspaceId, environment: 'LIVE', personId: session.userId } });
  if (!member) return undefined;
  const { email, name, role } = member;
  const user =
    environment === 'LIVE'
      ? member
      : await system.user.upsert({
          where: { workspaceId_environment_email: { workspaceId, environment, email } },
          create: { workspaceId, environment, email, name, role },
          update: {},
        });
  const hash = `session:${user.id}`;
  const known = await system.apiKey.findUnique({ where: { hash } });
  if (known) return known;
  try {
    return await system.apiKey.create({
      data: {
        id: `key_${newId()}`,
        ...{ workspaceId, environment, hash, isSession: true, createdById: user.id },
        ...{ name: 'Dashboard', description: `What ${email} does here after signing in`, prefix: '', scopes: '' },
      },
    });
  } catch (error) {
    // Another request of the person was first.
    if (!isUniqueViolation(error)) throw error;
    return system.apiKey.findUniqueOrThrow({ where: { hash } });
  }
}
