/** What clients send to the endpoints of OAuth, and the errors that they are told there (RFC 6749 2.3.1, 3.2 and 5.2). */
import type { KeyedContext } from '../environment.js';

type OAuthError =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'invalid_scope'
  | 'unsupported_grant_type'
  | 'slow_down';

export class OAuthFailure extends Error {
  constructor(
    readonly code: OAuthError,
    message: string,
    readonly status: 400 | 401 | 405 | 429 = 400,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

export interface Client {
  readonly id: string;
  /** Null: it shows none. */
  readonly secret: string | null;
}

/** A POST of a form, answered by `run`, or with what is wrong in the form of RFC 6749 5.2. */
export function formEndpoint(run: (c: KeyedContext, form: URLSearchParams, client: Client) => Promise<Response>) {
  return async (c: KeyedContext): Promise<Response> => {
    // RFC 6749 5.1
    c.header('cache-control', 'no-store');
    c.header('pragma', 'no-cache');
    try {
      if (c.req.method === 'OPTIONS') return c.body(null, 204, { allow: 'POST, OPTIONS' });
      if (c.req.method !== 'POST') {
        throw new OAuthFailure('invalid_request', 'Send a POST request.', 405, { allow: 'POST, OPTIONS' });
      }
      const form = await readForm(c);
      return await run(c, form, readClient(c.req.header('authorization'), form));
    } catch (error) {
      if (!(error instanceof OAuthFailure)) throw error;
      const { code, message, status, headers } = error;
      return c.json({ error: code, error_description: message }, status, headers);
    }
  };
}

async function readForm(c: KeyedContext): Promise<URLSearchParams> {
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(c.req.header('content-type') ?? '')) {
    throw new OAuthFailure('invalid_request', 'Send the parameters as application/x-www-form-urlencoded.');
  }
  const form = new URLSearchParams(await c.req.text());
  if (new Set(form.keys()).size < form.size) {
    throw new OAuthFailure('invalid_request', 'A parameter is there twice.');
  }
  return form;
}

/** By HTTP Basic, each part form-encoded (RFC 6749 2.3.1), or in the body, and not both. */
function readClient(authorization: string | undefined, form: URLSearchParams): Client {
  const [id, secret] = [form.get('client_id'), form.get('client_secret')];
  const basic = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(authorization ?? '')?.[1];
  if (basic === undefined) {
    if (id === null) throw invalidClient();
    return { id, secret: secret || null };
  }
  if (secret !== null) throw new OAuthFailure('invalid_request', 'Authenticate in one way, not in two.');
  const [, user = '', password = ''] = /^([^:]*):(.*)$/s.exec(Buffer.from(basic, 'base64').toString()) ?? [];
  const client = decodedClient(user, password);
  if (id !== null && id !== client.id) throw new OAuthFailure('invalid_request', 'Two clients are named.');
  return client;
}

function decodedClient(user: string, password: string): Client {
  try {
    return { id: formDecoded(user), secret: formDecoded(password) || null };
  } catch {
    throw invalidClient();
  }
}

const formDecoded = (text: string) => decodeURIComponent(text.replaceAll('+', ' '));

export function invalidClient(): OAuthFailure {
  return new OAuthFailure('invalid_client', 'The client is unknown, or its secret is not the right one.', 401, {
    'www-authenticate': 'Basic realm="taskgate", charset="UTF-8"',
  });
}

export function slowDown(
  message: string,
  seconds: number,
  headers: Readonly<Record<string, string>> = {},
): OAuthFailure {
  return new OAuthFailure('slow_down', message, 429, { ...headers, 'retry-after': String(seconds) });
}
