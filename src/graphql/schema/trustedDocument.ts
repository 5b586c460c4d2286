/** Trusted documents: those that an administrator allows to run by their hash (src/documents/trustedDocuments.ts). */
import { type DocumentRow, MAX_DOCUMENTS } from '../../documents/trustedDocuments.js';
import { badInput } from '../../errors.js';
import type { DocumentCache } from '../../operations/documentCache.js';
import { MAX_OFFSET } from '../../operations/pageLimits.js';
import { describeDocument, readTrustedDocument } from '../../operations/trustedDocument.js';
import { OFFSET_DESCRIPTION } from '../connections/keyset.js';
import { builder } from './builder.js';
import { EXPLAIN_COST } from './requiredScopes.js';

const SHOWN = 100;

const TrustedDocument = builder.objectRef<DocumentRow>('TrustedDocument').implement({
  description: 'A GraphQL document that runs by its hash.',
  authScopes: { $any: { scope: 'admin:*', $granted: 'self' } },
  fields: (t) => ({
    hash: t.exposeString('hash', { description: 'SHA-256 of the text, in hexadecimal.' }),
    text: t.exposeString('text'),
    operations: t.stringList({
      description: 'The names of its operations.',
      resolve: ({ text }, _args, { services }) =>
        describe(services.documents, text).operations.filter((name) => name !== undefined),
    }),
    scopes: t.stringList({
      description: 'The fewest scopes that all of its operations run with.',
      extensions: { cost: EXPLAIN_COST },
      resolve: ({ text }, _args, { services }) => describe(services.documents, text).scopes,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

/** @throws BAD_USER_INPUT for a text that fits the schema no more */
function describe(documents: DocumentCache, text: string) {
  const document = documents.of(text);
  if (document.errors) throw badInput({ document: [document.errors[0]?.message ?? 'is not valid'] });
  return describeDocument(document);
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
      document: await services.trustedDocuments.add(actor, readTrustedDocument(schema, text)),
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
    resolve: async (_root, { input: { hash } }, { actor, services }) => {
      await services.trustedDocuments.remove(actor, hash);
      return { removedHash: hash };
    },
  },
  { outputFields: (t) => ({ removedHash: t.exposeString('removedHash') }) },
);
