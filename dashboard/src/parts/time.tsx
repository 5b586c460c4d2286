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

const DAY_LENGTH = 86_400_000;

/** As YYYY-MM-DD. */
function localDay(at: Date): string {
  const two = (part: number) => String(part).padStart(2, '0');
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** The day on which something is due: the reader's, unless it was given as a day alone, which is kept as midnight UTC. */
export function dueDay(iso: string): string {
  const at = new Date(iso);
  return at.getTime() % DAY_LENGTH === 0 ? at.toISOString().slice(0, 10) : localDay(at);
}

/** Of a day that was chosen: noon for who chose it, so that it is the same day for most others. */
export const dueOn = (chosen: string): string => new Date(`${chosen}T12:00:00`).toISOString();

/** How far away the day is: today, tomorrow, in 3 weeks. */
export function dueIn(iso: string, now = new Date()): string {
  const midnight = (day: string) => Date.parse(`${day}T00:00:00Z`);
  const away = midnight(dueDay(iso)) - midnight(localDay(now));
  return away === 0 ? 'today' : relative(new Date(away).toISOString(), 0);
}

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
