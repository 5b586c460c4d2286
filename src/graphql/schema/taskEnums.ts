/** Statuses and priorities of tasks: stored as numbers, so that both databases sort and compare them alike. */
import { builder } from './builder.js';

const STATUSES = {
  BACKLOG: { value: 0 },
  TRIAGE: { value: 1 },
  TODO: { value: 2 },
  IN_PROGRESS: { value: 3 },
  IN_REVIEW: { value: 4 },
  DONE: { value: 5 },
  CANCELED: { value: 6 },
} as const;
const PRIORITIES = {
  NONE: { value: 0 },
  LOW: { value: 1 },
  MEDIUM: { value: 2 },
  HIGH: { value: 3 },
  URGENT: { value: 4 },
} as const;

export const TaskStatus = builder.enumType('TaskStatus', { values: STATUSES });
export const TaskPriority = builder.enumType('TaskPriority', { values: PRIORITIES });

const namesOf = (values: Readonly<Record<string, { readonly value: number }>>) =>
  new Map<unknown, string>(Object.entries(values).map(([name, { value }]) => [value, name]));
/** By the type of what was changed and its field. */
const NAMED = new Map([
  ['Task status', namesOf(STATUSES)],
  ['Task priority', namesOf(PRIORITIES)],
  ['State category', namesOf(STATUSES)],
]);

/** PostgreSQL keeps the fields of JSON in an order of its own. */
const inOrder = (fields: object) => Object.entries(fields).sort(([one], [other]) => (one < other ? -1 : 1));

/**
 * The changes of an entry of the audit log as JSON, with the names of what is stored as numbers.
 * @param changes field -> { from, to }
 */
export function shownChanges(targetType: string | null, changes: unknown): string | null {
  if (changes === null || typeof changes !== 'object') return null;
  const shown = inOrder(changes).map(([field, change]) => {
    if (typeof change !== 'object' || change === null) return [field, change];
    const names = NAMED.get(`${targetType} ${field}`);
    return [field, Object.fromEntries(inOrder(change).map(([side, value]) => [side, names?.get(value) ?? value]))];
  });
  return JSON.stringify(Object.fromEntries(shown));
}
