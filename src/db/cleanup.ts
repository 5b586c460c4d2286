/** Removes what has expired, now and then. Safe to run in every process. */
import { setTimeout } from 'node:timers/promises';
import type { PrismaClient } from '#prisma/client.js';
import { PeriodicJob } from '../periodicJob.js';

/** Milliseconds. */
const RUN_EVERY = 10 * 60_000;
/** Rows that are removed by one statement, during which a process with SQLite does nothing else. */
const BATCH = 200;
/** Milliseconds for everybody else between two of them. */
const PAUSE = 20;
const DAY = 86_400_000;
/** Invitations that are over are shown for so long. */
const KEPT = 90 * DAY;

export class Cleanup extends PeriodicJob {
  readonly #stopping = new AbortController();

  constructor(
    private readonly system: PrismaClient,
    onError: (error: unknown) => void,
  ) {
    super(RUN_EVERY, onError);
  }

  async run(): Promise<void> {
    await cleanUp(this.system, this.#stopping.signal);
  }

  override async stop(): Promise<void> {
    this.#stopping.abort();
    await super.stop();
  }
}

/** What a user let an application do that never came for it: it ended with its code, and nobody knows of it. */
const neverBegun = (now: Date) => ({
  ...{ appId: { not: null }, expiresAt: { lt: new Date(now.getTime() - DAY) } },
  codes: { some: { usedAt: null } },
});

/** @returns how many rows were removed */
export async function cleanUp(system: PrismaClient, stopping: AbortSignal, now = new Date()): Promise<number> {
  const expired = { where: { expiresAt: { lt: now } }, limit: BATCH };
  let removed = 0;
  for (const remove of [
    () => system.idempotencyRecord.deleteMany(expired),
    () => system.accessToken.deleteMany(expired),
    () => system.apiKey.deleteMany({ where: neverBegun(now), limit: BATCH }),
    // Kept for a day, so that one that comes twice is seen.
    () => system.oauthCode.deleteMany({ where: { expiresAt: { lt: new Date(now.getTime() - DAY) } }, limit: BATCH }),
    () => system.oauthRefreshToken.deleteMany(expired),
    () => system.signInSession.deleteMany(expired),
    () => system.signInVerification.deleteMany(expired),
    () => system.invitation.deleteMany({ where: { expiresAt: { lt: new Date(now.getTime() - KEPT) } }, limit: BATCH }),
    // An item may have thousands of rows, so that they go before it.
    () => system.trashRow.deleteMany({ where: { item: expired.where }, limit: BATCH }),
    () => system.trashItem.deleteMany(expired),
  ]) {
    let count = BATCH;
    while (count === BATCH && !stopping.aborted) {
      ({ count } = await remove());
      removed += count;
      await setTimeout(PAUSE);
    }
  }
  return removed;
}
