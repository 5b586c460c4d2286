import { ApiError } from '../errors.js';

/** What says that the connection to a database was lost, or could not be had: of Prisma, */
const LOST = new Set<unknown>([
  ...['P1001', 'P1002', 'P1017', 'P2037'],
  // of PostgreSQL (shutting down, crashed, starting up, too many connections, broken),
  ...['57P01', '57P02', '57P03', '53300', '08000', '08001', '08003', '08006'],
  // of Prisma's adapters,
  ...['DatabaseNotReachable', 'ConnectionClosed', 'TooManyConnections', 'DatabaseDoesNotExist', '3D000'],
  // and of sockets.
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENETUNREACH', 'EHOSTUNREACH'],
]);
/**
 * What says that it is busy: of Prisma, of PostgreSQL (cancelled for its length, a deadlock, a conflict with another
 * transaction or with a replica's recovery), and of Prisma's adapters.
 */
const BUSY = new Set<unknown>([
  ...['P1008', 'P2024', 'P2028', 'P2034'],
  ...['57014', '40001', '40P01'],
  ...['SocketTimeout', 'TransactionWriteConflict'],
]);
/** The driver's words, where it has no code. */
const LOST_IN_WORDS =
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
  if (!isLost(fault) && !says(fault, BUSY)) return undefined;
  return new ApiError('SERVICE_UNAVAILABLE', 'The database is busy or out of reach. Try again in a moment.', {
    retryAfter: 1,
  });
}

/** Whether a statement failed because its connection did, and not for what it is. */
export function isConnectionLost(error: unknown): boolean {
  return isLost((error ?? {}) as Fault);
}

const isLost = (fault: Fault) => says(fault, LOST, LOST_IN_WORDS);

/** Prisma hands on some faults as its own, some wrapped by the adapter, and some as the driver threw them. */
function says(fault: Fault | undefined, codes: ReadonlySet<unknown>, words?: RegExp): boolean {
  if (fault === undefined || fault === null || typeof fault !== 'object') return false;
  const { code, kind, originalCode, message, cause, meta } = fault;
  return (
    [code, kind, originalCode].some((name) => codes.has(name)) ||
    (typeof message === 'string' && words?.test(message) === true) ||
    says(cause, codes, words) ||
    says(meta?.driverAdapterError, codes, words)
  );
}
