/** Accounts: who may make one, what a session opens, and what it does not. */
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../src/config.js';
import { cleanUp } from '../src/db/cleanup.js';
import { fillTenant } from './support/factories.js';
import { startTestServer, type TestServer } from './support/server.js';
import { subscribe, until } from './support/stream.js';
import { codesOf as codes, invitedBy, PASSWORD, type Visitor, visitor } from './support/visitor.js';

const INVITE = `mutation ($email: String!, $role: Role!) {
  inviteUser(input: { email: $email, role: $role }) { token invitation { id email role expiresAt } }
}`;
const VIEWER = '{ viewer { scopes environment userId apiKey { id } } }';
const CREATE = 'mutation { createTask(input: { title: "By a session" }) { task { id createdById createdByKeyId } } }';

let server: TestServer;
let ada: Visitor;

beforeAll(async () => {
  server = await startTestServer();
  ada = visitor(server);
  expect((await ada.signUp('ada@example.com')).status).toBe(200);
});
afterAll(() => server.stop());

/** Somebody of the workspace. */
const member = (role: string) => invitedBy(server, ada, role);

const userOf = async (person: Visitor): Promise<string> => (await person.gql(VIEWER)).data.viewer.userId;

describe('signing up', () => {
  it('makes the first the owner of the workspace, in place of the owner that nobody was', async () => {
    const state = await ada.account();
    expect(state.workspaces).toEqual([
      { id: server.workspace.id, name: server.workspace.name, slug: server.workspace.slug, role: 'OWNER' },
    ]);
    const users = await server.system.user.findMany({
      where: { workspaceId: server.workspace.id, environment: 'LIVE' },
    });
    expect(users.find(({ personId }) => personId !== null)).toMatchObject({ email: 'ada@example.com', role: 'OWNER' });
    expect(users.some(({ email }) => email === 'owner@taskgate.local')).toBe(false);
    const sandbox = await server.system.user.findMany({ where: { environment: 'TEST' } });
    expect(sandbox.map(({ email }) => email)).toEqual(['ada@example.com']);
  });

  it('is by invitation from then on', async () => {
    const eve = visitor(server);
    const refused = await eve.signUp('eve@example.com');
    expect([refused.status, refused.body.error.code]).toEqual([403, 'FORBIDDEN']);
    expect((await eve.account()).person).toBeNull();
    expect(await server.system.person.count({ where: { email: 'eve@example.com' } })).toBe(0);
  });

  it.each([
    ['short', 'too short'],
    ['a common one', 'password123'],
    ['one with numbers behind it', 'sunshine2024!'],
    ['one of few characters', 'aaaaaaaaaaaa'],
    ['a row', 'abcdefghijklm'],
    ['the email', 'adaline@example.com'],
    ['too long', 'x1y'.repeat(60)],
  ])('takes no password that is %s', async (_name, password) => {
    const answer = await visitor(server).post('/api/auth/sign-up/email', {
      ...{ name: 'Ada', email: 'adaline@example.com' },
      password: password === 'too short' ? 'k3#Zq' : password,
    });
    expect([answer.status, Object.keys(answer.body.error.fields)]).toEqual([400, ['password']]);
  });

  it('tells all that is wrong at once', async () => {
    const answer = await visitor(server).post('/api/auth/sign-up/email', { name: '', email: 'no', password: 'short' });
    expect(Object.keys(answer.body.error.fields).sort()).toEqual(['email', 'name', 'password']);
  });

  it.each([
    ['{', 400],
    ['[]', 400],
    ['{"name":"A","email":"no address","password":"a hedgehog in the rain"}', 400],
    ['{"name":"","email":"a@example.com","password":"a hedgehog in the rain"}', 400],
    ['{"name":{"a":1},"email":"a@example.com","password":"a hedgehog in the rain"}', 400],
    ['{"name":"A","email":"a@example.com"}', 400],
  ])('refuses %s in words', async (body, status) => {
    const answer = await visitor(server).send('POST', '/api/auth/sign-up/email', body);
    expect(answer.status).toBe(status);
    expect(answer.body.error.message).toBeTruthy();
  });

  it('lets one of several who are first at once own the workspace', async () => {
    const fresh = await startTestServer();
    try {
      const all = Array.from({ length: 4 }, () => visitor(fresh));
      await Promise.all(all.map((one, at) => one.signUp(`first-${at}@example.com`)));
      const states = await Promise.all(all.map((one) => one.account()));
      expect(states.flatMap(({ workspaces }) => workspaces.map(({ role }: { role: string }) => role))).toEqual([
        'OWNER',
      ]);
      expect(await fresh.system.user.count({ where: { environment: 'LIVE', personId: { not: null } } })).toBe(1);
    } finally {
      await fresh.stop();
    }
  });

  it('proves by an admin key from elsewhere who the operator is', async () => {
    const fresh = await startTestServer();
    try {
      const elsewhere = { 'x-forwarded-for': '203.0.113.9' };
      const stranger = visitor(fresh, elsewhere);
      expect((await stranger.account()).signUp).toBe('adminKey');
      expect((await stranger.signUp('s@example.com')).status).toBe(403);
      for (const origin of ['http://127.0.0.1.evil.example', 'https://tasks.example.com']) {
        expect((await visitor(fresh, { origin, 'sec-fetch-site': 'same-origin' }).account()).signUp).toBe('adminKey');
      }
      fresh.clock.advance(2 * 86_400_000);
      expect((await visitor(fresh).account()).signUp).toBe('adminKey');
      const { key: weak } = await fresh.createKey(['tasks:*', 'users:*']);
      const { key: ending } = await fresh.createKey(['admin:*'], 'LIVE', {
        expiresAt: new Date(Date.now() + 7 * 86_400_000),
      });
      for (const adminKey of [weak, ending]) {
        expect((await stranger.signUp('s@example.com', { adminKey })).status).toBe(403);
      }
      const wrong = await stranger.signUp('s@example.com', { adminKey: 'sk_live_nonsense' });
      expect(Object.keys(wrong.body.error.fields)).toEqual(['adminKey']);
      expect(await fresh.system.person.count()).toBe(0);
      expect((await stranger.signUp('s@example.com', { adminKey: fresh.adminKey })).status).toBe(200);
      expect((await stranger.account()).workspaces).toMatchObject([{ role: 'OWNER' }]);
    } finally {
      await fresh.stop();
    }
  });

  it('gives everybody a workspace of their own where SIGNUP is open, and nobody anything where it is closed', async () => {
    const open = await startTestServer({ SIGNUP: 'open' });
    const closed = await startTestServer({ SIGNUP: 'closed' });
    try {
      const [a, b] = [visitor(open), visitor(open)];
      await a.signUp('a@example.com');
      await b.signUp('b@example.com');
      const made = await a.gql(CREATE);
      const { id } = made.data.createTask.task;
      expect((await b.gql('query ($id: ID!) { task(id: $id) { id } }', { id })).errors).toMatchObject([
        { extensions: { code: 'NOT_FOUND' } },
      ]);
      const { workspaces } = await a.account();
      const foreign = await b.gql(VIEWER, {}, { workspace: workspaces[0].id });
      expect(codes(foreign)).toEqual(['UNAUTHENTICATED']);
      expect((await visitor(closed).signUp('c@example.com')).status).toBe(403);
    } finally {
      await open.stop();
      await closed.stop();
    }
  });
});

