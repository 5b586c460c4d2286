/** Tasks, projects, users and relationships, as a caller meets them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const CREATE = `mutation ($input: CreateTaskInput!) { createTask(input: $input) { task {
  id number title description status priority tags startDate dueDate position projectId assigneeId createdByKeyId createdBy { name } } } }`;
const UPDATE = `mutation ($input: UpdateTaskInput!) { updateTask(input: $input) { task { id title description status priority tags dueDate project { name } } } }`;

async function create(input: object) {
  const { data, errors } = await server.gql(CREATE, { input });
  expect(errors).toBeUndefined();
  return data.createTask.task;
}

async function fieldsOf(document: string, input: object): Promise<Record<string, string[]>> {
  const { errors } = await server.gql(document, { input });
  expect(errors?.map((error) => error.extensions['code'])).toEqual(['BAD_USER_INPUT']);
  return errors?.[0]?.extensions['fields'] as Record<string, string[]>;
}

describe('a task', () => {
  it('is made with defaults, trimmed, and counts up', async () => {
    const first = await create({ title: '  First  ' });
    expect(first).toMatchObject({
      title: 'First',
      status: 'TODO',
      priority: 'NONE',
      tags: [],
      createdBy: { name: 'Owner' },
    });
    expect(first.createdByKeyId).toMatch(/^key_/);
    const second = await create({ title: 'Second', status: 'IN_REVIEW', priority: 'URGENT', tags: ['b', 'a', 'a'] });
    expect(second.number).toBe(first.number + 1);
    expect(second).toMatchObject({
      status: 'IN_REVIEW',
      priority: 'URGENT',
      tags: ['a', 'b'],
      position: second.number,
    });
  });

  it('gets numbers without a gap or a double, made by many at once', async () => {
    const numbers = (await Promise.all(Array.from({ length: 40 }, (_, i) => create({ title: `At once ${i}` })))).map(
      (task) => task.number,
    );
    const sorted = [...numbers].sort((a, b) => a - b);
    expect(sorted).toEqual(sorted.map((_, i) => (sorted[0] ?? 0) + i));
  });

  it('changes what is given and keeps the rest; null clears', async () => {
    const { id } = await create({ title: 'T', description: 'D', tags: ['x'], dueDate: '2027-01-01T00:00:00Z' });
    const changed = await server.gql(UPDATE, { input: { id, status: 'DONE' } });
    expect(changed.data.updateTask.task).toMatchObject({ title: 'T', description: 'D', status: 'DONE', tags: ['x'] });
    const cleared = await server.gql(UPDATE, { input: { id, description: null, dueDate: null, tags: [] } });
    expect(cleared.data.updateTask.task).toMatchObject({ title: 'T', description: null, dueDate: null, tags: [] });
  });

  it('says every broken rule by field', async () => {
    expect(
      await fieldsOf(CREATE, {
        title: ' ',
        description: 'x'.repeat(10_001),
        tags: ['', 'ok'],
        startDate: '2027-02-01T00:00:00Z',
      }),
    ).toEqual({
      title: ['must not be empty'],
      description: ['must have at most 10000 characters'],
      tags: ['must not be empty'],
    });
    expect(await fieldsOf(CREATE, { title: 'x'.repeat(256) })).toEqual({ title: ['must have at most 255 characters'] });
    const dates = { startDate: '2027-02-01T00:00:00Z', dueDate: '2027-01-01T00:00:00Z' };
    expect(await fieldsOf(CREATE, { title: 'x', ...dates })).toEqual({ dueDate: ['must not lie before startDate'] });
    const { id } = await create({ title: 'x', startDate: dates.startDate });
    expect(await fieldsOf(UPDATE, { id, dueDate: dates.dueDate })).toEqual({
      dueDate: ['must not lie before startDate'],
    });
    expect(await fieldsOf(UPDATE, { id, title: null })).toEqual({ title: ['must not be null'] });
    expect(await fieldsOf(UPDATE, { id, status: null })).toEqual({ status: ['must not be null'] });
  });

  it('goes with its relationships and tags', async () => {
    const a = await create({ title: 'a', tags: ['gone'] });
    const b = await create({ title: 'b' });
    const relate = `mutation ($input: CreateTaskRelationshipInput!) { createTaskRelationship(input: $input) { taskRelationship { id type task { id } targetTask { id } } } }`;
    const input = { type: 'BLOCKS', taskId: a.id, targetTaskId: b.id };
    const made = await server.gql(relate, { input });
    expect(made.data.createTaskRelationship.taskRelationship).toMatchObject({
      task: { id: a.id },
      targetTask: { id: b.id },
    });
    expect((await server.gql(relate, { input })).errors?.[0]?.extensions['code']).toBe('CONFLICT');
    expect(await fieldsOf(relate, { ...input, targetTaskId: a.id })).toEqual({
      targetTaskId: ['must be another task'],
    });
    const seen = await server.gql(
      'query ($id: ID!) { task(id: $id) { incomingRelationships { task { id } } relationships { id } } }',
      { id: b.id },
    );
    expect(seen.data.task).toEqual({ incomingRelationships: [{ task: { id: a.id } }], relationships: [] });
    await server.gql('mutation ($id: ID!) { deleteTask(input: { id: $id }) { deletedTaskId } }', { id: a.id });
    const after = await server.gql('query ($id: ID!) { task(id: $id) { incomingRelationships { id } } }', { id: b.id });
    expect(after.data.task.incomingRelationships).toEqual([]);
    expect(await server.system.taskTag.count({ where: { name: 'gone' } })).toBe(0);
  });
});

describe('a position', () => {
  it('lies within what has places between, so that no list is poisoned', async () => {
    const { id } = await create({ title: 'placed' });
    for (const position of [1e15, -1e15, 0.5]) {
      const { errors } = await server.gql(UPDATE, { input: { id, position } });
      expect(errors, String(position)).toBeUndefined();
    }
    for (const position of [1.1e15, -1.1e15, 1.7e308]) {
      expect(await fieldsOf(UPDATE, { id, position })).toEqual({ position: [expect.stringContaining('must be from')] });
      expect(await fieldsOf(CREATE, { title: 't', position })).toEqual({ position: [expect.any(String)] });
    }
    // JSON reads this as infinity.
    const body = `{"query":"mutation ($input: UpdateTaskInput!) { updateTask(input: $input) { task { id } } }","variables":{"input":{"id":"${id}","position":1.8e308}}}`;
    const infinite = (await (await server.post(body, server.adminKey)).json()) as { errors: unknown[] };
    expect(infinite.errors).toHaveLength(1);
    const literal = await server.gql(
      `mutation { updateTask(input: { id: "${id}", position: 1.8e308 }) { task { id } } }`,
    );
    expect(literal.errors).toHaveLength(1);
    const route = await fetch(`${server.origin}/api/task/${id}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' },
      body: '{"position":1.8e308}',
    });
    expect([route.status, Object.keys(((await route.json()) as { errors: object }).errors)]).toEqual([
      400,
      ['position'],
    ]);
    const list = await server.gql('{ tasks(orderBy: [{ field: POSITION, direction: DESC }]) { nodes { position } } }');
    expect(list.errors).toBeUndefined();
  });
});

describe('tags', () => {
  it('that differ in case only are one, the first as it was written', async () => {
    const task = await create({ title: 't', tags: ['Urgent', 'urgent', 'URGENT', 'Straße', 'STRASSE'] });
    expect(task.tags.sort()).toEqual(['Straße', 'Urgent']);
    const composed = await create({ title: 't', tags: ['Å', 'A\u030a', 'ΟΔΟΣ', 'οδος', 'οδοσ'] });
    expect(composed.tags.sort()).toEqual(['Å', 'ΟΔΟΣ']);
    for (const contains of ['STRASSE', 'straße']) {
      const found = await server.gql(
        'query ($tag: String) { tasks(filter: { tags: { contains: $tag } }) { totalCount } }',
        {
          tag: contains,
        },
      );
      expect(found.data.tasks.totalCount).toBe(1);
    }
    const changed = await server.gql(UPDATE, { input: { id: task.id, tags: ['URGENT'] } });
    expect(changed.data.updateTask.task.tags).toEqual(['URGENT']);
  });
});

describe('blocking', () => {
  const RELATE =
    'mutation ($input: CreateTaskRelationshipInput!) { createTaskRelationship(input: $input) { taskRelationship { id } } }';
  const block = (taskId: string, targetTaskId: string, type = 'BLOCKS') =>
    server.gql(RELATE, { input: { type, taskId, targetTaskId } });
  const codes = ({ errors }: { errors?: { extensions: Record<string, unknown> }[] }) =>
    errors?.map((error) => error.extensions['code']);
  const chain = async (length: number) =>
    Promise.all(Array.from({ length }, async (_, i) => (await create({ title: `chain ${i}` })).id as string));

  it('goes round in no circle, however long, by creation or by change', async () => {
    const ids = await chain(6);
    const links: string[] = [];
    for (let i = 0; i + 1 < ids.length; i += 1) {
      const { data, errors } = await block(ids[i] as string, ids[i + 1] as string);
      expect(errors).toBeUndefined();
      links.push(data.createTaskRelationship.taskRelationship.id);
    }
    const [first, last] = [ids[0] as string, ids[5] as string];
    expect(codes(await block(last, first))).toEqual(['CONFLICT']);
    // Other ties may go back.
    expect(codes(await block(last, first, 'RELATES_TO'))).toBeUndefined();
    const tie = (await block(last, first, 'DUPLICATES')).data.createTaskRelationship.taskRelationship.id;
    const change =
      'mutation ($input: UpdateTaskRelationshipInput!) { updateTaskRelationship(input: $input) { taskRelationship { id } } }';
    expect(codes(await server.gql(change, { input: { id: tie, type: 'BLOCKS' } }))).toEqual(['CONFLICT']);
    expect(codes(await server.gql(change, { input: { id: links[4], targetTaskId: first } }))).toEqual(['CONFLICT']);
  });

  it('nor when both halves of one are made at once', async () => {
    for (let round = 0; round < 5; round += 1) {
      const [a, b, c] = (await chain(3)) as [string, string, string];
      const answers = await Promise.all([block(a, b), block(b, c), block(c, a)]);
      expect(answers.filter(({ errors }) => errors).map(codes)).toEqual([['CONFLICT']]);
    }
  });
});

describe('an archived project', () => {
  it('is hidden from lists, shown where it is asked for, and takes no new tasks by any surface', async () => {
    const { data } = await server.gql('mutation { createProject(input: { name: "Old" }) { project { id } } }');
    const { id } = data.createProject.project;
    const inside = await create({ title: 'inside', projectId: id });
    const outside = await create({ title: 'outside' });
    await server.gql('mutation ($id: ID!) { archiveProject(input: { id: $id }) { project { id } } }', { id });
    const rest = async (method: string, path: string, body?: object) => {
      const response = await fetch(`${server.origin}${path}`, {
        method,
        headers: { authorization: `Bearer ${server.adminKey}`, 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      });
      return { status: response.status, text: await response.text() };
    };
    const hides = async (path: string) => !(await rest('GET', path)).text.includes(id);
    for (const path of ['/api/projects', '/api/project', '/v1/projects']) expect(await hides(path), path).toBe(true);
    for (const path of [
      '/api/projects?include_archived=true',
      '/api/project?includeArchived=true',
      '/v1/projects?includeArchived=true',
      `/api/projects/${id}`,
      `/api/project/${id}`,
      `/v1/projects/${id}`,
    ]) {
      expect(await hides(path), path).toBe(false);
    }
    const list = async (args: string) =>
      (await server.gql(`{ projects(first: 100${args}) { nodes { id } } }`)).data.projects.nodes.map(
        (node: { id: string }) => node.id,
      );
    expect(await list('')).not.toContain(id);
    expect(await list(', includeArchived: true')).toContain(id);
    expect(await list(', filter: { archivedAt: { neq: null } }')).toContain(id);

    const refused = await server.gql(CREATE, { input: { title: 'late', projectId: id } });
    expect(refused.errors?.[0]?.extensions['code']).toBe('CONFLICT');
    const moved = await server.gql(
      'mutation ($input: UpdateTaskInput!) { updateTask(input: $input) { task { id } } }',
      { input: { id: outside.id, projectId: id } },
    );
    expect(moved.errors?.[0]?.extensions['code']).toBe('CONFLICT');
    for (const [method, path, body] of [
      ['POST', '/api/tasks', { title: 'late', project_id: id }],
      ['POST', `/api/task/${id}`, { title: 'late' }],
      ['POST', '/v1/tasks', { title: 'late', projectId: id }],
      ['PUT', `/api/tasks/${outside.id}`, { project_id: id }],
      ['PATCH', `/v1/tasks/${outside.id}`, { projectId: id }],
      ['PUT', `/api/task/${outside.id}`, { projectId: id }],
    ] as const) {
      const answer = await rest(method, path, body);
      expect([answer.status, answer.text.includes('archived')], `${method} ${path} ${answer.text}`).toEqual([
        409,
        true,
      ]);
    }
    // What is in it goes on.
    expect((await server.gql(UPDATE, { input: { id: inside.id, status: 'DONE' } })).errors).toBeUndefined();
    expect((await rest('PUT', `/api/tasks/${inside.id}`, { project_id: id, title: 'same' })).status).toBe(200);
    expect(await server.system.task.count({ where: { projectId: id } })).toBe(1);
  });
});

describe('a slug', () => {
  it('is one project of the workspace, and of each environment', async () => {
    const make = (slug: string | null, key?: string) =>
      server.gql(
        'mutation ($slug: String) { createProject(input: { name: "S", slug: $slug }) { project { id } } }',
        { slug },
        key,
      );
    const { data } = await make('one');
    const taken = await make('one');
    expect(taken.errors?.[0]?.extensions).toMatchObject({ code: 'CONFLICT', fields: { slug: ['is taken'] } });
    for (const key of [undefined, undefined]) expect((await make(null, key)).errors).toBeUndefined();
    expect((await make('one', await server.key(['admin:*'], 'TEST'))).errors).toBeUndefined();
    const atOnce = await Promise.all(Array.from({ length: 5 }, () => make('two')));
    expect(atOnce.filter(({ errors }) => !errors)).toHaveLength(1);
    for (const { errors } of atOnce.filter((answer) => answer.errors)) {
      expect(errors?.[0]?.extensions['code']).toBe('CONFLICT');
    }
    const change = 'mutation ($input: UpdateProjectInput!) { updateProject(input: $input) { project { slug } } }';
    const same = await server.gql(change, { input: { id: data.createProject.project.id, slug: 'one' } });
    expect(same.data.updateProject.project.slug).toBe('one');
    const other = await server.gql(change, { input: { id: data.createProject.project.id, slug: 'two' } });
    expect(other.errors?.[0]?.extensions['code']).toBe('CONFLICT');
  });
});

describe('a project', () => {
  it('lives from creation through the archive to deletion, and leaves its tasks behind', async () => {
    const made = await server.gql(
      'mutation { createProject(input: { name: " P ", description: "d" }) { project { id name archivedAt } } }',
    );
    const { id } = made.data.createProject.project;
    expect(made.data.createProject.project).toMatchObject({ name: 'P', archivedAt: null });
    const task = await create({ title: 'in it', projectId: id });
    const archive =
      'mutation ($id: ID!, $on: Boolean) { archiveProject(input: { id: $id, archived: $on }) { project { archivedAt } } }';
    expect((await server.gql(archive, { id })).data.archiveProject.project.archivedAt).toEqual(expect.any(String));
    expect((await server.gql(archive, { id, on: false })).data.archiveProject.project.archivedAt).toBeNull();
    const nested = await server.gql(
      'query ($id: ID!) { project(id: $id) { tasks(first: 1) { totalCount nodes { title } } } }',
      { id },
    );
    expect(nested.data.project.tasks).toEqual({ totalCount: 1, nodes: [{ title: 'in it' }] });
    await server.gql('mutation ($id: ID!) { deleteProject(input: { id: $id }) { deletedProjectId } }', { id });
    const left = await server.gql('query ($id: ID!) { task(id: $id) { title projectId } }', { id: task.id });
    expect(left.data.task).toEqual({ title: 'in it', projectId: null });
  });
});

describe('a user', () => {
  it('has one email in the workspace, in small letters, and the last owner stays', async () => {
    const add = 'mutation ($input: CreateUserInput!) { createUser(input: $input) { user { id email role } } }';
    const made = await server.gql(add, { input: { email: ' Ann@Example.com ', name: 'Ann' } });
    expect(made.data.createUser.user).toMatchObject({ email: 'ann@example.com', role: 'MEMBER' });
    const twice = await server.gql(add, { input: { email: 'ANN@example.com', name: 'Ann' } });
    expect(twice.errors?.[0]?.extensions['code']).toBe('CONFLICT');
    expect(await fieldsOf(add, { email: 'nobody', name: '' })).toEqual({
      email: ['must be an email address'],
      name: ['must not be empty'],
    });
    const { data } = await server.gql('{ users(filter: { role: { eq: OWNER } }) { nodes { id } } }');
    const id = data.users.nodes[0].id;
    const gone = await server.gql('mutation ($id: ID!) { deleteUser(input: { id: $id }) { deletedUserId } }', { id });
    expect(gone.errors?.[0]?.extensions['code']).toBe('CONFLICT');
  });
});

describe('a list', () => {
  const titles = async (args: string) => {
    const { data, errors } = await server.gql(`{ tasks(${args}) { nodes { title } } }`);
    expect(errors).toBeUndefined();
    return data.tasks.nodes.map((node: { title: string }) => node.title);
  };

  it('searches every word in title or description, whatever the case', async () => {
    await create({ title: 'Paint the FENCE', description: 'green' });
    await create({ title: 'Paint the door' });
    expect(await titles('search: "fence paint"')).toEqual(['Paint the FENCE']);
    expect(await titles('search: "GREEN"')).toEqual(['Paint the FENCE']);
    for (const title of ['100% sure', '100 sure', 'snake_case', 'snakeXcase', 'back\\\\slash', 'ÄRGER'])
      await create({ title: title.replace('\\\\', '\\') });
    expect(await titles('search: "100%"')).toEqual(['100% sure']);
    expect(await titles('search: "e_c"')).toEqual(['snake_case']);
    expect(await titles('search: "k\\\\s"')).toEqual(['back\\slash']);
    expect(await titles('search: "ärger"')).toEqual(['ÄRGER']);
    expect(await titles('filter: { title: { contains: "%" } }')).toEqual(['100% sure']);
  });

  it('sorts priorities by their rank, and rows without a date last in both directions', async () => {
    for (const [title, priority, dueDate] of [
      ['s1', 'LOW', '2027-03-01T00:00:00Z'],
      ['s2', 'URGENT', null],
      ['s3', 'HIGH', '2027-01-01T00:00:00Z'],
    ]) {
      await create({ title, priority, dueDate, tags: ['sorted'] });
    }
    const only = 'filter: { tags: { contains: "sorted" } }';
    expect(await titles(`${only}, orderBy: [{ field: PRIORITY, direction: DESC }]`)).toEqual(['s2', 's3', 's1']);
    expect(await titles(`${only}, orderBy: [{ field: DUE_DATE }]`)).toEqual(['s3', 's1', 's2']);
    expect(await titles(`${only}, orderBy: [{ field: DUE_DATE, direction: DESC }]`)).toEqual(['s1', 's3', 's2']);
  });

  it('walks the same rows forwards and backwards, page by page, in any order', async () => {
    for (const orderBy of ['[{ field: DUE_DATE }]', '[{ field: PRIORITY, direction: DESC }, { field: TITLE }]', '[]']) {
      const all = await titles(`first: 1000, orderBy: ${orderBy}`);
      const walk = async (size: string, cursor: string, page: 'endCursor' | 'startCursor', more: string) => {
        const seen: string[][] = [];
        let at: string | null = null;
        for (;;) {
          const { data } = await server.gql(
            `query ($at: String) { tasks(${size}: 7, ${cursor}: $at, orderBy: ${orderBy}) { nodes { title } pageInfo { startCursor endCursor hasNextPage hasPreviousPage } } }`,
            { at },
          );
          seen.push(data.tasks.nodes.map((node: { title: string }) => node.title));
          if (!data.tasks.pageInfo[more]) return seen;
          at = data.tasks.pageInfo[page];
        }
      };
      expect((await walk('first', 'after', 'endCursor', 'hasNextPage')).flat()).toEqual(all);
      expect((await walk('last', 'before', 'startCursor', 'hasPreviousPage')).reverse().flat()).toEqual(all);
    }
  });

  it('pages by number too, and the pages make up the whole', async () => {
    const page = async (offset: number) => {
      const { data } = await server.gql(
        `{ tasks(first: 3, offset: ${offset}) { totalCount nodes { id } pageInfo { hasNextPage hasPreviousPage } } }`,
      );
      return data.tasks;
    };
    const whole = (await server.gql('{ tasks(first: 1000) { totalCount nodes { id } } }')).data.tasks;
    const paged = [];
    for (let offset = 0; offset < whole.totalCount; offset += 3) {
      const { nodes, pageInfo } = await page(offset);
      expect(pageInfo).toEqual({ hasNextPage: offset + 3 < whole.totalCount, hasPreviousPage: offset > 0 });
      paged.push(...nodes);
    }
    expect(paged).toEqual(whole.nodes);
    expect((await page(whole.totalCount + 5)).nodes).toEqual([]);
    for (const args of ['offset: -1', 'offset: 10000001', 'offset: 1, last: 2', 'offset: 1, after: "x"']) {
      const { errors } = await server.gql(`{ tasks(${args}) { totalCount } }`);
      expect(errors?.[0]?.extensions['fields'] ?? errors?.[0]?.extensions['what']).toBeTruthy();
    }
  });

  it('refuses a page out of range, both directions at once, and a cursor of another order', async () => {
    const code = async (args: string) =>
      (await server.gql(`{ tasks(${args}) { nodes { id } } }`)).errors?.[0]?.extensions['code'];
    expect(await code('first: -1')).toBe('BAD_USER_INPUT');
    expect(await code('first: 1001')).toBe('BAD_USER_INPUT');
    expect(await code('first: 1, last: 1')).toBe('BAD_USER_INPUT');
    const { data } = await server.gql('{ tasks(first: 1) { pageInfo { endCursor } } }');
    expect(await code(`after: "${data.tasks.pageInfo.endCursor}", orderBy: [{ field: TITLE }]`)).toBe('BAD_USER_INPUT');
    for (const cursor of ['', 'x', 'WyJ4Il0', 'W10', 'bnVsbA'])
      expect(await code(`after: "${cursor}"`)).toBe('BAD_USER_INPUT');
    expect(await titles('first: 0')).toEqual([]);
  });
});

describe('the audit log', () => {
  it('tells who did what, from where', async () => {
    const { id } = await create({ title: 'audited' });
    await server.gql(UPDATE, { input: { id, title: 'changed' } });
    const events = await server.system.auditEvent.findMany({ where: { targetId: id }, orderBy: { createdAt: 'asc' } });
    expect(events.map((event) => [event.action, event.changes])).toEqual([
      ['task.create', { title: { to: 'audited' } }],
      ['task.update', { title: { from: 'audited', to: 'changed' } }],
    ]);
    expect(events[0]).toMatchObject({ actorKeyId: expect.stringMatching(/^key_/), ip: '127.0.0.1', userAgent: 'node' });
    expect(events[0]?.requestId).toEqual(expect.any(String));
  });
});
