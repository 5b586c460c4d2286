/** What users are told of tasks that concern them. It is made in the change that it tells of. */

import type { Actor } from '../audit/entry.js';
import type { Unit, UnitOfWork } from '../db/unitOfWork.js';
import { ApiError, notFound } from '../errors.js';
import { newId } from '../ids.js';

export type NotificationKind = 'ASSIGNED' | 'MENTIONED' | 'COMMENTED' | 'BLOCKED' | 'DUE';

interface Notice {
  /** Who is told. */
  readonly userId: string;
  readonly kind: NotificationKind;
  readonly taskId: string;
}

/** The row of a notification, whole, for changes that only add rows. */
export const notificationRow = ({ actor, now }: Pick<Unit, 'actor' | 'now'>, notice: Notice) => ({
  ...notice,
  id: newId(),
  senderId: actor.userId,
  createdAt: now,
});

/** Tells users of a change; nobody is told of what they did themselves. */
export async function notify(unit: Unit, ...notices: readonly Notice[]): Promise<void> {
  const { workspaceId, environment, userId } = unit.actor;
  const data = notices
    .filter((notice) => notice.userId !== userId)
    .map((notice) => ({ ...notificationRow(unit, notice), workspaceId, environment }));
  if (data.length > 0) await unit.tx.notification.createMany({ data });
}

/** Notifications that one change marks as read. */
const MOST_MARKED = 1000;

export class NotificationService {
  constructor(private readonly units: UnitOfWork) {}

  /**
   * Marks notifications of the actor's user as read; those that are read already stay as they are.
   * @param ids null: all of them
   * @returns whose, and how many were marked
   * @throws FORBIDDEN for a key without a user; NOT_FOUND for one that is not the user's
   */
  async markRead(actor: Actor, ids: readonly string[] | null): Promise<{ userId: string; marked: number }> {
    const { userId } = actor;
    if (userId === null) throw new ApiError('FORBIDDEN', 'This key acts as no user, whom notifications are for.');
    return this.units.run(actor, async ({ tx, now }) => {
      if (ids) {
        const rows = await tx.notification.findMany({ where: { userId, id: { in: [...ids] } }, select: { id: true } });
        const known = new Set(rows.map(({ id }) => id));
        const missing = ids.find((id) => !known.has(id));
        if (missing !== undefined) throw notFound('notification', missing);
      }
      const where = { userId, readAt: null, ...(ids && { id: { in: [...ids] } }) };
      const unread = await tx.notification.findMany({ where, select: { id: true }, take: MOST_MARKED });
      const { count } = await tx.notification.updateMany({
        where: { id: { in: unread.map(({ id }) => id) } },
        data: { readAt: now },
      });
      return { userId, marked: count };
    });
  }
}
