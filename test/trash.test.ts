/** What is deleted is nowhere but in the trash, and comes back whole, in whichever order. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanUp } from '../src/db/cleanup.js';
import { type RestAnswer, type RestCall, restClient } from './support/rest.js';
import { type GraphQLAnswer, startTestServer, type TestServer } from './support/server.js';
import { pass, subscribe, until } from './support/stream.js';

const RUNS = Number(process.env['TRASH_RUNS'] ?? 6);
const SEED = Number(process.env['TRASH_SEED'] ?? Date.now() % 1_000_000);
const DAY = 86_400_000;

let server: TestServer;
let call: (method: string, path: string, request?: RestCall) => Promise<RestAnswer>;
let ada: string;
let adaId: string;
let bobId: string;

beforeAll(async () => {
  process.stderr.write(`trash: seed ${SEED}, ${RUNS} runs\n`);
  server = await startTestServer();
  await server.system.workspace.updateMany({ data: { ratePerMinute: 10_000_000, ratePerHour: 100_000_000 } });
  call = restClient(server);
  const { user } = await made('createUser', 'user { id }', { email: 'ada@example.com', name: 'Ada' }, server.adminKey);
  const bob = await made('createUser', 'user { id }', { email: 'bob@example.com', name: 'Bob' }, server.adminKey);
  [adaId, bobId] = [user.id, bob.user.id];
  const { key, apiKey } = await server.createKey(['admin:*']);
  await server.system.apiKey.update({ where: { id: apiKey.id }, data: { createdById: adaId } });
  ada = key;
});
afterAll(() => server.stop());

type Kind = 'task' | 'project' | 'label' | 'comment';
const capital = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);
const codes = ({ errors }: GraphQLAnswer) => errors?.map(({ extensions }) => extensions['code']);
/** Comes again, as clients do, where a busy machine has the server say so: nothing was done then. */
async function run(name: string, selection: string, input: object, key = ada): Promise<GraphQLAnswer> {
  const document = `mutation ($input: ${capital(name)}Input!) { ${name}(input: $input) { ${selection} } }`;
  for (let tries = 0; ; tries += 1) {
    const answer = await server.gql(document, { input }, key);
    const isBusy = answer.errors?.some(({ extensions }) => extensions['code'] === 'SERVICE_UNAVAILABLE');
    if (!isBusy || tries === 20) return answer;
    await pass(500);
  }
}
async function made(name: string, selection: string, input: object, key = ada) {
  const { data, errors } = await run(name, selection, input, key);
  if (errors) throw new Error(`${name} ${JSON.stringify(input)}: ${JSON.stringify(errors)}`);
  return data[name];
}
async function read(query: string, variables: object = {}, key = ada) {
  const { data, errors } = await server.gql(query, variables, key);
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}
const newTask = async (input: object) => (await made('createTask', 'task { id }', { title: 'T', ...input })).task.id;
const remove = (kind: Kind, id: string) => run(`delete${capital(kind)}`, `deleted${capital(kind)}Id`, { id });
const restore = (kind: Kind, id: string, key = ada) => run(`restore${capital(kind)}`, `${kind} { id }`, { id }, key);
const purge = (kind: Kind, id: string, key = ada) =>
  run(`purge${capital(kind)}`, `purged${capital(kind)}Id`, { id }, key);
async function mustRestore(kind: Kind, id: string): Promise<void> {
  expect(codes(await restore(kind, id)), `restore ${kind}`).toBeUndefined();
}
const idsInTrash = async (key = ada): Promise<string[]> => {
  const { trash } = await read(
    '{ trash { tasks(first: 500) { nodes { id } } projects { nodes { id } } labels { nodes { id } } comments { nodes { id } } } }',
    {},
    key,
  );
  return Object.values(trash as Record<string, { nodes: { id: string }[] }>).flatMap(({ nodes }) =>
    nodes.map(({ id }) => id),
  );
};

