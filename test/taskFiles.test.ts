/** Tasks from files, and into them: what is in a file comes back as it was, and what is wrong with one is told task by task. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTaskFile, type TaskFileFormat, writeTaskFile } from '../src/tasks/taskFiles.js';
import { createWorkspace } from './support/factories.js';
import { startTestServer, type TestServer } from './support/server.js';

let server: TestServer;
let projectId: string;
let email: string;

const IMPORT = `mutation ($input: ImportTasksInput!) {
  importTasks(input: $input) { dryRun total count taskIds errors { index line code message } }
}`;
const EXPORT = `query ($format: TaskFileFormat!, $filter: TaskFilter, $first: Int, $after: String) {
  exportTasks(format: $format, filter: $filter, first: $first, after: $after, orderBy: [{ field: NUMBER }]) {
    content count hasNextPage endCursor
  }
}`;
const importing = (input: object, key?: string) => server.gql(IMPORT, { input }, key);
async function imported(input: object, key?: string) {
  const { data, errors } = await importing(input, key);
  if (errors) throw new Error(JSON.stringify(errors));
  return data.importTasks as {
    total: number;
    count: number;
    taskIds: string[];
    errors: { index: number; line: number | null; code: string; message: string }[];
  };
}
const all = () => server.system.task.count();

beforeAll(async () => {
  server = await startTestServer();
  await createWorkspace(server);
  const { data } = await server.gql(
    'mutation { createProject(input: { name: "Files", key: "FIL" }) { project { id } } }',
  );
  projectId = data.createProject.project.id;
  email = `${randomUUID()}@example.com`;
  await server.system.user.create({
    data: { workspaceId: server.workspace.id, environment: 'LIVE', email, name: 'Ada', role: 'MEMBER' },
  });
});
afterAll(() => server?.stop());

describe('a file', () => {
  it.each(['CSV', 'JSON'] as const)('of %s gives back what was written to it', (format: TaskFileFormat) => {
    const text = fc.oneof(
      fc.constantFrom(
        '=1+1',
        "'=x",
        "''@x",
        '-5',
        '+',
        'a,b;c\td',
        '"quoted"\r\nlines',
        '\u00e4\u{1f4a5}',
        "'plain",
        ' x ',
      ),
      fc
        .string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
        .filter((one) => !one.includes('\0') && one.isWellFormed()),
    );
    const date = fc.option(fc.integer({ min: 0, max: 4e12 }).map((time) => new Date(time)));
    const task = fc.record({
      ...{ identifier: fc.constant('FIL-1'), title: text, description: fc.option(text) },
      ...{ status: fc.nat(6), state: fc.option(fc.constantFrom('to-do', 'qa')), priority: fc.nat(4) },
      tags: fc.array(text.map((one) => one.trim()).filter(Boolean), { maxLength: 4 }),
      ...{ startDate: date, dueDate: date, estimate: fc.option(fc.double({ noNaN: true, min: 0, max: 1e6 })) },
      ...{ projectId: fc.option(fc.uuid()), assigneeId: fc.option(fc.uuid()), assignee: fc.constant(undefined) },
      createdAt: fc.constant(new Date(0)),
    });
    fc.assert(
      fc.property(fc.array(task, { minLength: 1, maxLength: 5 }), (tasks) => {
        const rows = readTaskFile(format, writeTaskFile(format, tasks), 1000);
        const expected = tasks.map(({ title, description, status, state, priority, tags, ...more }) => {
          const { startDate, dueDate, estimate, projectId: project, assigneeId } = more;
          const fields = {
            ...{ title, description, status, stateSlug: state, priority, startDate, dueDate, estimate },
            ...{ projectId: project, assigneeId, tags: tags.length > 0 || format === 'JSON' ? tags : null },
          };
          return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
        });
        expect(rows.map(({ task: read }) => read)).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });

  it('that is none is refused as a whole, and says why', async () => {
    const refused: [string, string, RegExp][] = [
      ['CSV', '', /no tasks/],
      ['CSV', 'title\n', /no tasks/],
      ['CSV', 'name,titel\nx,y', /unknown column "name"/],
      ['CSV', 'description\nx', /no column title/],
      ['CSV', 'title,Title\nx,y', /two columns title/],
      ['CSV', 'title,status\n"x', /no CSV/],
      ['CSV', 'title,status\nx', /no CSV: .*line 2/],
      ['CSV', `title${','.repeat(500_000)}`, /columns/],
      [
        'CSV',
        `title,tags\n${`x,"${Array.from({ length: 50 }, (_, i) => `t${i}`).join(',')}"\n`.repeat(101)}`,
        /has 5050 tags/,
      ],
      ['CSV', `title\n${'x\n'.repeat(1001)}`, /more than 1000/],
      ['JSON', '{', /no JSON/],
      ['JSON', 'null', /list/],
      ['JSON', '{"tasks": {}}', /list/],
      ['JSON', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, /./],
      ['KANEO', '[]', /no tasks/],
      ['CSV', 'title,constructor\na,b', /unknown column "constructor"/],
      ['CSV', `title,tags\nx,"${','.repeat(900_000)}"`, /no CSV/],
      ['CSV', `title,tags\nx,"${','.repeat(20_000)}"`, /tags must have at most/],
      ['KANEO', '{"tasks":[{"title":"x","status":"constructor"}]}', /stateSlug/],
      ['JSON', '[{"title":"x","dueDate":"9999-12-31T23:59:59-14:00"}]', /dueDate/],
      ['JSON', '[{"title":"x","startDate":"0000-01-01"}]', /startDate/],
    ];
    const before = await all();
    for (const [format, content, said] of refused) {
      const { data, errors } = await importing({ format, content });
      const [error] = errors ?? data.importTasks.errors.map((one: object) => ({ ...one, extensions: one }));
      expect(error.extensions.code).toBe('BAD_USER_INPUT');
      expect(error.message).toMatch(said);
    }
    expect(await all()).toBe(before);
  });
});

describe('an import', () => {
  it('makes all tasks of a file, with their labels, states and assignees', async () => {
    const content = [
      '\uFEFFTitle;Status;Priority;Labels;Due date;Assignee;Estimate;State',
      `Write;in progress;HIGH;"bug, ui";2026-12-24;${email.toUpperCase()};2.5;`,
      '"Two\nlines";;;;2026-12-24T10:00:00+01:00;;;done',
      '',
    ].join('\r\n');
    const done = await imported({ format: 'CSV', content, projectId });
    expect(done).toMatchObject({ total: 2, count: 2, errors: [] });
    const { data } = await server.gql(
      'query ($ids: [ID!]) { tasks(filter: { id: { in: $ids } }, orderBy: [{ field: NUMBER }]) { nodes { id title status priority tags dueDate estimate projectId state { slug } assignee { email } } } }',
      { ids: done.taskIds },
    );
    expect(data.tasks.nodes).toEqual([
      {
        ...{ id: done.taskIds[0], title: 'Write', status: 'IN_PROGRESS', priority: 'HIGH', tags: ['bug', 'ui'] },
        ...{ dueDate: '2026-12-24T00:00:00.000Z', estimate: 2.5, projectId, state: { slug: 'in-progress' } },
        assignee: { email },
      },
      {
        ...{ id: done.taskIds[1], title: 'Two\nlines', status: 'DONE', priority: 'NONE', tags: [] },
        ...{ dueDate: '2026-12-24T09:00:00.000Z', estimate: null, projectId, state: { slug: 'done' }, assignee: null },
      },
    ]);
    const entries = await server.system.auditEvent.count({
      where: { action: 'task.create', targetId: { in: done.taskIds } },
    });
    expect(entries).toBe(2);
  });

  it('makes none where one is wrong, unless each is asked for by itself; a dry run makes none ever', async () => {
    const tasks = [
      { title: 'fine' },
      { title: '' },
      { title: 'x', status: 'LATER' },
      { title: 'x', dueDate: '2026-02-30' },
      { title: 'x', projectId: randomUUID() },
      { title: 'x', assigneeId: randomUUID() },
      { title: 'x', assignee: 'nobody@example.com' },
      { title: 'x', colour: 'red' },
      { title: 'fine too', tags: ['new label of a trial'] },
      7,
    ];
    const input = { format: 'JSON', content: JSON.stringify({ tasks }), projectId };
    const before = await all();
    const codes = [
      ...[1, 2, 3].map((index) => [index, 'BAD_USER_INPUT']),
      ...[4, 5, 6].map((index) => [index, 'NOT_FOUND']),
      [7, 'BAD_USER_INPUT'],
      [9, 'BAD_USER_INPUT'],
    ];
    for (const more of [{ dryRun: true }, {}, { dryRun: true, atomic: false }]) {
      const told = await imported({ ...input, ...more });
      expect(told.errors.map(({ index, code }) => [index, code])).toEqual(codes);
      expect(told).toMatchObject({ total: 10, count: 'dryRun' in more ? 2 : 0, taskIds: [] });
    }
    expect(await all()).toBe(before);
    expect(await server.system.label.count({ where: { key: 'new label of a trial' } })).toBe(0);
    const some = await imported({ ...input, atomic: false });
    expect(some.errors.map(({ index, code }) => [index, code])).toEqual(codes);
    expect(some.count).toBe(2);
    expect(some.taskIds).toHaveLength(2);
    expect(await all()).toBe(before + 2);
    const trial = await imported({ format: 'CSV', content: 'title\nA\nB', dryRun: true });
    expect(trial).toMatchObject({ total: 2, count: 2, taskIds: [], errors: [] });
    expect(await all()).toBe(before + 2);
  });

  it('tells the line of what is wrong in CSV', async () => {
    const content = 'title,status\n"a\nb",DONE\nc,NEVER\n';
    const told = await imported({ format: 'CSV', content });
    expect(told.errors).toEqual([
      { index: 1, line: 4, code: 'BAD_USER_INPUT', message: expect.stringContaining('NEVER') },
    ]);
  });

  it('takes its scopes, stays within the projects of a key, and is paid for before', async () => {
    const content = `title,assignee\nx,${email}`;
    const reader = await importing({ format: 'CSV', content: 'title\nx' }, await server.key(['tasks:read']));
    expect(reader.errors?.[0]?.extensions['missingScopes']).toEqual(['tasks:write']);
    const writer = await server.key(['tasks:write']);
    const named = await importing({ format: 'CSV', content }, writer);
    expect(named.errors?.[0]?.extensions['missingScopes']).toEqual(['users:read']);
    expect((await imported({ format: 'CSV', content: 'title\nx' }, writer)).count).toBe(1);
    const bound = (await server.createKey(['tasks:*'], 'LIVE', { projects: [projectId] })).key;
    expect((await imported({ format: 'CSV', content: 'title\nx' }, bound)).errors[0]?.code).toBe('BAD_USER_INPUT');
    expect((await imported({ format: 'CSV', content: 'title\nx', projectId }, bound)).count).toBe(1);
    const poor = await server.createKey(['tasks:*'], 'LIVE', { ratePerMinute: 40 });
    const before = await all();
    const many = `title\n${'x\n'.repeat(1000)}`;
    const refused = await importing({ format: 'CSV', content: many }, poor.key);
    // Of 50 requests, more than it may ever make.
    expect(refused.errors?.[0]?.extensions['code']).toBe('COST_LIMIT_EXCEEDED');
    expect(
      (await importing({ format: 'CSV', content: many, dryRun: true }, poor.key)).errors?.[0]?.extensions['code'],
    ).toBe('COST_LIMIT_EXCEEDED');
    expect(await all()).toBe(before);
  });
});

describe('an export', () => {
  it('has what a list has, page by page, and is what an import takes', async () => {
    const filter = { projectId: { eq: projectId } };
    for (const format of ['CSV', 'JSON', 'KANEO']) {
      const first = (await server.gql(EXPORT, { format, filter, first: 2 })).data.exportTasks;
      expect(first).toMatchObject({ count: 2, hasNextPage: true });
      const rest = (await server.gql(EXPORT, { format, filter, after: first.endCursor })).data.exportTasks;
      expect(rest.hasNextPage).toBe(false);
      expect(rest.count).toBe((await server.system.task.count({ where: { projectId } })) - 2);
      for (const { content, count } of [first, rest]) {
        expect(await imported({ format, content, dryRun: true, projectId })).toMatchObject({ count, errors: [] });
      }
    }
  });

  it('tells emails to whoever reads users, and nothing of other projects and tenants', async () => {
    const narrow = await server.key(['tasks:read']);
    const own = (await server.gql(EXPORT, { format: 'CSV' })).data.exportTasks.content as string;
    const other = (await server.gql(EXPORT, { format: 'CSV' }, narrow)).data.exportTasks.content as string;
    expect(own).toContain(email);
    expect(other).not.toContain(email);
    expect(other.split('\n')[0]).not.toContain('assignee,');
    const bound = (await server.createKey(['tasks:read'], 'LIVE', { projects: [projectId] })).key;
    const exported = (await server.gql(EXPORT, { format: 'JSON' }, bound)).data.exportTasks;
    expect(exported.count).toBe(await server.system.task.count({ where: { projectId } }));
    const refused = await server.gql(EXPORT, { format: 'CSV' }, await server.key(['users:read']));
    expect(refused.errors?.[0]?.extensions['missingScopes']).toEqual(['tasks:read']);
    const sandbox = (await server.gql(EXPORT, { format: 'CSV' }, await server.key(['tasks:read'], 'TEST'))).data
      .exportTasks;
    expect(sandbox.count).toBe(0);
  });
});
