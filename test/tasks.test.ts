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
