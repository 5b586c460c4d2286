/**
 * Which texts may contain words, by an index of their trigrams: of titles and descriptions of tasks, and of comments. What it
 * finds is compared all the same, so it may find too much, and never too little. SQLite's is kept by triggers (see the
 * migrations); PostgreSQL uses its own by itself.
 */
import type { Provider } from './provider.js';
import type { RowConnection } from './rows.js';
import type { Tenant } from './tenant.js';

/** Of a word, as many as tell it from most others: each is a list of all texts that have it. */
const MOST_TRIGRAMS = 8;
/** Words that are looked up, the longest first. */
const MOST_WORDS = 4;
/** So few texts that no other word need be looked up. */
const FEW = 100;
/** Numbers of a tenant's entries. */
const RANGE = 2 ** 32;

/** Texts that are found at once. */
const MOST_FOUND = 1000;

interface Found<T> {
  /** The newest first. */
  readonly values: readonly T[];
  /** Whether there are no others. */
  readonly isWhole: boolean;
}

export class TextIndex {
  constructor(
    private readonly provider: Provider,
    private readonly connection: () => RowConnection,
    private readonly onQuery: (sql: string) => void = () => {},
  ) {}

  /**
   * The numbers of the tasks whose title and description may contain all of the words.
   * @returns undefined where the index is not asked, or has none of the words
   */
  async tasks(tenant: Tenant, words: readonly string[]): Promise<Found<number> | undefined> {
    const numbers = `SELECT "TaskText".rowid % ${RANGE} FROM "TaskText"`;
    return this.#findAll(tenant, words, numbers, 'TaskText', Number);
  }

  /** The ids of the comments that may contain all of the words. @returns undefined as above */
  async comments(tenant: Tenant, words: readonly string[]): Promise<Found<string> | undefined> {
    const ids = 'SELECT "commentId" FROM "CommentText" JOIN "CommentTextRow" ON "number" = "CommentText".rowid';
    return this.#findAll(tenant, words, ids, 'CommentText', String);
  }

  /** One word after another: together with a rare one, all texts of a common one would be gone through. */
  async #findAll<T>(
    tenant: Tenant,
    words: readonly string[],
    select: string,
    index: string,
    read: (value: unknown) => T,
  ): Promise<Found<T> | undefined> {
    if (this.provider !== 'sqlite') return undefined;
    const longest = [...new Set(words)].sort((one, other) => other.length - one.length).slice(0, MOST_WORDS);
    const known = longest.map(trigramsOf).filter((trigrams) => trigrams.length > 0);
    let found: Found<T> | undefined;
    let whole: Found<T> | undefined;
    for (const trigrams of known) {
      found = await this.#find(tenant, trigrams, select, index, read);
      if (!found.isWhole) continue;
      const both = new Set(found.values);
      whole = { isWhole: true, values: whole ? whole.values.filter((one) => both.has(one)) : found.values };
      if (whole.values.length <= FEW) break;
    }
    // Each of them is in many texts; all of them may be in few.
    return whole ?? (known.length > 1 ? this.#find(tenant, [...new Set(known.flat())], select, index, read) : found);
  }

  async #find<T>(
    { workspaceId, environment }: Tenant,
    trigrams: readonly string[],
    select: string,
    index: string,
    read: (value: unknown) => T,
  ): Promise<Found<T>> {
    const first = `(SELECT "number" * ${RANGE} FROM "TextTenant" WHERE "workspaceId" = ? AND "environment" = ?)`;
    const isOfTenant = `"${index}".rowid BETWEEN ${first} AND ${first} + ${RANGE - 1}`;
    const newest = `ORDER BY "${index}".rowid DESC LIMIT ${MOST_FOUND + 1}`;
    const sql = `${select} WHERE "${index}" MATCH ? AND ${isOfTenant} ${newest}`;
    const match = trigrams.map((trigram) => `"${trigram.replaceAll('"', '""')}"`).join(' AND ');
    const args = [match, workspaceId, environment, workspaceId, environment];
    const argTypes = args.map(() => ({ scalarType: 'string', arity: 'scalar' }) as const);
    this.onQuery(sql);
    const connection = this.connection();
    const query = { sql, args, argTypes };
    const rows = connection.queryRows ? await connection.queryRows(query) : (await connection.queryRaw(query)).rows;
    return { isWhole: rows.length <= MOST_FOUND, values: rows.slice(0, MOST_FOUND).map(([value]) => read(value)) };
  }
}

/**
 * The trigrams of a word, in small letters, without those that the index may have in another form: SQLite and `toLowerCase` do
 * not know the same letters.
 */
export function trigramsOf(word: string): string[] {
  const letters = [...word.toLowerCase()];
  const all = letters.slice(2).map((_, index) => letters.slice(index, index + 3));
  const plain = all.filter((trigram) => trigram.every(isPlain)).map((trigram) => trigram.join(''));
  const step = Math.max(1, plain.length / MOST_TRIGRAMS);
  return plain.filter((_, index) => Math.floor(index / step) !== Math.floor((index - 1) / step));
}

const DOT_ABOVE = '\u0307';
/** Latin, Greek without the letter of two small forms, and Cyrillic. */
const KNOWN = /[ -\u024f\u0386-\u03c1\u03c4-\u03ce\u0400-\u0481]/u;

/** Whether the letter has one form in both, or no case. */
function isPlain(letter: string): boolean {
  if (letter === DOT_ABOVE) return false;
  return KNOWN.test(letter) || (letter.toLowerCase() === letter && letter.toUpperCase() === letter);
}
