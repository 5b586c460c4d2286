/** Which passwords are taken: long ones that are on no list of common passwords. There is no rule of which characters (NIST SP 800-63B 3.1.1). */

export const LEAST_LENGTH = 10;
/** What hashing takes without effort. */
export const MOST_LENGTH = 128;

/** Loaded with the first password that is chosen: most servers see none. */
let common: Promise<ReadonlySet<string>> | undefined;

/**
 * @param about what others know of the person: the email, the name
 * @returns why it is not taken; undefined: it is
 */
export async function passwordRefusal(password: string, about: readonly string[] = []): Promise<string | undefined> {
  if ([...password].length < LEAST_LENGTH) return `must have at least ${LEAST_LENGTH} characters`;
  if (password.length > MOST_LENGTH) return `must have at most ${MOST_LENGTH} characters`;
  const folded = password.toLowerCase();
  if (new Set(folded).size < 4) return 'is too easy to guess: it has few different characters';
  if (await isCommon(folded)) return 'is one that many people use: it is on lists that attackers try';
  const parts = about.flatMap((text) => [text, ...text.split('@')]).map((text) => text.trim().toLowerCase());
  if (parts.some((part) => part.length >= 4 && folded.replaceAll(part, '').length < 4)) {
    return 'is too easy to guess: it is your name or email';
  }
  return undefined;
}

/** As it is, without what people put behind a word, and a word that is there twice. */
async function isCommon(folded: string): Promise<boolean> {
  common ??= import('@zxcvbn-ts/language-common').then(({ dictionary }) => new Set(Object.values(dictionary).flat()));
  const list = await common;
  const half = folded.slice(0, folded.length / 2);
  const stem = folded.replace(/[\d\W_]+$/, '');
  return list.has(folded) || list.has(stem) || (half.repeat(2) === folded && list.has(half)) || isRow(folded);
}

/** 1234567890, abcdefghijkl and the like. */
function isRow(text: string): boolean {
  const steps = new Set([...text.slice(1)].map((character, at) => character.charCodeAt(0) - text.charCodeAt(at)));
  return steps.size === 1;
}
