/** Composes the application from its parts; src/server.ts gives it a port. */
import cluster from 'node:cluster';
import { randomUUID } from 'node:crypto';
import { Authenticator } from './auth/authenticator.js';
import type { Services } from './auth/context.js';
import type { Config } from './config.js';
import { startCleanup } from './db/cleanup.js';
import { type Database, openDatabase } from './db/database.js';
import { Idempotency } from './db/idempotency.js';
import { connectRedis, type SharedRedis } from './db/redis.js';
import { TrustedDocuments } from './db/trustedDocuments.js';
import { type Bus, ClusterBus, PostgresBus, RedisBus } from './events/bus.js';
import { TaskEvents } from './events/taskEvents.js';
import { createHttpApp } from './http/app.js';
import { createLogger, type Logger } from './http/logger.js';
import { OpenStreams } from './http/streams.js';
import { Keys } from './keys/keys.js';
import { Lifecycle } from './keys/lifecycle.js';
import { UsageRecorder } from './keys/usage.js';
import { KeyWatch } from './keys/watch.js';
import { AuthFailures } from './limits/authFailures.js';
import { ExecutionGate } from './limits/executionGate.js';
import { FieldLimits } from './limits/fieldLimits.js';
import { type FieldStore, MemoryFieldStore, redisTexts, SharedFieldStore } from './limits/fieldStore.js';
import { FirstProcess, FirstProcessWindows, firstProcessTexts } from './limits/firstProcess.js';
import { KeyLimits } from './limits/keyLimits.js';
import { RedisWindows } from './limits/redisWindows.js';
import { MemoryWindows, type WindowCounter } from './limits/slidingWindow.js';

export interface App {
  readonly http: ReturnType<typeof createHttpApp>;
  readonly streams: OpenStreams;
  readonly database: Database;
  readonly services: Services;
  readonly logger: Logger;
  close(): Promise<void>;
}

export interface AppOptions {
  readonly logger?: Logger;
  readonly onQuery?: (sql: string) => void;
}

/** The database must be migrated already. */
export async function createApp(config: Config, options: AppOptions = {}): Promise<App> {
  const logger = options.logger ?? createLogger(config);
  const database = await openDatabase({ ...config, ...(options.onQuery && { onQuery: options.onQuery }) });
  const id = randomUUID();
  const redis = config.redisUrl === undefined ? undefined : connectRedis(config.redisUrl, id);
  await redis?.settled;
  const bus = connectBus(config, id, redis);
  const keys = new Keys(database);
  const authenticator = new Authenticator(database.system, keys, bus);
  const onError = (error: unknown) => logger.error({ err: error }, 'background work failed');
  const usage = new UsageRecorder(database.system, onError);
  const lifecycle = new Lifecycle(database.system, keys, onError);
  lifecycle.start();
  const stopCleanup = startCleanup(database.system, onError);
  const { counter, fieldStore } = countersOf(config, redis, logger);
  const services: Services = {
    database,
    keys,
    keyLimits: new KeyLimits(counter, config.plans),
    executionGate: new ExecutionGate({ running: config.maxRunning, line: config.maxWaiting }),
    fieldLimits: new FieldLimits(fieldStore),
    authFailures: new AuthFailures(counter, config.authFailureLimit),
    keyWatch: new KeyWatch(database.system, onError),
    taskEvents: new TaskEvents(bus),
    idempotency: new Idempotency(database.system),
    trustedDocuments: new TrustedDocuments(database.system),
  };
  const streams = new OpenStreams();
  const ready = async () => {
    const answers = database.system.$queryRaw`SELECT 1`.then(
      () => true,
      () => false,
    );
    return (await answers) && (redis === undefined || (await redis.isReachable()));
  };
  return {
    http: createHttpApp({ config, services, authenticator, usage, logger, streams, ready }),
    streams,
    database,
    services,
    logger,
    async close() {
      authenticator.close();
      lifecycle.stop();
      stopCleanup();
      await usage.close();
      await bus.close();
      redis?.close();
      await database.close();
    },
  };
}

/** The quickest way to the other processes that there is. */
function connectBus({ redisUrl, provider, databaseUrl }: Config, id: string, redis: SharedRedis | undefined): Bus {
  if (redis && redisUrl !== undefined) return new RedisBus(id, redisUrl, redis.client);
  return provider === 'postgresql' ? new PostgresBus(id, databaseUrl) : new ClusterBus(id);
}

/** Where requests are counted: in Redis, in the first process of the workers, or here. */
function countersOf(
  { workers }: Config,
  redis: SharedRedis | undefined,
  logger: Logger,
): { counter: WindowCounter; fieldStore: FieldStore } {
  if (redis) {
    const tell = (away: boolean, error?: unknown) =>
      away
        ? logger.warn({ err: error }, 'Redis is away; limits are counted by this process alone, in its share')
        : logger.info('Redis is back; limits are shared again');
    return {
      counter: new RedisWindows(redis.client, redis.processes, tell),
      fieldStore: new SharedFieldStore(redisTexts(redis.client)),
    };
  }
  if (!cluster.isWorker) return { counter: new MemoryWindows(), fieldStore: new MemoryFieldStore() };
  const first = new FirstProcess();
  return {
    counter: new FirstProcessWindows(first, workers),
    fieldStore: new SharedFieldStore(firstProcessTexts(first)),
  };
}
