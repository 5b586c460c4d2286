/** The documents that came, and all that is known of them, found by the hash of their text before anything is parsed. */
import type { GraphQLSchema } from 'graphql';
import { LRUCache } from 'lru-cache';
import { compileDocument, type Document, hashOf } from './document.js';

/** Bytes. */
const MAX_SIZE = 32 * 1024 * 1024;
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

export class DocumentCache {
  readonly #entries = new LRUCache<string, Entry>({
    maxSize: MAX_SIZE,
    sizeCalculation: ({ document: { text, ast } }) =>
      ERRORS_SIZE + text.length * (ast ? BYTES_OF_CHARACTER : BYTES_OF_TEXT),
  });

  constructor(readonly schema: GraphQLSchema) {}

  of(text: string): Document {
    return this.#entry(text).document;
  }

  /** From now on it is found by its hash: the hash is of its text, so one client cannot give another a document. */
  persist(text: string): void {
    this.#entry(text).isPersisted = true;
  }

  /** One that was persisted. */
  withHash(hash: string): Document | undefined {
    const entry = this.#entries.get(hash);
    return entry?.isPersisted ? entry.document : undefined;
  }

  #entry(text: string): Entry {
    const hash = hashOf(text);
    let entry = this.#entries.get(hash);
    if (!entry) {
      entry = { document: compileDocument(this.schema, text), isPersisted: false };
      this.#entries.set(hash, entry);
    }
    return entry;
  }
}
