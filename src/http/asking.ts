import type { Asking } from '../accounts/signIn.js';
import type { KeyedContext } from './environment.js';
import { isSecure } from './https.js';
import { originOf } from './origin.js';

/** Who asks, as signing in needs it. */
export function askingOf(c: KeyedContext, trustProxy: readonly string[]): Asking {
  const { ip, userAgent } = originOf(c);
  const { cookie, origin } = c.req.header();
  return { cookie, origin, ip, userAgent, isSecure: isSecure(c as never, trustProxy) };
}
