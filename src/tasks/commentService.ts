/** What is said of tasks; each change is one unit of work. */
import { z } from 'zod';
import { type Actor, changesBetween } from '../audit/entry.js';
import { nextVersion, type Unit, type UnitOfWork } from '../db/unitOfWork.js';
import { ApiError, badInput, notFound } from '../errors.js';
import { check, expectVersion, required, text } from '../input.js';
import type { TaskEvent, TaskEvents } from '../messaging/taskEvents.js';
import type { ScopeSet } from '../scopes/scope.js';
import { type NotificationKind, notify } from './notificationService.js';
import { isOwn, mustMayDelete } from './ownership.js';
import { projectOfTask } from './subTasks.js';
import { keep } from './trash/keeping.js';

/** Comments of one task. */
const MOST = 10_000;

const rules = z.object({ body: required(text(1, 10_000)) });

interface NewComment {
  readonly taskId: string;
  /** Markdown. */
  readonly body: string;
  /** The comment that it answers. */
  readonly parentId?: string | null | undefined;
}

interface CommentChange {
  readonly id: string;
  readonly body: string;
  readonly expectedUpdatedAt?: Date | null | undefined;
}

export class CommentService {
  constructor(
    private readonly units: UnitOfWork,
    private readonly events: TaskEvents,
  ) {}

  /** @throws BAD_USER_INPUT; NOT_FOUND for the task; CONFLICT for an answer to what was deleted */
  async create(actor: Actor, { taskId, parentId, ...input }: NewComment): Promise<{ id: string }> {
    const { body } = check(rules, input);
    return this.units.run(actor, async (unit) => {
      const { tx, now } = unit;
      if (parentId != null) await checkParent(unit, taskId, parentId);
      if ((await tx.comment.count({ where: { taskId } })) >= MOST) {
        throw new ApiError('CONFLICT', `A task has at most ${MOST} comments.`);
      }
      const { workspaceId, environment, userId, keyId } = actor;
      const row = await tx.comment.create({
        data: {
          ...{ workspaceId, environment, createdById: userId, createdByKeyId: keyId },
          ...{ taskId, parentId: parentId ?? null, body, createdAt: now, updatedAt: now },
        },
        select: { id: true },
      });
      const projectId = await projectOfTask(unit, taskId);
      unit.audit({ ...about(row.id, 'create', projectId), changes: changesBetween({}, { taskId, parentId, body }) });
      await tellOf(unit, taskId, parentId ?? null, body);
      publishComment(unit, this.events, { action: 'CREATED', taskId, projectId, commentId: row.id });
      return row;
    });
  }

  /** Changes the text of a comment of one's own. @throws FORBIDDEN for another's */
  async update(actor: Actor, { id, expectedUpdatedAt, ...input }: CommentChange): Promise<{ id: string }> {
    const { body } = check(rules, input);
    return this.units.run(actor, async (unit) => {
      const before = await find(unit, id, expectedUpdatedAt);
      if (!isOwn(ownerOf(before), actor)) throw new ApiError('FORBIDDEN', 'Only who wrote a comment changes it.');
      if (before.deletedAt) throw new ApiError('CONFLICT', 'The comment was deleted.');
      if (before.body === body) return before;
      await unit.tx.comment.update({
        where: { id },
        data: { body, editedAt: unit.now, updatedAt: nextVersion(before, unit.now) },
        select: { id: true },
      });
      const changes = changesBetween(before, { body });
      const { taskId } = before;
      const projectId = await projectOfTask(unit, taskId);
      unit.audit({ ...about(id, 'update', projectId), changes });
      publishComment(unit, this.events, { action: 'UPDATED', taskId, projectId, commentId: id });
      return before;
    });
  }

