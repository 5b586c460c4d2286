/** OAuth 2.1 for applications of others, by an independent client library: what users let them do, and how that ends. */
import { createHash, randomBytes } from 'node:crypto';
import * as client from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkAuthorizationRequest, parametersOf } from '../src/apps/authorizationRequest.js';
import { cleanUp } from '../src/db/cleanup.js';
import { ExpiryJob } from '../src/keys/expiryJob.js';
import { createWorkspace } from './support/factories.js';
import { startTestServer, type TestServer } from './support/server.js';
import { codesOf as codes, invitedBy, type Visitor, visitor } from './support/visitor.js';

const DAY = 86_400_000;
const REDIRECT = 'https://planner.example/callback';
const INVITE = `mutation ($email: String!, $role: Role!) { inviteUser(input: { email: $email, role: $role }) { token } }`;
const REGISTER = `mutation ($input: CreateOauthAppInput!) {
  createOauthApp(input: $input) { clientSecret oauthApp { id name redirectUris scopes isConfidential } }
}`;
const CREATE =
  'mutation { createTask(input: { title: "By an application" }) { task { id createdById createdByKeyId } } }';

interface App {
  readonly id: string;
  readonly secret: string | undefined;
}

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

async function register(input: object = {}, environment = 'live'): Promise<App> {
  const wanted = { name: 'Planner', redirectUris: [REDIRECT], scopes: ['tasks:read', 'tasks:write'], ...input };
  const { data, errors } = await ada.gql(REGISTER, { input: wanted }, { environment });
  if (!data?.createOauthApp) throw new Error(JSON.stringify(errors));
  const { oauthApp, clientSecret } = data.createOauthApp;
  return { id: oauthApp.id, secret: clientSecret ?? undefined };
}

const discover = (app: App, authentication?: client.ClientAuth) =>
  client.discovery(
    new URL(server.origin),
    app.id,
    app.secret,
    authentication ?? (app.secret ? undefined : client.None()),
    // What is found is of RFC 8414, and the test's server speaks HTTP.
    { execute: [client.allowInsecureRequests], algorithm: 'oauth2' },
  );

/** What the application asks for, as the query of the address that it sends the browser to. */
async function asking(config: client.Configuration, more: Record<string, string> = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT,
    scope: 'tasks:read tasks:write',
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    ...more,
  });
  return { url, request: url.search.slice(1), verifier, state };
}

const allow = (person: Visitor, request: string, more: object = {}) =>
  person.post('/api/account/authorization/allow', { request, scopes: ['tasks:read', 'tasks:write'], ...more });

/** The whole way of a user, and what the library makes of it. */
async function grant(app: App, person: Visitor, more: object = {}) {
  const config = await discover(app);
  const { request, verifier, state } = await asking(config);
  const answer = await allow(person, request, more);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  const back = new URL(answer.body.redirectTo);
  const tokens = await client.authorizationCodeGrant(config, back, {
    pkceCodeVerifier: verifier,
    expectedState: state,
  });
  return { config, tokens, back, verifier };
}

const keyBehind = async (token: string) =>
  (await server.gql('{ viewer { apiKey { id } } }', {}, token)).data?.viewer.apiKey.id as string;

async function failing(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (cause) => cause,
  );
  if (error?.status === 401) return 'invalid_client';
  if (!error?.error) throw error ?? new Error('it was answered');
  return error.error;
}

