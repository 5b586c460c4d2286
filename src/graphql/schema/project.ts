import { queryFromInfo } from '@pothos/plugin-prisma';
import { notFound } from '../../errors.js';
import type { ProjectService } from '../../projects/projectService.js';
import { mentions } from '../connections/filter.js';
import { OFFSET_DESCRIPTION } from '../connections/keyset.js';
import { changing, oneRow, refersTo } from '../plans/source.js';
import { builder, expectedUpdatedAt, rowField } from './builder.js';
import { chargeTasks } from './charges.js';
import { innerListField, type ListArgs, rowTable } from './rowTable.js';
import { listTasks, Task, TaskConnection, TaskEdge, taskConnectionArgs } from './task.js';
import { Project } from './types.js';
import { User } from './user.js';

const SLUG = 'A short name for addresses; each project has its own.';

const KEY =
  'What its tasks are called by, with their numbers: BRD of BRD-12. Up to 10 letters and digits, in capitals; each project has its own.';

const table = rowTable('Project', {
  search: ['name', 'description'],
  columns: {
    id: { hidden: true, filter: true },
    name: { filter: true, order: true },
    description: { filter: true },
    slug: { description: SLUG, filter: true },
    key: { description: KEY, filter: true },
    icon: {},
    archivedAt: { filter: true },
    createdById: { filter: true },
    createdByKeyId: { description: 'The API key that made it.' },
    createdAt: { filter: true, order: true },
    updatedAt: { filter: true, order: true },
  },
});

builder.prismaObjectFields(Project, (t) => ({
  ...table.fields(t),
  createdBy: t.relation('createdBy', {
    ...{ type: User, nullable: true, authScopes: { scope: 'users:read' } },
    ...refersTo('User', 'createdById'),
  }),
  tasks: t.connection(
    {
      type: Task,
      nullable: true,
      authScopes: { scope: 'tasks:read' },
      args: taskConnectionArgs,
      ...innerListField((args: ListArgs, context, projectId) => listTasks(args, context, { projectId })),
    },
    TaskConnection,
    TaskEdge,
  ),
}));

const ProjectEdge = builder.edgeObject({ name: 'ProjectEdge', type: Project });
const ProjectConnection = builder.connectionObject({ name: 'ProjectConnection', type: Project }, ProjectEdge);

builder.queryFields((t) => ({
  project: t.prismaField({
    type: Project,
    ...oneRow('Project', 'project'),
    nullable: true,
    description: 'By its id.',
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
      description: 'Projects, newest first where no order is given.',
      authScopes: { scope: 'projects:read' },
      args: {
        filter: t.arg({ type: table.filterInput() }),
        search: t.arg.string({ description: 'Words that the name or the description contains.' }),
        orderBy: t.arg({ type: [table.orderInput()] }),
        includeArchived: t.arg.boolean({
          defaultValue: false,
          description: 'Archived projects are left out, unless this is true or the filter asks for `archivedAt`.',
        }),
        offset: t.arg.int({ description: OFFSET_DESCRIPTION }),
      },
      ...table.listField((args: ListArgs & { includeArchived?: boolean | null | undefined }, context) => {
        const showsArchived = args.includeArchived || mentions(args.filter, 'archivedAt');
        return table.list(args, context, showsArchived ? {} : { archivedAt: null });
      }),
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
      key: t.string({ description: `${KEY} Made of the name where it is left out.` }),
      icon: t.string(),
    }),
  },
  {
    nullable: true,
    description: 'Makes a project, with the seven states that each new one has.',
    authScopes: { scope: 'projects:write' },
    grantScopes: ['self'],
    ...changing((input: Parameters<ProjectService['create']>[1], { services, actor }) =>
      services.projects.create(actor, input),
    ),
  },
  {
    outputFields: (t) => rowField(t, 'project', Project),
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
      key: t.string({ description: KEY }),
      icon: t.string(),
      expectedUpdatedAt: expectedUpdatedAt(t),
    }),
  },
  {
    nullable: true,
    description: 'Changes what is given; null clears a field that may be empty.',
    authScopes: { scope: 'projects:write' },
    grantScopes: ['self'],
    ...changing((input: Parameters<ProjectService['update']>[1], { services, actor }) =>
      services.projects.update(actor, input),
    ),
  },
  {
    outputFields: (t) => rowField(t, 'project', Project),
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
    outputFields: (t) => rowField(t, 'project', Project),
  },
);

builder.relayMutationField(
  'deleteProject',
  { inputFields: (t) => ({ id: t.id({ required: true }), expectedUpdatedAt: expectedUpdatedAt(t) }) },
  {
    nullable: true,
    description: 'Puts a project in the trash. Its tasks stay, without a project.',
    authScopes: { scope: 'projects:delete' },
    grantScopes: ['self'],
    resolve: async (_root, { input: { id, expectedUpdatedAt } }, context, info) => {
      await chargeTasks(context, await context.db.task.count({ where: { projectId: id } }));
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
