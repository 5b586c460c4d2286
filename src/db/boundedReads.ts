/**
 * Which reads may hold the thread that asks them: those that go through more rows than they answer. What is known of a
 * statement is its text and SQLite's plan of it; one of which nothing is known may.
 */
import type Database from 'better-sqlite3';
import { LRUCache } from 'lru-cache';
import { prepareAnew } from './sqliteStatements.js';

const MAX_STATEMENTS = 2000;
/** Rows that are passed over in a moment. */
const SHORT_OFFSET = 1000;
/** Rows that are sorted in a moment. */
const FEW_SORTED = 100;
/** Tables of a few rows for each workspace. */
const SMALL_TABLES = new Set(['TaskCount', 'Epoch']);

const COMPARISON = /(?:=|<>|<=|>=|<|>) \?| (?:NOT )?(?:IN|LIKE) ?\(| LIKE | IS (?:NOT )?NULL/g;
/** Rows after those of a cursor: beside the range of the index there is only this, for rows that are equal. */
const AFTER_CURSOR = /\(\S+`(\w+)` ([<>]) \? OR \(\S+`\1` = \? AND \S+`id` \2 \?\)\) AND /g;
/** A row of another table for each row (src/db/rows.ts), found by its id. */
const JOINS = / LEFT JOIN `(\w+)` AS `(\w+)` ON .*?(?= LEFT JOIN | WHERE )/g;
const JOINED = /^SEARCH (\w+) USING INDEX sqlite_autoindex_\w+_1 \(id=\?\) LEFT-JOIN$/;
const SEARCH = /^SEARCH (?:main\.)?(\w+) USING (?:COVERING )?INDEX (\w+) \(([^)]*)\)$/;

/**
 * `value`: at most a row for each value that is searched. `range`: as many as are answered, from the beginning of a range
 * of an index. `sorted`: the same, but all of the range is read before the first row is answered.
 */
type Bound = 'value' | 'range' | 'sorted' | 'none';

export class BoundedReads {
  readonly #known = new LRUCache<string, Bound>({ max: MAX_STATEMENTS });

  constructor(private readonly driver: Database.Database) {}

  /** Whether the read goes through no more rows than it answers, or some. */
  has(sql: string, args: readonly unknown[]): boolean {
    let bound = this.#known.get(sql);
    if (bound === undefined) {
      bound = this.#boundOf(sql, args);
      this.#known.set(sql, bound);
    }
    if (bound === 'value' || bound === 'none') return bound === 'value';
    if (/ LIMIT \d+$/.test(sql)) return bound === 'range';
    if (!sql.endsWith(' OFFSET ?')) return true;
    const limit = sql.endsWith('LIMIT ? OFFSET ?') ? Number(args.at(-2)) : 0;
    return (bound === 'range' || limit === -1) && Number(args.at(-1)) <= SHORT_OFFSET;
  }

  #boundOf(sql: string, args: readonly unknown[]): Bound {
    const steps = this.#plan(sql, args);
    const joins = new Set([...sql.matchAll(JOINS)].map(([, , alias]) => alias));
    const plan = steps.filter((step) => !joins.delete(JOINED.exec(step)?.[1]));
    if (joins.size > 0) return 'none';
    const searches = plan.map((step) => SEARCH.exec(step)).filter((match) => match !== null);
    const [search] = searches;
    if (!search || searches.length > 1) return 'none';
    const [, table = '', index = '', found = ''] = search;
    if (SMALL_TABLES.has(table)) return 'value';
    if ((sql.match(/\bSELECT\b/gi) ?? []).length > 1) return 'none';
    const others = plan.filter((step) => step !== search[0]);
    const terms = found.split(' AND ');
    const isSorted = others.length === 1 && others[0] === 'USE TEMP B-TREE FOR ORDER BY';
    // Long texts take long to compare.
    const isSortedSoon = isSorted && args.length <= FEW_SORTED && !sql.includes(' LIKE ');
    const isPlain = others.length === 0 || isSortedSoon;
    if (isPlain && this.#isUnique(table, index, terms.filter((term) => term.endsWith('=?')).length)) return 'value';
    // What the index does not find is compared row by row, with rows that are not answered too.
    const compared = sql.replace(JOINS, '').replace(AFTER_CURSOR, '').match(COMPARISON)?.length ?? 0;
    if (compared !== terms.length || /\b(?:COUNT|SUM|MIN|MAX|GROUP BY|DISTINCT)\b/i.test(sql)) return 'none';
    if (others.length === 0) return 'range';
    return isSorted ? 'sorted' : 'none';
  }

  #plan(sql: string, args: readonly unknown[]): string[] {
    try {
      const steps = prepareAnew(this.driver, `EXPLAIN QUERY PLAN ${sql}`).all(args) as { detail: string }[];
      return steps.map(({ detail }) => detail);
    } catch {
      // What is wrong with it is said where it runs.
      return [];
    }
  }

  #isUnique(table: string, index: string, columns: number): boolean {
    const sql = `SELECT "unique" AS "isUnique", (SELECT count(*) FROM pragma_index_info(?)) AS "columns"
      FROM pragma_index_list(?) WHERE "name" = ?`;
    const row = prepareAnew(this.driver, sql).safeIntegers(false).get(index, table, index) as
      | { isUnique: number; columns: number }
      | undefined;
    return row?.isUnique === 1 && row.columns === columns;
  }
}