describe('a session', () => {
  it('is a principal with the scopes of the role, whose changes are the user’s', async () => {
    const { data } = await ada.gql(VIEWER);
    expect(data.viewer).toMatchObject({ scopes: ['admin:*'], environment: 'LIVE' });
    const made = await ada.gql(CREATE);
    const { id, createdById, createdByKeyId } = made.data.createTask.task;
    expect([createdById, createdByKeyId]).toEqual([data.viewer.userId, data.viewer.apiKey.id]);
    const entry = await server.system.auditEvent.findFirstOrThrow({ where: { targetId: id, action: 'task.create' } });
    expect(entry.actorUserId).toBe(data.viewer.userId);
  });

  it('has an environment beside it, with the same role', async () => {
    const manager = await member('MANAGER');
    for (const environment of ['live', 'test']) {
      const { data } = await manager.gql(VIEWER, {}, { environment });
      expect(data.viewer.environment).toBe(environment.toUpperCase());
      expect(data.viewer.scopes).toContain('projects:*');
    }
  });

  it('opens nothing by its cookie alone, and nothing but /graphql', async () => {
    const { id } = server.workspace;
    const place = { 'x-taskgate-workspace': id, 'x-taskgate-environment': 'live' };
    expect((await ada.post('/graphql', { query: VIEWER })).status).toBe(401);
    expect((await ada.post('/graphql', { query: VIEWER }, { 'x-taskgate-workspace': id })).status).toBe(401);
    expect((await ada.post('/graphql', { query: VIEWER }, { ...place, 'x-taskgate-environment': 'x' })).status).toBe(
      401,
    );
    expect((await ada.post('/graphql', { query: VIEWER }, place)).status).toBe(200);
    for (const path of ['/api/tasks', '/v1/tasks', '/metrics', '/mcp']) {
      expect((await ada.send('GET', path, undefined, place)).status, path).not.toBe(200);
    }
  });

  it.each([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['another host of the site', { 'sec-fetch-site': 'same-site' }],
    ['another origin', { origin: 'https://evil.example' }],
    ['no origin', { origin: 'null' }],
  ])('is used by no page of %s', async (_name, headers) => {
    const place = { 'x-taskgate-workspace': server.workspace.id, 'x-taskgate-environment': 'live' };
    expect((await ada.post('/graphql', { query: CREATE }, { ...place, ...headers })).status).toBe(401);
    for (const path of [
      '/api/auth/sign-up/email',
      '/api/auth/sign-in/email',
      '/api/auth/sign-out',
      '/api/auth/change-password',
      '/api/account/sessions/end',
      '/api/account/apps/end',
      '/api/account/authorization/allow',
      '/api/account/passkeys/options',
      '/api/account/passkeys/add',
      '/api/account/passkeys/remove',
      '/api/auth/passkey/options',
      '/api/auth/sign-in/passkey',
      '/api/account/invitation',
      '/api/account/invitation/accept',
    ]) {
      expect((await ada.post(path, {}, headers)).status, path).toBe(403);
    }
    expect((await ada.account()).person).not.toBeNull();
  });

  it('is taken from JSON alone, which no form of another page can send', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const body = JSON.stringify({ email: 'ada@example.com', password: PASSWORD });
      const answer = await visitor(server).send('POST', '/api/auth/sign-in/email', body, { 'content-type': type });
      expect(answer.status, type).toBe(415);
    }
  });

  it('is a new one with each sign-in, whatever cookie came with it, and over at once', async () => {
    const one = visitor(server);
    one.cookies.set('taskgate.session_token', 'chosen-by-somebody-else.AAAA');
    await one.signIn('ada@example.com');
    const [, first] = [...one.cookies][0] ?? [];
    expect(first).not.toContain('chosen');
    const stolen = visitor(server);
    stolen.cookies.set('taskgate.session_token', String(first));
    expect((await stolen.gql(VIEWER)).data.viewer.scopes).toEqual(['admin:*']);
    const place = { workspace: server.workspace.id };
    await one.signOut();
    expect(codes(await stolen.gql(VIEWER, {}, place))).toEqual(['UNAUTHENTICATED']);
    expect((await stolen.account()).person).toBeNull();
  });

  it('opens nothing with a signature that is wrong, or by the token of the database alone', async () => {
    const one = visitor(server);
    await one.signIn('ada@example.com');
    const [name = '', value = ''] = [...one.cookies][0] ?? [];
    const [token = ''] = decodeURIComponent(value).split('.');
    for (const forged of [token, `${token}.`, `${token}.AAAA`, encodeURIComponent(`${token}.${'A'.repeat(43)}=`)]) {
      one.cookies.set(name, forged);
      expect(codes(await one.gql(VIEWER, {}, { workspace: server.workspace.id })), forged).toEqual(['UNAUTHENTICATED']);
    }
    for (const headers of [{ 'x-api-key': `session:${token}` }, { authorization: `Bearer ${token}` }]) {
      expect((await visitor(server).post('/graphql', { query: VIEWER }, headers as never)).status).toBe(401);
    }
  });

  it('has a cookie that scripts do not see, and that goes by TLS alone where TLS was spoken', async () => {
    const answer = await visitor(server).signIn('ada@example.com');
    expect(answer.headers.getSetCookie().join()).toMatch(/HttpOnly/i);
    expect(answer.headers.getSetCookie().join()).toMatch(/SameSite=Lax/i);
    expect(JSON.stringify(answer.body)).not.toContain('token');
    const behind = await startTestServer({ TRUST_PROXY: '127.0.0.1' });
    try {
      const tls = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.9' };
      const made = await visitor(behind, tls).signUp('o@example.com', { adminKey: behind.adminKey });
      expect(made.headers.getSetCookie().join()).toMatch(/^__Secure-.*; Secure/);
    } finally {
      await behind.stop();
    }
  });

  it('ends by the clock', async () => {
    const fresh = await startTestServer();
    try {
      const one = visitor(fresh);
      await one.signUp('one@example.com');
      const place = { workspace: fresh.workspace.id };
      expect((await one.gql(VIEWER, {}, place)).errors).toBeUndefined();
      fresh.clock.advance(8 * 86_400_000);
      expect(codes(await one.gql(VIEWER, {}, place))).toEqual(['UNAUTHENTICATED']);
    } finally {
      await fresh.stop();
    }
  });

  it('is no key: it is in no list, and is neither changed, rotated nor revoked', async () => {
    const { data } = await ada.gql(VIEWER);
    const { id } = data.viewer.apiKey;
    const list = await ada.gql('{ apiKeys(first: 100) { nodes { id } } keyReview(first: 100) { apiKey { id } } }');
    expect(JSON.stringify(list.data)).not.toContain(id);
    for (const mutation of [
      'updateApiKey(input: { id: $id, name: "x" }) { apiKey { id } }',
      'rotateApiKey(input: { id: $id }) { key }',
      'revokeApiKey(input: { id: $id }) { apiKey { id } }',
      'tightenApiKey(input: { id: $id }) { applied }',
    ]) {
      expect(codes(await ada.gql(`mutation ($id: ID!) { ${mutation} }`, { id })), mutation).toEqual(['NOT_FOUND']);
    }
    expect((await ada.gql(VIEWER)).errors).toBeUndefined();
  });

  it('is listed and ended by its person, and by nobody else', async () => {
    const [one, other, stranger] = [visitor(server), visitor(server), await member('VIEWER')];
    await one.signIn('ada@example.com');
    await other.signIn('ada@example.com');
    const { sessions } = (await one.send('GET', '/api/account/sessions')).body;
    expect(JSON.stringify(sessions)).not.toContain('token');
    expect(sessions.filter(({ isCurrent }: { isCurrent: boolean }) => isCurrent)).toHaveLength(1);
    const mine = (await other.send('GET', '/api/account/sessions')).body.sessions.find(
      ({ isCurrent }: { isCurrent: boolean }) => isCurrent,
    );
    expect((await stranger.post('/api/account/sessions/end', { id: mine.id })).status).toBe(404);
    expect((await one.post('/api/account/sessions/end', { id: mine.id })).status).toBe(200);
    expect(codes(await other.gql(VIEWER, {}, { workspace: server.workspace.id }))).toEqual(['UNAUTHENTICATED']);
    expect((await visitor(server).send('GET', '/api/account/sessions')).status).toBe(401);
  });

  it('ends with another password, but for the one that changed it', async () => {
    const one = await member('MEMBER');
    const { email } = (await one.account()).person;
    const other = visitor(server);
    await other.signIn(email);
    const change = (currentPassword: string, newPassword: string) =>
      one.post('/api/auth/change-password', { currentPassword, newPassword });
    expect((await change('not the right one', 'another hedgehog, dry')).body.error.fields).toHaveProperty(
      'currentPassword',
    );
    expect((await change(PASSWORD, 'password123')).body.error.fields).toHaveProperty('newPassword');
    expect((await change(PASSWORD, 'another hedgehog, dry')).status).toBe(200);
    expect((await one.gql(VIEWER)).errors).toBeUndefined();
    expect((await other.account()).person).toBeNull();
    expect((await visitor(server).signIn(email)).status).toBe(401);
    expect((await visitor(server).signIn(email, 'another hedgehog, dry')).status).toBe(200);
  });
});

