/** How many bytes one answer may have, however many operations, pages and statements it takes. */
import { ApiError } from '../errors.js';

export class AnswerBudget {
  #read = 0;
  #told = 0;

  /** @param most bytes */
  constructor(private readonly most: number) {}

  /**
   * Counts what was read from the database for the answer.
   * @throws COST_LIMIT_EXCEEDED, which ends the reading; what comes of it is asked of `tell`
   */
  readonly read = (bytes: number): void => {
    this.#read += bytes;
    if (this.#read > this.most) throw tooLarge(this.most);
  };

  /** Counts a part of the answer as JSON. @returns why it may not be sent; undefined: it may */
  tell(part: unknown): ApiError | undefined {
    if (this.#read <= this.most) this.#told += jsonBytes(part, this.most - this.#told);
    return this.#read > this.most || this.#told > this.most ? tooLarge(this.most) : undefined;
  }
}

function tooLarge(limit: number): ApiError {
  return new ApiError(
    'COST_LIMIT_EXCEEDED',
    `The answer would be larger than ${limit} bytes. Ask for fewer rows or fields at a time.`,
    { what: 'response', limit },
  );
}

/** What a value takes as JSON, at least; once it is over the limit it is not counted any further. */
function jsonBytes(value: unknown, limit: number): number {
  if (typeof value === 'string') return value.length + 2;
  if (value === null || typeof value !== 'object') return 4;
  if (value instanceof Date) return 26;
  let bytes = 2;
  if (Array.isArray(value)) {
    for (const item of value) {
      bytes += jsonBytes(item, limit - bytes) + 1;
      if (bytes > limit) break;
    }
    return bytes;
  }
  for (const key in value) {
    bytes += key.length + 4 + jsonBytes((value as Record<string, unknown>)[key], limit - bytes);
    if (bytes > limit) break;
  }
  return bytes;
}
