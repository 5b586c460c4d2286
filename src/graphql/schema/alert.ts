/** Alerts about keys. */
import { ALERT_KINDS } from '../../keys/alerts.js';
import { ApiKey } from './apiKey.js';
import { builder } from './builder.js';
import { enumFilter } from './filters.js';
import { type ListArgs, rowTable } from './rowTable.js';

const AlertKind = builder.enumType('AlertKind', { values: ALERT_KINDS });

const table = rowTable('Alert', {
  columns: {
    id: {},
    kind: { type: AlertKind, filter: { type: enumFilter('AlertKindFilter', AlertKind) } },
    message: {},
    keyId: { filter: true },
    createdAt: { filter: true },
  },
});

const Alert = builder.prismaObject('Alert', {
  description: 'Something about a key that somebody should look at.',
  select: { id: true },
  authScopes: { scope: 'keys:read' },
  fields: (t) => ({
    ...table.fields(t),
    key: t.relation('key', { type: ApiKey, nullable: true, authScopes: { scope: 'keys:read' } }),
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
      args: { filter: t.arg({ type: table.filterInput() }) },
      ...table.listField((args: ListArgs, context) => table.list(args, context)),
    },
    AlertConnection,
    AlertEdge,
  ),
);