describe('a role', () => {
  it('is what a session may do, and no more', async () => {
    const viewer = await member('VIEWER');
    expect((await viewer.gql('{ tasks { totalCount } }')).errors).toBeUndefined();
    expect(codes(await viewer.gql(CREATE))).toEqual(['FORBIDDEN']);
    expect(codes(await viewer.gql('{ apiKeys { totalCount } auditLog { nodes { id } } }'))).toEqual([
      'FORBIDDEN',
      'FORBIDDEN',
    ]);
    const maker = await member('MEMBER');
    expect((await maker.gql(CREATE)).errors).toBeUndefined();
    expect(codes(await maker.gql('mutation { createApiKey(input: { name: "x", scopes: [] }) { key } }'))).toEqual([
      'FORBIDDEN',
    ]);
  });

  it('that changes, changes what the session may do, at once', async () => {
    const person = await member('MEMBER');
    const id = await userOf(person);
    const change = (role: string) =>
      ada.gql('mutation ($id: ID!, $role: Role!) { updateUser(input: { id: $id, role: $role }) { user { role } } }', {
        id,
        role,
      });
    for (const environment of ['live', 'test']) {
      expect((await person.gql(CREATE, {}, { environment })).errors).toBeUndefined();
    }
    await change('VIEWER');
    for (const environment of ['live', 'test']) {
      expect(codes(await person.gql(CREATE, {}, { environment }))).toEqual(['FORBIDDEN']);
    }
    await change('ADMIN');
    expect((await person.gql(VIEWER)).data.viewer.scopes).toEqual(['admin:*']);
  });

  it('is raised to no more than the one holds who raises it', async () => {
    const person = await member('VIEWER');
    const id = await userOf(person);
    const { key } = await server.createKey(['users:write', 'users:read']);
    const raise = 'mutation ($id: ID!, $role: Role!) { updateUser(input: { id: $id, role: $role }) { user { role } } }';
    for (const role of ['OWNER', 'ADMIN', 'MANAGER', 'MEMBER']) {
      expect(codes(await server.gql(raise, { id, role }, key)), role).toEqual(['FORBIDDEN']);
    }
    expect((await person.gql(VIEWER)).data.viewer.scopes).toContain('tasks:read');
  });

  it('ends with the user: the session opens nothing, in neither environment, and its streams end', async () => {
    const person = await member('MEMBER');
    const id = await userOf(person);
    const { workspaces } = await person.account();
    const workspace = workspaces[0].id;
    await person.gql(VIEWER, {}, { environment: 'test' });
    const stream = await subscribe(server, {
      ...{ cookie: person.cookie(), 'x-taskgate-workspace': workspace, 'x-taskgate-environment': 'live' },
    });
    expect(stream.response.status).toBe(200);
    await ada.gql('mutation ($id: ID!) { deleteUser(input: { id: $id }) { deletedUserId } }', { id });
    for (const environment of ['live', 'test']) {
      expect(codes(await person.gql(VIEWER, {}, { environment, workspace }))).toEqual(['UNAUTHENTICATED']);
    }
    await stream.ended;
    expect((await person.account()).workspaces).toEqual([]);
  });

  it('bounds keys that a session makes: those of who manages nothing act as themselves', async () => {
    const { key, apiKey } = (
      await ada.gql(
        'mutation { createApiKey(input: { name: "of ada", scopes: ["tasks:read"] }) { key apiKey { id actsAsId createdById } } }',
      )
    ).data.createApiKey;
    expect([apiKey.actsAsId, apiKey.createdById]).toEqual([null, await userOf(ada)]);
    expect((await server.gql('{ tasks { totalCount } }', {}, key)).errors).toBeUndefined();
    // A key of hers outlives her session: it is a key of the workspace.
    expect(await server.system.apiKey.count({ where: { id: apiKey.id, isSession: false } })).toBe(1);
  });
});

