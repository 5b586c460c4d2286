/**
 * The form of a key: `sk_live_` or `sk_test_`, 43 base62 characters (32 random bytes), 6 characters of checksum.
 * The checksum is the CRC-32 (IEEE) of the ASCII of all before it, so that a typo is recognised without a database read, and a leaked key
 * from a random string, without asking a database.
 */
import { hash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Environment } from '#prisma/client.js';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const PREFIXES = { LIVE: 'sk_live_', TEST: 'sk_test_' } as const satisfies Record<Environment, string>;

/** Finds keys in any text; what it finds must still pass `parseKey`. */
export const KEY_PATTERN = /sk_(?:live|test)_[0-9A-Za-z]{49}(?![0-9A-Za-z])/g;
/** Keys, tokens, and what else is secret in their form, for keeping them out of logs. */
export const SECRET_PATTERN = /(?:sk|at|rt|ac|cs)_(?:live|test)_[0-9A-Za-z]{49}/g;
/** Whether somebody put one there. */
export const hasSecret = (text: string): boolean => text.search(SECRET_PATTERN) >= 0;
const WHOLE_KEY = /^sk_(?:live|test)_[0-9A-Za-z]{49}$/;

/** A new key from 32 random bytes. */
export function generateKey(environment: Environment, random: Buffer = randomBytes(32)): string {
  return complete(PREFIXES[environment], random);
}

/** The environment of a well-formed key; undefined for anything else. */
export function parseKey(text: string): { environment: Environment } | undefined {
  if (!WHOLE_KEY.test(text) || !hasChecksum(text)) return undefined;
  return { environment: text.startsWith(PREFIXES.LIVE) ? 'LIVE' : 'TEST' };
}

/** Of OAuth (RFC 6749): access token, refresh token, authorization code, secret of a client. */
type SecretKind = 'at' | 'rt' | 'ac' | 'cs';
const WHOLE_SECRET = /^(at|rt|ac|cs)_(?:live|test)_[0-9A-Za-z]{49}$/;

/** A new one, in the form of a key: `at_live_`, 43 characters and the checksum. */
export function generateSecret(kind: SecretKind, environment: Environment, random: Buffer = randomBytes(32)): string {
  return complete(`${kind}_${environment.toLowerCase()}_`, random);
}

/** Whether a text has the form of such a secret, checksum included, so that no other is looked for. */
export function isSecret(kind: SecretKind, text: string): boolean {
  return WHOLE_SECRET.exec(text)?.[1] === kind && hasChecksum(text);
}

/** What access tokens are shown by. */
export const tokenPrefix = (environment: Environment): string => `at_${environment.toLowerCase()}_...`;

/** What is stored: the scheme and the SHA-256 of the whole key. 32 random bytes need no salt and no slow hash. */
export function hashKey(key: string): string {
  return `sha256:${hash('sha256', key, 'hex')}`;
}

/** What is shown after creation, e.g. `sk_live_abc...`. */
export function displayPrefix(key: string): string {
  return `${key.slice(0, 11)}...`;
}

function complete(prefix: string, random: Buffer): string {
  const body = prefix + base62(BigInt(`0x${random.toString('hex')}`), SECRET_LENGTH);
  return body + checksum(body);
}

function hasChecksum(text: string): boolean {
  return checksum(text.slice(0, -CHECKSUM_LENGTH)) === text.slice(-CHECKSUM_LENGTH);
}

function checksum(body: string): string {
  return base62(BigInt(crc32(body)), CHECKSUM_LENGTH);
}

function base62(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; rest > 0n; rest /= 62n) text = ALPHABET.charAt(Number(rest % 62n)) + text;
  return text.padStart(length, '0');
}
