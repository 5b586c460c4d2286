/** Whether a body of JSON holds more than may be made of it: counted in its text, before it is parsed. */
import { ApiError } from '../errors.js';
import { OPERATION_LIMITS } from './operationLimits.js';

const [QUOTE, BRACKET, BRACE, BACKSLASH] = [0x22, 0x5b, 0x7b, 0x5c];

/** @returns why it is refused: COST_LIMIT_EXCEEDED */
export function bodyExcess(json: string): ApiError | undefined {
  const limit = OPERATION_LIMITS.bodyNodes;
  if (json.length < 2 * limit) return undefined;
  const actual = nodesOf(json);
  if (actual <= limit) return undefined;
  return new ApiError('COST_LIMIT_EXCEEDED', `The body holds ${actual} objects and lists; the limit is ${limit}.`, {
    ...{ what: 'bodyNodes', limit, actual },
  });
}

/** Objects and lists of a JSON text. Brackets within strings are left out. */
function nodesOf(json: string): number {
  // Most bodies have few brackets, within strings or not, and searching for them is quick.
  if (!hasMany('[', json) && !hasMany('{', json)) return 0;
  let nodes = 0;
  let isText = false;
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) isText = !isText;
    else if (!isText) nodes += code === BRACKET || code === BRACE ? 1 : 0;
    else if (code === BACKSLASH) at += 1;
  }
  return nodes;
}

/** Whether there may be too many of both kinds together. */
function hasMany(character: string, text: string): boolean {
  let left = OPERATION_LIMITS.bodyNodes / 2;
  for (let at = text.indexOf(character); at >= 0 && left > 0; at = text.indexOf(character, at + 1)) left -= 1;
  return left <= 0;
}