/** All that is to be seen of some tasks, projects and labels, but for when they were changed. */
async function view(): Promise<Record<string, unknown>> {
  const data = await read(`{
    tasks(first: 8, orderBy: [{ field: NUMBER }]) { totalCount nodes {
      id number title description status priority tags startDate dueDate position createdAt createdBy { id } createdByKeyId
      project { id } state { id } parent { id } assignee { id }
      children(first: 4, orderBy: [{ field: NUMBER }]) { totalCount nodes { id } }
      labels(first: 4, orderBy: [{ field: NAME }]) { nodes { id name color description } }
      comments(first: 4, orderBy: [{ field: CREATED_AT }]) { nodes { id body parentId createdAt createdBy { id } deletedAt } }
      timeEntries(first: 4, orderBy: [{ field: CREATED_AT }]) { nodes { id note startedAt endedAt userId } }
      relationships { id type targetTask { id } } incomingRelationships { id type task { id } }
    } }
    projects(first: 10, orderBy: [{ field: CREATED_AT }], includeArchived: true) { nodes {
      id name slug description icon archivedAt createdAt tasks { totalCount }
      states(first: 10) { nodes { id name slug order category color icon tasks { totalCount } } }
    } }
    labels(first: 50, orderBy: [{ field: NAME }]) { nodes { id name color description createdAt tasks { totalCount } } }
    viewer { notifications(first: 50) { totalCount nodes { id kind taskId readAt } } }
  }`);
  for (const task of data.tasks.nodes) {
    for (const list of ['relationships', 'incomingRelationships']) {
      task[list].sort((one: { id: string }, other: { id: string }) => (one.id < other.id ? -1 : 1));
    }
  }
  return data;
}

/** Tasks of two projects and of none, with all that may be theirs. @param mark stands in every text */
async function fill(mark: string) {
  const text = (name: string) => `${name} ${mark}`;
  const project = async (name: string) =>
    (await made('createProject', 'project { id }', { name: text(name), slug: `${name}-${mark}`, icon: 'Rocket' }))
      .project.id;
  const projects = [await project('one'), await project('two')];
  await made('createState', 'state { id }', { projectId: projects[0], name: text('QA'), color: '#123456' });
  const label = async (name: string) =>
    (await made('createLabel', 'label { id }', { name: text(name), color: '#ff0000', description: text('d') })).label
      .id;
  const labels = [await label('red'), await label('blue')];
  const tasks: string[] = [];
  const add = async (input: object) => {
    tasks.push(await newTask({ description: text('body'), priority: 'HIGH', ...input }));
    return tasks.at(-1) as string;
  };
  const [one, two] = projects;
  const top = await add({
    ...{ title: text('top'), projectId: one, stateSlug: `qa-${mark}`, tags: [text('red'), text('blue')] },
    ...{ assigneeId: bobId, startDate: '2026-01-01T00:00:00Z', dueDate: '2026-02-03T04:05:06.789Z', position: 0.1 },
  });
  const child = await add({ title: text('child'), parentId: top, tags: [text('red')] });
  const leaf = await add({ title: text('leaf'), parentId: child, status: 'DONE' });
  const other = await add({ title: text('other'), projectId: two, tags: [text('blue')] });
  const free = await add({ title: text('free'), tags: [text('red')] });
  const tie = (type: string, taskId: string, targetTaskId: string) =>
    made('createTaskRelationship', 'taskRelationship { id }', { type, taskId, targetTaskId });
  await tie('BLOCKS', top, other);
  await tie('BLOCKS', other, free);
  await tie('RELATES_TO', child, free);
  await tie('DUPLICATES', leaf, child);
  const comments: string[] = [];
  const say = async (taskId: string, parentId?: string) => {
    const { comment } = await made('createComment', 'comment { id }', { taskId, parentId, body: text('said') });
    comments.push(comment.id);
    return comment.id;
  };
  await say(top, await say(top));
  await say(other);
  const { system } = server;
  for (const taskId of [top, free]) {
    await made('createTimeEntry', 'timeEntry { id }', {
      ...{ taskId, note: text('time'), startedAt: '2026-01-01T00:00:00Z', endedAt: '2026-01-01T01:00:00Z' },
    });
    const tenant = { workspaceId: server.workspace.id, environment: 'LIVE' as const };
    await system.notification.create({ data: { ...tenant, taskId, userId: adaId, kind: 'ASSIGNED', senderId: bobId } });
  }
  return { task: tasks, project: projects, label: labels, comment: comments };
}

