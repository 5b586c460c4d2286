/**
 * What plans answered, for as long as nothing of it has changed: by the operation, its variables and the rows within reach.
 * What a key may see of an operation is another operation. Valid for one version of the rows alone (src/db/rowVersions.ts).
 */
import { LRUCache } from 'lru-cache';
import type { RowVersion } from '../../db/rowVersions.js';
import { nameOfReach, type Reach } from '../../db/tenant.js';
import type { Executable } from '../../operations/document.js';
import type { Variables } from '../../operations/variables.js';

interface Remembered {
  readonly version: RowVersion;
  /** JSON. */
  readonly data: string;
  readonly isAnswered: boolean;
  /** Of which it has rows, for a key that is bound to projects. */
  readonly projects: readonly string[];
}

/** Characters of variables as JSON; those of an operation with more are hardly the same again. */
const MAX_VARIABLES = 4000;
const BYTES_OF_CHARACTER = 2;
/** What an entry takes besides its texts, in bytes. */
const ENTRY = 500;

export class RememberedAnswers {
  readonly #answers: LRUCache<string, Remembered> | undefined;
  #executables = 0;

  /** @param bytes that they may take; 0: nothing is remembered */
  constructor(bytes: number) {
    if (bytes > 0) this.#answers = new LRUCache({ maxSize: bytes, sizeCalculation: sizeOf });
  }

  /** Whether anything is remembered. */
  get isOn(): boolean {
    return this.#answers !== undefined;
  }

  /** @returns undefined for what is not remembered */
  nameFor({ derived }: Executable, variables: Variables, reach: Reach): string | undefined {
    if (!this.#answers) return undefined;
    let executable = derived.get('number');
    if (executable === undefined) {
      this.#executables += 1;
      executable = this.#executables;
      derived.set('number', executable);
    }
    const values = JSON.stringify(variables);
    if (values.length > MAX_VARIABLES) return undefined;
    // What is remembered is of tasks, projects and users, which an administrator of live sees no more of.
    return `${nameOfReach({ ...reach, kind: 'tenant' })} ${executable} ${values}`;
  }

  get(name: string, version: RowVersion): Remembered | undefined {
    const remembered = this.#answers?.get(name);
    return remembered?.version === version ? remembered : undefined;
  }

  /** Whether it was asked for before, lately: what is asked once only need not be remembered. */
  wasAsked(name: string): boolean {
    if (this.#answers?.has(name)) return true;
    this.#answers?.set(name, ASKED);
    return false;
  }

  set(name: string, remembered: Remembered): void {
    this.#answers?.set(name, remembered);
  }
}

/** Of no version. */
const ASKED: Remembered = { version: '', data: '', isAnswered: false, projects: [] };

const sizeOf = ({ data }: Remembered, name: string) => ENTRY + BYTES_OF_CHARACTER * (data.length + name.length);
