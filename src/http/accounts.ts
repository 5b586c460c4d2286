/**
 * Accounts of people, for the dashboard: signing up, in and out, their sessions, and invitations. Passwords, sessions and cookies are
 * the library's (src/accounts/signIn.ts); who may sign up is decided here.
 */
import type { Context, Hono, MiddlewareHandler } from 'hono';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Memberships, Person } from '../accounts/memberships.js';
import { passwordRefusal } from '../accounts/passwords.js';
import { isPlaceOfPasskeys, type RelyingParty, type SignIn } from '../accounts/signIn.js';
import type { Authenticator } from '../auth/authenticator.js';
import type { Config } from '../config.js';
import { ApiError, badInput, rateLimited } from '../errors.js';
import type { Services } from '../graphql/context.js';
import { check, emailAddress, text } from '../input.js';
import { addressOf } from '../limits/addressLimits.js';
import { HashingQueue } from '../limits/hashingQueue.js';
import { accountRoutes, bodyOf, passOn, personIn } from './accountRoute.js';
import { askingOf } from './asking.js';
import type { HttpEnvironment } from './environment.js';
import { originOf } from './origin.js';
import { sessionBegun } from './sessionBegun.js';
import { type Entry, signUpPolicy, takenEmail } from './signUpPolicy.js';

const password = z.string('is required').min(1, 'is required').max(1000, 'is too long');
const token = z.string('is required').min(1, 'is required').max(200, 'is too long');
const signUpBody = z.object({
  name: text(1, 100),
  email: emailAddress,
  password,
  invitation: token.optional(),
  /** A key that manages a workspace: it proves who the operator is. */
  adminKey: token.optional(),
});
const signInBody = z.object({ email: emailAddress, password });
const passwordBody = z.object({ currentPassword: password, newPassword: password });
const tokenBody = z.object({ token });
const idBody = z.object({ id: token });

interface AccountOptions {
  readonly config: Config;
  readonly services: Services;
  readonly authenticator: Authenticator;
  readonly signIn: SignIn;
  readonly memberships: Memberships;
  readonly logger: Logger;
  readonly limitBody: MiddlewareHandler;
  readonly party: RelyingParty;
  readonly urlOf: (c: Context) => URL;
}

