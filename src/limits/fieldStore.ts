/** Where the calls of limited fields are remembered, behind graphql-rate-limit's `Store`; bounded, in memory or shared by processes. */
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

/** Texts that several processes share. */
export interface SharedTexts {
  /** Empty where there is none. */
  get(name: string): Promise<string>;
  /**
   * Writes only over what was read.
   * @param after empty to remove it
   * @param ttl milliseconds
   * @returns whether it was still that
   */
  replace(name: string, before: string, after: string, ttl: number): Promise<boolean>;
}

/** In this process, for those that ask it. */
export class MemoryTexts implements SharedTexts {
  readonly #texts = new LRUCache<string, string>({ max: MAX_BUCKETS });

  async get(name: string): Promise<string> {
    return this.#texts.get(name) ?? '';
  }

  async replace(name: string, before: string, after: string, ttl: number): Promise<boolean> {
    if ((this.#texts.get(name) ?? '') !== before) return false;
    if (after === '') this.#texts.delete(name);
    else this.#texts.set(name, after, { ttl });
    return true;
  }
}

const SCRIPT = `
local stored = redis.call('GET', KEYS[1]) or ''
if stored ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
`;

interface WithScript {
  replaceIfUnchanged(key: string, before: string, after: string, ttl: number): Promise<0 | 1>;
}

export function redisTexts(client: Redis): SharedTexts {
  client.defineCommand('replaceIfUnchanged', { lua: SCRIPT, numberOfKeys: 1 });
  const redis = client as Redis & WithScript;
  const keyOf = (name: string) => `taskgate:field:${name}`;
  return {
    get: async (name) => (await redis.get(keyOf(name))) ?? '',
    replace: async (name, before, after, ttl) =>
      (await redis.replaceIfUnchanged(keyOf(name), before, after, ttl)) === 1,
  };
}

/** Shared by all processes. While what they share is out of reach, each counts on its own. */
export class SharedFieldStore implements FieldStore {
  readonly #alone = new MemoryFieldStore();
  readonly #read = new LRUCache<string, string>({ max: MAX_BUCKETS });

  constructor(private readonly texts: SharedTexts) {}

  async getForIdentity(identity: Identity): Promise<readonly number[]> {
    const bucket = identity.contextIdentity;
    try {
      const stored = await this.texts.get(bucket);
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
    let replaced: boolean;
    try {
      replaced = await this.texts.replace(bucket, before, timestamps.join(' '), windowMs);
    } catch {
      return;
    }
    if (!replaced) throw new ChangedMeanwhile();
  }

  oldest(bucket: string): number | undefined {
    return this.#alone.oldest(bucket);
  }
}

const timesOf = (stored: string) => stored.split(' ').filter(Boolean).map(Number);
