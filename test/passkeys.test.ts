/** Passkeys: what is a proof of who somebody is, and what is none. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AuthenticatorOptions, authenticator } from './support/authenticator.js';
import { startTestServer, type TestServer } from './support/server.js';
import { type Visitor, visitor } from './support/visitor.js';

const ORIGIN = 'http://localhost:4000';
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  expect((await visitor(server).signUp('ada@example.com')).status).toBe(200);
});
afterAll(() => server.stop());

/** In a browser at this origin. The headers say where from, as a browser's do. */
const browser = (origin = ORIGIN) => visitor(server, { origin, 'sec-fetch-site': 'same-origin' });

async function signedIn(origin?: string): Promise<Visitor> {
  const person = browser(origin);
  expect((await person.signIn('ada@example.com')).status).toBe(200);
  return person;
}

async function withPasskey(options: Partial<AuthenticatorOptions> = {}) {
  const device = authenticator({ origin: ORIGIN, ...options });
  const person = await signedIn();
  const { body } = await person.post('/api/account/passkeys/options', {});
  const response = device.register(body.options);
  const added = await person.post('/api/account/passkeys/add', { name: 'Laptop', response });
  return { device, person, added, response };
}

async function prove(device: ReturnType<typeof authenticator>, who = browser()) {
  const { body } = await who.post('/api/auth/passkey/options', {});
  return { who, response: device.prove(body.options) };
}

