/**
 * Bounds a cache by the number of its entries, as an option of lru-cache: with `max` it would make room for all of them at once.
 */
export const atMost = (entries: number) => ({ maxSize: entries, sizeCalculation: () => 1 });
