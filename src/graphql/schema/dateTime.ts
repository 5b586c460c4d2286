/** DateTime, within what both databases can keep and give back. */
import { GraphQLError, GraphQLScalarType } from 'graphql';
import { DateTimeResolver } from 'graphql-scalars';
import { isStorableDate } from '../../storable.js';

export const DateTime = new GraphQLScalarType<Date, Date>({
  ...DateTimeResolver.toConfig(),
  parseValue: (value) => storable(DateTimeResolver.parseValue(value)),
  parseLiteral: (node, variables) => storable(DateTimeResolver.parseLiteral(node, variables)),
});

function storable(date: Date): Date {
  if (isStorableDate(date)) return date;
  throw new GraphQLError('DateTime must lie in the years 1 to 9999, UTC.', { extensions: { code: 'BAD_USER_INPUT' } });
}
