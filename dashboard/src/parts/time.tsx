import { Text, Tooltip } from '@mantine/core';

const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const EXACT = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'long' });
const DAY = new Intl.DateTimeFormat('en', { dateStyle: 'medium' });

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
];

export function relative(iso: string, now = Date.now()): string {
  const seconds = (new Date(iso).getTime() - now) / 1000;
  const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1];
  return unit === 'second' ? 'just now' : RELATIVE.format(Math.round(seconds / length), unit);
}

export const exact = (iso: string): string => EXACT.format(new Date(iso));
export const day = (iso: string): string => DAY.format(new Date(iso));

/** A moment as it is far away from now; the exact one, in the reader's zone, beside it. */
export function When({ at, none = 'never' }: { at: string | null | undefined; none?: string }) {
  if (!at)
    return (
      <Text span size="sm">
        {none}
      </Text>
    );
  return (
    <Tooltip label={exact(at)} events={{ hover: true, focus: true, touch: true }}>
      <time dateTime={at} title={exact(at)} style={{ whiteSpace: 'nowrap', fontSize: 14 }}>
        {relative(at)}
      </time>
    </Tooltip>
  );
}
