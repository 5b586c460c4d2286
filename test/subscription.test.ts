/** taskChanged, over server-sent events, for as long as its key may be used. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createWorkspace } from './support/factories.js';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

/** Opens the stream and collects what comes, until it ends. */
async function subscribe(key: string, query = 'subscription { taskChanged { action taskId task { title } } }') {
  const stop = new AbortController();
  const response = await fetch(server.url, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ query }),
    signal: stop.signal,
  });
  const events: { data?: { taskChanged: object }; errors?: { message: string; extensions: { code: string } }[] }[] = [];
  const ended = (async () => {
    let text = '';
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      const parts = text.split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts) {
        const data = /^data: (.*)$/m.exec(part)?.[1];
        if (data) events.push(JSON.parse(data));
      }
    }
  })().catch(() => {});
  return { events, ended, stop: () => stop.abort(), response };
}

const until = async (condition: () => boolean, limit = 3000) => {
  for (const end = Date.now() + limit; !condition() && Date.now() < end; )
    await new Promise((resolve) => setTimeout(resolve, 10));
};
const create = async (key?: string) => {
  const { data } = await server.gql('mutation { createTask(input: { title: "S" }) { task { id } } }', {}, key);
  return data.createTask.task.id as string;
};

it('tells of each change in its own workspace and environment, and of nothing else', async () => {
  const other = await createWorkspace(server);
  const stream = await subscribe(await server.key(['tasks:read']));
  await until(() => false, 500);
  await create(other.live.key);
  await create(await server.key(['tasks:write'], 'TEST'));
  const id = await create();
  await server.gql('mutation ($id: ID!) { updateTask(input: { id: $id, title: "T" }) { task { id } } }', { id });
  await until(() => stream.events.length >= 2);
  await server.gql('mutation ($id: ID!) { deleteTask(input: { id: $id }) { deletedTaskId } }', { id });
  await until(() => stream.events.length >= 3);
  stream.stop();
  expect(stream.events.map((event) => event.data?.taskChanged)).toEqual([
    { action: 'CREATED', taskId: id, task: { title: expect.any(String) } },
    { action: 'UPDATED', taskId: id, task: { title: 'T' } },
    { action: 'DELETED', taskId: id, task: null },
  ]);
});

it('is refused to a key without tasks:read', async () => {
  const stream = await subscribe(await server.key(['tasks:write']));
  await stream.ended;
  expect(stream.events[0]?.errors?.[0]?.extensions.code).toBe('FORBIDDEN');
});

it('ends when its key is revoked, with an error that says so, and tells of nothing after that', async () => {
  const { key, apiKey } = await server.createKey(['tasks:read']);
  const stream = await subscribe(key);
  await until(() => false, 500);
  await server.gql('mutation ($id: ID!) { revokeApiKey(input: { id: $id }) { apiKey { status } } }', { id: apiKey.id });
  await create();
  await stream.ended;
  expect(stream.events.filter((event) => event.data?.taskChanged)).toEqual([]);
  expect(stream.events.at(-1)?.errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
});

it('ends when its key expires', async () => {
  const { key } = await server.createKey(['tasks:read'], 'LIVE', { expiresAt: new Date(Date.now() + 1200) });
  const stream = await subscribe(key);
  await stream.ended;
  expect(stream.events.at(-1)?.errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
});
