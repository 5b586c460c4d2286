/** Scopes that depend on what an input has in it, and which therefore no field can declare. */
import { ApiError } from '../errors.js';
import type { Scope } from '../scopes/scope.js';
import type { Context } from './context.js';

/**
 * Notes that a scope is used.
 * @param what needs it, at the beginning of a sentence
 * @throws FORBIDDEN where the key does not hold it
 */
export function requireScope({ principal, use }: Context, scope: Scope, what: string): void {
  if (!principal.scopes.has(scope)) {
    use.missing.add(scope);
    const needed = { requiredScopes: [scope], missingScopes: [scope] };
    throw new ApiError('FORBIDDEN', `${what} needs the scope ${scope}.`, needed);
  }
  use.scopes.add(scope);
}