describe('an invitation', () => {
  it('gives no more than the one holds who makes it', async () => {
    const manager = await member('MANAGER');
    const by = (person: Visitor, role: string) =>
      person.gql(INVITE, { email: `${role}-${Math.random()}@example.com`, role });
    expect((await by(manager, 'MEMBER')).errors).toBeUndefined();
    for (const role of ['OWNER', 'ADMIN']) expect(codes(await by(manager, role)), role).toEqual(['FORBIDDEN']);
    expect(codes(await by(await member('MEMBER'), 'VIEWER'))).toEqual(['FORBIDDEN']);
    const variables = { email: 'x@example.com', role: 'MEMBER' };
    const { key: scoped } = await server.createKey(['users:*']);
    const { key: ending } = await server.createKey(['admin:*'], 'LIVE', {
      expiresAt: new Date(Date.now() + 86_400_000),
    });
    const { key: near } = await server.createKey(['admin:*'], 'LIVE', { allowedIps: ['127.0.0.0/8'] });
    const { key: slow } = await server.createKey(['admin:*'], 'LIVE', { ratePerMinute: 10 });
    const { key: sandbox } = await server.createKey(['admin:*'], 'TEST');
    for (const key of [scoped, ending, near, slow, sandbox]) {
      expect(codes(await server.gql(INVITE, variables, key))).toEqual(['FORBIDDEN']);
    }
    const { projectId } = await fillTenant(server.system, server.workspace.id, 'LIVE');
    const { key: bound } = await server.createKey(['users:*', 'tasks:*', 'projects:*'], 'LIVE', {
      projects: [projectId],
    });
    expect(codes(await server.gql(INVITE, { ...variables, role: 'VIEWER' }, bound))).toEqual(['FORBIDDEN']);
    expect(await server.system.invitation.count({ where: { email: 'x@example.com' } })).toBe(0);
  });

  it('is for one email, once, and is stored as a hash', async () => {
    const { data } = await ada.gql(INVITE, { email: 'Bob@Example.com', role: 'MEMBER' });
    const { token, invitation } = data.inviteUser;
    expect(invitation.email).toBe('bob@example.com');
    const row = await server.system.invitation.findUniqueOrThrow({ where: { id: invitation.id } });
    expect(JSON.stringify(row)).not.toContain(token);
    const told = await visitor(server).post('/api/account/invitation', { token });
    expect(told.body).toEqual({ email: 'bob@example.com', role: 'MEMBER', workspace: { name: server.workspace.name } });
    const eve = visitor(server);
    expect((await eve.signUp('eve@example.com', { invitation: token })).body.error.fields).toHaveProperty('email');
    const viewer = await member('VIEWER');
    expect((await viewer.post('/api/account/invitation/accept', { token })).status).toBe(403);
    const bob = visitor(server);
    expect((await bob.signUp('bob@example.com', { invitation: token })).status).toBe(200);
    expect((await bob.account()).workspaces).toMatchObject([{ role: 'MEMBER' }]);
    expect((await bob.post('/api/account/invitation/accept', { token })).status).toBe(404);
    expect((await eve.post('/api/account/invitation', { token })).status).toBe(404);
  });

  it('ends when it is taken back, replaced, or old', async () => {
    const REVOKE = 'mutation ($id: ID!) { revokeInvitation(input: { id: $id }) { invitation { revokedAt } } }';
    const first = (await ada.gql(INVITE, { email: 'carl@example.com', role: 'ADMIN' })).data.inviteUser;
    const second = (await ada.gql(INVITE, { email: 'carl@example.com', role: 'VIEWER' })).data.inviteUser;
    const look = async (token: string) => (await visitor(server).post('/api/account/invitation', { token })).status;
    expect([await look(first.token), await look(second.token)]).toEqual([404, 200]);
    const revoked = await ada.gql(REVOKE, { id: second.invitation.id });
    expect(revoked.data.revokeInvitation.invitation.revokedAt).not.toBeNull();
    expect(await look(second.token)).toBe(404);
    expect((await visitor(server).signUp('carl@example.com', { invitation: second.token })).status).toBe(404);
    const fresh = await startTestServer();
    try {
      const owner = visitor(fresh);
      await owner.signUp('owner@example.com');
      const { token } = (await owner.gql(INVITE, { email: 'late@example.com', role: 'MEMBER' })).data.inviteUser;
      fresh.clock.advance(8 * 86_400_000);
      expect((await visitor(fresh).signUp('late@example.com', { invitation: token })).status).toBe(404);
    } finally {
      await fresh.stop();
    }
  });

  it('changes no role: a user of that email is invited as what they are, by who may give that', async () => {
    const { data } = await server.gql(
      'mutation { createUser(input: { email: "old-admin@example.com", name: "Old", role: ADMIN }) { user { id } } }',
    );
    const { id } = data.createUser.user;
    const manager = await member('MANAGER');
    const email = 'old-admin@example.com';
    expect(codes(await manager.gql(INVITE, { email, role: 'VIEWER' }))).toEqual(['CONFLICT']);
    expect(codes(await manager.gql(INVITE, { email, role: 'ADMIN' }))).toEqual(['FORBIDDEN']);
    const { token } = (await ada.gql(INVITE, { email, role: 'ADMIN' })).data.inviteUser;
    // Not by the way of inviting again, either.
    expect(codes(await manager.gql(INVITE, { email, role: 'ADMIN' }))).toEqual(['FORBIDDEN']);
    const person = visitor(server);
    await person.signUp(email, { invitation: token });
    expect((await person.account()).workspaces).toMatchObject([{ role: 'ADMIN' }]);
    expect(await userOf(person)).toBe(id);
  });

  it('is taken back by inviting again only by who may take it back', async () => {
    const manager = await member('MANAGER');
    const { token } = (await ada.gql(INVITE, { email: 'chief@example.com', role: 'ADMIN' })).data.inviteUser;
    expect(codes(await manager.gql(INVITE, { email: 'chief@example.com', role: 'VIEWER' }))).toEqual(['FORBIDDEN']);
    expect((await visitor(server).post('/api/account/invitation', { token })).status).toBe(200);
  });

  it('lasts no longer than who made it', async () => {
    const { key, apiKey } = await server.createKey(['admin:*']);
    const byKey = (await server.gql(INVITE, { email: 'of-a-key@example.com', role: 'OWNER' }, key)).data.inviteUser;
    await server.gql('mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { apiKey { id } } }', { id: apiKey.id });
    const manager = await member('MANAGER');
    const byManager = (await manager.gql(INVITE, { email: 'of-a-manager@example.com', role: 'MANAGER' })).data
      .inviteUser;
    const id = await userOf(manager);
    await ada.gql('mutation ($id: ID!) { updateUser(input: { id: $id, role: VIEWER }) { user { id } } }', { id });
    for (const { token, invitation } of [
      { ...byKey, invitation: { email: 'of-a-key@example.com' } },
      { ...byManager, invitation: { email: 'of-a-manager@example.com' } },
    ]) {
      const person = visitor(server);
      expect((await person.signUp(invitation.email, { invitation: token })).status).toBe(403);
      expect((await person.account()).person).toBeNull();
    }
  });

  it('lasts as long as a key that was replaced, and ends with the user whom it was for', async () => {
    const { key, apiKey } = await server.createKey(['admin:*']);
    const { token } = (await server.gql(INVITE, { email: 'of-rotated@example.com', role: 'MEMBER' }, key)).data
      .inviteUser;
    await server.gql('mutation ($id: ID!) { rotateApiKey(input: { id: $id, gracePeriod: 3600 }) { key } }', {
      id: apiKey.id,
    });
    const person = visitor(server);
    await person.signUp('of-rotated@example.com', { invitation: token });
    expect((await person.account()).workspaces).toMatchObject([{ role: 'MEMBER' }]);
    const made = await server.gql(
      'mutation { createUser(input: { email: "gone@example.com", name: "G", role: MEMBER }) { user { id } } }',
    );
    const gone = (await ada.gql(INVITE, { email: 'gone@example.com', role: 'MEMBER' })).data.inviteUser;
    const { id } = made.data.createUser.user;
    await server.gql('mutation ($id: ID!) { deleteUser(input: { id: $id }) { deletedUserId } }', { id });
    expect((await visitor(server).signUp('gone@example.com', { invitation: gone.token })).status).toBe(404);
  });

  it('is accepted once, by whoever tries at once', async () => {
    const { token } = (await ada.gql(INVITE, { email: 'twice@example.com', role: 'MEMBER' })).data.inviteUser;
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => visitor(server).signUp('twice@example.com', { invitation: token })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.every(({ status }) => [200, 404, 409, 503].includes(status))).toBe(true);
    expect(await server.system.user.count({ where: { email: 'twice@example.com', environment: 'LIVE' } })).toBe(1);
  });
});

