/** Keys made from operations by the command line: from the sources of real clients, and from what was really called. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import {
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLNamedType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schema } from '../src/graphql/schema/schema.js';
import { run as runCommand } from './support/process.js';
import { startTestServer, type TestServer } from './support/server.js';

const folder = mkdtempSync(path.join(tmpdir(), 'taskgate-mint-'));
let server: TestServer;
let project: string;

beforeAll(async () => {
  server = await startTestServer();
  const tenant = { workspaceId: server.workspace.id, environment: 'LIVE' } as const;
  project = (await server.system.project.create({ data: { ...tenant, name: 'Website', slug: 'website' } })).id;
  await server.gql(
    `mutation { createTask(input: { title: "Write it down", projectId: "${project}" }) { task { id } } }`,
  );
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const run = (args: string[], database = server.config.databaseUrl) => runCommand(args, { DATABASE_URL: database });

interface Minted {
  readonly id: string;
  readonly key: string;
  readonly scopes: string[];
  readonly locked: boolean;
  readonly operations: { name: string; hash: string; scopes: string[]; pins: object }[];
}
async function mint(...args: string[]): Promise<Minted> {
  const { code, stdout, stderr } = await run(['keys', 'create', '--name', 'Minted', '--json', ...args]);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

function fileOf(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

/** A value that an input type takes. */
function literal(type: GraphQLInputType): string {
  if (isNonNullType(type)) return literal(type.ofType);
  if (isListType(type)) return '[]';
  if (isEnumType(type)) return type.getValues()[0]?.name ?? '';
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields()).filter(isRequiredInputField);
    return `{ ${fields.map((field) => `${field.name}: ${literal(field.type)}`).join(' ')} }`;
  }
  return { Int: '1', Float: '1', Boolean: 'true', DateTime: '"2030-01-01T00:00:00Z"' }[type.name] ?? '"x"';
}

function leafOf(type: GraphQLNamedType): string {
  return isLeafType(type) ? '' : '{ __typename }';
}
function smallest({ name, args, type }: GraphQLField<unknown, unknown>): string {
  const required = args.filter(isRequiredArgument).map((argument) => `${argument.name}: ${literal(argument.type)}`);
  return `${name}${required.length > 0 ? `(${required.join(', ')})` : ''} ${leafOf(getNamedType(type))}`;
}

/** An operation for each field of a root type. */
const operations = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap(
  (root, index) =>
    isObjectType(root)
      ? Object.values(root.getFields()).map(
          (field) => `${['query', 'mutation', 'subscription'][index]} { ${smallest(field)} }`,
        )
      : [],
);

/** Everything else that the schema has is refused, whatever the key holds. */
async function expectNothingElse(key: string): Promise<void> {
  expect(operations.length).toBeGreaterThan(45);
  for (const text of [...operations, '{ __typename }', '{ __schema { queryType { name } } }']) {
    const { data, errors } = await server.gql(text, {}, key);
    expect([text, data, errors?.map(({ extensions }) => [extensions['code'], extensions['locked']])]).toEqual([
      ...[text, undefined, [['FORBIDDEN', true]]],
    ]);
  }
  const rest = await fetch(`${server.origin}/api/tasks`, { headers: { 'x-api-key': key } });
  expect(rest.status).toBe(403);
}

async function execute(command: string, args: string[], key: string): Promise<string> {
  const env = { ...process.env, TASKGATE_KEY: key, TASKGATE_URL: server.origin };
  return (await promisify(execFile)(command, args, { env })).stdout;
}
const blocks = (file: string, language: string) =>
  [...readFileSync(file, 'utf8').matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, code = '']) => code,
  );

