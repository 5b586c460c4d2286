/** Tasks by words: ranked, with the place where they were found, within what a key sees; and by what is related to them. */
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Rows } from '../src/db/rows.js';
import { createWorkspace } from './support/factories.js';
import { startTestServer, type TestServer } from './support/server.js';

const isPostgresql = process.env['TEST_POSTGRES_TEMPLATE'] !== undefined;
let server: TestServer;
const id: Record<string, string> = {};

const SEARCH = `query ($search: String!, $filter: TaskFilter, $first: Int, $after: String) {
  searchTasks(search: $search, filter: $filter, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage hasPreviousPage endCursor }
    edges { cursor score field snippet { text matches { start end } } comment { id body } node { title } }
  }
}`;
const search = async (text: string, more: object = {}, key?: string) =>
  (await server.gql(SEARCH, { search: text, ...more }, key)) as {
    data: {
      searchTasks: {
        totalCount: number;
        pageInfo: { hasNextPage: boolean; endCursor: string };
        edges: {
          cursor: string;
          score: number;
          field: string;
          snippet: { text: string; matches: { start: number; end: number }[] };
          comment: { body: string } | null;
          node: { title: string };
        }[];
      };
    };
    errors?: { message: string; extensions: Record<string, unknown> }[];
  };
const titles = async (text: string, more: object = {}, key?: string) =>
  (await search(text, more, key)).data.searchTasks.edges.map(({ node }) => node.title);

async function create(input: object, key?: string): Promise<string> {
  const { data, errors } = await server.gql(
    'mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { id } } }',
    { input },
    key,
  );
  if (errors) throw new Error(JSON.stringify(errors));
  return data.createTask.task.id;
}
async function comment(taskId: string, body: string): Promise<string> {
  const { data } = await server.gql(
    'mutation ($input: CreateCommentInput!) { createComment(input: $input) { comment { id } } }',
    { input: { taskId, body } },
  );
  return data.createComment.comment.id;
}
const remove = (kind: string, of: string) =>
  server.gql(`mutation { delete${kind}(input: { id: "${of}" }) { deleted${kind}Id } }`);

beforeAll(async () => {
  server = await startTestServer();
  await createWorkspace(server);
  const { data } = await server.gql(
    'mutation { createProject(input: { name: "Rollout", key: "ROL" }) { project { id } } }',
  );
  id['project'] = data.createProject.project.id;
  id['inside'] = await create({ title: 'Redeployment', description: 'of nothing' });
  id['elsewhere'] = await create({
    title: 'Later',
    description: `${'x '.repeat(200)}we deploy the zebra ${'y '.repeat(200)}`,
  });
  id['start'] = await create({ title: 'Deployment of the zebra', projectId: id['project'] });
  id['whole'] = await create({ title: 'Deploy', description: 'A zebra, 💥 and more' });
  id['said'] = await create({ title: 'Quiet' });
  id['comment'] = await comment(id['said'], 'Should we Deploy this zebra today?');
  await comment(id['whole'], 'deploy zebra');
}, 60_000);
afterAll(() => server?.stop());

