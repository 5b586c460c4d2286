import type { GraphQLError } from 'graphql';
import type { Release } from '../limits/admissionController.js';
import type { RateLimitResult } from '../limits/slidingWindow.js';
import type { Executable } from '../operations/document.js';
import type { Variables } from '../operations/variables.js';

/** An operation that may run now. */
export interface AdmittedOperation {
  /** What of it the key may see. */
  readonly executable: Executable;
  /** As they were given, with those that the key has values of its own for. */
  readonly variables: Variables;
  /** One for each field that was left out. */
  readonly errors: readonly GraphQLError[];
  /** Points. */
  readonly cost: number;
  /** How the key stands. */
  readonly limits: RateLimitResult;
  /** To be called when it has ended. */
  readonly release: Release;
}

/** An operation that may not run. */
export interface RefusedOperation {
  readonly refused: readonly GraphQLError[];
}
