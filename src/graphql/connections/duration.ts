/** Durations from now, as ISO 8601 has them, of weeks, days, hours, minutes and seconds: others are not always as long. */
import { badInput } from '../../errors.js';
import { isStorableDate } from '../../storable.js';

/** Milliseconds. */
export type Duration = number;

const FORM = /^([+-]?)P(?=.)(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?=.)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?$/;
const SECOND = 1000;
const UNITS = [7 * 24 * 3600 * SECOND, 24 * 3600 * SECOND, 3600 * SECOND, 60 * SECOND, SECOND];

/** @returns undefined for what is none: P7D, -P2W, PT36H */
export function parseDuration(text: string): Duration | undefined {
  const [, sign, ...parts] = FORM.exec(text) ?? [];
  if (sign === undefined) return undefined;
  const length = parts.reduce((sum, part, index) => sum + Number(part ?? 0) * (UNITS[index] ?? 0), 0);
  return sign === '-' ? -length : length;
}

/** @throws BAD_USER_INPUT for a time that no row can have */
export function after(now: Date, duration: Duration): Date {
  const moment = new Date(now.getTime() + duration);
  if (isStorableDate(moment)) return moment;
  throw badInput({ filter: ['has a duration that leads out of the years 1 to 9999'] });
}
