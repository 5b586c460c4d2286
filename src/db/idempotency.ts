/**
 * What came of a request that carried an Idempotency-Key, kept for a day, so that sending it again does nothing again.
 * The change itself and the mark that it was made are written in one transaction: after a crash in between it is known
 * whether to run the request again. The answer is kept encrypted with the caller's credential, which is stored nowhere:
 * the database alone does not reveal it.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import type { PrismaClient } from '#prisma/client.js';
import { isUniqueViolation } from './databaseError.js';
import type { Tenant } from './tenant.js';
import { withClaim } from './unitOfWork.js';

const DAY = 86_400_000;
/** Milliseconds after which a request that wrote no result is taken to be dead; longer than any may run. */
const ABANDONED = 60_000;
/** The status of a record whose change is in the database and whose answer is not known yet. */
const COMMITTED = 0;

export interface Claim extends Tenant {
  readonly keyId: string;
  readonly idempotencyKey: string;
  /** The key or token that the request came with, and what it may do; both encrypt the answer. */
  readonly credential: string;
  readonly reach: string;
  /** Tells requests apart that carry the same key. */
  readonly fingerprint: string;
}

interface Kept {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Claimed =
  /** Nobody was here before: run the request, then keep or release the claim. */
  | { readonly kind: 'first' }
  | { readonly kind: 'answered'; readonly answer: Kept }
  | { readonly kind: 'running' }
  | { readonly kind: 'other_request' }
  /** It was carried out, and its answer was lost or is for a credential that may do something else. */
  | { readonly kind: 'answer_not_kept' };

export class Idempotency {
  constructor(private readonly system: PrismaClient) {}

  async claim(claim: Claim, now = new Date()): Promise<Claimed> {
    const { keyId, idempotencyKey, workspaceId, environment, fingerprint } = claim;
    const where = { keyId_idempotencyKey: { keyId, idempotencyKey } };
    try {
      await this.system.idempotencyRecord.create({
        data: {
          ...{ keyId, idempotencyKey, workspaceId, environment, requestHash: fingerprint },
          ...{ createdAt: now, expiresAt: new Date(now.getTime() + DAY) },
        },
      });
      return { kind: 'first' };
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
    }
    const known = await this.system.idempotencyRecord.findUnique({ where });
    if (!known || known.expiresAt <= now) {
      await this.system.idempotencyRecord.deleteMany({ where: { keyId, idempotencyKey, expiresAt: { lte: now } } });
      return this.claim(claim, now);
    }
    if (known.requestHash !== fingerprint) return { kind: 'other_request' };
    const isDead = now.getTime() - known.createdAt.getTime() > ABANDONED;
    if (known.status === null) {
      if (!isDead) return { kind: 'running' };
      const taken = await this.system.idempotencyRecord.updateMany({
        where: { keyId, idempotencyKey, status: null, createdAt: known.createdAt },
        data: { createdAt: now },
      });
      return { kind: taken.count === 1 ? 'first' : 'running' };
    }
    if (known.status === COMMITTED) return { kind: isDead ? 'answer_not_kept' : 'running' };
    const answer = known.body === null ? undefined : decrypt(claim, known.body);
    return answer ? { kind: 'answered', answer: { ...answer, status: known.status } } : { kind: 'answer_not_kept' };
  }

  /**
   * Runs the claim's request: each of its changes marks the claim as carried out, in the transaction of the change.
   * @returns what it came to, and whether anything was changed
   */
  async runWithClaim<T>(
    { keyId, idempotencyKey }: Claim,
    run: () => Promise<T>,
  ): Promise<{ result: T; changed: boolean }> {
    let changed = false;
    const result = await withClaim(
      {
        mark: (raw) =>
          raw.execute('UPDATE "IdempotencyRecord" SET "status" = $1 WHERE "keyId" = $2 AND "idempotencyKey" = $3', [
            COMMITTED,
            keyId,
            idempotencyKey,
          ]),
        committed: () => {
          changed = true;
        },
      },
      run,
    );
    return { result, changed };
  }

  async keep(claim: Claim, { status, headers, body }: Kept): Promise<void> {
    const { keyId, idempotencyKey } = claim;
    await this.system.idempotencyRecord.updateMany({
      where: { keyId, idempotencyKey },
      data: { status, body: encrypt(claim, { headers, body }) },
    });
  }

  /** Nothing was changed, so the request may be sent again; a claim that is marked stays. */
  async release({ keyId, idempotencyKey }: Claim): Promise<void> {
    await this.system.idempotencyRecord.deleteMany({ where: { keyId, idempotencyKey, status: null } });
  }
}

export function fingerprintOf(...parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:${part}`);
  return hash.digest('hex');
}

const CIPHER = 'aes-256-gcm';
const NONCE = 12;
const TAG = 16;

function encryptionKey({ credential, reach, keyId, idempotencyKey }: Claim): Buffer {
  const holder = `${keyId}:${idempotencyKey}:${reach}`;
  return Buffer.from(hkdfSync('sha256', credential, 'taskgate idempotency', holder, 32));
}

function encrypt(claim: Claim, content: Omit<Kept, 'status'>): string {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv(CIPHER, encryptionKey(claim), nonce);
  const encrypted = Buffer.concat([cipher.update(JSON.stringify(content)), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), encrypted]).toString('base64');
}

/** Undefined where it was encrypted with another credential, or for one that could do something else. */
function decrypt(claim: Claim, text: string): Omit<Kept, 'status'> | undefined {
  const bytes = Buffer.from(text, 'base64');
  const decipher = createDecipheriv(CIPHER, encryptionKey(claim), bytes.subarray(0, NONCE), { authTagLength: TAG });
  decipher.setAuthTag(bytes.subarray(NONCE, NONCE + TAG));
  try {
    const content = Buffer.concat([decipher.update(bytes.subarray(NONCE + TAG)), decipher.final()]);
    return JSON.parse(content.toString()) as Omit<Kept, 'status'>;
  } catch {
    return undefined;
  }
}
