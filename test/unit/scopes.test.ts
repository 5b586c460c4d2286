import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ApiError } from '../../src/errors.js';
import {
  both,
  closest,
  GRANTABLE,
  isScopeSubset,
  parseGrants,
  type Requirement,
  SCOPES,
  type Scope,
  satisfies,
  scopeSet,
} from '../../src/scopes/scope.js';

const all = Object.keys(SCOPES) as Scope[];
const grants = fc.subarray([...GRANTABLE]);
const scope = fc.constantFrom(...all);
const requirement: fc.Arbitrary<Requirement> = fc.array(fc.array(scope, { maxLength: 3 }), { maxLength: 3 });

describe('a set of scopes', () => {
  it('allows a scope when it, its wildcard or admin:* was granted, and else not', () => {
    fc.assert(
      fc.property(grants, scope, (granted, wanted) => {
        const wildcard = `${wanted.split(':')[0]}:*`;
        const expected = granted.includes(wanted) || granted.includes(wildcard) || granted.includes('admin:*');
        expect(scopeSet(granted).has(wanted)).toBe(expected);
      }),
    );
  });

  it('allows nothing when it is empty or unknown', () => {
    expect(scopeSet([]).size).toBe(0);
    expect(scopeSet(['', '*', '*:*', ':*', 'tasks', 'tasks:', 'Tasks:read', 'tasks:read ', 'admin:read']).size).toBe(0);
  });

  it('grows with every grant, and lies within what it grew to', () => {
    fc.assert(fc.property(grants, grants, (some, more) => isScopeSubset(scopeSet(some), scopeSet([...some, ...more]))));
    expect(isScopeSubset(scopeSet(['admin:*']), scopeSet(all.filter((name) => name !== 'admin:*')))).toBe(false);
  });
});

describe('a requirement', () => {
  it('taken together with another is satisfied by exactly what satisfies each', () => {
    fc.assert(
      fc.property(requirement, requirement, grants, (a, b, granted) => {
        const held = scopeSet(granted);
        expect(satisfies(held, both(a, b))).toBe(satisfies(held, a) && satisfies(held, b));
      }),
    );
  });

  it('is satisfied once the scopes that it misses are added, and by no fewer of one alternative', () => {
    fc.assert(
      fc.property(
        requirement.filter((r) => r.length > 0),
        grants,
        (wanted, granted) => {
          const { missing } = closest(scopeSet(granted), wanted);
          expect(satisfies(scopeSet([...granted, ...missing]), wanted)).toBe(true);
          expect(missing.length === 0).toBe(satisfies(scopeSet(granted), wanted));
        },
      ),
    );
  });
});

describe('grants as a caller writes them', () => {
  it('are taken once each', () => {
    expect(parseGrants(['tasks:read', 'tasks:*', 'tasks:read'])).toEqual(['tasks:read', 'tasks:*']);
  });

  it('are refused when unknown, with the near ones named', () => {
    const refused = () => parseGrants(['task:read', 'projects:wirte']);
    expect(refused).toThrow(ApiError);
    expect(refused).toThrow(/"task:read"; did you mean tasks:read.*"projects:wirte"; did you mean projects:write/);
  });
});
