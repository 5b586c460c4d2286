/** environment -> one validated, typed Config. Nothing else reads process.env. */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { type Provider, providerOf } from './db/provider.js';
import { parseKey } from './keys/format.js';
import { Plans, readPlans } from './keys/plans.js';

/** A variable that does not hold what it should; the message names it and the mend, and never a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const integer = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/)
    .transform(Number)
    .refine((value) => value >= least && value <= most, '')
    .catch((ctx) => fail(`must be a whole number from ${least} to ${most}`, ctx.value));

const boolean = z
  .enum(['true', 'false', '1', '0'])
  .transform((value) => value === 'true' || value === '1')
  .catch((ctx) => fail('must be true or false', ctx.value));

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** The driver takes these; a password with one of them cuts the address where it was not meant to be cut. */
const POSTGRESQL_FORM = 'postgresql://user@host:port/database, where / @ : ? # in a password are %2F %40 %3A %3F %23';
const isPostgresqlUrl = (url: string) => providerOf(url) === 'postgresql' && URL.canParse(url);
/** Parameters of other programs would be a part of the name, and the database an empty one. */
const isFileUrl = (url: string) => !/^file:$|^file::memory:|\?/.test(url);

const schema = z.object({
  PORT: integer(0, 65535).default(4000),
  HOST: z
    .string()
    .refine((host) => isIP(host) !== 0 || /^[a-zA-Z0-9.-]+$/.test(host))
    .catch((ctx) => fail('must be a host name or an IP address', ctx.value))
    .default('127.0.0.1'),
  METRICS_PORT: integer(1, 65535).optional(),
  DATABASE_URL: z
    .string()
    .refine((url) => (providerOf(url) === 'sqlite' ? isFileUrl(url) : isPostgresqlUrl(url)))
    .catch(() => fail(`must be file:<path>, without parameters, or ${POSTGRESQL_FORM}`))
    .default('file:./data/taskgate.db'),
  DATABASE_REPLICA_URL: z
    .string()
    .refine(isPostgresqlUrl)
    .catch(() => fail(`must be ${POSTGRESQL_FORM}`))
    .optional(),
  DATABASE_POOL_SIZE: integer(1, 1000).default(10),
  DATABASE_STATEMENT_TIMEOUT: integer(100, 3_600_000).default(30_000),
  REDIS_URL: z
    .string()
    .refine((url) => /^rediss?:\/\//.test(url) && URL.canParse(url) && /^\/?\d*$/.test(new URL(url).pathname))
    .catch(() => fail('must be redis://host:port or rediss://host:port, with /<number> for a database'))
    .optional(),
  WEB_CONCURRENCY: integer(1, 256).default(1),
  TASKGATE_BOOTSTRAP_KEY: z
    .string()
    .refine((key) => parseKey(key)?.environment === 'LIVE')
    .catch(() => fail('must be a well-formed sk_live_ key (49 characters after the prefix, checksum included)'))
    .optional(),
  TASKGATE_SAMPLE_DATA: boolean.default(false),
  REQUIRE_HTTPS: boolean.optional(),
  TLS_CERT_FILE: z.string().optional(),
  TLS_KEY_FILE: z.string().optional(),
  TRUST_PROXY: z
    .string()
    .transform((list) => list.split(/[\s,]+/).filter(Boolean))
    .refine((list) => list.every((item) => ipaddr.isValid(item) || ipaddr.isValidCIDR(item)))
    .catch((ctx) => fail('must be a list of addresses or CIDR blocks, such as 10.0.0.0/8,::1', ctx.value))
    .default([]),
  DEFAULT_PLAN: z.string().default('professional'),
  PLANS_FILE: z.string().optional(),
  AUTH_FAILURE_LIMIT: integer(1, 1_000_000).default(20),
  MAX_RUNNING: integer(1, 100_000).default(64),
  MAX_WAITING: integer(1, 100_000).default(50),
  MAX_CONNECTIONS: integer(1, 1_000_000).default(10_000),
  MAX_RESPONSE: integer(1024, 512 * 1024 * 1024).default(16 * 1024 * 1024),
  RESPONSE_CACHE_MB: integer(0, 100_000).default(64),
  PERSISTED_ONLY: boolean.default(false),
  INTROSPECTION: z
    .enum(['scoped', 'full', 'off'])
    .catch((ctx) => fail('must be scoped, full or off', ctx.value))
    .default('scoped'),
  CORS_ORIGINS: z
    .string()
    .transform((list) => list.split(/[\s,]+/).filter(Boolean))
    .refine((list) => list.every((item) => item === '*' || isOrigin(item)))
    .catch((ctx) => fail('must be a list of origins, such as https://app.example.com, or *', ctx.value))
    .default([]),
  LEAK_REPORT_KEYS_FILE: z.string().optional(),
  LEAK_REPORT_REVOKE: boolean.default(true),
  OAUTH_REGISTRATION: z
    .enum(['off', 'key'])
    .catch((ctx) => fail('must be off, or key: with the key of an administrator', ctx.value))
    .default('off'),
  SIGNUP: z
    .enum(['open', 'invite', 'closed'])
    .catch((ctx) => fail('must be open, invite or closed', ctx.value))
    .default('invite'),
  SMTP_URL: z
    .string()
    .regex(/^smtps?:\/\/[^\s/]+/)
    .catch(() => fail('must be smtp://host:port or smtps://user:password@host:port'))
    .optional(),
  MAIL_FROM: z
    .string()
    .refine((text) => /^[^\r\n]*@[^\r\n]+$/.test(text))
    .catch((ctx) => fail('must be an address, such as Tasks <tasks@example.com>', ctx.value))
    .optional(),
  PUBLIC_URL: z
    .string()
    .transform((url) => url.replace(/\/+$/, ''))
    .refine((url) => isOrigin(url))
    .catch((ctx) => fail('must be where people reach the server, such as https://tasks.example.com', ctx.value))
    .optional(),
  LOG_LEVEL: z
    .enum(LOG_LEVELS)
    .catch((ctx) => fail(`must be one of ${LOG_LEVELS.join(', ')}`, ctx.value))
    .default('info'),
  NODE_ENV: z.string().optional(),
});

export interface Config {
  readonly port: number;
  readonly host: string;
  /** Where the figures are shown without a key. */
  readonly metricsPort: number | undefined;
  readonly databaseUrl: string;
  readonly provider: Provider;
  /** A copy that follows, for what only reads; PostgreSQL only. */
  readonly replicaUrl: string | undefined;
  /** Connections of a process to PostgreSQL. */
  readonly poolSize: number;
  /** Milliseconds; what takes longer is cancelled. */
  readonly statementTimeout: number;
  readonly redisUrl: string | undefined;
  readonly workers: number;
  readonly bootstrapKey: string | undefined;
  readonly sampleData: boolean;
  readonly requireHttps: boolean;
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed. */
  readonly trustProxy: readonly string[];
  readonly defaultPlan: string;
  /** Whether the operator named the plan. */
  readonly isPlanStated: boolean;
  readonly plans: Plans;
  /** Failed authentications a minute from one address, before it is refused. */
  readonly authFailureLimit: number;
  /** Operations that run at once; the next ones wait. */
  readonly maxRunning: number;
  /** Operations that wait, under lasting load; more are refused with 503. */
  readonly maxWaiting: number;
  /** Open connections; one more is closed with 503. */
  readonly maxConnections: number;
  /** Bytes of one answer. */
  readonly maxResponse: number;
  /** Bytes of answers that are remembered; 0: none. */
  readonly responseCache: number;
  /** Whether trusted documents alone run over HTTP. */
  readonly trustedOnly: boolean;
  /** What keys are told of the schema. */
  readonly introspection: 'scoped' | 'full' | 'off';
  /** Origins whose pages may call; `*`: all. None: CORS is off. */
  readonly corsOrigins: readonly string[];
  /** Public keys of a secret scanner whose signed reports are taken; undefined: none are. */
  readonly leakReportKeysFile: string | undefined;
  /** Whether a reported key is revoked, or an alert is raised only. */
  readonly leakReportRevoke: boolean;
  /** Who may make an account: everybody, with a workspace of their own; who was invited; nobody. */
  readonly signUp: 'open' | 'invite' | 'closed';
  /** Whether programs register applications for OAuth, with the key of an administrator. */
  readonly oauthRegistration: boolean;
  /** Where people reach the server; undefined: what HOST and PORT say. */
  readonly publicUrl: string | undefined;
  /** By which letters are sent; undefined: none are. */
  readonly mail: { readonly smtpUrl: string; readonly from: string; readonly publicUrl: string } | undefined;
  readonly logLevel: (typeof LOG_LEVELS)[number];
}

/** @throws ConfigError that names the first bad variable */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const present = Object.entries(environment).filter(([, value]) => value !== undefined && value !== '');
  const values: Partial<Record<string, unknown>> = {};
  for (const [name, parser] of Object.entries(schema.shape)) {
    const raw = present.find(([key]) => key === name)?.[1];
    try {
      values[name] = parser.parse(raw);
    } catch (error) {
      if (error instanceof BadValue) throw new ConfigError(`${name} ${error.message}.`);
      throw error;
    }
  }
  const env = values as z.output<typeof schema>;
  if ((env.TLS_CERT_FILE === undefined) !== (env.TLS_KEY_FILE === undefined)) {
    throw new ConfigError('TLS_CERT_FILE and TLS_KEY_FILE must be set together.');
  }
  const plans = plansOf(env.PLANS_FILE);
  if (!plans.names.includes(env.DEFAULT_PLAN)) {
    throw new ConfigError(
      `DEFAULT_PLAN must be one of ${plans.names.join(', ')}; it is ${JSON.stringify(env.DEFAULT_PLAN)}.`,
    );
  }
  const provider = providerOf(env.DATABASE_URL) ?? 'sqlite';
  if (env.DATABASE_REPLICA_URL !== undefined && provider !== 'postgresql') {
    throw new ConfigError('DATABASE_REPLICA_URL goes with a DATABASE_URL of postgresql:// only.');
  }
  return {
    port: env.PORT,
    host: env.HOST,
    metricsPort: env.METRICS_PORT,
    databaseUrl: env.DATABASE_URL,
    provider,
    replicaUrl: env.DATABASE_REPLICA_URL,
    poolSize: env.DATABASE_POOL_SIZE,
    statementTimeout: env.DATABASE_STATEMENT_TIMEOUT,
    redisUrl: env.REDIS_URL,
    workers: env.WEB_CONCURRENCY,
    bootstrapKey: env.TASKGATE_BOOTSTRAP_KEY,
    sampleData: env.TASKGATE_SAMPLE_DATA,
    requireHttps: env.REQUIRE_HTTPS ?? (env.NODE_ENV === 'production' && !isLoopback(env.HOST)),
    tls:
      env.TLS_CERT_FILE !== undefined && env.TLS_KEY_FILE !== undefined
        ? { certFile: env.TLS_CERT_FILE, keyFile: env.TLS_KEY_FILE }
        : undefined,
    trustProxy: env.TRUST_PROXY,
    defaultPlan: env.DEFAULT_PLAN,
    isPlanStated: present.some(([name]) => name === 'DEFAULT_PLAN'),
    plans,
    authFailureLimit: env.AUTH_FAILURE_LIMIT,
    maxRunning: env.MAX_RUNNING,
    maxWaiting: env.MAX_WAITING,
    maxConnections: env.MAX_CONNECTIONS,
    maxResponse: env.MAX_RESPONSE,
    responseCache: env.RESPONSE_CACHE_MB * 1024 * 1024,
    trustedOnly: env.PERSISTED_ONLY,
    introspection: env.INTROSPECTION,
    corsOrigins: env.CORS_ORIGINS,
    leakReportKeysFile: env.LEAK_REPORT_KEYS_FILE,
    leakReportRevoke: env.LEAK_REPORT_REVOKE,
    signUp: env.SIGNUP,
    oauthRegistration: env.OAUTH_REGISTRATION === 'key',
    publicUrl: env.PUBLIC_URL,
    mail: mailOf(env.SMTP_URL, env.MAIL_FROM, env.PUBLIC_URL),
    logLevel: env.LOG_LEVEL,
  };
}

function mailOf(smtpUrl: string | undefined, from: string | undefined, publicUrl: string | undefined) {
  if (smtpUrl === undefined) return undefined;
  if (from === undefined)
    throw new ConfigError('MAIL_FROM must be set with SMTP_URL: the address that letters come from.');
  if (publicUrl === undefined)
    throw new ConfigError('PUBLIC_URL must be set with SMTP_URL: where the links of letters lead.');
  return { smtpUrl, from, publicUrl };
}

function plansOf(file: string | undefined): Plans {
  if (file === undefined) return new Plans();
  try {
    return readPlans(file);
  } catch (error) {
    throw new ConfigError(
      `PLANS_FILE must name a JSON file such as {"free": {"perMinute": 100, "perHour": 1000}}; ${(error as Error).message}.`,
    );
  }
}

class BadValue extends Error {}

function fail(rule: string, value?: unknown): never {
  throw new BadValue(value === undefined ? rule : `${rule}; it is ${JSON.stringify(value)}`);
}

/** Scheme, host and port alone, as a browser sends it. */
function isOrigin(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

/** A name, or an address: 127.0.0.1.example.com is somebody's name. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
