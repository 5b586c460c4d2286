/**
 * POST /api/auth/oauth2/token: tokens for a key (RFC 6749 4.4: its id is the client, the key the secret), and for an application
 * that a user lets act as them (4.1.3 with RFC 7636, and 6). POST /api/auth/oauth2/revoke ends what an application holds (RFC 7009).
 */
import type { Logger } from 'pino';
import type { OauthApp } from '#prisma/client.js';
import { issueToken } from '../../auth/accessTokens.js';
import { type AppTokenSet, AppTokens, GrantRefused } from '../../auth/appTokens.js';
import type { Authenticator } from '../../auth/authenticator.js';
import type { Principal } from '../../auth/principal.js';
import type { Config } from '../../config.js';
import { ApiError } from '../../errors.js';
import type { Services } from '../../graphql/context.js';
import { parseKey } from '../../keys/format.js';
import { limitHeaders } from '../../limits/keyLimits.js';
import type { KeyedContext } from '../environment.js';
import { failedAuthentication } from '../failedAuthentication.js';
import { type Origin, originOf } from '../origin.js';
import { type Client, formEndpoint, invalidClient, OAuthFailure, slowDown } from './form.js';

interface TokenOptions {
  readonly config: Pick<Config, 'plans'>;
  readonly services: Services;
  readonly authenticator: Authenticator;
  readonly logger: Logger;
}

export function tokenEndpoints({ config, services, authenticator, logger }: TokenOptions) {
  const failed = failedAuthentication(services, logger);
  const { database, keys, keyLimits, units, clock } = services;
  const tokens = new AppTokens(database.system, keys, config.plans, clock);

  return {
    token: formEndpoint(async (c, form, client) => {
      const grant = form.get('grant_type');
      switch (grant) {
        case null:
          throw new OAuthFailure('invalid_request', 'grant_type is missing.');
        case 'client_credentials':
          return ofKey(c, client, scopesIn(form));
        case 'authorization_code': {
          const [code, verifier] = [needed(form, 'code'), needed(form, 'code_verifier')];
          if (!/^[A-Za-z0-9._~-]{43,128}$/.test(verifier)) {
            throw new OAuthFailure(
              'invalid_request',
              'code_verifier has 43 to 128 letters, digits and -._~ (RFC 7636).',
            );
          }
          const redirectUri = form.get('redirect_uri');
          return ofApp(c, client, (app, origin, admit) =>
            tokens.redeem(origin, app, { code, redirectUri, verifier }, admit),
          );
        }
        case 'refresh_token': {
          const token = needed(form, 'refresh_token');
          return ofApp(c, client, (app, origin, admit) => tokens.refresh(origin, app, token, scopesIn(form), admit));
        }
        default:
          throw new OAuthFailure(
            'unsupported_grant_type',
            'grant_type is one of authorization_code, refresh_token and client_credentials.',
          );
      }
    }),
    revoke: formEndpoint(async (c, form, client) => {
      const token = needed(form, 'token');
      const origin = originOf(c);
      let limits = {};
      try {
        await tokens.revoke(origin, await appOf(client, origin), token, async (principal) => {
          limits = await admit(c, principal);
        });
      } catch (error) {
        if (!(error instanceof GrantRefused)) throw error;
        // That there is no such token is no error here, but guessing is one.
        if (error.failure) await refuse(error.failure, origin);
      }
      return c.body(null, 200, limits);
    }),
  };

  async function ofKey(c: KeyedContext, client: Client, wanted: readonly string[] | undefined): Promise<Response> {
    const origin = originOf(c);
    // A token is no secret of a client: it would renew itself for ever.
    const proof =
      client.secret !== null && parseKey(client.secret)
        ? await authenticator.authenticate(client.secret, origin.ip)
        : ({ ok: false, reason: 'malformed' } as const);
    if (!proof.ok || proof.principal.keyId !== client.id) {
      await refuse(proof.ok ? { reason: 'malformed' } : proof, origin);
      throw invalidClient();
    }
    const { principal } = proof;
    const limits = await admit(c, principal);
    const { workspaceId, environment, keyId, userId } = principal;
    const actor = { workspaceId, environment, keyId, userId, ...origin };
    try {
      const { token, expiresIn, scopes } = await issueToken(units, actor, principal, wanted);
      const body = { access_token: token, token_type: 'Bearer', expires_in: expiresIn, scope: scopes.join(' ') };
      return c.json(body, 200, limits);
    } catch (error) {
      if (error instanceof ApiError && error.code === 'FORBIDDEN')
        throw new OAuthFailure('invalid_scope', error.message);
      throw error;
    }
  }

  async function ofApp(
    c: KeyedContext,
    client: Client,
    issue: (app: OauthApp, origin: Origin, admit: (principal: Principal) => Promise<void>) => Promise<AppTokenSet>,
  ): Promise<Response> {
    const origin = originOf(c);
    const app = await appOf(client, origin);
    let limits = {};
    try {
      const { token, expiresIn, scopes, refreshToken } = await issue(app, origin, async (principal) => {
        limits = await admit(c, principal);
      });
      const access = { access_token: token, token_type: 'Bearer', expires_in: expiresIn };
      return c.json({ ...access, refresh_token: refreshToken, scope: scopes.join(' ') }, 200, limits);
    } catch (error) {
      if (!(error instanceof GrantRefused)) throw error;
      if (error.failure) await refuse(error.failure, origin);
      throw new OAuthFailure(error.code, error.message);
    }
  }

  /** @throws OAuthFailure invalid_client */
  async function appOf({ id, secret }: Client, origin: Origin): Promise<OauthApp> {
    const app = await tokens.authenticate(id, secret);
    if (app) return app;
    await refuse({ reason: 'unknown' }, origin);
    throw invalidClient();
  }

  /** @throws OAuthFailure slow_down for an address that was refused too often */
  async function refuse(failure: Parameters<typeof failed>[0], origin: Origin): Promise<void> {
    const wait = await failed(failure, origin);
    if (wait > 0) throw slowDown(`Too many failed authentications. Try again in ${wait} seconds.`, wait);
  }

  /** Takes one request from the limits of what tokens are for. @returns the headers that tell how it stands */
  async function admit(c: KeyedContext, principal: Principal): Promise<Record<string, string>> {
    c.set('principal', principal);
    const result = await keyLimits.consume(principal, 1);
    const limits = Object.fromEntries(limitHeaders(result, Date.now()));
    const { allowed, retryAfter } = result;
    if (!allowed) throw slowDown(`Rate limit exceeded. Try again in ${retryAfter} seconds.`, retryAfter, limits);
    return limits;
  }
}

function scopesIn(form: URLSearchParams): string[] | undefined {
  const scopes = form.get('scope')?.split(' ').filter(Boolean);
  return scopes?.length ? scopes : undefined;
}

/** @throws OAuthFailure invalid_request */
function needed(form: URLSearchParams, name: string): string {
  const value = form.get(name);
  if (!value) throw new OAuthFailure('invalid_request', `${name} is missing.`);
  return value;
}
