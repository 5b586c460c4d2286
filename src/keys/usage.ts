/**
 * Usage of keys: counted in memory, written in batches beside the requests, at most FLUSH_EVERY late and exact in sum.
 * Writes only tables of its own, never a key's row, so that it cannot undo a change of the key.
 */
import { isIPv4 } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { Environment, PrismaClient } from '#prisma/client.js';
import { scopeSet } from '../scopes/scope.js';
import { raiseAlert } from './alerts.js';
import { list } from './apiKey.js';
import { normalizeBlock } from './network.js';

/** Milliseconds. */
const FLUSH_EVERY = 500;
const DAY = 86_400_000;
/** Longer operation names are cut. */
const NAME_LENGTH = 100;
/** Different operation names kept per key and day; the rest is counted as `other`. */
const MAX_NAMES = 200;

/** One request of an authenticated key. */
export interface Use {
  readonly key: { readonly id: string; readonly workspaceId: string; readonly environment: Environment };
  /** The names of the operations that ran; `anonymous` for one without. */
  readonly operations: readonly string[];
  readonly scopes: Iterable<string>;
  /** HTTP status */
  readonly status: number;
  readonly ip: string | null;
  readonly userAgent: string | null;
}

type Dimension = 'total' | 'operation' | 'scope' | 'status';
interface Pending {
  readonly key: Use['key'];
  readonly counts: Map<string, { day: string; dimension: Dimension; value: string; count: number }>;
  lastUse: { at: Date; ip: string | null; userAgent: string | null };
  readonly networks: Set<string>;
}

export class UsageRecorder {
  #pending = new Map<string, Pending>();
  #writing: Promise<void> = Promise.resolve();
  readonly #known = new LRUCache<string, true>({ max: 50_000 });
  readonly #timer: NodeJS.Timeout;

  constructor(
    private readonly system: PrismaClient,
    private readonly onError: (error: unknown) => void,
  ) {
    this.#timer = setInterval(() => void this.flush(), FLUSH_EVERY).unref();
  }

  record(use: Use, at = new Date()): void {
    const { key } = use;
    let pending = this.#pending.get(key.id);
    if (!pending) {
      pending = { key, counts: new Map(), lastUse: { at, ip: null, userAgent: null }, networks: new Set() };
      this.#pending.set(key.id, pending);
    }
    pending.lastUse = { at, ip: use.ip, userAgent: use.userAgent?.slice(0, 255) ?? null };
    const network = use.ip === null ? undefined : networkOf(use.ip);
    if (network !== undefined) pending.networks.add(network);
    const day = dayOf(at);
    count(pending, day, 'total', '');
    count(pending, day, 'status', String(use.status));
    for (const name of use.operations) count(pending, day, 'operation', name.slice(0, NAME_LENGTH));
    for (const scope of use.scopes) count(pending, day, 'scope', scope);
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
    try {
      await this.system.$transaction([...batch.values()].flatMap((pending) => this.#statements(pending)));
    } catch (error) {
      this.#takeBack(batch);
      this.onError(error);
      return;
    }
    for (const pending of batch.values()) {
      try {
        await this.#noteNetworks(pending);
      } catch (error) {
        this.onError(error);
      }
    }
  }

  #statements({ key, counts, lastUse }: Pending) {
    const tenant = { workspaceId: key.workspaceId, environment: key.environment };
    const keyId = key.id;
    return [
      this.system.apiKeyLastUse.upsert({
        where: { keyId },
        create: { keyId, ...tenant, ...lastUse },
        update: lastUse,
      }),
      ...[...counts.values()].map(({ day, dimension, value, count: counted }) =>
        this.system.apiKeyUsage.upsert({
          where: { keyId_day_dimension_value: { keyId, day, dimension, value } },
          create: { keyId, ...tenant, day, dimension, value, count: counted },
          update: { count: { increment: counted } },
        }),
      ),
    ];
  }

  #takeBack(batch: Map<string, Pending>): void {
    for (const [id, old] of batch) {
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
    }
  }

  /** A key's first network is where it lives; each further one is worth a look. */
  async #noteNetworks({ key, networks }: Pending): Promise<void> {
    for (const network of networks) {
      const name = `${key.id} ${network}`;
      if (this.#known.has(name)) continue;
      const where = { keyId_network: { keyId: key.id, network } };
      if ((await this.system.apiKeyNetwork.findUnique({ where })) === null) {
        const others = await this.system.apiKeyNetwork.count({ where: { keyId: key.id } });
        const { workspaceId, environment } = key;
        await this.system.apiKeyNetwork.upsert({
          where,
          create: { keyId: key.id, network, workspaceId, environment },
          update: {},
        });
        if (others > 0) {
          await raiseAlert(this.system, {
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

function count(pending: Pending, day: string, dimension: Dimension, value: string): void {
  const { counts } = pending;
  let name = `${day} ${dimension} ${value}`;
  let kept = value;
  if (dimension === 'operation' && !counts.has(name) && counts.size > MAX_NAMES) {
    kept = 'other';
    name = `${day} ${dimension} ${kept}`;
  }
  const entry = counts.get(name);
  if (entry) entry.count += 1;
  else counts.set(name, { day, dimension, value: kept, count: 1 });
}

function networkOf(ip: string): string | undefined {
  return normalizeBlock(`${ip}/${isIPv4(ip) ? 24 : 48}`);
}

/** UTC, YYYY-MM-DD */
export function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}

export interface UsageReport {
  readonly total: number;
  readonly byDay: readonly { day: string; count: number }[];
  readonly byOperation: readonly { name: string; count: number }[];
  readonly byScope: readonly { name: string; count: number }[];
  readonly byStatus: readonly { name: string; count: number }[];
}

interface UsageRow {
  readonly day: string;
  readonly dimension: string;
  readonly value: string;
  readonly count: number;
}

export function usageReport(rows: readonly UsageRow[]): UsageReport {
  const sums = (dimension: Dimension, by: 'day' | 'value') => {
    const found = new Map<string, number>();
    for (const row of rows) {
      if (row.dimension === dimension) found.set(row[by], (found.get(row[by]) ?? 0) + row.count);
    }
    return found;
  };
  const named = (dimension: Dimension) =>
    [...sums(dimension, 'value')]
      .map(([name, counted]) => ({ name, count: counted }))
      .sort((a, b) => b.count - a.count);
  const days = [...sums('total', 'day')].map(([day, counted]) => ({ day, count: counted }));
  return {
    total: days.reduce((sum, { count: counted }) => sum + counted, 0),
    byDay: days.sort((a, b) => a.day.localeCompare(b.day)),
    byOperation: named('operation'),
    byScope: named('scope'),
    byStatus: named('status'),
  };
}

/** The day `days` ago, from which on usage counts. */
export function since(days: number, now = new Date()): string {
  return dayOf(new Date(now.getTime() - days * DAY));
}

/** Grants of which nothing was used: what the key could do without. */
export function unusedGrants(grants: string, used: ReadonlySet<string>): string[] {
  return list(grants).filter((grant) => ![...scopeSet([grant])].some((scope) => used.has(scope)));
}
