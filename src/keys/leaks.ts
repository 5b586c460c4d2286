/** Leaked keys: anyone who holds one may end it, scanners may report it, and files can be searched without a network. */
import { createVerify } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { ApiKey, PrismaClient } from '#prisma/client.js';
import { serverActor } from '../audit/entry.js';
import type { UnitOfWork } from '../db/unitOfWork.js';
import { raiseAlert } from './alerts.js';
import type { ApiKeyService } from './apiKeyService.js';
import { hashKey, isSecret, KEY_PATTERN, parseKey } from './format.js';

/** Larger files are skipped, in bytes. */
const MAX_FILE = 64 * 1024 * 1024;

/** Every key in a file, or in all files below a folder (but not in .git and node_modules), with where it stands. */
export function scanPath(start: string): { key: string; file: string; line: number }[] {
  const status = lstatSync(start);
  if (status.isDirectory()) {
    return readdirSync(start)
      .filter((name) => name !== '.git' && name !== 'node_modules')
      .flatMap((name) => scanPath(path.join(start, name)));
  }
  if (!status.isFile() || status.size > MAX_FILE) return [];
  // Byte for byte: a key is ASCII, whatever stands around it.
  return readFileSync(start, 'latin1')
    .split('\n')
    .flatMap((text, index) =>
      [...text.matchAll(KEY_PATTERN)]
        .filter(([key]) => parseKey(key) !== undefined)
        .map(([key]) => ({ key, file: start, line: index + 1 })),
    );
}

/** The rows behind those of these texts that are keys of ours. */
export async function lookUp(system: PrismaClient, texts: readonly string[]): Promise<Map<string, ApiKey>> {
  const byHash = new Map(texts.filter((text) => parseKey(text) !== undefined).map((text) => [hashKey(text), text]));
  const rows = await system.apiKey.findMany({ where: { hash: { in: [...byHash.keys()] } } });
  return new Map(rows.map((row) => [byHash.get(row.hash) ?? '', row]));
}

export interface Report {
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly requestId: string;
  /** Where it was found, for the people who look after the key. */
  readonly source: string;
  readonly revoke: boolean;
}

/** Tells the owner, and ends the keys when asked to. */
export async function handleLeak(
  system: PrismaClient,
  keys: ApiKeyService,
  rows: Iterable<ApiKey>,
  report: Report,
): Promise<void> {
  for (const row of rows) {
    const live = row.revokedAt === null;
    if (report.revoke && live) {
      const { ip, userAgent, requestId } = report;
      const actor = { ...serverActor(row, ''), ip, userAgent, requestId };
      await keys.end(actor, row, `leaked: ${report.source}`);
    }
    await raiseAlert(system, {
      ...row,
      kind: 'KEY_LEAKED',
      keyId: row.id,
      message: `The key ${row.name} was reported as leaked (${report.source})${report.revoke && live ? ' and is revoked' : ''}.`,
      occasion: report.source,
    });
  }
}

/** Ends the access tokens among these texts; the keys that they are of go on. */
export async function endTokens(
  units: UnitOfWork,
  system: PrismaClient,
  texts: readonly string[],
  { ip, userAgent, requestId, source }: Omit<Report, 'revoke'>,
): Promise<void> {
  const hashes = texts.filter((text) => isSecret('at', text)).map(hashKey);
  if (hashes.length === 0) return;
  const tokens = await system.accessToken.findMany({ where: { hash: { in: hashes } }, include: { key: true } });
  for (const { hash, key } of tokens) {
    const actor = { ...serverActor(key, ''), ip, userAgent, requestId };
    await units.run(actor, async ({ tx, audit, keysChanged }) => {
      const { count } = await tx.accessToken.deleteMany({ where: { hash } });
      if (count === 0) return;
      keysChanged();
      const changes = { reason: { to: `leaked: ${source}` } };
      audit({ action: 'api_key.token_revoke', targetType: 'ApiKey', targetId: key.id, changes });
    });
    const message = `An access token of the key ${key.name} was reported as leaked (${source}) and is ended.`;
    await raiseAlert(system, { ...key, kind: 'KEY_LEAKED', keyId: key.id, message, occasion: `token ${hash}` });
  }
}

/** The same of what applications hold: with a refresh token the access ends that it is of; of a secret its workspace is told. */
export async function endAppSecrets(
  system: PrismaClient,
  keys: ApiKeyService,
  texts: readonly string[],
  report: Omit<Report, 'revoke'>,
): Promise<void> {
  const hashesOf = (kind: 'rt' | 'cs') => texts.filter((text) => isSecret(kind, text)).map(hashKey);
  const [refreshTokens, secrets] = [hashesOf('rt'), hashesOf('cs')];
  if (refreshTokens.length > 0) {
    const where = { hash: { in: refreshTokens } };
    const found = await system.oauthRefreshToken.findMany({ where, include: { key: true } });
    await handleLeak(system, keys, new Map(found.map(({ key }) => [key.id, key])).values(), {
      ...report,
      revoke: true,
    });
  }
  if (secrets.length === 0) return;
  for (const app of await system.oauthApp.findMany({ where: { secretHash: { in: secrets } } })) {
    const { id, name, secretHash, workspaceId, environment } = app;
    const message = `The secret of the application ${name} (${id}) was reported as leaked (${report.source}). Make a new one.`;
    await raiseAlert(system, {
      ...{ workspaceId, environment, kind: 'KEY_LEAKED', keyId: null, message },
      // Of another secret it is another alert.
      occasion: String(secretHash),
    });
  }
}

export interface PublicKey {
  readonly key_identifier: string;
  /** PEM */
  readonly key: string;
}

/** ECDSA over P-256 with SHA-256, base64, as GitHub's secret scanning partner programme signs its reports. */
export function isSigned(
  body: string,
  identifier: string,
  signature: string,
  publicKeys: readonly PublicKey[],
): boolean {
  const publicKey = publicKeys.find(({ key_identifier }) => key_identifier === identifier);
  if (!publicKey) return false;
  try {
    return createVerify('sha256').update(body).verify(publicKey.key, signature, 'base64');
  } catch {
    return false;
  }
}
