/** Composes the application from its parts; src/server/listen.ts gives it a port. */

import cluster from 'node:cluster';
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { InvitationService } from '../accounts/invitationService.js';
import { Mailer } from '../accounts/mail.js';
import { Memberships } from '../accounts/memberships.js';
import { relyingParty, SignIn } from '../accounts/signIn.js';
import { AppService } from '../apps/appService.js';
import { Consents } from '../apps/consent.js';
import { Authenticator } from '../auth/authenticator.js';
import type { Config } from '../config.js';
import { Cleanup } from '../db/cleanup.js';
import { type Database, openDatabase } from '../db/database.js';
import { isConnectionLost, isUnwritable } from '../db/databaseError.js';
import { Idempotency } from '../db/idempotency.js';
import { Outages } from '../db/outages.js';
import { connectRedis, type SharedRedis } from '../db/redis.js';
import { sqliteFile } from '../db/sqlite.js';
import { UnitOfWork } from '../db/unitOfWork.js';
import { Writability } from '../db/writability.js';
import { TrustedDocuments } from '../documents/trustedDocuments.js';
import type { Services } from '../graphql/context.js';
import { Introspection } from '../graphql/introspection.js';
import { RememberedAnswers } from '../graphql/plans/rememberedAnswers.js';
import { schema } from '../graphql/schema/schema.js';
import { createHttpApp } from '../http/app.js';
import { OpenStreams } from '../http/streams.js';
import { ApiKeyService } from '../keys/apiKeyService.js';
import { ExpiryJob } from '../keys/expiryJob.js';
import { KeyMonitor } from '../keys/keyMonitor.js';
import { rememberLosses } from '../keys/lossJournal.js';
import { OperationSets } from '../keys/operationSets.js';
import { ScopeGrants } from '../keys/scopeGrants.js';
import { Tightenings } from '../keys/tightening.js';
import { UsageRecorder } from '../keys/usage.js';
import { AddressLimits } from '../limits/addressLimits.js';
import { AdmissionController } from '../limits/admissionController.js';
import { AnswerMemory } from '../limits/answerMemory.js';
import { FieldLimits } from '../limits/fieldLimits.js';
import { KeyLimits } from '../limits/keyLimits.js';
import { Pacing } from '../limits/pacing.js';
import { PrimaryProcessWindows } from '../limits/primaryProcess.js';
import { RedisWindows } from '../limits/redisWindows.js';
import { SharedWindows } from '../limits/sharedWindows.js';
import { MemoryWindows, reportingRefusals, type WindowCounter } from '../limits/slidingWindow.js';
import { mountMcp } from '../mcp/http.js';
import { type Bus, ClusterBus, PostgresBus, RedisBus } from '../messaging/bus.js';
import { TaskEvents } from '../messaging/taskEvents.js';
import { Metrics } from '../metrics.js';
import { DocumentCache } from '../operations/documentCache.js';
import { ProjectService } from '../projects/projectService.js';
import { mountReference } from '../rest/reference.js';
import { mountRoutes } from '../rest/router.js';
import { BulkService } from '../tasks/bulkService.js';
import { CommentService } from '../tasks/commentService.js';
import { DueNotices } from '../tasks/dueNotices.js';
import { LabelService } from '../tasks/labelService.js';
import { NotificationService } from '../tasks/notificationService.js';
import { RelationshipService } from '../tasks/relationshipService.js';
import { StateService } from '../tasks/stateService.js';
import { TaskService } from '../tasks/taskService.js';
import { TimeEntryService } from '../tasks/timeEntryService.js';
import { TrashService } from '../tasks/trash/trashService.js';
import { UserService } from '../users/userService.js';
import { createLogger, type Logger } from './logger.js';

export interface App {
  readonly http: ReturnType<typeof createHttpApp>;
  readonly streams: OpenStreams;
  readonly database: Database;
  readonly services: Services;
  readonly usage: UsageRecorder;
  readonly logger: Logger;
  /** What is done now and then; for a server that listens. */
  startBackgroundWork(): void;
  close(): Promise<void>;
}

export interface AppOptions {
  readonly logger?: Logger;
  readonly onQuery?: (sql: string) => void;
  /** What time it is; for tests. */
  readonly clock?: () => Date;
}

