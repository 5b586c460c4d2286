/**
 * What comes back out of the trash. A tie to something that is in the trash itself waits there until that comes back, and one
 * to something that is gone for good goes as well.
 */
import type { Changes } from '../../audit/entry.js';
import { groupBy } from '../../collections.js';
import { MODEL_FIELDS } from '../../db/statement.js';
import { nextVersion, type Unit } from '../../db/unitOfWork.js';
import type { TaskPlace } from '../../db/unitStatements.js';
import { ApiError } from '../../errors.js';
import type { TaskEvents } from '../../messaging/taskEvents.js';
import { MOST_AFFECTED, setEach } from '../changeEach.js';
import { MOST_LABELS } from '../labelService.js';
import { chooseState, type State, type TaskState } from '../states.js';
import { placeOf, projectBelow } from '../subTasks.js';
import { type Columns, keepRows, moveKept, PORTION, type RowKind, tenantOf, unseen } from './keeping.js';

interface Kept {
  readonly id: string;
  readonly content: Columns;
}
type End = readonly [model: Model, id: string];
/** Merges of labels that are followed, one after another. */
const MOST_MERGES = 5;

/** Of ties: the columns that say what they are between. */
const ENDS = {
  Placement: [
    ['taskId', 'Task'],
    ['projectId', 'Project'],
  ],
  TaskTag: [
    ['taskId', 'Task'],
    ['labelId', 'Label'],
  ],
  TaskRelationship: [
    ['taskId', 'Task'],
    ['targetTaskId', 'Task'],
  ],
  SubTask: [
    ['taskId', 'Task'],
    ['parentId', 'Task'],
  ],
} as const;
type Tie = keyof typeof ENDS;

const DELEGATES = { Task: 'task', Project: 'project', Label: 'label', User: 'user' } as const;
type Model = keyof typeof DELEGATES;

/** With the workspace locked. */
export class Restoring {
  /** Those that stay until this change is committed. */
  readonly #users = new Set<string>();

  constructor(
    private readonly unit: Unit,
    private readonly events: TaskEvents,
    /** Of what comes back. */
    private readonly itemId: string,
    private readonly deletedAt: Date,
  ) {}

  async task(content: Columns): Promise<{ projectId: string | null }> {
    const { unit, itemId } = this;
    const row = stored('Task', content);
    const [projectId, parentId] = [row['projectId'] as string | null, row['parentId'] as string | null];
    // While it is put in a state, its project keeps it.
    const isThere = projectId !== null && (await unit.lockProjectForReading(projectId)) !== undefined;
    const place: TaskState & { projectId: string | null } = {
      projectId: null,
      stateId: null,
      status: row['status'] as number,
    };
    if (isThere) {
      const state = stateIn(await unit.statesOf(projectId), row['stateId'] as string | null, place.status);
      Object.assign(place, { projectId, ...state });
    }
    const { bound } = unit.actor;
    if (bound && !(place.projectId !== null && bound.projects.includes(place.projectId))) {
      throw new ApiError('CONFLICT', `Its project was deleted too: ${projectId}. Restore that first.`);
    }
    await this.#forget(row, ['assigneeId', 'createdById']);
    await moveKept(unit, [itemId], place.projectId);
    const updatedAt = nextVersion({ updatedAt: row['updatedAt'] as Date }, unit.now);
    await unit.insertRows('Task', [{ ...row, ...place, parentId: null, updatedAt }]);
    const ties: [RowKind, Columns][] = [];
    if (projectId !== null && !isThere)
      ties.push(['Placement', { taskId: itemId, projectId, stateId: row['stateId'] }]);
    if (parentId !== null) ties.push(['SubTask', { taskId: itemId, parentId }]);
    for (const [kind, tie] of ties) await keepRows(unit, kind, [{ itemId, content: tie }]);
    return { projectId: place.projectId };
  }

  async rows(kind: RowKind): Promise<void> {
    for (let after = ''; ; ) {
      const where = { ...tenantOf(this.unit), itemId: this.itemId, kind, id: { gt: after } };
      // Where all of them must be known.
      const take = kind === 'Placement' ? MOST_AFFECTED : PORTION;
      const found = await unseen(() =>
        this.unit.tx.trashRow.findMany({ where, orderBy: { id: 'asc' }, select: { id: true, content: true }, take }),
      );
      if (found.length > 0) await this.#restore(kind, found as unknown as Kept[]);
      const last = found.at(-1);
      if (!last || found.length < take) return;
      after = last.id;
    }
  }

