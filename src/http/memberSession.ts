/**
 * A session in place of a key: the cookie says whose, two headers in which workspace and environment. No form and no link of another
 * page can send headers of their own, so that a cookie alone opens nothing.
 */
import type { Environment } from '#prisma/client.js';
import type { SignIn } from '../accounts/signIn.js';
import type { SignedIn } from '../auth/signedIn.js';
import { askingOf } from './asking.js';
import type { KeyedContext } from './environment.js';
import { isSameOrigin } from './sameOrigin.js';

const ENVIRONMENTS: Readonly<Record<string, Environment>> = { live: 'LIVE', test: 'TEST' };

/** @returns undefined where the request names no session, or one that has ended */
export async function signedInOf(
  c: KeyedContext,
  signIn: SignIn,
  trustProxy: readonly string[],
): Promise<SignedIn | undefined> {
  const workspaceId = c.req.header('x-taskgate-workspace');
  const environment = ENVIRONMENTS[c.req.header('x-taskgate-environment')?.toLowerCase() ?? ''];
  if (workspaceId === undefined || workspaceId.length > 100 || !environment || !isSameOrigin(c)) return undefined;
  const current = await signIn.current(askingOf(c, trustProxy), false);
  return current && { token: current.session.token, workspaceId, environment };
}