describe('a letter', () => {
  it('brings the link to the one who is invited, and to an address that no request can choose', async () => {
    const letters: string[] = [];
    const smtp = new SMTPServer({
      disabledCommands: ['AUTH', 'STARTTLS'],
      onData(stream, _session, done) {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          letters.push(Buffer.concat(chunks).toString());
          done();
        });
      },
    });
    const port = await new Promise<number>((resolve) => {
      const listening = smtp.listen(0, '127.0.0.1', () => resolve((listening.address() as AddressInfo).port));
    });
    const fresh = await startTestServer({
      ...{ SMTP_URL: `smtp://127.0.0.1:${port}`, MAIL_FROM: 'Tasks <tasks@example.com>' },
      PUBLIC_URL: 'https://tasks.example.com/',
    });
    try {
      await fresh.system.workspace.updateMany({ data: { name: 'Ours\r\nBcc: eve@example.com' } });
      const ask = 'mutation { inviteUser(input: { email: "grace@example.com", role: MEMBER }) { token emailed } }';
      const { data } = await fresh.gql(ask);
      expect(data.inviteUser.emailed).toBe(true);
      await until(() => letters.length === 1);
      const [head = '', ...body] = (letters[0] ?? '').split('\r\n\r\n');
      expect(head).toMatch(/^To: grace@example\.com$/m);
      expect(head).not.toMatch(/^Bcc:/m);
      const text = body.join('\n').replace(/=\r\n/g, '').replace(/=3D/g, '=');
      expect(text).toContain(`https://tasks.example.com/invitation#${data.inviteUser.token}`);
      await new Promise<void>((resolve) => smtp.close(() => resolve()));
      // Where no letter can be sent, the invitation holds all the same.
      const other = await fresh.gql(ask);
      expect(other.data.inviteUser.token).toBeTruthy();
      await until(() => fresh.logLines.some((line) => line.includes('A letter could not be sent')));
      expect(fresh.logLines.join()).not.toContain(other.data.inviteUser.token);
      // Three a day to one address; the link is handed over by people then.
      expect((await fresh.gql(ask)).data.inviteUser.emailed).toBe(true);
      expect((await fresh.gql(ask)).data.inviteUser.emailed).toBe(false);
    } finally {
      await fresh.stop();
    }
  });

  it.each([
    [{ SMTP_URL: 'smtp://127.0.0.1:25' }, 'MAIL_FROM'],
    [{ SMTP_URL: 'smtp://127.0.0.1:25', MAIL_FROM: 'a@example.com' }, 'PUBLIC_URL'],
    [{ SMTP_URL: 'mail.example.com' }, 'SMTP_URL'],
    [{ PUBLIC_URL: 'tasks.example.com' }, 'PUBLIC_URL'],
    [{ PUBLIC_URL: 'https://tasks.example.com/a' }, 'PUBLIC_URL'],
    [{ SIGNUP: 'everybody' }, 'SIGNUP'],
  ])('is configured whole: %j', (environment, named) => {
    expect(() => readConfig(environment as Record<string, string>)).toThrow(named);
  });
});

