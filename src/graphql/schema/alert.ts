/** Alerts about keys. */
import { ALERT_KINDS } from '../../keys/alerts.js';
import { resolveConnection } from '../connections/connection.js';
import { compileFilter, DateTimeFilter, type Filter, IdFilter } from '../connections/filter.js';
import { NEWEST_FIRST } from '../connections/order.js';
import { ApiKey } from './apiKey.js';
import { builder } from './builder.js';

const AlertKind = builder.enumType('AlertKind', { values: ALERT_KINDS });

const Alert = builder.prismaObject('Alert', {
  description: 'Something about a key that somebody should look at.',
  select: { id: true },
  authScopes: { scope: 'keys:read' },
  fields: (t) => ({
    id: t.exposeID('id'),
    kind: t.field({
      type: AlertKind,
      select: { kind: true },
      resolve: ({ kind }) => kind as (typeof ALERT_KINDS)[number],
    }),
    message: t.exposeString('message'),
    keyId: t.exposeID('keyId', { nullable: true }),
    key: t.relation('key', { type: ApiKey, nullable: true, authScopes: { scope: 'keys:read' } }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

const filterFields = {
  kind: { column: 'kind' },
  keyId: { column: 'keyId', nullable: true },
  createdAt: { column: 'createdAt' },
};
const AlertKindFilter = builder.inputType('AlertKindFilter', {
  fields: (t) => ({
    eq: t.field({ type: AlertKind }),
    neq: t.field({ type: AlertKind }),
    in: t.field({ type: [AlertKind] }),
    nin: t.field({ type: [AlertKind] }),
  }),
});
const AlertFilter = builder.inputRef<Filter>('AlertFilter').implement({
  fields: (t) => ({
    kind: t.field({ type: AlertKindFilter }),
    keyId: t.field({ type: IdFilter }),
    createdAt: t.field({ type: DateTimeFilter }),
    and: t.field({ type: [AlertFilter] }),
    or: t.field({ type: [AlertFilter] }),
    not: t.field({ type: AlertFilter }),
  }),
});

const AlertEdge = builder.edgeObject({ name: 'AlertEdge', type: Alert });
const AlertConnection = builder.connectionObject({ name: 'AlertConnection', type: Alert }, AlertEdge);

builder.queryField('alerts', (t) =>
  t.connection(
    {
      type: Alert,
      nullable: true,
      description: 'Newest first.',
      authScopes: { scope: 'keys:read' },
      args: { filter: t.arg({ type: AlertFilter }) },
      resolve: (_root, args, context, info) =>
        resolveConnection({
          args,
          context,
          info,
          order: [NEWEST_FIRST],
          where: compileFilter(filterFields, args.filter, context.services.database.provider),
          find: (query) => context.db.alert.findMany(query),
          count: (query) => context.db.alert.count(query),
        }),
    },
    AlertConnection,
    AlertEdge,
  ),
);
