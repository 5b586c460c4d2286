/** Whose comments and time entries are, and who may take them away. */
import type { Actor } from '../audit/entry.js';
import { noteScopes } from '../db/reader.js';
import { ApiError } from '../errors.js';
import type { ScopeSet } from '../scopes/scope.js';

interface Owner {
  /** Null: a key without a user, or a user who is gone. */
  readonly userId: string | null;
  readonly keyId: string | null;
}

/** Of the same user, or, where a key has none, of the same key. */
export function isOwn({ userId, keyId }: Owner, actor: Actor): boolean {
  if (userId !== null || actor.userId !== null) return userId === actor.userId;
  return actor.keyId !== null && keyId === actor.keyId;
}

/**
 * @param held the scopes of the caller: another's takes tasks:delete
 * @param what of the row, in the error
 * @throws FORBIDDEN
 */
export function mustMayDelete(owner: Owner, actor: Actor, held: ScopeSet, what: string): void {
  if (isOwn(owner, actor)) return;
  if (!held.has('tasks:delete')) {
    throw new ApiError('FORBIDDEN', `Another's ${what} takes the scope tasks:delete.`, {
      ...{ requiredScopes: ['tasks:delete'], missingScopes: ['tasks:delete'] },
    });
  }
  noteScopes(['tasks:delete']);
}