it('a person may be in several workspaces, and is in each what they are there', async () => {
  const open = await startTestServer({ SIGNUP: 'open' });
  try {
    const [a, b] = [visitor(open), visitor(open)];
    await a.signUp('a@example.com');
    await b.signUp('b@example.com');
    const { token } = (await a.gql(INVITE, { email: 'b@example.com', role: 'VIEWER' })).data.inviteUser;
    expect((await b.post('/api/account/invitation/accept', { token })).status).toBe(200);
    const { workspaces } = await b.account();
    expect(workspaces.map(({ role }: { role: string }) => role)).toEqual(['OWNER', 'VIEWER']);
    const [own, other] = workspaces.map(({ id }: { id: string }) => id);
    expect((await b.gql(CREATE, {}, { workspace: own })).errors).toBeUndefined();
    expect(codes(await b.gql(CREATE, {}, { workspace: other }))).toEqual(['FORBIDDEN']);
    expect((await b.gql('{ tasks { totalCount } }', {}, { workspace: other })).data.tasks.totalCount).toBe(0);
  } finally {
    await open.stop();
  }
});

describe('who somebody is in the sandbox', () => {
  const RENAME =
    'mutation ($id: ID!, $email: String!) { updateUser(input: { id: $id, email: $email }) { user { id } } }';
  const WHO = '{ viewer { userId scopes user { email role } } }';

  it('is no other by taking their address, in either environment', async () => {
    const [manager, admin] = [await member('MANAGER'), await member('ADMIN')];
    const { key: sandboxAdmin } = await server.createKey(['admin:*'], 'TEST');
    const made = await server.gql(
      'mutation { createUser(input: { email: "sandbox-owner@example.com", name: "O", role: OWNER }) { user { id } } }',
      {},
      sandboxAdmin,
    );
    // In live, the address of somebody of the sandbox.
    await manager.gql(RENAME, { id: await userOf(manager), email: 'sandbox-owner@example.com' });
    const own = (await manager.gql(WHO, {}, { environment: 'test' })).data.viewer;
    expect(own.userId).not.toBe(made.data.createUser.user.id);
    expect(own.user.role).toBe('MANAGER');
    // In the sandbox, the address of an administrator who has not been there yet.
    const { email } = (await admin.account()).person;
    await manager.gql(RENAME, { id: own.userId, email }, { environment: 'test' });
    const theirs = (await admin.gql(WHO, {}, { environment: 'test' })).data.viewer;
    expect(theirs.userId).not.toBe(own.userId);
    expect(theirs.scopes).toEqual(['admin:*']);
    const still = (await manager.gql(WHO, {}, { environment: 'test' })).data.viewer;
    expect([still.userId, still.scopes.includes('admin:*')]).toEqual([own.userId, false]);
  });
});

