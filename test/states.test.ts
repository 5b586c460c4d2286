/** States of projects, where tasks stand in them, and Kaneo's columns, which they are. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RestAnswer, type RestCall, restClient } from './support/rest.js';
import { type GraphQLAnswer, startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
let call: (method: string, path: string, request?: RestCall) => Promise<RestAnswer>;

beforeAll(async () => {
  server = await startTestServer();
  call = restClient(server);
});
afterAll(() => server.stop());

interface State {
  readonly id: string;
  readonly slug: string;
  readonly category: string;
  readonly order: number;
}

const codes = ({ errors }: GraphQLAnswer) => errors?.map(({ extensions }) => extensions['code']);
const fieldsOf = ({ errors }: GraphQLAnswer) => Object.keys((errors?.[0]?.extensions['fields'] as object) ?? {});
const capital = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);
const run = (name: string, selection: string, input: object, key = server.adminKey) =>
  server.gql(`mutation ($input: ${capital(name)}Input!) { ${name}(input: $input) { ${selection} } }`, { input }, key);
async function made(name: string, selection: string, input: object) {
  const { data, errors } = await run(name, selection, input);
  if (errors) throw new Error(JSON.stringify(errors));
  return data[name];
}
const STATE = 'id slug name color icon order category';
const TASK = 'id status stateId state { slug category } updatedAt';
async function newProject(name = 'Board'): Promise<{ id: string; of: (slug: string) => State; slugs: string[] }> {
  const { project } = await made('createProject', `project { id states { nodes { ${STATE} } } }`, { name });
  const states: State[] = project.states.nodes;
  return {
    id: project.id,
    slugs: states.map(({ slug }) => slug),
    of: (slug) => states.find((state) => state.slug === slug) as State,
  };
}
const newTask = async (input: object) => (await made('createTask', `task { ${TASK} }`, { title: 'T', ...input })).task;
const changed = async (id: string, input: object) =>
  (await made('updateTask', `task { ${TASK} }`, { id, ...input })).task;
const shown = async (id: string) =>
  (await server.gql(`query ($id: ID!) { task(id: $id) { ${TASK} } }`, { id })).data.task;
const statesOf = async (id: string): Promise<State[]> =>
  (await server.gql(`query ($id: ID!) { project(id: $id) { states { nodes { ${STATE} } } } }`, { id })).data.project
    .states.nodes;

describe('a project', () => {
  it('has seven states, one for each status, and a task is in that of its status', async () => {
    const project = await newProject();
    expect(project.slugs).toEqual(['backlog', 'triage', 'to-do', 'in-progress', 'in-review', 'done', 'canceled']);
    expect(await newTask({ projectId: project.id })).toMatchObject({ status: 'TODO', state: { slug: 'to-do' } });
    const task = await newTask({ projectId: project.id, status: 'IN_REVIEW' });
    expect(task).toMatchObject({ stateId: project.of('in-review').id, state: { slug: 'in-review' } });
    expect(await newTask({ status: 'DONE' })).toMatchObject({ status: 'DONE', stateId: null, state: null });
  });

  it('has states of its own names, at the end, at most 50', async () => {
    const project = await newProject();
    const { state } = await made('createState', `state { ${STATE} project { id } }`, {
      ...{ projectId: project.id, name: '  Ready for QA! ', color: '#ABC', icon: 'flask' },
    });
    expect(state).toEqual({
      ...{ id: expect.any(String), slug: 'ready-for-qa', name: 'Ready for QA!', color: '#aabbcc', icon: 'flask' },
      ...{ order: 7, category: 'IN_PROGRESS', project: { id: project.id } },
    });
    const same = await run('createState', 'state { id }', { projectId: project.id, name: 'ready for qa' });
    expect([codes(same), fieldsOf(same)]).toEqual([['CONFLICT'], ['name']]);
    for (const [input, field] of [
      [{ name: '' }, 'name'],
      [{ name: '!!!' }, 'name'],
      [{ name: 'x'.repeat(101) }, 'name'],
      [{ name: 'x', slug: '--' }, 'slug'],
      [{ name: 'x', slug: 'x'.repeat(101) }, 'slug'],
      [{ name: 'x', color: 'red' }, 'color'],
    ] as const) {
      const answer = await run('createState', 'state { id }', { projectId: project.id, ...input });
      expect([codes(answer), fieldsOf(answer)]).toEqual([['BAD_USER_INPUT'], [field]]);
    }
    // One character of it is 18 when it is normalized.
    const long = await made('createState', 'state { id slug }', { projectId: project.id, name: '\ufdfa'.repeat(100) });
    expect([...long.state.slug].length).toBeLessThanOrEqual(100);
    await made('deleteState', 'deletedStateId', { id: long.state.id });
    for (let i = 8; i < 50; i += 1) await made('createState', 'state { id }', { projectId: project.id, name: `n${i}` });
    expect(codes(await run('createState', 'state { id }', { projectId: project.id, name: 'more' }))).toEqual([
      'CONFLICT',
    ]);
    expect(codes(await run('createState', 'state { id }', { projectId: 'none', name: 'x' }))).toEqual(['NOT_FOUND']);
  });

  it('orders some of its states, and the others keep their places', async () => {
    const project = await newProject();
    const ids = ['done', 'to-do'].map((slug) => project.of(slug).id);
    const reorder = (stateIds: string[]) =>
      run('reorderStates', `project { states { nodes { slug } } }`, { projectId: project.id, stateIds });
    const { data } = await reorder(ids);
    expect(data.reorderStates.project.states.nodes.map(({ slug }: State) => slug)).toEqual([
      ...['backlog', 'triage', 'done', 'in-progress', 'in-review', 'to-do', 'canceled'],
    ]);
    const other = await newProject();
    for (const bad of [[], [ids[0], ids[0]]] as string[][]) {
      expect(codes(await reorder(bad))).toEqual(['BAD_USER_INPUT']);
    }
    expect(codes(await reorder([other.of('done').id]))).toEqual(['NOT_FOUND']);
  });
});

describe('a task', () => {
  it('is put in a state by its id, its slug, or a status', async () => {
    const project = await newProject();
    const { state } = await made('createState', 'state { id }', { projectId: project.id, name: 'QA' });
    const task = await newTask({ projectId: project.id, stateSlug: 'qa' });
    expect(task).toMatchObject({ status: 'IN_PROGRESS', stateId: state.id });
    // The status that it has moves it nowhere.
    expect(await changed(task.id, { status: 'IN_PROGRESS' })).toMatchObject({ stateId: state.id });
    expect(await changed(task.id, { status: 'DONE' })).toMatchObject({ state: { slug: 'done' } });
    expect(await changed(task.id, { stateId: state.id })).toMatchObject({ status: 'IN_PROGRESS', stateId: state.id });
    expect(await changed(task.id, { title: 'U' })).toMatchObject({ status: 'IN_PROGRESS', stateId: state.id });
    expect(await changed(task.id, { stateSlug: 'to-do', keepStatus: ['IN_PROGRESS'] })).toMatchObject({
      stateId: state.id,
    });
    const { task: moved } = await made('moveTask', `task { ${TASK} }`, { id: task.id, stateSlug: 'in-review' });
    expect(moved).toMatchObject({ status: 'IN_REVIEW', state: { slug: 'in-review' } });
    const { data } = await server.gql(
      `query ($id: ID!) { task(id: $id) { activity(first: 1) { nodes { changes } } } }`,
      { id: task.id },
    );
    expect(JSON.parse(data.task.activity.nodes[0].changes)).toMatchObject({
      status: { to: 'IN_REVIEW' },
      stateId: { from: state.id },
    });
  });

  it('is in no state of another project, nor in one that is not there', async () => {
    const [project, other] = [await newProject(), await newProject()];
    const task = await newTask({ projectId: project.id });
    for (const [input, code, fields] of [
      [{ stateId: other.of('done').id }, 'NOT_FOUND', []],
      [{ stateId: 'none' }, 'NOT_FOUND', []],
      [{ stateSlug: 'nowhere' }, 'BAD_USER_INPUT', ['stateSlug']],
      [{ stateSlug: '' }, 'BAD_USER_INPUT', ['stateSlug']],
    ] as const) {
      for (const answer of [
        await run('updateTask', 'task { id }', { id: task.id, ...input }),
        await run('moveTask', 'task { id }', { id: task.id, ...input }),
        await run('updateTasks', 'count', { ids: [task.id], ...input }),
        await run('createTask', 'task { id }', { title: 'x', projectId: project.id, ...input }),
      ]) {
        expect([codes(answer), fieldsOf(answer)]).toEqual([[code], fields]);
      }
    }
    expect(await shown(task.id)).toEqual(task);
    const free = await newTask({});
    expect(codes(await run('updateTask', 'task { id }', { id: free.id, stateId: other.of('done').id }))).toEqual([
      'NOT_FOUND',
    ]);
    // The seven slugs stand for their statuses where there is no such state.
    expect(await changed(free.id, { stateSlug: 'in-review' })).toMatchObject({ status: 'IN_REVIEW', state: null });
  });

  it('goes to the state of the same name in another project, with its sub-tasks, and else to that of its status', async () => {
    const [from, to] = [await newProject(), await newProject()];
    for (const { id } of [from, to]) {
      await made('createState', 'state { id }', { projectId: id, name: 'QA', category: 'IN_PROGRESS' });
    }
    await made('createState', 'state { id }', { projectId: from.id, name: 'Only here', category: 'DONE' });
    const task = await newTask({ projectId: from.id, stateSlug: 'qa' });
    const child = await newTask({ parentId: task.id, stateSlug: 'only-here' });
    const grandchild = await newTask({ parentId: child.id, stateSlug: 'qa' });
    expect(await changed(task.id, { projectId: to.id })).toMatchObject({ state: { slug: 'qa' } });
    expect(await shown(child.id)).toMatchObject({ status: 'DONE', state: { slug: 'done' } });
    expect(await shown(grandchild.id)).toMatchObject({ state: { slug: 'qa' } });
    const states = await statesOf(to.id);
    for (const { id } of [task, child, grandchild]) {
      expect(states.map((state) => state.id)).toContain((await shown(id)).stateId);
    }
    expect(await changed(task.id, { projectId: null })).toMatchObject({ status: 'IN_PROGRESS', state: null });
  });

  it('is put in states with many others, each in its own project', async () => {
    const [one, two] = [await newProject(), await newProject()];
    await made('createState', 'state { id }', { projectId: one.id, name: 'Shipped', category: 'DONE' });
    const tasks = [
      ...[await newTask({ projectId: one.id, stateSlug: 'shipped' }), await newTask({ projectId: one.id })],
      ...[await newTask({ projectId: two.id }), await newTask({})],
    ];
    const ids = tasks.map(({ id }) => id);
    expect((await made('updateTasks', 'count', { ids, status: 'DONE' })).count).toBe(4);
    const slugs = await Promise.all(ids.map(async (id) => (await shown(id)).state?.slug ?? null));
    expect(slugs).toEqual(['shipped', 'done', 'done', null]);
    const refused = await run('updateTasks', 'count', { ids, stateSlug: 'shipped' });
    expect([codes(refused), fieldsOf(refused)]).toEqual([['BAD_USER_INPUT'], ['stateSlug']]);
    const { count, errors } = await made('updateTasks', 'count errors { id code }', {
      ...{ ids, stateSlug: 'shipped', atomic: false },
    });
    expect([count, errors.length]).toEqual([2, 2]);
    const found = await server.gql(
      '{ tasks(filter: { stateSlug: { eq: "shipped" } }) { totalCount } taskCounts(groupBy: [STATE]) { counts { id count } } }',
    );
    expect(found.data.tasks.totalCount).toBe(2);
    const { stateId } = await shown(ids[0] ?? '');
    expect(found.data.taskCounts[0].counts).toContainEqual({ id: stateId, count: 2 });
  });

  it('is in a state whose category is its status, whatever is done at once', { timeout: 60_000 }, async () => {
    const [one, two] = [await newProject(), await newProject()];
    const tasks = await Promise.all(
      Array.from({ length: 12 }, (_, i) => newTask({ projectId: i % 2 ? one.id : two.id })),
    );
    const states = [...(await statesOf(one.id)), ...(await statesOf(two.id))];
    let failed = 0;
    const attempt = async (name: string, selection: string, input: object) => {
      const { errors } = await run(name, selection, input);
      if (errors) failed += 1;
      for (const { extensions } of errors ?? []) {
        expect(['CONFLICT', 'BAD_USER_INPUT', 'NOT_FOUND']).toContain(extensions['code']);
      }
    };
    const pick = <T>(items: readonly T[], i: number) => items[(i * 7919) % items.length] as T;
    const statuses = ['BACKLOG', 'TRIAGE', 'TODO', 'IN_PROGRESS', 'IN_REVIEW', 'DONE', 'CANCELED'];
    await Promise.all(
      Array.from({ length: 160 }, async (_, i) => {
        const { id } = pick(tasks, i);
        const state = pick(states, i);
        if (i % 8 < 2) await attempt('updateTask', 'task { id }', { id, status: pick(statuses, i) });
        else if (i % 8 === 2) await attempt('updateTask', 'task { id }', { id, projectId: pick([one.id, two.id], i) });
        else if (i % 8 === 3) await attempt('moveTask', 'task { id }', { id, stateSlug: pick(['done', 'triage'], i) });
        else if (i % 8 === 4)
          await attempt('updateState', 'state { id }', { id: state.id, category: pick(statuses, i) });
        else if (i % 8 === 5)
          await attempt('deleteState', 'deletedStateId', { id: state.id, intoId: pick(states, i + 3).id });
        else if (i % 8 === 6) await attempt('createState', 'state { id }', { projectId: one.id, name: `s${i}` });
        else await attempt('updateTasks', 'count', { ids: [id, pick(tasks, i + 1).id], status: pick(statuses, i) });
      }),
    );
    expect(failed).toBeLessThan(120);
    for (const { id } of tasks) {
      const { data } = await server.gql(
        'query ($id: ID!) { task(id: $id) { status projectId state { category projectId } } }',
        { id },
      );
      const { status, projectId, state } = data.task;
      if (state) expect(state).toEqual({ category: status, projectId });
    }
  });
});

describe('a state', () => {
  it('is renamed, and its slug stays; another category is another status of its tasks', async () => {
    const project = await newProject();
    const task = await newTask({ projectId: project.id, stateSlug: 'in-review' });
    const { id } = project.of('in-review');
    const renamed = await made('updateState', `state { ${STATE} updatedAt }`, { id, name: 'Checking', color: null });
    expect(renamed.state).toMatchObject({ name: 'Checking', slug: 'in-review', color: null, category: 'IN_REVIEW' });
    expect(await shown(task.id)).toEqual(task);
    await made('updateState', 'state { id }', { id, category: 'DONE', keepCategory: ['IN_REVIEW'] });
    expect(await shown(task.id)).toEqual(task);
    await made('updateState', 'state { id }', { id, category: 'DONE' });
    const after = await shown(task.id);
    expect(after).toMatchObject({ status: 'DONE', stateId: id });
    expect(after.updatedAt > task.updatedAt).toBe(true);
    const stale = await run('updateState', 'state { id }', {
      ...{ id, name: 'x', expectedUpdatedAt: renamed.state.updatedAt },
    });
    expect(codes(stale)).toEqual(['CONFLICT']);
    expect(codes(await run('updateState', 'state { id }', { id: 'none', name: 'x' }))).toEqual(['NOT_FOUND']);
  });

  it('goes when its tasks have gone to another, and takes none with it', async () => {
    const project = await newProject();
    const task = await newTask({ projectId: project.id, stateSlug: 'in-review' });
    const [id, done] = [project.of('in-review').id, project.of('done').id];
    const refused = await run('deleteState', 'deletedStateId', { id });
    expect([codes(refused), fieldsOf(refused)]).toEqual([['CONFLICT'], ['intoId']]);
    const other = await newProject();
    for (const intoId of [other.of('done').id, 'none']) {
      expect(codes(await run('deleteState', 'deletedStateId', { id, intoId }))).toEqual(['NOT_FOUND']);
    }
    expect(codes(await run('deleteState', 'deletedStateId', { id, intoId: id }))).toEqual(['BAD_USER_INPUT']);
    expect(await made('deleteState', 'deletedStateId slug movedTasks', { id, intoId: done })).toEqual({
      ...{ deletedStateId: id, slug: 'in-review', movedTasks: 1 },
    });
    expect(await shown(task.id)).toMatchObject({ status: 'DONE', stateId: done });
    // Its status stays, in no state, until there is one for it.
    expect(await changed(task.id, { status: 'IN_REVIEW' })).toMatchObject({ status: 'IN_REVIEW', state: null });
    const { state } = await made('createState', 'state { id }', {
      ...{ projectId: project.id, name: 'Proof', category: 'IN_REVIEW' },
    });
    expect((await shown(task.id)).state).toBeNull();
    // Said once more, it goes where there is such a state now.
    expect(await changed(task.id, { status: 'IN_REVIEW' })).toMatchObject({ stateId: state.id });
  });

  it('goes with its project, and the tasks stay', async () => {
    const project = await newProject();
    const task = await newTask({ projectId: project.id, stateSlug: 'done' });
    await made('deleteProject', 'deletedProjectId', { id: project.id });
    expect(await shown(task.id)).toMatchObject({ status: 'DONE', stateId: null, state: null });
    expect(await server.system.state.count({ where: { projectId: project.id } })).toBe(0);
  });

  it('is changed by keys that change projects, and tasks with it', async () => {
    const project = await newProject();
    const { key: writer } = await server.createKey(['projects:write']);
    const { key: reader } = await server.createKey(['tasks:read']);
    const { id } = project.of('done');
    expect(codes(await run('updateState', 'state { id }', { id, category: 'TODO' }, writer))).toEqual(['FORBIDDEN']);
    expect(codes(await run('deleteState', 'deletedStateId', { id }, writer))).toEqual(['FORBIDDEN']);
    expect(codes(await run('createState', 'state { id slug }', { projectId: project.id, name: 'N' }, writer))).toBe(
      undefined,
    );
    expect(codes(await run('createState', 'state { id }', { projectId: project.id, name: 'M' }, reader))).toEqual([
      'FORBIDDEN',
    ]);
    const { data } = await server.gql('query ($id: ID!) { state(id: $id) { slug } }', { id }, reader);
    expect(data.state.slug).toBe('done');
  });
});

describe("Kaneo's columns", () => {
  async function body(method: string, path: string, json?: object, status = 200) {
    const answer = await call(method, path, json && { body: json });
    expect([answer.status, answer.status === status ? null : answer.body], path).toEqual([status, null]);
    return answer.body;
  }
  const slugsOf = (columns: State[]) => columns.map(({ slug }) => slug);

  it('are made, ordered, changed and deleted', async () => {
    const project = await newProject();
    const path = `/api/column/${project.id}`;
    const seeded = await body('GET', path);
    expect(slugsOf(seeded)).toEqual(['to-do', 'in-progress', 'in-review', 'done']);
    expect(seeded.map(({ isFinal }: { isFinal: boolean }) => isFinal)).toEqual([false, false, false, true]);
    for (const { id } of seeded) await body('DELETE', `/api/column/${id}`);
    expect(await body('GET', path)).toEqual([]);
    const made: State[] = [];
    for (const json of [
      { name: 'Ideas' },
      { name: 'Doing', color: '#ff0000', icon: 'Bolt' },
      { name: 'Shipped', isFinal: true },
    ]) {
      made.push(await body('POST', path, json));
    }
    expect(made).toMatchObject([
      { slug: 'ideas', isFinal: false, color: null, icon: null, projectId: project.id },
      { slug: 'doing', isFinal: false, color: '#ff0000', icon: 'Bolt' },
      { slug: 'shipped', isFinal: true },
    ]);
    for (const [json, status] of [
      [{ name: 'ideas' }, 409],
      [{ name: 'Planned' }, 409],
      [{ name: 'Planned.' }, 409],
      [{ name: '...' }, 400],
      [{}, 400],
      [{ name: 'x', color: 'nope' }, 400],
    ] as const) {
      await body('POST', path, json, status);
    }
    await body('POST', '/api/column/none', { name: 'x' }, 404);
    const [ideas, doing, shipped] = made as unknown as [State, State, State];
    const order = [shipped, ideas, doing].map(({ id }, position) => ({ id, position }));
    expect(slugsOf(await body('PUT', `/api/column/reorder/${project.id}`, { columns: order }))).toEqual([
      ...['shipped', 'ideas', 'doing'],
    ]);
    await body('PUT', `/api/column/reorder/${project.id}`, { columns: [{ id: 'none', position: 0 }] }, 404);
    const renamed = await body('PUT', `/api/column/${ideas.id}`, { name: 'Someday', isFinal: true });
    expect(renamed).toMatchObject({ name: 'Someday', slug: 'ideas', isFinal: true });
    expect(await body('PUT', `/api/column/${ideas.id}`, { isFinal: false })).toMatchObject({ isFinal: false });
    const places = new Map(
      (await body('GET', path)).map(({ id, position }: State & { position: number }) => [id, position]),
    );
    expect(renamed.position).toBe(places.get(ideas.id));
    const last = await body('POST', path, { name: 'Last' });
    expect(last.position).toBe(3);
    await body('POST', `/api/task/${project.id}`, { title: 'Kept', status: 'last' });
    const held = await body('DELETE', `/api/column/${last.id}`, undefined, 409);
    expect(JSON.stringify(held)).toContain('There are tasks in it (1)');
    expect(JSON.stringify(held)).not.toContain('intoId');
    await body('PUT', `/api/column/${ideas.id}`, {}, 400);
    await body('PUT', '/api/column/none', { name: 'x' }, 404);
    await body('DELETE', '/api/column/none', undefined, 404);
  });

  it('may be called as the states are that are no columns', async () => {
    const project = await newProject();
    for (const [name, slug] of [
      ['Backlog', 'backlog'],
      ['Triage', 'triage'],
      ['CANCELED', 'canceled'],
    ]) {
      const column = await body('POST', `/api/column/${project.id}`, { name });
      expect(column).toMatchObject({ name, slug, isFinal: false });
      const task = await body('POST', `/api/task/${project.id}`, { title: `In ${name}`, status: slug });
      expect(task).toMatchObject({ status: slug });
      const planned = await body('POST', `/api/task/${project.id}`, { title: 'Planned', status: 'planned' });
      expect(planned).toMatchObject({ status: 'planned' });
      await body('POST', `/api/column/${project.id}`, { name }, 409);
      const board = await body('GET', `/api/task/tasks/${project.id}?status=${slug}`);
      const shown = (board['columns'] as { id: string; name: string; tasks: { title: string }[] }[]).find(
        ({ id }) => id === slug,
      );
      expect(shown).toMatchObject({ name, tasks: [{ title: `In ${name}` }] });
    }
    const columns = (await body('GET', `/api/column/${project.id}`)) as unknown as State[];
    expect(slugsOf(columns)).toEqual(expect.arrayContaining(['backlog', 'triage', 'canceled', 'to-do']));
    const moved = await body('POST', `/api/task/${project.id}`, { title: 'x', status: 'to-do' });
    expect(await body('PUT', `/api/task/status/${moved['id']}`, { status: 'backlog' })).toMatchObject({
      status: 'backlog',
    });
  });

  it('are the statuses of the tasks, beside planned and archived', async () => {
    const project = await newProject();
    await body('POST', `/api/column/${project.id}`, { name: 'On Hold' });
    const task = await body('POST', `/api/task/${project.id}`, {
      ...{ title: 'K', description: '', priority: 'low', status: 'on-hold' },
    });
    expect(task.status).toBe('on-hold');
    const put = async (status: string, expected = 200) =>
      (await body('PUT', `/api/task/status/${task.id}`, { status }, expected)).status;
    for (const status of ['planned', 'done', 'archived', 'on-hold', 'in-review']) {
      expect(await put(status)).toBe(status);
      expect((await body('GET', `/api/task/${task.id}`)).status).toBe(status);
    }
    const refused = await body('PUT', `/api/task/status/${task.id}`, { status: 'nowhere' }, 400);
    expect(Object.keys(refused.errors)).toEqual(['status']);
    const id = (await body('GET', `/api/column/${project.id}`)).find((column: State) => column.slug === 'in-review').id;
    const held = await body('DELETE', `/api/column/${id}`, undefined, 409);
    expect(held.error.code).toBe('CONFLICT');
    const triaged = await newTask({ projectId: project.id, status: 'TRIAGE' });
    // Shown as planned, and written so again.
    await body('PUT', `/api/task/status/${triaged.id}`, { status: 'planned' });
    expect(await shown(triaged.id)).toMatchObject({ status: 'TRIAGE', stateId: triaged.stateId });
    // Of one status, and not the one that is meant.
    await made('createState', 'state { id }', { projectId: project.id, name: 'Icebox', category: 'BACKLOG' });
    for (const status of ['icebox', 'planned', 'icebox', 'planned', 'on-hold']) expect(await put(status)).toBe(status);
    const board = await body('GET', `/api/task/tasks/${project.id}`);
    const columns = board.columns.map(({ id, name, tasks }: { id: string; name: string; tasks: object[] }) => [
      ...[id, name, tasks.length],
    ]);
    expect(columns).toEqual([
      ...[
        ['planned', 'Planned', 1],
        ['to-do', 'To Do', 0],
        ['in-progress', 'In Progress', 0],
      ],
      ...[
        ['in-review', 'In Review', 0],
        ['done', 'Done', 0],
        ['archived', 'Archived', 0],
        ['on-hold', 'On Hold', 1],
        ['icebox', 'Icebox', 0],
      ],
    ]);
    const only = async (status: string) =>
      (await body('GET', `/api/task/tasks/${project.id}?status=${status}`)).columns.flatMap(
        ({ tasks }: { tasks: { id: string }[] }) => tasks.map(({ id }) => id),
      );
    expect([await only('on-hold'), await only('planned'), await only('done')]).toEqual([[task.id], [triaged.id], []]);
    await body('GET', `/api/task/tasks/${project.id}?status=nowhere`, undefined, 400);
    await body('PATCH', '/api/task/bulk', { taskIds: [task.id], operation: 'updateStatus', value: 'done' });
    expect((await body('GET', `/api/task/${task.id}`)).status).toBe('done');
    const bad = { taskIds: [task.id], operation: 'updateStatus', value: 'nowhere' };
    expect(Object.keys((await body('PATCH', '/api/task/bulk', bad, 400)).errors)).toEqual(['value']);
    const imported = await body('POST', `/api/task/import/${project.id}`, {
      tasks: [
        { title: 'In', status: 'icebox' },
        { title: 'Out', status: 'nowhere' },
      ],
    });
    expect(imported.results).toMatchObject({ successful: 1, failed: 1, tasks: [{}, { error: expect.any(String) }] });
    expect(imported.results.tasks[1].error).toMatch(/^status /);
  });
});

describe('words that every object has', () => {
  it('are slugs like others', async () => {
    const project = await newProject();
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      expect((await call('GET', `/api/task/tasks/${project.id}?status=${name}`)).status, name).toBe(400);
      const column = await call('POST', `/api/column/${project.id}`, { body: { name } });
      const slug = name === '__proto__' ? 'proto' : name.toLowerCase();
      expect(column.body).toMatchObject({ name, slug });
      const task = await newTask({ projectId: project.id, stateSlug: slug });
      expect((await call('GET', `/api/task/${task.id}`)).body.status).toBe(slug);
    }
    const columns = (await call('GET', `/api/column/${project.id}`)).body.map(({ slug }: State) => slug);
    expect(columns.slice(4)).toEqual(['constructor', 'proto', 'tostring', 'hasownproperty']);
    const board = (await call('GET', `/api/task/tasks/${project.id}?status=constructor`)).body.columns;
    expect(board.find(({ id }: { id: string }) => id === 'constructor').tasks).toHaveLength(1);
  });
});

describe('an estimate', () => {
  it('is filtered, ordered, and summed by state', async () => {
    const project = await newProject();
    const sizes = [null, 0, 0.5, 3, 8];
    for (const estimate of sizes)
      await newTask({ projectId: project.id, estimate, stateSlug: estimate === 8 ? 'done' : 'to-do' });
    const { data } = await server.gql(
      `query ($p: ID!) {
        small: tasks(filter: { projectId: { eq: $p }, estimate: { lt: 3 } }) { totalCount }
        none: tasks(filter: { projectId: { eq: $p }, estimate: { eq: null } }) { totalCount }
        tasks(filter: { projectId: { eq: $p } }, orderBy: [{ field: ESTIMATE, direction: DESC }]) { nodes { estimate } }
        taskCounts(groupBy: [STATE, LABEL], filter: { projectId: { eq: $p } }) { counts { id count estimate } }
      }`,
      { p: project.id },
    );
    expect([data.small.totalCount, data.none.totalCount]).toEqual([2, 1]);
    expect(data.tasks.nodes.map(({ estimate }: { estimate: number }) => estimate)).toEqual([8, 3, 0.5, 0, null]);
    expect(data.taskCounts).toEqual([
      {
        counts: [
          { id: project.of('to-do').id, count: 4, estimate: 3.5 },
          { id: project.of('done').id, count: 1, estimate: 8 },
        ],
      },
      { counts: [] },
    ]);
    const { id } = await newTask({ projectId: project.id, estimate: 5 });
    for (const estimate of [-1, 1e9]) {
      for (const answer of [
        await run('updateTask', 'task { id }', { id, estimate }),
        await run('updateTasks', 'count', { ids: [id], estimate }),
        await run('createTask', 'task { id }', { title: 'x', estimate }),
      ]) {
        expect([codes(answer), fieldsOf(answer)]).toEqual([['BAD_USER_INPUT'], ['estimate']]);
      }
    }
    await made('updateTasks', 'count', { ids: [id], estimate: 2.25 });
    const changed = await made('updateTask', 'task { estimate }', { id, estimate: null });
    expect(changed.task.estimate).toBeNull();
  });
});

describe('an identifier', () => {
  const taskBy = (identifier: string) =>
    server.gql('query ($i: String) { task(identifier: $i) { id identifier } }', { i: identifier });

  it('is made of the key of the project and the number, and finds the task wherever it goes', async () => {
    const project = async (input: object) => (await made('createProject', 'project { id key }', input)).project;
    const board = await project({ name: 'Big Red Door' });
    const again = await project({ name: 'Black Rose (Deluxe)' });
    expect([board.key, again.key]).toEqual(['BRD', 'BRD2']);
    expect((await project({ name: 'Ünïcode' })).key).toBe('UNI');
    expect((await project({ name: '項目 42' })).key).toBe('P');
    expect((await project({ name: 'x', key: 'ops1' })).key).toBe('OPS1');
    const { task } = await made('createTask', 'task { id number identifier }', { title: 'T', projectId: board.id });
    expect(task.identifier).toBe(`BRD-${task.number}`);
    await made('updateTask', 'task { id }', { id: task.id, projectId: again.id });
    for (const identifier of [`BRD-${task.number}`, `BRD2-${task.number}`, `brd-${task.number}`, `#${task.number}`]) {
      expect((await taskBy(identifier)).data.task).toEqual({ id: task.id, identifier: `BRD2-${task.number}` });
    }
    for (const path of [
      `/api/tasks/BRD-${task.number}`,
      `/v1/tasks/BRD-${task.number}`,
      `/api/task/BRD-${task.number}`,
    ]) {
      expect(await call('GET', path), path).toMatchObject({ status: 200, body: { id: task.id } });
    }
    const found = await server.gql('query ($s: String) { tasks(search: $s) { nodes { id } } }', {
      s: `BRD-${task.number}`,
    });
    expect(found.data.tasks.nodes).toEqual([{ id: task.id }]);
    await made('updateProject', 'project { key }', { id: again.id, key: 'ROSE' });
    await made('updateTask', 'task { id }', { id: task.id, title: 'U' });
    expect((await taskBy(`BRD-${task.number}`)).data.task.identifier).toBe(`ROSE-${task.number}`);
    await made('updateTask', 'task { id }', { id: task.id, projectId: null });
    expect((await call('GET', `/api/tasks/%23${task.number}`)).body.id).toBe(task.id);
    expect((await taskBy(`ROSE-${task.number}`)).data.task.identifier).toBe(`#${task.number}`);
  });

  it('is none of another kind, and its key is that of one project', async () => {
    const { project } = await made('createProject', 'project { id key }', { name: 'Taken', key: 'TAKEN' });
    for (const input of [{ name: 'x', key: 'taken' }]) {
      const answer = await run('createProject', 'project { id }', input);
      expect([codes(answer), fieldsOf(answer)]).toEqual([['CONFLICT'], ['key']]);
    }
    for (const key of ['', '1A', 'A-B', 'ABCDEFGHIJK', 'Ä', null]) {
      const answer = await run('updateProject', 'project { id }', { id: project.id, key });
      expect([codes(answer), fieldsOf(answer)], String(key)).toEqual([['BAD_USER_INPUT'], ['key']]);
    }
    for (const identifier of [
      '',
      'x',
      '12',
      'A-',
      'A-0',
      'A-01',
      'A-99999999',
      '#',
      'ABCDEFGHIJK-1',
      `A-${'9'.repeat(400)}`,
    ]) {
      expect(codes(await taskBy(identifier)), identifier).toEqual(['NOT_FOUND']);
    }
    const neither = await server.gql('{ task { id } }');
    const both = await server.gql('{ task(id: "x", identifier: "A-1") { id } }');
    expect([codes(neither), codes(both)]).toEqual([['BAD_USER_INPUT'], ['BAD_USER_INPUT']]);
    expect((await call('GET', '/api/tasks/A-99999999')).status).toBe(404);
    const many = await Promise.all(
      Array.from({ length: 8 }, () => made('createProject', 'project { key }', { name: 'Same time' })),
    );
    expect(new Set(many.map((one) => one.project.key)).size).toBe(8);
  });
});
