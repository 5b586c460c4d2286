/**
 * Usage of keys: counted in memory, written in batches beside the requests, at most FLUSH_EVERY late and exact in sum.
 * Writes only tables of its own, never a key's row, so that it cannot undo a change of the key.
 */
import { LRUCache } from 'lru-cache';
import type { Environment, PrismaClient } from '#prisma/client.js';
import { atMost } from '../atMost.js';
import { shortUserAgent } from '../audit/entry.js';
import type { Database } from '../db/database.js';
import type { Merge } from '../db/insertions.js';
import type { TenantDatabase } from '../db/tenant.js';
import { scopeSet } from '../scopes/scope.js';
import { raiseAlert } from './alerts.js';
import { listOf } from './authority.js';
import { networkOf } from './network.js';

/** Milliseconds. */
const FLUSH_EVERY = 500;
const DAY = 86_400_000;
const MINUTE = 60_000;
/** Longer operation names are cut. */
const NAME_LENGTH = 100;
/** Different names of a dimension kept per key and day; the rest is counted as `other`. */
const MAX_KEPT = 200;
/** Dimensions whose names clients choose. */
const BOUNDED: readonly Dimension[] = ['operation', 'network'];
const OTHER = 'other';
/** Keys that are written together, whose counts are within what one statement may hold. */
const MOST_KEYS = 10;
/** Rows of one statement. */
const MOST_ROWS = 1000;
const SAME_COUNT: Merge = { by: ['keyId', 'day', 'dimension', 'value'], adding: 'count' };
/** Networks kept per key: a key that is used from more raises the same alert. */
const MAX_NETWORKS = 1000;

/** An operation of a set that a key is locked to. */
export interface UsedOperation {
  readonly setId: string;
  readonly hash: string;
}

/** One request of an authenticated key. */
export interface Use {
  readonly key: { readonly id: string; readonly workspaceId: string; readonly environment: Environment };
  /** The names of the operations that ran; `anonymous` for one without. */
  readonly operations: readonly string[];
  readonly scopes: Iterable<string>;
  /** Scopes that were missing. */
  readonly missing?: Iterable<string>;
  /** Projects, for a key that is bound to some. */
  readonly projects?: Iterable<string>;
  readonly locked?: readonly UsedOperation[];
  /** HTTP status */
  readonly status: number;
  readonly ip: string | null;
  readonly userAgent: string | null;
}

type Dimension = 'total' | 'operation' | 'scope' | 'status' | 'project' | 'missing' | 'network';
interface Pending {
  readonly key: Use['key'];
  readonly counts: Map<string, { day: string; dimension: Dimension; value: string; count: number }>;
  lastUse: { at: Date; ip: string | null; userAgent: string | null };
  readonly networks: Set<string>;
  /** Which operations of its sets it ran, by set and hash. */
  readonly locked: Map<string, UsedOperation>;
}

export class UsageRecorder {
  #pending = new Map<string, Pending>();
  #writing: Promise<void> = Promise.resolve();
  readonly #known = new LRUCache<string, true>(atMost(50_000));
  /** The names that a key has on a day, as far as this process saw them written. */
  readonly #names = new LRUCache<string, Set<string>>(atMost(500));
  /** In which minute an operation was written to have run. */
  readonly #ran = new LRUCache<string, number>(atMost(50_000));
  readonly #timer: NodeJS.Timeout;

  readonly #system: PrismaClient;

  constructor(
    private readonly database: Pick<Database, 'system' | 'inTransaction'>,
    private readonly onError: (error: unknown) => void,
    private readonly clock: () => Date = () => new Date(),
  ) {
    this.#system = database.system;
    this.#timer = setInterval(() => void this.flush(), FLUSH_EVERY).unref();
  }

  record(use: Use): void {
    const { key } = use;
    const at = this.clock();
    let pending = this.#pending.get(key.id);
    if (!pending) {
      pending = {
        key,
        counts: new Map(),
        lastUse: { at, ip: null, userAgent: null },
        networks: new Set(),
        locked: new Map(),
      };
      this.#pending.set(key.id, pending);
    }
    pending.lastUse = { at, ip: use.ip, userAgent: shortUserAgent(use.userAgent) };
    const network = use.ip === null ? undefined : networkOf(use.ip, 24, 48);
    if (network !== undefined) pending.networks.add(network);
    const day = dayOf(at);
    count(pending, day, 'total', '');
    count(pending, day, 'status', String(use.status));
    for (const name of use.operations) count(pending, day, 'operation', name.slice(0, NAME_LENGTH));
    for (const scope of use.scopes) count(pending, day, 'scope', scope);
    for (const scope of use.missing ?? []) count(pending, day, 'missing', scope);
    for (const project of use.projects ?? []) count(pending, day, 'project', project);
    if (network !== undefined) count(pending, day, 'network', network);
    for (const used of use.locked ?? []) pending.locked.set(`${used.setId} ${used.hash}`, used);
  }

