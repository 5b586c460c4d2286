/** Scopes: `resource:action`. This table is the one place that says which exist and what they allow. */
import { distance } from 'fastest-levenshtein';
import { LRUCache } from 'lru-cache';
import { atMost } from '../atMost.js';
import { badInput } from '../errors.js';

export const SCOPES = {
  'tasks:read': 'View tasks, their labels, relationships, comments and times',
  'tasks:write': 'Create and update tasks, labels, relationships, comments and times',
  'tasks:delete': "Delete tasks, labels, and others' comments and times",
  'projects:read': 'View projects',
  'projects:write': 'Create, update and archive projects',
  'projects:delete': 'Delete projects',
  'users:read': 'View users',
  'users:write': 'Create and update users',
  'users:delete': 'Delete users',
  'keys:read': 'View API keys and their usage',
  'keys:write': 'Create, update, rotate and revoke API keys, within what the caller holds',
  'keys:delete': 'Revoke API keys',
  'webhooks:read': 'View webhooks and their deliveries',
  'webhooks:write': 'Create and update webhooks',
  'webhooks:delete': 'Delete webhooks',
  'audit:read': 'View the audit log',
  'admin:*': 'Everything, and what only an administrator may do',
} as const;

/** A scope that a field may require. */
export type Scope = keyof typeof SCOPES;

const scopes = Object.keys(SCOPES) as Scope[];
const wildcards = [...new Set(scopes.map((scope) => `${scope.slice(0, scope.indexOf(':'))}:*`))];

/** What may be granted to a key: every scope, and `resource:*` for all actions of a resource. */
export const GRANTABLE: readonly string[] = [...new Set([...scopes, ...wildcards])];

/** The scopes that grants amount to, wildcards expanded. Empty: nothing is allowed. */
export type ScopeSet = ReadonlySet<Scope>;

/** Sets that are known, for what is made of one to be found by it: there are few in use at a time. */
const MAX_SETS = 5000;
const sets = new LRUCache<string, ScopeSet>(atMost(MAX_SETS));

/**
 * Expands grants such as `tasks:*`. A grant that is not in the table allows nothing.
 * @returns the same object for the same scopes, as long as it is remembered
 */
export function scopeSet(grants: Iterable<string>): ScopeSet {
  const given = [...grants];
  const held = scopes.filter((scope) => given.some((grant) => allows(grant, scope)));
  const name = held.join(' ');
  let known = sets.get(name);
  if (!known) {
    known = new Set(held);
    sets.set(name, known);
  }
  return known;
}

function allows(grant: string, scope: Scope): boolean {
  return grant === 'admin:*' || grant === scope || (grant.endsWith(':*') && scope.startsWith(grant.slice(0, -1)));
}

/** The grants that allow a scope: itself, all of its resource, and everything. */
export function grantsFor(scope: Scope): string[] {
  return GRANTABLE.filter((grant) => scopeSet([grant]).has(scope));
}

/** Alternatives, each a list of scopes that are needed together: an OR of ANDs. `[[]]` needs nothing. */
export type Requirement = readonly (readonly Scope[])[];

export const NOTHING_REQUIRED: Requirement = [[]];

export function satisfies(held: ScopeSet, requirement: Requirement): boolean {
  return requirement.some((alternative) => alternative.every((scope) => held.has(scope)));
}

/** Both requirements at once, as an OR of ANDs without repetition. */
export function both(left: Requirement, right: Requirement): Requirement {
  if (left === NOTHING_REQUIRED) return right;
  if (right === NOTHING_REQUIRED) return left;
  return left.flatMap((a) => right.map((b) => [...new Set([...a, ...b])]));
}

/** The alternative that misses least, and what of it is missing: what to add to the key. */
export function closest(held: ScopeSet, requirement: Requirement): { required: readonly Scope[]; missing: Scope[] } {
  const options = requirement.map((required) => ({ required, missing: required.filter((scope) => !held.has(scope)) }));
  const [first = { required: [], missing: [] }, ...others] = options;
  return others.reduce((least, option) => (option.missing.length < least.missing.length ? option : least), first);
}

/** No escalation: whether everything `child` allows is allowed by `parent`. */
export function isScopeSubset(child: ScopeSet, parent: ScopeSet): boolean {
  for (const scope of child) if (!parent.has(scope)) return false;
  return true;
}

/** What of these grants is left under a ceiling; as written where all of it is. */
export function narrowed(grants: readonly string[], ceiling: readonly string[]): string[] {
  const held = scopeSet(grants);
  const most = scopeSet(ceiling);
  return isScopeSubset(held, most) ? [...grants] : [...held].filter((scope) => most.has(scope));
}

/** Longer texts are no slip of a scope's name. */
const LONGEST_GUESS = 60;
/** Letters that a slip may have wrong: one, and this share of them. */
const WRONG = 0.4;

/**
 * Checks grants as a caller wrote them and removes repetition.
 * @throws BAD_USER_INPUT that names each unknown scope and those near it
 */
export function parseGrants(input: readonly string[], field = 'scopes'): string[] {
  const unknown = input.filter((grant) => !GRANTABLE.includes(grant));
  if (unknown.length > 0) {
    throw badInput({
      [field]: unknown.map((grant) => {
        const near = similarTo(grant);
        const hint = near.length > 0 ? `did you mean ${near.join(' or ')}?` : `known are ${GRANTABLE.join(', ')}`;
        return `has an unknown scope ${JSON.stringify(grant.slice(0, 60))}; ${hint}`;
      }),
    });
  }
  return [...new Set(input)];
}

/** At most three, the nearest first. Comparing takes time by the length of the text. */
function similarTo(grant: string): string[] {
  if (grant.length > LONGEST_GUESS) return [];
  return GRANTABLE.map((name) => ({ name, letters: distance(grant, name) }))
    .filter(({ letters }) => letters <= 1 + Math.floor(grant.length * WRONG))
    .sort((a, b) => a.letters - b.letters || a.name.localeCompare(b.name))
    .slice(0, 3)
    .map(({ name }) => name);
}
