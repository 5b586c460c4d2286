/**
 * Kaneo's status of a task is the slug of its column. Columns are the states of the project; `planned` and `archived` are no
 * columns there, and stand for backlog and triage, and for canceled. A column that is called as one of those three is another
 * state, whose slug is another than is shown.
 */
import { z } from 'zod';
import { KANEO_STATUS as STATUS } from '../words.js';

/** The slugs of states that are shown as a word of Kaneo's own. */
const WORDS = new Map([
  ['backlog', 'planned'],
  ['triage', 'planned'],
  ['canceled', 'archived'],
]);
const SLUGS = new Map<string, readonly [string, ...string[]]>([
  ['planned', ['backlog', 'triage']],
  ['archived', ['canceled']],
]);
/** The slugs of columns that are called as those states are. */
const COLUMN_SLUGS = new Map([...WORDS.keys()].map((slug) => [slug, `${slug}-column`]));
const COLUMN_WORDS = new Map([...COLUMN_SLUGS].map(([word, slug]) => [slug, word]));

export interface CoreState {
  readonly slug: string;
}
/** What is read of a task for its status. */
export const STATE = 'status state { slug }';
interface CoreStatus {
  readonly status: string;
  readonly state: CoreState | null;
}

export const statusWord = z.string().trim().min(1, 'must not be empty').max(100, 'must have at most 100 characters');
export const shownStatus = z.string().describe('The slug of a column, or `planned` or `archived`');

export const isColumn = ({ slug }: CoreState): boolean => !WORDS.has(slug);
/** What no column is called. */
export const isReserved = (slug: string): boolean => SLUGS.has(slug);
export const wordOf = ({ slug }: CoreState): string => WORDS.get(slug) ?? COLUMN_WORDS.get(slug) ?? slug;
/** The slug of the state that a word stands for, or the first of them. */
const slugOf = (word: string): string => SLUGS.get(word)?.[0] ?? columnSlug(word) ?? word;
/** Of a new column with such a name; undefined: its own. */
export const columnSlug = (word: string): string | undefined => COLUMN_SLUGS.get(word);
/** A project's tasks that are in no state have their status for a column. */
export const showStatus = ({ status, state }: CoreStatus): string => (state ? wordOf(state) : STATUS.show(status));

const isOwn = (word: string): word is (typeof STATUS.words)[number] => STATUS.words.some((known) => known === word);

/** Of a new task, and of many. */
export const stateInput = (word: string | undefined) => (word === undefined ? {} : { stateSlug: slugOf(word) });

/** Of a change: what a word stands for that stands for several stays as it is. */
export function changedState(word: string | undefined) {
  if (word === undefined) return {};
  const kept = SLUGS.get(word);
  return { ...stateInput(word), ...(kept && { keepStateSlugs: [...kept, word] }) };
}

/** The tasks that are shown with a word. */
export function statusFilter(word: string) {
  const named = { stateSlug: { in: [...(SLUGS.get(word) ?? []), slugOf(word)] } };
  if (!isOwn(word)) return named;
  return { or: [named, { stateId: { eq: null }, status: { in: STATUS.values(word) } }] };
}