describe('--from', () => {
  const clients = blocks('README.md', 'js').map((code, index) => [['apollo', 'urql'][index] ?? '', code] as const);

  it.each(clients)('mints a key that runs %s, and nothing else', async (name, code) => {
    expect(code).toContain(name);
    const { key, scopes, operations: found } = await mint('--from', fileOf(`${name}.mjs`, code), '--lock');
    expect([scopes, found.length]).toEqual([['tasks:read'], 1]);
    const local = code.replaceAll('http://127.0.0.1:4000', server.origin);
    expect(await execute('node', ['--input-type=module', '-e', local], key)).toContain('Write it down');
    const changed = local.replace(/title/, 'title number');
    await expect(execute('node', ['--input-type=module', '-e', changed], key)).rejects.toThrow('locked to operations');
    await expectNothingElse(key);
  });

  it('mints a key that runs the Python script of the docs, and nothing else', async () => {
    const file = fileOf('report.py', blocks('docs/least-privilege.md', 'python')[0] ?? '');
    const { key, scopes, operations: found } = await mint('--from', file, '--lock');
    expect([scopes, found.map(({ name }) => name)]).toEqual([['tasks:read'], ['OpenTasks']]);
    expect(await execute('python3', [file], key)).toBe('1 Write it down\n');
    writeFileSync(file, readFileSync(file, 'utf8').replace('number title', 'number  # a comment\n title'));
    expect(await execute('python3', [file], key)).toBe('1 Write it down\n');
    await expectNothingElse(key);
  });

  it('reads the sources of an app: patterns, files of GraphQL, templates, fragments of other files', async () => {
    const app = mkdtempSync(path.join(folder, 'app-'));
    const write = (name: string, text: string) => writeFileSync(path.join(app, name), text);
    write('fragments.graphql', 'fragment Row on Task { title assignee { name } }');
    write(
      'Board.tsx',
      'import { gql } from "x"; export const BOARD = gql`query Board { tasks { nodes { ...Row } } }`;',
    );
    write(
      'close.ts',
      'export const CLOSE = /* GraphQL */ `mutation Close($id: ID!) { updateTask(input: { id: $id, status: DONE }) { task { id } } }`;',
    );
    write('count.py', "from gql import gql\nCOUNT = gql('query Count { '\n  'projects { totalCount } }')\n");
    write('style.css', 'a {}');
    const { scopes, operations: found } = await mint('--from', `${app}/**/*.{graphql,ts,tsx,py,css}`);
    expect(found.map(({ name, scopes: own }) => [name, ...own])).toEqual([
      ['Board', 'tasks:read', 'users:read'],
      ['Close', 'tasks:write'],
      ['Count', 'projects:read'],
    ]);
    expect(scopes).toEqual(['projects:read', 'tasks:read', 'tasks:write', 'users:read']);
  });

  it('reads pages with scripts, and passes over what is a comment, a text, or for the client alone', async () => {
    const app = mkdtempSync(path.join(folder, 'app-'));
    const write = (name: string, text: string) => writeFileSync(path.join(app, name), text);
    write(
      'Page.vue',
      '<template><b/></template>\n<script setup lang="ts">\nconst Q = gql`query InPage { tasks { totalCount } }`;\n</script>',
    );
    write(
      'Page.svelte',
      '<script>\n  const q = gql`query InOther { projects { totalCount } }`;\n</script>\n<b>{q}</b>',
    );
    write(
      'job.py',
      [
        '# gql("query Nope { users { totalCount } }")',
        '"""gql(\'query Doc { users { totalCount } }\')"""',
        'X = gql(  # why',
        '  "query Job { tasks { totalCount } }",',
        ')',
      ].join('\n'),
    );
    write(
      'local.ts',
      'gql`query Local { isLoggedIn @client }`; gql`query Part($x: Int) { tasks { totalCount } me @client(a: $x) }`;',
    );
    const { operations: found } = await mint('--from', app);
    expect(found.map(({ name }) => name)).toEqual(['InOther', 'InPage', 'Job', 'Part']);
  });

  it('says what is put together when the app runs, and locks no key to what it does not know', async () => {
    const app = mkdtempSync(path.join(folder, 'app-'));
    const write = (name: string, text: string) => writeFileSync(path.join(app, name), text);
    write(
      'fixed.ts',
      'const F = gql`fragment F on Task { id }`; gql`query Fixed { tasks { nodes { ...F } } } $' + '{F}`; // gql("x")',
    );
    write('inside.ts', '\ngql`query Inside { tasks { nodes { id $' + '{FIELDS} } } }`;');
    write('call.ts', 'gql("query Call { tasks { totalCount } }");');
    write(
      'added.py',
      'A = gql(FRAGMENT + """query Added { tasks { totalCount } }""")\nB = gql(f"query Put {{ tasks {{ {x} }} }}")\n',
    );
    const args = ['keys', 'create', '--name', 'x', '--from', app];
    const { stdout } = await run([...args, '--dry-run', '--json']);
    const shown = JSON.parse(stdout) as { operations: { name: string }[]; unknown: string[] };
    expect(shown.operations.map(({ name }) => name)).toEqual(['Fixed']);
    expect(shown.unknown.map((what) => /(\w+\.\w+:\d+)/.exec(what)?.[1]).sort()).toEqual([
      ...['added.py:1', 'added.py:2', 'call.ts:1', 'inside.ts:2'],
    ]);
    expect(await run([...args, '--lock'])).toMatchObject({ code: 1, stderr: expect.stringContaining('inside.ts:2') });
  });

  it('is from where it was called, and of every pattern', async () => {
    const app = mkdtempSync(path.join(folder, 'app-'));
    writeFileSync(path.join(app, 'q.graphql'), 'query Q { tasks { totalCount } }');
    const values = { DATABASE_URL: server.config.databaseUrl, INIT_CWD: app };
    const create = ['keys', 'create', '--name', 'x', '--dry-run', '--from', 'q.graphql'];
    expect(await runCommand(create, values)).toMatchObject({ code: 0, stdout: 'tasks:read\n  Q  tasks:read\n' });
    expect(await runCommand([...create, 'typo/*.ts'], values)).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('No file matches typo/*.ts') },
    });
  });

  it('makes no database, key or file where it only says what is needed', async () => {
    const database = path.join(folder, 'none.db');
    const file = fileOf('one.graphql', 'query One { tasks { totalCount } }');
    const create = ['keys', 'create', '--name', 'x', '--from', file, '--dry-run'];
    expect(await run(create, `file:${database}`)).toMatchObject({ code: 0, stdout: 'tasks:read\n  One  tasks:read\n' });
    expect(JSON.parse((await run([...create, '--json'], `file:${database}`)).stdout)).toMatchObject({
      ...{ scopes: ['tasks:read'], operations: [{ name: 'One', scopes: ['tasks:read'] }], unknown: [] },
    });
    expect(existsSync(database)).toBe(false);
  });

  it.each([
    ['no file', 'nothing-*.ts', '', 'No file matches'],
    ['a text that is no GraphQL', 'broken.graphql', 'query { tasks {', 'broken.graphql: Syntax Error'],
    [
      'a field that is not there',
      'field.graphql',
      'query Q { tasks { nodes { titel } } }',
      'Cannot query field "titel"',
    ],
    [
      'a fragment that is nowhere',
      'spread.graphql',
      'query Q { ...Lost }',
      'the fragment Lost is in none of the files',
    ],
    ['files without an operation', 'empty.ts', 'export {};', 'No operation was found there.'],
  ])('says what is wrong with %s', async (_, name, text, message) => {
    const file = text ? fileOf(name, text) : path.join(folder, name);
    const answer = await run(['keys', 'create', '--name', 'x', '--from', file]);
    expect(answer).toMatchObject({ code: 1, stderr: expect.stringContaining(message), stdout: '' });
  });

  it.each([
    [['--lock', '--scopes', 'tasks:read'], '--lock takes operations'],
    [['--from', 'x.graphql', '--pin', 'a=1'], '--pin is for a key that is locked'],
    [['--from', 'x.graphql', '--lock', '--pin', 'a'], 'NAME=VALUE'],
    [['--scopes', 'tasks:read', '--projects', ''], 'It must name something'],
    [[], 'give --scopes, or the operations'],
  ])('is called wrongly with %j', async (args, message) => {
    const answer = await run(['keys', 'create', '--name', 'x', ...args]);
    expect(answer).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  });
});

