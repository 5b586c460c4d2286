/** Who can do what: which keys may do something, and whether one may. */
import type { GraphQLSchema } from 'graphql';
import { isInterfaceType, isObjectType } from 'graphql';
import { badInput } from '../../errors.js';
import type { StoredKey } from '../../keys/authority.js';
import { allows, type KeyAccess, keysThatCan, scopesNow, type Wanted } from '../../keys/keyAccess.js';
import { withBonds } from '../../keys/storedKeys.js';
import { MAX_OFFSET } from '../../operations/pageLimits.js';
import { requirementOf } from '../../operations/requirement.js';
import { explainDocument } from '../../operations/scopeReport.js';
import { closest, parseGrants, type Scope, scopeSet } from '../../scopes/scope.js';
import { OFFSET_DESCRIPTION } from '../connections/keyset.js';
import type { Context } from '../context.js';
import { ApiKey, EnvironmentEnum } from './apiKey.js';
import { builder } from './builder.js';
import { EXPLAIN_COST } from './requiredScopes.js';

const SHOWN = 50;
const MOST_SHOWN = 200;
/** Points: all keys are looked at. */
const ALL_KEYS = 100;

const KeyAccessType = builder.objectRef<KeyAccess>('KeyAccess').implement({
  fields: (t) => ({
    grants: t.stringList({
      description: 'Of the scopes of the key, those that allow it.',
      resolve: ({ grants }) => [...grants],
    }),
    apiKey: t.prismaField({
      type: ApiKey,
      nullable: true,
      authScopes: { scope: 'keys:read' },
      extensions: { cost: 5 },
      resolve: (query, { key }, _args, { db }) => db.apiKey.findUnique({ ...query, where: { id: key.id } }),
    }),
  }),
});

const WhoCan = builder.objectRef<readonly KeyAccess[]>('WhoCan').implement({
  fields: (t) => ({
    totalCount: t.int({ resolve: (all) => all.length }),
    keys: t.field({
      type: [KeyAccessType],
      description: 'Oldest first.',
      args: {
        first: t.arg.int({ defaultValue: SHOWN, description: `At most ${MOST_SHOWN}.` }),
        offset: t.arg.int({ description: OFFSET_DESCRIPTION }),
      },
      resolve: (all, { first, offset }) => {
        const [take, skip] = [first ?? SHOWN, offset ?? 0];
        if (take < 0 || take > MOST_SHOWN) throw badInput({ first: [`must be from 0 to ${MOST_SHOWN}`] });
        if (skip < 0 || skip > MAX_OFFSET) throw badInput({ offset: [`must be from 0 to ${MAX_OFFSET}`] });
        return all.slice(skip, skip + take);
      },
    }),
  }),
});

builder.queryField('whoCan', (t) =>
  t.field({
    type: WhoCan,
    nullable: true,
    description:
      'The keys that work and may use a scope, ask for a field, or run an operation whole: one of the three.',
    authScopes: { scope: 'keys:read' },
    extensions: { cost: ALL_KEYS },
    args: {
      scope: t.arg.string({ description: 'Such as tasks:read.' }),
      field: t.arg.string({ description: 'Type.field' }),
      document: t.arg.string({ description: 'A GraphQL document.' }),
      operationName: t.arg.string({ description: 'Which operation, where the document has several.' }),
      environment: t.arg({ type: EnvironmentEnum, description: "By default the calling key's." }),
    },
    resolve: async (_root, { environment, ...args }, context) => {
      const wanted = wantedBy(args, context);
      const where = { environment: environment ?? context.principal.environment };
      return keysThatCan(context.db, wanted, context.services.clock(), where);
    },
  }),
);

interface WhoCanArgs {
  readonly scope?: string | null | undefined;
  readonly field?: string | null | undefined;
  readonly document?: string | null | undefined;
  readonly operationName?: string | null | undefined;
}

function wantedBy({ scope, field, document, operationName }: WhoCanArgs, context: Context): Wanted {
  const given = [scope, field, document].filter((one) => one != null);
  if (given.length !== 1) throw badInput({ scope: ['or field, or document must be given, and one of them alone'] });
  const { schema } = context.services.documents;
  if (scope != null) {
    const [grant = ''] = parseGrants([scope], 'scope');
    return { requirements: [[[...scopeSet([grant])]]] };
  }
  if (field != null) return { requirements: [requirementOfCoordinate(schema, field)] };
  return wantedOf(context, document ?? '', operationName);
}

function wantedOf({ principal, services }: Context, document: string, name: string | null | undefined): Wanted {
  const { documents, introspection } = services;
  const { operation } = explainDocument(documents.schema, document, name, (invalid) =>
    introspection.errorsOf(invalid, principal.scopes),
  );
  return { requirements: operation.fields.map(({ requirement }) => requirement), operation: operation.normalHash };
}

function requirementOfCoordinate(schema: GraphQLSchema, coordinate: string) {
  const [typeName = '', fieldName = ''] = coordinate.split('.');
  const type = schema.getType(typeName);
  const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[fieldName] : undefined;
  if (!type || !field) throw badInput({ field: ['must be a field of the schema, as Type.field'] });
  return requirementOf(type, field);
}

interface Permission {
  readonly allowed: boolean;
  readonly missing: readonly Scope[];
  readonly isLockedOut: boolean;
}

const KeyPermission = builder.objectRef<Permission>('KeyPermission').implement({
  description: 'Whether a key may run an operation whole.',
  fields: (t) => ({
    allowed: t.exposeBoolean('allowed'),
    missing: t.stringList({ description: 'Scopes that it lacks.', resolve: ({ missing }) => [...missing] }),
    lockedOut: t.boolean({
      description: 'It is locked to operations, and this is none of them.',
      resolve: ({ isLockedOut }) => isLockedOut,
    }),
  }),
});

builder.prismaObjectField(ApiKey, 'can', (t) =>
  t.field({
    type: KeyPermission,
    description: 'Whether the key may run an operation whole, now.',
    extensions: { cost: EXPLAIN_COST },
    args: { document: t.arg.string({ required: true }), operationName: t.arg.string() },
    resolve: async ({ id }, { document, operationName }, context): Promise<Permission> => {
      const { db, services } = context;
      const now = services.clock();
      const wanted = wantedOf(context, document, operationName);
      const [key] = await withBonds(db, [await db.apiKey.findUniqueOrThrow({ where: { id } })], now);
      const { held, missing } = await lacking(key as StoredKey, wanted, now, db);
      const isLockedOut = !allows(key as StoredKey, held, { ...wanted, requirements: [] });
      return { allowed: missing.length === 0 && !isLockedOut, missing, isLockedOut };
    },
  }),
);

async function lacking(key: StoredKey, { requirements }: Wanted, now: Date, db: Context['db']) {
  const held = await scopesNow(db, key, now);
  const missing = new Set(requirements.flatMap((requirement) => closest(held, requirement).missing));
  return { held, missing: [...missing].sort() };
}
