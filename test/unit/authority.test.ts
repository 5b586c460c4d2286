/** The comparison of what two keys may do: an order, with every dimension in it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Authority, authorityOf, excessOf, isSubset } from '../../src/keys/authority.js';
import { lockOf } from '../../src/keys/operationLock.js';
import { Plans } from '../../src/keys/plans.js';
import { decideRenewal, mayRevoke } from '../../src/keys/rules.js';
import { SCOPES, type Scope, scopeSet } from '../../src/scopes/scope.js';

const scopes = Object.keys(SCOPES) as Scope[];
const blocks = ['0.0.0.0/0', '10.0.0.0/8', '10.1.0.0/16', '10.1.2.3/32', '192.168.0.0/16', '::/0', '2001:db8::/32'];
const operation = fc.record({
  hash: fc.constantFrom('a', 'b', 'c'),
  pins: fc.constantFrom({}, { projectId: 'p' }, { projectId: 'q' }, { projectId: 'p', first: 1 }),
});
const lock = fc
  .array(operation, { maxLength: 4 })
  .map((all) => lockOf(all.map((one) => ({ ...one, name: one.hash, scopes: [], setId: '', endsAt: null }))));
const held = fc
  .tuple(fc.subarray(scopes), fc.subarray(scopes))
  .map(([some, more]) => ({ scopes: scopeSet(some), granted: scopeSet([...some, ...more]) }));
const reach = fc.record({
  projects: fc.option(fc.subarray(['p', 'q', 'r']).map((ids) => new Set(ids))),
  actsAs: fc.option(fc.constantFrom('u', 'v')),
  operations: fc.option(lock),
  environment: fc.constantFrom('LIVE' as const, 'TEST' as const),
  expiresAt: fc.option(fc.integer({ min: 1, max: 5 }).map((day) => new Date(Date.UTC(2030, 0, day)))),
  renewalTerm: fc.option(fc.constantFrom(60, 3600)),
  allowedIps: fc.option(fc.subarray(blocks, { minLength: 1 })),
  limits: fc.record({
    perMinute: fc.constantFrom(10, 100),
    perHour: fc.option(fc.constantFrom(100, 1000)),
  }),
  ownLimits: fc.record({
    perMinute: fc.option(fc.constantFrom(10, 100)),
    perHour: fc.option(fc.constantFrom(100, 1000)),
  }),
});
const authority: fc.Arbitrary<Authority> = fc.tuple(held, reach).map(([of, rest]) => ({ ...of, ...rest }));

describe('isSubset', () => {
  it('holds for a thing and itself, and goes on from one to the next', () => {
    fc.assert(
      fc.property(authority, authority, authority, (a, b, c) => {
        expect(isSubset(a, a)).toBe(true);
        if (isSubset(a, b) && isSubset(b, c)) expect(isSubset(a, c)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });

  it('is of every dimension: what is wider in one is in no way within', () => {
    fc.assert(
      fc.property(authority, authority, (a, b) => {
        if (!isSubset(a, b)) return;
        for (const scope of a.scopes) expect(b.scopes.has(scope)).toBe(true);
        if (b.expiresAt) {
          expect(a.expiresAt && a.expiresAt <= b.expiresAt).toBe(true);
          if (a.renewalTerm !== null) expect(b.renewalTerm !== null && a.renewalTerm <= b.renewalTerm).toBe(true);
        }
        for (const scope of a.granted) expect(b.granted.has(scope)).toBe(true);
        if (b.projects) for (const id of a.projects ?? ['any']) expect(b.projects.has(id)).toBe(true);
        if (b.actsAs) expect(a.actsAs).toBe(b.actsAs);
        else if (a.actsAs) expect(b.scopes.has('admin:*')).toBe(true);
        if (b.operations) {
          expect(a.operations).not.toBeNull();
          for (const [hash, versions = []] of a.operations ?? []) {
            for (const { pins } of versions) {
              const wider = b.operations.get(hash)?.map((one) => one.pins) ?? [];
              // What b leaves open a may pin; what b pins a pins to the same value.
              expect(
                wider.some((outer) =>
                  Object.entries({ ...pins, ...outer }).every(([k, v]) => (pins as Record<string, unknown>)[k] === v),
                ),
              ).toBe(true);
            }
          }
        }
        if (b.allowedIps) expect(a.allowedIps).not.toBeNull();
        expect(a.limits.perMinute).toBeLessThanOrEqual(b.limits.perMinute);
        if (b.limits.perHour !== null)
          expect(a.limits.perHour ?? Number.POSITIVE_INFINITY).toBeLessThanOrEqual(b.limits.perHour);
        if (a.environment !== b.environment) expect([b.environment, b.scopes.has('admin:*')]).toEqual(['LIVE', true]);
      }),
      { numRuns: 3000 },
    );
  });

  const wide: Authority = {
    environment: 'LIVE',
    scopes: scopeSet(['tasks:*']),
    granted: scopeSet(['tasks:*']),
    projects: new Set(['p', 'q']),
    actsAs: null,
    operations: lockOf([pinned('a', { projectId: 'p' }), pinned('b', {})]),
    expiresAt: new Date('2030-01-10'),
    renewalTerm: null,
    allowedIps: ['10.0.0.0/8'],
    limits: { perMinute: 100, perHour: 1000 },
    ownLimits: { perMinute: 100, perHour: null },
  };
  it.each([
    ['environment', { environment: 'TEST' as const }],
    ['scopes', { scopes: scopeSet(['tasks:read', 'users:read']) }],
    ['scopes', { granted: scopeSet(['tasks:*', 'users:read']) }],
    ['projects', { projects: null }],
    ['projects', { projects: new Set(['p', 'r']) }],
    ['user', { actsAs: 'u' }],
    ['operations', { operations: null }],
    ['operations', { operations: lockOf([pinned('c', {})]) }],
    ['operations', { operations: lockOf([pinned('a', {})]) }],
    ['operations', { operations: lockOf([pinned('a', { projectId: 'q' })]) }],
    ['expiry', { expiresAt: null }],
    ['expiry', { expiresAt: new Date('2030-01-11') }],
    ['renewal', { renewalTerm: 60 }],
    ['addresses', { allowedIps: null }],
    ['addresses', { allowedIps: ['10.1.0.0/16', '11.0.0.0/8'] }],
    ['perMinute', { limits: { perMinute: 101, perHour: 1000 } }],
    ['perHour', { limits: { perMinute: 100, perHour: null } }],
    ['perMinute', { ownLimits: { perMinute: null, perHour: null } }],
    ['perMinute', { ownLimits: { perMinute: 5000, perHour: null } }],
  ])('finds more %s', (of, more) => {
    expect(isSubset(wide, wide)).toBe(true);
    expect(excessOf({ ...wide, ...more }, wide)?.of).toBe(of);
  });
});

const row = {
  ...{ id: 'key_a', workspaceId: 'w', environment: 'LIVE' as const, name: 'K', description: null, hash: 'h' },
  ...{ prefix: 'p', scopes: 'tasks:*', allowedIps: null, ratePerMinute: null, ratePerHour: null, lineageId: null },
  ...{ expiresAt: new Date('2030-01-10'), autoRenew: true, termSeconds: 86_400 * 10, noticedAt: null },
  ...{ rotatedAt: null, graceEndsAt: null, successorId: null, revokedAt: null, revokedReason: null },
  ...{ createdById: null, createdByKeyId: null, createdAt: new Date(0), updatedAt: new Date(0) },
  ...{
    projectIds: null,
    actsAsId: null,
    isLocked: false,
    isSession: false,
    appId: null,
    grantsUntil: null,
    role: null,
    lock: null,
  },
};
function pinned(hash: string, pins: Record<string, unknown>) {
  return { hash, name: hash, scopes: ['tasks:read'], pins, setId: '', endsAt: null };
}
const plans = new Plans();
const enterprise = plans.of({ plan: 'enterprise', ratePerMinute: null, ratePerHour: null });

describe('authorityOf', () => {
  it('has the plan for a ceiling, and the own numbers below it', () => {
    const free = plans.of({ plan: 'free', ratePerMinute: null, ratePerHour: null });
    const limits = (own: object, plan = free) => authorityOf({ ...row, ...own }, plan).limits;
    expect(limits({})).toEqual({ perMinute: 100, perHour: 1000 });
    expect(limits({ ratePerMinute: 5 })).toEqual({ perMinute: 5, perHour: 1000 });
    expect(limits({ ratePerMinute: 10_000_000, ratePerHour: 10_000_000 })).toEqual({ perMinute: 100, perHour: 1000 });
    const pro = plans.of({ plan: 'pro', ratePerMinute: null, ratePerHour: null });
    expect(limits({ ratePerHour: 7 }, pro)).toEqual({ perMinute: 1000, perHour: 7 });
    expect(limits({}, pro).perHour).toBeNull();
    const own = plans.of({ plan: 'enterprise', ratePerMinute: 20_000, ratePerHour: 1_000_000 });
    expect(limits({}, own)).toEqual({ perMinute: 20_000, perHour: 1_000_000 });
    // Numbers of an operator are for the plan that leaves them to the operator.
    expect(plans.of({ plan: 'free', ratePerMinute: 20_000, ratePerHour: null }).perMinute).toBe(100);
  });

  it('of an access token ends with the token, renews nothing, and has what key and token share', () => {
    const until = new Date('2030-01-01');
    const token = authorityOf(row, enterprise, { scopes: ['tasks:read', 'users:read'], until });
    expect([...token.scopes]).toEqual(['tasks:read']);
    expect(token.expiresAt).toEqual(until);
    expect(token.renewalTerm).toBeNull();
    expect(isSubset(token, authorityOf(row, enterprise))).toBe(true);
    expect(isSubset(authorityOf(row, enterprise), token)).toBe(false);
  });

  it('as a user has what the role of the user has, and nothing where there is no such user', () => {
    const as = (role: 'VIEWER' | 'OWNER' | null, scopes = 'tasks:* users:read') =>
      authorityOf({ ...row, scopes, actsAsId: 'u', role }, enterprise);
    expect([...as('VIEWER').scopes]).toEqual(['tasks:read', 'users:read']);
    expect([...as('OWNER').scopes]).toEqual(['tasks:read', 'tasks:write', 'tasks:delete', 'users:read']);
    expect([...as(null).scopes]).toEqual([]);
    expect([...as(null, 'admin:*').scopes]).toEqual([]);
    // What it was given stays, for another role.
    expect(as('VIEWER').granted.has('tasks:delete')).toBe(true);
  });

  it('of a key that is bound to projects has nothing of what concerns all', () => {
    const bound = authorityOf({ ...row, scopes: 'admin:*', projectIds: 'p' }, enterprise);
    expect([bound.scopes.has('admin:*'), bound.scopes.has('tasks:write')]).toEqual([false, true]);
    expect([...(authorityOf({ ...row, projectIds: '' }, enterprise).projects ?? ['none'])]).toEqual([]);
  });

  it('of a locked key has what its operations need', () => {
    const locked = authorityOf({ ...row, lock: lockOf([pinned('a', {})]) }, enterprise);
    expect([...locked.scopes]).toEqual(['tasks:read']);
    expect([...authorityOf({ ...row, lock: lockOf([]) }, enterprise).scopes]).toEqual([]);
  });

  it('of a rotated key ends with its grace', () => {
    const graceEndsAt = new Date('2030-01-02');
    const rotated = authorityOf({ ...row, rotatedAt: new Date('2030-01-01'), graceEndsAt }, enterprise);
    expect([rotated.expiresAt, rotated.renewalTerm]).toEqual([graceEndsAt, null]);
  });
});

describe('decideRenewal', () => {
  const at = (text: string, key = {}, plan = enterprise) =>
    decideRenewal({ ...row, ...key }, { now: new Date(text), plan })
      ?.toISOString()
      .slice(0, 10);
  it('is due a day before the end, by the term', () => {
    expect(at('2030-01-08T00:00:00Z')).toBeUndefined();
    expect(at('2030-01-09T12:00:00Z')).toBe('2030-01-20');
    expect(at('2030-01-11T00:00:00Z')).toBeUndefined();
  });
  it('is for keys that work and renew themselves, in a plan that has it', () => {
    const now = '2030-01-09T12:00:00Z';
    expect(at(now, { autoRenew: false })).toBeUndefined();
    expect(at(now, { rotatedAt: new Date() })).toBeUndefined();
    expect(at(now, { revokedAt: new Date() })).toBeUndefined();
    expect(at(now, {}, plans.of({ plan: 'professional', ratePerMinute: null, ratePerHour: null }))).toBeUndefined();
  });
});

describe('mayRevoke', () => {
  const target = { ...row, scopes: 'admin:*', expiresAt: null, autoRenew: false };
  const holder = (held: string[]) => ({ ...authorityOf(target, enterprise), scopes: scopeSet(held) });
  it.each([
    ['the operator', 'operator' as const, null, true],
    ['keys:delete', holder(['keys:delete']), 'key_b', true],
    ['keys:write alone', holder(['keys:write']), 'key_b', false],
    ['admin:*', holder(['admin:*']), 'key_b', true],
    ['itself', holder([]), 'key_a', true],
    ['another without a scope', holder(['tasks:*']), 'key_b', false],
  ])('by %s', (_name, bound, id, expected) => {
    expect(mayRevoke(target, bound, id, enterprise)).toBe(expected);
  });
});