describe('a project that is named', () => {
  it('by its id is that one, whatever others are called', async () => {
    const tenant = { workspaceId: server.workspace.id, environment: 'LIVE' as const };
    const make = async (data: object) =>
      (await server.system.project.create({ data: { ...tenant, name: 'Named', ...data } })).id;
    const other = await make({ slug: project });
    const bound = async (name: string) => {
      const { projects } = (await mint('--scopes', 'tasks:read', '--projects', name)) as unknown as {
        projects: string[];
      };
      return projects;
    };
    expect(await bound(project)).toEqual([project]);
    expect(await bound(other)).toEqual([other]);
    const keyed = await make({ key: 'ZQX' });
    expect(await bound('zqx')).toEqual([keyed]);
    await make({ slug: 'ZQX' });
    expect(await run(['keys', 'create', '--name', 'x', '--scopes', 'tasks:read', '--projects', 'ZQX'])).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('the slug of one project and the key of another') },
    });
    const plain = await run(['keys', 'create', '--name', 'x', '--scopes', 'tasks:read', '--projects', 'website']);
    expect(plain.stdout).toMatch(/^Key key_\S+ \(live; tasks:read; in Website alone\)\.\n/);
  });
});

describe('what was really called', () => {
  it('is in routes and tools, as the operations that they are', async () => {
    const rest = await mint('--from-rest', 'GET /api/tasks', 'PATCH /v1/tasks/{id}', '--lock');
    expect(rest.scopes).toEqual(expect.arrayContaining(['tasks:read', 'tasks:write']));
    const headers = { 'x-api-key': rest.key };
    expect((await fetch(`${server.origin}/api/tasks`, { headers })).status).toBe(200);
    expect((await fetch(`${server.origin}/api/projects`, { headers })).status).toBe(403);
    const tools = await mint('--from-mcp', 'list_tasks', 'whoami', '--lock');
    expect([tools.scopes, tools.operations.map(({ name }) => name)]).toEqual([
      ...[['tasks:read'], ['McpListTasks', 'McpWhoami']],
    ]);
    for (const [option, value] of [
      ['--from-rest', 'GET /api/nothing'],
      ['--from-mcp', 'drop_tables'],
    ]) {
      expect(await run(['keys', 'create', '--name', 'x', option ?? '', value ?? ''])).toMatchObject({
        ...{ code: 1, stderr: expect.stringContaining('There is no') },
      });
    }
  });

  it('is in what a browser recorded', async () => {
    const entry = (method: string, url: string, body?: object) => ({
      request: { method, url, ...(body && { postData: { text: JSON.stringify(body) } }) },
    });
    const entries = [
      entry('POST', `${server.url}`, { query: 'query Recorded { users { totalCount } }', variables: {} }),
      entry('GET', `${server.url}?query=${encodeURIComponent('query Asked { tasks { totalCount } }')}`),
      entry('DELETE', `${server.origin}/v1/tasks/abc`),
      entry('GET', 'https://elsewhere.example.com/app.js'),
      entry('POST', 'https://elsewhere.example.com/graphql', { query: '{ repository { name } }' }),
    ];
    const file = fileOf('recorded.har', JSON.stringify({ log: { version: '1.2', entries } }));
    const { scopes, operations: found } = await mint('--from-har', file);
    expect(found.map(({ name }) => name)).toEqual(['Asked', 'DeleteV1Task', 'Recorded']);
    expect(scopes).toEqual(['tasks:delete', 'tasks:read', 'users:read']);
    const none = fileOf('none.har', '{}');
    expect(await run(['keys', 'create', '--name', 'x', '--from-har', none])).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('is no HAR file') },
    });
  });

  it('is in the log: by the hash where the text is known, by the scopes that were used where it is not', async () => {
    const { key, apiKey } = await server.createKey(['tasks:*', 'projects:*']);
    const other = await server.key(['users:read']);
    server.logLines.length = 0;
    await server.gql('query Known { tasks { totalCount } }', {}, key);
    await server.gql('query Unknown { projects { totalCount } }', {}, key);
    await server.gql('query OfAnother { users { totalCount } }', {}, other);
    await fetch(`${server.origin}/api/tasks`, { headers: { 'x-api-key': key } });
    const log = fileOf('server.log', server.logLines.join(''));
    const source = fileOf('known.graphql', 'query Known {\n  tasks { totalCount }\n}');
    const from = ['--from-log', log, '--of-key', apiKey.id];
    const ofLog = await mint(...from, '--from', source);
    expect(ofLog.operations.map(({ name }) => name)).toEqual(['Known', expect.stringMatching(/Taskmaster|Tasks/)]);
    expect(ofLog.scopes).toEqual(['projects:read', 'tasks:read']);
    const locked = await run(['keys', 'create', '--name', 'x', ...from, '--from', source, '--lock']);
    expect(locked).toMatchObject({ code: 1, stderr: expect.stringContaining('not known by its text: Unknown') });
    expect(await run(['keys', 'create', '--name', 'x', '--from-log', source])).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('no line of the request log') },
    });
  });
});

