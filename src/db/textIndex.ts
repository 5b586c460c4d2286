/**
 * Which texts may contain words, by an index of their trigrams: of titles and descriptions of tasks, and of comments. What it
 * finds is compared all the same, so it may find too much, and never too little. SQLite's is kept by triggers (see the
 * migrations); PostgreSQL uses its own by itself.
 */
import type { SqlQuery } from '@prisma/driver-adapter-utils';
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
/** Words in more than a few texts that are remembered, and for how long, in milliseconds: only how fast they are found depends on it. */
const MOST_FREQUENT = 5000;
const FREQUENT_FOR = 300_000;

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
  /** What they have. */
  readonly trigrams: readonly string[];
}

interface TextTable {
  readonly index: string;
  /** What is answered of each, and where it comes from. */
  readonly column: string;
  readonly from: string;
}

interface Texts extends TextTable {
  /** The newest that are answered at least. */
  readonly least: number;
  /** Whether no more are asked for where these are not all. */
  readonly isNewest: boolean;
}

const TASKS: TextTable = { index: 'TaskText', column: `"TaskText".rowid % ${RANGE}`, from: '"TaskText"' };
const COMMENTS: TextTable = {
  index: 'CommentText',
  column: '"commentId"',
  from: '"CommentText" JOIN "CommentTextRow" ON "number" = "CommentText".rowid',
};

