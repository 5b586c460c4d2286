import { ApiError } from '../errors.js';

/** What says that the connection to a database was lost, or could not be had: of Prisma, */
const LOST = new Set<unknown>([
  ...['P1001', 'P1002', 'P1017', 'P2037'],
  // of PostgreSQL (shutting down, crashed, starting up, too many connections, broken),
  ...['57P01', '57P02', '57P03', '53300', '08000', '08001', '08003', '08006'],
  // of Prisma's adapters,
  ...['DatabaseNotReachable', 'ConnectionClosed', 'TooManyConnections', 'DatabaseDoesNotExist', '3D000'],
  // of whoever is not let in any more,
  ...['P1000', 'P1010', '28000', '28P01', 'AuthenticationFailed', 'DatabaseAccessDenied'],
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
/**
 * What says that it cannot be written: of SQLite (with what they are extended by), of PostgreSQL (out of disk, of memory,
 * an I/O error, read-only). Whoever runs the server has to do something.
 */
const UNWRITABLE = /^(?:SQLITE_(?:FULL|IOERR|READONLY|CANTOPEN)|53100|53200|53400|58030|25006$)/;
/** What says that there is such a row already: of Prisma, of its adapters, of PostgreSQL, and of SQLite. */
const TAKEN = new Set<unknown>([
  ...['P2002', 'UniqueConstraintViolation', '23505', 'SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_CONSTRAINT_PRIMARYKEY'],
]);
/** What says that a row that is referred to is not there, likewise. */
const MISSING = new Set<unknown>([
  ...['P2003', 'P2025', 'ForeignKeyConstraintViolation', '23503', 'SQLITE_CONSTRAINT_FOREIGNKEY'],
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

/** Whether the transaction was ended for another that it met, and may be done again. */
export function isConflict(error: unknown): boolean {
  return says((error ?? {}) as Fault, (code) => CONFLICTS.has(code));
}

/** Of PostgreSQL (a conflict, a deadlock), of Prisma and of its adapters. */
const CONFLICTS = new Set<unknown>(['40001', '40P01', 'P2034', 'TransactionWriteConflict']);

/** What the database refuses for a reason that the caller can mend, or will not meet again in a moment. */
export function databaseError(error: unknown): ApiError | undefined {
  const fault = (error ?? {}) as Fault;
  if (isUniqueViolation(fault)) return new ApiError('CONFLICT', 'There is such a row already.');
  if (says(fault, (code) => MISSING.has(code))) {
    return new ApiError('NOT_FOUND', 'A row that this refers to is not there any more.');
  }
  if (isUnwritable(error)) {
    return new ApiError('SERVICE_UNAVAILABLE', 'The database cannot be written at the moment. Try again later.', {
      retryAfter: 10,
    });
  }
  if (!isLost(fault) && !says(fault, (code) => BUSY.has(code))) return undefined;
  return new ApiError('SERVICE_UNAVAILABLE', 'The database is busy or out of reach. Try again in a moment.', {
    retryAfter: 1,
  });
}

/** Whether there is a row already with what only one may have. */
export function isUniqueViolation(error: unknown): boolean {
  const fault = error as Fault | undefined;
  return says(fault, (code) => TAKEN.has(code));
}

/** Whether the disk is full, fails, or may not be written. */
export function isUnwritable(error: unknown): boolean {
  return says((error ?? {}) as Fault, (code) => typeof code === 'string' && UNWRITABLE.test(code));
}

/** Whether a statement failed because its connection did, and not for what it is. */
export function isConnectionLost(error: unknown): boolean {
  return isLost((error ?? {}) as Fault);
}

/** Whether another process has the SQLite file, by the driver's words: they pass through Prisma's migration engine, which keeps no code. */
export const isLocked = (message: string): boolean => /database is locked|SQLITE_BUSY|SocketTimeout/i.test(message);

/** In the words of whoever knows best: the innermost cause. */
export function reasonOf(error: unknown): string {
  let fault = (error ?? {}) as Fault;
  for (let inner = innerOf(fault); inner; inner = innerOf(fault)) fault = inner;
  const { code, kind, originalCode, message } = fault;
  const parts = [originalCode ?? code ?? kind, message].filter((part) => typeof part === 'string' && part !== '');
  return [...new Set(parts)].join(': ') || String(error);
}

const innerOf = ({ cause, meta }: Fault): Fault | undefined => {
  const inner = meta?.driverAdapterError ?? cause;
  return typeof inner === 'object' && inner !== null ? inner : undefined;
};

const isLost = (fault: Fault) => says(fault, (code) => LOST.has(code), LOST_IN_WORDS);

/** Prisma hands on some faults as its own, some wrapped by the adapter, and some as the driver threw them. */
function says(fault: Fault | undefined, isOne: (code: unknown) => boolean, words?: RegExp): boolean {
  if (fault === undefined || fault === null || typeof fault !== 'object') return false;
  const { code, kind, originalCode, message, cause, meta } = fault;
  return (
    [code, kind, originalCode].some(isOne) ||
    (typeof message === 'string' && words?.test(message) === true) ||
    says(cause, isOne, words) ||
    says(meta?.driverAdapterError, isOne, words)
  );
}
