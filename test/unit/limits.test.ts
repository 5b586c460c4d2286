import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryWindows } from '../../src/limits/slidingWindow.js';

const minute = { name: 'minute', length: 60, limit: 5 };

describe('a sliding window', () => {
  it('lets no more than the limit through in any stretch of its length, at whatever moments requests come', async () => {
    const gaps = fc.array(fc.oneof(fc.nat(500), fc.nat(20_000), fc.constant(59_999), fc.constant(60_000)), {
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(gaps, fc.integer({ min: 1, max: 8 }), async (pauses, limit) => {
        const counter = new MemoryWindows();
        const passed: number[] = [];
        let now = 1_700_000_000_123;
        for (const pause of pauses) {
          now += pause;
          const { allowed } = await counter.take('k', [{ ...minute, limit }], 1, now);
          if (allowed) passed.push(now);
        }
        for (const start of passed) {
          expect(passed.filter((at) => at >= start && at < start + 60_000).length).toBeLessThanOrEqual(limit);
        }
      }),
    );
  });

  it('refuses for no longer than its length when the clock is set back, and forgets nothing by it', async () => {
    for (const back of [2000, 600_000, 7_200_000]) {
      const counter = new MemoryWindows();
      const set = 1_700_000_000_000;
      const before = set + back;
      for (let i = 0; i < 5; i += 1) expect((await counter.take('k', [minute], 1, before)).allowed).toBe(true);
      const refused = await counter.take('k', [minute], 1, set);
      expect([refused.allowed, refused.retryAfter <= 61]).toEqual([false, true]);
      expect((await counter.take('k', [minute], 1, set + 30_000)).allowed).toBe(false);
      expect((await counter.take('k', [minute], 1, set + 62_000)).allowed).toBe(true);
    }
  });

  it('lets exactly the limit through at once, and goes on when the first have left', async () => {
    const counter = new MemoryWindows();
    const now = 1_700_000_000_000;
    const take = (at: number) => counter.take('k', [minute], 1, at);
    const results = await Promise.all(Array.from({ length: 20 }, () => take(now)));
    expect(results.filter(({ allowed }) => allowed)).toHaveLength(5);
    const refused = await take(now + 30_000);
    expect(refused).toMatchObject({ allowed: false, windows: [{ remaining: 0 }] });
    expect((await take(now + 30_000 + refused.retryAfter * 1000 - 2000)).allowed).toBe(false);
    expect((await take(now + 30_000 + refused.retryAfter * 1000)).allowed).toBe(true);
  });

  it('takes from all windows or from none, and looking takes nothing', async () => {
    const counter = new MemoryWindows();
    const now = 1_700_000_000_000;
    const windows = [minute, { name: 'hour', length: 3600, limit: 3 }];
    for (let i = 0; i < 3; i += 1) await counter.take('k', windows, 1, now);
    expect((await counter.take('k', windows, 1, now)).allowed).toBe(false);
    expect((await counter.take('k', windows, 0, now)).windows.map(({ remaining }) => remaining)).toEqual([2, 0]);
    expect((await counter.take('k', windows, 0, now)).allowed).toBe(true);
    expect((await counter.take('k', [minute], 3, now)).allowed).toBe(false);
    expect((await counter.take('k', [minute], 2, now)).allowed).toBe(true);
  });

  it('remembers no more identities than it may', async () => {
    const counter = new MemoryWindows(100);
    for (let i = 0; i < 1000; i += 1) await counter.take(`k${i}`, [minute], 5);
    expect((await counter.take('k999', [minute], 1)).allowed).toBe(false);
    expect((await counter.take('k0', [minute], 1)).allowed).toBe(true);
  });
});
