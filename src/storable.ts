/** What both databases can store, and give back as it was. */

/** PostgreSQL cannot store U+0000, and half of a surrogate pair would come back as something else. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** Whether a text that cannot be stored is anywhere in it. */
export function hasBadText(value: unknown): boolean {
  // Not by recursion: what a body holds may be nested as deep as it is long.
  const open: unknown[] = [value];
  while (open.length > 0) {
    const one = open.pop();
    if (typeof one === 'string') {
      if (!isStorable(one)) return true;
    } else if (one !== null && typeof one === 'object') {
      // What JSON made has no properties but its own, and there may be very many.
      for (const name in one) open.push((one as Record<string, unknown>)[name]);
    }
  }
  return false;
}

interface Place {
  readonly value: unknown;
  /** Undefined: the outermost. */
  readonly name: string | undefined;
  readonly above: Place | undefined;
}

/** Where such a text is in it: names of fields, and numbers in lists. Keeps the way to each value, so that it is for what was refused. */
export function badTextAt(outermost: unknown): string[] | undefined {
  const open: Place[] = [{ value: outermost, name: undefined, above: undefined }];
  for (let place = open.pop(); place; place = open.pop()) {
    const { value } = place;
    if (typeof value === 'string' && !isStorable(value)) {
      const names: string[] = [];
      for (let at: Place | undefined = place; at?.name !== undefined; at = at.above) names.unshift(at.name);
      return names;
    }
    if (value === null || typeof value !== 'object') continue;
    for (const name in value) open.push({ value: (value as Record<string, unknown>)[name], name, above: place });
  }
  return undefined;
}

/** PostgreSQL writes years beyond these in a way that comes back as no date at all. */
export function isStorableDate(date: Date): boolean {
  const year = date.getUTCFullYear();
  return year >= 1 && year <= 9999;
}
