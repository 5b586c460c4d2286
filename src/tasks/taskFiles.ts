/** Tasks as files have them: CSV, JSON, and Kaneo's JSON. Nothing is asked of a database here. */
import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import { badInput } from '../errors.js';
import { isStorable, isStorableDate } from '../storable.js';
import type { ItemError } from './bulkService.js';
import type { NewTask } from './taskService.js';

export type TaskFileFormat = 'CSV' | 'JSON' | 'KANEO';

/** As they stand in files; their place is their number. */
const STATUSES = ['BACKLOG', 'TRIAGE', 'TODO', 'IN_PROGRESS', 'IN_REVIEW', 'DONE', 'CANCELED'] as const;
const PRIORITIES = ['NONE', 'LOW', 'MEDIUM', 'HIGH', 'URGENT'] as const;
const KANEO_PRIORITIES = ['no-priority', 'low', 'medium', 'high', 'urgent'];
/** What Kaneo calls statuses that are no columns of a board. */
const KANEO_WORDS = new Map([
  ['planned', 0],
  ['archived', 6],
]);

/** A task of a file, or what is wrong with it. */
export interface FileRow {
  /** Of the file, from 1 on; null: it has no lines. */
  readonly line: number | null;
  readonly task?: NewTask;
  /** In place of the id of the assignee. */
  readonly assigneeEmail?: string;
  readonly problem?: string;
}

/** A task as it is written to a file. */
export interface FileTask {
  readonly identifier: string;
  readonly title: string;
  readonly description: string | null;
  readonly status: number;
  readonly state: string | null;
  readonly priority: number;
  readonly tags: readonly string[];
  readonly startDate: Date | null;
  readonly dueDate: Date | null;
  readonly estimate: number | null;
  readonly projectId: string | null;
  readonly assigneeId: string | null;
  /** Undefined: it may not be told. */
  readonly assignee?: string | null | undefined;
  readonly createdAt: Date;
}

/** In the order in which they are written. Of those that are not read, a task has others when it is made. */
const WRITTEN = [
  ...['identifier', 'title', 'description', 'status', 'state', 'priority', 'tags', 'startDate', 'dueDate', 'estimate'],
  ...['projectId', 'assigneeId', 'assignee', 'createdAt'],
] as const;
const NOT_READ = new Set<string>(['identifier', 'createdAt']);
const READ = [...WRITTEN.filter((name) => !NOT_READ.has(name)), 'position', 'parentId'];

/**
 * @param most tasks that it may have
 * @throws BAD_USER_INPUT for what is no such file, or has other fields
 */
export function readTaskFile(format: TaskFileFormat, content: string, most: number): FileRow[] {
  const rows = format === 'CSV' ? csvRows(content, most) : jsonRows(content);
  if (rows.length === 0) throw badInput({ content: ['has no tasks'] });
  if (rows.length > most) throw badInput({ content: [`has more than ${most} tasks: import it in parts`] });
  const read = format === 'KANEO' ? kaneoTask : ownTask;
  return rows.map(({ line, fields }) => {
    try {
      const { assignee, ...task } = read(fields);
      return { line, task: task as unknown as NewTask, ...(assignee !== undefined && { assigneeEmail: assignee }) };
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return { line, problem: error.message };
    }
  });
}

/** Tags of all tasks of a file. */
export const tagsIn = (rows: readonly FileRow[]): number =>
  rows.reduce((sum, { task }) => sum + (task?.tags?.length ?? 0), 0);

/** Why a task of a file is not made. */
export interface FileProblem extends ItemError {
  readonly line: number | null;
}

/** Those of a file that can be tried, with their places in it, and what is wrong with the others. */
interface KnownRows {
  readonly tasks: readonly NewTask[];
  readonly places: readonly Pick<FileProblem, 'index' | 'line'>[];
  readonly problems: readonly FileProblem[];
}

/** In small letters. */
export const emailsIn = (rows: readonly FileRow[]): string[] => [
  ...new Set(rows.flatMap(({ assigneeEmail }) => assigneeEmail?.trim().toLowerCase() ?? [])),
];

