import type { Provider } from './provider.js';

/**
 * Text that contains another as it stands, whatever the case: `%` and `_` are characters like others. Prisma hands the
 * text to LIKE unescaped; PostgreSQL's escape character is the backslash, and SQLite's LIKE is replaced (sqlite.ts).
 */
export function containsText(provider: Provider, text: string): { contains: string; mode?: 'insensitive' } {
  const contains = literally(text);
  return provider === 'postgresql' ? { contains, mode: 'insensitive' } : { contains };
}

/** The same for text that begins with another. */
export function startsWithText(provider: Provider, text: string): { startsWith: string; mode?: 'insensitive' } {
  const startsWith = literally(text);
  return provider === 'postgresql' ? { startsWith, mode: 'insensitive' } : { startsWith };
}

const literally = (text: string) => text.replace(/[\\%_]/g, (character) => `\\${character}`);

/**
 * LIKE for SQLite, as far as it is used here, where every pattern is `%` text `%` or text `%`: with the backslash as the escape
 * character, and with the case of all letters ignored, not of the ASCII ones alone.
 * @param onCall called with each comparison
 */
export function likeContains(onCall: () => void = () => {}): (pattern: unknown, value: unknown) => number | null {
  let known: unknown;
  let needle = '';
  let isPrefix = false;
  return (pattern, value) => {
    onCall();
    if (typeof pattern !== 'string' || value === null) return null;
    if (pattern !== known) {
      known = pattern;
      isPrefix = !pattern.startsWith('%');
      needle = pattern
        .slice(isPrefix ? 0 : 1, -1)
        .replace(/\\([\\%_])/g, '$1')
        .toLowerCase();
    }
    const text = String(value).toLowerCase();
    return (isPrefix ? text.startsWith(needle) : text.includes(needle)) ? 1 : 0;
  };
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
