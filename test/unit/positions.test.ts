/** Places between numbers, as long as there are numbers between them. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { between, MOST_POSITION, spread } from '../../src/tasks/positions.js';

const place = fc.option(fc.double({ noNaN: true, min: -MOST_POSITION, max: MOST_POSITION }));

it('lie strictly between two, or are not there', () => {
  fc.assert(
    fc.property(place, place, (one, other) => {
      const [above, below] = one !== null && other !== null && one > other ? [other, one] : [one, other];
      const found = between(above, below);
      if (found === undefined) return;
      expect(above === null || found > above).toBe(true);
      expect(below === null || found < below).toBe(true);
      expect(Math.abs(found)).toBeLessThanOrEqual(MOST_POSITION);
    }),
  );
  expect(between(1, 1)).toBeUndefined();
  expect(between(1, 1 + Number.EPSILON)).toBeUndefined();
  expect(between(MOST_POSITION, null)).toBeUndefined();
  expect([between(null, null), between(null, 5), between(5, null), between(1, 2)]).toEqual([0, 4, 6, 1.5]);
});

it('go up, as many as are asked for, or do not fit', () => {
  fc.assert(
    fc.property(place, place, fc.integer({ min: 1, max: 50 }), (one, other, count) => {
      const [above, below] = one !== null && other !== null && one > other ? [other, one] : [one, other];
      const places = spread(above, below, count);
      if (places === undefined) return;
      const all = [...(above === null ? [] : [above]), ...places, ...(below === null ? [] : [below])];
      expect(places).toHaveLength(count);
      expect(all.every((value, index) => index === 0 || value > (all[index - 1] as number))).toBe(true);
    }),
  );
  expect(spread(0, 4, 3)).toEqual([1, 2, 3]);
  expect(spread(1, 1, 1)).toBeUndefined();
});
