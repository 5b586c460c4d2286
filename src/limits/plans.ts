/** Plans and their limits: requests a minute and an hour, counted per key. */
interface Plan {
  readonly perMinute: number;
  readonly perHour: number | undefined;
}

const PLANS = {
  free: { perMinute: 100, perHour: 1000 },
  standard: { perMinute: 100, perHour: undefined },
  professional: { perMinute: 500, perHour: 10_000 },
  pro: { perMinute: 1000, perHour: undefined },
  enterprise: { perMinute: 10_000, perHour: 200_000 },
} as const satisfies Record<string, Plan>;

export const PLAN_NAMES: readonly string[] = Object.keys(PLANS);

export function isPlanName(name: string): boolean {
  return Object.hasOwn(PLANS, name);
}

/** A plan's numbers; those of the smallest for a name that is none, as after a change of the table. */
export function planOf(name: string): Plan {
  return Object.entries(PLANS).find(([known]) => known === name)?.[1] ?? PLANS.free;
}
