/** The connection that all parts share. Commands fail at once while Redis is away; it comes back by itself. */
import { Redis } from 'ioredis';

/** Milliseconds. */
const COMMAND_TIMEOUT = 2000;
const CONNECT_TIMEOUT = 2000;
const MAX_RECONNECT_PAUSE = 1000;
const HEARTBEAT = 1000;
const ALIVE = 4000;
/**
 * How long a connection does not answer before it is made again, in milliseconds: one whose other end has vanished says nothing. Something
 * is asked by each connection more often than that.
 */
export const SILENT = 5000;

export interface SharedRedis {
  readonly client: Redis;
  /** Resolves when it is connected, or has failed to be for the first time: a server starts either way. */
  readonly settled: Promise<void>;
  /** How many processes are on this Redis, this one included, as of the last answer. */
  processes(): number;
  isReachable(): Promise<boolean>;
  close(): void;
}

/** What Redis answers where the address names a user, a password or a database that it does not have. */
const REFUSED = /DB index|WRONGPASS|NOAUTH|invalid (?:username|password|DB)/i;

/** @param onRefused told why, once for each reason */
export function connectRedis(url: string, id: string, onRefused: (reason: string) => void): SharedRedis {
  const client = new Redis(url, {
    commandTimeout: COMMAND_TIMEOUT,
    connectTimeout: CONNECT_TIMEOUT,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: (attempt) => Math.min(attempt * 50, MAX_RECONNECT_PAUSE),
  });
  const told = new Set<string>();
  // Each command reports its own failure; without a listener the process would end.
  client.on('error', ({ message }: Error) => {
    if (!REFUSED.test(message)) return;
    if (!told.has(message)) onRefused(message);
    told.add(message);
    // Not left in another database than the one that is named.
    if (/DB index/i.test(message)) client.disconnect();
  });

  let known = 1;
  let answeredAt = performance.now();
  const beat = async () => {
    if (client.status === 'ready' && performance.now() - answeredAt > SILENT) return client.disconnect(true);
    try {
      const now = Date.now();
      await client.zadd('taskgate:processes', now, id);
      await client.zremrangebyscore('taskgate:processes', 0, now - ALIVE);
      known = Math.max(1, await client.zcard('taskgate:processes'));
      answeredAt = performance.now();
    } catch {
      // Redis is away: the last number stands.
    }
  };
  client.on('ready', () => {
    answeredAt = performance.now();
    void beat();
  });
  const timer = setInterval(() => void beat(), HEARTBEAT).unref();

  const settled = new Promise<void>((resolve) => {
    client.once('ready', resolve);
    client.once('error', () => resolve());
  });

  return {
    client,
    settled,
    processes: () => known,
    isReachable: () =>
      client.ping().then(
        () => true,
        () => false,
      ),
    close() {
      clearInterval(timer);
      client.disconnect();
    },
  };
}
