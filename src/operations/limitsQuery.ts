/** Characters. */
const MAX_LENGTH = 1000;

/** A query for the limits and nothing else, as clients write it that look before they ask; known by its text alone. */
export function asksForLimitsAlone(query: unknown): boolean {
  if (typeof query !== 'string' || query.length > MAX_LENGTH) return false;
  const [, selection] = /^\s*(?:query\s*\w*\s*)?\{\s*rateLimit\s*(\{[\s\w{}]*\})\s*\}\s*$/.exec(query) ?? [];
  if (selection === undefined) return false;
  let depth = 0;
  for (const [index, character] of [...selection].entries()) {
    if (character === '{') depth += 1;
    if (character === '}') depth -= 1;
    if (depth === 0 && index < selection.length - 1) return false;
  }
  return depth === 0;
}
