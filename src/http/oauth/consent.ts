/**
 * What the page of /oauth/authorize works with: a person who is signed in sees what an application asks for, and allows it or not;
 * and what they allowed so far, which they can take back.
 */
import type { Context, Hono, MiddlewareHandler } from 'hono';
import { z } from 'zod';
import type { Memberships } from '../../accounts/memberships.js';
import type { SignIn } from '../../accounts/signIn.js';
import { type Asked, checkAuthorizationRequest, isAppId, parametersOf } from '../../apps/authorizationRequest.js';
import { offered } from '../../apps/consent.js';
import { withAnswer } from '../../apps/redirectUri.js';
import type { Authenticator } from '../../auth/authenticator.js';
import { callerOf } from '../../auth/principal.js';
import type { Config } from '../../config.js';
import { ApiError, badInput, notFound, rateLimited } from '../../errors.js';
import type { Services } from '../../graphql/context.js';
import { check } from '../../input.js';
import { listOf } from '../../keys/authority.js';
import { SCOPES, scopeSet } from '../../scopes/scope.js';
import { accountRoutes, bodyOf } from '../accountRoute.js';
import type { HttpEnvironment, KeyedContext } from '../environment.js';
import { originOf } from '../origin.js';

/** Of one person. */
const MOST_SHOWN = 200;

const request = z.string('is required').min(1, 'is required').max(4000, 'must have at most 4000 characters');
const ids = z.array(z.string()).max(50, 'must have at most 50 entries');
const askBody = z.object({ request });
const allowBody = z.object({ request, scopes: ids, projects: ids.nullish() });
const endBody = z.object({ id: z.string('is required').max(100, 'is too long') });

interface ConsentOptions {
  readonly config: Config;
  readonly services: Services;
  readonly authenticator: Authenticator;
  readonly signIn: SignIn;
  readonly memberships: Memberships;
  readonly limitBody: MiddlewareHandler;
  readonly urlOf: (c: Context) => URL;
}

