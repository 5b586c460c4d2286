/** A copy of the SQLite file that is whole, taken while the server runs; and the way back. */
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import Sqlite from 'better-sqlite3';
import { ApiError } from '../errors.js';
import { MARKS } from './state.js';

/** Pages copied between two looks at what else is to do. */
const PAGES = 500;
/** What SQLite keeps beside a database: of one without its file, it would be replayed into the next that comes there. */
const BESIDE = ['-wal', '-shm', '-journal'];

export interface BackupProgress {
  readonly done: number;
  readonly total: number;
}

/**
 * @param atExit makes sure that what was begun is cleared away when the program ends before it is done
 * @throws ApiError CONFLICT when there is such a file already
 */
export async function backUp(
  file: string,
  to: string,
  onProgress: (progress: BackupProgress) => void,
  atExit: (clear: () => void) => void = () => {},
): Promise<{ bytes: number }> {
  if (!existsSync(file)) throw new ApiError('NOT_FOUND', `There is no database at ${file}.`);
  if (existsSync(to)) throw isThere(to);
  const folder = path.dirname(path.resolve(to));
  if (!existsSync(folder)) throw new ApiError('NOT_FOUND', `There is no folder ${folder} for the backup.`);
  removeLeft(to, 'unfinished');
  // Under a name of its own until it is whole.
  const unfinished = `${to}.${randomUUID()}.unfinished`;
  atExit(() => remove(unfinished));
  try {
    // Not read-only: the last to close a database takes away what lies beside it.
    const source = new Sqlite(file, { fileMustExist: true });
    try {
      // A read that stays open: the copy is of this moment, and does not begin again with each write of the server.
      source.exec('BEGIN');
      source.prepare('SELECT count(*) FROM sqlite_master').get();
      await source.backup(unfinished, {
        progress: ({ totalPages, remainingPages }) => {
          onProgress({ done: totalPages - remainingPages, total: totalPages });
          return PAGES;
        },
      });
      source.exec('COMMIT');
    } finally {
      source.close();
    }
    makeOneFile(unfinished);
    const bytes = check(unfinished, to);
    flush(unfinished);
    takeName(unfinished, to);
    return { bytes };
  } finally {
    remove(unfinished);
  }
}

/** Milliseconds after which a copy that nobody writes to is one whose process was killed. */
const LEFT_AFTER = 600_000;

/** Copies that earlier runs for this file have left. */
function removeLeft(file: string, ending: 'unfinished' | 'arriving'): void {
  const folder = path.dirname(path.resolve(file));
  const name = new RegExp(`^[0-9a-f-]{36}\\.${ending}$`);
  for (const one of readdirSync(folder)) {
    const begins = one.startsWith(`${path.basename(file)}.`);
    if (!begins || !name.test(one.slice(path.basename(file).length + 1))) continue;
    const left = path.join(folder, one);
    if (Date.now() - statSync(left).mtimeMs > LEFT_AFTER) remove(left);
  }
}

