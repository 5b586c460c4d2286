/** The bytes of all answers that are being made or wait to be read: of one key, and of all. */
import { ApiError, rateLimited, serviceBusy } from '../errors.js';

/** Answers of the largest size, at once. */
const LARGEST_OF_KEY = 4;
const LARGEST_OF_ALL = 24;

export class AnswerMemory {
  readonly #ofKeys = new Map<string, number>();
  #total = 0;

  /** @param largest bytes of one answer, at most */
  constructor(readonly largest: number) {}

  budgetFor(keyId: string): AnswerBudget {
    return new AnswerBudget(this, keyId);
  }

  /** @throws RATE_LIMITED for a key whose answers take too much, SERVICE_UNAVAILABLE where all of them do */
  take(keyId: string, bytes: number): void {
    const ofKey = (this.#ofKeys.get(keyId) ?? 0) + bytes;
    this.#total += bytes;
    if (ofKey > 0) this.#ofKeys.set(keyId, ofKey);
    else this.#ofKeys.delete(keyId);
    if (bytes <= 0) return;
    if (ofKey > LARGEST_OF_KEY * this.largest) {
      throw rateLimited('Too many large answers of this key are being made, or wait to be read.', 1);
    }
    if (this.#total > LARGEST_OF_ALL * this.largest) throw serviceBusy();
  }
}

/** What one answer takes, however many operations, pages and statements make it. */
export class AnswerBudget {
  #read = 0;
  #counted = 0;
  #refusal: ApiError | undefined;
  #taken = 0;
  #isReleased = false;

  constructor(
    private readonly memory: AnswerMemory,
    private readonly keyId: string,
  ) {}

  /**
   * Counts what was read from the database for the answer.
   * @throws ApiError, which ends the reading; what comes of it is asked of `count`
   */
  readonly read = (bytes: number): void => {
    this.#read += bytes;
    this.#take(bytes, this.#read);
    if (this.#refusal) throw this.#refusal;
  };

  /** Counts a part of the answer as JSON. @returns why it may not be sent; undefined: it may */
  count(part: unknown): ApiError | undefined {
    return this.#refusal ?? this.#count(jsonBytes(part, this.memory.largest - this.#counted));
  }

  /** The same for a part that is JSON text already. */
  countText(json: string): ApiError | undefined {
    return this.#refusal ?? this.#count(Buffer.byteLength(json));
  }

  #count(bytes: number): ApiError | undefined {
    this.#counted += bytes;
    // What was read is in it.
    this.#take(Math.max(0, this.#counted - this.#taken), this.#counted);
    return this.#refusal;
  }

  /** Bytes of the answer as JSON, as far as they were counted. */
  get bytes(): number {
    return this.#counted;
  }

  /** Once the answer was sent, or its client has left. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.memory.take(this.keyId, -this.#taken);
    this.#taken = 0;
  }

  #take(bytes: number, ofAnswer: number): void {
    if (this.#isReleased || this.#refusal) return;
    this.#taken += bytes;
    try {
      this.memory.take(this.keyId, bytes);
    } catch (error) {
      this.#refusal = error as ApiError;
    }
    if (ofAnswer > this.memory.largest) this.#refusal = tooLarge(this.memory.largest);
    // Nothing of it will be sent.
    if (this.#refusal) this.release();
  }
}

function tooLarge(limit: number): ApiError {
  return new ApiError(
    'COST_LIMIT_EXCEEDED',
    `The answer would be larger than ${limit} bytes. Ask for fewer rows or fields at a time.`,
    { what: 'response', limit },
  );
}

/** What takes more than itself as JSON. */
const ESCAPED = /["\\]|\p{Cc}/u;

function textBytes(text: string): number {
  return Buffer.byteLength(ESCAPED.test(text) ? JSON.stringify(text) : text) + 2;
}

/** What a value takes as JSON; once it is over the limit it is not counted any further. */
function jsonBytes(value: unknown, limit: number): number {
  if (typeof value === 'string') return textBytes(value);
  if (typeof value === 'number') return String(value).length;
  if (value === null || typeof value !== 'object') return 5;
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
