/** The clients that people use, as they use them. */
import { ApolloClient, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { Client, cacheExchange, fetchExchange } from '@urql/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const CREATE = gql`
  mutation Create($title: String!) {
    createTask(input: { title: $title }) {
      task {
        id
        title
      }
    }
  }
`;
const LIST = gql`
  query List {
    tasks(first: 5) {
      nodes {
        id
        title
      }
    }
  }
`;
const FORBIDDEN = gql`
  query Forbidden {
    projects {
      totalCount
    }
    tasks {
      totalCount
    }
  }
`;

describe('@apollo/client', () => {
  const client = (key: string) =>
    new ApolloClient({
      cache: new InMemoryCache(),
      link: new HttpLink({ uri: server.url, headers: { authorization: `Bearer ${key}` } }),
    });

  it('runs a query and a mutation', async () => {
    const apollo = client(server.adminKey);
    await apollo.mutate({ mutation: CREATE, variables: { title: 'From Apollo' } });
    const { data } = await apollo.query({ query: LIST });
    expect(data).toMatchObject({ tasks: { nodes: [{ title: 'From Apollo' }] } });
  });

  it('reads an error with its code, beside the data that it may see', async () => {
    const apollo = client(await server.key(['tasks:read']));
    const { data, error } = await apollo.query({ query: FORBIDDEN, errorPolicy: 'all' });
    expect(data).toMatchObject({ projects: null, tasks: { totalCount: expect.any(Number) } });
    expect(CombinedGraphQLErrors.is(error) && error.errors[0]?.extensions?.['code']).toBe('FORBIDDEN');
  });
});

describe('urql', () => {
  const client = (key: string) =>
    new Client({
      url: server.url,
      exchanges: [cacheExchange, fetchExchange],
      fetchOptions: { headers: { 'x-api-key': key } },
      preferGetMethod: false,
    });

  it('runs a query and a mutation', async () => {
    const urql = client(server.adminKey);
    await urql.mutation(CREATE, { title: 'From urql' }).toPromise();
    const { data } = await urql.query(LIST, {}).toPromise();
    expect(data.tasks.nodes[0].title).toBe('From urql');
  });

  it('reads an error with its code, and a refused key', async () => {
    const forbidden = await client(await server.key(['tasks:read']))
      .query(FORBIDDEN, {})
      .toPromise();
    expect(forbidden.error?.graphQLErrors[0]?.extensions['code']).toBe('FORBIDDEN');
    const refused = await client('sk_live_nothing').query(LIST, {}).toPromise();
    expect(refused.error?.response.status).toBe(401);
  });
});
