/**
 * Which texts may contain words, by an index of their trigrams: of titles and descriptions of tasks, and of comments. What it
 * finds is compared all the same, so it may find too much, and never too little. SQLite's is kept by triggers (see the
 * migrations); PostgreSQL uses its own by itself.
 */
import type { Provider } from './provider.js';
import type { RowConnection } from './rows.js';
import { LOOKED_UP } from './taggedTasks.js';
import type { Tenant } from './tenant.js';

/** Of a word, as many as tell it from most others: each is a list of all texts that have it. */
const MOST_TRIGRAMS = 8;
/** Words that are looked up, the longest first. */
const MOST_WORDS = 4;
/** So few texts that no other word need be looked up. */
const FEW = 100;
/** Numbers of a tenant's entries. */
const RANGE = 2 ** 32;

/** Texts that are read of the index, where there are more than a few. */
const MOST_FOUND = 10_000;
/** Rows of a page, more or less. */
const PAGE = 20;
/** How many numbers are compared while one task is looked up. */
const COMPARED = 10;
/** Tasks within which a page is found soon by comparing their texts: of those, one in a hundred at least has the words. */
const SOON = 20_000;

/** Of all texts, the part from which on a page is found soon by comparing them. */
const SHARE = 0.01;
/** Where a word is in no more texts than that, they are read all; of a common one, so many show how common it is. */
const PROBE = 100;

interface Found<T> {
  /** The newest first. */
  readonly values: readonly T[];
  /** Whether there are no others. */
  readonly isWhole: boolean;
  /** Whether they are so few of all that the first ones of a list are not found sooner by reading it from its beginning. */
  readonly isRare: boolean;
  /** Of the newest entries, the part that these are. */
  readonly share: number;
}

interface Texts<T> {
  readonly index: string;
  /** What is answered of each, and where it comes from. */
  readonly column: string;
  readonly from: string;
  readonly read: (value: unknown) => T;
  /** The newest that are answered at least. */
  readonly least: number;
}

export class TextIndex {
  constructor(
    private readonly provider: Provider,
    private readonly connection: () => RowConnection,
    private readonly onQuery: (sql: string) => void = () => {},
  ) {}

  /**
   * The numbers of the tasks whose title and description may contain all of the words.
   * @param least of which the newest are answered, where there are as many
   * @returns undefined where the index is not asked, or has none of the words
   */
  async tasks(tenant: Tenant, words: readonly string[], least = PROBE): Promise<Found<number> | undefined> {
    const column = `"TaskText".rowid % ${RANGE}`;
    return this.#findAll(tenant, words, { index: 'TaskText', column, from: '"TaskText"', read: Number, least });
  }

  /** The ids of the comments that may contain all of the words. The parameters and what is answered are as above. */
  async comments(tenant: Tenant, words: readonly string[], least = PROBE): Promise<Found<string> | undefined> {
    const from = '"CommentText" JOIN "CommentTextRow" ON "number" = "CommentText".rowid';
    return this.#findAll(tenant, words, { index: 'CommentText', column: '"commentId"', from, read: String, least });
  }

  /** One word after another: together with a rare one, all texts of a common one would be gone through. */
  async #findAll<T>(tenant: Tenant, words: readonly string[], texts: Texts<T>): Promise<Found<T> | undefined> {
    if (this.provider !== 'sqlite') return undefined;
    const longest = [...new Set(words)].sort((one, other) => other.length - one.length).slice(0, MOST_WORDS);
    const known = longest.map(trigramsOf).filter((trigrams) => trigrams.length > 0);
    let found: Found<T> | undefined;
    let whole: Found<T> | undefined;
    let share = 1;
    for (const trigrams of known) {
      found = await this.#find(tenant, trigrams, texts);
      share *= found.share;
      if (!found.isWhole) continue;
      const both = new Set(found.values);
      const values: readonly T[] = whole ? whole.values.filter((one) => both.has(one)) : found.values;
      whole = { values, isWhole: true, isRare: found.isRare || whole?.isRare === true, share };
      if (whole.values.length <= FEW) break;
    }
    if (whole || known.length < 2 || share >= SHARE) return whole ?? found;
    // Each of them is in many texts; all of them may be in few.
    return this.#find(tenant, [...new Set(known.flat())], texts);
  }

  async #find<T>(tenant: Tenant, trigrams: readonly string[], texts: Texts<T>): Promise<Found<T>> {
    let most = Math.max(PROBE, texts.least);
    let rows = await this.#newest(tenant, trigrams, texts, most + 1);
    const [, , all = 0] = rows[0] ?? [];
    const [, oldest = 0] = rows.at(-1) ?? [];
    if (rows.length > most && all - oldest > SOON) {
      most = MOST_FOUND;
      rows = await this.#newest(tenant, trigrams, texts, most + 1);
    }
    const isWhole = rows.length <= most;
    const isRare = isWhole && rows.length ** 2 <= all * PAGE * (rows.length > LOOKED_UP ? COMPARED : 1);
    const share = rows.length / Math.max(1, all - oldest + 1);
    return { isWhole, isRare, share, values: rows.slice(0, most).map(([value]) => value) };
  }

  /** With the number of each entry, and the highest that there is. */
  async #newest<T>(
    { workspaceId, environment }: Tenant,
    trigrams: readonly string[],
    { index, column, from, read }: Texts<T>,
    limit: number,
  ): Promise<[value: T, number: number, all: number][]> {
    const first = `(SELECT "number" * ${RANGE} FROM "TextTenant" WHERE "workspaceId" = ? AND "environment" = ?)`;
    const range = `BETWEEN ${first} AND ${first} + ${RANGE - 1}`;
    const all = `(SELECT max("id") % ${RANGE} FROM "${index}_docsize" WHERE "id" ${range})`;
    const sql = `SELECT ${column}, "${index}".rowid % ${RANGE}, ${all} FROM ${from}
      WHERE "${index}" MATCH ? AND "${index}".rowid ${range} ORDER BY "${index}".rowid DESC LIMIT ${limit}`;
    const match = trigrams.map((trigram) => `"${trigram.replaceAll('"', '""')}"`).join(' AND ');
    const tenant = [workspaceId, environment, workspaceId, environment];
    const args = [...tenant, match, ...tenant];
    const argTypes = args.map(() => ({ scalarType: 'string', arity: 'scalar' }) as const);
    this.onQuery(sql);
    const connection = this.connection();
    const query = { sql, args, argTypes };
    const rows = connection.queryRows ? await connection.queryRows(query) : (await connection.queryRaw(query)).rows;
    return rows.map(([value, number, highest]) => [read(value), Number(number), Number(highest)]);
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
