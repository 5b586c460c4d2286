/** The scopes that the fields of an operation need together. */
import { closest, type Requirement, type Scope, satisfies, scopeSet } from '../scopes/scope.js';
import type { SelectedField } from './selectedFields.js';

export interface FieldNeed {
  readonly path: readonly string[];
  readonly coordinate: string;
  readonly anyOf: Requirement;
}

/** Each field that needs more than the fields around it. */
export function neededFields(fields: readonly SelectedField[]): FieldNeed[] {
  return fields.flatMap((field) => addition(field) ?? []);
}

/** The fewest scopes that an operation runs with. */
export function fewestScopes(needed: readonly FieldNeed[]): Scope[] {
  const chosen = new Set<Scope>();
  // What has no choice first; then of each choice the alternative that adds least.
  const byChoice = needed.map(({ anyOf }) => anyOf).sort((a, b) => a.length - b.length);
  for (const requirement of byChoice) for (const scope of closest(chosen, requirement).missing) chosen.add(scope);
  // An administrator needs nothing else.
  const implied = (scope: Scope) => scopeSet([...chosen].filter((other) => other !== scope)).has(scope);
  return [...chosen].filter((scope) => !implied(scope)).sort();
}

/** What a field needs beyond the fields around it; undefined: nothing. */
function addition({ parent, requirement, path, coordinate }: SelectedField): FieldNeed | undefined {
  const around = new Set<Scope>();
  for (let above = parent; above; above = above.parent) {
    if (above.requirement.length === 1) for (const scope of above.requirement[0] ?? []) around.add(scope);
  }
  if (satisfies(around, requirement)) return undefined;
  return { path, coordinate, anyOf: requirement.map((scopes) => scopes.filter((scope) => !around.has(scope))) };
}
