import { POINTS_PER_REQUEST } from '../../limits/operationLimits.js';
import { CHANGED_ROW } from '../../operations/cost.js';
import type { Context } from '../context.js';

/** Each task that a change of something else changes costs as one of many does (src/operations/cost.ts), before it is changed. */
export async function chargeTasks({ meter }: Context, tasks: number): Promise<void> {
  await meter.chargeOrRefuse(Math.floor((tasks * CHANGED_ROW) / POINTS_PER_REQUEST));
}
