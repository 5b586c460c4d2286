/** What migrations cannot say in SQL: columns that the program computes, computed again where the rule has changed. */
import type { PrismaClient } from '#prisma/client.js';
import { LABEL_COLOR, tagKey } from './text.js';

/** Raised whenever the rule behind `tagKey` changes. */
const TAG_KEYS = { name: 'tag_keys', value: 2 } as const;
const BATCH = 500;

/** Safe to run in several processes at once, and after it was cut off. */
export async function repair(system: PrismaClient): Promise<void> {
  const done = await system.changeCounter.findUnique({ where: { name: TAG_KEYS.name } });
  if ((done?.value ?? 0) >= TAG_KEYS.value) return;
  await repairTagKeys(system);
  const { name, value } = TAG_KEYS;
  await system.changeCounter.upsert({ where: { name }, create: { name, value }, update: { value } });
}

async function repairTagKeys(system: PrismaClient): Promise<void> {
  let after: { taskId: string; key: string } | undefined;
  for (;;) {
    const rows = await system.taskTag.findMany({
      orderBy: [{ taskId: 'asc' }, { key: 'asc' }],
      ...(after && {
        where: {
          // Where the index is to be entered, which a disjunction does not say.
          taskId: { gte: after.taskId },
          OR: [{ taskId: { gt: after.taskId } }, { key: { gt: after.key } }],
        },
      }),
      take: BATCH,
    });
    for (const { taskId, key, name, labelId, workspaceId, environment } of rows) {
      const right = tagKey(name);
      if (right === key) continue;
      await system.$transaction(async (tx) => {
        // Of two that have become the same, one stays.
        const same = await tx.taskTag.findUnique({ where: { taskId_key: { taskId, key: right } } });
        if (same) {
          await tx.taskTag.deleteMany({ where: { taskId, key } });
        } else {
          const label = { workspaceId, environment, key: right };
          const { id } = await tx.label.upsert({
            where: { workspaceId_environment_key: label },
            create: { ...label, name, color: LABEL_COLOR },
            update: {},
            select: { id: true },
          });
          await tx.taskTag.updateMany({ where: { taskId, key }, data: { key: right, labelId: id } });
        }
        await tx.label.deleteMany({ where: { id: labelId, key, tags: { none: {} } } });
      });
    }
    const last = rows.at(-1);
    if (rows.length < BATCH || !last) return;
    after = { taskId: last.taskId, key: last.key };
  }
}
