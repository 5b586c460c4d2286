/**
 * Places on a board. They are numbers, so that clients that send numbers and clients that move tasks share one order; where
 * there is no number left between two of them, their neighbours make room.
 */

/** Numbers beyond have no place between each other, and are no JSON in the end. */
export const MOST_POSITION = 1e15;

/** A number strictly between two; undefined: there is none. @param above null: nothing above; below likewise */
export function between(above: number | null, below: number | null): number | undefined {
  const place =
    above === null && below === null
      ? 0
      : above === null
        ? (below as number) - 1
        : below === null
          ? above + 1
          : middle(above, below);
  const isBetween = (above === null || place > above) && (below === null || place < below);
  return isBetween && Math.abs(place) <= MOST_POSITION ? place : undefined;
}

/**
 * So many numbers that go up, strictly between two.
 * @returns undefined where they do not fit
 */
export function spread(above: number | null, below: number | null, count: number): number[] | undefined {
  const from = above ?? (below === null ? 0 : Math.max(below - count - 1, -MOST_POSITION));
  const to = below ?? Math.min(from + count + 1, MOST_POSITION);
  const step = (to - from) / (count + 1);
  const places = Array.from({ length: count }, (_, index) => from + step * (index + 1));
  const isUp = [from, ...places, to].every((place, index, all) => index === 0 || place > (all[index - 1] as number));
  return isUp ? places : undefined;
}

const middle = (above: number, below: number) => above + (below - above) / 2;
