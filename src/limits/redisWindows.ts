/**
 * The same counting for all processes over one Redis, in one atomic script. While Redis is out of reach each process
 * counts on its own with its share of the limit, says so once, and goes back by itself.
 */
import type { Redis } from 'ioredis';
import {
  type Decision,
  decide,
  MemoryWindows,
  oldestSlot,
  type Slots,
  sharesOf,
  slotLength,
  type Window,
  type WindowCounter,
} from './slidingWindow.js';

/** For each key: drops what no longer counts, reads the rest; adds to all if none would go over. Redis tells the time. */
const SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local points = tonumber(ARGV[1])
local allowed = 1
local read = {}
for i, key in ipairs(KEYS) do
  local slot = tonumber(ARGV[i * 2])
  local limit = tonumber(ARGV[i * 2 + 1])
  local oldest = math.floor(now / slot) - 60
  local entries = redis.call('HGETALL', key)
  local kept = {}
  local total = 0
  for j = 1, #entries, 2 do
    if tonumber(entries[j]) < oldest then
      redis.call('HDEL', key, entries[j])
    else
      total = total + tonumber(entries[j + 1])
      kept[#kept + 1] = entries[j]
      kept[#kept + 1] = entries[j + 1]
    end
  end
  if total + points > limit then allowed = 0 end
  read[i] = kept
end
if allowed == 1 and points ~= 0 then
  for i, key in ipairs(KEYS) do
    local slot = tonumber(ARGV[i * 2])
    redis.call('HINCRBY', key, string.format('%d', math.floor(now / slot)), points)
    redis.call('PEXPIRE', key, math.ceil(slot * 62))
  end
end
return { now, read }
`;

interface WithScript {
  takeFromWindows(keys: number, ...rest: (string | number)[]): Promise<[number, string[][]]>;
}

export class RedisWindows implements WindowCounter {
  readonly #alone = new MemoryWindows();
  readonly #redis: Redis & WithScript;
  #away = false;

  /**
   * @param processes how many processes share the limits, as far as is known
   * @param tell called when Redis goes away and when it is back
   */
  constructor(
    redis: Redis,
    private readonly processes: () => number,
    private readonly tell: (away: boolean, error?: unknown) => void,
  ) {
    redis.defineCommand('takeFromWindows', { lua: SCRIPT });
    this.#redis = redis as Redis & WithScript;
  }

  async take(identity: string, windows: readonly Window[], points: number): Promise<Decision> {
    try {
      const keys = windows.map(({ name }) => `taskgate:limit:{${identity}}:${name}`);
      const numbers = windows.flatMap(({ length, limit }) => [slotLength(length), limit]);
      const [now, read] = await this.#redis.takeFromWindows(keys.length, ...keys, points, ...numbers);
      if (this.#away) {
        this.#away = false;
        this.tell(false);
      }
      return decide(
        windows,
        windows.map(({ length }, index) => slotsOf(read[index] ?? [], oldestSlot(length, now))),
        points,
        now,
      );
    } catch (error) {
      if (!this.#away) {
        this.#away = true;
        this.tell(true, error);
      }
      return this.#alone.take(identity, sharesOf(windows, this.processes()), points);
    }
  }
}

function slotsOf(entries: readonly string[], oldest: number): Slots {
  const slots = new Map<number, number>();
  for (let i = 0; i < entries.length; i += 2) {
    const slot = Number(entries[i]);
    if (slot >= oldest) slots.set(slot, Number(entries[i + 1]));
  }
  return slots;
}
