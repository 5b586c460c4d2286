import { queryFromInfo } from '@pothos/plugin-prisma';
import { notFound } from '../../errors.js';
import { resolveConnection } from '../connections/connection.js';
import {
  compileFilter,
  DateTimeFilter,
  type Filter,
  IdFilter,
  mentions,
  StringFilter,
  searchWhere,
} from '../connections/filter.js';
import { OFFSET_DESCRIPTION, type OrderBy } from '../connections/keyset.js';
import { OrderDirection, orderOf } from '../connections/order.js';
import { builder, expectedUpdatedAt } from './builder.js';
import { resolveTasks, Task, TaskConnection, TaskEdge, taskConnectionArgs } from './task.js';
import { Project } from './types.js';
import { User } from './user.js';

const SLUG = 'A short name for addresses; each project has its own.';

builder.prismaObjectFields(Project, (t) => ({
  name: t.exposeString('name'),
  description: t.exposeString('description', { nullable: true }),
  slug: t.exposeString('slug', { nullable: true, description: SLUG }),
  icon: t.exposeString('icon', { nullable: true }),
  archivedAt: t.expose('archivedAt', { type: 'DateTime', nullable: true }),
  createdAt: t.expose('createdAt', { type: 'DateTime' }),
  updatedAt: t.expose('updatedAt', { type: 'DateTime' }),
  createdById: t.exposeID('createdById', { nullable: true }),
  createdBy: t.relation('createdBy', { type: User, nullable: true, authScopes: { scope: 'users:read' } }),
  createdByKeyId: t.exposeID('createdByKeyId', { nullable: true, description: 'The API key that made it.' }),
  tasks: t.connection(
    {
      type: Task,
      nullable: true,
      authScopes: { scope: 'tasks:read' },
      args: taskConnectionArgs,
      resolve: ({ id }, args, context, info) => resolveTasks(args, context, info, { projectId: id }),
    },
    TaskConnection,
    TaskEdge,
  ),
}));

const ProjectEdge = builder.edgeObject({ name: 'ProjectEdge', type: Project });
const ProjectConnection = builder.connectionObject({ name: 'ProjectConnection', type: Project }, ProjectEdge);

const filterFields = {
  id: { column: 'id' },
  name: { column: 'name' },
  description: { column: 'description', nullable: true },
  slug: { column: 'slug', nullable: true },
  archivedAt: { column: 'archivedAt', nullable: true },
  createdById: { column: 'createdById', nullable: true },
  createdAt: { column: 'createdAt' },
  updatedAt: { column: 'updatedAt' },
};
const ProjectFilter = builder.inputRef<Filter>('ProjectFilter').implement({
  fields: (t) => ({
    id: t.field({ type: IdFilter }),
    name: t.field({ type: StringFilter }),
    description: t.field({ type: StringFilter }),
    slug: t.field({ type: StringFilter }),
    archivedAt: t.field({ type: DateTimeFilter }),
    createdById: t.field({ type: IdFilter }),
    createdAt: t.field({ type: DateTimeFilter }),
    updatedAt: t.field({ type: DateTimeFilter }),
    and: t.field({ type: [ProjectFilter] }),
    or: t.field({ type: [ProjectFilter] }),
    not: t.field({ type: ProjectFilter }),
  }),
});

const columns = {
  createdAt: { name: 'createdAt', kind: 'date' },
  updatedAt: { name: 'updatedAt', kind: 'date' },
  name: { name: 'name', kind: 'string' },
} as const satisfies Record<string, OrderBy['column']>;
const ProjectOrder = builder.inputType('ProjectOrder', {
  fields: (t) => ({
    field: t.field({
      type: builder.enumType('ProjectOrderField', {
        values: {
          CREATED_AT: { value: 'createdAt' },
          UPDATED_AT: { value: 'updatedAt' },
          NAME: { value: 'name' },
        } as const,
      }),
      required: true,
    }),
    direction: t.field({ type: OrderDirection, required: true, defaultValue: 'asc' }),
  }),
});

