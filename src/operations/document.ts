/**
 * What is known of a GraphQL document before anything of it runs: whether it may run at all, and of each of its operations
 * the scopes, the cost, and the form that runs for a key that may not see all of it. Made once for each text, and
 * asked by all: HTTP, REST rows, trusted documents, requiredScopes, the command line.
 */
import { hash } from 'node:crypto';
import {
  type DocumentNode,
  type GraphQLError,
  type GraphQLInputType,
  type GraphQLSchema,
  Kind,
  type NamedTypeNode,
  type OperationDefinitionNode,
  type OperationTypeNode,
  parse,
  typeFromAST,
  validate,
  visit,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { OPERATION_LIMITS } from '../limits/operationLimits.js';
import {
  both,
  closest,
  NOTHING_REQUIRED,
  type Requirement,
  type Scope,
  type ScopeSet,
  satisfies,
} from '../scopes/scope.js';
import { isStorable } from '../storable.js';
import { costFunction } from './cost.js';
import { atSameLocation, badRequest, ofDocument, tooMuch } from './documentErrors.js';
import { fragmentsOf, spreadBy } from './fragments.js';
import { inputExcess, type VariableUses, variableUses, type WrittenInputs, writtenInputs } from './inputs.js';
import { maskFields } from './mask.js';
import { type FieldNeed, fewestScopes, neededFields } from './neededScopes.js';
import { normalForm } from './normalForm.js';
import { requirementOfValue } from './requirement.js';
import { type Asking, deniedFields, isOwn, type SelectedField, selectedFields } from './selectedFields.js';
import { shapeExcess } from './shape.js';
import { defaultsOf, type Variables } from './variables.js';

/** Forms of one operation that are kept, for keys that may not see all of it. */
const MAX_MASKED = 4;

/** What runs: the operation, or what a key may see of it. */
export interface Executable {
  readonly document: DocumentNode;
  readonly definition: OperationDefinitionNode;
  /** Points. */
  readonly cost: (variables: Variables) => number;
  /** What others made of it, kept as long as it is. */
  readonly derived: Map<string, unknown>;
}

/** What of an operation a key may see. */
export interface OperationReach {
  readonly denied: readonly SelectedField[];
  /** Whether all that it asks for is denied. */
  readonly nothingLeft: boolean;
  /** Whether one of its fields is answered because it names the calling key itself. */
  readonly namesOwnKey: boolean;
  /** The scopes that it uses: of alternatives, the one that the key holds. */
  readonly scopes: ReadonlySet<Scope>;
}

export class Operation {
  /** Undefined: it has none. */
  readonly name: string | undefined;
  readonly type: OperationTypeNode;
  /** The names of its variables. */
  readonly variables: ReadonlySet<string>;
  readonly fields: readonly SelectedField[];
  readonly #defaults: Variables;
  readonly #whole: Executable;
  readonly #reach = new WeakMap<ScopeSet, OperationReach>();
  #normalHash: string | undefined;
  #uses: VariableUses | undefined;
  readonly #masked = new LRUCache<string, Executable>({ max: MAX_MASKED });

  constructor(
    readonly document: ValidDocument,
    readonly definition: OperationDefinitionNode,
    private readonly schema: GraphQLSchema,
  ) {
    this.name = definition.name?.value;
    this.type = definition.operation;
    this.variables = new Set(definition.variableDefinitions?.map(({ variable }) => variable.name.value));
    this.fields = selectedFields(schema, document.ast, definition);
    this.#defaults = defaultsOf(definition);
    this.#whole = executableOf(schema, document.ast, definition);
  }

  /** How it is known whatever it was written like. */
  get normalText(): string {
    return normalForm(this.document.ast, this.definition);
  }

  /** SHA-256 of that, in hexadecimal. */
  get normalHash(): string {
    this.#normalHash ??= hashOf(this.normalText);
    return this.#normalHash;
  }

  /** The fields that need more than the fields around them. */
  get neededFields(): FieldNeed[] {
    return neededFields(this.fields);
  }

  /** The fewest that it runs with. */
  get scopes(): Scope[] {
    return fewestScopes(this.neededFields);
  }

  /** The fields that a key may not see. @param asking undefined: for any key and any variables */
  deniedFields(held: ScopeSet, asking?: Omit<Asking, 'defaults'>): SelectedField[] {
    return deniedFields(this.fields, held, asking && { ...asking, defaults: this.#defaults });
  }

  /** What a key may see of it; found once for each set of scopes, unless it may name the calling key. */
  reachFor(held: ScopeSet, asking: Omit<Asking, 'defaults'>): OperationReach {
    const known = this.#reach.get(held);
    if (known) return known;
    const denied = this.deniedFields(held, asking);
    const all = new Set(denied);
    const scopes = new Set<Scope>();
    for (const field of this.fields) {
      if (all.has(field) || !satisfies(held, field.requirement)) continue;
      for (const scope of closest(held, field.requirement).required) scopes.add(scope);
    }
    const reach = {
      denied,
      nothingLeft: this.fields.every((field) => field.parent !== undefined || all.has(field)),
      namesOwnKey: this.fields.some((field) => isOwn(field, held, { ...asking, defaults: this.#defaults })),
      scopes,
    };
    if (this.fields.every(({ ownKey }) => !ownKey)) this.#reach.set(held, reach);
    return reach;
  }

  /** By the names of its variables. */
  variableTypes(): Map<string, GraphQLInputType> {
    const defined = this.definition.variableDefinitions ?? [];
    return new Map(
      defined.flatMap(({ variable, type }) => {
        const known = typeFromAST(this.schema, type as NamedTypeNode) as GraphQLInputType | undefined;
        return known ? [[variable.name.value, known] as const] : [];
      }),
    );
  }

  /** What its variables need, beside its fields: inputs take scopes too. */
  requirementOf(variables: Variables): Requirement {
    const values = { ...this.#defaults, ...variables };
    return (this.definition.variableDefinitions ?? [])
      .map(({ variable, type }) => {
        const input = typeFromAST(this.schema, type as NamedTypeNode) as GraphQLInputType | undefined;
        return input ? requirementOfValue(input, values[variable.name.value]) : NOTHING_REQUIRED;
      })
      .reduce(both, NOTHING_REQUIRED);
  }

  /** Whether what it answers may depend on who asks, as filters do that mean the key's user. */
  get hasFilters(): boolean {
    const { size, filters } = this.document.inputs;
    return size.filterNodes > 0 || filters.size > 0;
  }

  /** @returns the first limit that its inputs break */
  inputExcess(variables: Variables | null | undefined): GraphQLError | undefined {
    this.#uses ??= variableUses(spreadBy(this.definition, fragmentsOf(this.document.ast)));
    return inputExcess(this.document.inputs, variables, this.#uses);
  }

  /** What runs without these fields; their places in the answer are marked (src/operations/mask.ts). */
  without(denied: readonly SelectedField[]): Executable {
    if (denied.length === 0) return this.#whole;
    const name = denied.map((field) => this.fields.indexOf(field)).join();
    let executable = this.#masked.get(name);
    if (!executable) {
      const document = maskFields(this.document.ast, denied);
      const definition = definitionOf(document, this.name) ?? this.definition;
      executable = executableOf(this.schema, document, definition);
      this.#masked.set(name, executable);
    }
    return executable;
  }
}

function executableOf(schema: GraphQLSchema, document: DocumentNode, definition: OperationDefinitionNode): Executable {
  return { document, definition, cost: costFunction(schema, document, definition), derived: new Map() };
}

/** A document that may run, as far as it itself says. */
export class ValidDocument {
  readonly errors = undefined;
  readonly #operations = new Map<string, Operation>();
  #hash: string | undefined;

  constructor(
    readonly text: string,
    readonly ast: DocumentNode,
    readonly inputs: WrittenInputs,
    private readonly schema: GraphQLSchema,
  ) {}

  /** SHA-256 of the text, in hexadecimal. */
  get hash(): string {
    this.#hash ??= hashOf(this.text);
    return this.#hash;
  }

  /** All of its operations, in their order. */
  get operations(): readonly Operation[] {
    return [...this.eachOperation()];
  }

  /** The same, each prepared when it is asked for. */
  *eachOperation(): Generator<Operation, void> {
    for (const definition of this.ast.definitions) {
      if (definition.kind === Kind.OPERATION_DEFINITION) yield this.#prepared(definition);
    }
  }

  /** @param name none: the only one. @returns undefined when there is no such operation, which execution reports */
  operation(name?: string | null): Operation | undefined {
    const definition = definitionOf(this.ast, name);
    return definition && this.#prepared(definition);
  }

  #prepared(definition: OperationDefinitionNode): Operation {
    const name = definition.name?.value ?? '';
    let operation = this.#operations.get(name);
    if (!operation) {
      operation = new Operation(this, definition, this.schema);
      this.#operations.set(name, operation);
    }
    return operation;
  }
}

/** A document that may not run. */
export class InvalidDocument {
  readonly #suggesting = new WeakMap<GraphQLSchema, readonly GraphQLError[]>();

  /**
   * @param ast undefined: it could not be parsed
   * @param errors without suggestions, which would tell of what a key may not see
   * @param isValidated whether the errors are those of the validation
   */
  constructor(
    readonly text: string,
    readonly ast: DocumentNode | undefined,
    readonly errors: readonly GraphQLError[],
    private readonly isValidated: boolean,
  ) {}

  /** The errors, with suggestions from a schema: the one as which a key sees it. */
  errorsFor(shown: GraphQLSchema): readonly GraphQLError[] {
    if (!this.isValidated || !this.ast) return this.errors;
    let errors = this.#suggesting.get(shown);
    if (!errors) {
      const suggested = validate(shown, this.ast);
      const placeOf = ({ locations }: GraphQLError) => JSON.stringify(locations);
      errors = this.errors.map((error) => {
        const same = suggested.find(
          (other) => placeOf(other) === placeOf(error) && other.message.startsWith(error.message),
        );
        return same ? atSameLocation(error, same.message, error.extensions) : error;
      });
      this.#suggesting.set(shown, errors);
    }
    return errors;
  }
}

export type Document = ValidDocument | InvalidDocument;

/** SHA-256 of a text, in hexadecimal: the name of a document. */
export const hashOf = (text: string): string => hash('sha256', text, 'hex');

/** Parses, measures and validates, in this order: each takes longer than the one before. */
export function compileDocument(
  schema: GraphQLSchema,
  text: string,
  maxTokens: number = OPERATION_LIMITS.tokens,
): Document {
  let ast: DocumentNode | undefined;
  const refused = (...errors: readonly GraphQLError[]) => refusedAs(false, errors);
  const refusedAs = (isValidated: boolean, errors: readonly GraphQLError[]) => {
    const code = ast ? 'GRAPHQL_VALIDATION_FAILED' : 'GRAPHQL_PARSE_FAILED';
    return new InvalidDocument(
      text,
      ast,
      errors.map((error) => ofDocument(error, code)),
      isValidated,
    );
  };
  if (text.length > OPERATION_LIMITS.characters) return refused(tooMuch('characters', text.length));
  try {
    ast = parse(text, { maxTokens });
  } catch (error) {
    return refused(parseError(error as GraphQLError, maxTokens));
  }
  const inputs = writtenInputs(ast);
  const excess = shapeExcess(ast) ?? inputExcess(inputs);
  if (excess) return refused(excess);
  const invalid = validate(schema, ast, undefined, { hideSuggestions: true });
  if (invalid.length > 0) return refusedAs(true, invalid);
  if (hasBadLiteral(ast)) return refused(badRequest(BAD_TEXT));
  return new ValidDocument(text, ast, inputs, schema);
}

export const BAD_TEXT = 'Text must be well-formed Unicode, without the character U+0000.';

function parseError(error: GraphQLError, maxTokens: number): GraphQLError {
  if (/more that \d+ tokens/.test(error.message)) return tooMuch('tokens', maxTokens + 1);
  return error;
}

/** Text that not both databases can store as it is. */
function hasBadLiteral(document: DocumentNode): boolean {
  let found = false;
  visit(document, {
    [Kind.STRING]: (node) => {
      if (!isStorable(node.value)) found = true;
    },
  });
  return found;
}

function definitionOf(document: DocumentNode, name?: string | null): OperationDefinitionNode | undefined {
  const operations = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  if (name) return operations.find((operation) => operation.name?.value === name);
  return operations.length === 1 ? operations[0] : undefined;
}
