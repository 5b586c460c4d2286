/**
 * On PostgreSQL, how far back the newest tasks that have some words are looked for first. By its index of texts it would compare all
 * that have them, of a million tasks, or walk through the list where it takes them for more frequent than they are: it estimates
 * parts of a hundredth. The index has the day on which each task was made as well. Which rows are found does not depend on what
 * is known here, but only how fast.
 */
import type { SqlQuery } from '@prisma/driver-adapter-utils';
import { LRUCache } from 'lru-cache';
import type { Provider } from './provider.js';
import type { RowConnection } from './rows.js';
import { dayOf, MADE_ON, type Where } from './statement.js';
import { nameOfReach, type Reach, type Tenant } from './tenant.js';

/** Tasks within which a common word fills a page. Of twice as many at most, all are looked at. */
const FEWEST = 16_384;
/** Days of a span, the newest of which is that of the newest task. */
const SPANS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
/** Each is looked up by itself. */
const MOST_DAYS = 64;
/** Rows that a span should have, as a part of those that are asked for: its share of them is an estimate. */
const PLENTY = 1.2;

/** Workspaces, and lists, of which something is remembered, and for how long, in milliseconds. */
const MOST_TENANTS = 1000;
const MOST_LISTS = 5000;
const KNOWN_FOR = 300_000;
/** Characters of a condition. */
const MAX_NAME = 2000;

/** Others are not in the index, so that all tasks of the days would be compared. */
const hasTrigram = (word: string) => /[\p{L}\p{N}]{3}/u.test(word);

const DAY = 86_400_000;
const FIRST_DAY = Date.UTC(2000, 0, 1);

/** Tasks that were made on or after a day. */
interface Span {
  readonly days: readonly string[];
  /** About so many. */
  readonly tasks: number;
}

export class RecentTexts {
  readonly #spans = new LRUCache<string, readonly Span[]>({ max: MOST_TENANTS, ttl: KNOWN_FOR });
  /** Of the tasks that were looked at last, the part that was found. */
  readonly #shares = new LRUCache<string, number>({ max: MOST_LISTS, ttl: KNOWN_FOR });

  constructor(
    private readonly provider: Provider,
    private readonly connection: () => RowConnection,
    private readonly onQuery: (sql: string) => void = () => {},
  ) {}

  /**
   * The first rows of a list whose newest tasks come first.
   * @param words that the tasks must have
   * @param where the condition of the list, with the words
   * @param take how many are asked for
   * @param read reads so many of the list: of those that satisfy a condition besides, or of all
   */
  async newest<Row>(
    reach: Reach,
    words: readonly string[],
    { where, take }: { readonly where: Where; readonly take: number },
    read: (within?: Where) => Promise<Row[]>,
  ): Promise<Row[]> {
    if (this.provider !== 'postgresql' || take === 0 || !words.every(hasTrigram)) return read();
    const name = `${nameOfReach(reach)} ${JSON.stringify(where)}`;
    const spans = name.length > MAX_NAME ? [] : await this.#spansOf(reach);
    for (const { days, tasks } of spans) {
      const share = this.#shares.get(name);
      if (share !== undefined && share * tasks < PLENTY * take) continue;
      const rows = await read({ [MADE_ON]: days });
      if (rows.length >= take) return rows;
      this.#shares.set(name, rows.length / tasks);
    }
    return read();
  }

  /** The shortest first. */
  async #spansOf({ workspaceId, environment }: Tenant): Promise<readonly Span[]> {
    const name = `${workspaceId} ${environment}`;
    const known = this.#spans.get(name);
    if (known) return known;
    const { last, lengths } = await this.#lengths({ workspaceId, environment });
    const today = Math.floor((Date.now() - FIRST_DAY) / DAY);
    const spans = lengths.flatMap(({ first, tasks }) => {
      // With tomorrow: clocks differ, and this is known for a while.
      const days = today + 1 - first + 1;
      if (tasks < FEWEST || tasks > last / 2 || days > MOST_DAYS || days < 1) return [];
      return [{ days: Array.from({ length: days }, (_, index) => dayOf(workspaceId, first + index)), tasks }];
    });
    this.#spans.set(name, spans);
    return spans;
  }

  /** The last number, and of each span its first day and about how many tasks it has; none where there is no index. */
  async #lengths({ workspaceId, environment }: Tenant) {
    const ofTenant = `"workspaceId" = $1 AND "environment" = CAST($2::text AS "Environment")`;
    const sql = `SELECT "newest"."number", "newest"."createdAt"::date - DATE '2000-01-01' - "days" + 1, (SELECT "number" FROM "Task"
        WHERE ${ofTenant} AND "createdAt" >= "newest"."createdAt"::date - "days" + 1 ORDER BY "createdAt", "id" LIMIT 1)
      FROM (SELECT "number", "createdAt" FROM "Task" WHERE ${ofTenant} ORDER BY "createdAt" DESC, "id" DESC LIMIT 1) AS "newest"
      CROSS JOIN unnest(ARRAY[${SPANS.join()}]) AS "days" WHERE to_regclass('"Task_recent_text_idx"') IS NOT NULL`;
    const text = { scalarType: 'string', arity: 'scalar' } as const;
    const query: SqlQuery = { sql, args: [workspaceId, environment], argTypes: [text, text] };
    this.onQuery(sql);
    const { rows } = await this.connection().queryRaw(query);
    const last = Number(rows[0]?.[0] ?? 0);
    const lengths = rows.map(([, day, number]) => ({ first: Number(day), tasks: last - Number(number) + 1 }));
    return { last, lengths };
  }
}
