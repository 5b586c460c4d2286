/** Accounts and sessions: the few things that are no GraphQL, because they come before one can ask. */

export interface Person {
  readonly id: string;
  readonly name: string;
  readonly email: string;
}

export type Role = 'OWNER' | 'ADMIN' | 'MANAGER' | 'MEMBER' | 'VIEWER';

export interface Membership {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly role: Role;
}

export interface AccountState {
  /**
   * How an account is made. first: nobody has one, and the first owns the workspace; adminKey: the same, and the operator's key
   * proves who one is.
   */
  readonly signUp: 'first' | 'adminKey' | 'invitation' | 'open' | 'closed';
  readonly person: Person | null;
  readonly workspaces: readonly Membership[];
  /** Whether passkeys can be made and used at this address. */
  readonly passkeys: boolean;
  /** From which the request came. */
  readonly address: string | null;
}

export interface Session {
  readonly id: string;
  readonly ipAddress: string | null;
  readonly userAgent: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly expiresAt: string;
  readonly isCurrent: boolean;
}

/** A refusal in the server's words. */
export class AccountError extends Error {
  constructor(
    message: string,
    readonly code: string,
    /** Field -> what is wrong with it. */
    readonly fields: Readonly<Record<string, readonly string[]>>,
  ) {
    super(message);
  }
}

const OFFLINE = 'The server does not answer. Check your connection, and try again.';

async function ask<T>(path: string, body?: object): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, {
      method: body ? 'POST' : 'GET',
      credentials: 'same-origin',
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
  } catch {
    throw new AccountError(OFFLINE, 'OFFLINE', {});
  }
  const answer = (await response.json().catch(() => ({}))) as {
    error?: { code?: string; message?: string; fields?: Record<string, string[]> };
  };
  if (response.ok) return answer as T;
  const { code = 'ERROR', message = 'Something went wrong on our side.', fields = {} } = answer.error ?? {};
  throw new AccountError(message, code, fields);
}

export const readAccount = () => ask<AccountState>('/api/account');
export const signUp = (body: {
  name: string;
  email: string;
  password: string;
  invitation?: string | undefined;
  adminKey?: string | undefined;
}) => ask('/api/auth/sign-up/email', body);
export const signIn = (body: { email: string; password: string }) => ask('/api/auth/sign-in/email', body);
export interface Passkey {
  readonly id: string;
  readonly name: string | null;
  readonly createdAt: string;
}

/** @throws NotAllowedError where the person changes their mind */
export async function signInByPasskey(): Promise<void> {
  const { startAuthentication } = await import('@simplewebauthn/browser');
  const { options } = await ask<{ options: Parameters<typeof startAuthentication>[0]['optionsJSON'] }>(
    '/api/auth/passkey/options',
    {},
  );
  await ask('/api/auth/sign-in/passkey', { response: await startAuthentication({ optionsJSON: options }) });
}

export async function addPasskey(name: string): Promise<void> {
  const { startRegistration } = await import('@simplewebauthn/browser');
  const { options } = await ask<{ options: Parameters<typeof startRegistration>[0]['optionsJSON'] }>(
    '/api/account/passkeys/options',
    {},
  );
  await ask('/api/account/passkeys/add', { name, response: await startRegistration({ optionsJSON: options }) });
}

export const readPasskeys = () => ask<{ passkeys: readonly Passkey[] }>('/api/account/passkeys');
export const removePasskey = (id: string) => ask('/api/account/passkeys/remove', { id });

export async function signOut(): Promise<void> {
  await ask('/api/auth/sign-out', {});
  // The playground asks in the name of whoever is signed in.
  localStorage.removeItem('taskgate:workspace');
}
export const changePassword = (body: { currentPassword: string; newPassword: string }) =>
  ask('/api/auth/change-password', body);
export const readSessions = () => ask<{ sessions: readonly Session[] }>('/api/account/sessions');
export const endSession = (id: string) => ask('/api/account/sessions/end', { id });
/** What an application asks for, or where the browser goes with a refusal. */
export interface Authorization {
  readonly redirectTo?: string;
  readonly app: { readonly name: string; readonly description: string | null };
  readonly workspace: { readonly id: string; readonly name: string };
  readonly environment: 'LIVE' | 'TEST';
  readonly scopes: readonly { readonly name: string; readonly description: string; readonly isHeld: boolean }[];
  readonly redirectUri: string;
}

export interface AppAccess {
  readonly id: string;
  readonly name: string;
  readonly workspace: string;
  readonly environment: 'LIVE' | 'TEST';
  readonly scopes: readonly string[];
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
}

/** @param request the query of the address, as the application made it */
export const readAuthorization = (request: string) => ask<Authorization>('/api/account/authorization', { request });
export const allowApp = (body: { request: string; scopes: readonly string[]; projects: readonly string[] | null }) =>
  ask<{ redirectTo: string }>('/api/account/authorization/allow', body);
export const denyApp = (request: string) => ask<{ redirectTo: string }>('/api/account/authorization/deny', { request });
export const readApps = () => ask<{ apps: readonly AppAccess[] }>('/api/account/apps');
export const endApp = (id: string) => ask('/api/account/apps/end', { id });
export const readInvitation = (token: string) =>
  ask<{ email: string; role: Role; workspace: { name: string } }>('/api/account/invitation', { token });
export const acceptInvitation = (token: string) => ask('/api/account/invitation/accept', { token });
