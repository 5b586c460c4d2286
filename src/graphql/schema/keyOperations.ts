/** Operations that keys are made for, and locked to. */
import { setImmediate } from 'node:timers/promises';
import type { GraphQLSchema } from 'graphql';
import { JSONResolver } from 'graphql-scalars';
import { callerOf } from '../../auth/principal.js';
import { badInput } from '../../errors.js';
import { listOf } from '../../keys/authority.js';
import { MOST_OPERATIONS, type SetDifference } from '../../keys/operationSets.js';
import type { KeyOperations } from '../../keys/rules.js';
import { lineageOf } from '../../keys/storedKeys.js';
import { POINTS_PER_REQUEST } from '../../limits/operationLimits.js';
import { type DescribedOperation, describeOperations, type Pin, pinned } from '../../operations/keyOperations.js';
import { MAX_OFFSET } from '../../operations/pageLimits.js';
import { OFFSET_DESCRIPTION } from '../connections/keyset.js';
import type { Context } from '../context.js';
import { ApiKey } from './apiKey.js';
import { builder, expectedUpdatedAt, rowField } from './builder.js';
import { EXPLAIN_COST, FieldScopes } from './requiredScopes.js';

builder.addScalarType('JSON', JSONResolver);

/** Seconds: a day. */
const DEFAULT_GRACE = 86_400;
/** Characters that cost as much to read as one small document. */
const CHARACTERS_OF_DOCUMENT = 2000;

const VariablePinInput = builder.inputType('VariablePinInput', {
  description: 'A value that a variable has, whatever the client says; left out by the client, it is filled in.',
  fields: (t) => ({
    variable: t.string({ required: true, description: 'Its name, or a part of its value: `input.projectId`.' }),
    value: t.field({ type: 'JSON', required: true }),
    operation: t.string({ description: 'Of the operation of this name; by default of each that has the variable.' }),
  }),
});

export const KeyOperationsInput = builder.inputType('KeyOperationsInput', {
  description: 'Operations that the key is made for.',
  fields: (t) => ({
    documents: t.stringList({
      required: true,
      description: `GraphQL documents, each with what it spreads. At most ${MOST_OPERATIONS} operations.`,
    }),
    lock: t.boolean({ defaultValue: false, description: 'Whether the key runs nothing else.' }),
    pins: t.field({ type: [VariablePinInput], description: 'For a key that is locked.' }),
  }),
});

type OperationsInput = typeof KeyOperationsInput.$inferInput;

/** Reads the operations of some documents, which is charged like other work. @throws BAD_USER_INPUT, RATE_LIMITED */
async function readOperations(
  documents: readonly string[],
  pins: readonly Pin[] | null | undefined,
  { meter, principal, services }: Context,
  schema: GraphQLSchema,
): Promise<(DescribedOperation & { readonly pins: Record<string, unknown> })[]> {
  const characters = documents.reduce((sum, text) => sum + text.length, 0);
  const points = EXPLAIN_COST * Math.max(documents.length, characters / CHARACTERS_OF_DOCUMENT);
  const requests = Math.floor(points / POINTS_PER_REQUEST);
  if (requests > 0) await meter.chargeOrRefuse(requests);
  const operations = await describeOperations(
    schema,
    documents,
    () => setImmediate(),
    (invalid) => services.introspection.errorsOf(invalid, principal.scopes),
  );
  if (operations.length === 0) throw badInput({ documents: ['must hold an operation'] });
  return pinned(operations, pins ?? []);
}

/** @returns what the key is made for; undefined where nothing is given */
export async function keyOperations(
  input: OperationsInput | null | undefined,
  context: Context,
  schema: GraphQLSchema,
): Promise<(KeyOperations & { readonly operations: readonly DescribedOperation[] }) | undefined> {
  if (!input) return undefined;
  const lock = input.lock ?? false;
  if (input.pins?.length && !lock) throw badInput({ pins: ['are for a key that is locked'] });
  return { lock, operations: await readOperations(input.documents, input.pins as Pin[], context, schema) };
}

export const OperationReport = builder.objectRef<DescribedOperation>('OperationReport').implement({
  description: 'An operation that a key is made for, and what it needs.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Its name, or what it asks for first.' }),
    hash: t.exposeString('hash', {
      description: 'SHA-256 of its normal form, in hexadecimal: what it is known by, however it is written.',
    }),
    scopes: t.stringList({
      description: 'The fewest scopes that it runs with.',
      resolve: ({ scopes }) => [...scopes],
    }),
    fields: t.field({ type: [FieldScopes], extensions: { size: 50 }, resolve: ({ fields }) => [...fields] }),
  }),
});

interface StoredOperationRow {
  readonly hash: string;
  readonly name: string;
  readonly text: string;
  readonly scopes: string;
  readonly pins: unknown;
  readonly lastUsedAt: Date | null;
}

const KeyOperation = builder.objectRef<StoredOperationRow>('KeyOperation').implement({
  description: 'An operation that a key is locked to.',
  fields: (t) => ({
    hash: t.exposeString('hash'),
    name: t.exposeString('name'),
    text: t.exposeString('text'),
    scopes: t.stringList({ resolve: ({ scopes }) => listOf(scopes) }),
    pins: t.field({
      type: 'JSON',
      nullable: true,
      description: 'Variable -> the value that it has.',
      resolve: ({ pins }) => pins ?? null,
    }),
    lastUsedAt: t.expose('lastUsedAt', { type: 'DateTime', nullable: true, description: 'To the minute.' }),
  }),
});

interface SetRow {
  readonly id: string;
  readonly version: number;
  readonly createdAt: Date;
  readonly endsAt: Date | null;
}

