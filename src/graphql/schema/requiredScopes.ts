/** requiredScopes: what an operation needs, and what the calling key lacks. Needs no scope. */
import type { Executable } from '../../operations/document.js';
import type { FieldNeed } from '../../operations/neededScopes.js';
import { explainDocument } from '../../operations/scopeReport.js';
import { closest, type Scope } from '../../scopes/scope.js';
import { isCompiled } from '../plans/plan.js';
import { builder } from './builder.js';

export const FieldScopes = builder.objectRef<FieldNeed>('FieldScopes').implement({
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
  readonly scopes: readonly Scope[];
  readonly fields: readonly FieldNeed[];
  readonly held: ReadonlySet<Scope>;
  readonly executable: Executable;
}

/** Points: a document is parsed and validated like one that runs. */
export const EXPLAIN_COST = 20;

const ScopeReport = builder.objectRef<Report>('ScopeReport').implement({
  fields: (t) => ({
    scopes: t.stringList({
      description: 'The fewest scopes that the whole document runs with.',
      resolve: ({ scopes }) => [...scopes],
    }),
    missing: t.stringList({
      description: 'Those that the calling key does not hold.',
      resolve: ({ fields, held }) => {
        return [...new Set(fields.flatMap(({ anyOf }) => closest(held, anyOf).missing))].sort();
      },
    }),
    compiled: t.boolean({
      description: 'Whether it runs as compiled SQL, which is fastest. Other operations answer the same.',
      resolve: ({ executable }, _args, { services }) => isCompiled(services.documents.schema, executable),
    }),
    fields: t.field({ type: [FieldScopes], extensions: { size: 100 }, resolve: ({ fields }) => [...fields] }),
  }),
});

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
    resolve: (_root, { document, operationName }, { principal, services: { introspection, documents } }) => ({
      ...explainDocument(documents.schema, document, operationName, (invalid) =>
        introspection.errorsOf(invalid, principal.scopes),
      ),
      held: principal.scopes,
    }),
  }),
);
