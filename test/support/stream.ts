/** Subscriptions as a client of server-sent events has them. */
import type { GraphQLAnswer, TestServer } from './server.js';

/** @throws when it has not come true in time */
export async function until(condition: () => boolean | Promise<boolean>, limit = 5000): Promise<void> {
  for (const end = Date.now() + limit; !(await condition()); ) {
    if (Date.now() > end) throw new Error(`not within ${limit} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Lets time pass in which nothing is to happen. */
export const pass = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Opens the stream and collects what comes, until it ends.
 * @param key or the headers that stand in its place
 */
export async function subscribe(
  server: TestServer,
  key: string | Readonly<Record<string, string>>,
  query = 'subscription { taskChanged { action taskId task { title } } }',
  variables: object = {},
) {
  const stop = new AbortController();
  const response = await fetch(server.url, {
    method: 'POST',
    headers: {
      ...(typeof key === 'string' ? { authorization: `Bearer ${key}` } : key),
      'content-type': 'application/json',
      accept: 'text/event-stream',
    },
    body: JSON.stringify({ query, variables }),
    signal: stop.signal,
  });
  const events: GraphQLAnswer[] = [];
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
