/** Where a task goes that is moved within the order of a project: the place, and the tasks that make room for it. */
import type { Unit } from '../db/unitOfWork.js';
import { ApiError, badInput, notFound } from '../errors.js';
import { between, spread } from './positions.js';

/** Tasks on one side that make room, at most. */
const MOST_SHIFTED = 512;

interface Wanted {
  /** The task that is moved. */
  readonly id: string;
  /** Where it will be; null: among the tasks without a project. */
  readonly projectId: string | null;
  /** The task that it will be next to; null: at the end. */
  readonly anchorId: string | null;
  /** Whether directly before that one, or after it. */
  readonly isBefore: boolean;
}

export interface Placement {
  readonly position: number;
  /** Tasks that get another position. */
  readonly shifted: readonly Place[];
}

interface Place {
  readonly id: string;
  readonly position: number;
}

/**
 * With the order of the project locked.
 * @throws NOT_FOUND and BAD_USER_INPUT for the anchor
 */
export async function placeFor({ tx }: Unit, { id, projectId, anchorId, isBefore }: Wanted): Promise<Placement> {
  const select = { id: true, position: true } as const;
  const find = (direction: 'asc' | 'desc', beyond: object, take: number): Promise<Place[]> =>
    tx.task.findMany({
      where: { projectId, id: { not: id }, ...beyond },
      orderBy: [{ position: direction }, { id: direction }],
      select,
      take,
    });
  const [last] = anchorId === null ? await find('desc', {}, 1) : [];
  if (anchorId === null && !last) return { position: 0, shifted: [] };
  const anchor =
    last ?? (await tx.task.findUnique({ where: { id: anchorId ?? '' }, select: { ...select, projectId: true } }));
  if (!anchor) throw notFound('task', anchorId ?? '');
  if ('projectId' in anchor && anchor.projectId !== projectId) {
    const field = isBefore ? 'beforeId' : 'afterId';
    throw badInput({ [field]: ['must be in the project that the task is put in'] });
  }
  const past = (comparator: 'gt' | 'lt') => ({
    AND: [
      { position: { [`${comparator}e`]: anchor.position } },
      {
        OR: [
          { position: { [comparator]: anchor.position } },
          { position: anchor.position, id: { [comparator]: anchor.id } },
        ],
      },
    ],
  });
  for (let width = 1; width <= MOST_SHIFTED; width *= 8) {
    const above = (await find('desc', past('lt'), width)).reverse();
    const below = await find('asc', past('gt'), width);
    // What lies beyond the last ones that were found, if anything does, stays where it is.
    const bounds = { above: above.length === width, below: below.length === width };
    if (isBefore) below.unshift(anchor);
    else above.push(anchor);
    // New tasks have their number, and come after all that are at the end.
    const end = below.length === 0 ? Math.floor(above.at(-1)?.position ?? 0) + 1 : null;
    const placement = placeBetween(above, below, bounds, end, width === 1);
    if (placement) return placement;
  }
  throw new ApiError('CONFLICT', 'There is no place there: too many tasks have the same position.');
}

/**
 * @param bounds whether the outermost of each side stays where it is
 * @param end what lies beyond all of them; null: no more than they themselves
 * @param isFree nobody makes room
 */
function placeBetween(
  above: readonly Place[],
  below: readonly Place[],
  bounds: { readonly above: boolean; readonly below: boolean },
  end: number | null,
  isFree: boolean,
): Placement | undefined {
  if (isFree) {
    const position = between(above.at(-1)?.position ?? null, below[0]?.position ?? end);
    return position === undefined ? undefined : { position, shifted: [] };
  }
  const [before, after] = [above.slice(bounds.above ? 1 : 0), bounds.below ? below.slice(0, -1) : below];
  const places = spread(
    bounds.above ? (above[0]?.position ?? null) : null,
    bounds.below ? (below.at(-1)?.position ?? end) : end,
    before.length + 1 + after.length,
  );
  if (!places) return undefined;
  const [position = 0] = places.splice(before.length, 1);
  const shifted = [...before, ...after].flatMap(({ id, position: was }, index) =>
    places[index] === was ? [] : [{ id, position: places[index] ?? was }],
  );
  return { position, shifted };
}
