/** Plans and their limits: requests a minute and an hour, counted per key. PLANS_FILE changes the table or adds to it. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { rate } from '../input.js';

/** The plan whose numbers the operator may set for each workspace, and whose keys may renew themselves. */
export const ENTERPRISE = 'enterprise';

const schema = z.record(z.string().min(1), z.strictObject({ perMinute: rate, perHour: rate.optional() }));

type PlanTable = Readonly<Record<string, { readonly perMinute: number; readonly perHour?: number | undefined }>>;

const DEFAULT_PLANS: PlanTable = {
  free: { perMinute: 100, perHour: 1000 },
  standard: { perMinute: 100 },
  professional: { perMinute: 500, perHour: 10_000 },
  pro: { perMinute: 1000 },
  [ENTERPRISE]: { perMinute: 10_000, perHour: 200_000 },
};

/** Requests of a key in a minute and an hour; null: not limited. */
export interface RateLimits {
  readonly perMinute: number;
  readonly perHour: number | null;
}

/** What a workspace's plan allows each of its keys. */
export interface Plan extends RateLimits {
  readonly name: string;
}

/** Where a workspace's plan is stored. */
interface PlanHolder {
  readonly plan: string;
  readonly ratePerMinute: number | null;
  readonly ratePerHour: number | null;
}

export class Plans {
  constructor(private readonly table: PlanTable = DEFAULT_PLANS) {}

  get names(): string[] {
    return Object.keys(this.table);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.table, name);
  }

  /** The plan of a workspace; with the smallest numbers of all for a name that the table does not have any more. */
  of({ plan, ratePerMinute, ratePerHour }: PlanHolder): Plan {
    const smallest = Object.values(this.table).sort((a, b) => a.perMinute - b.perMinute)[0];
    const { perMinute, perHour = null } = (this.has(plan) ? this.table[plan] : smallest) ?? { perMinute: 1 };
    if (plan !== ENTERPRISE) return { name: plan, perMinute, perHour };
    return { name: plan, perMinute: ratePerMinute ?? perMinute, perHour: ratePerHour ?? perHour };
  }
}

/**
 * What a key may use: its own numbers where it has any, and never more than the plan has.
 * @param own null: as the plan has it
 */
export function effectiveLimits(
  own: { readonly perMinute: number | null; readonly perHour: number | null },
  plan: RateLimits,
): RateLimits {
  return {
    perMinute: Math.min(own.perMinute ?? plan.perMinute, plan.perMinute),
    perHour: least(own.perHour, plan.perHour),
  };
}

/** The smaller of two limits, of which null is none. */
function least(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}

/** @throws a line that says what is wrong with the file */
export function readPlans(file: string): Plans {
  const parsed = schema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`${issue?.path.join('.') || 'it'}: ${issue?.message}`);
  }
  if (Object.keys(parsed.data).length === 0) throw new Error('it has no plan');
  return new Plans({ ...DEFAULT_PLANS, ...parsed.data });
}
