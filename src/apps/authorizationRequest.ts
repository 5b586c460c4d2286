/** What an application asks a user for (RFC 6749 4.1.1, RFC 7636 4.3): what of it holds, decided without effects. */
import { isScopeSubset, narrowed, scopeSet } from '../scopes/scope.js';
import { isRegistered } from './redirectUri.js';

/** Whether a text has the form of an application's id, so that no other is looked for. */
export const isAppId = (text: string): boolean => /^app_[0-9a-f-]{36}$/.test(text);

/** As the application is stored, its lists apart. */
export interface AskingApp {
  readonly redirectUris: readonly string[];
  readonly scopes: readonly string[];
}

/** Each parameter once. */
export type Parameters = ReadonlyMap<string, string>;

export interface Asked {
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  readonly state: string | undefined;
  readonly codeChallenge: string;
}

export type AuthorizationRequest =
  /** Nobody is sent anywhere. */
  | { readonly kind: 'refused'; readonly problem: string }
  /** The application is told so. */
  | {
      readonly kind: 'failed';
      readonly redirectUri: string;
      readonly state: string | undefined;
      readonly error: string;
      readonly description: string;
    }
  | { readonly kind: 'asked'; readonly asked: Asked };

/** @returns undefined where one of them is there twice */
export function parametersOf(query: string): Parameters | undefined {
  const given = new URLSearchParams(query);
  const parameters = new Map<string, string>();
  for (const [name, value] of given) {
    if (parameters.has(name)) return undefined;
    // One without a value counts as left out (RFC 6749 3.1).
    if (value !== '') parameters.set(name, value);
  }
  return parameters;
}

export function checkAuthorizationRequest(parameters: Parameters, app: AskingApp): AuthorizationRequest {
  const named = parameters.get('redirect_uri');
  const [only, ...others] = app.redirectUris;
  const redirectUri = named ?? (others.length === 0 ? only : undefined);
  if (redirectUri === undefined) {
    return { kind: 'refused', problem: 'The application does not say where to send you back to (redirect_uri).' };
  }
  if (named !== undefined && !isRegistered(named, app.redirectUris)) {
    return { kind: 'refused', problem: `${shown(named)} is not an address of this application (redirect_uri).` };
  }
  const state = parameters.get('state');
  const failed = (error: string, description: string): AuthorizationRequest => {
    return { kind: 'failed', redirectUri, state, error, description };
  };
  const responseType = parameters.get('response_type');
  if (responseType === undefined) return failed('invalid_request', 'response_type is missing.');
  if (responseType !== 'code') return failed('unsupported_response_type', 'The only response_type is code.');
  if ((parameters.get('response_mode') ?? 'query') !== 'query') {
    return failed('invalid_request', 'The only response_mode is query.');
  }
  const codeChallenge = parameters.get('code_challenge');
  if (codeChallenge === undefined) return failed('invalid_request', 'code_challenge is missing (PKCE, RFC 7636).');
  if (parameters.get('code_challenge_method') !== 'S256') {
    return failed('invalid_request', 'The only code_challenge_method is S256.');
  }
  if (!/^[A-Za-z0-9_-]{43}$/.test(codeChallenge)) {
    return failed('invalid_request', 'code_challenge must be the base64url of a SHA-256.');
  }
  if (parameters.get('prompt') === 'none') return failed('interaction_required', 'A user decides each time.');
  const given = parameters.get('scope')?.split(' ').filter(Boolean) ?? app.scopes;
  const isKnown = given.every((scope) => scopeSet([scope]).size > 0);
  // Who names a resource (RFC 8707) asks for all that the resource lists, of which the application gets its own (RFC 6749 3.3).
  const scopes = isKnown && parameters.has('resource') ? narrowed(given, app.scopes) : given;
  if (!isKnown || scopes.length === 0 || !isScopeSubset(scopeSet(scopes), scopeSet(app.scopes))) {
    return failed('invalid_scope', 'The application may not ask for all of these scopes.');
  }
  return { kind: 'asked', asked: { redirectUri, scopes: [...new Set(scopes)], state, codeChallenge } };
}

const shown = (text: string) => JSON.stringify(text.slice(0, 200));
