/** The text of a query of rows: what is read, where it begins, the rows of its page, and their order. */
import type { Statement, Table, Where } from './statement.js';
import {
  type Conjunct,
  conjunctsOf,
  isEquality,
  LOOKED_UP,
  labelOf,
  labelsOfTask,
  numbersOf,
  TAG,
} from './taggedTasks.js';
import { boundWhere, type Reach } from './tenant.js';

/** The row that a column of another table refers to, where it is within reach; all of its columns are null otherwise. */
export interface Join extends Table {
  readonly from: Table;
  readonly column: string;
}

/** What is read of each row. The same object stands for the same always: what is made of it is kept with it. */
export interface RowSelection {
  readonly model: string;
  readonly columns: readonly { readonly table: Table; readonly column: string }[];
  readonly joins: readonly Join[];
}

export interface RowQuery {
  readonly selection: RowSelection;
  /** As Prisma takes it. */
  readonly where: Where;
  readonly orderBy?: readonly Where[];
  readonly take?: number;
  readonly skip?: number;
}

/** Of the ids of a table. */
const idsOf = (model: string) => `sqlite_autoindex_${model}_1`;
/** What labels are put on, and what is put there: by which column, and the index of their ids. */
const TAGGING: Readonly<Record<string, { readonly column: string; readonly ids: string }>> = {
  Task: { column: 'taskId', ids: idsOf('Task') },
  Label: { column: 'labelId', ids: idsOf('Label') },
};
/** Indexes of tasks which SQLite does not choose where it takes others for better, as one of a status. */
export const NUMBERS = 'Task_workspaceId_environment_number_key';
/**
 * By which index rows of another row are found. SQLite, which has counted nothing, takes the index of the whole workspace for as good.
 */
const OWNED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Task: { parentId: 'Task_parentId_createdAt_id_idx', stateId: 'Task_stateId_position_id_idx' },
  State: { projectId: 'State_projectId_order_id_idx' },
  Comment: { taskId: 'Comment_taskId_createdAt_id_idx', parentId: 'Comment_parentId_createdAt_id_idx' },
  TimeEntry: { taskId: 'TimeEntry_taskId_createdAt_id_idx' },
  AuditEvent: { targetId: 'AuditEvent_targetId_createdAt_id_idx' },
};
/** In the order of the list, with the numbers. */
export const NEWEST = 'Task_workspaceId_environment_createdAt_id_number_idx';

/**
 * A query, from what it reads to its order.
 * @param head until the condition
 * @param where bound to the tenant
 */
export function find(
  statement: Statement,
  model: string,
  head: string,
  where: Where,
  orderBy?: readonly Where[],
): string {
  const base = { alias: model, model };
  const tagging = TAGGING[model];
  const all = conjunctsOf(where);
  const label = model === 'Task' ? labelOf(all, where, orderBy) : undefined;
  const tagged = label ?? (model === 'Label' ? labelsOfTask(all) : undefined);
  const order = label
    ? label.orderBy.map((item) => statement.order(TAG, item))
    : (orderBy ?? []).map((item) => statement.order(base, item));
  const ordered = order.length > 0 ? ` ORDER BY ${order.join(', ')}` : '';
  const from = ` FROM ${statement.quote(model)}`;
  if (!tagging || !tagged) {
    const index = indexOf(model, all, orderBy);
    const found = index === undefined ? head : head.replace(from, from + statement.by(index));
    return `${found} WHERE ${statement.condition(base, where)}${ordered}`;
  }
  const tags = `${statement.quote(TAG.model)} AS ${statement.quote(TAG.alias)}`;
  const isOf = `${statement.column(base, 'id')} = ${statement.column(TAG, tagging.column)}`;
  const found = label
    ? statement.quote(model) + statement.by(tagging.ids)
    : statement.foundBy(model, tagging.ids, isOf);
  // SQLite takes tables that are cross joined in the order in which they stand.
  const both = head.replace(from, ` FROM ${tags} CROSS JOIN ${found}`);
  const isTagged = statement.condition(TAG, tagged.where);
  return `${both} WHERE ${isOf} AND ${isTagged} AND ${statement.condition(base, tagged.others)}${ordered}`;
}

/** @returns undefined: which the database takes */
function indexOf(model: string, all: readonly Conjunct[], orderBy?: readonly Where[]): string | undefined {
  const numbers = model === 'Task' ? numbersOf(all) : 0;
  if (numbers > 0) return numbers > LOOKED_UP && orderBy?.[0]?.['createdAt'] !== undefined ? NEWEST : NUMBERS;
  const owned = OWNED[model] ?? {};
  for (const [column, test] of all) if (owned[column] !== undefined && isEquality(test)) return owned[column];
  return undefined;
}

/** A page of what a query finds. */
export function page(
  statement: Statement,
  model: string,
  head: string,
  where: Where,
  { orderBy, take, skip }: Required<Pick<RowQuery, 'orderBy' | 'take' | 'skip'>>,
): string {
  const table = statement.quote(model);
  const from = ` FROM ${table}`;
  const joined = head.indexOf(from) + from.length;
  const cut = (start: string) => find(statement, model, start, where, orderBy) + statement.page(take, skip);
  if (joined === head.length || !statement.joinsLate) return cut(head);
  const rows = cut(`SELECT ${table}.*${from}`);
  const order = orderBy.map((item) => statement.order({ alias: model, model }, item));
  const ordered = order.length > 0 ? ` ORDER BY ${order.join(', ')}` : '';
  return `${head.slice(0, joined - from.length)} FROM (${rows}) AS ${table}${head.slice(joined)}${ordered}`;
}

export function headOf(statement: Statement, reach: Reach, { model, columns, joins }: RowSelection): string {
  const selected = columns.map(({ table, column }) => statement.column(table, column)).join(', ');
  let sql = `SELECT ${selected} FROM ${statement.quote(model)}`;
  for (const join of joins) {
    const found = `${statement.column(join, 'id')} = ${statement.column(join.from, join.column)}`;
    const within = statement.condition(join, boundWhere(reach, join.model, {}));
    sql += ` LEFT JOIN ${statement.quote(join.model)} AS ${statement.quote(join.alias)} ON ${found} AND ${within}`;
  }
  return sql;
}
