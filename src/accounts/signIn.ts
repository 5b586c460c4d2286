/**
 * Who signs in: passwords, sessions and their cookies, by better-auth. Called as a library alone, so that nothing of it answers the
 * network by itself: what is sent to it was validated before, and it redirects nobody.
 */
import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import type { Database } from '../db/database.js';
import { isUniqueViolation } from '../db/databaseError.js';
import { newId } from '../ids.js';
import { withHashedTokens } from './hashedTokens.js';
import { LEAST_LENGTH, MOST_LENGTH } from './passwords.js';

/** Seconds: a session that is not used ends; one that is used is prolonged once a day. */
const LIFETIME = 7 * 86_400;
const PROLONG_AFTER = 86_400;

/** Who asks, for the library: its cookie, and what a session remembers of where it began. */
export interface Asking {
  readonly cookie: string | undefined;
  readonly ip: string | null;
  readonly userAgent: string | null;
  /** Whether by TLS: the cookie is sent by TLS alone then. */
  readonly isSecure: boolean;
  /** Of the page that asks, as the browser says it. */
  readonly origin: string | undefined;
}

/** What browsers bind a passkey to: a host, for whose pages alone it is. */
export interface RelyingParty {
  /** Host */
  readonly id: string;
  /** Undefined: of the machine itself, on whichever port. */
  readonly origin: string | undefined;
}

const LOCAL: RelyingParty = { id: 'localhost', origin: undefined };

/** Of the address that people reach the server at; without one that can have passkeys, of the machine itself. */
export function relyingParty(publicUrl: string | undefined): RelyingParty {
  if (publicUrl === undefined) return LOCAL;
  const { hostname, origin, protocol } = new URL(publicUrl);
  // Browsers have them for names of hosts by TLS alone.
  const canBe = protocol === 'https:' && isIP(hostname) === 0 && !hostname.startsWith('[');
  return canBe ? { id: hostname, origin } : LOCAL;
}

/** Whether pages at this address can make and use passkeys. */
export const isPlaceOfPasskeys = ({ id, origin }: RelyingParty, { host, hostname }: URL): boolean =>
  origin === undefined ? hostname === id : host === new URL(origin).host;

/** The same of the origin that a browser says. */
export const hasPasskeys = ({ id, origin }: RelyingParty, of: string): boolean =>
  origin === undefined ? URL.canParse(of) && new URL(of).hostname === id : of === origin;

export interface PersonSession {
  readonly sessionId: string;
  /** What its cookie holds, without its signature. */
  readonly token: string;
  readonly person: { readonly id: string; readonly name: string; readonly email: string };
}

type Library = Awaited<ReturnType<typeof load>>;

/** Loaded when somebody signs in: most servers serve keys alone. */
export class SignIn {
  readonly #libraries = new Map<boolean, Promise<Library>>();

  constructor(
    private readonly database: Database,
    private readonly party: RelyingParty,
    private readonly clock: () => Date = () => new Date(),
  ) {}

