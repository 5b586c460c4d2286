/** The states of a project's workflow, and which of them a task is in. */
import { badInput, notFound } from '../errors.js';

/** A state, as tasks are put in it. */
export interface State {
  readonly id: string;
  /** What programs call it; of one project there is one. */
  readonly slug: string;
  /** The status that its tasks have. */
  readonly category: number;
}

/** Where a task is. */
export interface TaskState {
  /** Null: the project has no state of this status, or there is no project. */
  readonly stateId: string | null;
  readonly status: number;
}

/** What was asked for; the first of these that is given. */
export interface WantedState {
  readonly stateId?: string | null | undefined;
  readonly stateSlug?: string | null | undefined;
  readonly status?: number | undefined;
}

const TODO = 2;
const IN_PROGRESS = 3;
/** From here on a task is closed: done, or canceled. */
export const DONE = 5;

/** A new project has these, in this order: one for each status. */
export const DEFAULT_STATES = [
  { name: 'Backlog', slug: 'backlog', color: '#9ca3af', category: 0 },
  { name: 'Triage', slug: 'triage', color: '#f59e0b', category: 1 },
  { name: 'To Do', slug: 'to-do', color: '#64748b', category: TODO },
  { name: 'In Progress', slug: 'in-progress', color: '#3b82f6', category: IN_PROGRESS },
  { name: 'In Review', slug: 'in-review', color: '#8b5cf6', category: 4 },
  { name: 'Done', slug: 'done', color: '#22c55e', category: 5 },
  { name: 'Canceled', slug: 'canceled', color: '#ef4444', category: 6 },
] as const;

const defaultCategory = (slug: string): number | undefined =>
  DEFAULT_STATES.find((state) => state.slug === slug)?.category;

/**
 * @param states of the task's project, in their order
 * @param current where the task is in this project already: a status that it has moves it nowhere
 * @throws NOT_FOUND and BAD_USER_INPUT for a state that the project does not have. The slugs of the default states stand for their
 * statuses where a project has no state of that name, and where there is no project.
 */
export function chooseState(states: readonly State[], wanted: WantedState, current?: TaskState): TaskState {
  const { stateId, stateSlug } = wanted;
  if (stateId != null) {
    const state = states.find(({ id }) => id === stateId);
    if (!state) throw notFound('state', stateId);
    return { stateId, status: state.category };
  }
  const named = stateSlug == null ? undefined : states.find(({ slug }) => slug === stateSlug);
  if (named) return { stateId: named.id, status: named.category };
  const status = stateSlug == null ? wanted.status : defaultCategory(stateSlug);
  if (status === undefined) {
    // Which there are, a key that only writes tasks is not told.
    throw badInput({ stateSlug: ['must be the slug of a state of the project that the task is in'] });
  }
  if (status === current?.status && current.stateId !== null) return { stateId: current.stateId, status };
  return { stateId: states.find(({ category }) => category === status)?.id ?? null, status };
}

/**
 * Where a task goes that comes from another project: to the state of the same slug, if that is of its status.
 * @param slug of the state that it was in; undefined: in none
 */
export function stateFrom(states: readonly State[], slug: string | undefined, status: number): TaskState {
  const same = states.find((state) => state.slug === slug && state.category === status);
  return same ? { stateId: same.id, status } : chooseState(states, { status });
}

/** What a new state's tasks have for their status, where nothing is said. */
export function categoryOf(slug: string, states: readonly State[]): number {
  return defaultCategory(slug) ?? (states.some(({ category }) => category === TODO) ? IN_PROGRESS : TODO);
}

/** Characters. */
export const MOST_SLUG = 100;

/** "In Review!" -> "in-review"; empty where there is neither a letter nor a digit. */
export function slugOf(name: string): string {
  const words = name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, '-')
    .replace(/^[-\p{M}]+/u, '');
  // What is normalized may be longer than it was, by much.
  return [...words]
    .slice(0, MOST_SLUG)
    .join('')
    .slice(0, MOST_SLUG)
    .toWellFormed()
    .replace(/[-\ufffd]+$/u, '');
}

/**
 * Whether a task is where one of these slugs means: in a state that has it, or in none, with the status of the one of the
 * seven that has it.
 * @param slug of the state that it is in
 */
export function isAt(slugs: readonly string[], slug: string | undefined, status: number): boolean {
  if (slug !== undefined) return slugs.includes(slug);
  return slugs.some((one) => defaultCategory(one) === status);
}
