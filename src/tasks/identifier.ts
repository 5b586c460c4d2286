/**
 * What people call a task: the key of its project and its number, BRD-12; #12 of one without a project. The number alone says
 * which task is meant, so that an identifier keeps working when the task has gone to another project.
 */
import { withoutBinding } from '../db/tenant.js';
import type { Unit } from '../db/unitOfWork.js';

const IDENTIFIER = /^(?:[A-Z][A-Z0-9]{0,9}-|#)([1-9]\d{0,8})$/i;
const KEY_LENGTH = 10;
/** Of a key that is made of a name. */
const SHORT = 5;

export const identifierOf = (projectKey: string | null | undefined, number: number): string =>
  projectKey == null ? `#${number}` : `${projectKey}-${number}`;

/** @returns undefined for what is no identifier */
export function numberOf(identifier: string): number | undefined {
  const number = IDENTIFIER.exec(identifier.trim())?.[1];
  return number === undefined ? undefined : Number(number);
}

/** What a key of a project must be like, in capitals. */
export const PROJECT_KEY = new RegExp(`^[A-Z][A-Z0-9]{0,${KEY_LENGTH - 1}}$`);

/** The initials of a name of several words, or the beginning of one; the next that is free where that is taken. */
export function keyOf(name: string, taken: ReadonlySet<string>): string {
  const words = name
    .normalize('NFKD')
    .toUpperCase()
    .split(/[^A-Z0-9\p{M}]+/u)
    .map((word) => word.replace(/[^A-Z0-9]/g, ''))
    .filter(Boolean);
  const initials = words.length > 1 ? words.map((word) => word.charAt(0)).join('') : (words[0] ?? '').slice(0, 3);
  const key = initials.replace(/^[0-9]+/, '').slice(0, SHORT) || 'P';
  let free = key;
  for (let count = 2; taken.has(free); count += 1) free = `${key}${count}`;
  return free;
}

/** The keys of all projects, of which a key that is bound to some does not see the others. */
export async function projectKeys({ tx, actor: { workspaceId, environment } }: Unit): Promise<Set<string>> {
  const where = { workspaceId, environment, key: { not: null } };
  const projects = await withoutBinding(() => tx.project.findMany({ where, select: { key: true } }));
  return new Set(projects.flatMap(({ key }) => key ?? []));
}