export class TextIndex {
  /** How frequent words are that are in more than a few texts. */
  readonly #frequent = new LRUCache<string, Found<never>>({ max: MOST_FREQUENT, ttl: FREQUENT_FOR });

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
    return this.#findAll(tenant, words, { ...TASKS, least: PROBE, isNewest: false });
  }

  /**
   * The same, of which no more than these are asked for.
   * @param least of which the newest are answered, where there are as many; by default whether there are many is known, and not
   *   which
   */
  async newestTasks(tenant: Tenant, words: readonly string[], least = PROBE): Promise<Found<number> | undefined> {
    return this.#findAll(tenant, words, { ...TASKS, least, isNewest: true });
  }

  /** The ids of the comments that may contain all of the words. The parameters and what is answered are as for tasks. */
  async comments(tenant: Tenant, words: readonly string[]): Promise<Found<string> | undefined> {
    return this.#findAll(tenant, words, { ...COMMENTS, least: PROBE, isNewest: false });
  }

  /** The same, of which no more than these are asked for. */
  async newestComments(tenant: Tenant, words: readonly string[], least: number): Promise<Found<string> | undefined> {
    return this.#findAll(tenant, words, { ...COMMENTS, least, isNewest: true });
  }

  /**
   * The statement of the numbers of the newest tasks that have what was found.
   * @param take rows of the page that is looked for among them
   * @returns undefined where that is all, or where the page is found sooner without them
   */
  newestNumbers(tenant: Tenant, { isWhole, share, trigrams }: Found<number>, take: number): SqlQuery | undefined {
    if (isWhole || share >= SHARE || share * NEAR < PROBE || take > PROBE) return undefined;
    // Nearly all of them have the words.
    const entries = entriesOf(tenant, trigrams, TASKS, Math.min(PROBE, 2 * take));
    return { ...entries, sql: `SELECT "value" AS "number" FROM (${entries.sql})` };
  }

  /** One word after another: together with a rare one, all texts of a common one would be gone through. */
  async #findAll<T>(tenant: Tenant, words: readonly string[], texts: Texts): Promise<Found<T> | undefined> {
    if (this.provider !== 'sqlite') return undefined;
    const longest = [...new Set(words)].sort((one, other) => other.length - one.length).slice(0, MOST_WORDS);
    const known = longest.map(trigramsOf).filter((trigrams) => trigrams.length > 0);
    const isListed = texts.least <= PROBE;
    /** Whether it need not be looked up which texts have the word. */
    const isKnown = ({ share }: Found<never>) => share >= SHARE || (isListed && texts.isNewest);
    let whole: Found<T> | undefined;
    let rarest: Found<T> | undefined;
    let share = 1;
    for (const trigrams of known) {
      const name = [texts.index, tenant.workspaceId, tenant.environment, ...trigrams].join(' ');
      const frequent = this.#frequent.get(name);
      const found: Found<T> = frequent && isKnown(frequent) ? frequent : await this.#find(tenant, trigrams, texts);
      share *= found.share;
      if (!found.isWhole) {
        if (!rarest || found.share < rarest.share) rarest = found;
        this.#frequent.set(name, { ...found, values: [] });
        continue;
      }
      const both = new Set(found.values);
      const values: readonly T[] = whole ? whole.values.filter((one) => both.has(one)) : found.values;
      whole = { ...found, values, isRare: found.isRare || whole?.isRare === true, share };
      if (whole.values.length <= FEW) break;
    }
    const isRare = texts.isNewest && rarest && rarest.share < SHARE;
    if (whole || known.length < 2 || share >= SHARE || isRare) {
      // Which texts have a frequent word was not looked up.
      const isWanted = !whole && rarest?.values.length === 0 && !isListed;
      return rarest && isWanted ? this.#find(tenant, rarest.trigrams, texts) : (whole ?? rarest);
    }
    // Each of them is in many texts; all of them may be in few.
    return this.#find(tenant, [...new Set(known.flat())], texts);
  }

  async #find<T>(tenant: Tenant, trigrams: readonly string[], texts: Texts): Promise<Found<T>> {
    let most = Math.max(PROBE, texts.least);
    let newest = await this.#newest<T>(tenant, trigrams, texts, most + 1);
    if (!texts.isNewest && newest.values.length > most && newest.all - newest.oldest > SOON) {
      most = MOST_FOUND;
      newest = await this.#newest(tenant, trigrams, texts, most + 1);
    }
    const { values, oldest, all } = newest;
    const count = values.length;
    const isWhole = count <= most;
    const isRare = isWhole && count ** 2 <= all * PAGE * (count > LOOKED_UP ? COMPARED : 1);
    return { isWhole, isRare, share: count / Math.max(1, all - oldest + 1), values: values.slice(0, most), trigrams };
  }

  /** As one text: rows would take longer to answer than to find. */
  async #newest<T>(
    tenant: Tenant,
    trigrams: readonly string[],
    texts: Texts,
    limit: number,
  ): Promise<{ values: T[]; oldest: number; all: number }> {
    const entries = entriesOf(tenant, trigrams, texts, limit);
    const sql = `SELECT json_group_array("value"), min("entry") % ${RANGE},
        (SELECT max("id") % ${RANGE} FROM "${texts.index}_docsize" WHERE "id" ${OF_TENANT})
      FROM (${entries.sql})`;
    const query = withTexts(sql, [...tenantArgs(tenant), ...entries.args]);
    this.onQuery(sql);
    const connection = this.connection();
    const rows = connection.queryRows ? await connection.queryRows(query) : (await connection.queryRaw(query)).rows;
    const [values, oldest, all] = rows[0] ?? [];
    return { values: JSON.parse(String(values ?? '[]')), oldest: Number(oldest ?? 0), all: Number(all ?? 0) };
  }
}

const TEXT = { scalarType: 'string', arity: 'scalar' } as const;
const withTexts = (sql: string, args: unknown[]): SqlQuery => ({ sql, args, argTypes: args.map(() => TEXT) });
const FIRST_OF_TENANT = `(SELECT "number" * ${RANGE} FROM "TextTenant" WHERE "workspaceId" = ? AND "environment" = ?)`;
const OF_TENANT = `BETWEEN ${FIRST_OF_TENANT} AND ${FIRST_OF_TENANT} + ${RANGE - 1}`;

const tenantArgs = ({ workspaceId, environment }: Tenant) => [workspaceId, environment, workspaceId, environment];

/** The newest texts that have all of the trigrams: what is answered of each, and its entry. */
function entriesOf(
  tenant: Tenant,
  trigrams: readonly string[],
  { index, column, from }: TextTable,
  limit: number,
): SqlQuery {
  const sql = `SELECT ${column} AS "value", "${index}".rowid AS "entry" FROM ${from}
        WHERE "${index}" MATCH ? AND "${index}".rowid ${OF_TENANT} ORDER BY "${index}".rowid DESC LIMIT ${limit}`;
  const match = trigrams.map((trigram) => `"${trigram.replaceAll('"', '""')}"`).join(' AND ');
  return withTexts(sql, [match, ...tenantArgs(tenant)]);
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