  async #restore(kind: RowKind, rows: readonly Kept[]): Promise<void> {
    const { unit } = this;
    switch (kind) {
      case 'State':
        return unit.insertRows(
          'State',
          rows.map(({ content }) => stored('State', content)),
        );
      case 'Placement':
        return this.#placements(await this.#ready(kind, rows));
      case 'TaskTag':
        return this.#tags(await this.#ready(kind, await this.#afterMerges(rows)));
      case 'TaskRelationship':
        return this.#relationships(await this.#ready(kind, rows));
      case 'SubTask':
        return this.#subTasks(await this.#ready(kind, rows));
      case 'Comment':
      case 'Answer':
        return this.#own('Comment', rows, ['createdById']);
      case 'TimeEntry':
        return this.#times(rows);
      case 'Notification': {
        const users = await this.#existing(
          'User',
          rows.map(({ content }) => content['userId'] as string),
        );
        return this.#own(
          'Notification',
          rows.filter(({ content }) => users.has(content['userId'] as string)),
          ['senderId'],
        );
      }
    }
  }

  /** Rows of what comes back. @param users columns that are null where the user is gone */
  async #own(model: string, rows: readonly Kept[], users: readonly string[]): Promise<void> {
    const all = rows.map(({ content }) => stored(model, content));
    for (const row of all) await this.#forget(row, users);
    await this.unit.insertRows(model, all);
  }

  /** A timer that ran when its task was deleted ended then. */
  async #times(rows: readonly Kept[]): Promise<void> {
    const ended = rows.map(({ id, content }) => {
      const { startedAt } = stored('TimeEntry', content) as unknown as { startedAt: Date };
      const endedAt =
        content['endedAt'] ?? new Date(Math.max(startedAt.getTime(), this.deletedAt.getTime())).toISOString();
      return { id, content: { ...content, endedAt } };
    });
    await this.#own('TimeEntry', ended, ['userId']);
  }

  /** Of a label that was made part of another meanwhile, the other is meant. */
  async #afterMerges(rows: readonly Kept[]): Promise<Kept[]> {
    const ids = [...new Set(rows.map(({ content }) => content['labelId'] as string))];
    const known = new Set([...(await this.#existing('Label', ids)), ...(await this.#inTrash(ids)), this.itemId]);
    const merged = new Map<string, string>();
    let missing = ids.filter((id) => !known.has(id));
    for (let merges = 0; missing.length > 0 && merges < MOST_MERGES; merges += 1) {
      const where = { ...tenantOf(this.unit), targetId: { in: missing }, action: 'label.delete' };
      const entries = await unseen(() => this.unit.tx.auditEvent.findMany({ where }));
      missing = [];
      for (const { targetId, changes } of entries) {
        const into = (changes as { mergedInto?: { to?: string } } | null)?.mergedInto?.to;
        if (targetId === null || into === undefined) continue;
        merged.set(targetId, into);
        missing.push(into);
      }
    }
    const follow = (id: string): string => {
      let last = id;
      for (let merges = 0; merges < MOST_MERGES; merges += 1) last = merged.get(last) ?? last;
      return last;
    };
    return rows.map(({ id, content }) => ({
      id,
      content: { ...content, labelId: follow(content['labelId'] as string) },
    }));
  }

  /** Labels that the tasks have meanwhile, and tasks that have no room for more, stay as they are. */
  async #tags(rows: readonly Kept[]): Promise<void> {
    const { unit } = this;
    const ids = [...new Set(rows.map(({ content }) => content['taskId'] as string))];
    const labelIds = [...new Set(rows.map(({ content }) => content['labelId'] as string))];
    const tenant = tenantOf(unit);
    const [labels, known] = await unseen(() =>
      Promise.all([
        unit.tx.label.findMany({ where: { ...tenant, id: { in: labelIds } } }),
        unit.tx.taskTag.findMany({ where: { ...tenant, taskId: { in: ids } } }),
      ]),
    );
    const labelOf = new Map(labels.map((label) => [label.id, label]));
    const counts = new Map<string, number>();
    for (const { taskId } of known) counts.set(taskId, (counts.get(taskId) ?? 0) + 1);
    const has = new Set(known.map(({ taskId, key }) => `${taskId} ${key}`));
    const put: { taskId: string; labelId: string; key: string; name: string }[] = [];
    for (const { content } of rows) {
      const { taskId, labelId, name, key } = content as { taskId: string; labelId: string; name: string; key: string };
      const label = labelOf.get(labelId);
      const count = counts.get(taskId) ?? 0;
      if (!label || count >= MOST_LABELS || has.has(`${taskId} ${label.key}`)) continue;
      counts.set(taskId, count + 1);
      // Two labels of the task may be one since.
      has.add(`${taskId} ${label.key}`);
      put.push({ taskId, labelId, key: label.key, name: label.key === key ? name : label.name });
    }
    await unit.insertRows(
      'TaskTag',
      put.map((tag) => ({ ...tag, ...tenant })),
    );
    for (const [name, tags] of groupBy(put, (tag) => tag.name)) {
      const changed = tags.map(({ taskId }) => taskId).filter((id) => id !== this.itemId);
      await this.#change(changed, { tag: { from: null, to: name } }, {});
    }
  }

  async #relationships(rows: readonly Kept[]): Promise<void> {
    const { unit } = this;
    for (const { content } of rows) {
      const row = stored('TaskRelationship', content);
      const { type, taskId, targetTaskId } = row as { type: string; taskId: string; targetTaskId: string };
      const where = { ...tenantOf(unit), type: type as 'BLOCKS', taskId, targetTaskId };
      const twin = await unseen(() => unit.tx.taskRelationship.findFirst({ where, select: { id: true } }));
      // A circle that was closed meanwhile stays as it is.
      if (twin || (type === 'BLOCKS' && (await unit.leadsTo(targetTaskId, taskId, type)))) continue;
      await this.#forget(row, ['createdById']);
      await unit.insertRows('TaskRelationship', [row]);
    }
  }

  /** Those that have found another place meanwhile stay there. */
  async #subTasks(rows: readonly Kept[]): Promise<void> {
    // Its own sub-tasks first, so that the levels below it are known where it is put below another.
    const isBelow = ({ content }: Kept) => content['parentId'] === this.itemId;
    for (const part of [rows.filter(isBelow), rows.filter((row) => !isBelow(row))]) await this.#putBelow(part);
  }

  async #putBelow(rows: readonly Kept[]): Promise<void> {
    const { unit } = this;
    const asked = new Map(rows.map(({ content }) => [content['taskId'] as string, content['parentId'] as string]));
    const ids = [...new Set([...asked.keys(), ...asked.values()])];
    const tasks = new Map((await this.#tasks({ id: { in: ids } })).map((task) => [task.id, task]));
    const levels = await this.#tasks({ parentId: { in: [...asked.keys()] } });
    const hasSubTasks = new Set(levels.map(({ parentId }) => parentId));
    const places = new Map<string, TaskPlace>();
    const put: { taskId: string; parentId: string }[] = [];
    for (const [taskId, parentId] of asked) {
      const child = tasks.get(taskId);
      if (!child || child.parentId !== null || child.projectId !== tasks.get(parentId)?.projectId) continue;
      const { projectId } = child;
      const own = hasSubTasks.has(taskId) ? await placeOf(unit, taskId) : { projectId, above: [], below: [], depth: 0 };
      try {
        await projectBelow(unit, parentId, undefined, { id: taskId, ...own }, places);
      } catch (error) {
        if (error instanceof ApiError) continue;
        throw error;
      }
      put.push({ taskId, parentId });
      // It is written with the others, so it is counted here.
      for (const id of [parentId, ...(places.get(parentId)?.above ?? [])]) {
        const place = places.get(id);
        if (place) places.set(id, { ...place, below: [...place.below, taskId, ...own.below] });
      }
    }
    for (const [parentId, children] of groupBy(put, (tie) => tie.parentId)) {
      const below = children.map(({ taskId }) => taskId);
      await this.#change(below, { parentId: { from: null, to: parentId } }, { parentId });
    }
  }

  /** Tasks that are in no project yet go back, with their sub-tasks. */
  async #placements(rows: readonly Kept[]): Promise<void> {
    const wanted = new Map(
      rows.map(({ content }) => [content['taskId'] as string, content['stateId'] as string | null]),
    );
    const projectId = rows[0]?.content['projectId'] as string | undefined;
    if (projectId === undefined) return;
    const states = await this.unit.statesOf(projectId);
    let level = await this.#tasks({ id: { in: [...wanted.keys()] }, projectId: null, parentId: null });
    while (level.length > 0) {
      const ids = level.map(({ id }) => id).sort();
      await this.unit.lockTasks(ids);
      // As they are while they are locked.
      level = await this.#tasks({ id: { in: ids }, projectId: null });
      await moveKept(this.unit, ids, projectId);
      const groups = groupBy(level, ({ id, status }) => stateIn(states, wanted.get(id) ?? null, status).stateId);
      for (const [stateId, tasks] of groups) {
        const ids = tasks.map(({ id }) => id);
        await this.#change(ids, { projectId: { from: null, to: projectId } }, { projectId, stateId });
      }
      level = await this.#tasks({ parentId: { in: level.map(({ id }) => id) }, projectId: null });
    }
  }

  async #change(ids: readonly string[], changes: Changes, columns: Columns): Promise<void> {
    await setEach(this.unit, this.events, ids, changes, columns);
  }

  #tasks(where: object) {
    const select = { id: true, projectId: true, parentId: true, status: true } as const;
    return unseen(() => this.unit.tx.task.findMany({ where: { ...where, ...tenantOf(this.unit) }, select }));
  }

  /** Those whose ends are all there; the others wait where they can. */
  async #ready(kind: Tie, rows: readonly Kept[]): Promise<Kept[]> {
    const ends = rows.map((row) => ({
      row,
      ends: ENDS[kind].map(([column, model]): End => [model, row.content[column] as string]),
    }));
    const idsOf = (model: Model) => [
      ...new Set(ends.flatMap((one) => one.ends.flatMap(([of, id]) => (of === model ? [id] : [])))),
    ];
    // They stay as they are found, in the order in which all changes lock.
    const { unit } = this;
    for (const id of idsOf('Project')) await unit.lockProjectForReading(id);
    const tasks = idsOf('Task').sort();
    if (tasks.length > 0) await unit.lockTasks(tasks);
    for (const id of idsOf('Label').sort()) await unit.lock('Label', id);
    const known = new Set<string>();
    for (const model of Object.keys(DELEGATES) as Model[]) {
      for (const id of await this.#existing(model, idsOf(model))) known.add(id);
    }
    const missing = ends.flatMap((one) => one.ends.map(([, id]) => id).filter((id) => !known.has(id)));
    const waiting = await this.#inTrash(missing);
    const ready: Kept[] = [];
    for (const { row, ends: ofRow } of ends) {
      const away = ofRow.map(([, id]) => id).filter((id) => !known.has(id));
      if (away.length === 0) ready.push(row);
      const other = away.find((id) => waiting.has(id));
      if (other === undefined) continue;
      await unseen(() =>
        this.unit.tx.trashRow.updateMany({ where: { ...tenantOf(this.unit), id: row.id }, data: { itemId: other } }),
      );
    }
    return ready;
  }

  async #existing(model: Model, ids: readonly string[]): Promise<Set<string>> {
    return this.#find(DELEGATES[model], ids);
  }

  async #inTrash(ids: readonly string[]): Promise<Set<string>> {
    return this.#find(
      'trashItem',
      ids.filter((id) => id !== this.itemId),
    );
  }

  async #find(delegate: string, ids: readonly string[]): Promise<Set<string>> {
    if (ids.length === 0) return new Set();
    const rows = (this.unit.tx as unknown as Record<string, { findMany(args: object): Promise<{ id: string }[]> }>)[
      delegate
    ];
    const where = { ...tenantOf(this.unit), id: { in: [...new Set(ids)] } };
    const found = (await unseen(async () => rows?.findMany({ where, select: { id: true } }))) ?? [];
    return new Set(found.map(({ id }) => id));
  }

  /** Users who are gone. */
  async #forget(row: Record<string, unknown>, columns: readonly string[]): Promise<void> {
    const ids = columns.flatMap((column) => (typeof row[column] === 'string' ? [row[column]] : []));
    for (const id of ids) {
      if (!this.#users.has(id)) await this.unit.lockUserForReading(id);
      this.#users.add(id);
    }
    const users = await this.#existing('User', ids);
    for (const column of columns) if (!users.has(row[column] as string)) row[column] = null;
  }
}

function stateIn(states: readonly State[], stateId: string | null, status: number): TaskState {
  const same = states.find(({ id, category }) => id === stateId && category === status);
  return same ? { stateId: same.id, status } : chooseState(states, { status });
}

/** A row as it is written, of what JSON kept of it; columns that are no more are left out. */
export function stored(model: string, content: Columns): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (const [column, value] of Object.entries(content)) {
    const field = MODEL_FIELDS.get(model)?.get(column);
    if (!field) continue;
    row[column] = field.type === 'DateTime' && typeof value === 'string' ? new Date(value) : value;
  }
  return row;
}
