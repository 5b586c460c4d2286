/** How well a task fits a search, and the part of a text that shows why. Words are compared without case, anywhere in a text. */

import { foldCase } from '../db/text.js';

/** Where a word was found counts, and whether a word of the text begins with it, or is it. */
const WEIGHTS = { whole: 10, start: 8, inside: 5, elsewhere: 2, comment: 1 } as const;
/** Characters of a snippet, and before its first match. */
const SNIPPET = 160;
const BEFORE = 40;
/** Places of a word that are looked at: it may be one letter of hundreds. */
const MOST_PLACES = 10;
/** Places that are shown. */
export const MOST_MATCHES = 10;

export interface Snippet {
  readonly text: string;
  readonly matches: readonly { readonly start: number; readonly end: number }[];
}

/** @param title of a task whose title and description have all the words */
export function titleScore(title: string, words: readonly string[]): number {
  const text = foldCase(title);
  return words.reduce((sum, word) => sum + scoreOf(text, foldCase(word)), 0);
}

/** Of a task one of whose comments has all the words. */
export const commentScore = (words: readonly string[]): number => words.length * WEIGHTS.comment;

function scoreOf(text: string, word: string): number {
  let best: number = WEIGHTS.elsewhere;
  let at = text.indexOf(word);
  for (let place = 0; at >= 0 && place < MOST_PLACES && best < WEIGHTS.whole; place += 1) {
    const starts = !isLetter(text.charAt(at - 1));
    const ends = !isLetter(text.charAt(at + word.length));
    best = Math.max(best, starts ? (ends ? WEIGHTS.whole : WEIGHTS.start) : WEIGHTS.inside);
    at = text.indexOf(word, at + 1);
  }
  return best;
}

/** @param character nothing before and after a text */
const isLetter = (character: string) => /[\p{L}\p{N}\p{M}]/u.test(character);

/** The beginning of the text, or what stands around the first of the words. Places are in UTF-16 code units. */
export function snippetOf(text: string, words: readonly string[]): Snippet {
  // Where small letters are more than capitals, places would be others.
  const lower = foldCase(text);
  const searched = lower.length === text.length ? lower : text;
  const wanted = [...new Set(words.map((word) => (searched === lower ? foldCase(word) : word)))].filter(Boolean);
  const first = Math.min(...wanted.map((word) => searched.indexOf(word)).filter((at) => at >= 0));
  const from = Number.isFinite(first) && first > BEFORE ? wholeFrom(text, first - BEFORE) : 0;
  const to = from + SNIPPET >= text.length ? text.length : wholeFrom(text, from + SNIPPET);
  const shown = searched.slice(from, to);
  const head = from > 0 ? '…' : '';
  const matches = wanted
    .flatMap((word) => placesOf(shown, word))
    .sort((one, other) => one.start - other.start || other.end - one.end);
  return {
    text: `${head}${text.slice(from, to)}${to < text.length ? '…' : ''}`,
    matches: merged(matches)
      .slice(0, MOST_MATCHES)
      .map(({ start, end }) => ({ start: start + head.length, end: end + head.length })),
  };
}

function placesOf(text: string, word: string): { start: number; end: number }[] {
  const places = [];
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
    places.push({ start: at, end: at + word.length });
  }
  return places;
}

/** What overlaps is one match. */
function merged(places: readonly { start: number; end: number }[]) {
  const all: { start: number; end: number }[] = [];
  for (const { start, end } of places) {
    const last = all.at(-1);
    if (last && start < last.end) last.end = Math.max(last.end, end);
    else all.push({ start, end });
  }
  return all;
}

/** Not in the middle of a character. */
const wholeFrom = (text: string, at: number) => (/[\udc00-\udfff]/.test(text.charAt(at)) ? at - 1 : at);
