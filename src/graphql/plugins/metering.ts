/** What operations are charged, and how that is reported (src/limits/meter.ts). */
import type { Plugin } from 'graphql-yoga';
import { ApiError } from '../../errors.js';
import { requestsOf } from '../../limits/operationLimits.js';
import type { RateLimitResult } from '../../limits/slidingWindow.js';
import { asksForLimitsAlone } from '../../operations/limitsQuery.js';
import type { Context } from '../context.js';
import { refusal } from './refusals.js';

/** Before an operation is parsed it is charged one request. */
export const metering: Plugin<Context> = {
  async onParams({ params, context }) {
    const { meter } = context as unknown as Context;
    try {
      await meter.begin(asksForLimitsAlone((params as { query?: unknown } | null)?.query));
    } catch (error) {
      throw error instanceof ApiError ? refusal(error) : error;
    }
  },
};

/** In requests, of the widest window; `points` are what the requests were reckoned from. */
export function costReport(points: number, { decisive: { remaining, resetAfter } }: RateLimitResult) {
  const resetAt = new Date(Date.now() + resetAfter);
  return { unit: 'requests', requested: requestsOf(points), remaining, resetAt, points };
}