describe('a search', () => {
  it('has those first that fit best, and says where the words were found', async () => {
    const { data } = await search('deploy');
    const shown = data.searchTasks.edges.map(({ node, field }) => `${node.title}: ${field}`);
    expect(shown).toEqual([
      'Deploy: TITLE',
      'Deployment of the zebra: TITLE',
      'Redeployment: TITLE',
      'Later: DESCRIPTION',
      'Quiet: COMMENT',
    ]);
    expect(data.searchTasks.totalCount).toBe(5);
    const scores = data.searchTasks.edges.map(({ score }) => score);
    expect(scores).toEqual([...scores].sort((one, other) => other - one));
    for (const { snippet } of data.searchTasks.edges) {
      for (const { start, end } of snippet.matches) {
        expect(snippet.text.slice(start, end).toLowerCase()).toBe('deploy');
      }
      expect(snippet.matches.length).toBeGreaterThan(0);
      expect(snippet.text.length).toBeLessThan(200);
    }
    expect(data.searchTasks.edges.at(-1)?.comment?.body).toContain('Deploy this zebra');
  });

  it('compares each letter without case, a sigma in any of its forms, and says where', async () => {
    const made = [await create({ title: 'ΣΊΣΥΦΟΣ αα' }), await create({ title: 'Ο σίσυφος ανεβαίνει' })];
    for (const word of ['σίσυφος', 'ΣΊΣΥΦΟΣ', 'σίσυφοσ', 'Σίσυφο', 'ίσυφοΣ']) {
      expect((await titles(word)).length, word).toBe(2);
      const { data } = await server.gql(
        'query ($w: String!) { tasks(filter: { title: { contains: $w } }) { totalCount } }',
        {
          w: word,
        },
      );
      expect(data.tasks.totalCount, word).toBe(2);
    }
    const [found] = (await search('σίσυφος')).data.searchTasks.edges;
    expect(found?.snippet.matches).toHaveLength(1);
    const { data } = await server.gql('{ tasks(filter: { title: { startsWith: "σίσυφοσ" } }) { totalCount } }');
    expect(data.tasks.totalCount).toBe(1);
    for (const one of made) await remove('Task', one);
  });

  it('finds keys by their names', async () => {
    await server.createKey(['tasks:read'], 'LIVE', { name: 'Σίσυφος at night' });
    for (const word of ['NIGHT', 'σίσυφοΣ', 'σίσυφοσ AT']) {
      const { data } = await server.gql('query ($w: String!) { apiKeys(search: $w) { nodes { name } } }', { w: word });
      expect(data.apiKeys.nodes, word).toEqual([{ name: 'Σίσυφος at night' }]);
    }
  });

  it('needs all words in the task, or in one comment', async () => {
    expect((await titles('DEPLOY zebra')).sort()).toEqual(
      ['Deploy', 'Deployment of the zebra', 'Later', 'Quiet'].sort(),
    );
    expect(await titles('deploy today')).toEqual(['Quiet']);
    expect(await titles('deploy nothing quiet')).toEqual([]);
    expect(await titles('zz')).toEqual([]);
    expect(await titles('💥')).toEqual(['Deploy']);
    expect(await titles('%')).toEqual([]);
    expect(await titles('"deploy" OR NOT *')).toEqual([]);
  });

  it('goes on after a cursor, and takes what is none for bad input', async () => {
    const first = await search('deploy', { first: 2 });
    expect(first.data.searchTasks.pageInfo.hasNextPage).toBe(true);
    const rest = await titles('deploy', { first: 10, after: first.data.searchTasks.pageInfo.endCursor });
    expect(rest).toEqual(['Redeployment', 'Later', 'Quiet']);
    const impossible = Buffer.from('[1,1e300,"a"]').toString('base64url');
    for (const variables of [{ after: 'x' }, { after: impossible }, { first: -1 }]) {
      const { errors } = await search('deploy', variables);
      expect(errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
    }
    for (const empty of ['', '  \n']) {
      expect((await search(empty)).errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
    }
  });

  it('finds a task by what people call it', async () => {
    const { data } = await server.gql(`{ task(id: "${id['start']}") { identifier } }`);
    const found = await search(data.task.identifier);
    expect(found.data.searchTasks.edges.map(({ node, field }) => [node.title, field])).toEqual([
      ['Deployment of the zebra', 'IDENTIFIER'],
    ]);
  });

  it('stays within the tenant, the filter, the projects of a key and its scopes', async () => {
    const other = await server.key(['tasks:read'], 'TEST');
    expect(await titles('deploy', {}, other)).toEqual([]);
    expect(await titles('deploy', { filter: { projectId: { eq: id['project'] } } })).toEqual([
      'Deployment of the zebra',
    ]);
    const { key } = await server.createKey(['tasks:read'], 'LIVE', { projects: [id['project'] ?? ''] });
    expect(await titles('deploy', {}, key)).toEqual(['Deployment of the zebra']);
    expect(await titles('today', {}, key)).toEqual([]);
    const { errors } = await search('deploy', {}, await server.key(['projects:read']));
    expect(errors?.[0]?.extensions['missingScopes']).toEqual(['tasks:read']);
  });

  it('follows changes: of texts, of comments, into the trash and back', async () => {
    const task = await create({ title: 'Wombat', description: null });
    const said = await comment(task, 'platypus');
    expect(await titles('platypus')).toEqual(['Wombat']);
    await server.gql(`mutation { updateComment(input: { id: "${said}", body: "quokka" }) { comment { id } } }`);
    expect([await titles('platypus'), await titles('quokka')]).toEqual([[], ['Wombat']]);
    await remove('Comment', said);
    expect(await titles('quokka')).toEqual([]);
    await server.gql(
      `mutation { updateTask(input: { id: "${task}", title: "Numbat", description: "Echidna" }) { task { id } } }`,
    );
    expect([await titles('wombat'), await titles('numb'), await titles('echidna')]).toEqual([
      [],
      ['Numbat'],
      ['Numbat'],
    ]);
    await remove('Task', task);
    expect(await titles('numbat')).toEqual([]);
    const list = await server.gql('{ tasks(search: "numbat") { totalCount } }');
    expect(list.data.tasks.totalCount).toBe(0);
    await server.gql(`mutation { restoreTask(input: { id: "${task}" }) { task { id } } }`);
    expect(await titles('numbat')).toEqual(['Numbat']);
    await remove('Task', task);
  });

  it('finds by its index what comparing every text finds', async () => {
    const words = ['alpha', 'beta', 'Grüße', 'ΟΔΟΣ', 'İstanbul', 'straße', 'ab', '東京都庁', 'K', '100%', 'a_b', '"x"'];
    const made: { title: string; description: string }[] = [];
    for (let index = 0; index < 60; index += 1) {
      const pick = (step: number) => words[(index * step + 3) % words.length] ?? '';
      const text = { title: `T${index} ${pick(5)}${pick(7)}`, description: `${pick(11).toUpperCase()} ${pick(1)}` };
      made.push(text);
    }
    await server.gql('mutation ($tasks: [NewTask!]!) { createTasks(input: { tasks: $tasks }) { count } }', {
      tasks: made,
    });
    for (const word of [...words, 'lph', 'ταβ', 'οδο', 'stanbul', 'i̇st', 'GRÜSSE', 'STRASSE', '京都', 'betaalpha']) {
      const list = await server.gql(
        'query ($s: String) { tasks(search: $s, first: 100) { nodes { title } totalCount } }',
        { s: word },
      );
      const provider = server.services.database.provider;
      const has = (text: string) => text.toLowerCase().includes(word.toLowerCase());
      const expected = made
        .filter(({ title, description }) => has(title) || has(description))
        .map(({ title }) => title);
      const found = list.data.tasks.nodes
        .map(({ title }: { title: string }) => title)
        .filter((title: string) => /^T\d/.test(title));
      // How letters beyond ASCII compare is PostgreSQL's own matter.
      if (provider === 'sqlite') expect(found.sort()).toEqual(expected.sort());
      expect(list.data.tasks.totalCount).toBe(list.data.tasks.nodes.length);
    }
  });
});

describe('a page of the newest of a word in some of many tasks', () => {
  const MANY = 14_000;
  const SOME = 110;
  const RARE = 'quokka';
  let created: Date[];
  const titleOf = (index: number) => (index % SOME === 0 ? `The ${RARE} ${index}` : `Nothing ${index}`);
  /** What comparing every text finds. */
  const newest = (count: number, has: (index: number) => boolean = () => true) =>
    created
      .map((createdAt, index) => ({ createdAt, index, id: taskId(index) }))
      .filter(({ index }) => index % SOME === 0 && has(index))
      .sort((one, other) => other.createdAt.getTime() - one.createdAt.getTime() || (one.id < other.id ? 1 : -1))
      .slice(0, count)
      .map(({ index }) => titleOf(index));
  const taskOf = (index: number) => ({
    ...{ workspaceId: many.workspace.id, environment: 'LIVE' as const },
    ...{ id: taskId(index), number: index + 1, title: titleOf(index), createdAt: created[index] as Date },
  });
  const taskId = (index: number) => `many${String(index).padStart(6, '0')}`;
  const page = async (first: number, more = '', selected = '') => {
    const text = `{ tasks(first: ${first}, search: "the ${RARE}"${more}) { ${selected} pageInfo { hasNextPage } nodes { title } } }`;
    const { data, errors } = await many.gql(text);
    if (errors) throw new Error(JSON.stringify(errors));
    return data.tasks.nodes.map(({ title }: { title: string }) => title);
  };
  let many: TestServer;

  beforeAll(async () => {
    many = await startTestServer();
    await createWorkspace(many);
    const start = many.clock().getTime() - 10 * 86_400_000;
    created = Array.from({ length: MANY }, (_, index) => new Date(start + index * 1000));
    for (let from = 0; from < MANY; from += 2000) {
      const data = Array.from({ length: 2000 }, (_, step) => taskOf(from + step));
      await many.system.task.createMany({ data });
    }
  }, 60_000);
  afterAll(() => many?.stop());

  it.skipIf(isPostgresql)("compares the texts of the newest that SQLite's index has", async () => {
    many.queries.length = 0;
    await page(19);
    const database = new Sqlite(many.config.databaseUrl.replace(/^file:/, ''), { readonly: true });
    const plans = many.queries
      .filter((sql) => /`Task`/.test(sql))
      .map((sql) => {
        const values = Array.from(sql.matchAll(/\?/g), () => '1');
        const rows = database.prepare<string[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all(...values);
        return rows.map(({ detail }) => detail).join(', ');
      });
    database.close();
    const [found, rows, ...more] = plans;
    expect(found).toMatch(/SEARCH Task USING INDEX Task_\w+_number_key \([^)]*number=\?\)/);
    expect(found).toMatch(/SEARCH Task USING COVERING INDEX Task_\w+_createdAt_id_number_idx \([^)]*createdAt>\?\)/);
    expect(found).toMatch(/SCAN TaskText VIRTUAL TABLE INDEX/);
    expect(found).not.toMatch(/SCAN Task\b(?!Text)/);
    expect(rows).toMatch(/^SEARCH Task USING INDEX Task_\w+_number_key \([^)]*number=\?\)/);
    expect(more).toEqual([]);
  });

  it.skipIf(isPostgresql)('is read again where a task of it is deleted meanwhile', async () => {
    const prepare = Rows.prototype.prepareNewest;
    const removed: number[] = [];
    const spy = vi.spyOn(Rows.prototype, 'prepareNewest').mockImplementation(function (this: Rows, ...args) {
      const read = prepare.apply(this, args);
      return async (reader) => {
        const numbers = await read(reader);
        removed.push((numbers?.[0] ?? 0) - 1);
        await many.system.task.delete({ where: { id: taskId(removed[0] ?? 0) } });
        return numbers;
      };
    });
    const text = `{ tasks(first: 17, search: "${RARE}") { pageInfo { hasNextPage } nodes { title } } }`;
    const { data } = await many.gql(text).finally(() => spy.mockRestore());
    expect(removed).toHaveLength(1);
    const expected = newest(17, (index) => index !== removed[0]).map((title) => ({ title }));
    expect(data.tasks).toEqual({ pageInfo: { hasNextPage: true }, nodes: expected });
    await many.system.task.create({ data: taskOf(removed[0] ?? 0) });
  });

  it('is ranked as the newest of all that a filter leaves', async () => {
    const ranked = async (word: string) => {
      const { data } = await many.gql(
        'query ($f: TaskFilter) { searchTasks(search: "nothing", first: 1000, filter: $f) { nodes { title } } }',
        { f: word === '' ? null : { title: { contains: word } } },
      );
      return data.searchTasks.nodes.map(({ title }: { title: string }) => title).sort();
    };
    const newestWith = (word: string) =>
      created
        .map((_, index) => index)
        .filter((index) => index % SOME !== 0 && String(index).includes(word))
        .slice(-500)
        .map(titleOf)
        .sort();
    expect(newestWith('7').length).toBe(500);
    expect(newestWith('99').length).toBeGreaterThan(200);
    // Of all; of more than are looked at first; of few.
    for (const word of ['', '7', '99']) expect(await ranked(word)).toEqual(newestWith(word));
  });

  it('is what comparing every text finds, whatever the order of their numbers says', async () => {
    const shapes = async () => {
      expect(await page(20)).toEqual(newest(20));
      expect(await page(90)).toEqual(newest(90));
      expect(await page(150)).toEqual(newest(150));
      expect(await page(20, '', 'totalCount')).toEqual(newest(20));
      expect(await page(5, ', filter: { title: { contains: "0" } }')).toEqual(
        newest(5, (index) => String(index).includes('0')),
      );
      expect(await page(5, ', filter: { title: { contains: "77" } }')).toEqual(
        newest(5, (index) => String(index).includes('77')),
      );
      expect(await page(5, ', orderBy: [{ field: CREATED_AT, direction: ASC }]')).toEqual(
        newest(MANY).reverse().slice(0, 5),
      );
    };
    await shapes();
    // Made later than its number says, with the words and without them, and earlier.
    const moves = [
      [0, MANY + 10],
      [1, MANY + 20],
      [SOME * 3, MANY - 5],
      [SOME * 126, 1],
      [SOME * 5, SOME * 120],
    ] as const;
    for (const [index, second] of moves) {
      const createdAt = new Date((created[0] as Date).getTime() + second * 1000 + 500);
      await many.system.task.update({ where: { id: taskId(index) }, data: { createdAt } });
      created[index] = createdAt;
      await shapes();
    }
  });
});

