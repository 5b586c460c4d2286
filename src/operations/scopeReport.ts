/** Which scopes a document needs, told before anybody runs it. */
import { type DocumentNode, GraphQLError, type GraphQLSchema, parse, validate } from 'graphql';
import { badInput } from '../errors.js';
import { builder } from '../graphql/schema/builder.js';
import { OPERATION_LIMITS } from '../limits/operationLimits.js';
import { closest, type Requirement, type Scope, satisfies } from '../scopes/scope.js';
import { analyse, type FieldUse } from './analysis.js';
import { checkInputs, checkShape } from './cost.js';

interface FieldNeed {
  readonly path: readonly string[];
  readonly coordinate: string;
  readonly anyOf: Requirement;
}

const FieldScopes = builder.objectRef<FieldNeed>('FieldScopes').implement({
  description: 'A field of the document that needs scopes.',
  fields: (t) => ({
    path: t.stringList({ description: 'Where it stands in the result.', resolve: ({ path }) => [...path] }),
    coordinate: t.exposeString('coordinate', { description: 'Type.field' }),
    anyOf: t.field({
      type: t.listRef(['String']),
      description: 'Alternatives; of each, all scopes are needed.',
      resolve: ({ anyOf }) => anyOf.map((scopes) => [...scopes]),
    }),
  }),
});

interface Report {
  readonly needed: readonly FieldNeed[];
  readonly held: ReadonlySet<Scope>;
}

/** A document may have several operations. */
const MAX_TOKENS = 5000;
/** Points: it is parsed and validated like one that runs. */
export const EXPLAIN_COST = 20;

const ScopeReport = builder.objectRef<Report>('ScopeReport').implement({
  fields: (t) => ({
    scopes: t.stringList({
      description: 'The fewest scopes that the whole document runs with.',
      resolve: ({ needed }) => fewestScopes(needed.map(({ anyOf }) => anyOf)),
    }),
    missing: t.stringList({
      description: 'Those that the calling key does not hold.',
      resolve: ({ needed, held }) => {
        return [...new Set(needed.flatMap(({ anyOf }) => closest(held, anyOf).missing))].sort();
      },
    }),
    fields: t.field({ type: [FieldScopes], extensions: { size: 100 }, resolve: ({ needed }) => [...needed] }),
  }),
});

/** What a field needs beyond the fields around it; undefined: nothing. */
function addition(use: FieldUse): FieldNeed | undefined {
  const around = new Set<Scope>();
  for (let above = use.parent; above; above = above.parent) {
    if (above.requirement.length === 1) for (const scope of above.requirement[0] ?? []) around.add(scope);
  }
  if (satisfies(around, use.requirement)) return undefined;
  const { path, coordinate } = use;
  return { path, coordinate, anyOf: use.requirement.map((scopes) => scopes.filter((scope) => !around.has(scope))) };
}

/** What has no choice first; then of each choice the alternative that adds least. */
function fewestScopes(requirements: readonly Requirement[]): Scope[] {
  const chosen = new Set<Scope>();
  const byChoice = [...requirements].sort((a, b) => a.length - b.length);
  for (const requirement of byChoice) for (const scope of closest(chosen, requirement).missing) chosen.add(scope);
  return [...chosen].sort();
}

builder.queryField('requiredScopes', (t) =>
  t.field({
    type: ScopeReport,
    rateLimit: { max: 60, window: 60 },
    extensions: { cost: EXPLAIN_COST },
    description: 'The scopes that an operation needs, field by field. The operation is not run.',
    args: {
      document: t.arg.string({ required: true }),
      operationName: t.arg.string({ description: 'Which operation, where the document has several.' }),
    },
    resolve: (_root, { document, operationName }, { principal }, { schema }) => ({
      needed: neededFields(schema, document, operationName),
      held: principal.scopes,
    }),
  }),
);

/** @throws BAD_USER_INPUT for a document that cannot run */
function neededFields(schema: GraphQLSchema, source: string, operationName: string | null | undefined): FieldNeed[] {
  const most = OPERATION_LIMITS.characters;
  if (source.length > most) throw badInput({ document: [`must have at most ${most} characters`] });
  try {
    const document = parse(source, { maxTokens: MAX_TOKENS });
    const error = checkShape(document) ?? checkInputs(document, {}) ?? validate(schema, document)[0];
    if (error) throw error;
    return needsOf(schema, document, operationName);
  } catch (error) {
    if (error instanceof GraphQLError) throw badInput({ document: [error.message] });
    throw error;
  }
}

/** @param document one that passed validation */
function needsOf(schema: GraphQLSchema, document: DocumentNode, operationName?: string | null): FieldNeed[] {
  const analysis = analyse(schema, document, operationName);
  if (!analysis) throw badInput({ operationName: ['must name one operation of the document'] });
  return analysis.fields.flatMap((use) => addition(use) ?? []);
}

/** The fewest scopes that the one operation of a document runs with; the document passed validation. */
export function scopesOfDocument(schema: GraphQLSchema, document: DocumentNode): Scope[] {
  return fewestScopes(needsOf(schema, document).map(({ anyOf }) => anyOf));
}

/** The same report outside a request, for the command line. */
export function explainDocument(schema: GraphQLSchema, source: string, operationName?: string) {
  const needed = neededFields(schema, source, operationName);
  return {
    scopes: fewestScopes(needed.map(({ anyOf }) => anyOf)),
    fields: needed,
  };
}
