/** What is said of every request when it has been answered: in the log and in the figures. */
import type { Logger } from 'pino';
import type { Context } from '../graphql/context.js';
import { SECRET_PATTERN } from '../keys/format.js';
import type { UsageRecorder } from '../keys/usage.js';
import type { Metrics } from '../metrics.js';

/** Characters of a path that the log keeps. */
const PATH_LENGTH = 500;
/** Characters of the hash of an operation, which tell it from others. */
const HASH_LENGTH = 16;

export interface EndedRequest {
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  /** As a template. */
  readonly route: string;
  readonly status: number;
  /** When it came, as `performance.now()` tells it. */
  readonly started: number;
  readonly ip: string | null;
  readonly keyId: string | undefined;
  /** Why the request was refused as a whole. */
  readonly refusal: string | undefined;
  /** What it turned out to be, where its key is good. */
  readonly context: Context | undefined;
}

/** Counts what a request with a key was used for. @param status of HTTP */
export function recordUse(usage: UsageRecorder, { principal, use, request }: Context, status: number): void {
  const { operations, scopes, missing, projects, locked } = use;
  const { ip, userAgent } = request;
  usage.record({ key: principal.apiKey, operations, scopes, missing, projects, locked, status, ip, userAgent });
}

export function noteEnd(ended: EndedRequest, metrics: Metrics, logger: Logger): void {
  const { requestId, method, path, route, status, started, ip, keyId, refusal, context } = ended;
  const ms = performance.now() - started;
  context?.meter.end();
  metrics.request(method, route, status, ms / 1000);
  const errors = [...(context?.use.errors ?? [])];
  if (refusal !== undefined && !errors.includes(refusal)) errors.push(refusal);
  logger.info(
    {
      requestId,
      method,
      // Somebody will put a key there.
      path: path.replace(SECRET_PATTERN, '[redacted]').slice(0, PATH_LENGTH),
      operations: context?.use.operations,
      hashes: context?.use.ran.map(({ normalHash }) => normalHash.slice(0, HASH_LENGTH)),
      scopes: context && [...context.use.scopes],
      status,
      errors: errors.length > 0 ? errors : undefined,
      cost: context?.meter.spent,
      ms: Math.round(ms * 10) / 10,
      ip,
      keyId,
    },
    'request',
  );
}
