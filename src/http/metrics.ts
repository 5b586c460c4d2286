/** GET /metrics, for administrators of the operator's workspace; without a key on METRICS_PORT alone. */

import { mustAdminister } from '../auth/principal.js';
import { ApiError } from '../errors.js';
import type { Services } from '../graphql/context.js';
import { DEFAULT_WORKSPACE } from '../keys/bootstrap.js';
import { METRICS_TYPE } from '../metrics.js';
import type { RunKeyed } from './gateway.js';

export function metricsEndpoint({ database, metrics }: Services): RunKeyed {
  return async (c, { principal, meter }) => {
    await meter.begin();
    mustAdminister(principal);
    const workspace = await database.system.workspace.findUnique({ where: { slug: DEFAULT_WORKSPACE } });
    if (principal.workspaceId !== workspace?.id || principal.environment !== 'LIVE') {
      const reason = "Figures of the whole server are for the operator's workspace, live.";
      throw new ApiError('FORBIDDEN', reason, { reason });
    }
    return c.body(await metrics.text(), 200, { 'content-type': METRICS_TYPE, 'cache-control': 'no-store' });
  };
}
