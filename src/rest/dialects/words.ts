/**
 * The words of a dialect for the values of the core. A dialect that knows fewer shows several values as one word; it
 * writes the first of them, and leaves a row alone that has another of them.
 */
type Table = Readonly<Record<string, readonly [string, ...string[]]>>;

export interface Vocabulary<Word extends string> {
  readonly words: readonly [Word, ...Word[]];
  /** The word that a value is shown as. */
  show(value: string): Word;
  /** The value that a word stands for when it is written. */
  value(word: Word): string;
  /** All values that are shown as the word. */
  values(word: Word): readonly string[];
}

function vocabulary<const T extends Table>(table: T): Vocabulary<Extract<keyof T, string>> {
  type Word = Extract<keyof T, string>;
  const words = Object.keys(table) as [Word, ...Word[]];
  const shown = new Map(words.flatMap((word) => (table[word] ?? []).map((value) => [value, word] as const)));
  const values = (word: Word) => table[word] as readonly [string, ...string[]];
  return {
    words,
    show(value) {
      const word = shown.get(value);
      if (word === undefined) throw new Error(`no word for ${value}`);
      return word;
    },
    value: (word) => values(word)[0],
    values,
  };
}

/** Of a change: the value that a word stands for, and `keep...`, the values that the row keeps instead. */
export function changed<Word extends string>(
  field: 'status' | 'priority' | 'role',
  words: Vocabulary<Word>,
  word?: Word,
) {
  if (word === undefined) return {};
  const keep = `keep${field.charAt(0).toUpperCase()}${field.slice(1)}`;
  return { [field]: words.value(word), [keep]: words.values(word) };
}

export const TASKMASTER_STATUS = vocabulary({
  backlog: ['BACKLOG'],
  triage: ['TRIAGE'],
  todo: ['TODO'],
  in_progress: ['IN_PROGRESS', 'IN_REVIEW'],
  done: ['DONE'],
  canceled: ['CANCELED'],
});
export const RELATIONSHIP_TYPE = vocabulary({
  blocks: ['BLOCKS'],
  relates_to: ['RELATES_TO'],
  duplicates: ['DUPLICATES'],
});

/** In the order of a board's columns. */
export const KANEO_STATUS = vocabulary({
  planned: ['BACKLOG', 'TRIAGE'],
  'to-do': ['TODO'],
  'in-progress': ['IN_PROGRESS'],
  'in-review': ['IN_REVIEW'],
  done: ['DONE'],
  archived: ['CANCELED'],
});
export const KANEO_PRIORITY = vocabulary({
  'no-priority': ['NONE'],
  low: ['LOW'],
  medium: ['MEDIUM'],
  high: ['HIGH'],
  urgent: ['URGENT'],
});

export const V1_STATUS = vocabulary({
  TODO: ['TODO', 'BACKLOG', 'TRIAGE'],
  IN_PROGRESS: ['IN_PROGRESS'],
  REVIEW: ['IN_REVIEW'],
  DONE: ['DONE'],
  CANCELED: ['CANCELED'],
});
export const V1_PRIORITY = vocabulary({
  LOW: ['LOW', 'NONE'],
  MEDIUM: ['MEDIUM'],
  HIGH: ['HIGH'],
  URGENT: ['URGENT'],
});
export const V1_ROLE = vocabulary({
  admin: ['ADMIN', 'OWNER'],
  manager: ['MANAGER'],
  member: ['MEMBER', 'VIEWER'],
});
