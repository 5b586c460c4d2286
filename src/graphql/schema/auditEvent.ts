/** The audit log. */

import { resolveConnection } from '../connections/connection.js';
import { compileFilter, DateTimeFilter, type Filter, IdFilter, StringFilter } from '../connections/filter.js';
import { NEWEST_FIRST } from '../connections/order.js';
import { builder } from './builder.js';

const AuditEvent = builder.prismaObject('AuditEvent', {
  description: 'Who did what to which row, from where, and what changed.',
  select: { id: true },
  authScopes: { scope: 'audit:read' },
  fields: (t) => ({
    id: t.exposeID('id'),
    action: t.exposeString('action', { description: 'resource.verb, such as task.create or api_key.refused' }),
    actorKeyId: t.exposeID('actorKeyId', {
      nullable: true,
      description: 'null: the command line, or the server itself.',
    }),
    actorUserId: t.exposeID('actorUserId', { nullable: true }),
    targetType: t.exposeString('targetType', { nullable: true }),
    targetId: t.exposeID('targetId', { nullable: true }),
    ip: t.exposeString('ip', { nullable: true }),
    userAgent: t.exposeString('userAgent', { nullable: true }),
    requestId: t.exposeString('requestId', { nullable: true }),
    changes: t.string({
      nullable: true,
      description: 'JSON: field -> { from, to }',
      select: { changes: true },
      resolve: ({ changes }) => (changes === null ? null : JSON.stringify(changes)),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime' }),
  }),
});

const filterFields = {
  action: { column: 'action' },
  actorKeyId: { column: 'actorKeyId', nullable: true },
  actorUserId: { column: 'actorUserId', nullable: true },
  targetType: { column: 'targetType', nullable: true },
  targetId: { column: 'targetId', nullable: true },
  createdAt: { column: 'createdAt' },
};
const AuditFilter = builder.inputRef<Filter>('AuditFilter').implement({
  fields: (t) => ({
    action: t.field({ type: StringFilter }),
    actorKeyId: t.field({ type: IdFilter }),
    actorUserId: t.field({ type: IdFilter }),
    targetType: t.field({ type: StringFilter }),
    targetId: t.field({ type: IdFilter }),
    createdAt: t.field({ type: DateTimeFilter }),
    and: t.field({ type: [AuditFilter] }),
    or: t.field({ type: [AuditFilter] }),
    not: t.field({ type: AuditFilter }),
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
      args: { filter: t.arg({ type: AuditFilter }) },
      resolve: (_root, args, context, info) =>
        resolveConnection({
          args,
          context,
          info,
          order: [NEWEST_FIRST],
          where: compileFilter(filterFields, args.filter, context.services.database.provider),
          find: (query) => context.db.auditEvent.findMany(query),
          count: (query) => context.db.auditEvent.count(query),
        }),
    },
    AuditEventConnection,
    AuditEventEdge,
  ),
);