/**
 * @param users the ids of users by their emails
 * @param projectId of tasks that name no project
 */
export function knownRows(rows: readonly FileRow[], users: ReadonlyMap<string, string>, projectId?: string): KnownRows {
  const [tasks, places, problems]: [NewTask[], KnownRows['places'][number][], FileProblem[]] = [[], [], []];
  for (const [index, { line, task, assigneeEmail, problem }] of rows.entries()) {
    const assigneeId = assigneeEmail === undefined ? undefined : users.get(assigneeEmail.trim().toLowerCase());
    if (!task) problems.push({ index, line, id: null, code: 'BAD_USER_INPUT', message: problem ?? 'is no task' });
    else if (assigneeEmail !== undefined && assigneeId === undefined) {
      const message = `No user with the email ${JSON.stringify(assigneeEmail.slice(0, 100))}.`;
      problems.push({ index, line, id: null, code: 'NOT_FOUND', message });
    } else {
      tasks.push({
        ...(projectId !== undefined && { projectId }),
        ...task,
        ...(assigneeId !== undefined && { assigneeId }),
      });
      places.push({ index, line });
    }
  }
  return { tasks, places, problems };
}

/** All that is wrong, in the order of the file. @param errors of the tasks that were tried */
export function problemsOf({ places, problems }: KnownRows, errors: readonly ItemError[]): FileProblem[] {
  const tried = errors.map((error) => ({ line: null, ...error, ...places[error.index] }));
  return [...problems, ...tried].sort((one, other) => one.index - other.index);
}

export function writeTaskFile(format: TaskFileFormat, tasks: readonly FileTask[]): string {
  if (format === 'CSV') return csvOf(tasks);
  const written = tasks.map((task) => (format === 'KANEO' ? kaneoOf(task) : ownOf(task)));
  return `${JSON.stringify({ tasks: written }, null, 2)}\n`;
}

type Fields = Readonly<Record<string, unknown>>;
interface RawRow {
  readonly line: number | null;
  readonly fields: Fields;
}

class Problem extends Error {}

function csvRows(content: string, most: number): RawRow[] {
  let records: { info: { lines: number }; record: string[] }[];
  const [head = ''] = content.split(/\r?\n/, 1);
  const delimiter = delimiterOf(head);
  // Reading them takes longer than counting them.
  if (head.split(delimiter).length > 10 * MOST_COLUMNS) throw tooManyColumns();
  try {
    // One more than there may be, and the header.
    const limits = { to: most + 2, max_record_size: MOST_OF_RECORD };
    records = parse(content, { bom: true, info: true, delimiter, skip_empty_lines: true, ...limits }) as never;
  } catch (error) {
    throw badInput({ content: [`is no CSV: ${(error as Error).message}`] });
  }
  const [header, ...rows] = records;
  if (!header) throw badInput({ content: ['has no tasks'] });
  if (header.record.length > MOST_COLUMNS) throw tooManyColumns();
  const names = header.record.map(columnOf);
  const unknown = header.record.filter((_, index) => names[index] === undefined);
  const twice = names.filter((name, index) => name !== undefined && names.indexOf(name) !== index);
  if (unknown.length > 0) {
    const known = `known are ${[...READ, ...NOT_READ].join(', ')}`;
    throw badInput({ content: unknown.slice(0, 10).map((name) => `has an unknown column ${quoted(name)}; ${known}`) });
  }
  if (twice.length > 0) throw badInput({ content: [`has two columns ${twice[0]}`] });
  if (!names.includes('title')) throw badInput({ content: ['has no column title'] });
  return rows.map(({ info, record }) => ({
    line: info.lines,
    fields: Object.fromEntries(names.map((name, index) => [name, unguarded(record[index] ?? '')])),
  }));
}

const MOST_COLUMNS = 100;
const tooManyColumns = () => badInput({ content: [`has more than ${MOST_COLUMNS} columns`] });
/** Characters of a task, and of its tags. */
const MOST_OF_RECORD = 50_000;
const MOST_OF_TAGS = 5000;

