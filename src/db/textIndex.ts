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

/** Texts that contain a word, when their number is no more than that: beyond it reading the newest finds enough soon. */
const MOST_FOUND = 1000;

export class TextIndex {
  constructor(
    private readonly provider: Provider,
    private readonly connection: () => RowConnection,
    private readonly onQuery: (sql: string) => void = () => {},
  ) {}

  /**
   * The numbers of the tasks whose title and description may contain all of the words.
   * @returns undefined where there are many, or where they are found without being asked for
   */
  async taskNumbers(tenant: Tenant, words: readonly string[]): Promise<number[] | undefined> {
    const numbers = `SELECT "TaskText".rowid % ${RANGE} FROM "TaskText"`;
    return (await this.#findAll(tenant, words, numbers, 'TaskText'))?.map(Number);
  }

  /** The ids of the comments that may contain all of the words. @returns undefined as above */
  async commentIds(tenant: Tenant, words: readonly string[]): Promise<string[] | undefined> {
    const ids = 'SELECT "commentId" FROM "CommentText" JOIN "CommentTextRow" ON "number" = "CommentText".rowid';
    return (await this.#findAll(tenant, words, ids, 'CommentText')) as string[] | undefined;
  }

  /** One word after another: together with a rare one, all texts of a common one would be gone through. */
  async #findAll(
    tenant: Tenant,
    words: readonly string[],
    select: string,
    index: string,
  ): Promise<unknown[] | undefined> {
    if (this.provider !== 'sqlite') return undefined;
    let all: unknown[] | undefined;
    const longest = [...new Set(words)].sort((one, other) => other.length - one.length).slice(0, MOST_WORDS);
    for (const word of longest) {
      const found = await this.#find(tenant, trigramsOf(word), select, index);
      const known = found && new Set(found);
      all = all && known ? all.filter((one) => known.has(one)) : (found ?? all);
      if (all && all.length <= FEW) break;
    }
    return all;
  }

  async #find({ workspaceId, environment }: Tenant, trigrams: readonly string[], select: string, index: string) {
    if (trigrams.length === 0) return undefined;
    const first = `(SELECT "number" * ${RANGE} FROM "TextTenant" WHERE "workspaceId" = ? AND "environment" = ?)`;
    const isOfTenant = `"${index}".rowid BETWEEN ${first} AND ${first} + ${RANGE - 1}`;
    const sql = `${select} WHERE "${index}" MATCH ? AND ${isOfTenant} LIMIT ${MOST_FOUND + 1}`;
    const match = trigrams.map((trigram) => `"${trigram.replaceAll('"', '""')}"`).join(' AND ');
    const args = [match, workspaceId, environment, workspaceId, environment];
    const argTypes = args.map(() => ({ scalarType: 'string', arity: 'scalar' }) as const);
    this.onQuery(sql);
    const connection = this.connection();
    const query = { sql, args, argTypes };
    const rows = connection.queryRows ? await connection.queryRows(query) : (await connection.queryRaw(query)).rows;
    return rows.length > MOST_FOUND ? undefined : rows.map(([value]) => value);
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
