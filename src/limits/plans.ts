/** Plans and their limits: requests a minute and an hour, counted per key. PLANS_FILE replaces the table. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const number = z.number().int().min(1).max(1_000_000_000);
const schema = z.record(z.string().min(1), z.strictObject({ perMinute: number, perHour: number.optional() }));

interface Plan {
  readonly perMinute: number;
  readonly perHour?: number | undefined;
}

const DEFAULT_PLANS: Readonly<Record<string, Plan>> = {
  free: { perMinute: 100, perHour: 1000 },
  standard: { perMinute: 100 },
  professional: { perMinute: 500, perHour: 10_000 },
  pro: { perMinute: 1000 },
  enterprise: { perMinute: 10_000, perHour: 200_000 },
};

export class Plans {
  constructor(private readonly table: Readonly<Record<string, Plan>> = DEFAULT_PLANS) {}

  get names(): string[] {
    return Object.keys(this.table);
  }

  /** A plan's numbers; the smallest for a name that is none, as after a change of the table. */
  of(name: string): Plan {
    const smallest = Object.values(this.table).sort((a, b) => a.perMinute - b.perMinute)[0];
    return (Object.hasOwn(this.table, name) ? this.table[name] : smallest) ?? { perMinute: 1 };
  }
}

/** @throws a line that says what is wrong with the file */
export function readPlans(file: string): Plans {
  const parsed = schema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new Error(`${issue?.path.join('.') || 'it'}: ${issue?.message}`);
  }
  if (Object.keys(parsed.data).length === 0) throw new Error('it has no plan');
  return new Plans(parsed.data);
}
