// A filled database, and servers over it in processes of their own.
import { fork } from 'node:child_process';
import path from 'node:path';
import { migrateDatabase, openDatabase } from '../dist/modules/db/database.js';
import { providerOf } from '../dist/modules/db/provider.js';
import { bootstrap } from '../dist/modules/keys/bootstrap.js';
import { generateKey } from '../dist/modules/keys/format.js';

/**
 * One key, twenty projects and so many tasks, of which one of ten users has each; answers the key and the id of a task. Of no
 * tasks, there is the key alone.
 */
export async function seed(databaseUrl, tasks = 0) {
  const key = generateKey('LIVE');
  const options = { provider: providerOf(databaseUrl), databaseUrl };
  await migrateDatabase(options);
  const database = await openDatabase(options);
  await bootstrap(database, { bootstrapKey: key, defaultPlan: 'enterprise' });
  // The load is the point here, not the limits.
  await database.system.workspace.updateMany({ data: { ratePerMinute: 100_000_000, ratePerHour: 100_000_000 } });
  if (tasks === 0) {
    await database.close();
    return { key };
  }
  const { id: workspaceId } = await database.system.workspace.findFirstOrThrow();
  const tenant = { workspaceId, environment: 'LIVE' };
  const projects = [];
  const users = [];
  for (let i = 0; i < 20; i += 1) {
    projects.push((await database.system.project.create({ data: { ...tenant, name: `Project ${i}` } })).id);
  }
  for (let i = 0; i < 10; i += 1) {
    users.push(
      (await database.system.user.create({ data: { ...tenant, name: `User ${i}`, email: `user${i}@example.com` } })).id,
    );
  }
  for (let from = 0; from < tasks; from += 10_000) {
    await database.system.task.createMany({
      data: Array.from({ length: Math.min(10_000, tasks - from) }, (_, i) => ({
        ...tenant,
        number: from + i + 1,
        title: `Task ${from + i + 1}`,
        status: (from + i) % 7,
        projectId: projects[(from + i) % 20],
        assigneeId: users[(from + i) % 10],
      })),
    });
  }
  await database.system.taskCounter.create({ data: { ...tenant, lastNumber: tasks } });
  const { id: taskId } = await database.system.task.findFirstOrThrow();
  await database.close();
  return { key, taskId };
}

export function start(script, file) {
  const child = fork(path.join(import.meta.dirname, script), [file], {
    execArgv: ['--expose-gc'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    child.once('message', (port) => resolve({ process: child, port }));
    child.once('exit', (code) => reject(new Error(`${script} ended with ${code}`)));
  });
}
