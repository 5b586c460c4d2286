/** The audit log. */

import { builder } from './builder.js';
import { type ListArgs, rowTable } from './rowTable.js';
import { shownChanges } from './taskEnums.js';

const table = rowTable('AuditEvent', {
  name: 'Audit',
  columns: {
    id: {},
    action: { description: 'resource.verb, such as task.create or api_key.refused', filter: true },
    actorKeyId: { description: 'null: the command line, or the server itself.', filter: true },
    actorUserId: { filter: true },
    targetType: { filter: true },
    targetId: { filter: true },
    ip: {},
    userAgent: {},
    requestId: { type: 'String' },
    createdAt: { filter: true },
  },
});

const AuditEvent = builder.prismaObject('AuditEvent', {
  description: 'Who did what to which row, from where, and what changed.',
  select: { id: true },
  authScopes: { scope: 'audit:read' },
  fields: (t) => ({
    ...table.fields(t),
    changes: t.string({
      nullable: true,
      description: 'JSON: field -> { from, to }; statuses and priorities by their names',
      select: { targetType: true, changes: true },
      resolve: ({ targetType, changes }) => shownChanges(targetType, changes),
    }),
  }),
});

const AuditEventEdge = builder.edgeObject({ name: 'AuditEventEdge', type: AuditEvent });
const AuditEventConnection = builder.connectionObject(
  { name: 'AuditEventConnection', type: AuditEvent },
  AuditEventEdge,
);

builder.queryField('auditLog', (t) =>
  t.connection(
    {
      type: AuditEvent,
      nullable: true,
      description: 'Newest first.',
      authScopes: { scope: 'audit:read' },
      args: { filter: t.arg({ type: table.filterInput() }) },
      ...table.listField((args: ListArgs, context) => table.list(args, context)),
    },
    AuditEventConnection,
    AuditEventEdge,
  ),
);
