/** Pauses of keys whose requests take long to read, on a clock of its own. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Pacing } from '../../src/limits/pacing.js';

let now = 0;
let pacing: Pacing;
beforeEach(() => {
  now = 1_000_000;
  pacing = new Pacing(() => now);
});

/** Milliseconds until the key's next request may be read; 0: at once. */
async function wait(key: string): Promise<number | 'refused'> {
  const began = Date.now();
  const turn = pacing.turn(key);
  if (turn === undefined) return 0;
  return (await turn) ? Date.now() - began : 'refused';
}

describe('a key whose requests take long to read', () => {
  it('is given a turn after pauses, while others are there', async () => {
    pacing.turn('other');
    expect(await wait('slow')).toBe(0);
    pacing.took('slow', 20);
    expect(await wait('slow')).toBeGreaterThanOrEqual(59);
    // Whoever comes next waits for the one before as well.
    const both = Promise.all([wait('slow'), wait('slow')]);
    const [first, second] = (await both) as [number, number];
    expect(second - first).toBeGreaterThanOrEqual(50);
  });

  it('waits for nothing when it is alone, or when others have gone', async () => {
    pacing.turn('slow');
    pacing.took('slow', 20);
    now += 1001;
    expect(await wait('slow')).toBe(0);
    pacing.turn('other');
    now += 1001;
    pacing.turn('slow');
    now += 1001;
    expect(await wait('slow')).toBe(0);
  });

  it('makes no other key wait', async () => {
    pacing.turn('other');
    pacing.turn('slow');
    pacing.took('slow', 500);
    expect(await wait('other')).toBe(0);
  });

  it('is refused where more wait than can be read in five seconds', async () => {
    pacing.turn('other');
    pacing.turn('slow');
    pacing.took('slow', 1000);
    const turns = Array.from({ length: 4 }, () => pacing.turn('slow'));
    expect(turns[0]).toBeDefined();
    // 3 s, then 6 s and more.
    expect(await turns[1]).toBe(false);
    expect(await turns[3]).toBe(false);
  });

  it('is like the others again when its requests are', async () => {
    pacing.turn('other');
    pacing.turn('slow');
    pacing.took('slow', 5);
    for (let i = 0; i < 10; i += 1) pacing.took('slow', 0.1);
    expect(await wait('slow')).toBe(0);
  });
});
