/**
 * What time does to keys: renewal before they lapse, and notices. Safe to run in every process: a renewal is written
 * only if nobody was faster, and an alert is told once.
 */
import type { ApiKey, PrismaClient } from '#prisma/client.js';
import { raiseAlert } from './alerts.js';
import type { Keys } from './keys.js';

const DAY = 86_400_000;
/** Milliseconds. */
const RUN_EVERY = 60_000;
const NOTICE = 30 * DAY;
const UNUSED = 90 * DAY;
/** A key is renewed a day before it lapses, or half its term if that is shorter. */
const RENEWAL_LEAD = DAY;
const BATCH = 500;

export class Lifecycle {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly system: PrismaClient,
    private readonly keys: Keys,
    private readonly onError: (error: unknown) => void,
  ) {}

  start(): void {
    const run = () => void this.run(new Date()).catch(this.onError);
    run();
    this.#timer = setInterval(run, RUN_EVERY).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async run(now: Date): Promise<void> {
    const usable = { revokedAt: null, rotatedAt: null };
    const expiring = await this.system.apiKey.findMany({
      where: { ...usable, expiresAt: { gt: now, lte: new Date(now.getTime() + NOTICE) } },
      orderBy: { expiresAt: 'asc' },
      take: BATCH,
    });
    for (const key of expiring) await this.#lookAfter(key, now);

    const before = new Date(now.getTime() - UNUSED);
    const unused = await this.system.apiKey.findMany({
      where: {
        ...usable,
        createdAt: { lt: before },
        OR: [{ lastUse: null }, { lastUse: { at: { lt: before } } }],
        AND: [
          { OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] },
          { alerts: { none: { kind: 'KEY_UNUSED', createdAt: { gt: before } } } },
        ],
      },
      include: { lastUse: true },
      take: BATCH,
    });
    for (const key of unused) {
      const last = key.lastUse?.at;
      await raiseAlert(this.system, {
        ...key,
        kind: 'KEY_UNUSED',
        keyId: key.id,
        message: `The key ${key.name} was not used for 90 days${last ? `, last on ${last.toISOString().slice(0, 10)}` : ''}. Revoke it if nobody misses it.`,
        occasion: (last ?? now).toISOString().slice(0, 10),
      });
    }
  }

  async #lookAfter(key: ApiKey, now: Date): Promise<void> {
    const { expiresAt, termSeconds } = key;
    if (expiresAt === null) return;
    const term = (termSeconds ?? 0) * 1000;
    const left = expiresAt.getTime() - now.getTime();
    if (key.autoRenew && term > 0 && left <= Math.min(RENEWAL_LEAD, term / 2)) {
      await this.keys.renew(key, new Date(expiresAt.getTime() + term));
      return;
    }
    // A key that was made for less than the notice would be noticed from its first moment on.
    if (term > 0 && term <= NOTICE && left > term / 2) return;
    await raiseAlert(this.system, {
      ...key,
      kind: 'KEY_EXPIRING',
      keyId: key.id,
      message: `The key ${key.name} expires on ${expiresAt.toISOString()}${key.autoRenew ? ' and will be renewed before' : ''}.`,
      occasion: expiresAt.toISOString(),
    });
  }
}
