/**
 * Takes back what a key did not use, as its review proposes it, and gives it back within a week: who finds that something is missing
 * need not know what the key had.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ApiKey, KeyTightening } from '#prisma/client.js';
import type { Actor } from '../audit/entry.js';
import type { UnitOfWork } from '../db/unitOfWork.js';
import { ApiError } from '../errors.js';
import { newId } from '../ids.js';
import { expectVersion } from '../input.js';
import { type Scope, scopeSet } from '../scopes/scope.js';
import { authorityOf, excessOf, listOf, type StoredKey } from './authority.js';
import { changeKey, type Remember } from './changeKey.js';
import { reviewKeys } from './keyReview.js';
import { type Caller, findChangeable, type KeyUnit, KeyUnits } from './keyUnit.js';
import type { Plans } from './plans.js';
import type { Proposal } from './review.js';
import { outOfReach } from './rules.js';

/** Milliseconds in which what was taken is given back. */
const UNDONE_WITHIN = 7 * 86_400_000;

export const TIGHTENED_PARTS = ['SCOPES', 'PROJECTS', 'ALLOW_LIST'] as const;
export type TightenedPart = (typeof TIGHTENED_PARTS)[number];

/** What of a key is taken back and given again. */
interface Bounds {
  readonly scopes: readonly string[];
  readonly projects: readonly string[] | null;
  readonly allowedIps: readonly string[] | null;
  readonly isLocked: boolean;
  readonly actsAsId: string | null;
}

export interface Tightened {
  readonly apiKey: ApiKey;
  readonly before: Bounds;
  readonly after: Bounds;
  readonly applied: boolean;
}

interface Options {
  /** Whose use is looked at. */
  readonly days: number;
  readonly dryRun: boolean;
  readonly parts: readonly TightenedPart[];
  readonly expectedUpdatedAt?: Date | null | undefined;
}

export class Tightenings {
  readonly #units: KeyUnits;

  constructor(
    units: UnitOfWork,
    plans: Plans,
    private readonly remember: Remember = () => {},
  ) {
    this.#units = new KeyUnits(units, plans);
  }

  /**
   * @throws BAD_USER_INPUT for days that are none; FORBIDDEN when the key lies beyond the caller; CONFLICT for one that does not
   * work any more
   */
  async tighten(actor: Actor, caller: Caller, id: string, options: Options): Promise<Tightened> {
    const { dryRun } = options;
    const change = (context: KeyUnit) => this.#tighten(context, id, options);
    return dryRun ? this.#units.look(actor, caller, change) : this.#units.run(actor, caller, change);
  }

  async #tighten(
    context: KeyUnit,
    id: string,
    { days, dryRun, parts, expectedUpdatedAt }: Options,
  ): Promise<Tightened> {
    const { unit, policy } = context;
    const key = await findChangeable(context, id);
    expectVersion(key, expectedUpdatedAt);
    const [reviewed] = await reviewKeys(unit.tx as never, { days, now: unit.now, plan: policy.plan }, { id });
    const before = boundsIn(key);
    const after = narrowedBy(before, reviewed?.proposal ?? {}, parts);
    const applied = !dryRun && !isDeepStrictEqual(before, after);
    if (!applied) return { apiKey: key, before, after, applied };
    const apiKey = await changeKey(context, key, changeOf(before, after), this.remember, 'tighten');
    const { workspaceId, environment } = key;
    await unit.tx.keyTightening.create({
      data: {
        ...{ id: newId(), workspaceId, environment, keyId: id, createdAt: unit.now },
        ...{ before: before as object, after: after as object },
      },
    });
    return { apiKey, before, after, applied };
  }

  /**
   * Gives back what was taken last.
   * @throws CONFLICT where nothing was within a week, or the key was changed since; FORBIDDEN when the caller does not hold it
   */
  async loosen(actor: Actor, caller: Caller, id: string, expected?: Date | null): Promise<Tightened> {
    return this.#units.run(actor, caller, async (context) => {
      const { unit, bound, policy } = context;
      const key = await findChangeable(context, id);
      expectVersion(key, expected);
      const last = await unit.tx.keyTightening.findFirst({
        where: { keyId: id, undoneAt: null, createdAt: { gt: new Date(unit.now.getTime() - UNDONE_WITHIN) } },
        orderBy: { createdAt: 'desc' },
      });
      if (!last) throw new ApiError('CONFLICT', 'Nothing was taken back from this key within seven days.');
      const { before, after } = partsOf(last);
      if (!isDeepStrictEqual(boundsIn(key), after)) {
        throw new ApiError('CONFLICT', 'The key was changed after it was tightened. Change it by hand.');
      }
      const wider = { ...key, scopes: before.scopes.join(' '), projectIds: before.projects?.join(' ') ?? null };
      // What it would get is not told to who does not hold it.
      if (bound !== 'operator' && excessOf(authorityOf(wider, policy.plan), bound)) throw outOfReach();
      const apiKey = await changeKey(context, key, changeOf(after, before), this.remember, 'loosen');
      await unit.tx.keyTightening.update({ where: { id: last.id }, data: { undoneAt: unit.now } });
      return { apiKey, before: after, after: before, applied: true };
    });
  }
}

/** Whether a scope is one that was taken. */
export function scopesTaken(before: Bounds, after: Bounds): (scope: string) => boolean {
  const [had, has] = [scopeSet(before.scopes), scopeSet(after.scopes)];
  return (scope) => had.has(scope as Scope) && !has.has(scope as Scope);
}

/** A tightening, as it is stored. */
export function partsOf({ before, after }: Pick<KeyTightening, 'before' | 'after'>): { before: Bounds; after: Bounds } {
  return { before: before as unknown as Bounds, after: after as unknown as Bounds };
}

function boundsIn({ scopes, projectIds, allowedIps, isLocked, actsAsId }: StoredKey): Bounds {
  return {
    ...{ isLocked, actsAsId },
    scopes: listOf(scopes),
    projects: projectIds === null ? null : listOf(projectIds),
    allowedIps: allowedIps === null ? null : listOf(allowedIps),
  };
}

function narrowedBy(
  before: Bounds,
  { scopes, projects, allowedIps }: Proposal,
  parts: readonly TightenedPart[],
): Bounds {
  return {
    ...before,
    scopes: (parts.includes('SCOPES') ? scopes : undefined) ?? before.scopes,
    projects: (parts.includes('PROJECTS') ? projects : undefined) ?? before.projects,
    allowedIps: (parts.includes('ALLOW_LIST') ? allowedIps : undefined) ?? before.allowedIps,
  };
}

/** What is another. */
function changeOf(from: Bounds, to: Bounds): Partial<Bounds> {
  return Object.fromEntries(
    Object.entries(to).filter(([name, value]) => !isDeepStrictEqual(value, from[name as keyof Bounds])),
  );
}
