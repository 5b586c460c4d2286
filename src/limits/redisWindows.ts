/** Windows in one Redis, in one atomic script; Redis tells the time. */
import type { Redis } from 'ioredis';
import { answeredWithin } from './patience.js';
import type { Carried, RemoteCounts, RemoteWindows } from './sharedWindows.js';
import { slotLength, type Window } from './slidingWindow.js';

/**
 * KEYS: a hash for each window, of slots, of when the last of each came, and of the last load of each process that brought one.
 * ARGV: points, the process, which of its loads it brings, then for each window slot length, limit, and what is carried. Drops what
 * no longer counts and adds what is carried, once; then adds the points to all, if none would go over, or takes what is given back from
 * the newest slots.
 */
const SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local points = tonumber(ARGV[1])
local carrier = 'load ' .. ARGV[2]
local load = tonumber(ARGV[3])
local allowed = 1
local read = {}
for i, key in ipairs(KEYS) do
  local slot = tonumber(ARGV[i * 3 + 1])
  local limit = tonumber(ARGV[i * 3 + 2])
  local carried = tonumber(ARGV[i * 3 + 3])
  local current = math.floor(now / slot)
  if carried > 0 and tonumber(string.match(redis.call('HGET', key, carrier) or '0', '^%d+')) < load then
    redis.call('HSET', key, carrier, string.format('%d:%d', load, now))
    redis.call('PEXPIRE', key, math.ceil(slot * 62))
    redis.call('HINCRBY', key, string.format('%d', current), carried)
    redis.call('HSET', key, string.format('%d', current) .. ' last', now)
  end
  local entries = redis.call('HGETALL', key)
  local values = {}
  for j = 1, #entries, 2 do values[entries[j]] = entries[j + 1] end
  local kept = {}
  local total = 0
  for name, count in pairs(values) do
    local last = values[name .. ' last']
    if last then
      if tonumber(last) + slot * 60 <= now then
        redis.call('HDEL', key, name, name .. ' last')
      else
        total = total + tonumber(count)
        kept[#kept + 1] = name
        kept[#kept + 1] = count
        kept[#kept + 1] = last
      end
    elseif string.sub(name, 1, 5) == 'load ' then
      local at = tonumber(string.match(count, ':(%d+)$') or 0)
      if at + slot * 62 <= now then redis.call('HDEL', key, name) end
    end
  end
  if points > 0 and total + points > limit then allowed = 0 end
  read[i] = kept
end
if points < 0 then
  for i, key in ipairs(KEYS) do
    local current = math.floor(now / tonumber(ARGV[i * 3 + 1]))
    local left = -points
    for back = 0, 60 do
      local name = string.format('%d', current - back)
      local taken = math.min(left, tonumber(redis.call('HGET', key, name) or 0))
      if taken > 0 then redis.call('HINCRBY', key, name, -taken) end
      left = left - taken
    end
  end
elseif allowed == 1 and points > 0 then
  for i, key in ipairs(KEYS) do
    local slot = tonumber(ARGV[i * 3 + 1])
    local current = string.format('%d', math.floor(now / slot))
    redis.call('HINCRBY', key, current, points)
    redis.call('HSET', key, current .. ' last', now)
    redis.call('PEXPIRE', key, math.ceil(slot * 62))
  end
end
return { now, read }
`;

/** Milliseconds. */
const PATIENCE = 500;

interface WithScript {
  takeFromWindows(keys: number, ...rest: (string | number)[]): Promise<[number, string[][]]>;
}

export class RedisWindows implements RemoteWindows {
  readonly #redis: Redis & WithScript;

  constructor(redis: Redis) {
    redis.defineCommand('takeFromWindows', { lua: SCRIPT });
    this.#redis = redis as Redis & WithScript;
  }

  async take(identity: string, windows: readonly Window[], points: number, carried?: Carried): Promise<RemoteCounts> {
    const keys = windows.map(({ name }) => `taskgate:limit:{${identity}}:${name}`);
    const numbers = windows.flatMap(({ length, limit }, index) => [
      slotLength(length),
      limit,
      carried?.sums[index] ?? 0,
    ]);
    const { by = '', number = 0 } = carried ?? {};
    const asked = this.#redis.takeFromWindows(keys.length, ...keys, points, by, number, ...numbers);
    const [now, read] = await answeredWithin(PATIENCE, 'Redis does not answer.', asked);
    return { now, counted: read.map(inOrder) };
  }
}

/** A hash has no order. */
function inOrder(entries: readonly string[]): number[] {
  const slots: number[][] = [];
  for (let i = 0; i < entries.length; i += 3) slots.push(entries.slice(i, i + 3).map(Number));
  return slots.sort(([a = 0], [b = 0]) => a - b).flat();
}
