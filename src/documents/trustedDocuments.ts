/** The texts of trusted documents by their hashes, read once in a while. */
import { LRUCache } from 'lru-cache';
import type { PrismaClient } from '#prisma/client.js';
import type { Tenant } from '../db/tenant.js';

/** Milliseconds that a removal in another process may go unnoticed. */
const MAX_AGE = 5000;
/** Characters. */
const MAX_SIZE = 20_000_000;

export class TrustedDocuments {
  readonly #texts = new LRUCache<string, string>({
    maxSize: MAX_SIZE,
    sizeCalculation: (text) => text.length + 100,
    ttl: MAX_AGE,
  });

  constructor(private readonly system: PrismaClient) {}

  /** The text, or undefined where nobody vouches for it in this workspace and environment. */
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

  forget(tenant: Tenant, hash: string): void {
    this.#texts.delete(nameOf(tenant, hash));
  }
}

const nameOf = ({ workspaceId, environment }: Tenant, hash: string) => `${environment}:${workspaceId}:${hash}`;