/** Spreadsheets of half the world write semicolons. */
function delimiterOf(head: string): string {
  const counted = [',', ';', '\t'].map((one) => ({ one, count: head.split(one).length }));
  return counted.reduce((best, other) => (other.count > best.count ? other : best)).one;
}

/** Due Date, due_date and dueDate are one. */
function columnOf(header: string): string | undefined {
  const plain = (name: string) => name.replace(/[\s_-]/g, '').toLowerCase();
  const name = plain(header);
  const own = ALIASES.get(name) ?? name;
  return [...READ, ...NOT_READ].find((known) => plain(known) === plain(own));
}
const ALIASES = new Map([
  ['labels', 'tags'],
  ['assigneeemail', 'assignee'],
]);

function jsonRows(content: string): RawRow[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(content.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw badInput({ content: [`is no JSON: ${(error as Error).message}`] });
  }
  const tasks = Array.isArray(parsed) ? parsed : (parsed as { tasks?: unknown } | null)?.tasks;
  if (!Array.isArray(tasks))
    throw badInput({ content: ['must be a list of tasks, or an object with the list `tasks`'] });
  return tasks.map((task: unknown) => ({ line: null, fields: (task ?? {}) as Fields }));
}

function ownTask(fields: Fields) {
  const unknown = Object.keys(fields).find((name) => !READ.includes(name) && !NOT_READ.has(name));
  if (unknown !== undefined) throw new Problem(`${quoted(unknown)} is no field of a task`);
  return compact({
    title: textOf(fields, 'title') ?? '',
    description: textOf(fields, 'description'),
    status: placeOf(fields, 'status', STATUSES),
    stateSlug: textOf(fields, 'state'),
    priority: placeOf(fields, 'priority', PRIORITIES),
    tags: tagsOf(fields['tags']),
    startDate: dateOf(fields, 'startDate'),
    dueDate: dateOf(fields, 'dueDate'),
    estimate: numberOf(fields, 'estimate'),
    position: numberOf(fields, 'position'),
    projectId: textOf(fields, 'projectId'),
    parentId: textOf(fields, 'parentId'),
    assigneeId: textOf(fields, 'assigneeId'),
    assignee: textOf(fields, 'assigneeId') === undefined ? textOf(fields, 'assignee') : undefined,
  });
}

function kaneoTask(fields: Fields) {
  const status = textOf(fields, 'status');
  const word = status === undefined ? undefined : KANEO_WORDS.get(status);
  return compact({
    title: textOf(fields, 'title') ?? '',
    description: textOf(fields, 'description'),
    ...(word === undefined ? { stateSlug: status } : { status: word }),
    priority: placeOf(fields, 'priority', KANEO_PRIORITIES),
    tags: tagsOf(fields['labels']),
    startDate: dateOf(fields, 'startDate'),
    dueDate: dateOf(fields, 'dueDate'),
    assigneeId: textOf(fields, 'userId'),
    assignee: undefined,
  });
}

const compact = <T extends object>(fields: T) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;

/** @returns undefined for what is empty */
function textOf(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw new Problem(`${name} must be text`);
  if (!isStorable(value)) throw new Problem(`${name} must be well-formed Unicode, without the character U+0000`);
  return value;
}

function numberOf(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  if (typeof value === 'number') return value;
  const text = textOf(fields, name)?.trim();
  if (text === undefined) return undefined;
  if (!/^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text))
    throw new Problem(`${name} must be a number; it is ${quoted(text)}`);
  return Number(text);
}

const DATE = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})?)?$/;

