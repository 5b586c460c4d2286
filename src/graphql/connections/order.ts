import type { Column, OrderBy } from './keyset.js';

const NEWEST_FIRST: OrderBy = { column: { name: 'createdAt', kind: 'date' }, direction: 'desc' };

/** The order that was asked for, each column once; newest first where none was. */
export function orderOf(
  columns: Readonly<Record<string, Column>>,
  orderBy: readonly { readonly field: string; readonly direction: 'asc' | 'desc' }[] | null | undefined,
): OrderBy[] {
  const wanted = (orderBy ?? []).filter(
    (item, index, all) => all.findIndex(({ field }) => field === item.field) === index,
  );
  if (wanted.length === 0) return [NEWEST_FIRST];
  return wanted.flatMap(({ field, direction }) => {
    const column = columns[field];
    return column ? [{ column, direction }] : [];
  });
}
