/** What processes tell each other arrives at the others, whole and in order. */
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterEach, expect, it } from 'vitest';
import { type Bus, PostgresBus, RedisBus } from '../src/messaging/bus.js';
import { postgresql } from './support/postgresql.js';
import { hasRedis, startRedis } from './support/redis.js';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function redisBuses(): Promise<(id: string) => Bus> {
  const redis = await startRedis();
  ends.push(redis.kill);
  return (id) => {
    const publisher = new Redis(redis.url);
    ends.push(async () => publisher.disconnect());
    return new RedisBus(id, redis.url, publisher);
  };
}

const server = await postgresql();
const transports = [
  ...(hasRedis ? [{ name: 'Redis', buses: redisBuses }] : []),
  ...(server ? [{ name: 'PostgreSQL', buses: async () => (id: string) => new PostgresBus(id, server) }] : []),
];

it.each(transports)('over $name', async ({ buses }) => {
  const bus = await buses();
  const [a, b] = ['a', 'b'].map((id) => {
    const heard: unknown[] = [];
    const one = bus(id);
    const connected = new Promise<void>((resolve) => one.subscribe((message) => heard.push(message), resolve));
    ends.push(() => one.close());
    return { bus: one, heard, connected };
  }) as [Heard, Heard];
  await Promise.all([a.connected, b.connected]);
  await pause(200);

  a.bus.publish({ topic: 'keys' });
  const said = Array.from({ length: 500 }, (_, i) => ({ topic: 'task', data: { number: i, text: 'ä'.repeat(100) } }));
  for (const message of said) a.bus.publish(message);
  while (b.heard.length < said.length + 1) await pause(10);
  expect(b.heard).toEqual([{ topic: 'keys' }, ...said]);
  expect(a.heard).toEqual([]);
});

interface Heard {
  readonly bus: Bus;
  readonly heard: unknown[];
  readonly connected: Promise<void>;
}