  /** @returns the library's answer: 200 with the person and a cookie, or an error with its code */
  async signUp(asking: Asking, body: { name: string; email: string; password: string }): Promise<Response> {
    return (await this.#library(asking)).api.signUpEmail({ body, headers: headersOf(asking), asResponse: true });
  }

  async signIn(asking: Asking, body: { email: string; password: string }): Promise<Response> {
    return (await this.#library(asking)).api.signInEmail({ body, headers: headersOf(asking), asResponse: true });
  }

  async signOut(asking: Asking): Promise<Response> {
    return (await this.#library(asking)).api.signOut({ headers: headersOf(asking), asResponse: true });
  }

  /** Ends the person's other sessions. */
  async changePassword(asking: Asking, body: { currentPassword: string; newPassword: string }): Promise<Response> {
    const library = await this.#library(asking);
    return library.api.changePassword({
      body: { ...body, revokeOtherSessions: true },
      headers: headersOf(asking),
      asResponse: true,
    });
  }

  /** What the browser makes a passkey by, for who is signed in since a day at most. @returns the library's answer, as for all of these */
  async passkeyOptions(asking: Asking): Promise<Response> {
    const library = await this.#library(asking);
    return library.api.generatePasskeyRegistrationOptions({ headers: headersOf(asking), asResponse: true });
  }

  /** @param response what the browser made */
  async addPasskey(asking: Asking, body: { response: unknown; name: string }): Promise<Response> {
    const library = await this.#library(asking);
    return library.api.verifyPasskeyRegistration({ body, headers: headersOf(asking), asResponse: true });
  }

  /** What the browser proves by that it has a passkey; of whomever. */
  async passkeyChallenge(asking: Asking): Promise<Response> {
    const library = await this.#library(asking);
    // Whoever is signed in proves it as anybody does.
    const headers = headersOf({ ...asking, cookie: undefined });
    return library.api.generatePasskeyAuthenticationOptions({ headers, asResponse: true });
  }

  /** @param response what the browser proved */
  async signInByPasskey(asking: Asking, response: Record<string, unknown>): Promise<Response> {
    const library = await this.#library(asking);
    return library.api.verifyPasskeyAuthentication({
      body: { response: response as never },
      headers: headersOf(asking),
      asResponse: true,
    });
  }

  /**
   * Whose cookie it is.
   * @param prolong whether the answer may carry the cookie that a used session is prolonged by
   * @returns undefined where it opens nothing; the headers that prolong it
   */
  async current(asking: Asking, prolong = true): Promise<{ session: PersonSession; headers: Headers } | undefined> {
    if (!asking.cookie?.includes(COOKIE_PREFIX)) return undefined;
    const library = await this.#library(asking);
    const { response, headers } = await library.api.getSession({
      headers: headersOf(asking),
      query: { disableRefresh: !prolong },
      returnHeaders: true,
    });
    if (!response) return undefined;
    const { session, user } = response;
    if (session.expiresAt <= this.clock()) return undefined;
    const person = { id: user.id, name: user.name, email: user.email };
    return { session: { sessionId: session.id, token: session.token, person }, headers };
  }

  #library({ isSecure }: Asking): Promise<Library> {
    const known = this.#libraries.get(isSecure);
    if (known) return known;
    const loading = load(this.database, this.party, isSecure);
    this.#libraries.set(isSecure, loading);
    loading.catch(() => this.#libraries.delete(isSecure));
    return loading;
  }
}

const COOKIE_PREFIX = 'taskgate';

function headersOf({ cookie, ip, userAgent, origin }: Asking): Headers {
  const headers = new Headers();
  if (cookie !== undefined) headers.set('cookie', cookie);
  if (ip !== null) headers.set('x-forwarded-for', ip);
  if (userAgent !== null) headers.set('user-agent', userAgent.slice(0, 255));
  if (origin !== undefined) headers.set('origin', origin);
  return headers;
}

async function load({ system, provider }: Database, party: RelyingParty, isSecure: boolean) {
  const [{ betterAuth }, { prismaAdapter }, { passkey }, { APIError }] = await Promise.all([
    import('better-auth'),
    import('better-auth/adapters/prisma'),
    import('@better-auth/passkey'),
    import('better-auth/api'),
  ]);
  /** A device that does not ask who holds it proves no person. */
  const mustBeVerified = (userVerified: boolean | undefined) => {
    if (!userVerified) throw new APIError('BAD_REQUEST', { code: 'NOT_VERIFIED', message: 'not verified' });
  };
  return betterAuth({
    plugins: [
      passkey({
        ...{ rpID: party.id, rpName: 'Taskgate', origin: party.origin ?? null },
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
        advanced: { webAuthnChallengeCookie: 'passkey' },
        registration: {
          afterVerification: ({ verification }) => mustBeVerified(verification.registrationInfo?.userVerified),
        },
        authentication: {
          afterVerification: ({ verification }) => mustBeVerified(verification.authenticationInfo.userVerified),
        },
      }),
    ],
    appName: 'Taskgate',
    // Nothing is linked to: the library answers no address.
    baseURL: 'http://localhost',
    secret: await sharedSecret(system),
    database: prismaAdapter(withHashedTokens(system), { provider, transaction: true }),
    telemetry: { enabled: false },
    logger: { disabled: true },
    // Counted before it is asked (src/limits/addressLimits.ts).
    rateLimit: { enabled: false },
    emailAndPassword: { enabled: true, minPasswordLength: LEAST_LENGTH, maxPasswordLength: MOST_LENGTH },
    user: { modelName: 'person' },
    session: { modelName: 'signInSession', expiresIn: LIFETIME, updateAge: PROLONG_AFTER },
    account: { modelName: 'signInMethod' },
    verification: { modelName: 'signInVerification' },
    advanced: {
      cookiePrefix: COOKIE_PREFIX,
      useSecureCookies: isSecure,
      defaultCookieAttributes: { sameSite: 'lax', httpOnly: true },
      database: { generateId: () => newId() },
      ipAddress: { ipAddressHeaders: ['x-forwarded-for'] },
    },
  });
}

const SECRET = 'sign-in';

/** What signs the cookies; the same in all processes. */
async function sharedSecret(system: Database['system']): Promise<string> {
  const where = { name: SECRET };
  const known = await system.serverSecret.findUnique({ where });
  if (known) return known.value;
  try {
    const data = { name: SECRET, value: randomBytes(32).toString('base64url') };
    return (await system.serverSecret.create({ data })).value;
  } catch (error) {
    // Another process was first.
    if (!isUniqueViolation(error)) throw error;
    return (await system.serverSecret.findUniqueOrThrow({ where })).value;
  }
}