describe('the code flow', () => {
  it('is found, asked for, allowed and used by a client library, on a server and with no secret', async () => {
    for (const isConfidential of [true, false]) {
      const app = await register({ isConfidential });
      const config = await discover(app);
      expect(config.serverMetadata()).toMatchObject({
        issuer: server.origin,
        authorization_endpoint: `${server.origin}/oauth/authorize`,
        code_challenge_methods_supported: ['S256'],
      });
      const { request, verifier, state } = await asking(config);
      const asked = await ada.post('/api/account/authorization', { request });
      expect(asked.body).toMatchObject({
        app: { name: 'Planner' },
        workspace: { id: server.workspace.id },
        environment: 'LIVE',
        scopes: [
          { name: 'tasks:read', isHeld: true },
          { name: 'tasks:write', isHeld: true },
        ],
      });
      expect(asked.body.scopes[0].description).toMatch(/^View tasks/);
      const { body } = await allow(ada, request);
      const back = new URL(body.redirectTo);
      expect(back.origin + back.pathname).toBe(REDIRECT);
      const expected = { pkceCodeVerifier: verifier, expectedState: state };
      const tokens = await client.authorizationCodeGrant(config, back, expected);
      expect(tokens).toMatchObject({ token_type: 'bearer', expires_in: 3600, scope: 'tasks:read tasks:write' });
      const made = await server.gql(CREATE, {}, tokens.access_token);
      const { userId } = (await ada.gql('{ viewer { userId } }')).data.viewer;
      expect(made.data.createTask.task.createdById).toBe(userId);
      const { keyId } = { keyId: made.data.createTask.task.createdByKeyId };
      const { data } = await ada.gql(
        `{ apiKey(id: "${keyId}") { name status scopes actsAsId appId app { id name } expiresAt requestsToday } }`,
      );
      expect(data.apiKey).toMatchObject({ name: 'Planner', status: 'ACTIVE', actsAsId: userId, appId: app.id });
      expect(data.apiKey).toMatchObject({ app: { name: 'Planner' }, expiresAt: null });

      const next = await client.refreshTokenGrant(config, tokens.refresh_token as string);
      expect(next.refresh_token).not.toBe(tokens.refresh_token);
      expect((await server.gql(CREATE, {}, next.access_token)).errors).toBeUndefined();
      const narrow = await client.refreshTokenGrant(config, next.refresh_token as string, { scope: 'tasks:read' });
      expect(narrow.scope).toBe('tasks:read');
      expect(codes(await server.gql(CREATE, {}, narrow.access_token))).toEqual(['FORBIDDEN']);
      await client.tokenRevocation(config, narrow.refresh_token as string);
      expect(codes(await server.gql(CREATE, {}, next.access_token))).toEqual(['UNAUTHENTICATED']);
      expect(await failing(client.refreshTokenGrant(config, narrow.refresh_token as string))).toBe('invalid_grant');
    }
  });

  it('takes the secret by HTTP Basic as by the body', async () => {
    const app = await register();
    for (const way of [client.ClientSecretBasic(app.secret), client.ClientSecretPost(app.secret)]) {
      const config = await discover(app, way);
      const { request, verifier, state } = await asking(config);
      const back = new URL((await allow(ada, request)).body.redirectTo);
      const tokens = await client.authorizationCodeGrant(config, back, {
        pkceCodeVerifier: verifier,
        expectedState: state,
      });
      expect(await keyBehind(tokens.access_token)).toMatch(/^key_/);
    }
  });

  it('lets a program of the machine itself come back on whichever port', async () => {
    const app = await register({ isConfidential: false, redirectUris: ['http://127.0.0.1/back', REDIRECT] });
    const config = await discover(app);
    const { request, verifier, state } = await asking(config, { redirect_uri: 'http://127.0.0.1:49152/back' });
    const back = new URL((await allow(ada, request)).body.redirectTo);
    expect(back.origin).toBe('http://127.0.0.1:49152');
    const tokens = await client.authorizationCodeGrant(config, back, {
      pkceCodeVerifier: verifier,
      expectedState: state,
    });
    expect(tokens.access_token).toMatch(/^at_live_/);
    const elsewhere = await asking(config, { redirect_uri: 'http://127.0.0.1:49152/other' });
    expect((await allow(ada, elsewhere.request)).status).toBe(400);
  });

  it('works in the sandbox, apart from live', async () => {
    const app = await register({}, 'test');
    const { tokens } = await grant(app, ada);
    const { data } = await server.gql('{ viewer { environment user { email } } }', {}, tokens.access_token);
    expect(data.viewer).toMatchObject({ environment: 'TEST' });
    expect(tokens.access_token).toMatch(/^at_test_/);
  });

  it('gives what the user chose: fewer scopes, some projects', async () => {
    const app = await register();
    const own = (await ada.gql('mutation { createProject(input: { name: "Own" }) { project { id } } }')).data
      .createProject.project.id;
    const { tokens } = await grant(app, ada, { scopes: ['tasks:read'], projects: [own] });
    expect(tokens.scope).toBe('tasks:read');
    expect(codes(await server.gql(CREATE, {}, tokens.access_token))).toEqual(['FORBIDDEN']);
    const { data } = await server.gql(
      '{ viewer { apiKey { projectIds } } tasks { totalCount } }',
      {},
      tokens.access_token,
    );
    expect(data).toMatchObject({ viewer: { apiKey: { projectIds: [own] } }, tasks: { totalCount: 0 } });
    const { request } = await asking(await discover(app));
    for (const [wrong, status] of [
      [{ scopes: ['tasks:delete'] }, 400],
      [{ scopes: ['admin:*'] }, 400],
      [{ scopes: [] }, 400],
      [{ projects: ['nowhere'] }, 404],
      [{ scopes: 'tasks:read' }, 400],
    ] as const) {
      expect((await allow(ada, request, wrong)).status, JSON.stringify(wrong)).toBe(status);
    }
  });

  it('gives a user no more than the role, now and later', async () => {
    const app = await register();
    const viewer = await member('VIEWER');
    const { request } = await asking(await discover(app));
    const { body } = await viewer.post('/api/account/authorization', { request });
    expect(body.scopes.map(({ isHeld }: { isHeld: boolean }) => isHeld)).toEqual([true, false]);
    expect((await allow(viewer, request)).status).toBe(400);
    const { tokens } = await grant(app, viewer, { scopes: ['tasks:read'] });
    expect(codes(await server.gql(CREATE, {}, tokens.access_token))).toEqual(['FORBIDDEN']);

    const someone = await member('MEMBER');
    const held = await grant(app, someone);
    const { userId } = (await someone.gql('{ viewer { userId } }')).data.viewer;
    expect((await server.gql(CREATE, {}, held.tokens.access_token)).errors).toBeUndefined();
    await ada.gql(`mutation { updateUser(input: { id: "${userId}", role: VIEWER }) { user { id } } }`);
    expect(codes(await server.gql(CREATE, {}, held.tokens.access_token))).toEqual(['FORBIDDEN']);
    const next = await client.refreshTokenGrant(held.config, held.tokens.refresh_token as string);
    expect(next.scope).toBe('tasks:read');
    await ada.gql(`mutation { deleteUser(input: { id: "${userId}" }) { deletedUserId } }`);
    expect(codes(await server.gql('{ viewer { userId } }', {}, next.access_token))).toEqual(['UNAUTHENTICATED']);
    expect(await failing(client.refreshTokenGrant(held.config, next.refresh_token as string))).toBe('invalid_grant');
  });

  it('tells the application what was refused', async () => {
    const app = await register();
    const config = await discover(app);
    const { request, state } = await asking(config);
    const denied = new URL((await ada.post('/api/account/authorization/deny', { request })).body.redirectTo);
    expect(Object.fromEntries(denied.searchParams)).toMatchObject({
      error: 'access_denied',
      state,
      iss: server.origin,
    });
    const refusals: [Record<string, string>, string][] = [
      [{ scope: 'tasks:read projects:read' }, 'invalid_scope'],
      [{ scope: 'admin:*' }, 'invalid_scope'],
      [{ scope: 'nothing' }, 'invalid_scope'],
      [{ response_type: 'token' }, 'unsupported_response_type'],
      [{ code_challenge: '' }, 'invalid_request'],
      [{ code_challenge_method: 'plain' }, 'invalid_request'],
      [{ code_challenge_method: '' }, 'invalid_request'],
      [{ response_mode: 'fragment' }, 'invalid_request'],
      [{ prompt: 'none' }, 'interaction_required'],
    ];
    for (const [more, error] of refusals) {
      const { request: wrong, state: own } = await asking(config, more);
      for (const path of ['authorization', 'authorization/allow', 'authorization/deny']) {
        const { body } = await ada.post(`/api/account/${path}`, { request: wrong, scopes: ['tasks:read'] });
        const back = new URL(body.redirectTo);
        expect(back.origin + back.pathname).toBe(REDIRECT);
        expect([back.searchParams.get('error'), back.searchParams.get('state')]).toEqual([error, own]);
        expect(back.searchParams.has('code')).toBe(false);
      }
    }
  });

  it('takes of all that a resource lists what the application may have', async () => {
    const app = await register();
    const config = await discover(app);
    const about = await fetch(`${server.origin}/.well-known/oauth-protected-resource/mcp`);
    const { resource, scopes_supported } = (await about.json()) as { resource: string; scopes_supported: string[] };
    expect(scopes_supported).toContain('projects:read');
    expect(scopes_supported).not.toContain('admin:*');
    const scope = scopes_supported.join(' ');
    const { request } = await asking(config, { scope, resource });
    const { body } = await ada.post('/api/account/authorization', { request });
    const asked = body.scopes.map((one: { name: string }) => one.name).sort();
    expect(asked).toEqual(['tasks:read', 'tasks:write']);
    for (const wrong of [{ scope }, { scope: 'users:read', resource }, { scope: 'tasks:read nothing', resource }]) {
      const { request: other } = await asking(config, wrong);
      const { redirectTo } = (await ada.post('/api/account/authorization', { request: other })).body;
      expect(new URL(redirectTo).searchParams.get('error')).toBe('invalid_scope');
    }
  });

  it('sends nobody to an address that is not registered, nor to one of an application that is unknown', async () => {
    const app = await register();
    const config = await discover(app);
    for (const uri of [
      'https://evil.example/callback',
      `${REDIRECT}/more`,
      `${REDIRECT}?x=1`,
      'https://planner.example:444/callback',
      'http://planner.example/callback',
      'javascript:alert(1)',
      '//planner.example/callback',
    ]) {
      const { request } = await asking(config, { redirect_uri: uri });
      for (const path of ['authorization', 'authorization/allow', 'authorization/deny']) {
        const { status, body } = await ada.post(`/api/account/${path}`, { request, scopes: ['tasks:read'] });
        expect([status, body.redirectTo, body.error.code], uri).toEqual([400, undefined, 'BAD_USER_INPUT']);
      }
    }
    const twice = `${(await asking(config)).request}&redirect_uri=https%3A%2F%2Fevil.example`;
    expect((await allow(ada, twice)).status).toBe(400);
    const unknown = (await asking(config)).request.replace(app.id, 'app_unknown');
    expect((await ada.post('/api/account/authorization', { request: unknown })).status).toBe(404);
    for (const request of ['', 'x'.repeat(5000), 7, null, 'client_id=', 'client_id=%00', 'client_id=app_%00']) {
      const { status } = await ada.post('/api/account/authorization', { request });
      expect([400, 404], String(request)).toContain(status);
    }
  });

  it('takes redirect URIs that are safe, and scopes that do not outlast the access', async () => {
    const input = { name: 'X', redirectUris: [REDIRECT], scopes: ['tasks:read'] };
    for (const uri of [
      'http://planner.example/cb',
      'javascript:alert(1)',
      'data:text/html,x',
      'planner:/cb',
      'https://user:pw@planner.example/',
      'https://planner.example/#x',
      'https://planner.example\\@evil.example/',
      'https://planner.example/ x',
      '/callback',
      '',
    ]) {
      const answer = await ada.gql(REGISTER, { input: { ...input, redirectUris: [uri] } });
      expect(Object.keys((answer.errors?.[0]?.extensions['fields'] as object) ?? {}), uri).toEqual(['redirectUris']);
    }
    for (const uri of ['com.example.planner:/cb', 'http://localhost:8080/cb', 'http://[::1]/cb']) {
      expect((await ada.gql(REGISTER, { input: { ...input, redirectUris: [uri] } })).errors, uri).toBeUndefined();
    }
    for (const scope of [
      'admin:*',
      'keys:write',
      'keys:*',
      'keys:delete',
      'users:write',
      'users:*',
      'webhooks:write',
      'x',
    ]) {
      const answer = await ada.gql(REGISTER, { input: { ...input, scopes: [scope] } });
      expect(Object.keys((answer.errors?.[0]?.extensions['fields'] as object) ?? {}), scope).toEqual(['scopes']);
    }
    for (const wrong of [{ name: ' ' }, { name: 'x'.repeat(81) }, { redirectUris: [] }, { scopes: [] }]) {
      expect(codes(await ada.gql(REGISTER, { input: { ...input, ...wrong } })), JSON.stringify(wrong)).toEqual([
        'BAD_USER_INPUT',
      ]);
    }
  });
});

