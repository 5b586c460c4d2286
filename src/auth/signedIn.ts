/** A person's session, used in one of their workspaces: a principal as a key is. */
import { hash } from 'node:crypto';
import type { ApiKey, Environment, Person, PrismaClient, User } from '#prisma/client.js';
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
  const session = await system.signInSession.findUnique({
    where: { token: hashOfToken(token) },
    include: { user: true },
  });
  if (!session || session.expiresAt <= now) return undefined;
  const member = await system.user.findFirst({ where: { workspaceId, environment: 'LIVE', personId: session.userId } });
  if (!member) return undefined;
  const user = environment === 'LIVE' ? member : await twinOf(system, member, session.user);
  const hash = `session:${user.id}`;
  const known = await system.apiKey.findUnique({ where: { hash } });
  if (known) return known;
  try {
    return await system.apiKey.create({
      data: {
        id: `key_${newId()}`,
        ...{ workspaceId, environment, hash, isSession: true, createdById: user.id },
        ...{ name: 'Dashboard', description: 'What its user does here after signing in', prefix: '', scopes: '' },
      },
    });
  } catch (error) {
    // Another request of the person was first.
    if (!isUniqueViolation(error)) throw error;
    return system.apiKey.findUniqueOrThrow({ where: { hash } });
  }
}

/**
 * Who a member is in the sandbox: by the person, and never by an email that others may give to another user. A user whom nobody is
 * yet is taken over by the person's own address, which nobody can change.
 */
async function twinOf(system: Reader, { workspaceId, name, role }: User, person: Person): Promise<User> {
  const tenant = { workspaceId, environment: 'TEST' as const };
  const find = () => system.user.findFirst({ where: { ...tenant, personId: person.id } });
  const known = await find();
  if (known) return known;
  const { id: personId, email } = person;
  try {
    const namesake = await system.user.findFirst({ where: { ...tenant, email } });
    // Keys that act as the namesake would be bounded by the person's role from then on, which nobody decided.
    const isFree =
      namesake?.personId === null &&
      (await system.apiKey.count({ where: { actsAsId: namesake.id, revokedAt: null } })) === 0;
    if (namesake && isFree) {
      return await system.user.update({ where: { id: namesake.id, personId: null }, data: { personId, role } });
    }
    const own = namesake ? `${personId}@sandbox.invalid` : email;
    return await system.user.create({ data: { ...tenant, email: own, name, role, personId } });
  } catch (error) {
    // Another request of the person was first.
    const made = await find();
    if (made) return made;
    throw error;
  }
}
