/**
 * Documents that are named by their hash. Automatic persisted queries, as Apollo's clients send them: the hash alone
 * first, and with the text when the server asks for it; a hash is of its text whoever sent it, so one key cannot give
 * another a document. Trusted documents: `?doc=<hash>`, `documentId`, or the same extension; where only those may run,
 * everything else is refused, for every key.
 */
import { GraphQLError } from 'graphql';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import type { OperationLock } from '../../keys/operationLock.js';
import { hashOf } from '../../operations/document.js';
import { badRequest } from '../../operations/documentErrors.js';
import type { Context } from '../context.js';

const HASH = /^[0-9a-f]{64}$/;

export function trustedDocuments(trustedOnly: boolean): Plugin<Context> {
  return {
    async onParams({ params, request, setParams, context }) {
      const { principal, services } = context as unknown as Context;
      const lock = principal.authority.operations;
      const trusted = async (hash: string) =>
        (lock && !trustedOnly ? await services.operationSets.textOf(lock, hash) : undefined) ??
        services.trustedDocuments.find(principal, hash);
      const id = documentId(params, request.url);
      const automatic = automaticHash(params);
      const hash = id ?? automatic;
      // Some clients send an empty text with a hash.
      let query = (hash === undefined ? params.query : params.query || undefined) ?? undefined;
      if (query !== undefined && typeof query !== 'string') throw badRequest('"query" must be a text.');
      if (hash !== undefined) {
        if (query !== undefined && hashOf(query) !== hash) {
          throw badRequest('The hash of the persisted query is not that of its text.');
        }
        const isAutomatic = automatic !== undefined && !trustedOnly;
        query ??= (isAutomatic ? services.documents.withHash(hash)?.text : undefined) ?? (await trusted(hash));
        if (query === undefined) throw id === undefined ? notRemembered() : unknownDocument();
      }
      if (lock && !trustedOnly && hash === undefined && query === undefined)
        query = await named(lock, params, services);
      if (trustedOnly && query !== undefined && (await trusted(hash ?? hashOf(query))) === undefined)
        throw notTrusted();
      if (query === undefined) return;
      if (!params.query) setParams({ ...params, query });
      else if (automatic !== undefined && !trustedOnly) services.documents.persist(query);
    },
  };
}

/** What a locked key may leave out: the text of the one operation of a name. */
async function named(
  lock: OperationLock,
  { operationName }: GraphQLParams,
  { operationSets }: Context['services'],
): Promise<string | undefined> {
  const hashes = [...lock].flatMap(([hash, [operation]]) => (operation?.name === operationName ? hash : []));
  const [hash] = hashes.length === 1 ? hashes : [];
  return hash === undefined ? undefined : operationSets.textOf(lock, hash);
}

/** A document named by the client in the address or in the body; an empty one in the address is no name. */
function documentId(params: GraphQLParams, url: string): string | undefined {
  const inBody = (params as { documentId?: unknown }).documentId;
  const question = url.indexOf('?');
  const inAddress = question < 0 ? undefined : new URLSearchParams(url.slice(question)).get('doc') || undefined;
  const id = inBody ?? inAddress;
  if (id === undefined || id === null) return undefined;
  // With its function's name, as GraphQL Code Generator writes it.
  const hash = typeof id === 'string' ? id.replace(/^sha256:/, '') : '';
  if (!HASH.test(hash)) throw badRequest('A document is named by its SHA-256 in hexadecimal.');
  return hash;
}

function automaticHash({ extensions }: GraphQLParams): string | undefined {
  const persisted = extensions?.['persistedQuery'] as { version?: unknown; sha256Hash?: unknown } | null | undefined;
  if (persisted === undefined || persisted === null) return undefined;
  const { version, sha256Hash } = persisted;
  if (version !== 1 || typeof sha256Hash !== 'string') throw badRequest('Unsupported version of persisted queries.');
  if (!HASH.test(sha256Hash)) throw badRequest('A document is named by its SHA-256 in hexadecimal.');
  return sha256Hash;
}

/** The message and the code that Apollo's clients wait for; they send the text then. */
function notRemembered(): GraphQLError {
  return new GraphQLError('PersistedQueryNotFound', {
    extensions: { code: 'PERSISTED_QUERY_NOT_FOUND', http: { status: 200 } },
  });
}

function unknownDocument(): GraphQLError {
  return new GraphQLError('No trusted document has this hash.', {
    extensions: { code: 'NOT_FOUND', http: { status: 404 } },
  });
}

function notTrusted(): GraphQLError {
  return new GraphQLError('Only trusted documents run here, and this is none.', {
    extensions: { code: 'PERSISTED_QUERY_NOT_IN_LIST', http: { status: 403 } },
  });
}
