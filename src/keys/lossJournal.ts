/**
 * Which keys were ended or narrowed and when, in a file beside the SQLite database: a backup that is put back knows nothing
 * of what happened after it was taken, and must not give it back. Hashes and bounds alone; one line each.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Provider } from '../db/provider.js';
import { sqliteFile } from '../db/sqlite.js';
import type { KeyLoss } from './changeKey.js';

function journalOf(databaseFile: string): string {
  return `${databaseFile}.revoked`;
}

const loss = z.object({
  at: z.coerce.date(),
  hash: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  bounds: z
    .object({
      scopes: z.string(),
      // Lines of versions that knew none of these.
      projectIds: z.string().nullable().default(null),
      actsAsId: z.string().nullable().default(null),
      isLocked: z.boolean().default(false),
      allowedIps: z.string().nullable(),
      ratePerMinute: z.number().nullable(),
      ratePerHour: z.number().nullable(),
      expiresAt: z.iso
        .datetime()
        .transform((text) => new Date(text))
        .nullable(),
      autoRenew: z.boolean(),
      termSeconds: z.number().nullable(),
    })
    .optional(),
  setId: z.string().optional(),
});

/** PostgreSQL has backups of its own, so that nothing is kept beside it. */
export function rememberLosses(
  { provider, databaseUrl }: { readonly provider: Provider; readonly databaseUrl: string },
  onError: (error: unknown) => void,
): (losses: readonly KeyLoss[]) => void {
  if (provider !== 'sqlite') return () => {};
  const file = journalOf(sqliteFile(databaseUrl));
  return (losses) => {
    try {
      const lines = losses.map(({ hash, at, bounds, setId }) => JSON.stringify({ at, hash, bounds, setId }));
      appendFileSync(file, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });
    } catch (error) {
      // The keys have lost it all the same; only a backup from before would not know.
      onError(error);
    }
  };
}

/** By hash, the end of a key, else what it was narrowed to last. Lines that are none, as after a crash, are left out. */
export function readLosses(databaseFile: string): Map<string, KeyLoss> {
  const file = journalOf(databaseFile);
  const found = new Map<string, KeyLoss>();
  if (!existsSync(file)) return found;
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const read = loss.safeParse(jsonOf(line));
    if (!read.success) continue;
    const { hash, at, bounds, setId = found.get(hash)?.setId } = read.data;
    const known = found.get(hash);
    if (!known || known.bounds) found.set(hash, { hash, at, ...(bounds && { bounds }), ...(setId && { setId }) });
  }
  return found;
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
