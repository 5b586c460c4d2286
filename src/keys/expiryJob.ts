/**
 * What time does to keys: renewal before they lapse, notices, and an end for what an application has no token for. Safe to run in every process: a renewal is written
 * only if no other process was faster, and an alert is raised once.
 */
import { LRUCache } from 'lru-cache';
import type { ApiKey, PrismaClient } from '#prisma/client.js';
import { atMost } from '../atMost.js';
import { serverActor } from '../audit/entry.js';
import { PeriodicJob } from '../periodicJob.js';
import { raiseAlert } from './alerts.js';
import { APP_HASH, KEYS } from './apiKey.js';
import type { ApiKeyService } from './apiKeyService.js';
import { ENTERPRISE } from './plans.js';

const DAY = 86_400_000;
/** Milliseconds. */
const RUN_EVERY = 60_000;
const NOTICE = 30 * DAY;
const UNUSED = 90 * DAY;
const BATCH = 500;
const MAX_REMEMBERED = 50_000;

export class ExpiryJob extends PeriodicJob {
  /** Alerts that this process knows to be raised, so that it does not look each of them up each minute. */
  readonly #raised = new LRUCache<string, true>(atMost(MAX_REMEMBERED));

  constructor(
    private readonly system: PrismaClient,
    private readonly keys: Pick<ApiKeyService, 'renew' | 'end'>,
    onError: (error: unknown) => void,
    private readonly clock: () => Date = () => new Date(),
  ) {
    super(RUN_EVERY, onError);
  }

  async run(): Promise<void> {
    const now = this.clock();
    const workspaces = await this.system.workspace.findMany({ where: { plan: ENTERPRISE }, select: { id: true } });
    const renewing = new Set(workspaces.map(({ id }) => id));
    for await (const key of this.#expiring(now)) {
      if (this.isStopping) return;
      await this.#lookAfter(key, renewing.has(key.workspaceId));
    }
    for await (const key of this.#unused(now)) {
      if (this.isStopping) return;
      await this.#tellUnused(key, now);
    }
    for (const key of await this.#forsaken(now)) {
      if (this.isStopping) return;
      await this.keys.end(serverActor(key, 'idle applications'), key, 'its application did not use it for 90 days');
    }
  }

  /** What an application cannot get a token for any more: its last refresh token has expired. Some, the next time others. */
  async #forsaken(now: Date): Promise<ApiKey[]> {
    return this.system.apiKey.findMany({
      where: {
        ...{ hash: { startsWith: APP_HASH }, revokedAt: null },
        // Not what has not begun, which ends by itself.
        codes: { none: { usedAt: null } },
        OR: [{ expiresAt: null }, { expiresAt: { gt: now } }],
        refreshTokens: { none: { usedAt: null, expiresAt: { gt: now } } },
      },
      orderBy: { id: 'asc' },
      take: BATCH,
    });
  }

  /** By the moment that they expire at. */
  async *#expiring(now: Date): AsyncGenerator<ApiKey> {
    const usable = { ...KEYS, revokedAt: null, rotatedAt: null };
    let last: { expiresAt: Date | null; id: string } | undefined;
    for (;;) {
      const keys: ApiKey[] = await this.system.apiKey.findMany({
        where: {
          ...usable,
          expiresAt: { gt: now, lte: new Date(now.getTime() + NOTICE) },
          // What an application was let do, and has not begun to do, lasts no longer than its code.
          codes: { none: { usedAt: null } },
          ...(last && { OR: [{ expiresAt: { gt: last.expiresAt ?? now } }, { ...last, id: { gt: last.id } }] }),
        },
        orderBy: [{ expiresAt: 'asc' }, { id: 'asc' }],
        take: BATCH,
      });
      yield* keys;
      last = keys.at(-1);
      if (keys.length < BATCH || !last) return;
      last = { expiresAt: last.expiresAt, id: last.id };
    }
  }

  async *#unused(now: Date) {
    const before = new Date(now.getTime() - UNUSED);
    let after = '';
    for (;;) {
      const keys = await this.system.apiKey.findMany({
        where: {
          ...{ ...KEYS, id: { gt: after }, revokedAt: null, rotatedAt: null, createdAt: { lt: before } },
          OR: [{ lastUse: null }, { lastUse: { at: { lt: before } } }],
          AND: [
            { OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] },
            { alerts: { none: { kind: 'KEY_UNUSED', createdAt: { gt: before } } } },
          ],
        },
        include: { lastUse: true },
        orderBy: { id: 'asc' },
        take: BATCH,
      });
      yield* keys;
      after = keys.at(-1)?.id ?? after;
      if (keys.length < BATCH) return;
    }
  }

  async #lookAfter(key: ApiKey, planRenews: boolean): Promise<void> {
    const { expiresAt } = key;
    if (expiresAt === null) return;
    const renewed = key.autoRenew && planRenews ? await this.keys.renew(key) : undefined;
    if (renewed?.expiresAt) {
      await this.#tell(key, 'KEY_RENEWED', renewed.expiresAt, (until) => `was renewed and now expires on ${until}`);
      return;
    }
    const ending = key.autoRenew && planRenews ? ' and will be renewed before' : '';
    await this.#tell(key, 'KEY_EXPIRING', expiresAt, (until) => `expires on ${until}${ending}`);
  }

  async #tell(
    key: ApiKey,
    kind: 'KEY_RENEWED' | 'KEY_EXPIRING',
    at: Date,
    wording: (until: string) => string,
  ): Promise<void> {
    const occasion = at.toISOString();
    const name = `${kind} ${key.id} ${occasion}`;
    if (this.#raised.has(name)) return;
    await raiseAlert(this.system, {
      ...key,
      kind,
      keyId: key.id,
      message: `The key ${key.name} ${wording(occasion)}.`,
      occasion,
    });
    this.#raised.set(name, true);
  }

  async #tellUnused(key: ApiKey & { lastUse: { at: Date } | null }, now: Date): Promise<void> {
    const last = key.lastUse?.at;
    const since = last ?? key.createdAt;
    await raiseAlert(this.system, {
      ...key,
      kind: 'KEY_UNUSED',
      keyId: key.id,
      message: `The key ${key.name} was not used for 90 days${last ? `, last on ${last.toISOString().slice(0, 10)}` : ''}. Revoke it if nobody misses it.`,
      // Again each time that as long has passed.
      occasion: `${since.toISOString().slice(0, 10)} ${Math.floor((now.getTime() - since.getTime()) / UNUSED)}`,
    });
  }
}
