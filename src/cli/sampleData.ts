/** A small project in the sandbox, so that a first query has something to show. */
import type { Database } from '../db/database.js';
import { LABEL_COLOR, tagKey } from '../db/text.js';
import { DEFAULT_WORKSPACE } from '../keys/bootstrap.js';
import { DEFAULT_STATES } from '../tasks/states.js';

interface SampleTask {
  readonly title: string;
  readonly status: number;
  readonly priority: number;
  readonly tags: readonly string[];
  /** The number of the task that it is a sub-task of. */
  readonly partOf?: number;
  /** Markdown. */
  readonly comment?: string;
}

const TASKS: readonly SampleTask[] = [
  { title: 'Read the README', status: 5, priority: 2, tags: ['docs'] },
  { title: 'Make a key that holds only tasks:read', status: 3, priority: 3, tags: ['keys'] },
  {
    ...{ title: 'Ask which scopes a query needs', status: 2, priority: 2, tags: ['keys', 'graphql'], partOf: 2 },
    comment: '`requiredScopes` answers any key.',
  },
  { title: 'Revoke a key and watch it stop', status: 2, priority: 1, tags: ['keys'] },
  { title: 'Point an old REST client at Taskgate', status: 0, priority: 0, tags: ['rest'] },
];

const COLORS: Readonly<Record<string, string>> = { docs: '#2563eb', keys: '#16a34a', graphql: '#db2777' };

export async function addSampleData({ system }: Database): Promise<void> {
  const workspace = await system.workspace.findUniqueOrThrow({ where: { slug: DEFAULT_WORKSPACE } });
  const tenant = { workspaceId: workspace.id, environment: 'TEST' as const };
  const owner = await system.user.findFirst({ where: tenant, select: { id: true } });
  const createdById = owner?.id ?? null;
  await system.$transaction(async (tx) => {
    const project = await tx.project.create({
      data: {
        ...tenant,
        name: 'Getting started',
        key: 'GS',
        description: 'Sample data of the first run.',
        createdById,
      },
    });
    const states = DEFAULT_STATES.map((state, order) => ({ ...tenant, ...state, order, projectId: project.id }));
    await tx.state.createMany({ data: states });
    const stateOf = new Map(
      (await tx.state.findMany({ where: { projectId: project.id } })).map(({ id, category }) => [category, id]),
    );
    const ids: string[] = [];
    for (const [index, { tags, comment, partOf, ...task }] of TASKS.entries()) {
      const number = index + 1;
      const row = await tx.task.create({
        data: {
          ...{ ...tenant, ...task, number, position: number, projectId: project.id, createdById },
          stateId: stateOf.get(task.status) ?? null,
          parentId: partOf === undefined ? null : (ids[partOf - 1] ?? null),
        },
      });
      ids.push(row.id);
      if (comment) {
        await tx.comment.create({ data: { ...tenant, taskId: row.id, body: comment, createdById } });
      }
      for (const name of tags) {
        const key = tagKey(name);
        const { id: labelId } = await tx.label.upsert({
          where: { workspaceId_environment_key: { ...tenant, key } },
          create: { ...tenant, name, key, color: COLORS[name] ?? LABEL_COLOR, createdById },
          update: {},
        });
        await tx.taskTag.create({ data: { ...tenant, taskId: row.id, labelId, name, key } });
      }
    }
    await tx.taskCounter.create({ data: { ...tenant, lastNumber: TASKS.length } });
  });
}