/** Where rows are listed, found and counted, by every door. */
async function doors(mark: string): Promise<string> {
  const paths = [
    ...['/api/tasks', '/api/projects', '/api/task', '/api/project', '/v1/tasks?limit=100', '/v1/projects?limit=100'],
    ...[`/api/label/workspace/${server.workspace.id}`, `/api/search?q=${mark}&limit=50`, '/api/notification'],
  ];
  const bodies = await Promise.all(
    paths.map(async (path) => {
      const { status, body } = await call('GET', path, { key: ada });
      expect(status, path).toBe(200);
      return body;
    }),
  );
  const found = await read(
    `query ($s: String!) { tasks(search: $s, first: 50) { nodes { id title } } projects(search: $s, includeArchived: true) { nodes { id } }
     labels(search: $s) { nodes { id } } comments(search: $s, first: 50) { nodes { id } } timeEntries(first: 100) { nodes { taskId } }
     taskCounts(groupBy: [PROJECT, LABEL, STATE]) { counts { id } } states(first: 200) { nodes { projectId } }
     searchTasks(search: $s, first: 50) { totalCount edges { node { id } comment { id } snippet { text } } }
     exportTasks(format: CSV, search: $s) { content } }`,
    { s: mark },
  );
  return JSON.stringify([bodies, found, await view()]);
}