const SHOWN = 100;

const KeyOperationSet = builder.objectRef<SetRow>('KeyOperationSet').implement({
  description: 'A version of the operations that a key is locked to.',
  fields: (t) => ({
    version: t.exposeInt('version'),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
    endsAt: t.expose('endsAt', { type: 'DateTime', nullable: true, description: 'null: it is the latest.' }),
    operationCount: t.int({
      extensions: { cost: 5 },
      resolve: ({ id }, _args, { db }) => db.keyOperation.count({ where: { setId: id } }),
    }),
    lastUsedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When one of its operations ran last; one that the next version has too counts for that.',
      extensions: { cost: 5 },
      resolve: async ({ id }, _args, { db }) => {
        const { _max } = await db.keyOperation.aggregate({ where: { setId: id }, _max: { lastUsedAt: true } });
        return _max.lastUsedAt;
      },
    }),
    operations: t.field({
      type: [KeyOperation],
      description: 'By their names.',
      args: {
        first: t.arg.int({ defaultValue: SHOWN, description: `At most ${MOST_OPERATIONS}.` }),
        offset: t.arg.int({ description: OFFSET_DESCRIPTION }),
      },
      resolve: ({ id }, { first, offset }, { db }) => {
        const [take, skip] = [first ?? SHOWN, offset ?? 0];
        if (take < 0 || take > MOST_OPERATIONS) throw badInput({ first: [`must be from 0 to ${MOST_OPERATIONS}`] });
        if (skip < 0 || skip > MAX_OFFSET) throw badInput({ offset: [`must be from 0 to ${MAX_OFFSET}`] });
        return db.keyOperation.findMany({
          where: { setId: id },
          orderBy: [{ name: 'asc' }, { hash: 'asc' }],
          take,
          skip,
        });
      },
    }),
  }),
});

/** Versions that are shown. */
const MOST_SETS = 10;

builder.prismaObjectField(ApiKey, 'operationSets', (t) =>
  t.field({
    type: [KeyOperationSet],
    description: `The operations that the key is locked to, the latest version first; the ${MOST_SETS} latest. Empty for a key that is not.`,
    extensions: { cost: 5, size: 2 },
    select: { lineageId: true, isLocked: true },
    resolve: async ({ id, lineageId, isLocked }, _args, { db }) => {
      if (!isLocked) return [];
      const where = { lineageId: lineageOf({ id, lineageId }) };
      return db.keyOperationSet.findMany({ where, orderBy: { version: 'desc' }, take: MOST_SETS });
    },
  }),
);

const PinChange = builder.objectRef<SetDifference['pins'][number]>('PinChange').implement({
  fields: (t) => ({
    operation: t.exposeString('operation'),
    variable: t.exposeString('variable'),
    from: t.field({ type: 'JSON', nullable: true, resolve: ({ from }) => from ?? null }),
    to: t.field({ type: 'JSON', nullable: true, resolve: ({ to }) => to ?? null }),
  }),
});

type Named = SetDifference['added'][number];

const OperationName = builder.objectRef<Named>('OperationName').implement({
  fields: (t) => ({
    name: t.exposeString('name'),
    hash: t.exposeString('hash'),
    scopes: t.stringList({ resolve: ({ scopes }) => [...scopes] }),
  }),
});

const Difference = builder.objectRef<SetDifference>('OperationsDifference').implement({
  description: 'What a new version of the operations of a key changes.',
  fields: (t) => ({
    added: t.field({ type: [OperationName], extensions: { size: SHOWN }, resolve: ({ added }) => [...added] }),
    removed: t.field({ type: [OperationName], extensions: { size: SHOWN }, resolve: ({ removed }) => [...removed] }),
    kept: t.exposeInt('kept'),
    addedScopes: t.stringList({ resolve: ({ addedScopes }) => [...addedScopes] }),
    removedScopes: t.stringList({ resolve: ({ removedScopes }) => [...removedScopes] }),
    pins: t.field({ type: [PinChange], extensions: { size: SHOWN }, resolve: ({ pins }) => [...pins] }),
  }),
});

builder.relayMutationField(
  'lockApiKey',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      documents: t.stringList({ required: true, description: 'All that the key runs from now on.' }),
      pins: t.field({ type: [VariablePinInput] }),
      gracePeriod: t.int({
        defaultValue: DEFAULT_GRACE,
        description: 'Seconds that the operations before run on, while an app is deployed.',
      }),
      dryRun: t.boolean({ defaultValue: false, description: 'Tells the difference, and changes nothing.' }),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description:
      'Locks a key to operations, or gives a locked one a new version of them. It has the scopes that they need, and no others.',
    authScopes: { scope: 'keys:write' },
    grantScopes: ['self'],
    rateLimit: { max: 20, window: 60 },
    resolve: async (_root, { input }, context, { schema }) => {
      const { id, documents, pins, gracePeriod, dryRun, expectedUpdatedAt: expected } = input;
      const operations = await readOperations(documents, pins as Pin[], context, schema);
      const options = {
        ...{ gracePeriod: gracePeriod ?? DEFAULT_GRACE, dryRun: dryRun ?? false },
        expectedUpdatedAt: expected,
      };
      const { services, actor, principal } = context;
      return services.operationSets.set(actor, callerOf(principal), id, operations, options);
    },
  },
  {
    outputFields: (t) => ({
      difference: t.field({ type: Difference, resolve: ({ difference }) => difference }),
      applied: t.exposeBoolean('applied'),
      ...rowField<{ apiKey: { id: string } }>(t, 'apiKey', ApiKey, ({ apiKey }) => apiKey.id),
    }),
  },
);
