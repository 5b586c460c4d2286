/** A key, as its page shows it. */
import { graphql, type ResultOf } from '../graphql.ts';

export const KEY = graphql(`
  query Key($id: ID!) {
    apiKey(id: $id) {
      id name description prefix environment status scopes unusedScopes projectIds allowedIps isLocked autoRenew
      expiresAt rotatedAt graceEndsAt successorId revokedAt revokedReason createdAt updatedAt
      lastUsedAt lastUsedIp lastUsedUserAgent requestsToday requestsThisMonth
      rateLimit { perMinute perHour }
      createdBy { id name }
      usage {
        total
        byDay { day count }
        byOperation { name count }
        byScope { name count }
        byStatus { name count }
        byNetwork { name count }
        byMissingScope { name count }
      }
      operationSets { version createdAt endsAt operations { name scopes text lastUsedAt } }
      tightenings { createdAt undoneAt before { scopes } after { scopes } refusals { name count } }
    }
  }
`);

export type ApiKey = NonNullable<ResultOf<typeof KEY>['apiKey']>;