describe('what is stored', () => {
  it('opens nothing: tokens of sessions are hashes', async () => {
    const person = visitor(server);
    await person.signIn('ada@example.com');
    const [value = ''] = person.cookies.values();
    const [token = ''] = decodeURIComponent(value).split('.');
    expect(token.length).toBeGreaterThan(20);
    const rows = JSON.stringify(await server.system.signInSession.findMany());
    expect(rows).not.toContain(token);
    expect(rows).toContain('sha256:');
  });

  it('is removed when it is over', async () => {
    const person = visitor(server);
    await person.signIn('ada@example.com');
    const count = await server.system.signInSession.count();
    const later = new Date(Date.now() + 8 * 86_400_000);
    await cleanUp(server.system, new AbortController().signal, later);
    expect(count).toBeGreaterThan(0);
    expect(await server.system.signInSession.count()).toBe(0);
    ada.cookies.clear();
    expect((await ada.signIn('ada@example.com')).status).toBe(200);
  });
});

describe('signing in', () => {
  it('goes on for others while one address tries very many passwords at once', async () => {
    const fresh = await startTestServer({ TRUST_PROXY: '127.0.0.1' });
    const from = (ip: string) => visitor(fresh, { 'x-forwarded-for': ip });
    try {
      await from('203.0.113.1').signUp('owner@example.com', { adminKey: fresh.adminKey });
      const flood = Array.from({ length: 40 }, () => from('198.51.100.7').signIn('owner@example.com'));
      const honest = Array.from({ length: 5 }, (_, at) => from(`203.0.113.${at + 10}`).signIn('owner@example.com'));
      expect((await Promise.all(honest)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
      expect((await Promise.all(flood)).filter(({ status }) => status === 429).length).toBeGreaterThan(20);
    } finally {
      await fresh.stop();
    }
  });

  it('has nothing to end where nobody is signed in', async () => {
    expect((await visitor(server).signOut()).status).toBe(200);
    expect((await visitor(server).post('/api/account/sessions/end', { id: '\u0000' })).status).toBe(401);
    expect((await ada.post('/api/account/sessions/end', { id: '\u0000' })).status).toBe(400);
  });

  it('says the same of an unknown email and of a wrong password', async () => {
    const [unknown, wrong] = await Promise.all([
      visitor(server).signIn('nobody@example.com'),
      visitor(server).signIn('ada@example.com', 'not the password'),
    ]);
    const told = ({ status, body }: { status: number; body: { error: object } }) => [status, body.error];
    expect(told(unknown)).toEqual(told(wrong));
    expect(unknown.status).toBe(401);
  });

  it('stops guesses from one address, and locks nobody out who comes from another', async () => {
    const fresh = await startTestServer({ TRUST_PROXY: '127.0.0.1' });
    const from = (ip: string) => visitor(fresh, { 'x-forwarded-for': ip });
    try {
      await from('203.0.113.1').signUp('owner@example.com', { adminKey: fresh.adminKey });
      const guesser = from('198.51.100.7');
      const statuses: number[] = [];
      for (let tries = 0; tries < 12; tries += 1) {
        statuses.push((await guesser.signIn('owner@example.com', `guess number ${tries}`)).status);
      }
      expect(statuses).toEqual([...Array(10).fill(401), 429, 429]);
      const limited = await guesser.signIn('owner@example.com');
      expect([limited.status, Number(limited.headers.get('retry-after')) > 0]).toEqual([429, true]);
      expect((await from('203.0.113.1').signIn('owner@example.com')).status).toBe(200);
    } finally {
      await fresh.stop();
    }
  });

  it('is told in the audit log, and no secret of it is in the log', async () => {
    const person = visitor(server);
    await person.signIn('ada@example.com');
    const userId = await userOf(person);
    await person.signOut();
    const actions = await server.system.auditEvent.findMany({
      where: { actorUserId: userId, action: { startsWith: 'session.' } },
      select: { action: true, ip: true },
    });
    expect(new Set(actions.map(({ action }) => action))).toEqual(new Set(['session.begin', 'session.end']));
    const log = server.logLines.join('\n');
    expect(log).not.toContain(PASSWORD);
    for (const value of ada.cookies.values()) {
      const [token = ''] = decodeURIComponent(value).split('.');
      expect(log).not.toContain(token);
    }
  });
});