/** The database must be migrated already. */
export async function createApp(config: Config, options: AppOptions = {}): Promise<App> {
  const logger = options.logger ?? createLogger(config);
  const clock = options.clock ?? (() => new Date());
  const metrics = new Metrics();
  const writability: Writability = new Writability(() => database.system);
  const outages = outagesOf(config, logger);
  const database: Database = await openDatabase({
    ...config,
    readThreads: true,
    onStatement: (kind, seconds, error) => {
      metrics.statement(kind, seconds);
      outages.statement(kind, error);
      if (error !== undefined) writability.failed(error);
    },
    ...(options.onQuery && { onQuery: options.onQuery }),
  });
  const id = randomUUID();
  const redis =
    config.redisUrl === undefined
      ? undefined
      : connectRedis(config.redisUrl, id, (reason) => logger.error({ reason }, 'Redis refuses what REDIS_URL names'));
  await redis?.settled;
  const bus = connectBus(config, id, redis);
  // An outage is told of once a minute, and not by all that meets it.
  const onError = (error: unknown) =>
    logger[isConnectionLost(error) || isUnwritable(error) ? 'debug' : 'error'](
      { err: error },
      'background work failed',
    );
  const units = new UnitOfWork(database, onError, clock);
  const authenticator = new Authenticator(database.system, config.plans, units, bus, clock);
  const remember = rememberLosses(config, onError);
  const keys = new ApiKeyService(units, config.plans, remember);
  const taskEvents = new TaskEvents(bus);
  const tasks = new TaskService(units, taskEvents);
  const labels = new LabelService(units, taskEvents);
  const states = new StateService(units, taskEvents);
  const trash = new TrashService(units, taskEvents);
  const usage = new UsageRecorder(database, onError, clock);
  const expiryJob = new ExpiryJob(database.system, keys, onError, clock);
  const dueNotices = new DueNotices(database.system, units, onError, clock);
  const cleanup = new Cleanup(database.system, onError);
  const counted = (counter: WindowCounter) => reportingRefusals(counter, (window) => metrics.limitRefused(window));
  const counters = countersOf(config, redis, logger);
  const admission = new AdmissionController({ running: config.maxRunning, queue: config.maxWaiting });
  metrics.watchAdmission(admission);
  const mailer = config.mail && new Mailer({ ...config.mail, named: config.signUp !== 'open' }, onError);
  const party = relyingParty(config.publicUrl);
  const services: Services = {
    database,
    metrics,
    clock,
    units,
    keys,
    operationSets: new OperationSets(database.system, units, config.plans, remember),
    tightenings: new Tightenings(units, config.plans, remember),
    scopeGrants: new ScopeGrants(database.system, units, config.plans, onError),
    tasks,
    relationships: new RelationshipService(units),
    comments: new CommentService(units, taskEvents),
    labels,
    states,
    trash,
    bulk: new BulkService(units, tasks, taskEvents),
    notifications: new NotificationService(units),
    timeEntries: new TimeEntryService(units),
    projects: new ProjectService(units, tasks),
    users: new UserService(units, keys, tasks),
    invitations: new InvitationService(units, config.plans, mailer),
    apps: new AppService(keys, remember),
    consents: new Consents(keys),
    keyLimits: new KeyLimits(counted(counters.keys)),
    admission,
    pacing: new Pacing(),
    fieldLimits: new FieldLimits(counted(counters.fields)),
    addressLimits: new AddressLimits(counted(counters.addresses), config.authFailureLimit),
    keyMonitor: new KeyMonitor(database.system, onError),
    taskEvents,
    idempotency: new Idempotency(database.system, database.provider, onError),
    trustedDocuments: new TrustedDocuments(database.system, units),
    documents: new DocumentCache(schema),
    introspection: new Introspection(schema, config.introspection),
    answerMemory: new AnswerMemory(config.maxResponse),
    rememberedAnswers: new RememberedAnswers(config.responseCache),
  };
  const streams = new OpenStreams();
  const ready = async () => {
    const answers = database.system.$queryRaw`SELECT 1`.then(
      () => true,
      () => false,
    );
    const parts = Promise.all([answers, writability.canWrite(), redis?.isReachable() ?? true]);
    // Probes do not wait as long as a network does that is gone.
    const late = setTimeout(PROBE_LIMIT, undefined, { ref: false });
    return (await Promise.race([parts, late]))?.every(Boolean) ?? false;
  };
  return {
    http: createHttpApp({
      config,
      services,
      authenticator,
      usage,
      logger,
      streams,
      ready,
      signIn: new SignIn(database, party, clock),
      party,
      memberships: new Memberships(database, units, config.plans, config.defaultPlan, clock),
      mounts: [mountReference, mountRoutes, mountMcp],
    }),
    streams,
    database,
    services,
    usage,
    logger,
    startBackgroundWork() {
      expiryJob.start();
      dueNotices.start();
      cleanup.start();
    },
    async close() {
      authenticator.close();
      await expiryJob.stop();
      await dueNotices.stop();
      await cleanup.stop();
      await usage.close();
      await mailer?.close();
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

/** Milliseconds in which a probe of readiness is answered. */
const PROBE_LIMIT = 2500;
const BACK = { 'out of reach': 'The database is back.', 'not writable': 'The database can be written again.' } as const;

/** Tells of the database in the log, and where it is. */
function outagesOf({ provider, databaseUrl }: Config, logger: Logger): Outages {
  // Without the password.
  const database = provider === 'sqlite' ? sqliteFile(databaseUrl) : new URL(databaseUrl).host;
  return new Outages({
    began: (outage, reason) => logger.error({ database, reason }, `The database is ${outage}; what needs it gets 503.`),
    ended: (outage) => logger.info({ database }, `${BACK[outage]}`),
  });
}

/** Where requests are counted: in Redis, in the primary process of the workers, or here. */
function countersOf(
  { workers }: Config,
  redis: SharedRedis | undefined,
  logger: Logger,
): Readonly<Record<'keys' | 'fields' | 'addresses', WindowCounter>> {
  if (!redis && !cluster.isWorker) {
    // Apart, so that a flood of one kind makes no other forgotten.
    return { keys: new MemoryWindows(), fields: new MemoryWindows(), addresses: new MemoryWindows() };
  }
  const where = redis ? 'Redis' : 'The primary process';
  const tell = (away: boolean, error?: unknown) =>
    away
      ? logger.warn({ err: error }, `${where} is away; limits are counted by this process alone, in its share`)
      : logger.info(`${where} is back; limits are shared again`);
  const shared = redis
    ? new SharedWindows(new RedisWindows(redis.client), redis.processes, tell)
    : new SharedWindows(new PrimaryProcessWindows(), () => workers, tell);
  return { keys: shared, fields: shared, addresses: shared };
}
