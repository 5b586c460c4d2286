/** A copy of the SQLite file that is whole, taken while the server runs; and the way back. */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import Sqlite from 'better-sqlite3';
import { ApiError } from '../errors.js';

/** Pages copied between two looks at what else is to do. */
const PAGES = 500;

export interface BackupProgress {
  readonly done: number;
  readonly total: number;
}

/** @throws ApiError CONFLICT when there is such a file already */
export async function backUp(
  file: string,
  to: string,
  onProgress: (progress: BackupProgress) => void,
): Promise<{ bytes: number }> {
  if (!existsSync(file)) throw new ApiError('NOT_FOUND', `There is no database at ${file}.`);
  if (existsSync(to)) throw new ApiError('CONFLICT', `${to} is there already. Give another name.`);
  // Under another name until it is whole.
  const unfinished = `${to}.unfinished`;
  rmSync(unfinished, { force: true });
  const source = new Sqlite(file, { readonly: true });
  try {
    await source.backup(unfinished, {
      progress: ({ totalPages, remainingPages }) => {
        onProgress({ done: totalPages - remainingPages, total: totalPages });
        return PAGES;
      },
    });
  } finally {
    source.close();
  }
  const bytes = check(unfinished);
  renameSync(unfinished, to);
  return { bytes };
}

/**
 * Puts a backup in the place of the database; what was there is kept beside it.
 * @returns where that is; undefined when there was nothing
 * @throws ApiError when the backup is none, or a server has the database open
 */
export async function restore(from: string, file: string, now = new Date()): Promise<string | undefined> {
  if (!existsSync(from)) throw new ApiError('NOT_FOUND', `There is no file ${from}.`);
  check(from);
  mkdirSync(path.dirname(file), { recursive: true });
  const arriving = `${file}.arriving`;
  await copyFile(from, arriving);
  let kept: string | undefined;
  if (existsSync(file)) {
    takeOutOfUse(file);
    kept = `${file}.before-${now.toISOString().replace(/[:.]/g, '-')}`;
    renameSync(file, kept);
    for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true });
  }
  renameSync(arriving, file);
  return kept;
}

/** Writes everything into the one file, which only works while nobody else has it open. */
function takeOutOfUse(file: string): void {
  const database = new Sqlite(file, { timeout: 1000 });
  try {
    database.pragma('journal_mode = DELETE');
  } catch {
    throw new ApiError('CONFLICT', `${file} is in use. Stop the server first.`);
  } finally {
    database.close();
  }
}

/** @throws ApiError BAD_USER_INPUT for what is no whole database of ours; answers its size in bytes */
function check(file: string): number {
  let database: Sqlite.Database | undefined;
  try {
    database = new Sqlite(file, { readonly: true });
    const [result] = database.pragma('integrity_check(1)') as { integrity_check: string }[];
    database.prepare('SELECT count(*) FROM _prisma_migrations').get();
    if (result?.integrity_check !== 'ok') throw new Error(result?.integrity_check);
    const [pages, size] = [
      database.pragma('page_count', { simple: true }),
      database.pragma('page_size', { simple: true }),
    ];
    return Number(pages) * Number(size);
  } catch (error) {
    throw new ApiError('BAD_USER_INPUT', `${file} is no backup of Taskgate: ${(error as Error).message}.`);
  } finally {
    database?.close();
  }
}
