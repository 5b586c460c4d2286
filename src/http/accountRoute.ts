/** What all addresses of accounts have in common: they are for pages of this server, take JSON, and refuse in one form. */

import type { Context, Hono, MiddlewareHandler } from 'hono';
import { z } from 'zod';
import type { Person } from '../accounts/memberships.js';
import type { PersonSession, SignIn } from '../accounts/signIn.js';
import { ApiError, HTTP_STATUS } from '../errors.js';
import { hasBadText } from '../storable.js';
import { askingOf } from './asking.js';
import { isJson } from './body.js';
import type { HttpEnvironment, KeyedContext } from './environment.js';
import { isSameOrigin } from './sameOrigin.js';

interface AccountRouteOptions {
  readonly signIn: SignIn;
  readonly trustProxy: readonly string[];
  readonly limitBody: MiddlewareHandler;
}

type Run = (c: KeyedContext) => Promise<Response>;

export function accountRoutes(app: Hono<HttpEnvironment>, { signIn, trustProxy, limitBody }: AccountRouteOptions) {
  return {
    post(path: string, run: Run): void {
      app.all(path, limitBody, async (c) => {
        const keyed = c as unknown as KeyedContext;
        c.header('cache-control', 'no-store');
        if (c.req.method !== 'POST')
          return refuseAccount(c, new ApiError('METHOD_NOT_ALLOWED', 'Send a POST request.', { allow: 'POST' }));
        if (!isSameOrigin(c)) {
          return refuseAccount(
            c,
            new ApiError('FORBIDDEN', 'This is for pages of this server alone, and the request comes from another.'),
          );
        }
        return answerOf(c, () => run(keyed));
      });
    },
    get(path: string, run: Run): void {
      app.get(path, async (c) => {
        c.header('cache-control', 'no-store');
        return answerOf(c, () => run(c as unknown as KeyedContext));
      });
    },
    /** @throws UNAUTHENTICATED */
    async personOf(c: KeyedContext): Promise<PersonSession> {
      // Prolonged where its new cookie is sent.
      const current = await signIn.current(askingOf(c, trustProxy), false);
      if (!current) throw new ApiError('UNAUTHENTICATED', 'Sign in first.');
      return current.session;
    },
  };
}

async function answerOf(c: Context, run: () => Promise<Response>): Promise<Response> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return refuseAccount(c, error);
  }
}

/** In one form, whichever client asks: these addresses are of no dialect. */
function refuseAccount(c: Context, error: ApiError): Response {
  const { code, message, details } = error;
  c.set('refusal', code);
  const { retryAfter, fields } = details;
  if (retryAfter !== undefined) c.header('retry-after', String(retryAfter));
  const told = { code, message, ...(fields !== undefined && { fields }) };
  return c.json({ error: told, message, requestId: c.get('requestId') }, HTTP_STATUS[code]);
}

/** @throws UNSUPPORTED_MEDIA_TYPE, BAD_USER_INPUT */
export async function bodyOf(c: KeyedContext): Promise<unknown> {
  if (!isJson(c.req.header('content-type')))
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', 'Send JSON, as application/json.');
  const body = parsed(await c.req.text());
  if (hasBadText(body))
    throw new ApiError('BAD_USER_INPUT', 'The body has text that cannot be stored: a NUL, or half a character.');
  return body;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError('BAD_USER_INPUT', 'The body is no JSON.');
  }
}

const answered = z.object({ user: z.object({ id: z.string(), name: z.string(), email: z.string() }) });

export async function personIn(answer: Response): Promise<Person> {
  const { user } = answered.parse(await answer.clone().json());
  return { id: user.id, name: user.name, email: user.email };
}

/** With the library's cookies, and a body of our own: the library's has the session's token. */
export function passOn(c: KeyedContext, answer: Response, body: object): Response {
  for (const cookie of answer.headers.getSetCookie()) c.header('set-cookie', cookie, { append: true });
  return c.json(body);
}