  /** Writes what is counted; what cannot be written is kept for the next time. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }

  async #write(): Promise<void> {
    const batch = this.#pending;
    if (batch.size === 0) return;
    this.#pending = new Map();
    // In the order in which all processes write them, so that none waits for another in a circle.
    const all = [...batch.values()].sort((a, b) => (a.key.id < b.key.id ? -1 : 1));
    let written = all.length;
    for (let at = 0; at < all.length; at += MOST_KEYS) {
      const part = all.slice(at, at + MOST_KEYS);
      try {
        for (const pending of part) await this.#boundNames(pending);
        await this.#add(part);
      } catch (error) {
        this.#takeBack(all.slice(at));
        this.onError(error);
        written = at;
        break;
      }
    }
    for (const pending of all.slice(0, written)) {
      try {
        await this.#noteNetworks(pending);
        await this.#noteOperations(pending);
      } catch (error) {
        this.onError(error);
      }
    }
  }

  /** Counts names beyond the most that a key may have on a day as one, whichever process wrote the others. */
  async #boundNames({ key, counts }: Pending): Promise<void> {
    const days = new Set([...counts.values()].map(({ day }) => day));
    for (const [day, dimension] of [...days].flatMap((one) => BOUNDED.map((of) => [one, of] as const))) {
      const entries = [...counts].filter(([, entry]) => entry.dimension === dimension && entry.day === day);
      if (entries.length === 0) continue;
      const cached = `${key.id} ${day} ${dimension}`;
      let names = this.#names.get(cached) ?? new Set<string>();
      if (entries.some(([, { value }]) => !names.has(value))) {
        const where = { keyId: key.id, day, dimension };
        const rows = await this.#system.apiKeyUsage.findMany({ where, select: { value: true }, take: MAX_KEPT + 1 });
        names = new Set(rows.map(({ value }) => value));
      }
      for (const [name, { value, count: counted }] of entries) {
        if (!names.has(value) && names.size >= MAX_KEPT) {
          counts.delete(name);
          add(counts, day, dimension, OTHER, counted);
        } else names.add(value);
      }
      this.#names.set(cached, names);
    }
  }

  /** Adds what was counted of some keys, of all or of none. */
  async #add(part: readonly Pending[]): Promise<void> {
    await this.database.inTransaction(async (transaction) => {
      const rows = part.map(({ key: { id, workspaceId, environment }, lastUse }) => ({
        ...{ keyId: id, workspaceId, environment },
        ...lastUse,
      }));
      transaction.insert('ApiKeyLastUse', rows, { by: ['keyId'], replacing: ['at', 'ip', 'userAgent'] });
      const counted = part.flatMap(({ key: { id, workspaceId, environment }, counts }) =>
        [...counts.values()].map((entry) => ({ keyId: id, workspaceId, environment, ...entry })),
      );
      for (let at = 0; at < counted.length; at += MOST_ROWS) {
        transaction.insert('ApiKeyUsage', counted.slice(at, at + MOST_ROWS), SAME_COUNT);
      }
    });
  }

  #takeBack(batch: readonly Pending[]): void {
    for (const old of batch) {
      const { id } = old.key;
      const newer = this.#pending.get(id);
      if (!newer) {
        this.#pending.set(id, old);
        continue;
      }
      for (const [name, entry] of old.counts) {
        const same = newer.counts.get(name);
        if (same) same.count += entry.count;
        else newer.counts.set(name, entry);
      }
      for (const network of old.networks) newer.networks.add(network);
      for (const [name, used] of old.locked) newer.locked.set(name, used);
    }
  }

  /** When an operation that a key is locked to ran last: to the minute, so that what runs often is written seldom. */
  async #noteOperations({ locked, lastUse }: Pending): Promise<void> {
    const minute = Math.floor(lastUse.at.getTime() / MINUTE);
    for (const [name, { setId, hash }] of locked) {
      if (this.#ran.get(name) === minute) continue;
      await this.#system.keyOperation.updateMany({ where: { setId, hash }, data: { lastUsedAt: lastUse.at } });
      this.#ran.set(name, minute);
    }
  }

  /** A key's first network is where it lives; each further one is worth a look. */
  async #noteNetworks({ key, networks }: Pending): Promise<void> {
    for (const network of networks) {
      const name = `${key.id} ${network}`;
      if (this.#known.has(name)) continue;
      const where = { keyId_network: { keyId: key.id, network } };
      if ((await this.#system.apiKeyNetwork.findUnique({ where })) === null) {
        const others = await this.#system.apiKeyNetwork.count({ where: { keyId: key.id } });
        if (others >= MAX_NETWORKS) continue;
        const { workspaceId, environment } = key;
        await this.#system.apiKeyNetwork.upsert({
          where,
          create: { keyId: key.id, network, workspaceId, environment },
          update: {},
        });
        if (others > 0) {
          await raiseAlert(this.#system, {
            workspaceId,
            environment,
            kind: 'NEW_NETWORK',
            keyId: key.id,
            message: `The key was used from ${network} for the first time.`,
            occasion: network,
          });
        }
      }
      this.#known.set(name, true);
    }
  }
}

