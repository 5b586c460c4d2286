/** The body of a request with a key: how large it may be, what it is charged, and when it is its turn to be read. */
import { ApiError, serviceBusy } from '../errors.js';
import type { Context } from '../graphql/context.js';
import { LARGE, type Release } from '../limits/admissionController.js';
import { bodyExcess } from '../limits/bodyExcess.js';
import { LARGE_BODY } from '../limits/meter.js';
import { OPERATION_LIMITS } from '../limits/operationLimits.js';
import type { KeyedContext } from './environment.js';

/** Operations, or messages, of one request. */
export const MAX_BATCH = OPERATION_LIMITS.batch;

export const isJson = (contentType: string | undefined) => /^application\/json\s*(?:;|$)/i.test(contentType ?? '');

/** Bytes of the body, as announced; undefined where it comes in chunks. */
export function announcedBytes(c: KeyedContext): number | undefined {
  if (c.req.header('transfer-encoding') !== undefined) return undefined;
  return Number(c.req.header('content-length') ?? 0) || 0;
}

/** @throws UNSUPPORTED_MEDIA_TYPE for a body that is compressed */
export function refuseEncoded(c: KeyedContext): void {
  const encoding = c.req.header('content-encoding') ?? 'identity';
  if (encoding.toLowerCase() === 'identity') return;
  throw new ApiError('UNSUPPORTED_MEDIA_TYPE', 'Send the body without a Content-Encoding.');
}

/**
 * Until it is the turn of a body that has arrived: a large one takes the process for itself, as large operations do.
 * @returns how to tell that it was read; undefined for a small one, which waits for nothing
 * @throws RATE_LIMITED where its size was not announced, COST_LIMIT_EXCEEDED, SERVICE_UNAVAILABLE
 */
export async function admitBody(c: KeyedContext, context: Context, body: string): Promise<Release | undefined> {
  const { principal, services, use, meter } = context;
  const excess = meter.reading(() => bodyExcess(body));
  if (body.length >= LARGE_BODY) {
    if (announcedBytes(c) === undefined) await meter.chargeBody(body.length);
    meter.received(body.length);
  }
  if (excess) throw excess;
  if (body.length < LARGE_BODY) return undefined;
  const release = await services.admission.acquire({ key: principal.lineageId, cost: LARGE });
  if (release && !use.ended) return release;
  release?.();
  await meter.giveBack(1);
  throw serviceBusy();
}

/** @returns what a body of JSON says, once it is its turn; undefined for what is no JSON @throws as `readBody` and `admitBody` */
export async function readJson(c: KeyedContext, context: Context): Promise<unknown> {
  const text = await readBody(c, context);
  const done = await admitBody(c, context, text);
  return readingWith(done, context, () => jsonOf(text));
}

/** @returns undefined for what is no JSON */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The text of a body.
 * @throws ApiError for what is compressed, or is no text: it would be stored as something else
 */
export async function readBody(c: KeyedContext, { meter }: Context): Promise<string> {
  refuseEncoded(c);
  const bytes = await c.req.arrayBuffer();
  try {
    return meter.reading(() => utf8.decode(bytes));
  } catch {
    throw new ApiError('BAD_USER_INPUT', 'The body is not UTF-8.');
  }
}

/** Reads on the key's time, and lets the next large body have its turn. */
export function readingWith<T>(done: (() => void) | undefined, { meter }: Context, read: () => T): T {
  try {
    return meter.reading(read);
  } finally {
    done?.();
  }
}
