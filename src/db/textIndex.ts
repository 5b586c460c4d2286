/**
 * Which texts may contain words, by an index of their trigrams: of titles and descriptions of tasks, and of comments. What it
 * finds is compared all the same, so it may find too much, and never too little. SQLite's is kept by triggers (see the
 * migrations); PostgreSQL uses its own by itself.
 */
import { LRUCache } from 'lru-cache';
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
/** Tasks within which the newest that were found are soon known to be the newest of all. */
const NEAR = 100_000;

/** Of all texts, the part from which on a page is found soon by comparing them. */
const SHARE = 0.01;
/** Common words that are remembered, and for how long, in milliseconds: only how fast they are found depends on it. */
const MOST_COMMON = 5000;
const COMMON_FOR = 300_000;

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
  /** Entries up to this number may contain the words too, where these are not all. */
  readonly oldest: number;
}

interface Texts {
  readonly index: string;
  /** What is answered of each, and where it comes from. */
  readonly column: string;
  readonly from: string;
  /** The newest that are answered at least. */
  readonly least: number;
  /** Whether no more are asked for where these are near. */
  readonly isForPage?: boolean;
}

const TASKS = { index: 'TaskText', column: `"TaskText".rowid % ${RANGE}`, from: '"TaskText"' };

export class TextIndex {
  /** Words of which it is known that a list finds them soon without the index. */
  readonly #common = new LRUCache<string, Found<never>>({ max: MOST_COMMON, ttl: COMMON_FOR });

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
    return this.#findAll(tenant, words, { ...TASKS, least });
  }

  /**
   * The same for a page of the newest: of a word in many tasks, the newest are enough.
   * @returns where these are not all, those above `oldest`
   */
  async newestTasks(tenant: Tenant, words: readonly string[]): Promise<Found<number> | undefined> {
    return this.#findAll(tenant, words, { ...TASKS, least: PROBE, isForPage: true });
  }

  /** The ids of the comments that may contain all of the words. The parameters and what is answered are as above. */
  async comments(tenant: Tenant, words: readonly string[], least = PROBE): Promise<Found<string> | undefined> {
    const from = '"CommentText" JOIN "CommentTextRow" ON "number" = "CommentText".rowid';
    return this.#findAll(tenant, words, { index: 'CommentText', column: '"commentId"', from, least });
  }

  /** One word after another: together with a rare one, all texts of a common one would be gone through. */
  async #findAll<T>(tenant: Tenant, words: readonly string[], texts: Texts): Promise<Found<T> | undefined> {
    if (this.provider !== 'sqlite') return undefined;
    const longest = [...new Set(words)].sort((one, other) => other.length - one.length).slice(0, MOST_WORDS);
    const known = longest.map(trigramsOf).filter((trigrams) => trigrams.length > 0);
    const isListed = texts.least <= PROBE;
    let whole: Found<T> | undefined;
    let rarest: Found<T> | undefined;
    let share = 1;
    for (const trigrams of known) {
      const name = [texts.index, tenant.workspaceId, tenant.environment, ...trigrams].join(' ');
      const common = isListed ? this.#common.get(name) : undefined;
      const found: Found<T> = common ?? (await this.#find(tenant, trigrams, texts));
      share *= found.share;
      if (!found.isWhole) {
        if (!rarest || found.share < rarest.share) rarest = found;
        if (isListed && found.share >= SHARE) this.#common.set(name, { ...found, values: [] });
        continue;
      }
      const both = new Set(found.values);
      const values: readonly T[] = whole ? whole.values.filter((one) => both.has(one)) : found.values;
      whole = { ...found, values, isRare: found.isRare || whole?.isRare === true, share };
      if (whole.values.length <= FEW) break;
    }
    const isEnough = known.length < 2 || share >= SHARE || (texts.isForPage && rarest && rarest.share < SHARE);
    if (whole || isEnough) return whole ?? rarest;
    // Each of them is in many texts; all of them may be in few.
    return this.#find(tenant, [...new Set(known.flat())], texts);
  }

  async #find<T>(tenant: Tenant, trigrams: readonly string[], texts: Texts): Promise<Found<T>> {
    let most = Math.max(PROBE, texts.least);
    let newest = await this.#newest<T>(tenant, trigrams, texts, most + 1);
    if (newest.values.length > most && newest.all - newest.oldest > (texts.isForPage ? NEAR : SOON)) {
      most = MOST_FOUND;
      newest = await this.#newest(tenant, trigrams, texts, most + 1);
    }
    const { values, oldest, all } = newest;
    const count = values.length;
    const isWhole = count <= most;
    const isRare = isWhole && count ** 2 <= all * PAGE * (count > LOOKED_UP ? COMPARED : 1);
    return { isWhole, isRare, share: count / Math.max(1, all - oldest + 1), values: values.slice(0, most), oldest };
  }

  /** As one text: rows would take longer to answer than to find. */
  async #newest<T>(
    { workspaceId, environment }: Tenant,
    trigrams: readonly string[],
    { index, column, from }: Texts,
    limit: number,
  ): Promise<{ values: T[]; oldest: number; all: number }> {
    const first = `(SELECT "number" * ${RANGE} FROM "TextTenant" WHERE "workspaceId" = ? AND "environment" = ?)`;
    const range = `BETWEEN ${first} AND ${first} + ${RANGE - 1}`;
    const sql = `SELECT json_group_array("value"), min("entry") % ${RANGE},
        (SELECT max("id") % ${RANGE} FROM "${index}_docsize" WHERE "id" ${range})
      FROM (SELECT ${column} AS "value", "${index}".rowid AS "entry" FROM ${from}
        WHERE "${index}" MATCH ? AND "${index}".rowid ${range} ORDER BY "${index}".rowid DESC LIMIT ${limit})`;
    const match = trigrams.map((trigram) => `"${trigram.replaceAll('"', '""')}"`).join(' AND ');
    const tenant = [workspaceId, environment, workspaceId, environment];
    const args = [...tenant, match, ...tenant];
    const argTypes = args.map(() => ({ scalarType: 'string', arity: 'scalar' }) as const);
    this.onQuery(sql);
    const connection = this.connection();
    const query = { sql, args, argTypes };
    const rows = connection.queryRows ? await connection.queryRows(query) : (await connection.queryRaw(query)).rows;
    const [values, oldest, all] = rows[0] ?? [];
    return { values: JSON.parse(String(values ?? '[]')), oldest: Number(oldest ?? 0), all: Number(all ?? 0) };
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
