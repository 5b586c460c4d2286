/** The GraphQL client: the session's cookie with every request, and beside it which workspace and environment are meant. */
import { type Client, cacheExchange, createClient, errorExchange, fetchExchange } from 'urql';

export type Environment = 'live' | 'test';

export function clientFor(workspaceId: string, environment: Environment, onRefused: () => void): Client {
  return createClient({
    url: '/graphql',
    preferGetMethod: false,
    requestPolicy: 'cache-and-network',
    fetchSubscriptions: true,
    fetchOptions: {
      credentials: 'same-origin',
      headers: { 'x-taskgate-workspace': workspaceId, 'x-taskgate-environment': environment },
    },
    exchanges: [
      cacheExchange,
      errorExchange({
        onError(error) {
          // The session has ended, or the role is another by now.
          const codes = error.graphQLErrors.map(({ extensions }) => extensions['code']);
          if (codes.includes('UNAUTHENTICATED') || codes.includes('FORBIDDEN')) onRefused();
        },
      }),
      fetchExchange,
    ],
  });
}
