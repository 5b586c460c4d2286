import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { AsyncValue } from '../../src/db/asyncValue.js';

it('is known to all that a call awaits, whatever else runs', async () => {
  const value = new AsyncValue<number>();
  const seen = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      value.run(index, async () => {
        const found = [value.get()];
        for (let step = 0; step < 3; step += 1) {
          await pause((index * 7) % 5);
          found.push(value.get());
        }
        const inner = await value.run(1000 + index, async () => {
          await pause(1);
          return value.get();
        });
        return [...found, inner, value.get()];
      }),
    ),
  );
  for (const [index, found] of seen.entries()) expect(found).toEqual([index, index, index, index, 1000 + index, index]);
  expect(value.get()).toBeUndefined();
});

it('is gone when the call has ended, by an answer or an error, and comes back for the next one', async () => {
  const value = new AsyncValue<string>();
  for (let round = 0; round < 3; round += 1) {
    expect(value.run('now', () => value.get())).toBe('now');
    expect(value.get()).toBeUndefined();
    await expect(value.run('later', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(value.get()).toBeUndefined();
    expect(() =>
      value.run('never', () => {
        throw new Error('at once');
      }),
    ).toThrow('at once');
    expect(value.get()).toBeUndefined();
    expect(
      await value.run('after a while', async () => {
        await pause(1);
        return value.get();
      }),
    ).toBe('after a while');
  }
});

it('is not known to what is left running when the call has ended', async () => {
  const value = new AsyncValue<string>();
  let left: Promise<string | undefined> | undefined;
  await value.run('mine', async () => {
    left = pause(10).then(() => value.get());
  });
  expect(await left).toBeUndefined();
});