builder.queryFields((t) => ({
  project: t.prismaField({
    type: Project,
    nullable: true,
    authScopes: { scope: 'projects:read' },
    args: { id: t.arg.id({ required: true }) },
    resolve: async (query, _root, { id }, { db }) => {
      const project = await db.project.findUnique({ ...query, where: { id } });
      if (!project) throw notFound('project', id);
      return project;
    },
  }),
  projects: t.connection(
    {
      type: Project,
      nullable: true,
      authScopes: { scope: 'projects:read' },
      args: {
        filter: t.arg({ type: ProjectFilter }),
        search: t.arg.string({ description: 'Words that the name or the description contains.' }),
        orderBy: t.arg({ type: [ProjectOrder] }),
        includeArchived: t.arg.boolean({
          defaultValue: false,
          description: 'Archived projects are left out, unless this is true or the filter asks for `archivedAt`.',
        }),
        offset: t.arg.int({ description: OFFSET_DESCRIPTION }),
      },
      resolve: (_root, args, context, info) => {
        const { provider } = context.services.database;
        return resolveConnection({
          args,
          context,
          info,
          order: orderOf(columns, args.orderBy),
          where: {
            AND: [
              compileFilter(filterFields, args.filter, provider),
              args.includeArchived || mentions(args.filter, 'archivedAt') ? {} : { archivedAt: null },
              ...searchWhere(args.search, ['name', 'description'], provider),
            ],
          },
          find: (query) => context.db.project.findMany(query),
          count: (query) => context.db.project.count(query),
        });
      },
    },
    ProjectConnection,
    ProjectEdge,
  ),
}));

builder.relayMutationField(
  'createProject',
  {
    inputFields: (t) => ({
      name: t.string({ required: true, description: '1 to 255 characters.' }),
      description: t.string({ description: 'Up to 10,000 characters.' }),
      slug: t.string({ description: SLUG }),
      icon: t.string(),
    }),
  },
  {
    nullable: true,
    authScopes: { scope: 'projects:write' },
    grantScopes: ['self'],
    resolve: (_root, { input }, { services, actor }) => services.projects.create(actor, input),
  },
  {
    outputFields: (t) => ({
      project: t.prismaField({
        type: Project,
        nullable: true,
        resolve: (query, { id }, _args, { db }) => db.project.findUniqueOrThrow({ ...query, where: { id } }),
      }),
    }),
  },
);

builder.relayMutationField(
  'updateProject',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      name: t.string(),
      description: t.string(),
      slug: t.string({ description: SLUG }),
      icon: t.string(),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description: 'Changes what is given; null clears a field that may be empty.',
    authScopes: { scope: 'projects:write' },
    grantScopes: ['self'],
    resolve: (_root, { input }, { services, actor }) => services.projects.update(actor, input),
  },
  {
    outputFields: (t) => ({
      project: t.prismaField({
        type: Project,
        nullable: true,
        resolve: (query, { id }, _args, { db }) => db.project.findUniqueOrThrow({ ...query, where: { id } }),
      }),
    }),
  },
);

builder.relayMutationField(
  'archiveProject',
  {
    inputFields: (t) => ({
      id: t.id({ required: true }),
      archived: t.boolean({ defaultValue: true, description: 'false brings it back.' }),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description:
      'Archives a project, or brings it back. Its tasks stay as they are; lists leave it out, and it takes no new tasks.',
    authScopes: { scope: 'projects:write' },
    grantScopes: ['self'],
    resolve: (_root, { input: { id, archived, expectedUpdatedAt } }, { services, actor }) =>
      services.projects.archive(actor, id, archived !== false, expectedUpdatedAt),
  },
  {
    outputFields: (t) => ({
      project: t.prismaField({
        type: Project,
        nullable: true,
        resolve: (query, { id }, _args, { db }) => db.project.findUniqueOrThrow({ ...query, where: { id } }),
      }),
    }),
  },
);

builder.relayMutationField(
  'deleteProject',
  { inputFields: (t) => ({ id: t.id({ required: true }), expectedUpdatedAt: expectedUpdatedAt(t) }) },
  {
    nullable: true,
    description: 'Deletes a project. Its tasks stay, without a project.',
    authScopes: { scope: 'projects:delete' },
    grantScopes: ['self'],
    resolve: async (_root, { input: { id, expectedUpdatedAt } }, context, info) => {
      const shown = queryFromInfo({ context, info, path: ['project'] }) as object;
      const project = await context.services.projects.delete(
        context.actor,
        id,
        (tx) => tx.project.findUniqueOrThrow({ ...shown, where: { id } }),
        expectedUpdatedAt,
      );
      return { deletedProjectId: id, project };
    },
  },
  {
    outputFields: (t) => ({
      deletedProjectId: t.exposeID('deletedProjectId'),
      project: t.field({ type: Project, nullable: true, description: 'As it was.', resolve: ({ project }) => project }),
    }),
  },
);
