/** The clients that people use, as they use them. */
import { ApolloClient, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { Client, cacheExchange, fetchExchange } from '@urql/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './support/server.js';
import { pass, until } from './support/stream.js';

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

const CHANGES = gql`
  subscription Changes {
    taskChanged {
      action
      task {
        title
      }
    }
  }
`;
const makeTask = (title: string) =>
  server.gql('mutation ($title: String!) { createTask(input: { title: $title }) { task { id } } }', { title });

describe('subscriptions', () => {
  const RENAME = 'mutation ($input: UpdateApiKeyInput!) { updateApiKey(input: $input) { apiKey { id } } }';

  it('come to Apollo over multipart, and end with the error that says why', async () => {
    const { key, apiKey } = await server.createKey(['tasks:read']);
    const apollo = new ApolloClient({
      cache: new InMemoryCache(),
      link: new HttpLink({ uri: server.url, headers: { authorization: `Bearer ${key}` } }),
    });
    const titles: unknown[] = [];
    const ends: unknown[] = [];
    const subscription = apollo.subscribe<{ taskChanged: { task: { title: string } } }>({ query: CHANGES }).subscribe({
      next: ({ data, error }) => {
        if (data) titles.push(data.taskChanged.task.title);
        if (error) ends.push(CombinedGraphQLErrors.is(error) ? error.errors[0]?.extensions?.['code'] : error);
      },
      error: (error) => ends.push(error),
      complete: () => ends.push('complete'),
    });
    for (let i = 0; titles.length === 0 && i < 100; i += 1) {
      await makeTask(`One ${i}`);
      await pass(50);
    }
    await makeTask('Two');
    // Sooner than the next sign of life, behind which it would be hidden.
    await until(() => titles.includes('Two'), 1500);
    await server.gql(RENAME, { input: { id: apiKey.id, scopes: [] } });
    await until(() => ends.length > 0);
    expect(ends[0]).toBe('FORBIDDEN');
    subscription.unsubscribe();
  });

  it('are refused in words where the client takes no form of them', async () => {
    const ask = (accept: string) =>
      server.post(JSON.stringify({ query: 'subscription { taskChanged { action } }' }), server.adminKey, { accept });
    for (const accept of ['application/json', 'multipart/mixed', 'multipart/mixed;deferSpec=20220824', 'text/html']) {
      const answer = await ask(accept);
      expect([answer.status, await answer.json()], accept).toEqual([
        406,
        {
          errors: [
            {
              message: expect.stringContaining('text/event-stream, or multipart/mixed;subscriptionSpec=1.0'),
              extensions: { code: 'NOT_ACCEPTABLE' },
            },
          ],
        },
      ]);
    }
  });

  it('a mutation is carried out for nobody who could not read its answer', async () => {
    for (const accept of ['image/png', 'text/html', 'multipart/mixed;subscriptionSpec=1.0', 'application/json;q=0']) {
      const title = `Unread ${accept}`;
      const query = `mutation { createTask(input: { title: ${JSON.stringify(title)} }) { task { id } } }`;
      const answer = await server.post(JSON.stringify({ query }), server.adminKey, { accept });
      expect([accept, answer.status, await server.system.task.count({ where: { title } })]).toEqual([accept, 406, 0]);
    }
    for (const accept of ['*/*', 'application/*', 'text/html, */*;q=0.1', 'application/graphql-response+json', '']) {
      const answer = await server.post('{"query":"{ viewer { environment } }"}', server.adminKey, { accept });
      expect([accept, answer.status]).toEqual([accept, 200]);
    }
  });

  it('are sent by themselves: in a batch they say so', async () => {
    const batch = [{ query: '{ viewer { environment } }' }, { query: 'subscription { taskChanged { action } }' }];
    const answer = await (await server.post(JSON.stringify(batch), server.adminKey)).json();
    expect(answer).toMatchObject([{ data: {} }, { errors: [{ extensions: { code: 'BAD_REQUEST' } }] }]);
  });

  it('come to a client of server-sent events, by POST and by GET', async () => {
    for (const ask of [
      () => server.post(JSON.stringify({ query: CHANGES.loc?.source.body }), server.adminKey, SSE),
      () =>
        fetch(`${server.url}?query=${encodeURIComponent(CHANGES.loc?.source.body ?? '')}`, {
          headers: { authorization: `Bearer ${server.adminKey}`, ...SSE },
        }),
    ]) {
      const response = await ask();
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
      await response.body?.cancel();
    }
  });
});

const SSE = { accept: 'text/event-stream' };

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
