/** Somebody has signed in, by whichever way. */
import type { Memberships } from '../accounts/memberships.js';
import type { Authenticator } from '../auth/authenticator.js';
import type { Services } from '../graphql/context.js';
import type { Origin } from './origin.js';

/** Of one person. */
const MAX_SESSIONS = 100;

interface SessionParts {
  readonly services: Services;
  readonly authenticator: Authenticator;
  readonly memberships: Memberships;
}

/** @returns a function that notes it in the audit log, and ends the oldest of very many sessions of the person */
export function sessionBegun({ services, authenticator, memberships }: SessionParts) {
  const { signInSession } = services.database.system;
  return async (personId: string, origin: Origin): Promise<void> => {
    const old = await signInSession.findMany({
      where: { userId: personId },
      select: { id: true },
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
      skip: MAX_SESSIONS,
    });
    if (old.length > 0) {
      await signInSession.deleteMany({ where: { id: { in: old.map(({ id }) => id) } } });
      authenticator.sessionEnded();
    }
    await memberships.note(personId, 'begin', origin);
  };
}
