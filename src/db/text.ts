import type { Provider } from './provider.js';

/**
 * Rows whose column has a text that contains another as it stands, whatever the case: `%` and `_` are characters like others.
 * Prisma hands the text to LIKE unescaped; PostgreSQL's escape character is the backslash, and SQLite's LIKE is replaced (sqlite.ts).
 * @returns a condition, as Prisma takes it
 */
export function containsText(provider: Provider, column: string, text: string): Record<string, unknown> {
  return anyOf(
    column,
    formsOf(provider, text).map((contains) => ({ contains, ...caseOf(provider, text) })),
  );
}

/** The same for text that begins with another. */
export function startsWithText(provider: Provider, column: string, text: string): Record<string, unknown> {
  return anyOf(
    column,
    formsOf(provider, text).map((startsWith) => ({ startsWith, ...caseOf(provider, text) })),
  );
}

function anyOf(column: string, tests: readonly object[]): Record<string, unknown> {
  const [first, ...others] = tests.map((test) => ({ [column]: test }));
  return others.length === 0 ? { ...first } : { OR: [first, ...others] };
}

/** PostgreSQL takes several times as long to compare without case. */
const caseOf = (provider: Provider, text: string) =>
  provider === 'postgresql' && !WITHOUT_LETTERS.test(text) ? ({ mode: 'insensitive' } as const) : {};

/** Of ASCII alone: other characters may be parts of letters. */
const WITHOUT_LETTERS = /^[ -@[-`{-~]*$/;

/** PostgreSQL knows one small form of each capital: a final sigma is compared as it is written, and as the other. */
function formsOf(provider: Provider, text: string): string[] {
  const literal = text.replace(/[\\%_]/g, (character) => `\\${character}`);
  if (provider !== 'postgresql' || !/[σςΣ]/.test(literal)) return [literal];
  const plain = literal.replace(/[ςΣ]/g, 'σ');
  return [...new Set([literal, plain, plain.replace(/σ(?!\p{L})/gu, 'ς')])];
}

/** In small letters, of which each capital has one. As long as `toLowerCase` makes it. */
export function foldCase(text: string): string {
  const small = text.toLowerCase();
  return small.includes('ς') ? small.replaceAll('ς', 'σ') : small;
}

/**
 * LIKE for SQLite, as far as it is used here, where every pattern is `%` text `%` or text `%`: with the backslash as the escape
 * character, and with the case of all letters ignored, not of the ASCII ones alone.
 * @param onCall called with each comparison
 */
export function likeContains(onCall: () => void = () => {}): (pattern: unknown, value: unknown) => number | null {
  const needles = new Map<string, Needle>();
  return (pattern, value) => {
    onCall();
    if (typeof pattern !== 'string' || value === null) return null;
    let known = needles.get(pattern);
    if (!known) {
      known = needleOf(pattern);
      if (needles.size === MOST_NEEDLES) needles.clear();
      needles.set(pattern, known);
    }
    const text = foldCase(String(value));
    return (known.isPrefix ? text.startsWith(known.text) : text.includes(known.text)) ? 1 : 0;
  };
}

/** Patterns of one statement are asked by turns for each row. */
const MOST_NEEDLES = 64;

interface Needle {
  readonly isPrefix: boolean;
  readonly text: string;
}

function needleOf(pattern: string): Needle {
  const isPrefix = !pattern.startsWith('%');
  return { isPrefix, text: foldCase(pattern.slice(isPrefix ? 0 : 1, -1).replace(/\\([\\%_])/g, '$1')) };
}

/** Of labels that nobody gave one. */
export const LABEL_COLOR = '#6b7280';

/**
 * What names of tags are compared by: neither the case of letters nor how they are composed tells two apart. By way of
 * upper case, which has one form where lower case has several (sharp s, final sigma).
 */
export function tagKey(name: string): string {
  return name.normalize('NFC').toUpperCase().toLowerCase().replaceAll('ς', 'σ').normalize('NFC');
}