describe('the trash', () => {
  it('hides what is in it from everything else, and gives it back whole, in any order', {
    timeout: 300_000,
  }, async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.nat(1_000_000)), async (stream) => {
        round += 1;
        const mark = `mark${SEED}x${round}`;
        const below = (most: number) => (stream.next().value as number) % most;
        const rows = await fill(mark);
        const before = await view();
        const all = (Object.entries(rows) as [Kind, string[]][]).flatMap(([kind, ids]) =>
          ids.map((id) => ({ kind, id })),
        );
        let trashed: typeof all = [];
        const steps = 6 + below(10);
        for (let step = 0; step < steps; step += 1) {
          if (trashed.length > 0 && below(3) === 0) {
            const back = trashed[below(trashed.length)] as (typeof all)[0];
            const answer = await restore(back.kind, back.id);
            // A comment whose task is in the trash waits for that.
            if (answer.errors) expect([back.kind, codes(answer)]).toEqual(['comment', ['CONFLICT']]);
            else trashed = trashed.filter((one) => one !== back);
            continue;
          }
          const one = all[below(all.length)] as (typeof all)[0];
          const isTrashed = trashed.includes(one);
          const answer = await remove(one.kind, one.id);
          // A comment goes with its task, and one that was deleted is deleted again.
          if (one.kind === 'comment') {
            if (answer.errors) expect(codes(answer)).toEqual(['NOT_FOUND']);
            else if (!isTrashed) trashed.push(one);
          } else {
            expect(codes(answer), one.kind).toEqual(isTrashed ? ['NOT_FOUND'] : undefined);
            if (!isTrashed) trashed.push(one);
          }
        }
        expect((await idsInTrash()).sort()).toEqual(trashed.map(({ id }) => id).sort());
        const seen = await doors(mark);
        for (const { kind, id } of trashed) {
          if (kind === 'comment') continue;
          expect(seen.includes(id), `${kind} ${id} is seen`).toBe(false);
          const found = await server.gql(
            `query ($id: ID!) { ${kind}(id: $id) { id } node(id: $id) { id } }`,
            { id },
            ada,
          );
          expect(codes(found)).toEqual(['NOT_FOUND', 'NOT_FOUND']);
          const input = kind === 'task' ? { id, title: 'x' } : { id, name: 'x' };
          expect(codes(await run(`update${capital(kind)}`, `${kind} { id }`, input))).toEqual(['NOT_FOUND']);
        }
        // In any order, comments after their tasks.
        while (trashed.length > 0) {
          const back = trashed[below(trashed.length)] as (typeof all)[0];
          const answer = await restore(back.kind, back.id);
          if (answer.errors) expect([back.kind, codes(answer)]).toEqual(['comment', ['CONFLICT']]);
          else trashed = trashed.filter((one) => one !== back);
        }
        expect(await view()).toEqual(before);
        expect(await idsInTrash()).toEqual([]);
        await made('deleteTasks', 'count', { ids: rows.task });
        for (const id of rows.task) await made('purgeTask', 'purgedTaskId', { id });
        for (const kind of ['project', 'label'] as const) {
          for (const id of rows[kind]) {
            await remove(kind, id);
            expect(codes(await purge(kind, id))).toBeUndefined();
          }
        }
        expect(await idsInTrash()).toEqual([]);
        expect(await server.system.trashRow.count()).toBe(0);
      }),
      { seed: SEED, numRuns: RUNS, endOnFailure: true },
    );
  });

  it('gives back many that were deleted at once', async () => {
    const rows = await fill('bulk');
    const before = await view();
    expect((await made('deleteTasks', 'count', { ids: rows.task })).count).toBe(5);
    expect((await view())['tasks']).toMatchObject({ nodes: [] });
    await Promise.all(rows.task.map((id) => mustRestore('task', id)));
    expect(await view()).toEqual(before);
    await made('deleteTasks', 'count', { ids: rows.task });
  });

  it('gives each row back once, and is deleted from for good', async () => {
    const id = await newTask({ title: 'Once', tags: ['once'] });
    await remove('task', id);
    const answers = await Promise.all(Array.from({ length: 5 }, () => restore('task', id)));
    expect(answers.map((answer) => codes(answer)?.[0] ?? 'ok').sort()).toEqual([
      ...['NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND', 'ok'],
    ]);
    await remove('task', id);
    expect(codes(await restore('label', id))).toEqual(['NOT_FOUND']);
    expect(codes(await purge('project', id))).toEqual(['NOT_FOUND']);
    await made('purgeTask', 'purgedTaskId', { id });
    for (const attempt of [restore('task', id), purge('task', id)]) expect(codes(await attempt)).toEqual(['NOT_FOUND']);
  });

  it('gives back what it can of what has changed meanwhile', async () => {
    const { project } = await made('createProject', 'project { id }', { name: 'Gone', slug: 'gone' });
    const { label } = await made('createLabel', 'label { id }', { name: 'Gone' });
    const parent = await newTask({ title: 'Parent', projectId: project.id });
    const [child, kept] = [
      await newTask({ parentId: parent }),
      await newTask({ projectId: project.id, tags: ['Gone'] }),
    ];
    await remove('task', parent);
    const elsewhere = await newTask({ projectId: project.id });
    await made('updateTask', 'task { id }', { id: child, parentId: elsewhere });
    await mustRestore('task', parent);
    expect((await read('query ($id: ID!) { task(id: $id) { parentId } }', { id: child })).task.parentId).toBe(
      elsewhere,
    );
    await remove('project', project.id);
    await made('createProject', 'project { id }', { name: 'Gone', slug: 'gone' });
    expect(codes(await restore('project', project.id))).toEqual(['CONFLICT']);
    const { data } = await server.gql('{ projects(filter: { slug: { eq: "gone" } }) { nodes { id } } }');
    await made('updateProject', 'project { id }', { id: data.projects.nodes[0].id, slug: null });
    await made('updateTask', 'task { id }', { id: kept, projectId: data.projects.nodes[0].id });
    await mustRestore('project', project.id);
    // The other has the key that was made of the same name.
    const { projects } = await read('{ projects(filter: { name: { eq: "Gone" } }) { nodes { key } } }');
    expect(projects.nodes.map(({ key }: { key: string }) => key).sort()).toEqual(['GON', 'GON2']);
    const places = await read(
      'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Task { projectId state { slug } } } }',
      {
        ids: [parent, child, elsewhere, kept],
      },
    );
    expect(places.nodes).toEqual([
      ...[1, 2, 3].map(() => ({ projectId: project.id, state: { slug: 'to-do' } })),
      { projectId: data.projects.nodes[0].id, state: { slug: 'to-do' } },
    ]);
    await remove('label', label.id);
    await made('updateTask', 'task { id }', { id: kept, tags: ['gone'] });
    expect(codes(await restore('label', label.id))).toEqual(['CONFLICT']);
  });

  it('takes tasks with much text and many sub-tasks, which no answer could hold', { timeout: 120_000 }, async () => {
    const { system, workspace } = server;
    const tenant = { workspaceId: workspace.id, environment: 'LIVE' as const };
    const id = await newTask({ title: 'Much' });
    const { task } = await read('query ($id: ID!) { task(id: $id) { number } }', { id });
    const body = '"'.repeat(9990);
    await system.comment.createMany({ data: Array.from({ length: 1800 }, () => ({ ...tenant, taskId: id, body })) });
    const children = Array.from({ length: 1000 }, (_, i) => ({
      ...{ ...tenant, number: 1_000_000 + task.number * 1000 + i, title: 'Child', parentId: id },
    }));
    await system.task.createMany({ data: children });
    expect(codes(await remove('task', id))).toBeUndefined();
    expect(await system.task.count({ where: { parentId: id } })).toBe(0);
    await mustRestore('task', id);
    expect(await system.task.count({ where: { parentId: id } })).toBe(1000);
    expect(await system.comment.count({ where: { taskId: id, body } })).toBe(1800);
    const texts = await system.task.findMany({ where: { parentId: id }, select: { id: true }, take: 700 });
    const ids = texts.map((row) => row.id);
    await system.task.updateMany({ where: { id: { in: ids } }, data: { description: '\u8a9e'.repeat(9990) } });
    expect((await made('deleteTasks', 'count', { ids })).count).toBe(700);
    await mustRestore('task', ids[0] ?? '');
    await system.trashItem.deleteMany();
    await system.task.deleteMany({ where: { OR: [{ parentId: id }, { id }] } });
  });

  it('gives back what fits together, whatever is changed at once', { timeout: 120_000 }, async () => {
    const newProject = async () =>
      (await made('createProject', 'project { id states { nodes { id slug } } }', { name: 'R' })).project;
    const [one, two] = [await newProject(), await newProject()];
    const parent = await newTask({ projectId: one.id });
    const ids = await Promise.all(
      Array.from({ length: 24 }, (_, i) => newTask({ projectId: one.id, ...(i < 8 && { parentId: parent }) })),
    );
    const free = ids.slice(8);
    // So many that restoring takes a while.
    const { workspaceId, environment, stateId } = await server.system.task.findUniqueOrThrow({ where: { id: parent } });
    const more = Array.from({ length: 300 }, (_, i) => ({
      ...{ workspaceId, environment, stateId, number: 9_000_000 + i, title: 'T', projectId: one.id },
    }));
    await server.system.task.createMany({ data: more });
    const many = (
      await server.system.task.findMany({ where: { number: { gte: 9_000_000 } }, select: { id: true } })
    ).map(({ id }) => id);
    const todo = one.states.nodes.find(({ slug }: { slug: string }) => slug === 'to-do').id;
    const ok = ['CONFLICT', 'NOT_FOUND', 'BAD_USER_INPUT', 'SERVICE_UNAVAILABLE'];
    const attempt = async (answer: Promise<GraphQLAnswer>) => {
      for (const code of codes(await answer) ?? []) expect(ok).toContain(code);
    };
    const late = (milliseconds: number, work: () => Promise<GraphQLAnswer>) =>
      new Promise<void>((resolve, reject) => {
        setTimeout(() => attempt(work()).then(resolve, reject), milliseconds);
      });
    for (let round = 0; round < 6; round += 1) {
      await attempt(remove('project', one.id));
      await Promise.all([
        attempt(restore('project', one.id)),
        late(round * 6, () =>
          run('updateTasks', 'count', { ids: [...many, ...free.slice(0, 8)], status: round % 2 ? 'TODO' : 'DONE' }),
        ),
        ...free
          .slice(8)
          .map((id) =>
            late(round * 4, () => run('updateTask', 'task { id }', { id, projectId: two.id, status: 'DONE' })),
          ),
      ]);
      await attempt(remove('task', parent));
      await Promise.all([
        attempt(restore('task', parent)),
        ...ids
          .slice(0, 8)
          .map((id, i) =>
            late(i + round, () => run('updateTask', 'task { id }', { id, projectId: i % 2 ? two.id : one.id })),
          ),
        late(round, () => run('updateState', 'state { id }', { id: todo, category: round % 2 ? 'TODO' : 'DONE' })),
        late(2 * round, () => remove('task', free[round] ?? '')),
      ]);
      await attempt(restore('project', one.id));
      const rows = await server.system.task.findMany({
        where: { id: { in: [parent, ...ids, ...many] } },
        include: { state: true, parent: true },
      });
      for (const row of rows) {
        if (row.state) expect([row.state.category, row.state.projectId]).toEqual([row.status, row.projectId]);
        if (row.parent) expect(row.parent.projectId).toBe(row.projectId);
      }
    }
  });

  it('tells of tasks that come back to their project, by a key that is bound to it too', async () => {
    const { project } = await made('createProject', 'project { id }', { name: 'Told' });
    const id = await newTask({ projectId: project.id });
    const bound = await server.createKey(['tasks:*', 'projects:*']);
    await server.system.apiKey.update({ where: { id: bound.apiKey.id }, data: { projectIds: project.id } });
    await remove('project', project.id);
    const stream = await subscribe(
      server,
      ada,
      'subscription ($p: ID) { taskChanged(projectId: $p) { action taskId projectId previousProjectId } }',
      { p: project.id },
    );
    expect(codes(await restore('project', project.id, bound.key))).toBeUndefined();
    await until(() => stream.events.some(({ data }) => data?.taskChanged));
    stream.stop();
    expect(stream.events.flatMap(({ data }) => data?.taskChanged ?? [])).toEqual([
      { action: 'UPDATED', taskId: id, projectId: project.id, previousProjectId: null },
    ]);
    const { task } = await read('query ($id: ID!) { task(id: $id) { projectId activity { nodes { changes } } } }', {
      id,
    });
    expect(task.projectId).toBe(project.id);
    expect(JSON.parse(task.activity.nodes[0].changes)).toEqual({ projectId: { from: null, to: project.id } });
    // A task is not brought back where the key could not see it.
    await remove('task', id);
    await remove('project', project.id);
    expect(codes(await restore('task', id, bound.key))).toEqual(['CONFLICT']);
    expect(await idsInTrash(bound.key)).toContain(id);
    expect(codes(await restore('project', project.id, bound.key))).toBeUndefined();
    expect(codes(await restore('task', id, bound.key))).toBeUndefined();
    // A slug that the key does not see is taken all the same.
    await made('updateProject', 'project { id }', { id: project.id, slug: 'told' });
    await remove('project', project.id);
    await made('createProject', 'project { id }', { name: 'Other', slug: 'told' });
    expect(codes(await restore('project', project.id, bound.key))).toEqual(['CONFLICT']);
  });

  it('keeps comments where their task is, and tags of labels that were merged', async () => {
    const newProject = async () => (await made('createProject', 'project { id }', { name: 'C' })).project.id;
    const [from, to] = [await newProject(), await newProject()];
    const keyOf = async (projectIds: string) => {
      const { key, apiKey } = await server.createKey(['tasks:*', 'projects:read']);
      await server.system.apiKey.update({ where: { id: apiKey.id }, data: { projectIds } });
      return key;
    };
    const [here, there] = [await keyOf(from), await keyOf(to)];
    const id = await newTask({ projectId: from, tags: ['merged away'] });
    const { comment } = await made('createComment', 'comment { id }', { taskId: id, body: 'Kept' });
    await remove('comment', comment.id);
    await made('updateTask', 'task { id }', { id, projectId: to });
    expect([await idsInTrash(here), await idsInTrash(there)]).toEqual([[], [comment.id]]);
    expect(codes(await purge('comment', comment.id, here))).toEqual(['NOT_FOUND']);
    expect(codes(await restore('comment', comment.id, there))).toBeUndefined();
    const { labels } = await read('{ labels(filter: { name: { eq: "merged away" } }) { nodes { id } } }');
    const { label } = await made('createLabel', 'label { id }', { name: 'into this' });
    await remove('task', id);
    await made('deleteLabel', 'deletedLabelId', { id: labels.nodes[0].id, intoId: label.id });
    await mustRestore('task', id);
    expect((await read('query ($id: ID!) { task(id: $id) { tags } }', { id })).task.tags).toEqual(['into this']);
  });

  it('gives a task back whose labels became one, and a comment that is cut within a character', async () => {
    const id = await newTask({ tags: ['one of two', 'other of two', 'kept'] });
    const { labels } = await read('{ labels(search: "of two") { nodes { id } } }');
    const [one, two] = labels.nodes as [{ id: string }, { id: string }];
    await remove('task', id);
    await made('deleteLabel', 'deletedLabelId', { id: one.id, intoId: two.id });
    await mustRestore('task', id);
    expect((await read('query ($id: ID!) { task(id: $id) { tags } }', { id })).task.tags).toHaveLength(2);
    const body = `${'a'.repeat(99)}\u{1f600} tail`;
    const { comment } = await made('createComment', 'comment { id }', { taskId: id, body });
    expect(codes(await remove('comment', comment.id))).toBeUndefined();
    const { trash } = await read(
      'query ($id: ID) { trash { comments(filter: { id: { eq: $id } }) { nodes { title } } } }',
      {
        id: comment.id,
      },
    );
    expect(trash.comments.nodes[0].title).toBe(`${'a'.repeat(99)}\u{1f600}`);
    await mustRestore('comment', comment.id);
    expect((await read('query ($id: ID!) { comment(id: $id) { body } }', { id: comment.id })).comment.body).toBe(body);
  });

  it('takes a task with one of its sub-tasks, and tells of each once', async () => {
    const parent = await newTask({});
    const [gone, stays] = [await newTask({ parentId: parent }), await newTask({ parentId: parent })];
    await made('deleteTasks', 'count', { ids: [parent, gone] });
    const entries = await server.system.auditEvent.findMany({
      where: { targetId: { in: [parent, gone, stays] }, action: { not: 'task.create' } },
      select: { action: true, targetId: true },
    });
    expect(entries.map(({ action, targetId }) => `${action} ${targetId}`).sort()).toEqual(
      [`task.delete ${gone}`, `task.delete ${parent}`, `task.update ${stays}`].sort(),
    );
    for (const id of [gone, parent]) await mustRestore('task', id);
    const { task } = await read('query ($id: ID!) { task(id: $id) { children { nodes { id } } } }', { id: parent });
    expect(task.children.nodes.map(({ id }: { id: string }) => id).sort()).toEqual([gone, stays].sort());
  });

  it('keeps what was said of a task while it was deleted', { timeout: 60_000 }, async () => {
    for (let round = 0; round < 12; round += 1) {
      const taskId = await newTask({ title: 'Race' });
      const comments: string[] = [];
      for (let i = 0; i < 4; i += 1) {
        comments.push((await made('createComment', 'comment { id }', { taskId, body: `b${i}` })).comment.id);
      }
      const [one, two, three, four] = comments as [string, string, string, string];
      await remove('comment', four);
      const [, removed, edited, again, restored] = await Promise.all([
        remove('task', taskId),
        remove('comment', one),
        run('updateComment', 'comment { id }', { id: two, body: 'new' }),
        run('updateComment', 'comment { id }', { id: three, body: 'new too' }),
        restore('comment', four),
      ]);
      await mustRestore('task', taskId);
      const { task } = await read(
        'query ($id: ID!) { task(id: $id) { comments(first: 10) { nodes { id body deletedAt } } } }',
        { id: taskId },
      );
      const of = (id: string) => task.comments.nodes.find((node: { id: string }) => node.id === id);
      if (!removed?.errors) expect(of(one)).toMatchObject({ body: '', deletedAt: expect.any(String) });
      if (!edited?.errors) expect(of(two).body).toBe('new');
      if (!again?.errors) expect(of(three).body).toBe('new too');
      if (!restored?.errors) expect(of(four)).toMatchObject({ body: 'b3', deletedAt: null });
      // It may be back, and gone again before it was shown.
      else if (of(four).body !== 'b3') expect(codes(await restore('comment', four))).toBeUndefined();
    }
  });

  it('tells subscribers that a task went, and that it came back', async () => {
    const id = await newTask({ title: 'Told' });
    const stream = await subscribe(server, ada);
    await remove('task', id);
    await mustRestore('task', id);
    await remove('task', id);
    const told = () =>
      stream.events.flatMap(({ data }) => (data?.taskChanged?.taskId === id ? [data.taskChanged.action] : []));
    await until(() => told().length >= 3);
    stream.stop();
    expect(told()).toEqual(['DELETED', 'CREATED', 'DELETED']);
  });

  it('ends a timer that ran, and forgets users who are gone', async () => {
    const { user } = await made('createUser', 'user { id }', { email: 'eve@example.com', name: 'Eve' });
    const id = await newTask({ title: 'Timed', assigneeId: user.id });
    const { timeEntry } = await made('createTimeEntry', 'timeEntry { id endedAt }', { taskId: id });
    expect(timeEntry.endedAt).toBeNull();
    await remove('task', id);
    await made('deleteUser', 'deletedUserId', { id: user.id });
    await mustRestore('task', id);
    const { task } = await read(
      'query ($id: ID!) { task(id: $id) { assigneeId timeEntries { nodes { id endedAt } } activity { nodes { action } } } }',
      { id },
    );
    expect(task).toMatchObject({
      assigneeId: null,
      timeEntries: { nodes: [{ id: timeEntry.id, endedAt: expect.any(String) }] },
    });
    expect(task.activity.nodes.map(({ action }: { action: string }) => action)).toEqual([
      ...['task.restore', 'task.delete', 'task.create'],
    ]);
  });

  it('keeps what is in it for 30 days', async () => {
    const id = await newTask({ title: 'Old', tags: ['old'] });
    await remove('task', id);
    const { trash } = await read(
      'query ($id: ID!) { trash { tasks(filter: { id: { eq: $id } }) { nodes { title deletedAt expiresAt deletedById deletedByKeyId } } } }',
      { id },
    );
    const [item] = trash.tasks.nodes;
    expect(item).toMatchObject({ title: 'Old', deletedById: adaId, deletedByKeyId: expect.stringMatching(/^key_/) });
    expect(Date.parse(item.expiresAt) - Date.parse(item.deletedAt)).toBe(30 * DAY);
    const at = Date.parse(item.expiresAt);
    const never = new AbortController().signal;
    await cleanUp(server.system, never, new Date(at));
    expect(await server.system.trashItem.count({ where: { id } })).toBe(1);
    await server.system.trashItem.update({ where: { id }, data: { expiresAt: new Date() } });
    expect(await idsInTrash()).not.toContain(id);
    expect(codes(await restore('task', id))).toEqual(['NOT_FOUND']);
    await cleanUp(server.system, never, new Date(Date.now() + 1));
    expect(await server.system.trashItem.count({ where: { id } })).toBe(0);
    expect(await server.system.trashRow.count({ where: { itemId: id } })).toBe(0);
  });

  it('takes scopes, and shows a key that is bound to projects what was in those', async () => {
    const { project } = await made('createProject', 'project { id }', { name: 'Bound' });
    const [inside, outside] = [await newTask({ projectId: project.id }), await newTask({})];
    for (const id of [inside, outside]) await remove('task', id);
    const writer = await server.createKey(['tasks:write', 'tasks:read']);
    await server.system.apiKey.update({ where: { id: writer.apiKey.id }, data: { createdById: bobId } });
    expect(codes(await purge('task', outside, writer.key))).toEqual(['FORBIDDEN']);
    expect(codes(await restore('project', project.id, writer.key))).toEqual(['FORBIDDEN']);
    const reader = await server.gql('{ trash { tasks { nodes { id } } projects { nodes { id } } } }', {}, writer.key);
    expect([codes(reader), reader.data.trash.projects]).toEqual([['FORBIDDEN'], null]);
    const bound = await server.createKey(['tasks:*', 'projects:read']);
    await server.system.apiKey.update({ where: { id: bound.apiKey.id }, data: { projectIds: project.id } });
    expect(await idsInTrash(bound.key)).toEqual([inside]);
    for (const attempt of [restore('task', outside, bound.key), purge('task', outside, bound.key)]) {
      expect(codes(await attempt)).toEqual(['NOT_FOUND']);
    }
    expect(codes(await restore('task', inside, bound.key))).toBeUndefined();
    // Another's comment is brought back by those who may delete it.
    const { comment } = await made('createComment', 'comment { id }', { taskId: inside, body: 'Mine' });
    await remove('comment', comment.id);
    expect(codes(await restore('comment', comment.id, writer.key))).toEqual(['FORBIDDEN']);
    expect(codes(await restore('comment', comment.id))).toBeUndefined();
    expect(
      (await read('query ($id: ID!) { comment(id: $id) { body deletedAt } }', { id: comment.id })).comment,
    ).toEqual({
      ...{ body: 'Mine', deletedAt: null },
    });
  });
});