/** A day is its beginning, and a time without a zone is of UTC. */
function dateOf(fields: Fields, name: string): Date | undefined {
  const text = textOf(fields, name)?.trim();
  if (text === undefined) return undefined;
  const zoned = /^[^T]+$|(?:Z|[+-]\d{2}:\d{2})$/.test(text) ? text : `${text}Z`;
  const date = DATE.test(text) ? new Date(zoned) : new Date(Number.NaN);
  if (!isStorableDate(date) || (text.length >= 10 && !isDay(text.slice(0, 10)))) {
    throw new Problem(
      `${name} must be a date of ISO 8601, as 2026-11-29 or 2026-11-29T12:00:00Z; it is ${quoted(text)}`,
    );
  }
  return date;
}

/** Not the 30th of February. */
function isDay(day: string): boolean {
  const date = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day);
}

function placeOf(fields: Fields, name: string, words: readonly string[]): number | undefined {
  const text = textOf(fields, name);
  if (text === undefined) return undefined;
  const plain = (word: string) =>
    word
      .trim()
      .replace(/[\s_-]+/g, '_')
      .toUpperCase();
  const place = words.findIndex((word) => plain(word) === plain(text));
  if (place < 0) throw new Problem(`${name} must be one of ${words.join(', ')}; it is ${quoted(text)}`);
  return place;
}

/** A list of names, or of labels; in a cell, a line of CSV. */
function tagsOf(value: unknown): string[] | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const list = typeof value === 'string' ? cellsOf(value) : value;
  if (!Array.isArray(list)) throw new Problem('tags must be a list');
  return list.map((one: unknown) => {
    const name = typeof one === 'string' ? one : (one as { name?: unknown } | null)?.name;
    if (typeof name !== 'string' || !isStorable(name)) throw new Problem('tags must be names');
    return name.trim();
  });
}

function cellsOf(line: string): string[] {
  if (line.length > MOST_OF_TAGS) throw new Problem(`tags must have at most ${MOST_OF_TAGS} characters together`);
  try {
    const [cells = []] = parse(line, { relax_column_count: true, trim: true }) as string[][];
    return cells.filter(Boolean);
  } catch {
    throw new Problem(`tags must be names with commas between them; it is ${quoted(line)}`);
  }
}

const quoted = (text: string) => JSON.stringify(text.slice(0, 60));

/** What a spreadsheet would take for a formula, and that itself. */
const FORMULA = /^'*[=+\-@\t\r＝＋－＠]/;
const guarded = (text: string) => (FORMULA.test(text) ? `'${text}` : text);
const unguarded = (cell: string) => (cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell);

function csvOf(tasks: readonly FileTask[]): string {
  const columns = WRITTEN.filter((name) => name !== 'assignee' || tasks.some(({ assignee }) => assignee !== undefined));
  const rows = tasks.map((task) => {
    const own: Fields = { ...ownOf(task), tags: lineOf(task.tags) };
    return columns.map((name) => {
      const value = own[name];
      return typeof value === 'string' ? guarded(value) : value;
    });
  });
  return stringify([[...columns], ...rows]);
}

const lineOf = (names: readonly string[]) => stringify([[...names]], { delimiter: ',', eof: false });

const isoOf = (date: Date | null) => date?.toISOString() ?? null;

/** Of what has no value, nothing. */
function ownOf(task: FileTask): Fields {
  const { status, priority, startDate, dueDate, createdAt } = task;
  const shown: Fields = {
    ...task,
    ...{ status: STATUSES[status], priority: PRIORITIES[priority] },
    ...{ startDate: isoOf(startDate), dueDate: isoOf(dueDate), createdAt: isoOf(createdAt) },
  };
  return Object.fromEntries(WRITTEN.filter((name) => shown[name] != null).map((name) => [name, shown[name]]));
}

function kaneoOf({ title, description, status, state, priority, tags, startDate, dueDate, assigneeId }: FileTask) {
  const [word] = [...KANEO_WORDS].find(([, stands]) => stands === status) ?? [];
  return {
    ...{ title, description: description ?? '', status: word ?? state ?? 'to-do' },
    ...{ priority: KANEO_PRIORITIES[priority], startDate: isoOf(startDate), dueDate: isoOf(dueDate) },
    ...{ userId: assigneeId, labels: tags.map((name) => ({ name })) },
  };
}