describe('a program that registers an application', () => {
  it('does so with the key of an administrator where the operator has it, and nowhere else', async () => {
    const path = '/api/auth/oauth2/register';
    expect((await ada.post(path, {}, { authorization: `Bearer ${server.adminKey}` })).status).toBe(404);
    expect((await discover(await register())).serverMetadata().registration_endpoint).toBeUndefined();
    const open = await startTestServer({ OAUTH_REGISTRATION: 'key' });
    try {
      const metadata = { client_name: 'Agent', redirect_uris: ['http://127.0.0.1/cb'], scope: 'tasks:read' };
      const config = await client.dynamicClientRegistration(
        new URL(open.origin),
        { ...metadata, token_endpoint_auth_method: 'none' },
        client.None(),
        { execute: [client.allowInsecureRequests], algorithm: 'oauth2', initialAccessToken: open.adminKey },
      );
      const { client_id: id } = config.clientMetadata();
      expect(await open.system.oauthApp.findUniqueOrThrow({ where: { id } })).toMatchObject({
        ...{ name: 'Agent', scopes: 'tasks:read', secretHash: null, environment: 'LIVE' },
      });
      const ask = async (body: unknown, key?: string) => {
        const headers = { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) };
        const text = typeof body === 'string' ? body : JSON.stringify(body);
        const response = await fetch(open.origin + path, { method: 'POST', headers, body: text });
        return { status: response.status, body: (await response.json()) as Record<string, string> };
      };
      expect((await ask(metadata)).status).toBe(401);
      expect((await ask(metadata, await open.key(['keys:write', 'tasks:read']))).status).toBe(403);
      const locked = await open.gql(
        'mutation { createApiKey(input: { name: "Locked", scopes: ["admin:*"], operations: { documents: ["mutation D($id: ID!) { deleteOauthApp(input: { id: $id }) { id } }"], lock: true } }) { key } }',
      );
      expect((await ask(metadata, locked.data.createApiKey.key)).status).toBe(403);
      const made = await ask(metadata, open.adminKey);
      expect([made.status, made.body['client_secret']]).toEqual([201, expect.stringMatching(/^cs_live_/)]);
      const wrong: [unknown, string][] = [
        [{ ...metadata, redirect_uris: ['http://evil.example/'] }, 'invalid_redirect_uri'],
        [{ ...metadata, redirect_uris: 'x' }, 'invalid_redirect_uri'],
        [{ ...metadata, scope: 'admin:*' }, 'invalid_client_metadata'],
        [{ ...metadata, client_name: 'a\u0000b' }, 'invalid_client_metadata'],
        [{ ...metadata, client_name: '' }, 'invalid_client_metadata'],
        [{ ...metadata, grant_types: ['password'] }, 'invalid_client_metadata'],
        ['{', 'invalid_client_metadata'],
        [[], 'invalid_client_metadata'],
      ];
      for (const [body, error] of wrong) {
        const answer = await ask(body, open.adminKey);
        expect([answer.status, answer.body['error']], JSON.stringify(body)).toEqual([400, error]);
      }
    } finally {
      await open.stop();
    }
  });
});

