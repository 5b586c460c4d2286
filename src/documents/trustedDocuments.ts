/** Documents that an administrator allows: they run by their hash, and alone where PERSISTED_ONLY says so. */
import { LRUCache } from 'lru-cache';
import type { PrismaClient } from '#prisma/client.js';
import type { Actor } from '../audit/entry.js';
import type { Tenant } from '../db/tenant.js';
import type { UnitOfWork } from '../db/unitOfWork.js';
import { badInput, notFound } from '../errors.js';

/** Of one workspace and environment. */
export const MAX_DOCUMENTS = 1000;
/** Milliseconds that a removal in another process may go unnoticed. */
const MAX_AGE = 5000;
/** Characters of the texts that are kept in memory. */
const MAX_SIZE = 20_000_000;

export interface DocumentRow {
  readonly hash: string;
  readonly text: string;
  readonly createdAt: Date;
}

/** A document that could run. */
interface NewDocument {
  /** SHA-256 of the text, in hexadecimal. */
  readonly hash: string;
  readonly text: string;
  /** The names of its operations. */
  readonly operations: readonly (string | undefined)[];
}

export class TrustedDocuments {
  readonly #texts = new LRUCache<string, string>({
    maxSize: MAX_SIZE,
    sizeCalculation: (text) => text.length + 100,
    ttl: MAX_AGE,
  });

  constructor(
    private readonly system: PrismaClient,
    private readonly units: UnitOfWork,
  ) {}

  /** The text; undefined where no document of this workspace and environment has the hash. */
  async find({ workspaceId, environment }: Tenant, hash: string): Promise<string | undefined> {
    const name = nameOf({ workspaceId, environment }, hash);
    const known = this.#texts.get(name);
    if (known !== undefined) return known;
    const row = await this.system.trustedDocument.findUnique({
      where: { workspaceId_environment_hash: { workspaceId, environment, hash } },
    });
    if (row) this.#texts.set(name, row.text);
    return row?.text;
  }

  /** Once more changes nothing. @throws BAD_USER_INPUT where there are as many as there may be */
  async add(actor: Actor, { hash, text, operations }: NewDocument): Promise<DocumentRow> {
    const { workspaceId, environment } = actor;
    return this.units.run(actor, async ({ tx, audit, lockWorkspace }) => {
      await lockWorkspace();
      const known = await tx.trustedDocument.findFirst({ where: { hash } });
      if (known) return known;
      if ((await tx.trustedDocument.count()) >= MAX_DOCUMENTS) {
        throw badInput({ text: [`must not be one more than the ${MAX_DOCUMENTS} documents that there are`] });
      }
      const document = await tx.trustedDocument.create({ data: { workspaceId, environment, hash, text } });
      const changes = { operations: { to: operations } };
      audit({ action: 'trusted_document.add', targetType: 'TrustedDocument', targetId: hash, changes });
      return document;
    });
  }

  /** Other processes follow within seconds. @throws NOT_FOUND */
  async remove(actor: Actor, hash: string): Promise<void> {
    await this.units.run(actor, async ({ tx, audit, afterCommit }) => {
      const { count } = await tx.trustedDocument.deleteMany({ where: { hash } });
      if (count === 0) throw notFound('trusted document', hash);
      audit({ action: 'trusted_document.remove', targetType: 'TrustedDocument', targetId: hash });
      afterCommit(() => this.#texts.delete(nameOf(actor, hash)));
    });
  }
}

const nameOf = ({ workspaceId, environment }: Tenant, hash: string) => `${environment}:${workspaceId}:${hash}`;
