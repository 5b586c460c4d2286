/** Removes what has expired, now and then. Safe to run in every process. */
import type { PrismaClient } from '#prisma/client.js';

/** Milliseconds. */
const RUN_EVERY = 10 * 60_000;

/** @returns how to stop it */
export function startCleanup(system: PrismaClient, onError: (error: unknown) => void): () => void {
  const run = async () => {
    const expired = { where: { expiresAt: { lt: new Date() } } };
    await system.idempotencyRecord.deleteMany(expired);
    await system.accessToken.deleteMany(expired);
  };
  const timer = setInterval(() => void run().catch(onError), RUN_EVERY).unref();
  return () => clearInterval(timer);
}
