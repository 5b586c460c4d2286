/** One line that says what went wrong and how to mend it. */
import { ConfigError } from '../config.js';
import { isLocked } from '../db/databaseError.js';
import { ApiError } from '../errors.js';

export function explain(error: unknown): string {
  if (error instanceof ConfigError || error instanceof ApiError) return error.message;
  const { code, message, port, path, address, hostname, variable } = error as {
    code?: string;
    hostname?: string;
    /** Which one named the port. */
    variable?: string;
    message?: string;
    port?: number;
    path?: string;
    address?: string;
  };
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} on ${address} is in use. Stop what listens there, or set ${variable ?? 'PORT'} to another.`;
    case 'EACCES':
      return port === undefined
        ? `Permission denied: ${message}. Check the owner of the file or folder.`
        : `Port ${port} may not be opened by this user. Set ${variable ?? 'PORT'} to one above 1023.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `HOST ${address ?? hostname ?? ''} is no address of this machine (${code}). Set HOST to 127.0.0.1 or 0.0.0.0.`;
    case 'ENOTDIR':
    case 'EROFS':
      return `A folder cannot be made or read: ${message}. Check DATABASE_URL.`;
    case 'ENOENT':
      return path === undefined ? `A file is missing: ${message}.` : `There is no file or folder ${path}.`;
    default:
      return databaseFault(message ?? String(error)) ?? `Failed: ${reason(message ?? String(error))}`;
  }
}

/** Faults of the database, recognised by the driver's words: they pass through Prisma's engine, which keeps no code. */
function databaseFault(message: string): string | undefined {
  if (isLocked(message)) {
    return 'The database file is locked by another process. Stop it, or set DATABASE_URL to another file.';
  }
  if (/readonly database|SQLITE_READONLY/i.test(message)) {
    return 'The database file cannot be written. Check the permissions of the file and its folder (DATABASE_URL).';
  }
  if (/file is not a database|SQLITE_NOTADB/i.test(message)) {
    return 'The file that DATABASE_URL names is no SQLite database. Set it to another file.';
  }
  if (/unable to open database|SQLITE_CANTOPEN|directory does not exist/i.test(message)) {
    return 'The database file cannot be opened. Check that the folder that DATABASE_URL names can be written.';
  }
  if (/ECONNREFUSED|Can't reach database|DatabaseNotReachable/i.test(message)) {
    return 'The database server does not answer. Check DATABASE_URL and that the server runs.';
  }
  if (/DatabaseAccessDenied|AuthenticationFailed|authentication failed/i.test(message)) {
    return 'The database server refuses the user or the password in DATABASE_URL.';
  }
  if (/DatabaseDoesNotExist/.test(message)) {
    return 'The server has no such database. Make it (createdb), or name another in DATABASE_URL.';
  }
  if (/unsupported startup parameter/.test(message)) {
    return 'A pooler refuses settings of a session. Add pgbouncer=true to DATABASE_URL (docs/scaling.md).';
  }
  return undefined;
}

/** One line of it. Prisma says first where it failed, and last why. */
function reason(message: string): string {
  const lines = message.split('\n').flatMap((line) => line.trim() || []);
  return (/^Invalid .* invocation/.test(lines[0] ?? '') ? lines.at(-1) : lines[0]) ?? '';
}
