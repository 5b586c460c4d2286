/** The documents that came, and all that is known of them, found by the hash of their text before anything is parsed. */
import type { GraphQLSchema } from 'graphql';
import { LRUCache } from 'lru-cache';
import { compileDocument, type Document, hashOf } from './document.js';

/** Bytes: of documents that came again, and of those that came once, which are forgotten soon. */
const MAX_SIZE = 28 * 1024 * 1024;
const MAX_SIZE_ONCE = 4 * 1024 * 1024;
/** With all that is known of it, a document takes about this many times its text, as measured. */
const BYTES_OF_CHARACTER = 100;
/** What could not be parsed is its text, and errors of this size. */
const BYTES_OF_TEXT = 2;
const ERRORS_SIZE = 2000;

interface Entry {
  readonly document: Document;
  /** Whether a client sent it with its hash, to name it by the hash alone from now on. */
  isPersisted: boolean;
}

const sizeCalculation = ({ document: { text, ast } }: Entry) =>
  ERRORS_SIZE + text.length * (ast ? BYTES_OF_CHARACTER : BYTES_OF_TEXT);

export class DocumentCache {
  readonly #again = new LRUCache<string, Entry>({ maxSize: MAX_SIZE, sizeCalculation });
  readonly #once = new LRUCache<string, Entry>({ maxSize: MAX_SIZE_ONCE, sizeCalculation });

  constructor(readonly schema: GraphQLSchema) {}

  of(text: string): Document {
    return this.#entry(text).document;
  }

  /** From now on it is found by its hash: the hash is of its text, so one client cannot give another a document. */
  persist(text: string): void {
    this.#entry(text, true);
  }

  /** One that was persisted. */
  withHash(hash: string): Document | undefined {
    const entry = this.#again.get(hash);
    return entry?.isPersisted ? entry.document : undefined;
  }

  #entry(text: string, isPersisted = false): Entry {
    const hash = hashOf(text);
    let entry = this.#again.get(hash);
    if (!entry) {
      const once = this.#once.get(hash);
      entry = once ?? { document: compileDocument(this.schema, text), isPersisted };
      this.#once.delete(hash);
      (once || isPersisted ? this.#again : this.#once).set(hash, entry);
    }
    entry.isPersisted ||= isPersisted;
    return entry;
  }
}
