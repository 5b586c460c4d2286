/**
 * What a key is told of the schema: by introspection, and by suggestions in the errors of documents. By default the schema as its
 * scopes let it see (src/operations/shapedSchema.ts); the operator may show all of it, or nothing.
 */
import {
  executeSync,
  type FragmentDefinitionNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  type SelectionSetNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Executable, InvalidDocument } from '../operations/document.js';
import { fragmentsOf } from '../operations/fragments.js';
import { unmaskedKey } from '../operations/mask.js';
import { responseKey } from '../operations/selectedFields.js';
import { shapedSchema } from '../operations/shapedSchema.js';
import type { Variables } from '../operations/variables.js';
import type { ScopeSet } from '../scopes/scope.js';

export type IntrospectionMode = 'scoped' | 'full' | 'off';

/** Characters of answers that are kept. */
const MAX_ANSWERS = 4_000_000;
/** Characters of variables as JSON; others are hardly sent again. */
const MAX_VARIABLES = 1000;

/** How much of an operation asks of the schema. */
type Share = 'none' | 'some' | 'all';

export class Introspection {
  readonly #answers = new LRUCache<string, string>({
    maxSize: MAX_ANSWERS,
    sizeCalculation: (answer, name) => answer.length + name.length,
  });
  readonly #numbers = new WeakMap<object, number>();
  #last = 0;

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly mode: IntrospectionMode,
  ) {}

  /** The schema by which an operation runs: what it asks of it, it is told of that. */
  schemaFor(executable: Executable, held: ScopeSet): GraphQLSchema {
    return shareOf(executable) === 'none' ? this.schema : this.#shown(held);
  }

  /** @returns why the operation may not run */
  refusal(executable: Executable): GraphQLError | undefined {
    if (this.mode !== 'off' || shareOf(executable) === 'none') return undefined;
    return new GraphQLError('Introspection is switched off here.', {
      extensions: { code: 'FORBIDDEN', requiredScopes: [], missingScopes: [] },
    });
  }

  /** What an operation is answered that asks of the schema alone, as JSON; undefined for another. */
  answer(executable: Executable, variables: Variables, held: ScopeSet): string | undefined {
    if (shareOf(executable) !== 'all') return undefined;
    const schema = this.#shown(held);
    const values = JSON.stringify(variables);
    const name = `${this.#numberOf(schema)} ${this.#numberOf(executable)} ${values}`;
    const known = this.#answers.get(name);
    if (known !== undefined) return known;
    const { document, definition } = executable;
    const operationName = definition.name?.value;
    const { data, errors } = executeSync({ schema, document, operationName, variableValues: variables });
    if (errors || !data) return undefined;
    const answer = JSON.stringify(data);
    if (values.length <= MAX_VARIABLES && answer.length < MAX_ANSWERS / 4) this.#answers.set(name, answer);
    return answer;
  }

  /** The errors of a document that cannot run, with suggestions of what the key may see. */
  errorsOf(document: InvalidDocument, held: ScopeSet): readonly GraphQLError[] {
    return this.mode === 'off' ? document.errors : document.errorsFor(this.#shown(held));
  }

  #shown(held: ScopeSet): GraphQLSchema {
    return this.mode === 'full' ? this.schema : shapedSchema(this.schema, held);
  }

  #numberOf(thing: object): number {
    let number = this.#numbers.get(thing);
    if (number === undefined) {
      this.#last += 1;
      number = this.#last;
      this.#numbers.set(thing, number);
    }
    return number;
  }
}

function shareOf({ document, definition, derived }: Executable): Share {
  let share = derived.get('introspection') as Share | undefined;
  if (!share) {
    const names = new Set(rootFields(definition.selectionSet, fragmentsOf(document), new Set()));
    const asks = [...names].filter((name) => name === '__schema' || name === '__type').length > 0;
    const all = [...names].every((name) => name.startsWith('__'));
    share = asks ? (all ? 'all' : 'some') : 'none';
    derived.set('introspection', share);
  }
  return share;
}

function* rootFields(
  { selections }: SelectionSetNode,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
  open: ReadonlySet<string>,
): Generator<string> {
  for (const selection of selections) {
    if (selection.kind === Kind.FIELD) {
      // What was taken out asks for something else.
      yield unmaskedKey(responseKey(selection)).isMasked ? '' : selection.name.value;
    } else if (selection.kind === Kind.INLINE_FRAGMENT) yield* rootFields(selection.selectionSet, fragments, open);
    else {
      const name = selection.name.value;
      const fragment = fragments.get(name);
      if (fragment && !open.has(name)) yield* rootFields(fragment.selectionSet, fragments, new Set([...open, name]));
    }
  }
}