describe('a locked key', () => {
  const LIST = 'query List($projectId: ID!) { tasks(filter: { projectId: { eq: $projectId } }) { totalCount } }';

  it('has pins, and a next version that says what it changes before it is there', async () => {
    const file = fileOf('list.graphql', LIST);
    const { id, key, operations: found } = await mint('--from', file, '--lock', '--pin', `List:projectId=${project}`);
    expect(found).toMatchObject([{ name: 'List', pins: { projectId: project } }]);
    expect((await server.gql(LIST, {}, key)).data).toEqual({ tasks: { totalCount: 1 } });
    expect((await server.gql(LIST, { projectId: 'x' }, key)).errors?.[0]?.extensions).toMatchObject({
      pinned: 'projectId',
    });

    const next = fileOf('next.graphql', `${LIST}\nquery Users { users { totalCount } }`);
    const dry = await run(['keys', 'lock', id, '--from', next, '--dry-run']);
    expect(dry.stdout).toBe(
      `+ Users\n~ List: projectId "${project}" -> any\n+ scope users:read\n  1 unchanged\nNothing was changed.\n`,
    );
    expect((await server.gql('query Users { users { totalCount } }', {}, key)).errors).toHaveLength(1);
    const users = fileOf('users.graphql', 'query Users { users { totalCount } }');
    const applied = await run(['keys', 'lock', id, '--from', users, '--grace-period', '3600', '--json']);
    expect(JSON.parse(applied.stdout)).toMatchObject({ applied: true, difference: { kept: 0 } });
    // Both run for a while, and the one before shows whether it is still used.
    await expect
      .poll(async () => (await server.gql('query Users { users { totalCount } }', {}, key)).errors)
      .toBeUndefined();
    expect((await server.gql(LIST, {}, key)).errors).toBeUndefined();
    await server.flushUsage();
    const shown = JSON.parse((await run(['keys', 'show', id, '--json'])).stdout) as {
      operationSets: { version: number; operations: object[]; lastUsedAt: string | null; endsAt: string | null }[];
    };
    expect(shown.operationSets).toMatchObject([
      { version: 2, operations: [{ name: 'Users', pins: {} }], endsAt: null, lastUsedAt: expect.any(String) },
      {
        version: 1,
        operations: [{ name: 'List', pins: { projectId: project } }],
        endsAt: expect.any(String),
        lastUsedAt: expect.any(String),
      },
    ]);
    expect((await run(['keys', 'show', id])).stdout).toMatch(
      /version 2:\n {2}Users\n.*version 1, until .*:\n {2}List projectId="[^"]+"\n/,
    );
  });

  it.each([
    ['n="x"', 'n cannot have this value: Int cannot represent'],
    ['n=null', 'n cannot have this value: Expected non-nullable'],
    ['n.a=1', 'n.a is no part of n: Int'],
    ['i.nope=1', 'i.nope is no field of CreateTaskInput'],
    ['i.tags.x=1', 'i.tags.x is no part of i.tags: [String!]'],
    ['i.status="SOON"', 'i.status cannot have this value'],
    ['i={"title":"a"},i.title="a"', 'i.title is pinned twice in P'],
    ['m=1', 'no operation has a variable m'],
  ])('takes no pin with which it would never run: %s', async (pins, problem) => {
    const text = `mutation P($n: Int!, $i: CreateTaskInput!) {
      createTask(input: $i) { task { children(first: $n) { totalCount } } }
    }`;
    const args = pins.split(/,(?=i\.)/).flatMap((pin) => ['--pin', pin]);
    const refused = await run([
      'keys',
      'create',
      '--name',
      'x',
      '--from',
      fileOf('p.graphql', text),
      '--lock',
      ...args,
    ]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(problem) });
  });

  it("is made of what Relay's compiler wrote", async () => {
    const text =
      'query AppQuery(\n  $n: Int!\n) {\n  tasks(first: $n) {\n    nodes {\n      title\n      id\n    }\n  }\n}\n';
    const params = { cacheID: 'x', id: null, metadata: {}, name: 'AppQuery', operationKind: 'query', text };
    const file = fileOf(
      'AppQuery.graphql.ts',
      `/** @generated SignedSource<<x>> */\nconst node: ConcreteRequest = ${JSON.stringify({ params }, undefined, 2)};\nexport default node;\n`,
    );
    const { scopes, operations: found, key } = await mint('--from', file, '--lock');
    expect([scopes, found.map(({ name }) => name)]).toEqual([['tasks:read'], ['AppQuery']]);
    expect((await server.gql(text, { n: 1 }, key)).errors).toBeUndefined();
  });

  it.each([
    ['hashes', (hash: string, body: string) => ({ [`sha256:${hash}`]: body })],
    [
      "Apollo's",
      (id: string, body: string) => ({
        ...{ format: 'apollo-persisted-query-manifest', version: 1 },
        operations: [{ id, name: 'Titles', type: 'query', body }],
      }),
    ],
  ])(
    'is made of a manifest of persisted documents by %s, and runs what the client names by them',
    async (_, manifest) => {
      const text = 'fragment T on Task { title }\n\nquery Titles { tasks(first: 2) { nodes { ...T } } }';
      const hash = createHash('sha256').update(text).digest('hex');
      const file = fileOf('persisted.json', JSON.stringify(manifest(hash, text)));
      const { scopes, operations: found, key } = await mint('--from', file, '--lock');
      expect([scopes, found.map(({ name }) => name)]).toEqual([['tasks:read'], ['Titles']]);
      const response = await server.post(JSON.stringify({ documentId: hash }), key);
      expect((await response.json()).errors).toBeUndefined();
    },
  );

  it('is compared with another', async () => {
    const one = await mint('--from', fileOf('a.graphql', 'query A { tasks { totalCount } }'), '--lock');
    const two = await mint('--scopes', 'tasks:read,users:read', '--projects', 'website');
    const { stdout } = await run(['keys', 'diff', one.id, two.id]);
    expect(stdout).toBe(
      `+ scope users:read\n- project any\n+ project ${project}\n- operation A ${one.operations[0]?.hash.slice(0, 12)}\n+ operation any\n`,
    );
    expect((await run(['keys', 'diff', one.id, one.id])).stdout).toBe('They may do the same.\n');
    const text = fileOf('n.graphql', 'query N($n: Int!) { tasks(first: $n) { totalCount } }');
    const [free, pinned] = [await mint('--from', text, '--lock'), await mint('--from', text, '--lock', '--pin', 'n=1')];
    expect((await run(['keys', 'diff', free.id, pinned.id])).stdout).toContain(' n=1\n');
    const again = await run(['keys', 'lock', free.id, '--from', text]);
    expect(again).toMatchObject({ code: 0, stdout: '  1 unchanged\nNothing was changed.\n' });
    expect(await run(['keys', 'update', free.id])).toMatchObject({ code: 2 });
    expect(await run(['keys', 'diff', one.id, 'key_none'])).toMatchObject({ code: 1 });
  });
});