/** @throws ApiError CONFLICT when another process took the name meanwhile */
function takeName(unfinished: string, to: string): void {
  try {
    linkSync(unfinished, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw isThere(to);
    // A file system without links.
    renameSync(unfinished, to);
  }
}

const isThere = (file: string) => new ApiError('CONFLICT', `${file} is there already. Give another name.`);

/**
 * Puts a backup in the place of the database; what was there is kept beside it, damaged or not. Nobody can open the database
 * meanwhile, and what is kept is marked, so that no server goes on with it.
 * @param prepare makes the copy fit to be served, before it takes the place; `old` is the database that is replaced, which nobody
 * else can read meanwhile, undefined where it is damaged or not there
 * @param atExit as above
 * @returns where what was there is; undefined when there was nothing
 * @throws ApiError when the backup is none, or a server has the database open
 */
export async function restore(
  from: string,
  file: string,
  prepare: (copy: string, old: Sqlite.Database | undefined) => Promise<void>,
  now = new Date(),
  atExit: (clear: () => void) => void = () => {},
): Promise<string | undefined> {
  if (!existsSync(from)) throw new ApiError('NOT_FOUND', `There is no file ${from}.`);
  mkdirSync(path.dirname(file), { recursive: true });
  removeLeft(file, 'arriving');
  const arriving = `${file}.${randomUUID()}.arriving`;
  atExit(() => remove(arriving));
  const old = takeOutOfUse(file);
  try {
    await copyFile(from, arriving);
    // One that was copied by hand from under a server.
    if (existsSync(`${from}-wal`)) await copyFile(`${from}-wal`, `${arriving}-wal`);
    for (const suffix of ['', '-wal']) if (existsSync(arriving + suffix)) chmodSync(arriving + suffix, 0o600);
    makeOneFile(arriving, from);
    check(arriving, from);
    await prepare(arriving, old?.database);
    makeOneFile(arriving, from);
    check(arriving, from);
    flush(arriving);
    old?.markAsReplaced();
    const kept = setAside(file, now);
    // At once, so that there is always a database here, and no process makes an empty one.
    renameSync(arriving, file);
    flush(path.dirname(file));
    return kept;
  } finally {
    old?.close();
    remove(arriving);
  }
}

/** A database that no other process can open until it is closed. */
interface TakenOut {
  readonly database: Sqlite.Database;
  markAsReplaced(): void;
  close(): void;
}

/**
 * Writes everything into the one file and locks it, which only works while no other process has it open. A damaged one
 * counts as not open.
 */
function takeOutOfUse(file: string): TakenOut | undefined {
  if (!existsSync(file) || statSync(file).size === 0) return undefined;
  let database: Sqlite.Database | undefined;
  try {
    database = new Sqlite(file, { timeout: 1000 });
    // The lock stays after a commit.
    database.pragma('locking_mode = EXCLUSIVE');
    database.exec('BEGIN EXCLUSIVE; COMMIT');
    // What is damaged is kept as it is.
    if (database.pragma('quick_check(1)', { simple: true }) !== 'ok') throw new Error('damaged');
    database.pragma('journal_mode = DELETE');
  } catch (error) {
    database?.close();
    if (/^SQLITE_(BUSY|LOCKED)/.test(String((error as { code?: unknown }).code))) {
      throw new ApiError('CONFLICT', `${file} is in use. Stop the server first.`);
    }
    return undefined;
  }
  const locked = database;
  return {
    database: locked,
    markAsReplaced() {
      try {
        locked.prepare('INSERT OR REPLACE INTO "Epoch" ("name", "value") VALUES (?, 1)').run(MARKS.replaced);
      } catch {
        // Older than the table: it is not served anyway.
      }
      // With an exclusive lock SQLite leaves it, empty, and would take that of the next database here for its own.
      rmSync(`${file}-journal`, { force: true });
    },
    close() {
      locked.close();
    },
  };
}

/** Keeps what is there, and what SQLite keeps beside it, under names that say when; answers that of the database. */
function setAside(file: string, now: Date): string | undefined {
  const kept = `${file}.before-${now.toISOString().replace(/[:.]/g, '-')}`;
  if (existsSync(file)) {
    linkOrCopy(file, kept);
    chmodSync(kept, 0o600);
  }
  for (const suffix of BESIDE.filter((end) => existsSync(file + end))) {
    renameSync(file + suffix, kept + suffix);
    chmodSync(kept + suffix, 0o600);
  }
  return ['', ...BESIDE].map((suffix) => kept + suffix).find(existsSync);
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

/** @param name what people call the file */
function makeOneFile(file: string, name = file): void {
  let database: Sqlite.Database | undefined;
  try {
    database = new Sqlite(file);
    database.pragma('journal_mode = DELETE');
  } catch (error) {
    throw noBackup(name, error);
  } finally {
    database?.close();
  }
}

/** @throws ApiError BAD_USER_INPUT for what is no whole database of ours; answers its size in bytes */
function check(file: string, name: string): number {
  let database: Sqlite.Database | undefined;
  try {
    database = new Sqlite(file, { readonly: true });
    const [result] = database.pragma('integrity_check(1)') as { integrity_check: string }[];
    if (result?.integrity_check !== 'ok') throw new Error(result?.integrity_check);
    const [pages, size] = [
      database.pragma('page_count', { simple: true }),
      database.pragma('page_size', { simple: true }),
    ];
    if (Number(pages) === 0) throw new Error('It is empty');
    return Number(pages) * Number(size);
  } catch (error) {
    throw noBackup(name, error);
  } finally {
    database?.close();
  }
}

function noBackup(name: string, error: unknown): ApiError {
  return new ApiError('BAD_USER_INPUT', `${name} is no backup of Taskgate: ${(error as Error).message}.`);
}

function remove(file: string): void {
  for (const suffix of ['', ...BESIDE]) rmSync(file + suffix, { force: true });
}

/** Until it is on the disk. */
function flush(file: string): void {
  const handle = openSync(file, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
