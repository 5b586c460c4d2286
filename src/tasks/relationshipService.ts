/** Relationships between tasks; each change is one unit of work. */
import type { RelationshipType } from '#prisma/client.js';
import { type Actor, changesBetween } from '../audit/entry.js';
import { notFoundRow } from '../db/tenant.js';
import { nextVersion, type Unit, type UnitOfWork } from '../db/unitOfWork.js';
import { ApiError, badInput, notFound } from '../errors.js';
import { expectVersion } from '../input.js';
import { notify } from './notificationService.js';

/** Relationships from one task to others. */
const MOST = 1000;

interface Relationship {
  readonly type: RelationshipType;
  readonly taskId: string;
  readonly targetTaskId: string;
}

interface RelationshipChange {
  readonly id: string;
  /** Only if it is from this task. */
  readonly taskId?: string | null | undefined;
  readonly type?: RelationshipType | null | undefined;
  readonly targetTaskId?: string | null | undefined;
  readonly expectedUpdatedAt?: Date | null | undefined;
}

/** As it was. */
export interface DeletedRelationship extends Relationship {
  readonly id: string;
  readonly createdAt: Date;
}

export class RelationshipService {
  constructor(private readonly units: UnitOfWork) {}

  /** @throws BAD_USER_INPUT for itself; CONFLICT for one that is there already, and for a circle of tasks that block */
  async create(actor: Actor, { type, taskId, targetTaskId }: Relationship): Promise<{ id: string }> {
    return this.units.run(actor, async (unit) => {
      const { workspaceId, environment, userId, keyId } = actor;
      await checkPlace(unit, { type, taskId, targetTaskId });
      if ((await unit.tx.taskRelationship.count({ where: { taskId } })) >= MOST) {
        throw new ApiError('CONFLICT', `A task has at most ${MOST} relationships to others.`);
      }
      const data = { workspaceId, environment, type, taskId, targetTaskId, createdById: userId, createdByKeyId: keyId };
      const row = await unit.tx.taskRelationship.create({ data, select: { id: true } });
      const projectId = await projectOf(unit, [taskId, targetTaskId]);
      unit.audit({
        ...about(row.id, 'create', projectId),
        changes: changesBetween({}, { type, taskId, targetTaskId }),
      });
      if (type === 'BLOCKS') {
        const target = await unit.tx.task.findUnique({ where: { id: targetTaskId }, select: { assigneeId: true } });
        if (target?.assigneeId) {
          await notify(unit, { userId: target.assigneeId, kind: 'BLOCKED', taskId: targetTaskId });
        }
      }
      return row;
    });
  }

  async update(actor: Actor, { id, taskId, expectedUpdatedAt, ...input }: RelationshipChange): Promise<{ id: string }> {
    return this.units.run(actor, async (unit) => {
      // In the order in which all changes lock.
      if (input.type !== undefined || input.targetTaskId !== undefined) await unit.lockWorkspace();
      await unit.lock('TaskRelationship', id);
      const before = await find(unit, id, taskId);
      expectVersion(before, expectedUpdatedAt);
      const place = {
        type: input.type ?? before.type,
        taskId: before.taskId,
        targetTaskId: input.targetTaskId ?? before.targetTaskId,
      };
      const changes = changesBetween(before, place);
      if (Object.keys(changes).length === 0) return before;
      await checkPlace(unit, place);
      const { type, targetTaskId } = place;
      const data = { type, targetTaskId, updatedAt: nextVersion(before, unit.now) };
      await unit.tx.taskRelationship.update({ where: { id }, data, select: { id: true } });
      const projectId = await projectOf(unit, [before.taskId, before.targetTaskId, targetTaskId]);
      unit.audit({ ...about(id, 'update', projectId), changes });
      return before;
    });
  }

  /** @param taskId only if it is from this task */
  async delete(
    actor: Actor,
    { id, taskId, expectedUpdatedAt }: Pick<RelationshipChange, 'id' | 'taskId' | 'expectedUpdatedAt'>,
  ): Promise<DeletedRelationship> {
    return this.units.run(actor, async (unit) => {
      await unit.lock('TaskRelationship', id);
      const { type, createdAt, ...before } = await find(unit, id, taskId);
      expectVersion(before, expectedUpdatedAt);
      await unit.tx.taskRelationship.delete({ where: { id }, select: { id: true } });
      unit.audit({
        ...about(id, 'delete', await projectOf(unit, [before.taskId, before.targetTaskId])),
        changes: {
          type: { from: type },
          taskId: { from: before.taskId },
          targetTaskId: { from: before.targetTaskId },
        },
      });
      return { id, type, taskId: before.taskId, targetTaskId: before.targetTaskId, createdAt };
    });
  }
}

const about = (id: string, verb: string, projectId: string | null) => ({
  action: `task_relationship.${verb}`,
  targetType: 'TaskRelationship',
  targetId: id,
  projectId,
});

/** The project that all of some tasks are in; null: there is no such one. */
async function projectOf({ tx }: Unit, ids: readonly string[]): Promise<string | null> {
  const tasks = await tx.task.findMany({ where: { id: { in: [...ids] } }, select: { projectId: true } });
  const projects = new Set(tasks.map(({ projectId }) => projectId));
  const [only = null] = projects;
  return projects.size === 1 ? only : null;
}

async function find({ tx }: Unit, id: string, taskId: string | null | undefined) {
  const row = await tx.taskRelationship.findUnique({ where: { id } });
  if (!row || (taskId != null && row.taskId !== taskId)) throw notFound('task relationship', id);
  return row;
}

/** @throws when a relationship may not stand there */
async function checkPlace(unit: Unit, { type, taskId, targetTaskId }: Relationship): Promise<void> {
  if (taskId === targetTaskId) throw badInput({ targetTaskId: ['must be another task'] });
  // Within reach: what is beyond it says nothing of a circle.
  for (const id of [taskId, targetTaskId]) {
    const isThere = await unit.tx.task.findUnique({ where: { id }, select: { id: true } });
    if (!isThere) throw notFoundRow('Task', id);
  }
  // Of those that block each other, a circle may be closed by several at once.
  if (type === 'BLOCKS') await unit.lockWorkspace();
  const where = { taskId, targetTaskId, type };
  const known = await unit.tx.taskRelationship.findFirst({ where, select: { id: true } });
  if (known) throw new ApiError('CONFLICT', `The tasks have this relationship already (${known.id}).`);
  if (type === 'BLOCKS' && (await unit.leadsTo(targetTaskId, taskId, type))) {
    throw new ApiError(
      'CONFLICT',
      'The target blocks the task already, directly or by others: neither could be done first.',
    );
  }
}
