/** Who may make an account, and how it comes into a workspace: as its first owner, by an invitation, by an admin key, with one of its own. */
import type { HttpBindings } from '@hono/node-server';
import type { Logger } from 'pino';
import type { Memberships } from '../accounts/memberships.js';
import type { Authenticator } from '../auth/authenticator.js';
import { callerOf } from '../auth/principal.js';
import { type Config, isLoopback } from '../config.js';
import { ApiError, badInput, rateLimited } from '../errors.js';
import type { Services } from '../graphql/context.js';
import type { KeyedContext } from './environment.js';
import { failedAuthentication } from './failedAuthentication.js';
import { originOf } from './origin.js';

interface PolicyOptions {
  readonly config: Config;
  readonly services: Services;
  readonly authenticator: Authenticator;
  readonly memberships: Memberships;
  readonly logger: Logger;
}

export type Entry =
  | { readonly by: 'claim' | 'own workspace' }
  /** Asked for when the account is there, so that a sign-up that fails leaves no invitation behind. */
  | { readonly by: 'invitation'; readonly token: () => Promise<string> };

interface Applicant {
  readonly email: string;
  readonly invitation?: string | undefined;
  /** A key that manages a workspace: it proves who the operator is. */
  readonly adminKey?: string | undefined;
}

export const takenEmail = () =>
  new ApiError('CONFLICT', 'There is an account with this email. Sign in.', { fields: { email: ['has an account'] } });

export function signUpPolicy({ config, services, authenticator, memberships, logger }: PolicyOptions) {
  const failed = failedAuthentication(services, logger);
  const hasAccount = async (email: string): Promise<boolean> =>
    (await services.database.system.person.findUnique({ where: { email }, select: { id: true } })) !== null;

  /** @throws NOT_FOUND; RATE_LIMITED for who guesses */
  async function invitation(ip: string | null, token: string) {
    try {
      return await memberships.invitation(token);
    } catch (error) {
      const wait = await services.addressLimits.failed(ip);
      if (wait > 0) throw rateLimited(`Too many wrong links. Try again in ${wait} seconds.`, wait);
      throw error;
    }
  }

  /** What the page tells somebody who has no account. */
  async function way(c: KeyedContext): Promise<'first' | 'adminKey' | 'invitation' | 'open' | 'closed'> {
    const isUnclaimed = await memberships.isUnclaimed();
    if (isUnclaimed && (await mayClaim(c))) return 'first';
    if (isUnclaimed && config.signUp !== 'open') return 'adminKey';
    return config.signUp === 'invite' ? 'invitation' : config.signUp;
  }

  /** @throws FORBIDDEN where the person may make no account */
  async function entryOf(c: KeyedContext, applicant: Applicant): Promise<Entry> {
    const { email, adminKey, invitation: token } = applicant;
    if (adminKey !== undefined) return { by: 'invitation', token: await tokenBy(c, adminKey, email) };
    if (token !== undefined && config.signUp !== 'closed') {
      const invited = await invitation(originOf(c).ip, token);
      if (invited.email === email) return { by: 'invitation', token: async () => token };
      throw badInput({ email: [`must be ${invited.email}, for whom the invitation is`] });
    }
    switch (await way(c)) {
      case 'first':
        return { by: 'claim' };
      case 'open':
        return { by: 'own workspace' };
      case 'closed':
        throw new ApiError('FORBIDDEN', 'No accounts are made here.');
      case 'invitation':
        throw new ApiError('FORBIDDEN', 'Accounts are made by invitation here. Ask somebody of the workspace for one.');
      case 'adminKey':
        throw new ApiError(
          'FORBIDDEN',
          'The first account owns the workspace. From elsewhere than the server itself, prove that you are its operator: give a key with admin:* (adminKey).',
        );
    }
  }

  /** The key invites its holder as an owner, if it reaches as far. */
  async function tokenBy(c: KeyedContext, key: string, email: string): Promise<() => Promise<string>> {
    const origin = originOf(c);
    const result = await authenticator.authenticate(key, origin.ip);
    if (!result.ok) {
      const wait = await failed(result, origin);
      if (wait > 0) throw rateLimited(`Too many failed authentications. Try again in ${wait} seconds.`, wait);
      throw badInput({ adminKey: ['is no key that works from here'] });
    }
    if (await hasAccount(email)) throw takenEmail();
    const { principal } = result;
    const { workspaceId, environment, keyId, userId, bound } = principal;
    const actor = { workspaceId, environment, keyId, userId, bound, ...origin };
    const [caller, owner] = [callerOf(principal), { email, role: 'OWNER' as const }];
    await services.invitations.look(actor, caller, owner);
    return async () => (await services.invitations.invite(actor, caller, owner, { letter: false })).token;
  }

  /** Whoever is on the server itself, and came through no proxy, owns what is new and nobody's. */
  async function mayClaim(c: KeyedContext): Promise<boolean> {
    return config.signUp !== 'closed' && isLoopback(config.host) && isLocal(c) && (await memberships.isFresh());
  }

  return { way, entryOf, invitation, hasAccount };
}

/** What proxies add, of whichever make. One that adds nothing cannot be told from the machine itself (docs/dashboard.md). */
const FORWARDING =
  /^(?:forwarded|via|x-forwarded-.*|x-real-ip|x-client-ip|true-client-ip|cf-.*|x-envoy-.*|x-original-.*)$/;

function isLocal(c: KeyedContext): boolean {
  if (!isLoopback(originOf(c).ip ?? '') || Object.keys(c.req.header()).some((name) => FORWARDING.test(name)))
    return false;
  // Older versions of nginx, where nobody configured them, speak HTTP/1.0.
  const { incoming } = (c.env as Partial<HttpBindings> | undefined) ?? {};
  if (incoming?.httpVersion === '1.0') return false;
  const origin = c.req.header('origin');
  if (origin !== undefined && !isLocalAddress(origin)) return false;
  // A name of elsewhere that leads here (DNS rebinding).
  return isLocalAddress(`http://${c.req.header('host') ?? ''}`);
}

function isLocalAddress(url: string): boolean {
  return URL.canParse(url) && isLoopback(new URL(url).hostname.replace(/^\[|\]$/g, ''));
}