describe('who may', () => {
  it('a session allows, and no key; a page of this server asks, and no other', async () => {
    const app = await register();
    const { request } = await asking(await discover(app));
    const stranger = visitor(server);
    for (const path of ['authorization', 'authorization/allow', 'authorization/deny', 'apps/end']) {
      const body = { request, scopes: ['tasks:read'], id: 'key_x' };
      const key = { authorization: `Bearer ${server.adminKey}` };
      expect((await stranger.post(`/api/account/${path}`, body, key)).status, path).toBe(401);
      for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }]) {
        expect((await ada.post(`/api/account/${path}`, body, headers as never)).status, path).toBe(403);
      }
      expect((await ada.send('GET', `/api/account/${path}`)).status, path).toBe(405);
    }
    expect((await stranger.send('GET', '/api/account/apps')).status).toBe(401);
    const page = await stranger.send('GET', `/oauth/authorize?${request}`);
    expect(page.headers.get('content-security-policy')).toMatch(/frame-ancestors 'none'/);
  });

  it('an administrator registers; somebody of another workspace learns nothing of it', async () => {
    const app = await register();
    const manager = await member('MANAGER');
    expect(
      codes(await manager.gql(REGISTER, { input: { name: 'X', redirectUris: [REDIRECT], scopes: ['tasks:read'] } })),
    ).toEqual(['FORBIDDEN']);
    expect((await manager.gql('{ oauthApps { nodes { id } } }')).data.oauthApps.nodes.length).toBeGreaterThan(0);
    const other = await createWorkspace(server);
    const { request } = await asking(await discover(app));
    const person = await server.system.person.findFirstOrThrow({ where: { email: 'ada@example.com' } });
    const outsider = visitor(server);
    const invited = await server.gql(INVITE, { email: 'out@example.com', role: 'ADMIN' }, other.live.key);
    await outsider.signUp('out@example.com', { invitation: invited.data.inviteUser.token });
    expect(person).toBeDefined();
    expect((await outsider.post('/api/account/authorization', { request })).status).toBe(404);
    expect((await allow(outsider, request)).status).toBe(404);
  });

  it('what acts in the sandbox as a member has the role that the member has in live, and ends with the member', async () => {
    const app = await register({}, 'test');
    const someone = await member('VIEWER');
    await someone.gql('{ viewer { userId } }', {}, { environment: 'test' });
    const { userId } = (await someone.gql('{ viewer { userId } }')).data.viewer;
    const role = (next: string) =>
      ada.gql(`mutation { updateUser(input: { id: "${userId}", role: ${next} }) { user { id } } }`);
    await role('MEMBER');
    const { tokens, config } = await grant(app, someone);
    expect(tokens.scope).toBe('tasks:read tasks:write');
    expect((await server.gql(CREATE, {}, tokens.access_token)).errors).toBeUndefined();
    await role('VIEWER');
    expect(codes(await server.gql(CREATE, {}, tokens.access_token))).toEqual(['FORBIDDEN']);
    const next = await client.refreshTokenGrant(config, tokens.refresh_token as string);
    expect(next.scope).toBe('tasks:read');
    await ada.gql(`mutation { deleteUser(input: { id: "${userId}" }) { deletedUserId } }`);
    expect(codes(await server.gql('{ viewer { userId } }', {}, next.access_token))).toEqual(['UNAUTHENTICATED']);
    expect(await failing(client.refreshTokenGrant(config, next.refresh_token as string))).toBe('invalid_grant');
  });

  it('a key that acts as somebody in the sandbox is not taken over by a member of the same email', async () => {
    const email = `namesake-${Math.random().toString(36).slice(2)}@example.com`;
    const own = (await server.createKey(['admin:*'], 'TEST')).key;
    const made = await server.gql(
      `mutation { createUser(input: { name: "N", email: "${email}", role: MEMBER }) { user { id } } }`,
      {},
      own,
    );
    const actsAs = made.data.createUser.user.id;
    const key = await server.gql(
      `mutation { createApiKey(input: { name: "CI", scopes: ["tasks:*"], environment: TEST, actsAs: "${actsAs}" }) { key } }`,
      {},
      own,
    );
    const invited = await ada.gql(INVITE, { email, role: 'VIEWER' });
    const person = visitor(server);
    await person.signUp(email, { invitation: invited.data.inviteUser.token });
    const { viewer } = (await person.gql('{ viewer { userId scopes } }', {}, { environment: 'test' })).data;
    expect(viewer.userId).not.toBe(actsAs);
    expect((await server.gql(CREATE, {}, key.data.createApiKey.key)).errors).toBeUndefined();
    // What they are in the sandbox is what they are in live, and is changed there.
    const { userId } = (await person.gql('{ viewer { userId } }')).data.viewer;
    await ada.gql(`mutation { updateUser(input: { id: "${userId}", role: MANAGER }) { user { id } } }`);
    const shown = await server.gql(`{ user(id: "${viewer.userId}") { role } }`, {}, own);
    expect(shown.data.user.role).toBe('MANAGER');
    const raise = `mutation { updateUser(input: { id: "${viewer.userId}", role: OWNER }) { user { id } } }`;
    expect(codes(await server.gql(raise, {}, own))).toEqual(['BAD_USER_INPUT']);
  });

  it('keys that a member made in the sandbox end with them where that is asked for', async () => {
    const someone = await member('ADMIN');
    const create = (environment: string) =>
      `mutation { createApiKey(input: { name: "Made", scopes: ["admin:*"], environment: ${environment} }) { key } }`;
    const keys = [
      await someone.gql(create('LIVE')),
      await someone.gql(create('TEST')),
      await someone.gql(create('TEST'), {}, { environment: 'test' }),
    ].map(({ data }) => data.createApiKey.key as string);
    // Made from live by somebody who has never been in the sandbox.
    const stranger = await member('ADMIN');
    const other = (await stranger.gql(create('TEST'))).data.createApiKey.key;
    const { userId: strangerId } = (await stranger.gql('{ viewer { userId } }')).data.viewer;
    await ada.gql(`mutation { deleteUser(input: { id: "${strangerId}", revokeKeys: true }) { deletedUserId } }`);
    expect(codes(await server.gql('{ viewer { userId } }', {}, other))).toEqual(['UNAUTHENTICATED']);
    const { userId } = (await someone.gql('{ viewer { userId } }')).data.viewer;
    await ada.gql(`mutation { deleteUser(input: { id: "${userId}", revokeKeys: true }) { deletedUserId } }`);
    for (const key of keys)
      expect(codes(await server.gql('{ viewer { userId } }', {}, key))).toEqual(['UNAUTHENTICATED']);
  });

  it('a consent that nobody came back from stands in the way of nothing, and is gone after a while', async () => {
    const app = await register();
    const { request } = await asking(await discover(app));
    await allow(ada, request);
    const [row] = await server.system.apiKey.findMany({ where: { appId: app.id } });
    const past = new Date(Date.now() - 2 * DAY);
    await server.system.apiKey.update({ where: { id: row?.id ?? '' }, data: { expiresAt: past } });
    await server.system.oauthCode.updateMany({ where: { keyId: row?.id ?? '' }, data: { expiresAt: past } });
    const narrowed = await ada.gql(
      `mutation { updateOauthApp(input: { id: "${app.id}", scopes: ["tasks:read"] }) { oauthApp { scopes } } }`,
    );
    expect(narrowed.errors).toBeUndefined();
    await cleanUp(server.system, new AbortController().signal);
    expect(await server.system.apiKey.count({ where: { appId: app.id } })).toBe(0);
    const { data } = await ada.gql(`mutation { deleteOauthApp(input: { id: "${app.id}" }) { ended } }`);
    expect(data.deleteOauthApp.ended).toBe(0);
  });

  it('nothing is allowed to an application as it was before it was changed', async () => {
    const app = await register({ redirectUris: [REDIRECT, 'https://planner.example/old'] });
    const { request } = await asking(await discover(app), { redirect_uri: 'https://planner.example/old' });
    const row = await server.system.oauthApp.findUniqueOrThrow({ where: { id: app.id } });
    const parameters = parametersOf(request) ?? new Map();
    const lists = { redirectUris: row.redirectUris.split(' '), scopes: row.scopes.split(' ') };
    const checked = checkAuthorizationRequest(parameters, lists);
    if (checked.kind !== 'asked') throw new Error(checked.kind);
    const { userId, apiKey } = (await ada.gql('{ viewer { userId apiKey { id } } }')).data.viewer;
    const { workspaceId, environment } = row;
    const from = { ip: null, userAgent: null, requestId: null };
    const actor = { workspaceId, environment, keyId: apiKey.id, userId, ...from };
    const choose = (scopes: string[]) =>
      server.services.consents.allow(actor, { keyId: apiKey.id }, row, checked.asked, { scopes, projects: null });
    expect(await choose(['tasks:read'])).toMatch(/^ac_live_/);
    await ada.gql(
      `mutation { updateOauthApp(input: { id: "${app.id}", scopes: ["tasks:read"] }) { oauthApp { id } } }`,
    );
    await expect(choose(['tasks:read', 'tasks:write'])).rejects.toMatchObject({ code: 'CONFLICT' });
    const uris = `["${REDIRECT}"]`;
    await ada.gql(`mutation { updateOauthApp(input: { id: "${app.id}", redirectUris: ${uris} }) { oauthApp { id } } }`);
    await expect(choose(['tasks:read'])).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('undoing a tightening gives back nothing that the application may not have any more', async () => {
    const app = await register();
    const { tokens } = await grant(app, ada);
    const id = await keyBehind(tokens.access_token);
    for (let at = 0; at < 130; at += 1) await server.gql('{ tasks(first: 1) { totalCount } }', {}, tokens.access_token);
    await server.flushUsage();
    const tighten = await ada.gql(`mutation { tightenApiKey(input: { id: "${id}", days: 1 }) { after { scopes } } }`);
    expect(tighten.data?.tightenApiKey.after.scopes, JSON.stringify(tighten)).toEqual(['tasks:read']);
    await ada.gql(
      `mutation { updateOauthApp(input: { id: "${app.id}", scopes: ["tasks:read"] }) { oauthApp { id } } }`,
    );
    expect(codes(await ada.gql(`mutation { loosenApiKey(input: { id: "${id}" }) { after { scopes } } }`))).toEqual([
      'FORBIDDEN',
    ]);
  });

  it('a user sees and ends their own alone', async () => {
    const app = await register();
    const [one, two] = [await member('MEMBER'), await member('MEMBER')];
    const { tokens, config } = await grant(app, one);
    const shown = (await one.send('GET', '/api/account/apps')).body.apps;
    expect(shown).toMatchObject([{ name: 'Planner', scopes: ['tasks:read', 'tasks:write'], environment: 'LIVE' }]);
    expect((await two.send('GET', '/api/account/apps')).body.apps).toEqual([]);
    expect((await two.post('/api/account/apps/end', { id: shown[0].id })).status).toBe(404);
    const ordinary = (await ada.gql('mutation { createApiKey(input: { name: "K", scopes: [] }) { apiKey { id } } }'))
      .data;
    expect((await ada.post('/api/account/apps/end', { id: ordinary.createApiKey.apiKey.id })).status).toBe(404);
    expect((await server.gql(CREATE, {}, tokens.access_token)).errors).toBeUndefined();
    expect((await one.post('/api/account/apps/end', { id: shown[0].id })).status).toBe(200);
    expect(codes(await server.gql(CREATE, {}, tokens.access_token))).toEqual(['UNAUTHENTICATED']);
    expect(await failing(client.refreshTokenGrant(config, tokens.refresh_token as string))).toBe('invalid_grant');
    expect((await one.send('GET', '/api/account/apps')).body.apps).toEqual([]);
    const entries = await server.system.auditEvent.findMany({
      where: { targetId: shown[0].id },
      orderBy: { id: 'asc' },
    });
    expect(entries.slice(0, 3).map(({ action }) => action)).toEqual([
      ...['api_key.authorize', 'api_key.token', 'api_key.revoke'],
    ]);
    expect(JSON.stringify(entries)).not.toMatch(/(?:ac|rt|at|cs)_live_[0-9A-Za-z]{10}/);
  });

  it('an administrator narrows and ends it as any key, and nobody widens or rotates it', async () => {
    const app = await register();
    const { tokens } = await grant(app, ada, { scopes: ['tasks:read'] });
    const id = await keyBehind(tokens.access_token);
    const change = (input: string) =>
      ada.gql(`mutation { updateApiKey(input: { id: "${id}", ${input} }) { apiKey { id } } }`);
    expect(codes(await change('scopes: ["tasks:read", "tasks:write"]'))).toEqual(['FORBIDDEN']);
    expect(codes(await change('actsAs: null'))).toEqual(['FORBIDDEN']);
    expect(codes(await ada.gql(`mutation { rotateApiKey(input: { id: "${id}" }) { key } }`))).toEqual(['CONFLICT']);
    expect((await change('allowedIps: ["203.0.113.0/24"]')).errors).toBeUndefined();
    expect(codes(await server.gql('{ tasks { totalCount } }', {}, tokens.access_token))).toEqual(['UNAUTHENTICATED']);
    expect((await change('allowedIps: null')).errors).toBeUndefined();
    expect((await server.gql('{ tasks { totalCount } }', {}, tokens.access_token)).errors).toBeUndefined();
    const revoked = await ada.gql(`mutation { revokeApiKey(input: { id: "${id}" }) { apiKey { status } } }`);
    expect(revoked.data.revokeApiKey.apiKey.status).toBe('REVOKED');
  });

  it('what an application may not ask for any more, its access loses; one that is deleted has none', async () => {
    const app = await register();
    const { tokens, config } = await grant(app, ada);
    const update = await ada.gql(
      `mutation { updateOauthApp(input: { id: "${app.id}", scopes: ["tasks:read"] }) { oauthApp { scopes } } }`,
    );
    expect(update.data.updateOauthApp.oauthApp.scopes).toEqual(['tasks:read']);
    expect(codes(await server.gql(CREATE, {}, tokens.access_token))).toEqual(['FORBIDDEN']);
    expect((await server.gql('{ tasks { totalCount } }', {}, tokens.access_token)).errors).toBeUndefined();
    const rotated = await ada.gql(`mutation { rotateOauthAppSecret(input: { id: "${app.id}" }) { clientSecret } }`);
    expect(await failing(client.refreshTokenGrant(config, tokens.refresh_token as string))).toBe('invalid_client');
    const renewed = await discover({ ...app, secret: rotated.data.rotateOauthAppSecret.clientSecret });
    const next = await client.refreshTokenGrant(renewed, tokens.refresh_token as string);
    expect(next.scope).toBe('tasks:read');
    const deleted = await ada.gql(`mutation { deleteOauthApp(input: { id: "${app.id}" }) { id ended } }`);
    expect(deleted.data.deleteOauthApp).toEqual({ id: app.id, ended: 1 });
    expect(codes(await server.gql('{ tasks { totalCount } }', {}, next.access_token))).toEqual(['UNAUTHENTICATED']);
    expect(await failing(client.refreshTokenGrant(renewed, next.refresh_token as string))).toBe('invalid_client');
  });
});

