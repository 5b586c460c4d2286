/** What fields are compared by in filters (src/graphql/connections/filter.ts says how). */
import type { InputRef } from '@pothos/core';
import { builder } from './builder.js';

export const IdFilter = builder.inputType('IDFilter', {
  fields: (t) => ({ eq: t.id(), neq: t.id(), in: t.idList(), nin: t.idList() }),
});
export const StringFilter = builder.inputType('StringFilter', {
  fields: (t) => ({
    eq: t.string(),
    neq: t.string(),
    in: t.stringList(),
    nin: t.stringList(),
    contains: t.string({ description: 'Contains this text, whatever the case.' }),
    startsWith: t.string({ description: 'Begins with this text, whatever the case.' }),
  }),
});
export const IntFilter = builder.inputType('IntFilter', {
  fields: (t) => ({
    eq: t.int(),
    neq: t.int(),
    in: t.intList(),
    nin: t.intList(),
    gt: t.int(),
    gte: t.int(),
    lt: t.int(),
    lte: t.int(),
  }),
});
export const FloatFilter = builder.inputType('FloatFilter', {
  fields: (t) => ({
    eq: t.float({ description: 'null: has none.' }),
    neq: t.float(),
    in: t.floatList(),
    nin: t.floatList(),
    gt: t.float(),
    gte: t.float(),
    lt: t.float(),
    lte: t.float(),
  }),
});
export const DateTimeFilter = builder.inputType('DateTimeFilter', {
  fields: (t) => ({
    eq: t.field({ type: 'DateTime', description: 'null: has no date.' }),
    neq: t.field({ type: 'DateTime', description: 'null: has a date.' }),
    gt: t.field({ type: 'DateTime' }),
    gte: t.field({ type: 'DateTime' }),
    lt: t.field({ type: 'DateTime' }),
    lte: t.field({ type: 'DateTime' }),
    before: t.field({
      type: 'Duration',
      description: 'Before what is so long from now: P7D is in a week, -P1D a day ago.',
    }),
    after: t.field({ type: 'Duration', description: 'After what is so long from now.' }),
  }),
});
export const TagsFilter = builder.inputType('TagsFilter', {
  fields: (t) => ({
    contains: t.string({ description: 'Has this tag.' }),
    in: t.stringList({ description: 'Has one of these tags.' }),
    nin: t.stringList({ description: 'Has none of these tags.' }),
  }),
});

/** @param isOrdered its values are in an order, by which they are compared too */
export function enumFilter(name: string, type: InputRef<unknown>, isOrdered = false): InputRef<object> {
  return builder.inputType(name, {
    fields: (t) => {
      const value = () => t.field({ type });
      const values = () => t.field({ type: [type] });
      const compared = isOrdered ? { gt: value(), gte: value(), lt: value(), lte: value() } : {};
      return { eq: value(), neq: value(), in: values(), nin: values(), ...compared };
    },
  });
}

export const OrderDirection = builder.enumType('OrderDirection', {
  values: { ASC: { value: 'asc' }, DESC: { value: 'desc' } } as const,
});
