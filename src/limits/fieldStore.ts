/** Where the calls of limited fields are remembered, behind graphql-rate-limit's `Store`; bounded, in memory or in Redis. */
import type { Identity, Store } from 'graphql-rate-limit';
import type { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';

export interface FieldStore extends Store {
  /** When the first call of this bucket that still counts was made, in milliseconds, as of the last look. */
  oldest(bucket: string): number | undefined;
}

const MAX_BUCKETS = 50_000;

export class MemoryFieldStore implements FieldStore {
  readonly #calls = new LRUCache<string, readonly number[]>({ max: MAX_BUCKETS });

  setForIdentity({ contextIdentity }: Identity, timestamps: readonly number[], windowMs = 0): void {
    this.#calls.set(contextIdentity, timestamps, { ttl: windowMs });
  }

  getForIdentity({ contextIdentity }: Identity): readonly number[] {
    return this.#calls.get(contextIdentity) ?? [];
  }

  oldest(bucket: string): number | undefined {
    return this.#calls.get(bucket)?.[0];
  }
}

/** Another process has written between the reading and the writing of this one; nothing was counted. */
export class ChangedMeanwhile extends Error {}

/** Writes only over what was read. */
const SCRIPT = `
local stored = redis.call('GET', KEYS[1]) or ''
if stored ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
`;

interface WithScript {
  replaceIfUnchanged(key: string, before: string, after: string, ttl: number): Promise<0 | 1>;
}

/** Shared by all processes. While Redis is out of reach each counts on its own. */
export class RedisFieldStore implements FieldStore {
  readonly #alone = new MemoryFieldStore();
  readonly #redis: Redis & WithScript;
  readonly #read = new LRUCache<string, string>({ max: MAX_BUCKETS });

  constructor(redis: Redis) {
    redis.defineCommand('replaceIfUnchanged', { lua: SCRIPT, numberOfKeys: 1 });
    this.#redis = redis as Redis & WithScript;
  }

  async getForIdentity(identity: Identity): Promise<readonly number[]> {
    const bucket = identity.contextIdentity;
    try {
      const stored = (await this.#redis.get(nameOf(bucket))) ?? '';
      this.#read.set(bucket, stored);
      return timesOf(stored);
    } catch {
      this.#read.delete(bucket);
      return this.#alone.getForIdentity(identity);
    }
  }

  /** @throws ChangedMeanwhile */
  async setForIdentity(identity: Identity, timestamps: readonly number[], windowMs = 0): Promise<void> {
    const bucket = identity.contextIdentity;
    this.#alone.setForIdentity(identity, timestamps, windowMs);
    const before = this.#read.get(bucket);
    if (before === undefined) return;
    let replaced: 0 | 1;
    try {
      replaced = await this.#redis.replaceIfUnchanged(nameOf(bucket), before, timestamps.join(' '), windowMs);
    } catch {
      return;
    }
    if (replaced === 0) throw new ChangedMeanwhile();
  }

  oldest(bucket: string): number | undefined {
    return this.#alone.oldest(bucket);
  }
}

const nameOf = (bucket: string) => `taskgate:field:${bucket}`;
const timesOf = (stored: string) => stored.split(' ').filter(Boolean).map(Number);