describe('a token endpoint that others try', () => {
  const tokenOf = async (form: Record<string, string>) => {
    const response = await fetch(`${server.origin}/api/auth/oauth2/token`, {
      method: 'POST',
      body: new URLSearchParams(form),
    });
    return {
      status: response.status,
      body: (await response.json()) as Record<string, string>,
      headers: response.headers,
    };
  };
  /** A code, and what it is redeemed with. */
  async function code(app: App) {
    const verifier = randomBytes(32).toString('base64url');
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const { request } = await asking(await discover(app), { code_challenge: challenge });
    const back = new URL((await allow(ada, request)).body.redirectTo);
    return {
      ...{ grant_type: 'authorization_code', client_id: app.id, ...(app.secret && { client_secret: app.secret }) },
      ...{ code: back.searchParams.get('code') ?? '', code_verifier: verifier, redirect_uri: REDIRECT },
    };
  }

  it('redeems a code once; what comes twice ends all that it gave, and is told', async () => {
    const app = await register();
    const form = await code(app);
    const first = await tokenOf(form);
    expect(first.status).toBe(200);
    expect(first.headers.get('cache-control')).toBe('no-store');
    const id = await keyBehind(first.body['access_token'] as string);
    const second = await tokenOf(form);
    expect([second.status, second.body['error']]).toEqual([400, 'invalid_grant']);
    expect(codes(await server.gql(CREATE, {}, first.body['access_token'] as string))).toEqual(['UNAUTHENTICATED']);
    const alerts = await server.system.alert.findMany({ where: { keyId: id } });
    expect(alerts.map(({ kind }) => kind)).toContain('TOKEN_REUSED');
  });

  it('gives tokens for one of several redemptions at once, and for one of several refreshes', async () => {
    const app = await register({ isConfidential: false });
    const form = await code(app);
    const answers = await Promise.all(Array.from({ length: 6 }, () => tokenOf(form)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.every(({ status }) => status === 200 || status === 400)).toBe(true);
    const again = await tokenOf(await code(app));
    const refresh = {
      grant_type: 'refresh_token',
      client_id: app.id,
      refresh_token: again.body['refresh_token'] as string,
    };
    const refreshed = await Promise.all(Array.from({ length: 6 }, () => tokenOf(refresh)));
    expect(
      refreshed.filter(({ status }) => status === 200),
      JSON.stringify([again, refreshed]),
    ).toHaveLength(1);
    // Somebody has the copy: neither goes on.
    const won = refreshed.find(({ status }) => status === 200)?.body['access_token'] as string;
    expect(codes(await server.gql(CREATE, {}, won))).toEqual(['UNAUTHENTICATED']);
  });

  it('refuses what does not fit, and the code is good after it', async () => {
    const app = await register();
    const other = await register();
    const form = await code(app);
    const wrong: [object, string][] = [
      [{ code_verifier: randomBytes(32).toString('base64url') }, 'invalid_grant'],
      [{ code_verifier: '' }, 'invalid_request'],
      [{ code: '' }, 'invalid_request'],
      [{ code: 'ac_live_x' }, 'invalid_grant'],
      [{ redirect_uri: 'https://evil.example/' }, 'invalid_grant'],
      [{ client_id: other.id }, 'invalid_client'],
      [{ client_id: other.id, client_secret: other.secret }, 'invalid_grant'],
      [{ client_secret: '' }, 'invalid_client'],
      [{ client_secret: 'cs_live_x' }, 'invalid_client'],
      [{ client_id: 'app_x' }, 'invalid_client'],
      [{ client_id: '\0' }, 'invalid_client'],
      [{ grant_type: 'password' }, 'unsupported_grant_type'],
      [{ grant_type: 'refresh_token', refresh_token: form.code }, 'invalid_grant'],
    ];
    for (const [more, error] of wrong) {
      const { status, body } = await tokenOf({ ...form, ...more });
      expect([status >= 400 && status < 402, body['error']], JSON.stringify(more)).toEqual([true, error]);
    }
    expect((await tokenOf(form)).status).toBe(200);
  });

  it('refuses scopes that there are not, and leaves out those that the role has not any more', async () => {
    const app = await register();
    const someone = await member('MEMBER');
    const { tokens } = await grant(app, someone);
    const refresh = { grant_type: 'refresh_token', client_id: app.id, client_secret: app.secret ?? '' };
    const first = { ...refresh, refresh_token: tokens.refresh_token as string };
    for (const scope of ['nonsense', 'nonsense\0', 'tasks:read nonsense', 'tasks:delete', 'admin:*']) {
      const { status, body } = await tokenOf({ ...first, scope });
      expect([status, body['error']], scope).toEqual([400, 'invalid_scope']);
    }
    const { userId } = (await someone.gql('{ viewer { userId } }')).data.viewer;
    await ada.gql(`mutation { updateUser(input: { id: "${userId}", role: VIEWER }) { user { id } } }`);
    const { status, body } = await tokenOf({ ...first, scope: 'tasks:read tasks:write' });
    expect([status, body['scope']]).toEqual([200, 'tasks:read']);
  });

  it('gives no tokens where the access may not be used from', async () => {
    const app = await register();
    const { tokens } = await grant(app, ada);
    const id = await keyBehind(tokens.access_token);
    const change = (ips: string) =>
      ada.gql(`mutation { updateApiKey(input: { id: "${id}", allowedIps: ${ips} }) { apiKey { id } } }`);
    await change('["203.0.113.0/24"]');
    const refresh = { grant_type: 'refresh_token', client_id: app.id, client_secret: app.secret ?? '' };
    const form = { ...refresh, refresh_token: tokens.refresh_token as string };
    expect((await tokenOf(form)).body['error']).toBe('invalid_grant');
    await change('null');
    expect((await tokenOf(form)).status).toBe(200);
  });

  it('ends what is reported as leaked: with a refresh token its access; of a secret the workspace is told', async () => {
    const app = await register();
    const { tokens } = await grant(app, ada);
    const id = await keyBehind(tokens.access_token);
    const report = await fetch(`${server.origin}/credentials/revoke`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ credentials: [tokens.refresh_token, app.secret] }),
    });
    expect(report.status).toBe(202);
    expect(codes(await server.gql(CREATE, {}, tokens.access_token))).toEqual(['UNAUTHENTICATED']);
    const alerts = await server.system.alert.findMany({ where: { kind: 'KEY_LEAKED' } });
    expect(alerts.some(({ keyId }) => keyId === id)).toBe(true);
    expect(alerts.some(({ keyId, message }) => keyId === null && message.includes(app.id))).toBe(true);
  });

  it('revokes once: what has ended already costs nobody anything', async () => {
    const app = await register({ isConfidential: false });
    const { tokens } = await grant(app, ada);
    const revoke = (token: string) =>
      fetch(`${server.origin}/api/auth/oauth2/revoke`, {
        method: 'POST',
        body: new URLSearchParams({ client_id: app.id, token }),
      });
    const changes = async () =>
      (await server.system.changeCounter.findFirstOrThrow({ where: { name: 'api_keys' } })).value;
    const first = await revoke(tokens.refresh_token as string);
    expect([first.status, first.headers.get('x-ratelimit-remaining')]).toEqual([200, expect.any(String)]);
    const before = await changes();
    for (let at = 0; at < 3; at += 1) expect((await revoke(tokens.refresh_token as string)).status).toBe(200);
    expect(await changes()).toBe(before);
    expect((await revoke('rt_live_x')).status).toBe(200);
  });

  it('takes one client, by a verifier that is long enough', async () => {
    const [app, other] = [await register(), await register()];
    const form = await code(app);
    const basic = `Basic ${Buffer.from(`${other.id}:${other.secret}`).toString('base64')}`;
    const { client_secret: _secret, ...rest } = form as Record<string, string>;
    const two = await fetch(`${server.origin}/api/auth/oauth2/token`, {
      method: 'POST',
      headers: { authorization: basic },
      body: new URLSearchParams(rest),
    });
    expect(await two.json()).toMatchObject({ error: 'invalid_request' });
    expect((await tokenOf({ ...form, code_verifier: 'short' })).body['error']).toBe('invalid_request');
    for (const name of ['\u202egpj.exe', 'A\nB', 'A\u0007']) {
      const input = { name, redirectUris: [REDIRECT], scopes: ['tasks:read'] };
      expect(codes(await ada.gql(REGISTER, { input })), JSON.stringify(name)).toEqual(['BAD_USER_INPUT']);
    }
  });

  it('counts guesses of codes and secrets as failed authentications', async () => {
    const strict = await startTestServer({ AUTH_FAILURE_LIMIT: '3' });
    try {
      const ask = () =>
        fetch(`${strict.origin}/api/auth/oauth2/token`, {
          method: 'POST',
          body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'rt_live_x', client_id: 'app_x' }),
        });
      for (let at = 0; at < 3; at += 1) expect((await ask()).status).toBe(401);
      const limited = await ask();
      expect([limited.status, limited.headers.get('retry-after') !== null]).toEqual([429, true]);
    } finally {
      await strict.stop();
    }
  });

  it('charges the access for each token', async () => {
    const app = await register();
    const form = await code(app);
    const first = await tokenOf(form);
    const left = Number(first.headers.get('x-ratelimit-remaining'));
    const refresh = { grant_type: 'refresh_token', client_id: app.id, client_secret: app.secret ?? '' };
    const second = await tokenOf({ ...refresh, refresh_token: first.body['refresh_token'] as string });
    expect(Number(second.headers.get('x-ratelimit-remaining'))).toBe(left - 1);
  });

  // The last, for the clock goes forward alone.
  it('ends codes after a minute, and access that is not used after 90 days', async () => {
    const app = await register();
    const form = await code(app);
    server.clock.advance(61_000);
    expect((await tokenOf(form)).body['error']).toBe('invalid_grant');
    const { body } = await tokenOf(await code(app));
    const id = await keyBehind(body['access_token'] as string);
    const refresh = { grant_type: 'refresh_token', client_id: app.id, client_secret: app.secret ?? '' };
    server.clock.advance(89 * DAY);
    const next = await tokenOf({ ...refresh, refresh_token: body['refresh_token'] as string });
    expect(next.status).toBe(200);
    server.clock.advance(91 * DAY);
    expect((await tokenOf({ ...refresh, refresh_token: next.body['refresh_token'] as string })).status).toBe(400);
    await new ExpiryJob(server.system, server.services.keys, () => {}, server.clock).run();
    expect((await server.system.apiKey.findUniqueOrThrow({ where: { id } })).revokedReason).toMatch(/90 days/);
    await cleanUp(server.system, new AbortController().signal, server.clock());
    expect(await server.system.oauthRefreshToken.count({ where: { keyId: id } })).toBe(0);
  });
});
