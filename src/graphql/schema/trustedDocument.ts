/** Documents that an administrator vouches for: they run by their hash, and alone where PERSISTED_ONLY says so. */
import { createHash } from 'node:crypto';
import { GraphQLError, type GraphQLSchema, Kind, parse, validate } from 'graphql';
import type { Actor } from '../../audit/entry.js';
import { isStorable } from '../../db/text.js';
import type { UnitOfWork } from '../../db/unitOfWork.js';
import { badInput, notFound } from '../../errors.js';
import { OPERATION_LIMITS } from '../../limits/operationLimits.js';
import { checkShape } from '../../operations/cost.js';
import { EXPLAIN_COST, explainDocument } from '../../operations/scopeReport.js';
import { MAX_OFFSET, OFFSET_DESCRIPTION } from '../connections/keyset.js';
import { builder } from './builder.js';

/** Of one workspace and environment. */
export const MAX_DOCUMENTS = 1000;
const SHOWN = 100;

interface DocumentRow {
  readonly hash: string;
  readonly text: string;
  readonly createdAt: Date;
}

const TrustedDocument = builder.objectRef<DocumentRow>('TrustedDocument').implement({
  description: 'A GraphQL document that runs by its hash.',
  authScopes: { $any: { scope: 'admin:*', $granted: 'self' } },
  fields: (t) => ({
    hash: t.exposeString('hash', { description: 'SHA-256 of the text, in hexadecimal.' }),
    text: t.exposeString('text'),
    operations: t.stringList({
      description: 'The names of its operations.',
      resolve: ({ text }) => operationsOf(text).filter((name) => name !== undefined),
    }),
    scopes: t.stringList({
      description: 'The fewest scopes that all of its operations run with.',
      extensions: { cost: EXPLAIN_COST },
      resolve: ({ text }, _args, _context, { schema }) => scopesOf(schema, text),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

export function operationsOf(text: string): (string | undefined)[] {
  return parse(text).definitions.flatMap((definition) =>
    definition.kind === Kind.OPERATION_DEFINITION ? [definition.name?.value] : [],
  );
}

export function scopesOf(schema: GraphQLSchema, text: string): string[] {
  return [...new Set(operationsOf(text).flatMap((name) => explainDocument(schema, text, name).scopes))].sort();
}

builder.queryField('trustedDocuments', (t) =>
  t.field({
    type: [TrustedDocument],
    nullable: true,
    description: 'The documents of the environment, newest first.',
    authScopes: { scope: 'admin:*' },
    args: {
      first: t.arg.int({ defaultValue: SHOWN, description: `At most ${MAX_DOCUMENTS}.` }),
      offset: t.arg.int({ description: OFFSET_DESCRIPTION }),
    },
    resolve: (_root, { first, offset }, { db }) => {
      const [take, skip] = [first ?? SHOWN, offset ?? 0];
      if (take < 0 || take > MAX_DOCUMENTS) throw badInput({ first: [`must be from 0 to ${MAX_DOCUMENTS}`] });
      if (skip < 0 || skip > MAX_OFFSET) throw badInput({ offset: [`must be from 0 to ${MAX_OFFSET}`] });
      return db.trustedDocument.findMany({ orderBy: [{ createdAt: 'desc' }, { hash: 'asc' }], take, skip });
    },
  }),
);

builder.relayMutationField(
  'addTrustedDocument',
  { inputFields: (t) => ({ text: t.string({ required: true, description: 'Up to 100,000 characters.' }) }) },
  {
    nullable: true,
    description: 'Vouches for a document. Once more changes nothing.',
    authScopes: { scope: 'admin:*' },
    grantScopes: ['self'],
    resolve: async (_root, { input: { text } }, { services, actor }, { schema }) => ({
      document: await addDocument(services.units, actor, schema, text),
    }),
  },
  {
    outputFields: (t) => ({
      document: t.field({
        type: TrustedDocument,
        resolve: ({ document }) => document,
      }),
    }),
  },
);

builder.relayMutationField(
  'removeTrustedDocument',
  { inputFields: (t) => ({ hash: t.string({ required: true }) }) },
  {
    nullable: true,
    description: 'Vouches for a document no longer; other processes follow within seconds.',
    authScopes: { scope: 'admin:*' },
    resolve: async (_root, { input: { hash } }, { actor, services, principal }) => {
      await removeDocument(services.units, actor, hash);
      services.trustedDocuments.forget(principal, hash);
      return { removedHash: hash };
    },
  },
  { outputFields: (t) => ({ removedHash: t.exposeString('removedHash') }) },
);

/** @throws BAD_USER_INPUT for a document that could not run */
export async function addDocument(
  units: UnitOfWork,
  actor: Actor,
  schema: GraphQLSchema,
  text: string,
): Promise<DocumentRow> {
  checkDocument(schema, text);
  const { workspaceId, environment } = actor;
  const hash = hashOf(text);
  return units.run(actor, async ({ tx, audit, lockWorkspace }) => {
    await lockWorkspace();
    const known = await tx.trustedDocument.findFirst({ where: { hash } });
    if (known) return known;
    if ((await tx.trustedDocument.count()) >= MAX_DOCUMENTS) {
      throw badInput({ text: [`must not be one more than the ${MAX_DOCUMENTS} documents that there are`] });
    }
    const document = await tx.trustedDocument.create({ data: { workspaceId, environment, hash, text } });
    audit({
      action: 'trusted_document.add',
      targetType: 'TrustedDocument',
      targetId: hash,
      changes: { operations: { to: operationsOf(text) } },
    });
    return document;
  });
}

/** @throws NOT_FOUND */
export async function removeDocument(units: UnitOfWork, actor: Actor, hash: string): Promise<void> {
  await units.run(actor, async ({ tx, audit }) => {
    const { count } = await tx.trustedDocument.deleteMany({ where: { hash } });
    if (count === 0) throw notFound('trusted document', hash);
    audit({ action: 'trusted_document.remove', targetType: 'TrustedDocument', targetId: hash });
  });
}

function checkDocument(schema: GraphQLSchema, text: string): void {
  const most = OPERATION_LIMITS.characters;
  if (text.length > most) throw badInput({ text: [`must have at most ${most} characters`] });
  if (!isStorable(text)) throw badInput({ text: ['must be well-formed Unicode, without the character U+0000'] });
  try {
    const document = parse(text, { maxTokens: OPERATION_LIMITS.tokens });
    const [error] = [checkShape(document), ...validate(schema, document)].filter(Boolean);
    if (error) throw error;
    if (operationsOf(text).length === 0) throw badInput({ text: ['must have an operation'] });
  } catch (error) {
    if (error instanceof GraphQLError) throw badInput({ text: [error.message] });
    throw error;
  }
}