export function mountAccounts(
  app: Hono<HttpEnvironment>,
  { config, services, authenticator, signIn, memberships, logger, limitBody, party, urlOf }: AccountOptions,
): void {
  const { addressLimits, database } = services;
  const policy = signUpPolicy({ config, services, authenticator, memberships, logger });
  const hashing = new HashingQueue();
  const begun = sessionBegun({ services, authenticator, memberships });

  const { get, post, personOf } = accountRoutes(app, { signIn, trustProxy: config.trustProxy, limitBody });

  get('/api/account', async (c) => {
    const current = await signIn.current(askingOf(c, config.trustProxy));
    const [way, workspaces] = await Promise.all([
      policy.way(c),
      current ? memberships.of(current.session.person.id) : [],
    ]);
    for (const cookie of current?.headers.getSetCookie() ?? []) c.header('set-cookie', cookie, { append: true });
    return c.json({
      signUp: way,
      person: current?.session.person ?? null,
      address: originOf(c).ip,
      passkeys: isPlaceOfPasskeys(party, urlOf(c as unknown as Context)),
      workspaces: workspaces.map(({ workspace, role }) => ({ ...workspace, role })),
    });
  });

  post('/api/auth/sign-up/email', async (c) => {
    const body = await checkWith(signUpBody, await bodyOf(c), 'password');
    const origin = originOf(c);
    const wait = await addressLimits.signedUp(origin.ip);
    if (wait > 0)
      throw rateLimited(`Too many accounts were made from your address. Try again in ${wait} seconds.`, wait);
    const entry = await policy.entryOf(c, body);
    const { name } = body;
    const answer = await hashing.run(addressOf(origin.ip), () =>
      signIn.signUp(askingOf(c, config.trustProxy), { name, email: body.email, password: body.password }),
    );
    if (!answer.ok) {
      // The second of two at once finds that the email is taken when it writes.
      if (await policy.hasAccount(body.email)) throw takenEmail();
      throw await failureOf(answer);
    }
    const person = await personIn(answer);
    try {
      await enter(person, entry, origin);
    } catch (error) {
      // The account is there; they may come in by another way, or the same again.
      logger.warn({ err: error, requestId: origin.requestId }, 'an account was made, and is in no workspace');
    }
    return passOn(c, answer, { person });
  });

  post('/api/auth/sign-in/email', async (c) => {
    const body = check(signInBody, await bodyOf(c));
    const origin = originOf(c);
    const wait = await addressLimits.wrongPassword(origin.ip, body.email, 0);
    if (wait > 0) throw rateLimited(`Too many wrong passwords. Try again in ${wait} seconds.`, wait);
    const answer = await hashing.run(addressOf(origin.ip), () => signIn.signIn(askingOf(c, config.trustProxy), body));
    if (!answer.ok) {
      await addressLimits.wrongPassword(origin.ip, body.email, 1);
      services.metrics.authenticationFailed('password');
      logger.info({ requestId: origin.requestId, reason: 'password' }, 'refused');
      throw await failureOf(answer);
    }
    const person = await personIn(answer);
    await begun(person.id, origin);
    return passOn(c, answer, { person });
  });

  post('/api/auth/sign-out', async (c) => {
    const asking = askingOf(c, config.trustProxy);
    const current = await signIn.current(asking, false);
    const answer = await signIn.signOut(asking);
    if (current) authenticator.sessionEnded();
    if (current) await memberships.note(current.session.person.id, 'end', originOf(c));
    return passOn(c, answer, { signedOut: true });
  });

  post('/api/auth/change-password', async (c) => {
    const { person } = await personOf(c);
    const body = await checkWith(passwordBody, await bodyOf(c), 'newPassword', [person.email, person.name]);
    const { ip } = originOf(c);
    const wait = await addressLimits.wrongPassword(ip, person.email, 0);
    if (wait > 0) throw rateLimited(`Too many wrong passwords. Try again in ${wait} seconds.`, wait);
    const answer = await hashing.run(addressOf(ip), () => signIn.changePassword(askingOf(c, config.trustProxy), body));
    if (!answer.ok) {
      await addressLimits.wrongPassword(ip, person.email, 1);
      throw badInput({ currentPassword: ['is not your password'] });
    }
    authenticator.sessionEnded();
    return passOn(c, answer, { changed: true });
  });

  get('/api/account/sessions', async (c) => {
    const { sessionId, person } = await personOf(c);
    const sessions = await database.system.signInSession.findMany({
      where: { userId: person.id, expiresAt: { gt: services.clock() } },
      select: { id: true, ipAddress: true, userAgent: true, createdAt: true, updatedAt: true, expiresAt: true },
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
      take: 100,
    });
    return c.json({ sessions: sessions.map((one) => ({ ...one, isCurrent: one.id === sessionId })) });
  });

  post('/api/account/sessions/end', async (c) => {
    const { person } = await personOf(c);
    const { id } = check(idBody, await bodyOf(c));
    const { count } = await database.system.signInSession.deleteMany({ where: { id, userId: person.id } });
    if (count === 0) throw new ApiError('NOT_FOUND', 'There is no such session; it has ended, perhaps.');
    authenticator.sessionEnded();
    return c.json({ ended: id });
  });

  // The token comes in the body: addresses are logged.
  post('/api/account/invitation', async (c) => {
    const { ip } = originOf(c);
    const { email: address, role, workspace } = await policy.invitation(ip, check(tokenBody, await bodyOf(c)).token);
    return c.json({ email: address, role, workspace });
  });

  post('/api/account/invitation/accept', async (c) => {
    const { person } = await personOf(c);
    const { token: given } = check(tokenBody, await bodyOf(c));
    await memberships.accept(person, given, originOf(c));
    return c.json({ accepted: true });
  });

  async function enter(person: Person, entry: Entry, origin: ReturnType<typeof originOf>): Promise<void> {
    if (entry.by === 'invitation') return memberships.accept(person, await entry.token(), origin);
    return entry.by === 'claim' ? memberships.claim(person, origin) : memberships.begin(person, origin);
  }
}

/**
 * All that is wrong, the password that is chosen included.
 * @param about what others know of the person; by default what the body says
 */
async function checkWith<T extends z.ZodType>(
  rules: T,
  input: unknown,
  field: string,
  about?: readonly string[],
): Promise<z.output<T>> {
  const given = (input ?? {}) as Record<string, unknown>;
  const texts = [given['email'], given['name']].filter((text) => typeof text === 'string');
  const chosen = given[field];
  const refusal = typeof chosen === 'string' ? await passwordRefusal(chosen, about ?? texts) : undefined;
  try {
    const body = check(rules, input);
    if (refusal) throw badInput({ [field]: [refusal] });
    return body;
  } catch (error) {
    const fields =
      error instanceof ApiError ? (error.details['fields'] as Record<string, string[]> | undefined) : undefined;
    if (!fields || !refusal || fields[field]) throw error;
    throw badInput({ ...fields, [field]: [refusal] });
  }
}

/** The library's refusal in our words. */
async function failureOf(answer: Response): Promise<ApiError> {
  const { code } = (await answer.json().catch(() => ({}))) as { code?: string };
  if (answer.status === 401 || code === 'INVALID_EMAIL_OR_PASSWORD') {
    return new ApiError('UNAUTHENTICATED', 'The email or the password is wrong.');
  }
  return new ApiError('BAD_USER_INPUT', 'That could not be done.');
}