export function mountConsent(
  app: Hono<HttpEnvironment>,
  { config, services, authenticator, signIn, memberships, limitBody, urlOf }: ConsentOptions,
): void {
  const { system } = services.database;
  const { get, post, personOf } = accountRoutes(app, { signIn, trustProxy: config.trustProxy, limitBody });

  post('/api/account/authorization', async (c) => {
    const { client, role, workspace, outcome } = await read(c, check(askBody, await bodyOf(c)).request);
    if ('redirectTo' in outcome) return c.json(outcome);
    const { asked } = outcome;
    const held = new Set(offered(asked.scopes, role).flatMap((scope) => [...scopeSet([scope])]));
    const scopes = [...scopeSet(asked.scopes)].map((name) => {
      return { name, description: SCOPES[name], isHeld: held.has(name) };
    });
    const { name, description, environment } = client;
    return c.json({
      app: { name, description },
      workspace,
      environment,
      scopes,
      redirectUri: asked.redirectUri,
    });
  });

  post('/api/account/authorization/allow', async (c) => {
    const body = check(allowBody, await bodyOf(c));
    const { session, client, outcome } = await read(c, body.request);
    if ('redirectTo' in outcome) return c.json(outcome);
    const { asked } = outcome;
    const { workspaceId, environment } = client;
    const origin = originOf(c);
    const signedIn = { token: session.token, workspaceId, environment };
    const proof = await authenticator.authenticateMember(signedIn, origin.ip);
    if (!proof.ok) throw notFoundApp();
    const { principal } = proof;
    c.set('principal', principal);
    const { allowed, retryAfter } = await services.keyLimits.consume(principal, 1);
    if (!allowed) throw rateLimited(`Rate limit exceeded. Try again in ${retryAfter} seconds.`, retryAfter);
    const { keyId, userId } = principal;
    const actor = { workspaceId, environment, keyId, userId, ...origin };
    const choice = { scopes: body.scopes, projects: body.projects ?? null };
    // By single scopes, as they are shown.
    const singly = { ...asked, scopes: [...scopeSet(asked.scopes)] };
    const code = await services.consents.allow(actor, callerOf(principal), client, singly, choice);
    return c.json({ redirectTo: answer(c, asked, { code }) });
  });

  post('/api/account/authorization/deny', async (c) => {
    const { outcome } = await read(c, check(askBody, await bodyOf(c)).request);
    if ('redirectTo' in outcome) return c.json(outcome);
    const error = { error: 'access_denied', error_description: 'The user did not allow it.' };
    return c.json({ redirectTo: answer(c, outcome.asked, error) });
  });

  get('/api/account/apps', async (c) => {
    const { person } = await personOf(c);
    const rows = await system.apiKey.findMany({
      where: {
        ...(await ofPerson(person.id)),
        revokedAt: null,
        OR: [{ expiresAt: null }, { expiresAt: { gt: services.clock() } }],
      },
      include: { app: { select: { name: true } }, lastUse: { select: { at: true } } },
      orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
      take: MOST_SHOWN,
    });
    const workspaces = await memberships.of(person.id);
    return c.json({
      apps: rows.map(({ id, name, app: client, workspaceId, environment, scopes, createdAt, lastUse }) => ({
        ...{ id, name: client?.name ?? name, environment, createdAt, lastUsedAt: lastUse?.at ?? null },
        scopes: listOf(scopes),
        workspace: workspaces.find(({ workspace }) => workspace.id === workspaceId)?.workspace.name ?? '',
      })),
    });
  });

  post('/api/account/apps/end', async (c) => {
    const { person } = await personOf(c);
    const { id } = check(endBody, await bodyOf(c));
    const row = await system.apiKey.findFirst({ where: { id, ...(await ofPerson(person.id)) } });
    if (!row?.actsAsId) throw notFound('application', id);
    const { workspaceId, environment, actsAsId: userId } = row;
    await services.consents.end({ workspaceId, environment, keyId: null, userId, ...originOf(c) }, row);
    return c.json({ ended: id });
  });

  /** What applications hold of the person, whoever of theirs they act as. */
  async function ofPerson(personId: string) {
    const users = await system.user.findMany({ where: { personId }, select: { id: true } });
    return { appId: { not: null }, actsAsId: { in: users.map(({ id }) => id) } };
  }

  /**
   * What is asked, by an application of a workspace of the person's. Of others they learn nothing.
   * @throws NOT_FOUND; BAD_USER_INPUT for what nobody is sent back with
   */
  async function read(c: KeyedContext, query: string) {
    const session = await personOf(c);
    const parameters = parametersOf(query);
    if (!parameters) throw badInput({ request: ['has a parameter twice'] });
    const id = parameters.get('client_id') ?? '';
    const client = isAppId(id) ? await system.oauthApp.findUnique({ where: { id } }) : null;
    const membership = (await memberships.of(session.person.id)).find(
      ({ workspace }) => workspace.id === client?.workspaceId,
    );
    if (!client || !membership) throw notFoundApp();
    const lists = { redirectUris: listOf(client.redirectUris), scopes: listOf(client.scopes) };
    const checked = checkAuthorizationRequest(parameters, lists);
    if (checked.kind === 'refused') throw new ApiError('BAD_USER_INPUT', checked.problem);
    const outcome: { readonly asked: Asked } | { readonly redirectTo: string } =
      checked.kind === 'asked'
        ? { asked: checked.asked }
        : { redirectTo: answer(c, checked, { error: checked.error, error_description: checked.description }) };
    const { workspace, role } = membership;
    return { session, client, role, workspace, outcome };
  }

  /** Where the browser goes with it; who answers stands there too (RFC 9207). */
  function answer(
    c: KeyedContext,
    { redirectUri, state }: Pick<Asked, 'redirectUri' | 'state'>,
    parameters: Readonly<Record<string, string>>,
  ): string {
    return withAnswer(redirectUri, { ...parameters, state, iss: urlOf(c as unknown as Context).origin });
  }
}

const notFoundApp = () =>
  new ApiError(
    'NOT_FOUND',
    'No workspace of yours has such an application. Sign in as somebody whose workspace has it.',
  );
