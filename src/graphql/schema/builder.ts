/** The Pothos builder: plugins, scalars and the scopes that fields ask for. */
import SchemaBuilder from '@pothos/core';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import { DATAMODEL } from '../../db/datamodel.js';
import type PrismaTypes from '../../db/generated/pothos.js';
import { forbidden, requirementOfField } from '../../operations/requirement.js';
import { type Scope, satisfies } from '../../scopes/scope.js';
import type { Context } from '../context.js';
import type { Source } from '../plans/source.js';
import RateLimitPlugin from '../plugins/fieldRateLimit.js';
import { DateTime, Duration } from './dateTime.js';

export const builder = new SchemaBuilder<{
  Context: Context;
  PrismaTypes: PrismaTypes;
  /** `{ scope: 'tasks:read' }`, or several that are needed together. Always a static map: tools must be able to read it. */
  AuthScopes: {
    scope: Scope | readonly Scope[];
    /** The argument, as a path, that names the calling key itself. The analysis compares it before anything runs. */
    ownKey: string;
  };
  DefaultAuthStrategy: 'all';
  DefaultFieldNullability: false;
  DefaultInputFieldRequiredness: false;
  DefaultNodeNullability: false;
  DefaultEdgesNullability: { list: false; items: false };
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    Duration: { Input: number; Output: never };
    JSON: { Input: unknown; Output: unknown };
  };
  Connection: { totalCount: () => Promise<number> };
}>({
  plugins: [ScopeAuthPlugin, RateLimitPlugin, RelayPlugin, PrismaPlugin],
  defaultFieldNullability: false,
  scopeAuth: {
    defaultStrategy: 'all',
    // Once a type's object, not once a field of it.
    runScopesOnType: true,
    authScopes: ({ principal, use }) => ({
      scope: (scope) => satisfies(principal.scopes, [typeof scope === 'string' ? [scope] : scope]),
      ownKey: () => use.ownKey,
    }),
    unauthorizedError: (_parent: unknown, context: Context, info, _result) => {
      const requirement = requirementOfField(info.parentType, info.fieldName);
      return forbidden(context.principal.scopes, `${info.parentType.name}.${info.fieldName}`, requirement);
    },
  },
  relay: {
    clientMutationId: 'omit',
    cursorType: 'String',
    nodesOnConnection: true,
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    edgesFieldOptions: { nullable: { list: false, items: false } },
    nodeFieldOptions: { nullable: false },
  },
  prisma: {
    client: ({ db }) => db as never,
    dmmf: DATAMODEL,
    exposeDescriptions: false,
    filterConnectionTotalCount: true,
    onUnusedQuery: null,
  },
});

builder.addScalarType('DateTime', DateTime);
builder.addScalarType('Duration', Duration);
builder.queryType({});
builder.mutationType({});

builder.globalConnectionField('totalCount', (t) =>
  t.int({
    description: 'The rows that match, on all pages.',
    resolve: (connection) => (connection as unknown as { totalCount: () => Promise<number> }).totalCount(),
  }),
);

/** The builder of the fields of an input. */
export type InputFields = Parameters<Parameters<typeof builder.inputType>[1]['fields']>[0];

/** The input field by which a change is refused with CONFLICT where somebody else was faster. */
export const expectedUpdatedAt = (t: Pick<InputFields, 'field'>) =>
  t.field({
    type: 'DateTime',
    description: 'When you saw it last, its `updatedAt`: CONFLICT if it was changed since.',
  });

type RowName =
  | 'task'
  | 'comment'
  | 'label'
  | 'state'
  | 'timeEntry'
  | 'project'
  | 'user'
  | 'taskRelationship'
  | 'apiKey'
  | 'scopeGrant'
  | 'invitation'
  | 'oauthApp';

/**
 * A field of a change's payload: the row as it is now, read with what is selected of it.
 * @param t the builder of the payload's fields
 * @param name of the field, and of the rows in the tenant-bound client
 */
export function rowField<Payload = { id: string }>(
  t: object,
  name: RowName,
  type: object,
  idOf: (payload: Payload) => string = (payload) => (payload as { id: string }).id,
): Record<string, never> {
  const { prismaField } = t as { prismaField(options: object): never };
  const resolve = (query: object, payload: Payload, _args: object, { db }: Context) =>
    (db[name] as { findUniqueOrThrow(query: object): unknown }).findUniqueOrThrow({
      ...query,
      where: { id: idOf(payload) },
    });
  const source: Source = { kind: 'changedRow', model: name.charAt(0).toUpperCase() + name.slice(1) };
  return { [name]: prismaField.call(t, { type, nullable: true, extensions: { source }, resolve }) };
}
