/**
 * Tells users that tasks of theirs are due within a day, or were within the last: once for each date. Safe to run in every
 * process: the id of a notification says what it tells, so that two processes make one.
 */
import { hash } from 'node:crypto';
import type { PrismaClient } from '#prisma/client.js';
import { type Actor, serverActor } from '../audit/entry.js';
import { isUniqueViolation } from '../db/databaseError.js';
import type { UnitOfWork } from '../db/unitOfWork.js';
import { PeriodicJob } from '../periodicJob.js';
import { DONE } from './states.js';

/** Milliseconds. */
const DAY = 86_400_000;
const RUN_EVERY = 60_000;
/** Changes that another process's clock dates before ours. */
const OVERLAP = 10 * 60_000;
const BATCH = 500;

interface DueTask {
  readonly id: string;
  readonly workspaceId: string;
  readonly environment: Actor['environment'];
  readonly assigneeId: string | null;
  readonly dueDate: Date | null;
}

export class DueNotices extends PeriodicJob {
  #last: Date | undefined;

  constructor(
    private readonly system: PrismaClient,
    private readonly units: UnitOfWork,
    onError: (error: unknown) => void,
    private readonly clock: () => Date = () => new Date(),
  ) {
    super(RUN_EVERY, onError);
  }

  async run(): Promise<void> {
    const now = this.clock();
    let after: DueTask | undefined;
    for (;;) {
      const tasks = await this.#due(now, after);
      for (const task of tasks) {
        if (this.isStopping) return;
        await this.#tell(task);
      }
      after = tasks.at(-1);
      if (tasks.length < BATCH) break;
    }
    this.#last = now;
  }

  /** By when they are due, which there is an index of. Of those that were looked at before, the ones that were changed since. */
  async #due(now: Date, after: DueTask | undefined): Promise<DueTask[]> {
    const at = (milliseconds: number) => new Date(now.getTime() + milliseconds);
    const last = this.#last;
    const isNew = last && {
      OR: [
        { dueDate: { gt: new Date(last.getTime() + DAY - OVERLAP) } },
        { updatedAt: { gt: new Date(last.getTime() - OVERLAP) } },
      ],
    };
    const { dueDate = at(-DAY), id = '' } = after ?? {};
    const isBeyond = { OR: [{ dueDate: { gt: dueDate ?? now } }, { id: { gt: id } }] };
    return this.system.task.findMany({
      where: {
        ...{ dueDate: { gte: dueDate ?? now, lte: at(DAY) }, assigneeId: { not: null }, status: { lt: DONE } },
        AND: [isBeyond, isNew ?? {}],
      },
      select: { id: true, workspaceId: true, environment: true, assigneeId: true, dueDate: true },
      orderBy: [{ dueDate: 'asc' }, { id: 'asc' }],
      take: BATCH,
    });
  }

  async #tell({ id: taskId, assigneeId, dueDate, ...tenant }: DueTask): Promise<void> {
    if (assigneeId === null || dueDate === null) return;
    const id = noticeId(taskId, assigneeId, dueDate);
    if ((await this.system.notification.count({ where: { id } })) > 0) return;
    try {
      await this.units.run(serverActor(tenant, 'due dates'), async ({ tx, now }) => {
        const where = { id: taskId, assigneeId, dueDate, status: { lt: DONE } };
        // It may be another's meanwhile, or done.
        if ((await tx.task.count({ where })) === 0) return;
        const notice = { id, userId: assigneeId, kind: 'DUE', taskId, dueDate, createdAt: now };
        await tx.notification.createMany({ data: [{ ...notice, ...tenant }] });
      });
    } catch (error) {
      // Another process was faster.
      if (!isUniqueViolation(error)) throw error;
    }
  }
}

/** The same for the same task, user and date. */
function noticeId(taskId: string, userId: string, dueDate: Date): string {
  const digest = hash('sha256', `due ${taskId} ${userId} ${dueDate.getTime()}`, 'hex');
  return digest.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