  /**
   * Puts the text in the trash; the comment stays, for the answers to it. Once more changes nothing.
   * @param held the scopes of the caller: another's takes tasks:delete
   */
  async delete(
    actor: Actor,
    held: ScopeSet,
    { id, expectedUpdatedAt }: Pick<CommentChange, 'id' | 'expectedUpdatedAt'>,
  ): Promise<{ id: string }> {
    return this.units.run(actor, async (unit) => {
      const before = await find(unit, id, expectedUpdatedAt);
      mustMayDelete(ownerOf(before), actor, held, 'comment');
      if (before.deletedAt) return before;
      const projectId = await projectOfTask(unit, before.taskId);
      const { body, taskId } = before;
      await keep(unit, [{ id, kind: 'COMMENT', title: titleOf(body), projectId, taskId, content: { body } }]);
      const data = { body: '', deletedAt: unit.now, updatedAt: nextVersion(before, unit.now) };
      await unit.tx.comment.update({ where: { id }, data, select: { id: true } });
      const changes = { body: { from: before.body }, taskId: { from: before.taskId } };
      unit.audit({ ...about(id, 'delete', projectId), changes });
      publishComment(unit, this.events, { action: 'DELETED', taskId, projectId, commentId: id });
      return before;
    });
  }
}

export function publishComment(unit: Unit, events: TaskEvents, event: TaskEvent & { commentId: string }): void {
  unit.afterCommit(() => events.publish(unit.actor, event));
}

/** What a comment is called in the trash: its first characters, none of them in half. */
const titleOf = (body: string) => [...body.slice(0, 2 * TITLE)].slice(0, TITLE).join('').toWellFormed();
const TITLE = 100;

const ownerOf = (row: { readonly createdById: string | null; readonly createdByKeyId: string | null }) => ({
  userId: row.createdById,
  keyId: row.createdByKeyId,
});

const about = (id: string, verb: string, projectId: string | null) => ({
  ...{ action: `comment.${verb}`, targetType: 'Comment', targetId: id, projectId },
});

async function find(unit: Unit, id: string, expectedUpdatedAt: Date | null | undefined) {
  await unit.lock('Comment', id);
  const comment = await unit.tx.comment.findUnique({ where: { id } });
  if (!comment) throw notFound('comment', id);
  expectVersion(comment, expectedUpdatedAt);
  return comment;
}

async function checkParent({ tx }: Unit, taskId: string, parentId: string): Promise<void> {
  const parent = await tx.comment.findUnique({ where: { id: parentId } });
  if (!parent) throw notFound('comment', parentId);
  if (parent.taskId !== taskId) throw badInput({ parentId: ['must be a comment of the task'] });
  if (parent.parentId !== null) throw badInput({ parentId: ['is an answer itself; answer the first comment'] });
  if (parent.deletedAt) throw new ApiError('CONFLICT', 'The comment that it answers was deleted.');
}

/** Who is named in it is told so; else whose task it is, and whose comment it answers. */
async function tellOf(unit: Unit, taskId: string, parentId: string | null, body: string): Promise<void> {
  const { tx } = unit;
  const names = mentions(body);
  const named =
    names.length === 0
      ? []
      : await tx.user.findMany({ where: { name: { in: names } }, select: { id: true }, take: MOST_MENTIONS });
  const task = await tx.task.findUnique({ where: { id: taskId }, select: { assigneeId: true, createdById: true } });
  const parent = parentId === null ? null : await tx.comment.findUnique({ where: { id: parentId } });
  const told = new Map<string, NotificationKind>();
  for (const userId of [task?.assigneeId, task?.createdById, parent?.createdById]) {
    if (userId != null) told.set(userId, 'COMMENTED');
  }
  for (const { id } of named) told.set(id, 'MENTIONED');
  await notify(unit, ...[...told].map(([userId, kind]) => ({ userId, kind, taskId })));
}

/** Mentions of one comment that are looked for, and the words that a name may have. */
const MOST_MENTIONS = 20;
const MOST_WORDS = 4;

/** The names that may be meant by `@`, of one word and more: `@Ada Lovelace said` names Ada, and Ada Lovelace. */
function mentions(body: string): string[] {
  const found = [...body.matchAll(/(?<![\p{L}\p{N}])@(?=\S)([^@\n]{1,200})/gu)].slice(0, MOST_MENTIONS);
  return [
    ...new Set(
      found.flatMap(([, said = '']) => {
        const words = said.trim().split(/\s+/).slice(0, MOST_WORDS);
        return words.flatMap((_, index) => {
          const name = words.slice(0, index + 1).join(' ');
          // What follows a name at the end of a sentence is no part of it, perhaps.
          return [name, name.replace(/[\p{P}]+$/u, '')];
        });
      }),
    ),
  ].filter(Boolean);
}
