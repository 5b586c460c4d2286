import type { List } from '../connections/connection.js';
import type { Context } from '../context.js';

/**
 * Where what a field answers comes from (`extensions: { source }`), so that it can be read without running its resolver.
 * A field without one is no part of a plan.
 */
export type Source =
  /** A column of the row. */
  | { readonly kind: 'column'; readonly column: string }
  /** The row that a column refers to. */
  | { readonly kind: 'relation'; readonly model: string; readonly column: string }
  /** The names of a task's tags. */
  | { readonly kind: 'tags' }
  /** How long a task was worked on. */
  | { readonly kind: 'trackedSeconds' }
  /** What a task is called. */
  | { readonly kind: 'identifier' }
  /** One row, by its arguments. */
  | { readonly kind: 'row'; readonly model: string; readonly name: string; readonly find: FindRow }
  | { readonly kind: 'list'; readonly list: (args: object, context: Context) => List }
  /** A change, of which a row is answered. */
  | { readonly kind: 'change'; readonly run: (args: object, context: Context) => Promise<{ readonly id: string }> }
  /** In the payload of a change: the row as it is now. */
  | { readonly kind: 'changedRow'; readonly model: string }
  /** Rows that belong to the row, which ROW_ABOVE stands for in their condition. */
  | { readonly kind: 'innerList'; readonly list: (args: object, context: Context) => List };

/** In a condition: the id of the row above. */
export const ROW_ABOVE = Symbol('the id of the row above');

/** Options of a field that answers the row that a column refers to. */
export const refersTo = (model: string, column: string) => ({
  extensions: { source: { kind: 'relation', model, column } satisfies Source },
});

/** Which row is meant: its id, or what it is called and its condition. */
type FindRow = (args: Readonly<Record<string, unknown>>) => {
  readonly id: string;
  readonly where?: Readonly<Record<string, unknown>>;
};
const byId: FindRow = ({ id }) => ({ id: String(id) });

/** Options of a field that answers one row, by default by its argument `id`. @param name of such a row, in errors */
export const oneRow = (model: string, name: string, find: FindRow = byId) => ({
  extensions: { source: { kind: 'row', model, name, find } satisfies Source },
});

/** Options of a field that changes a row: its resolver, and what a plan runs in its place. */
export function changing<Input>(run: (input: Input, context: Context) => Promise<{ readonly id: string }>) {
  const source: Source = { kind: 'change', run: (args, context) => run((args as { input: Input }).input, context) };
  return {
    extensions: { source },
    // What the builder knows of the input is said by the type of what takes it.
    resolve: ((_root: unknown, { input }: { input: Input }, context: Context) => run(input, context)) as never,
  };
}
