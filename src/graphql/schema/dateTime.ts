/** DateTime, within what both databases can keep and give back, and durations from now. */
import { GraphQLError, GraphQLScalarType, Kind } from 'graphql';
import { DateTimeResolver } from 'graphql-scalars';
import { isStorableDate } from '../../storable.js';
import { type Duration as Milliseconds, parseDuration } from '../connections/duration.js';

export const DateTime = new GraphQLScalarType<Date, Date>({
  ...DateTimeResolver.toConfig(),
  parseValue: (value) => storable(read(() => DateTimeResolver.parseValue(value))),
  parseLiteral: (node, variables) => storable(read(() => DateTimeResolver.parseLiteral(node, variables))),
});

/** In words that say what is missing: a date alone is sent most often. */
function read(parse: () => Date): Date {
  try {
    return parse();
  } catch {
    throw new GraphQLError('DateTime must be a date, a time and a zone, as in 2026-12-31T17:00:00Z.');
  }
}

function storable(date: Date): Date {
  if (isStorableDate(date)) return date;
  throw new GraphQLError('DateTime must lie in the years 1 to 9999, UTC.', { extensions: { code: 'BAD_USER_INPUT' } });
}

export const Duration = new GraphQLScalarType<Milliseconds, never>({
  name: 'Duration',
  description: 'A duration from now, as ISO 8601 has it, in weeks, days, hours, minutes and seconds: P7D, PT36H, -P2W.',
  parseValue: durationOf,
  parseLiteral: (node) => durationOf(node.kind === Kind.STRING ? node.value : undefined),
});

function durationOf(value: unknown): Milliseconds {
  const duration = typeof value === 'string' ? parseDuration(value) : undefined;
  if (duration !== undefined) return duration;
  throw new GraphQLError('Duration must be as P7D, PT36H or -P2W are: weeks, days, hours, minutes and seconds.', {
    extensions: { code: 'BAD_USER_INPUT' },
  });
}
