/** Where an application has its users sent back to (RFC 6749 3.1.2, RFC 8252): what it may register, and what of it is used. */

const MOST = 500;
const LOOPBACK = new Set(['127.0.0.1', '[::1]', 'localhost']);
/** A scheme of the application's own, which is a domain of its maker backwards (RFC 8252 7.1). */
const PRIVATE_SCHEME = /^[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:$/;

/** Why it may not be registered; undefined: it may. */
export function redirectUriProblem(text: string): string | undefined {
  if (text.length > MOST) return `must have at most ${MOST} characters`;
  if (/[^\x21-\x7e]/.test(text) || /[\\#]/.test(text) || !URL.canParse(text)) {
    return 'must be an absolute URI of ASCII characters, without spaces, backslashes and #';
  }
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== '' || password !== '') return 'must have no user name and no password';
  if (protocol === 'https:' || PRIVATE_SCHEME.test(protocol)) return undefined;
  if (protocol === 'http:' && LOOPBACK.has(hostname)) return undefined;
  return 'must begin with https://, with http:// and an address of the machine itself (127.0.0.1, [::1], localhost), or with a scheme like com.example.app:';
}

/** Whether it is one of those that are registered; of the machine itself, on whichever port (RFC 8252 7.3). */
export function isRegistered(given: string, registered: readonly string[]): boolean {
  if (registered.includes(given)) return true;
  if (redirectUriProblem(given) !== undefined) return false;
  const url = new URL(given);
  return isLoopback(url) && registered.some((one) => isLoopback(new URL(one)) && portless(one) === portless(given));
}

const isLoopback = ({ protocol, hostname }: URL) => protocol === 'http:' && LOOPBACK.has(hostname);

function portless(text: string): string {
  const url = new URL(text);
  url.port = '';
  return url.href;
}

/** The address with what an application is told there. What is undefined is left out. */
export function withAnswer(redirectUri: string, answer: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(answer).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
  // What was registered stays as it was written.
  return `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}${new URLSearchParams(given)}`;
}
