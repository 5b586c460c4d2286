import { builder } from '../schema/builder.js';
import type { Column, OrderBy } from './keyset.js';

export const OrderDirection = builder.enumType('OrderDirection', {
  values: { ASC: { value: 'asc' }, DESC: { value: 'desc' } } as const,
});

export const NEWEST_FIRST: OrderBy = { column: { name: 'createdAt', kind: 'date' }, direction: 'desc' };

/** The order that was asked for, each column once; newest first where none was. */
export function orderOf<Name extends string>(
  columns: Readonly<Record<Name, Column>>,
  orderBy: readonly { field: Name; direction: 'asc' | 'desc' }[] | null | undefined,
): OrderBy[] {
  const wanted = (orderBy ?? []).filter(
    (item, index, all) => all.findIndex(({ field }) => field === item.field) === index,
  );
  if (wanted.length === 0) return [NEWEST_FIRST];
  return wanted.map(({ field, direction }) => ({ column: columns[field], direction }));
}
