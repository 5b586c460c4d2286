/** What processes tell each other arrives at the others, whole and in order. */
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, expect, it } from 'vitest';
import { type Bus, PostgresBus, RedisBus } from '../src/messaging/bus.js';
import { postgresql } from './support/postgresql.js';
import { hasRedis, startRedis } from './support/redis.js';
import { silentProxy } from './support/silentProxy.js';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** @param through what one of them is connected by, where it is not directly */
type NewBus = (id: string, through?: string) => Bus;

async function redisBuses(): Promise<{ url: string; bus: NewBus }> {
  const redis = await startRedis();
  ends.push(redis.kill);
  const bus = (id: string, url = redis.url) => {
    const publisher = new Redis(url);
    publisher.on('error', () => {});
    ends.push(async () => publisher.disconnect());
    return new RedisBus(id, url, publisher);
  };
  return { url: redis.url, bus };
}

const server = await postgresql();
const transports = [
  ...(hasRedis ? [{ name: 'Redis', buses: redisBuses }] : []),
  ...(server
    ? [
        {
          name: 'PostgreSQL',
          buses: async () => ({ url: server, bus: (id: string, url = server) => new PostgresBus(id, url) }),
        },
      ]
    : []),
];

function listen(bus: Bus): Heard {
  const heard: unknown[] = [];
  const connected = new Promise<void>((resolve) => bus.subscribe((message) => heard.push(message), resolve));
  ends.push(() => bus.close());
  return { bus, heard, connected };
}

it.each(transports)('over $name', async ({ buses }) => {
  const { bus } = await buses();
  const [a, b] = ['a', 'b'].map((id) => listen(bus(id))) as [Heard, Heard];
  await Promise.all([a.connected, b.connected]);
  await pause(200);

  a.bus.publish({ topic: 'keys' });
  const said = Array.from({ length: 500 }, (_, i) => ({ topic: 'task', data: { number: i, text: 'ä'.repeat(100) } }));
  for (const message of said) a.bus.publish(message);
  while (b.heard.length < said.length + 1) await pause(10);
  expect(b.heard).toEqual([{ topic: 'keys' }, ...said]);
  expect(a.heard).toEqual([]);
});

it.each(transports)('over $name again, where a connection has gone silent', async ({ buses }) => {
  const { url, bus } = await buses();
  const proxy = await silentProxy(new URL(url));
  ends.push(proxy.close);
  const through = new URL(url);
  through.host = `127.0.0.1:${proxy.port}`;
  const [a, b] = [listen(bus('a')), listen(bus('b', through.href))];
  await Promise.all([a.connected, b.connected]);
  await pause(200);
  proxy.silence();
  // Until the silence is noticed, messages are lost.
  const told = setInterval(() => a.bus.publish({ topic: 'keys' }), 100);
  const until = performance.now() + 30_000;
  while (b.heard.length === 0 && performance.now() < until) await pause(50);
  clearInterval(told);
  expect(b.heard[0]).toEqual({ topic: 'keys' });
});

interface Heard {
  readonly bus: Bus;
  readonly heard: unknown[];
  readonly connected: Promise<void>;
}
