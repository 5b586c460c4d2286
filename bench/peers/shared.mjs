// What all peers have in common: the same few operations over the same data, for a key that is looked up once.
import { createHash } from 'node:crypto';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaPg } from '@prisma/adapter-pg';

// With the bench it ends.
if (process.send) process.on('disconnect', () => process.exit());

export const isPostgresql = (url) => url.startsWith('postgresql:');
const STATUSES = ['BACKLOG', 'TRIAGE', 'TODO', 'IN_PROGRESS', 'IN_REVIEW', 'DONE', 'CANCELED'];
export const statusName = (status) => STATUSES[status];
export const hashOf = (key) => `sha256:${createHash('sha256').update(key).digest('hex')}`;
export const keyOf = (headers) => (headers.authorization ?? '').slice('Bearer '.length);

export const typeDefs = `
  type User { id: ID! name: String! }
  type Project { id: ID! name: String! tasks(first: Int!): TaskConnection! }
  type ProjectConnection { nodes: [Project!]! }
  type Task { id: ID! title: String! status: String! project: Project assignee: User }
  type TaskConnection { nodes: [Task!]! }
  type CreateTaskPayload { task: Task }
  input CreateTaskInput { title: String! }
  type Query { tasks(first: Int!): TaskConnection! task(id: ID!): Task projects(first: Int!): ProjectConnection! }
  type Mutation { createTask(input: CreateTaskInput!): CreateTaskPayload }`;

/** Prisma as its documentation has it, and resolvers that load the project with its task. */
export async function prismaResolvers(url) {
  const { PrismaClient } = await import(
    `../../dist/modules/db/generated/${isPostgresql(url) ? 'postgresql' : 'sqlite'}/client.js`
  );
  const adapter = isPostgresql(url)
    ? new PrismaPg({ connectionString: url })
    : new PrismaBetterSqlite3({ url }, { timestampFormat: 'unixepoch-ms' });
  const prisma = new PrismaClient({ adapter });
  const known = new Map();
  const tenantOf = async (key) => {
    const hash = hashOf(key);
    if (!known.has(hash)) {
      const row = await prisma.apiKey.findUnique({ where: { hash } });
      if (!row) return undefined;
      known.set(hash, { workspaceId: row.workspaceId, environment: row.environment });
    }
    return known.get(hash);
  };
  const include = { project: true };
  const newest = [{ createdAt: 'desc' }, { id: 'desc' }];
  const resolvers = {
    // Prisma reads those of all projects together.
    Project: {
      tasks: async ({ id }, { first }) => ({
        nodes: await prisma.project
          .findUnique({ where: { id } })
          .tasks({ orderBy: newest, take: first, include: { assignee: true } }),
      }),
    },
    Task: { status: ({ status }) => statusName(status) },
    Query: {
      tasks: async (_root, { first }, { tenant }) => ({
        nodes: await prisma.task.findMany({
          where: tenant,
          orderBy: newest,
          take: first,
          include,
        }),
      }),
      projects: async (_root, { first }, { tenant }) => ({
        nodes: await prisma.project.findMany({ where: tenant, orderBy: newest, take: first }),
      }),
      task: (_root, { id }, { tenant }) => prisma.task.findFirst({ where: { id, ...tenant }, include }),
    },
    Mutation: {
      createTask: async (_root, { input }, { tenant }) => ({
        task: await prisma.$transaction(async (tx) => {
          const { lastNumber: number } = await tx.taskCounter.update({
            where: { workspaceId_environment: tenant },
            data: { lastNumber: { increment: 1 } },
          });
          return tx.task.create({ data: { ...tenant, ...input, number, position: number }, include });
        }),
      }),
    },
  };
  return { resolvers, tenantOf };
}