describe('a filter of what is related', () => {
  const LIST = 'query ($filter: TaskFilter) { tasks(filter: $filter, first: 100) { totalCount nodes { title } } }';
  const list = (filter: object, key?: string) => server.gql(LIST, { filter }, key);
  const found = async (filter: object, key?: string) => {
    const { data, errors } = await list({ and: [{ title: { startsWith: 'rel ' } }, filter] }, key);
    if (errors) throw new Error(JSON.stringify(errors));
    expect(data.tasks.totalCount).toBe(data.tasks.nodes.length);
    return data.tasks.nodes.map(({ title }: { title: string }) => title.slice(4)).sort();
  };
  const block = async (taskId: string, targetTaskId: string) => {
    const input = { type: 'BLOCKS', taskId, targetTaskId };
    const { errors } = await server.gql(
      'mutation ($input: CreateTaskRelationshipInput!) { createTaskRelationship(input: $input) { taskRelationship { id } } }',
      { input },
    );
    expect(errors).toBeUndefined();
  };
  const users: Record<string, string> = {};

  beforeAll(async () => {
    const tenant = { workspaceId: server.workspace.id, environment: 'LIVE' } as const;
    for (const name of ['Ada', 'Grace']) {
      const user = await server.system.user.create({
        data: { ...tenant, name, email: `${name.toLowerCase()}@navy.example`, role: 'ADMIN' },
      });
      users[name] = user.id;
    }
    const a = await create({ title: 'rel a', assigneeId: users['Ada'], tags: ['Bug', 'ui'], dueDate: inDays(3) });
    const b = await create({
      title: 'rel b',
      assigneeId: users['Grace'],
      tags: ['bug'],
      status: 'DONE',
      dueDate: inDays(-2),
    });
    const c = await create({ title: 'rel c', projectId: id['project'], parentId: null });
    await create({ title: 'rel d', projectId: id['project'], parentId: c, tags: ['Ui'], dueDate: inDays(30) });
    await block(a, c);
    await block(b, a);
  });
  const inDays = (days: number) => new Date(server.clock().getTime() + days * 86_400_000).toISOString();

  it('finds by labels, people, projects, parents and blockers, and the contrary', async () => {
    expect(await found({ labels: { some: { name: { eq: 'Bug' } } } })).toEqual(['a', 'b']);
    expect(await found({ labels: { none: { name: { startsWith: 'U' } } } })).toEqual(['b', 'c']);
    expect(await found({ assignee: { email: { eq: 'ADA@navy.example' } } })).toEqual(['a']);
    expect(await found({ not: { assignee: { email: { eq: 'ada@navy.example' } } } })).toEqual(['b', 'c', 'd']);
    expect(await found({ assignee: {} })).toEqual(['a', 'b']);
    expect(await found({ not: { assignee: {} } })).toEqual(['c', 'd']);
    expect(await found({ project: { key: { eq: 'ROL' } } })).toEqual(['c', 'd']);
    expect(await found({ parent: { title: { contains: 'C' } } })).toEqual(['d']);
    expect(await found({ isBlocked: true })).toEqual(['a', 'c']);
    expect(await found({ isBlocked: false })).toEqual(['b', 'd']);
    expect(await found({ hasOpenBlockers: true })).toEqual(['c']);
    expect(await found({ not: { hasOpenBlockers: true } })).toEqual(['a', 'b', 'd']);
  });

  it('finds by time from now', async () => {
    expect(await found({ dueDate: { before: 'P7D' } })).toEqual(['a', 'b']);
    expect(await found({ dueDate: { after: 'PT0S', before: 'P1W' } })).toEqual(['a']);
    expect(await found({ dueDate: { before: '-P1D' } })).toEqual(['b']);
    server.clock.advance(3.5 * 86_400_000);
    // What is remembered of an operation that depends on the time would be wrong by now.
    expect(await found({ dueDate: { after: 'PT0S', before: 'P1W' } })).toEqual([]);
    for (const wrong of ['P1M', '7 days', 'P', 'PT', '', 'P9999999D']) {
      const { errors } = await list({ dueDate: { before: wrong } });
      expect(errors?.[0]?.message).toContain('Duration');
    }
    expect((await list({ dueDate: { before: 'P999999W' } })).errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
  });

  it('means the user of the key that asks, whoever asked before', async () => {
    const keys = await Promise.all(
      ['Ada', 'Grace'].map((name) => server.createKey(['tasks:read'], 'LIVE', { actsAsId: users[name] ?? null })),
    );
    for (let round = 0; round < 2; round += 1) {
      expect(await found({ isMine: true }, keys[0]?.key)).toEqual(['a']);
      expect(await found({ isMine: true }, keys[1]?.key)).toEqual(['b']);
    }
    expect(await found({ assignee: { me: true } })).toEqual([]);
    for (const others of [{ isMine: false }, { not: { isMine: true } }]) {
      expect(await found(others, keys[0]?.key)).toEqual(['b', 'c', 'd']);
    }
  });

  it('follows changes of what is related, and refuses what says nothing of it', async () => {
    expect(await found({ hasOpenBlockers: true })).toEqual(['c']);
    const { data } = await server.gql('{ tasks(search: "rel d") { nodes { id relationshipCount } } }');
    const { data: other } = await server.gql('{ tasks(search: "rel b") { nodes { id } } }');
    const [blocker, blocked] = [data.tasks.nodes[0].id, other.tasks.nodes[0].id];
    const LABEL = { labels: { some: { description: { eq: 'seen' } } } };
    expect(await found({ isBlocked: true })).toEqual(['a', 'c']);
    expect(await found(LABEL)).toEqual([]);
    await block(blocker, blocked);
    expect(await found({ isBlocked: true })).toEqual(['a', 'b', 'c']);
    const { data: labels } = await server.gql('{ labels(filter: { name: { eq: "ui" } }) { nodes { id } } }');
    const id = labels.labels.nodes[0].id;
    await server.gql('mutation ($id: ID!) { updateLabel(input: { id: $id, description: "seen" }) { label { id } } }', {
      id,
    });
    expect(await found(LABEL)).toEqual(['a', 'd']);
    for (const filter of [{ labels: {} }, { not: { labels: {} } }, { or: [{ labels: {} }] }]) {
      expect((await list(filter)).errors?.[0]?.extensions['code']).toBe('BAD_USER_INPUT');
    }
  });

  it('takes the scope of what it compares with, written in the document or in variables', async () => {
    const narrow = await server.createKey(['tasks:read']);
    const wide = await server.createKey(['tasks:read', 'users:read', 'projects:read']);
    const filter = { assignee: { email: { startsWith: 'ada' } } };
    const literal = '{ tasks(filter: { assignee: { email: { startsWith: "ada" } } }) { totalCount } }';
    expect((await server.gql(literal, {}, wide.key)).data.tasks.totalCount).toBe(1);
    expect((await list(filter, wide.key)).data.tasks.totalCount).toBe(1);
    for (const { data, errors } of [await list(filter, narrow.key), await server.gql(literal, {}, narrow.key)]) {
      expect(data?.tasks ?? null).toBeNull();
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', missingScopes: ['users:read'] });
    }
    const nested = { or: [{ title: { eq: 'x' } }, { parent: { not: { project: { slug: { eq: 'x' } } } } }] };
    expect((await list(nested, narrow.key)).errors?.[0]?.extensions['missingScopes']).toEqual(['projects:read']);
    const bulk = await server.gql(
      'mutation ($f: TaskFilter) { deleteTasks(input: { filter: $f, expectedCount: 1 }) { count } }',
      { f: filter },
      await server.key(['tasks:*']),
    );
    expect(bulk.errors?.[0]?.extensions['missingScopes']).toEqual(['users:read']);
    const told = await server.gql('query ($d: String!) { requiredScopes(document: $d) { scopes } }', {
      d: literal,
    });
    expect(told.data.requiredScopes.scopes).toEqual(['tasks:read', 'users:read']);
    await server.flushUsage();
    const rows = await server.system.apiKeyUsage.findMany({ where: { keyId: wide.apiKey.id, dimension: 'scope' } });
    const used = rows.map(({ value }) => value).sort();
    expect(used).toEqual(['tasks:read', 'users:read']);
  });

  it('is shown to the keys that may use it', async () => {
    const FIELDS = '{ __type(name: "TaskFilter") { inputFields { name } } }';
    const fields = async (scopes: string[]) =>
      (await server.gql(FIELDS, {}, await server.key(scopes))).data.__type.inputFields.map(
        ({ name }: { name: string }) => name,
      );
    const narrow = await fields(['tasks:read']);
    expect(narrow).toEqual(expect.arrayContaining(['isBlocked', 'labels', 'assigneeId']));
    expect(narrow).not.toEqual(expect.arrayContaining(['assignee']));
    expect(narrow).not.toEqual(expect.arrayContaining(['project']));
    expect(await fields(['tasks:read', 'users:read'])).toEqual(expect.arrayContaining(['assignee', 'createdBy']));
  });

  it('does not tell a key that is bound to projects of ties to others', async () => {
    const bound = await server.createKey(['tasks:read'], 'LIVE', { projects: [id['project'] ?? ''] });
    expect(await found({ isBlocked: true }, bound.key)).toEqual([]);
    expect(await found({ isBlocked: true })).toEqual(['a', 'b', 'c']);
  });
});

describe('the time of a task', () => {
  it('is that of its entries that have ended', async () => {
    const task = await create({ title: 'Timed' });
    const other = await create({ title: 'Not timed' });
    const entry = (input: object) =>
      server.gql(
        'mutation ($input: CreateTimeEntryInput!) { createTimeEntry(input: $input) { timeEntry { id seconds } } }',
        {
          input: { taskId: task, ...input },
        },
      );
    const made = await entry({ startedAt: '2026-01-01T10:00:00Z', endedAt: '2026-01-01T10:30:00Z' });
    expect(made.data.createTimeEntry.timeEntry.seconds).toBe(1800);
    await entry({ startedAt: '2026-01-02T10:00:00Z', endedAt: '2026-01-02T10:00:05Z' });
    await entry({});
    const seconds = async () => {
      const { data } = await server.gql(
        `{ tasks(filter: { id: { in: ["${task}", "${other}"] } }, orderBy: [{ field: NUMBER }]) { nodes { trackedSeconds } } }`,
      );
      return data.tasks.nodes.map((one: { trackedSeconds: number }) => one.trackedSeconds);
    };
    expect(await seconds()).toEqual([1805, 0]);
    await server.gql(
      `mutation { updateTimeEntry(input: { id: "${made.data.createTimeEntry.timeEntry.id}", endedAt: "2026-01-01T11:00:00Z" }) { timeEntry { seconds } } }`,
    );
    expect(await seconds()).toEqual([3605, 0]);
    await remove('Task', task);
    await server.gql(`mutation { restoreTask(input: { id: "${task}" }) { task { id } } }`);
    expect((await seconds())[0]).toBeGreaterThanOrEqual(3605);
  });
});

it('labels on tasks bear the time of the task, whoever put them there', async () => {
  const change = async (name: string, input: object, shown = 'task { id }') => {
    const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
    const { data, errors } = await server.gql(`mutation ($i: ${type}!) { ${name}(input: $i) { ${shown} } }`, {
      i: input,
    });
    if (errors) throw new Error(JSON.stringify(errors));
    return data[name];
  };
  const tasks = [await create({ title: 'L1', tags: ['one'] }), await create({ title: 'L2' })];
  server.clock.advance(60_000);
  const [first, second] = tasks;
  await change('updateTask', { id: first, tags: ['one', 'two'] });
  const { label } = await change('createLabel', { name: 'three', taskId: second }, 'label { id }');
  const other = (await change('createLabel', { name: 'four' }, 'label { id }')).label.id;
  await change('addLabel', { id: other, taskId: first });
  await change('updateTasks', { ids: tasks, addLabelIds: [other, label.id] }, 'count');
  await change('deleteLabel', { id: label.id, intoId: other }, 'deletedLabelId');
  await change('deleteLabel', { id: other }, 'deletedLabelId');
  await change('restoreLabel', { id: other }, 'label { id }');
  await change('deleteTask', { id: first }, 'deletedTaskId');
  await change('restoreTask', { id: first });
  await change('importTasks', { format: 'CSV', content: 'title,tags\nL3,"one, five"' }, 'count');
  const rows = await server.system.taskTag.findMany({ include: { task: { select: { createdAt: true } } } });
  expect(rows.length).toBeGreaterThan(6);
  for (const { taskCreatedAt, task } of rows) expect(taskCreatedAt).toEqual(task.createdAt);
  const { data } = await server.gql('{ tasks(filter: { tags: { contains: "one" } }) { nodes { title } } }');
  expect(data.tasks.nodes.map(({ title }: { title: string }) => title)).toEqual(['L3', 'L1']);
});