describe('an audit', () => {
  it('is for people, for CI and for code hosts', async () => {
    await mint('--scopes', 'admin:*');
    for (const days of ['0', '401', '99999999999']) {
      expect(await run(['keys', 'audit', '--days', days])).toMatchObject({
        code: 1,
        stderr: 'days must be from 1 to 400\n',
      });
    }
    expect(await run(['keys', 'audit', '--fail-on', 'high'])).toMatchObject({ code: 0 });
    const failed = await run(['keys', 'audit', '--fail-on', 'medium']);
    expect(failed).toMatchObject({ code: 1, stdout: expect.stringContaining('It may do everything.') });
    expect(await run(['keys', 'audit', '--fail-on', 'extreme'])).toMatchObject({ code: 2 });
    const sarif = JSON.parse((await run(['keys', 'audit', '--sarif'])).stdout);
    expect(sarif).toMatchObject({ version: '2.1.0', runs: [{ tool: { driver: { name: 'taskgate keys audit' } } }] });
    const { results, tool } = sarif.runs[0];
    const rules = tool.driver.rules.map(({ id }: { id: string }) => id);
    for (const result of results) {
      expect(rules).toContain(result.ruleId);
      expect(['note', 'warning', 'error']).toContain(result.level);
      expect(JSON.stringify(result)).not.toMatch(/sk_live_[0-9A-Za-z]{10}/);
    }
  });
});