describe('a passkey', () => {
  it('signs in who made it, on a browser that has never been there', async () => {
    const { device, added, person } = await withPasskey();
    expect([added.status, added.body]).toEqual([200, { added: 'Laptop' }]);
    const listed = (await person.send('GET', '/api/account/passkeys')).body.passkeys;
    expect(listed).toMatchObject([{ name: 'Laptop' }]);
    expect(JSON.stringify(listed)).not.toMatch(/publicKey|credentialID/);
    for (let at = 0; at < 2; at += 1) {
      const { who, response } = await prove(device);
      const answer = await who.post('/api/auth/sign-in/passkey', { response });
      expect([answer.status, answer.body.person.email]).toEqual([200, 'ada@example.com']);
      expect((await who.account()).person.email).toBe('ada@example.com');
    }
    // As it counts its proofs, one that was copied is seen.
    expect((await server.system.passkey.findFirstOrThrow()).counter).toBe(3);
    const elsewhere = await prove(device);
    await elsewhere.who.post('/api/auth/sign-in/passkey', { response: elsewhere.response });
    await person.post('/api/account/passkeys/remove', { id: listed[0].id });
    // Whoever has the device is out, and who removed it is not.
    expect((await elsewhere.who.account()).person).toBeNull();
    expect((await person.account()).person.email).toBe('ada@example.com');
  });

  it('opens nothing by a proof that was shown before, or that is of another challenge, origin, host or key', async () => {
    const { device, person } = await withPasskey();
    const { who, response } = await prove(device);
    expect((await who.post('/api/auth/sign-in/passkey', { response })).status).toBe(200);
    const again = await who.post('/api/auth/sign-in/passkey', { response });
    expect([again.status, again.body.error.code]).toEqual([401, 'UNAUTHENTICATED']);
    const unverified = browser();
    const asked = await unverified.post('/api/auth/passkey/options', {});
    const held = { response: device.prove(asked.body.options, false) };
    expect(asked.body.options.userVerification).toBe('required');
    expect((await unverified.post('/api/auth/sign-in/passkey', held)).status).toBe(400);
    const old = await prove(device);
    const other = browser();
    await other.post('/api/auth/passkey/options', {});
    expect((await other.post('/api/auth/sign-in/passkey', { response: old.response })).status).toBe(401);
    expect((await browser().post('/api/auth/sign-in/passkey', { response: old.response })).status).toBe(401);
    for (const wrong of [
      { origin: 'https://evil.example' },
      { origin: ORIGIN, rpId: 'evil.example' },
      { origin: ORIGIN },
    ]) {
      const stranger = await prove(authenticator(wrong));
      // With the id of the one that is known, and a key of its own.
      const forged = { ...stranger.response, id: response.id, rawId: response.rawId };
      const answer = await stranger.who.post('/api/auth/sign-in/passkey', { response: forged });
      expect(answer.status, JSON.stringify(wrong)).toBe(401);
      expect((await stranger.who.account()).person).toBeNull();
    }
    const [row] = await server.system.passkey.findMany();
    await person.post('/api/account/passkeys/remove', { id: row?.id });
    const removed = await prove(device);
    expect((await removed.who.post('/api/auth/sign-in/passkey', { response: removed.response })).status).toBe(401);
  });

  it('is made by a device that asks who holds it, by who signed in today, once', async () => {
    const unverified = await withPasskey({ isVerifying: false });
    expect([unverified.added.status, unverified.added.body.error.fields]).toEqual([
      400,
      { response: [expect.stringContaining('PIN')] },
    ]);
    const { added, person, response } = await withPasskey();
    expect(added.status).toBe(200);
    // The credential of somebody else is not taken over.
    const { body } = await person.post('/api/account/passkeys/options', {});
    expect(body.options.excludeCredentials).toHaveLength(1);
    expect((await person.post('/api/account/passkeys/add', { name: 'Copy', response })).status).toBe(400);
    const own = (await person.send('GET', '/api/account/passkeys')).body.passkeys;
    const stranger = visitor(server);
    expect((await stranger.send('GET', '/api/account/passkeys')).status).toBe(401);
    for (const path of ['options', 'add', 'remove']) {
      expect((await stranger.post(`/api/account/passkeys/${path}`, { id: own[0].id })).status, path).toBe(401);
    }
    expect((await person.post('/api/account/passkeys/remove', { id: 'nothing' })).status).toBe(404);
    await server.system.signInSession.updateMany({ data: { createdAt: new Date(Date.now() - 2 * 86_400_000) } });
    const stale = await person.post('/api/account/passkeys/options', {});
    expect([stale.status, stale.body.error.message]).toEqual([403, expect.stringContaining('Sign in again')]);
    await server.system.passkey.deleteMany();
  });

  it('works where people reach the server, and at no other address', async () => {
    for (const origin of ['http://127.0.0.1:4000', 'https://evil.example', 'http://localhost.evil.example']) {
      const person = visitor(server, { 'sec-fetch-site': 'same-origin', origin });
      const refused = await person.post('/api/auth/passkey/options', {});
      expect([refused.status, refused.body.error.message], origin).toEqual([400, expect.stringContaining('localhost')]);
    }
    expect((await browser().account()).passkeys).toBe(false);
    const local = `http://localhost:${new URL(server.origin).port}`;
    expect(((await (await fetch(`${local}/api/account`)).json()) as { passkeys: boolean }).passkeys).toBe(true);
    const published = await startTestServer({ PUBLIC_URL: 'https://tasks.example.com' });
    try {
      const at = (origin: string) => visitor(published, { 'sec-fetch-site': 'same-origin', origin });
      const { body } = await at('https://tasks.example.com').post('/api/auth/passkey/options', {});
      expect(body.options).toMatchObject({ rpId: 'tasks.example.com' });
      expect((await at(ORIGIN).post('/api/auth/passkey/options', {})).status).toBe(400);
    } finally {
      await published.stop();
    }
  });

  it('refuses what is no proof in words, and is not asked for without end', async () => {
    const person = await signedIn();
    for (const body of [
      '{',
      {},
      { response: null },
      { response: 'x' },
      { response: {} },
      { response: { id: '' } },
      { response: { id: 'x', response: { clientDataJSON: '%%%' } } },
      { response: { id: { a: 1 } } },
      { response: { id: 'x'.repeat(3000) } },
    ]) {
      await person.post('/api/auth/passkey/options', {});
      const answer = await person.post('/api/auth/sign-in/passkey', body);
      expect([400, 401], JSON.stringify(body)).toContain(answer.status);
      expect(answer.body.error.message).toBeTruthy();
      const added = await person.post(
        '/api/account/passkeys/add',
        typeof body === 'string' ? body : { name: 'x', ...body },
      );
      expect(added.status, JSON.stringify(body)).toBe(400);
    }
    const statuses: number[] = [];
    for (let at = 0; at < 31; at += 1) statuses.push((await person.post('/api/auth/passkey/options', {})).status);
    expect(statuses.at(-1)).toBe(429);
  });
});
