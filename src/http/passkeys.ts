/** Passkeys (WebAuthn): a person signs in by a key of their device, in place of the password. Challenges and proofs are the library's. */
import type { Hono, MiddlewareHandler } from 'hono';
import { z } from 'zod';
import type { Memberships } from '../accounts/memberships.js';
import { hasPasskeys, type RelyingParty, type SignIn } from '../accounts/signIn.js';
import type { Authenticator } from '../auth/authenticator.js';
import type { Config } from '../config.js';
import { ApiError, badInput, notFound, rateLimited } from '../errors.js';
import type { Services } from '../graphql/context.js';
import { check, text } from '../input.js';
import { accountRoutes, bodyOf, passOn, personIn } from './accountRoute.js';
import { askingOf } from './asking.js';
import type { HttpEnvironment, KeyedContext } from './environment.js';
import { originOf } from './origin.js';
import { sessionBegun } from './sessionBegun.js';

/** Of one person. */
const MOST = 20;

/** What a browser makes of a challenge; the library reads the rest. */
const proof = z.looseObject({ id: z.string('is required').min(1, 'is required').max(2000, 'is too long') });
const transports = z.array(z.string().max(20)).max(10).optional();
const made = proof.extend({ response: z.looseObject({ transports }) });
const addBody = z.object({ name: text(1, 60), response: made });
const signInBody = z.object({ response: proof });
const idBody = z.object({ id: z.string('is required').max(100, 'is too long') });

interface PasskeyOptions {
  readonly config: Config;
  readonly services: Services;
  readonly authenticator: Authenticator;
  readonly signIn: SignIn;
  readonly memberships: Memberships;
  readonly party: RelyingParty;
  readonly limitBody: MiddlewareHandler;
}

export function mountPasskeys(
  app: Hono<HttpEnvironment>,
  { config, services, authenticator, signIn, memberships, party, limitBody }: PasskeyOptions,
): void {
  const { passkey } = services.database.system;
  const { get, post, personOf } = accountRoutes(app, { signIn, trustProxy: config.trustProxy, limitBody });
  const begun = sessionBegun({ services, authenticator, memberships });
  const asking = (c: KeyedContext) => {
    const { origin, ...rest } = askingOf(c, config.trustProxy);
    if (origin !== undefined && hasPasskeys(party, origin)) return { ...rest, origin };
    const where = party.origin ?? 'http://localhost';
    throw new ApiError('BAD_USER_INPUT', `Passkeys work at ${where} alone; PUBLIC_URL says where.`);
  };

  get('/api/account/passkeys', async (c) => {
    const { person } = await personOf(c);
    const passkeys = await passkey.findMany({
      where: { userId: person.id },
      select: { id: true, name: true, createdAt: true },
      orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
    });
    return c.json({ passkeys });
  });

  post('/api/account/passkeys/options', async (c) => {
    const { person } = await personOf(c);
    await mayChallenge(c);
    await hasRoom(person.id);
    const answer = await signIn.passkeyOptions(asking(c));
    if (!answer.ok) throw await refusalOf(answer);
    return passOn(c, answer, { options: await answer.clone().json() });
  });

  post('/api/account/passkeys/add', async (c) => {
    const { person } = await personOf(c);
    const body = check(addBody, await bodyOf(c));
    await hasRoom(person.id);
    const answer = await signIn.addPasskey(asking(c), body);
    if (!answer.ok) throw await refusalOf(answer);
    await memberships.note(person.id, 'passkey_add', originOf(c));
    return passOn(c, answer, { added: body.name });
  });

  post('/api/account/passkeys/remove', async (c) => {
    const { person, sessionId } = await personOf(c);
    const { id } = check(idBody, await bodyOf(c));
    if (!(await passkey.findFirst({ where: { id, userId: person.id } }))) throw notFound('passkey', id);
    const { system } = services.database;
    await system.$transaction([
      system.passkey.deleteMany({ where: { id, userId: person.id } }),
      // Those that it began too: it is removed because somebody else may have the device.
      system.signInSession.deleteMany({ where: { userId: person.id, id: { not: sessionId } } }),
    ]);
    authenticator.sessionEnded();
    await memberships.note(person.id, 'passkey_remove', originOf(c));
    return c.json({ removed: id });
  });

  // Of nobody in particular, so that it tells of no account whether it has one.
  post('/api/auth/passkey/options', async (c) => {
    await mayChallenge(c);
    const answer = await signIn.passkeyChallenge(asking(c));
    if (!answer.ok) throw await refusalOf(answer);
    // As the proof is judged: else a device may leave out to ask who holds it.
    const options = (await answer.clone().json()) as object;
    return passOn(c, answer, { options: { ...options, userVerification: 'required' } });
  });

  post('/api/auth/sign-in/passkey', async (c) => {
    const { response } = check(signInBody, await bodyOf(c));
    const origin = originOf(c);
    const answer = await signIn.signInByPasskey(asking(c), response);
    if (!answer.ok) {
      // A proof cannot be guessed, and takes a challenge, which are counted: nobody is kept out by the failures of others.
      services.metrics.authenticationFailed('passkey');
      const { code } = await codeIn(answer);
      if (code === 'NOT_VERIFIED') throw notVerified();
      const wait = await services.addressLimits.failed(origin.ip);
      if (wait > 0) throw rateLimited(`Too many failed sign-ins. Try again in ${wait} seconds.`, wait);
      throw new ApiError('UNAUTHENTICATED', 'That passkey opens no account here. Sign in by the password.');
    }
    const person = await personIn(answer);
    await begun(person.id, origin);
    return passOn(c, answer, { person });
  });

  async function hasRoom(personId: string): Promise<void> {
    if ((await passkey.count({ where: { userId: personId } })) < MOST) return;
    throw new ApiError('CONFLICT', `You have ${MOST} passkeys. Remove some that you do not use.`);
  }

  async function mayChallenge(c: KeyedContext): Promise<void> {
    const wait = await services.addressLimits.challenged(originOf(c).ip);
    if (wait > 0) throw rateLimited(`Too many tries from your address. Try again in ${wait} seconds.`, wait);
  }
}

const codeIn = async (answer: Response) => (await answer.json().catch(() => ({}))) as { code?: string };

const notVerified = () =>
  badInput({ response: ['comes from a device that does not ask who holds it (by a PIN, a finger, a face)'] });

/** The library's refusal in our words. */
async function refusalOf(answer: Response): Promise<ApiError> {
  const { code } = await codeIn(answer);
  if (code === 'SESSION_NOT_FRESH') {
    return new ApiError('FORBIDDEN', 'You signed in more than a day ago. Sign in again, then add the passkey.');
  }
  if (code === 'NOT_VERIFIED') return notVerified();
  return new ApiError(
    'BAD_USER_INPUT',
    'The passkey could not be added: it is known already, or the time for it was over.',
  );
}
