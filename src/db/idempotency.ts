/**
 * What came of a request that carried an Idempotency-Key, kept for a day, so that sending it again does nothing again.
 * The change itself and the mark that it was made are written in one transaction: after a crash in between it is known
 * whether to run the request again. The answer is kept encrypted with the caller's credential, which is stored nowhere:
 * the database alone does not reveal it.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import type { PrismaClient } from '#prisma/client.js';
import { ApiError } from '../errors.js';
import { isUniqueViolation } from './databaseError.js';
import { RawValues } from './insertions.js';
import type { Provider } from './provider.js';
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

/** A claim that a request holds, until another takes it for abandoned. */
export interface HeldClaim {
  readonly claim: Claim;
  /** When it was taken. */
  readonly since: Date;
}

interface Kept {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Claimed =
  /** Nobody was here before: run the request, then keep or release the claim. */
  | { readonly kind: 'first'; readonly since: Date }
  | { readonly kind: 'answered'; readonly answer: Kept }
  | { readonly kind: 'running' }
  | { readonly kind: 'other_request' }
  /** It was carried out, and its answer was lost or is for a credential that may do something else. */
  | { readonly kind: 'answer_not_kept' };

const RECORD = 'IdempotencyRecord';
const TAKEN_OVER = 'The request took so long that another with the same Idempotency-Key was run in its place.';

/** The record while it is that of the request which holds the claim. */
const ownOf = ({ claim: { keyId, idempotencyKey }, since }: HeldClaim) => ({ keyId, idempotencyKey, createdAt: since });

export class Idempotency {
  constructor(
    private readonly system: PrismaClient,
    private readonly provider: Provider,
    private readonly onError: (error: unknown) => void,
  ) {}

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
      return { kind: 'first', since: now };
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
      return taken.count === 1 ? { kind: 'first', since: now } : { kind: 'running' };
    }
    if (known.status === COMMITTED) return { kind: isDead ? 'answer_not_kept' : 'running' };
    const answer = known.body === null ? undefined : decrypt(claim, known.body);
    return answer ? { kind: 'answered', answer: { ...answer, status: known.status } } : { kind: 'answer_not_kept' };
  }

  /**
   * Runs the claim's request: each of its changes marks the claim as carried out, in the transaction of the change.
   * @returns what it came to, and whether anything was changed
   * @throws ApiError CONFLICT, and undoes the change, where another request has taken the claim over
   */
  async runWithClaim<T>(held: HeldClaim, run: () => Promise<T>): Promise<{ result: T; changed: boolean }> {
    let changed = false;
    const result = await withClaim(
      {
        mark: async (raw) => {
          const values = new RawValues(this.provider);
          const status = values.add(RECORD, 'status', COMMITTED);
          const own = Object.entries(ownOf(held)).map(
            ([name, value]) => `"${name}" = ${values.add(RECORD, name, value)}`,
          );
          const marked = await raw.execute(
            `UPDATE "IdempotencyRecord" SET "status" = ${status} WHERE ${own.join(' AND ')}`,
            values.all,
          );
          if (marked === 0) throw new ApiError('CONFLICT', TAKEN_OVER);
        },
        committed: () => {
          changed = true;
        },
      },
      run,
    );
    return { result, changed };
  }

  async keep(held: HeldClaim, { status, headers, body }: Kept): Promise<void> {
    const data = { status, body: encrypt(held.claim, { headers, body }) };
    await this.system.idempotencyRecord.updateMany({ where: ownOf(held), data });
  }

  /** The same for a request that changed something, which is answered in any case. */
  async keepIfPossible(held: HeldClaim, answer: Kept): Promise<void> {
    await this.keep(held, answer).catch(this.onError);
  }

  /** Nothing was changed, so the request may be sent again; a claim that is marked stays. */
  async release(held: HeldClaim): Promise<void> {
    await this.system.idempotencyRecord.deleteMany({ where: { ...ownOf(held), status: null } });
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