describe('grants', () => {
  it('are listed, approved, denied and ended by the operator', async () => {
    const { key, apiKey } = await server.createKey(['tasks:read']);
    const ask = async (scope: string) => {
      const { data } = await server.gql(
        `mutation { requestScopes(input: { scopes: ["${scope}"], reason: "Once", minutes: 5 }) { scopeGrant { id } } }`,
        {},
        key,
      );
      return data.requestScopes.scopeGrant.id as string;
    };
    const [wanted, unwanted] = [await ask('projects:read'), await ask('users:read')];
    const listed = (await run(['keys', 'grants', 'list'])).stdout;
    for (const id of [wanted, unwanted]) expect(listed).toContain(id);
    expect(listed).toContain(apiKey.id);
    expect(await run(['keys', 'grants', 'approve', wanted])).toMatchObject({ code: 0 });
    expect(await run(['keys', 'grants', 'deny', unwanted])).toMatchObject({ code: 0 });
    const asked = async () => (await server.gql('{ projects { totalCount } }', {}, key)).errors;
    await expect.poll(asked, { timeout: 5000 }).toBeUndefined();
    expect((await server.gql('{ users { totalCount } }', {}, key)).errors).toHaveLength(1);
    expect(await run(['keys', 'grants', 'end', wanted])).toMatchObject({ code: 0 });
    await expect.poll(asked, { timeout: 5000 }).toHaveLength(1);
    expect(await run(['keys', 'grants', 'approve', wanted])).toMatchObject({ code: 1 });
  });
});