function count({ counts }: Pending, day: string, dimension: Dimension, value: string): void {
  const isNew = !counts.has(nameOf(day, dimension, value));
  // Between two writes; #boundNames looks at the whole day.
  const isBeyond = isNew && BOUNDED.includes(dimension) && counts.size > MAX_KEPT;
  const kept = isBeyond ? OTHER : value;
  add(counts, day, dimension, kept, 1);
}

function add(counts: Pending['counts'], day: string, dimension: Dimension, value: string, by: number): void {
  const name = nameOf(day, dimension, value);
  const entry = counts.get(name);
  if (entry) entry.count += by;
  else counts.set(name, { day, dimension, value, count: by });
}

const nameOf = (day: string, dimension: Dimension, value: string) => `${day} ${dimension} ${value}`;

/** UTC, YYYY-MM-DD */
export function dayOf(date: Date): string {
  const time = date.getTime();
  if (!(time >= lastDay.from && time < lastDay.from + DAY)) {
    lastDay = { from: time - (((time % DAY) + DAY) % DAY), name: date.toISOString().slice(0, 10) };
  }
  return lastDay.name;
}

/** The day that was asked for last, from its first millisecond: each request asks for the same one. */
let lastDay = { from: Number.NaN, name: '' };

/** Days, and names of one dimension, that are answered at most. */
const MAX_DAYS = 400;
export const MAX_NAMES = 200;

/** What a key was used for between two days; asked of the database, which adds up, when it is asked for. */
export class KeyUsage {
  /** @param day the first and the last one, YYYY-MM-DD */
  constructor(
    private readonly db: Pick<TenantDatabase, 'apiKeyUsage'>,
    private readonly keyId: string,
    private readonly day: { readonly gte: string; readonly lte?: string },
  ) {}

  async total(): Promise<number> {
    const { _sum } = await this.db.apiKeyUsage.aggregate({ where: this.#where('total'), _sum: { count: true } });
    return _sum.count ?? 0;
  }

  /** The last days on which it was used, oldest first. */
  async byDay(): Promise<{ day: string; count: number }[]> {
    const days = await this.db.apiKeyUsage.findMany({
      where: this.#where('total'),
      select: { day: true, count: true },
      orderBy: { day: 'desc' },
      take: MAX_DAYS,
    });
    return days.reverse();
  }

  /** The most frequent first. */
  async by(
    dimension: 'operation' | 'scope' | 'status' | 'network' | 'missing',
  ): Promise<{ name: string; count: number }[]> {
    const groups = await this.db.apiKeyUsage.groupBy({
      by: ['value'],
      where: this.#where(dimension),
      _sum: { count: true },
      orderBy: [{ _sum: { count: 'desc' } }, { value: 'asc' }],
      take: MAX_NAMES,
    });
    return groups.map(({ value, _sum }) => ({ name: value, count: _sum.count ?? 0 }));
  }

  #where(dimension: Dimension) {
    return { keyId: this.keyId, day: this.day, dimension };
  }
}

/** The day `days` ago, from which on usage counts. */
export function since(days: number, now = new Date()): string {
  return dayOf(new Date(now.getTime() - days * DAY));
}

/** Grants of which nothing was used: what the key could do without. */
export function unusedGrants(grants: string, used: ReadonlySet<string>): string[] {
  return listOf(grants).filter((grant) => ![...scopeSet([grant])].some((scope) => used.has(scope)));
}
