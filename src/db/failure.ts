import { ApiError } from '../errors.js';

/** What says that a database is busy or out of reach: of Prisma, */
const AWAY = new Set<unknown>([
  ...['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028', 'P2034', 'P2037'],
  // of PostgreSQL (shutting down, crashed, starting up, cancelled for its length, too many connections, broken),
  ...['57P01', '57P02', '57P03', '57014', '53300', '08000', '08001', '08003', '08006'],
  // of Prisma's adapters,
  ...['DatabaseNotReachable', 'ConnectionClosed', 'SocketTimeout', 'TooManyConnections'],
  // and of sockets.
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENETUNREACH', 'EHOSTUNREACH'],
]);
/** The driver's words, where it has no code. */
const AWAY_IN_WORDS =
  /Connection terminated|connection timeout|timeout exceeded when trying to connect|Query read timeout|not queryable|connection is closed/i;

interface Fault {
  readonly code?: unknown;
  readonly kind?: unknown;
  readonly originalCode?: unknown;
  readonly message?: unknown;
  readonly cause?: Fault;
  readonly meta?: { readonly driverAdapterError?: Fault };
}

/** What the database refuses for a reason that the caller can mend, or will not meet again in a moment. */
export function databaseError(error: unknown): ApiError | undefined {
  const fault = (error ?? {}) as Fault;
  if (fault.code === 'P2002') return new ApiError('CONFLICT', 'There is such a row already.');
  if (fault.code === 'P2003' || fault.code === 'P2025') {
    return new ApiError('NOT_FOUND', 'A row that this refers to is not there any more.');
  }
  if (!isAway(fault)) return undefined;
  return new ApiError('SERVICE_UNAVAILABLE', 'The database is busy or out of reach. Try again in a moment.', {
    retryAfter: 1,
  });
}

/** Prisma hands on some faults as its own, some wrapped by the adapter, and some as the driver threw them. */
function isAway(fault: Fault | undefined): boolean {
  if (fault === undefined || fault === null || typeof fault !== 'object') return false;
  const { code, kind, originalCode, message, cause, meta } = fault;
  return (
    [code, kind, originalCode].some((name) => AWAY.has(name)) ||
    (typeof message === 'string' && AWAY_IN_WORDS.test(message)) ||
    isAway(cause) ||
    isAway(meta?.driverAdapterError)
  );
}
