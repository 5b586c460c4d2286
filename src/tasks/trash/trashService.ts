/** What was deleted, for as long as it is kept: bringing it back, and deleting it for good. Each is one unit of work. */
import type { Actor } from '../../audit/entry.js';
import { refuseBound } from '../../db/projectReach.js';
import { forNobody } from '../../db/reader.js';
import { withoutBinding } from '../../db/tenant.js';
import { nextVersion, type Unit, type UnitOfWork } from '../../db/unitOfWork.js';
import { ApiError, notFound } from '../../errors.js';
import type { TaskEvents } from '../../messaging/taskEvents.js';
import type { ScopeSet } from '../../scopes/scope.js';
import { publishComment } from '../commentService.js';
import { keyOf, projectKeys } from '../identifier.js';
import { checkRoom } from '../labelService.js';
import { mustMayDelete } from '../ownership.js';
import { projectOfTask } from '../subTasks.js';
import { type Columns, ROW_KINDS, type TrashKind } from './keeping.js';
import { Restoring, stored } from './restoring.js';

const NAMES: Readonly<Record<TrashKind, string>> = {
  ...{ TASK: 'task', PROJECT: 'project', LABEL: 'label', COMMENT: 'comment' },
};

interface Item {
  readonly id: string;
  readonly title: string;
  readonly projectId: string | null;
  readonly taskId: string | null;
  readonly content: Columns;
  readonly deletedAt: Date;
}

export class TrashService {
  constructor(
    private readonly units: UnitOfWork,
    private readonly events: TaskEvents,
  ) {}

  /**
   * Brings back what was deleted, with what went with it. What has changed meanwhile stays as it is: a sub-task that has
   * found another place, a tag that the task has again.
   * @param held the scopes of the caller: another's comment takes tasks:delete
   * @throws NOT_FOUND; CONFLICT where its name is taken, or its task is in the trash
   */
  async restore(actor: Actor, kind: TrashKind, id: string, held: ScopeSet): Promise<{ id: string }> {
    if (kind === 'LABEL') refuseBound(actor.bound, 'restores no labels: they are of all projects');
    return this.units.run(
      actor,
      async (unit) => {
        // It may tie tasks to each other.
        await unit.lockWorkspace();
        const item = await forNobody(() => find(unit, kind, id));
        const restoring = new Restoring(unit, this.events, id, item.deletedAt);
        let { projectId } = item;
        if (kind === 'TASK') ({ projectId } = await restoring.task(item.content));
        else if (kind === 'COMMENT') await restoreComment(unit, this.events, item, held);
        else await restoreNamed(unit, kind, item);
        // Its rows are no part of an answer.
        for (const rowKind of ROW_KINDS) await forNobody(() => restoring.rows(rowKind));
        await unit.tx.trashItem.delete({ where: { id }, select: { id: true } });
        unit.audit({ ...about(kind, id, 'restore', projectId), changes: { title: { to: item.title } } });
        if (kind === 'TASK') {
          unit.afterCommit(() => this.events.publish(actor, { action: 'CREATED', taskId: id, projectId }));
        }
        return { id };
      },
      { long: true },
    );
  }

  /** Deletes for good what is in the trash. @throws NOT_FOUND */
  async purge(actor: Actor, kind: TrashKind, id: string): Promise<{ id: string }> {
    if (kind === 'LABEL') refuseBound(actor.bound, 'deletes no labels: they are of all projects');
    return this.units.run(
      actor,
      async (unit) => {
        const item = await find(unit, kind, id);
        // With a task, what was deleted of it.
        await unit.tx.trashItem.deleteMany({ where: { OR: [{ id }, { taskId: id }] } });
        unit.audit({ ...about(kind, id, 'purge', item.projectId), changes: { title: { from: item.title } } });
        return { id };
      },
      { long: true },
    );
  }
}

const about = (kind: TrashKind, id: string, verb: string, projectId: string | null) => {
  const name = NAMES[kind];
  const targetType = name.charAt(0).toUpperCase() + name.slice(1);
  return { action: `${name}.${verb}`, targetType, targetId: id, projectId };
};

async function find(unit: Unit, kind: TrashKind, id: string): Promise<Item> {
  await unit.lock('TrashItem', id);
  const item = await unit.tx.trashItem.findFirst({ where: { id, kind, expiresAt: { gt: unit.now } } });
  if (!item) throw notFound(`${NAMES[kind]} in the trash`, id);
  return { ...item, content: item.content as Columns };
}

async function restoreNamed(unit: Unit, kind: 'PROJECT' | 'LABEL', { id, content }: Item): Promise<void> {
  const { tx, actor, now } = unit;
  const model = kind === 'PROJECT' ? 'Project' : 'Label';
  const row = stored(model, content);
  const createdById = row['createdById'] as string | null;
  if (createdById !== null && !(await unit.has('User', createdById))) row['createdById'] = null;
  const { workspaceId, environment } = actor;
  const has = (where: object) =>
    withoutBinding(async () => (kind === 'PROJECT' ? tx.project.count({ where }) : tx.label.count({ where })));
  const tenant = { workspaceId, environment };
  const [column, field] = kind === 'PROJECT' ? (['slug', 'slug'] as const) : (['key', 'name'] as const);
  if (row[column] != null && (await has({ ...tenant, [column]: row[column] })) > 0) {
    throw new ApiError('CONFLICT', `Its ${field} is taken meanwhile: ${row[field]}. Change that of the other first.`, {
      fields: { [field]: ['is taken'] },
    });
  }
  // Numbers find its tasks whatever its key is, so that it may have another.
  if (kind === 'PROJECT' && row['key'] != null) {
    const taken = await projectKeys(unit);
    if (taken.has(row['key'] as string)) row['key'] = keyOf(String(row['name']), taken);
  }
  const updatedAt = nextVersion({ updatedAt: row['updatedAt'] as Date }, now);
  await unit.insertRows(model, [{ ...row, id, updatedAt }]);
  if (kind === 'LABEL') await checkRoom(unit);
}

async function restoreComment(
  unit: Unit,
  events: TaskEvents,
  { id, taskId, content }: Item,
  held: ScopeSet,
): Promise<void> {
  await unit.lock('Comment', id);
  const before = await unit.tx.comment.findUnique({ where: { id } });
  if (!before) throw new ApiError('CONFLICT', `Its task was deleted too: ${taskId}. Restore that first.`);
  const owner = { userId: before.createdById, keyId: before.createdByKeyId };
  mustMayDelete(owner, unit.actor, held, 'comment');
  const data = { body: String(content['body']), deletedAt: null, updatedAt: nextVersion(before, unit.now) };
  await unit.tx.comment.update({ where: { id }, data, select: { id: true } });
  const projectId = await projectOfTask(unit, before.taskId);
  publishComment(unit, events, { action: 'UPDATED', taskId: before.taskId, projectId, commentId: id });
}
