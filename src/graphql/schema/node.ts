/** The Node interface, and finding any row by its id. */
import { queryFromInfo } from '@pothos/plugin-prisma';
import type { GraphQLResolveInfo } from 'graphql';
import { noteScopes } from '../../db/reader.js';
import { type ApiError, badInput, notFound } from '../../errors.js';
import { KEYS } from '../../keys/apiKey.js';
import { requirementOf } from '../../operations/requirement.js';
import { closest, satisfies } from '../../scopes/scope.js';
import type { Context } from '../context.js';
import { builder } from './builder.js';

export const Node = builder.interfaceRef<{ id: string }>('Node').implement({
  description: 'A row that can be found again by its id.',
  fields: (t) => ({ id: t.exposeID('id') }),
  resolveType: (row) => (row as unknown as { __typename: string }).__typename,
});

/** The types that an id may belong to, and where their rows are. */
const KINDS = [
  { typeName: 'Task', model: 'task' },
  { typeName: 'Project', model: 'project' },
  { typeName: 'User', model: 'user' },
  { typeName: 'TaskRelationship', model: 'taskRelationship' },
  { typeName: 'Comment', model: 'comment' },
  { typeName: 'Label', model: 'label' },
  { typeName: 'State', model: 'state' },
  { typeName: 'TimeEntry', model: 'timeEntry' },
  { typeName: 'ApiKey', model: 'apiKey' },
  { typeName: 'OauthApp', model: 'oauthApp' },
] as const;
/** Of the ids of a type; those of the others have none. */
const PREFIXES: Readonly<Record<string, string>> = { ApiKey: 'key_', OauthApp: 'app_' };

const MAX_IDS = 100;

/** What of a type is no row for anybody. */
const SHOWN: Readonly<Record<string, object>> = { ApiKey: KEYS };

interface Row {
  readonly id: string;
}

/**
 * Looks only where the key may read; what it may not read is not there.
 * @returns for each id its row, or why there is none
 */
async function findNodes(
  ids: readonly string[],
  context: Context,
  info: GraphQLResolveInfo,
): Promise<(Row | ApiError)[]> {
  const found = new Map<string, Row>();
  for (const { typeName, model } of KINDS) {
    const type = info.schema.getType(typeName);
    if (!type) continue;
    const requirement = requirementOf(type);
    if (!satisfies(context.principal.scopes, requirement)) continue;
    const wanted = [...new Set(ids)].filter((id) => !found.has(id) && prefixOf(id) === PREFIXES[typeName]);
    if (wanted.length === 0) continue;
    const query = queryFromInfo({ context, info, typeName, select: { id: true } });
    const delegate = context.db[model] as unknown as { findMany(query: object): Promise<Row[]> };
    const rows = await delegate.findMany({ ...query, where: { ...SHOWN[typeName], id: { in: wanted } } });
    if (rows.length > 0) noteScopes(closest(context.principal.scopes, requirement).required, context.reader);
    for (const row of rows) found.set(row.id, { ...row, __typename: typeName } as Row);
  }
  return ids.map((id) => found.get(id) ?? notFound('node', id));
}

const prefixOf = (id: string) => Object.values(PREFIXES).find((prefix) => id.startsWith(prefix));

builder.queryFields((t) => ({
  node: t.field({
    type: Node,
    nullable: true,
    description: 'Any row by its id. What the key has no scope to read is not found.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_root, { id }, context, info) => {
      const [node] = await findNodes([id], context, info);
      return node as Row;
    },
  }),
  nodes: t.field({
    type: [Node],
    nullable: { list: false, items: true },
    description:
      'Rows by their ids, in the order of the ids; null, with an error, for one that is not found. At most 100.',
    args: { ids: t.arg.idList({ required: true }) },
    resolve: (_root, { ids }, context, info) => {
      if (ids.length > MAX_IDS) throw badInput({ ids: [`must have at most ${MAX_IDS} entries; it has ${ids.length}`] });
      // An error in a list is the error of its place.
      return findNodes(ids, context, info) as never;
    },
  }),
}));
