/** What every request with a key goes through, whichever way it speaks: whose is it, is there room, how did it end. */
import type { HttpBindings } from '@hono/node-server';
import type { Logger } from 'pino';
import type { SignIn } from '../accounts/signIn.js';
import type { Authenticator } from '../auth/authenticator.js';
import { readCredential } from '../auth/credential.js';
import type { Principal } from '../auth/principal.js';
import { ApiError, HTTP_STATUS } from '../errors.js';
import { type Context, createContext, type Services } from '../graphql/context.js';
import { keyStatus } from '../keys/apiKey.js';
import type { UsageRecorder } from '../keys/usage.js';
import { limitHeaders } from '../limits/keyLimits.js';
import { type BegunRequest, begunRequest } from './begunRequests.js';
import type { KeyedContext } from './environment.js';
import { credentialRefusal, failedAuthentication } from './failedAuthentication.js';
import { signedInOf } from './memberSession.js';
import { originOf } from './origin.js';
import { refuse } from './refusal.js';
import { recordUse } from './requestEnd.js';

/** Bytes; a larger body is refused with 413. */
export const MAX_BODY = 1024 * 1024;
/** Milliseconds. */
export const REQUEST_LIMIT = 30_000;
/** What the log has for a request whose client did not wait for the answer. */
export const LEFT = 499;

export const tooLate = () => new ApiError('SERVICE_UNAVAILABLE', 'The request took too long.', { retryAfter: 1 });

export interface GatewayOptions {
  readonly services: Services;
  readonly authenticator: Authenticator;
  readonly usage: UsageRecorder;
  readonly logger: Logger;
  readonly signIn: SignIn;
  /** Proxies that are believed. */
  readonly trustProxy: readonly string[];
}

/** What is done with a request whose key is good. */
export type RunKeyed = (c: KeyedContext, context: Context) => Promise<Response>;
/** @param members whether a person's session opens it too, in place of a key */
export type Gateway = (run: RunKeyed, members?: 'members') => (c: KeyedContext) => Promise<Response>;

export function createGateway({ services, authenticator, usage, logger, signIn, trustProxy }: GatewayOptions): Gateway {
  const failed = failedAuthentication(services, logger);
  /** Who asks, and what the request turns out to be; or a refusal. */
  const begin = async (c: KeyedContext, members: boolean): Promise<BegunRequest | Response> => {
    const begun = begunRequest((c.env as Partial<HttpBindings> | undefined)?.incoming);
    if (begun) return begun;
    const credential = readCredential(c.req.header('authorization'), c.req.header('x-api-key'));
    if (credential.kind === 'conflict') {
      return refuse(
        c,
        new ApiError('BAD_USER_INPUT', 'Authorization and x-api-key hold different keys. Send one of them.'),
      );
    }
    const key = credential.kind === 'key' ? credential.key : '';
    const origin = originOf(c);
    const { ip } = origin;
    const signedIn = members && key === '' ? await signedInOf(c, signIn, trustProxy) : undefined;
    if (signedIn) {
      const member = await authenticator.authenticateMember(signedIn, ip);
      if (!member.ok) return refuse(c, new ApiError('UNAUTHENTICATED', 'You are not in this workspace.'));
      const session = authenticator.memberSession(signedIn, ip);
      return { context: createContext(member.principal, origin, session, services), credential: session.id };
    }
    const result = key === '' ? ({ ok: false, reason: 'missing' } as const) : await authenticator.authenticate(key, ip);
    if (!result.ok) {
      return refuse(c, credentialRefusal(key, await failed(result, origin)));
    }
    const context = createContext(result.principal, origin, authenticator.session(key, ip), services);
    return { context, credential: key };
  };
  return (run, members) => async (c) => {
    const begun = await begin(c, members === 'members');
    if (begun instanceof Response) return begun;
    const { context, credential } = begun;
    const { principal } = context;
    c.set('principal', principal);
    c.set('credential', credential);
    c.set('context', context);
    let response: Response;
    try {
      response = await inTime(run(c, context), c.req.raw.signal, () => refuse(c, tooLate()));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      response = refuse(c, error);
    } finally {
      context.use.ended = true;
    }
    for (const [name, value] of await headersOf(context, response.status)) response.headers.set(name, value);
    recordUse(usage, context, response.status);
    return response;
  };
}

/**
 * The answer, or another one when it takes longer than a request may, or when its client has left. PostgreSQL cancels its
 * statement as late.
 */
async function inTime(answer: Promise<Response>, left: AbortSignal, late: () => Response): Promise<Response> {
  let timer: NodeJS.Timeout | undefined;
  let leave = () => {};
  try {
    return await Promise.race([
      answer,
      new Promise<Response>((resolve) => {
        timer = setTimeout(() => resolve(late()), REQUEST_LIMIT);
        leave = () => resolve(new Response(null, { status: LEFT }));
        if (left.aborted) leave();
        else left.addEventListener('abort', leave);
      }),
    ]);
  } finally {
    clearTimeout(timer);
    left.removeEventListener('abort', leave);
  }
}

/** Of every answer to a known key: how it stands, and whether it has a successor. */
export async function headersOf({ meter, principal }: Context, status: number): Promise<[string, string][]> {
  const state = status === HTTP_STATUS.RATE_LIMITED ? await meter.refused() : await meter.state();
  return [...limitHeaders(state, Date.now()), ...rotationHeaders(principal)];
}

/** A rotated key says so while it lasts (RFC 9745), and until when (RFC 8594). */
function rotationHeaders({ apiKey }: Principal): [string, string][] {
  if (apiKey.rotatedAt === null || apiKey.graceEndsAt === null || keyStatus(apiKey, new Date()) !== 'ROTATED')
    return [];
  const { expiresAt, graceEndsAt, rotatedAt } = apiKey;
  const end = expiresAt !== null && expiresAt < graceEndsAt ? expiresAt : graceEndsAt;
  return [
    ['Deprecation', `@${Math.floor(rotatedAt.getTime() / 1000)}`],
    ['Sunset', end.toUTCString()],
  ];
}
